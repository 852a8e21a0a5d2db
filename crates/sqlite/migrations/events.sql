CREATE TABLE event (
    id INTEGER PRIMARY KEY,
    at INTEGER NOT NULL,
    kind TEXT NOT NULL,
    side INTEGER,
    transaction_kind INTEGER,
    peer TEXT,
    code TEXT,
    txid BLOB,
    correlation TEXT NOT NULL,
    patient INTEGER,
    professional INTEGER,
    point_of_care INTEGER,
    micros INTEGER NOT NULL,
    number INTEGER NOT NULL
) STRICT;
CREATE INDEX event_kind ON event (kind);
