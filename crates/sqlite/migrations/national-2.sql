-- content: sealed by the vault where there is a digest (SHA-256); of release 0.1 in the clear, until it is kept
ALTER TABLE document RENAME COLUMN bytes TO content;
ALTER TABLE document ADD COLUMN digest BLOB;
ALTER TABLE dispensation RENAME COLUMN bytes TO content;
ALTER TABLE dispensation ADD COLUMN digest BLOB;
-- has a row while pages of this file may hold documents in the clear
CREATE TABLE in_the_clear (one INTEGER PRIMARY KEY) STRICT;
INSERT INTO in_the_clear
    SELECT 1 WHERE EXISTS (SELECT 1 FROM document) OR EXISTS (SELECT 1 FROM dispensation);
