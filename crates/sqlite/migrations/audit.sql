-- AUTOINCREMENT: a number never comes back, so that a removal means what it meant when it was asked for
CREATE TABLE record (id INTEGER PRIMARY KEY AUTOINCREMENT, xml TEXT NOT NULL) STRICT;
