-- Secrets are sealed under a key of their own, which is locked under the patient's. A row of patient
-- is never deleted and keeps its size: what is erased is overwritten where it stands.
CREATE TABLE patient (id INTEGER PRIMARY KEY, pseudonym BLOB NOT NULL, key BLOB NOT NULL) STRICT;
CREATE UNIQUE INDEX patient_pseudonym ON patient (pseudonym);
-- NULL: of an earlier version, in the clear; 0: erased
ALTER TABLE request ADD COLUMN patient INTEGER;
ALTER TABLE request ADD COLUMN key BLOB;
CREATE INDEX request_patient ON request (patient);
-- erasures that are under way; patient 0: of one exchange, which is overwritten already
CREATE TABLE erasing (id INTEGER PRIMARY KEY, patient INTEGER NOT NULL) STRICT;
-- has a row until no page of the file has secrets in the clear
CREATE TABLE in_the_clear (since INTEGER NOT NULL) STRICT;
INSERT INTO in_the_clear SELECT 4 WHERE EXISTS (SELECT 1 FROM request);
