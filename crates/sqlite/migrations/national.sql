CREATE TABLE patient (
    id INTEGER PRIMARY KEY,
    given TEXT NOT NULL,
    family TEXT NOT NULL,
    gender TEXT NOT NULL,
    birth TEXT NOT NULL,
    address TEXT NOT NULL,
    consent INTEGER NOT NULL
) STRICT;
CREATE TABLE patient_id (
    cx TEXT PRIMARY KEY,
    patient INTEGER NOT NULL REFERENCES patient (id),
    place INTEGER NOT NULL
) STRICT;
CREATE TABLE document (
    unique_id TEXT PRIMARY KEY,
    patient TEXT NOT NULL,
    class TEXT NOT NULL,
    form INTEGER NOT NULL,
    twin TEXT,
    title TEXT NOT NULL,
    created INTEGER NOT NULL,
    language TEXT NOT NULL,
    size INTEGER NOT NULL,
    hash TEXT NOT NULL,
    author TEXT NOT NULL,
    prescription TEXT,
    status INTEGER,
    atc TEXT,
    mime TEXT NOT NULL,
    bytes BLOB NOT NULL
) STRICT;
CREATE INDEX document_patient ON document (patient, class, created);
CREATE INDEX document_prescription ON document (prescription);
CREATE TABLE dispensation (
    unique_id TEXT PRIMARY KEY,
    prescription TEXT NOT NULL,
    patient TEXT NOT NULL,
    country TEXT NOT NULL,
    received INTEGER NOT NULL,
    discarded INTEGER NOT NULL,
    bytes BLOB NOT NULL
) STRICT;
