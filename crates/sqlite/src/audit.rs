//! The spool of our own audit records.
//!
//! The disk is for the day when the repository is away or we are killed. On all others a record is
//! asked for some milliseconds after it was kept, and comes from memory.

use std::collections::VecDeque;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use gateway::audit::{Spool, SpoolError};
use rusqlite::{Connection, params};

use crate::database::{Database, DatabaseError, Safety};
use crate::journal::empty_log;

/// `audit.db`. Personal.
pub struct Audit {
    database: Database,
    most: u64,
    recent: Mutex<Recent>,
}

/// Records that are on disk and were not asked for yet, in the order of their numbers.
#[derive(Default)]
struct Recent {
    records: VecDeque<(u64, String)>,
    bytes: usize,
    /// What was removed last, so that the next number is the oldest that waits; unknown at first.
    removed: Option<u64>,
}

impl Recent {
    /// Keeps what was just written; what does not fit is read from the disk when its turn comes.
    fn keep(&mut self, last: u64, records: Vec<String>) {
        let size: usize = records.iter().map(String::len).sum();
        if self.bytes + size > RECENT_BYTES {
            return;
        }
        self.bytes += size;
        let first = last + 1 - records.len() as u64;
        self.records.extend((first..).zip(records));
    }

    /// The oldest, if they are here without a gap. They are given once.
    fn take(&mut self, limit: usize) -> Option<Vec<(u64, String)>> {
        let first = self.removed? + 1;
        let here = (first..).zip(&self.records).take(limit);
        let count = here.take_while(|(number, (kept, _))| number == kept).count();
        let taken: Vec<_> = self.records.drain(..count).collect();
        self.bytes -= taken.iter().map(|(_, xml)| xml.len()).sum::<usize>();
        Some(taken).filter(|taken| !taken.is_empty())
    }

    fn remove(&mut self, through: u64) {
        self.removed = self.removed.max(Some(through));
        while self.records.front().is_some_and(|(number, _)| *number <= through) {
            self.bytes -= self.records.pop_front().map_or(0, |(_, xml)| xml.len());
        }
    }
}

impl Audit {
    /// Opens or makes the file, in which at most `most` records may wait.
    pub fn open(path: &Path, most: u64) -> Result<Self, DatabaseError> {
        let schema = include_str!("../migrations/audit.sql");
        let database = Database::open_paged(path, schema, Safety::Normal, PAGE_BYTES)?;
        Ok(Self { database, most, recent: Mutex::default() })
    }

    /// Writes the file anew, without the records that were removed, and empties its write-ahead log;
    /// gives how many records still wait. `None` when another process is in the way.
    pub fn scrub(path: &Path) -> Result<Option<u64>, DatabaseError> {
        let db = Connection::open(path)?;
        db.execute_batch("PRAGMA busy_timeout = 5000; PRAGMA secure_delete = ON; VACUUM;")?;
        let left = waiting(&db)?;
        Ok(empty_log(path)?.then_some(left))
    }

    /// Commits what is queued and closes the file.
    pub fn close(&self) {
        self.database.close();
    }

    fn recent<T>(&self, look: impl FnOnce(&mut Recent) -> T) -> T {
        look(&mut self.recent.lock().unwrap_or_else(PoisonError::into_inner))
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
                return Ok(None);
            }
            let mut insert = db.prepare_cached("INSERT INTO record (xml) VALUES (?1)")?;
            records.iter().try_for_each(|xml| insert.execute([xml]).map(|_| ()))?;
            Ok(Some((db.last_insert_rowid().cast_unsigned(), records)))
        });
        let (last, records) = kept.map_err(failed)?.ok_or(SpoolError::Full)?;
        self.recent(|recent| recent.keep(last, records));
        Ok(())
    }

    fn oldest(&self, limit: usize) -> Result<Vec<(u64, String)>, SpoolError> {
        if let Some(recent) = self.recent(|recent| recent.take(limit)) {
            return Ok(recent);
        }
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
            .map_err(failed)?;
        self.recent(|recent| recent.remove(through));
        Ok(())
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

/// A record has about as many bytes: the security header of the request, in Base64.
const PAGE_BYTES: u32 = 16 << 10;
/// Records in memory, in bytes: about a third of a second of the most that we were measured at.
const RECENT_BYTES: usize = 8 << 20;
