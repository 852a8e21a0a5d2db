//! The spool of our own audit records.

use std::path::Path;

use gateway::audit::{Spool, SpoolError};
use rusqlite::{Connection, params};

use crate::database::{Database, DatabaseError, Safety};

/// `audit.db`. Personal.
pub struct Audit {
    database: Database,
    most: u64,
}

impl Audit {
    /// Opens or makes the file, in which at most `most` records may wait.
    pub fn open(path: &Path, most: u64) -> Result<Self, DatabaseError> {
        let schema = include_str!("../migrations/audit.sql");
        Ok(Self { database: Database::open(path, schema, Safety::Normal)?, most })
    }

    /// Commits what is queued and closes the file.
    pub fn close(&self) {
        self.database.close();
    }
}

#[expect(clippy::needless_pass_by_value, reason = "shaped for map_err")]
fn failed(error: DatabaseError) -> SpoolError {
    SpoolError::Failed(error.to_string())
}

impl Spool for Audit {
    fn append(&self, records: Vec<String>) -> Result<(), SpoolError> {
        let most = self.most;
        let kept = self.database.write_blocking(move |db| {
            if waiting(db)? + records.len() as u64 > most {
                return Ok(false);
            }
            let mut insert = db.prepare_cached("INSERT INTO record (xml) VALUES (?1)")?;
            records.iter().try_for_each(|xml| insert.execute([xml]).map(|_| ()))?;
            Ok(true)
        });
        if kept.map_err(failed)? { Ok(()) } else { Err(SpoolError::Full) }
    }

    fn oldest(&self, limit: usize) -> Result<Vec<(u64, String)>, SpoolError> {
        self.database
            .write_blocking(move |db| {
                db.prepare_cached("SELECT id, xml FROM record ORDER BY id LIMIT ?1")?
                    .query_map([i64::try_from(limit).unwrap_or(0)], |row| {
                        Ok((row.get::<_, i64>(0)?.cast_unsigned(), row.get(1)?))
                    })?
                    .collect()
            })
            .map_err(failed)
    }

    fn remove(&self, through: u64) -> Result<(), SpoolError> {
        self.database
            .write_blocking(move |db| {
                db.prepare_cached("DELETE FROM record WHERE id <= ?1")?
                    .execute(params![through.cast_signed()])
                    .map(|_| ())
            })
            .map_err(failed)
    }

    fn waiting(&self) -> Result<u64, SpoolError> {
        self.database.write_blocking(waiting).map_err(failed)
    }
}

/// Numbers are given and removed in order: the span is the count, without a scan.
fn waiting(db: &Connection) -> rusqlite::Result<u64> {
    db.prepare_cached("SELECT coalesce(max(id) - min(id) + 1, 0) FROM record")?
        .query_row([], |row| row.get::<_, i64>(0))
        .map(i64::cast_unsigned)
}
