CREATE TABLE evidence (
    id INTEGER PRIMARY KEY,
    txid BLOB NOT NULL,
    side INTEGER NOT NULL,
    transaction_kind INTEGER NOT NULL,
    requester TEXT NOT NULL,
    provider TEXT NOT NULL,
    state INTEGER NOT NULL,
    request BLOB NOT NULL,
    statement BLOB NOT NULL,
    secrets BLOB NOT NULL,
    peer_certificate BLOB NOT NULL,
    undelivered INTEGER NOT NULL,
    at INTEGER NOT NULL,
    log_index INTEGER UNIQUE,
    UNIQUE (txid, side)
) STRICT;
-- 2 = settled: the only rows that the sequencer looks for
CREATE INDEX evidence_unsequenced ON evidence (id) WHERE state = 2 AND log_index IS NULL;
CREATE INDEX evidence_undelivered ON evidence (provider) WHERE undelivered = 1;
CREATE TABLE replay (digest BLOB PRIMARY KEY, expires INTEGER NOT NULL) STRICT, WITHOUT ROWID;
CREATE INDEX replay_expires ON replay (expires);
