-- register.db: the professionals of this country; loaded whole, read at each login.

CREATE TABLE professional (
    country         TEXT NOT NULL,
    person          TEXT NOT NULL,
    number          TEXT NOT NULL,
    family          TEXT NOT NULL,
    given           TEXT NOT NULL,
    birth           TEXT,
    role            TEXT NOT NULL,
    organization    TEXT NOT NULL,
    organization_id TEXT NOT NULL,
    locality        TEXT NOT NULL,
    facility        TEXT NOT NULL,
    valid_from      TEXT,
    valid_until     TEXT,
    suspended       INTEGER NOT NULL,
    PRIMARY KEY (country, person)
) STRICT, WITHOUT ROWID;
