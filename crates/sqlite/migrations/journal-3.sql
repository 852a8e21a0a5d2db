-- What changes at each step is narrow and apart from what is signed: a step then touches a page or
-- two, where it rewrote a page of its own for each exchange. Certificates stand once.
CREATE TABLE chain (id INTEGER PRIMARY KEY, der BLOB NOT NULL UNIQUE) STRICT;
CREATE TABLE request (id INTEGER PRIMARY KEY, signed BLOB NOT NULL, secrets BLOB NOT NULL) STRICT;
-- secrets: those behind the request's
CREATE TABLE statement (id INTEGER PRIMARY KEY, signed BLOB NOT NULL, secrets BLOB NOT NULL) STRICT;
CREATE TABLE exchange (
    id INTEGER PRIMARY KEY,
    txid BLOB NOT NULL,
    side INTEGER NOT NULL,
    transaction_kind INTEGER NOT NULL,
    requester TEXT NOT NULL,
    provider TEXT NOT NULL,
    state INTEGER NOT NULL,
    statement INTEGER,
    chain INTEGER,
    undelivered INTEGER NOT NULL,
    at INTEGER NOT NULL,
    log_index INTEGER,
    UNIQUE (txid, side)
) STRICT;
INSERT INTO chain (der) SELECT DISTINCT peer_certificate FROM evidence WHERE peer_certificate <> x'';
INSERT INTO request SELECT id, request, secrets FROM evidence;
INSERT INTO statement SELECT id, statement, x'' FROM evidence WHERE statement <> x'';
INSERT INTO exchange
    SELECT id, txid, side, transaction_kind, requester, provider, state, iif(statement <> x'', id, NULL),
           (SELECT chain.id FROM chain WHERE der = peer_certificate), undelivered, at, log_index FROM evidence;
DROP TABLE evidence;
ALTER TABLE exchange RENAME TO evidence;
CREATE UNIQUE INDEX evidence_place ON evidence (log_index) WHERE log_index IS NOT NULL;
CREATE INDEX evidence_unsequenced ON evidence (id) WHERE state >= 2 AND log_index IS NULL;
CREATE INDEX evidence_undelivered ON evidence (provider) WHERE undelivered = 1;
CREATE INDEX evidence_open ON evidence (at) WHERE state < 2;
