//! The register of professionals.

use std::path::Path;

use exchange::RoleCode;
use identity::register::{Entry, Facility, PersonKey, Register, RegisterError};
use jiff::civil::Date;
use rusqlite::{OptionalExtension, params};

use crate::country;
use crate::database::{Database, DatabaseError, Safety};

/// `register.db`.
pub struct Professionals(Database);

impl Professionals {
    /// Opens or makes the file.
    pub fn open(path: &Path) -> Result<Self, DatabaseError> {
        Database::open(path, include_str!("../migrations/register.sql"), Safety::Full).map(Self)
    }

    /// Replaces the whole register, in one step: who is not among the entries has left it.
    pub fn replace(&self, entries: Vec<Entry>) -> Result<(), DatabaseError> {
        self.0.write_blocking(move |db| {
            db.execute("DELETE FROM professional", [])?;
            entries.iter().try_for_each(|entry| put(db, entry))
        })
    }

    /// Commits what is queued and closes the file.
    pub fn close(&self) {
        self.0.close();
    }
}

impl Register for Professionals {
    fn find(&self, who: &PersonKey) -> Result<Option<Entry>, RegisterError> {
        let who = who.clone();
        let query = move |db: &rusqlite::Connection| {
            db.prepare_cached(
                "SELECT country, person, number, family, given, birth, role, organization, organization_id,
                        locality, facility, valid_from, valid_until, suspended
                 FROM professional WHERE country = ?1 AND person = ?2",
            )?
            .query_row(params![who.country.as_str(), who.value], entry)
            .optional()
        };
        self.0.write_blocking(query).map_err(|e| RegisterError::Unreadable(e.to_string()))
    }
}

fn put(db: &rusqlite::Connection, entry: &Entry) -> rusqlite::Result<()> {
    let date = |date: Option<Date>| date.map(|d| d.to_string());
    db.prepare_cached(
        "INSERT INTO professional (country, person, number, family, given, birth, role, organization,
                                   organization_id, locality, facility, valid_from, valid_until, suspended)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)",
    )?
    .execute(params![
        entry.person.country.as_str(),
        entry.person.value,
        entry.number,
        entry.family,
        entry.given,
        date(entry.birth),
        entry.role.code(),
        entry.organization,
        entry.organization_id,
        entry.locality,
        entry.facility.name(),
        date(entry.from),
        date(entry.until),
        entry.suspended,
    ])?;
    Ok(())
}

fn entry(row: &rusqlite::Row<'_>) -> rusqlite::Result<Entry> {
    let date = |column: usize| -> rusqlite::Result<Option<Date>> {
        let text: Option<String> = row.get(column)?;
        text.map(|text| text.parse().map_err(|_| rusqlite::Error::InvalidQuery)).transpose()
    };
    let (land, role, facility): (String, String, String) = (row.get(0)?, row.get(6)?, row.get(10)?);
    Ok(Entry {
        person: PersonKey { country: country(&land)?, value: row.get(1)? },
        number: row.get(2)?,
        family: row.get(3)?,
        given: row.get(4)?,
        birth: date(5)?,
        role: RoleCode::parse(&role).map_err(|_| rusqlite::Error::InvalidQuery)?,
        organization: row.get(7)?,
        organization_id: row.get(8)?,
        locality: row.get(9)?,
        facility: Facility::of_name(&facility).ok_or(rusqlite::Error::InvalidQuery)?,
        from: date(11)?,
        until: date(12)?,
        suspended: row.get(13)?,
    })
}
