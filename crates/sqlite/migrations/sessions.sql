CREATE TABLE session (
    key BLOB PRIMARY KEY,
    expires INTEGER NOT NULL,
    sealed BLOB NOT NULL
) WITHOUT ROWID;
CREATE INDEX session_expires ON session (expires);
