-- 2 = settled, 3 = half: what goes to the log
DROP INDEX evidence_unsequenced;
CREATE INDEX evidence_unsequenced ON evidence (id) WHERE state >= 2 AND log_index IS NULL;
-- 0 = asked, 1 = answered: what has a deadline
CREATE INDEX evidence_open ON evidence (at) WHERE state < 2;
-- halves that were in the log when the other half came
CREATE TABLE superseded (log_index INTEGER PRIMARY KEY, statement BLOB NOT NULL) STRICT;
