//! The evidence journal.

mod patients;
mod rows;
mod sealing;

use std::path::{Path, PathBuf};

use exchange::{Country, Side, TransactionId};
use jiff::Timestamp;
use ledger::journal::{
    Durable, Journal as Port, JournalError, Outcome, ReplayKey, Row, State, Step, Waiting,
};
use rusqlite::{Connection, params};

use crate::database::{Database, DatabaseError, Safety};
use crate::{micros, sql_limit};
pub(crate) use patients::{empty_log, thoroughly};
use rows::{DELIVERED, SELECT, read};
pub use sealing::{Clear, SealError, Sealer};

/// `journal.db`.
pub struct Journal(Database, PathBuf);

impl Journal {
    /// Opens or makes the file.
    pub fn open(path: &Path) -> Result<Self, DatabaseError> {
        let database = Database::open_migrated(path, &MIGRATIONS, Safety::Full)?;
        // from the first row on: a page that is split leaves a copy of what moved
        database.write_blocking(thoroughly)?;
        Ok(Self(database, path.to_owned()))
    }

    /// Commits what is queued and closes the file.
    pub fn close(&self) {
        self.0.close();
    }
}

impl Journal {
    /// How far the delivery of receipts has come.
    fn mark(&self, txids: Vec<TransactionId>, undelivered: i64) -> Durable<'_, ()> {
        Box::pin(async move {
            // by slices, as in `sequence`; a mark that is lost is set when the receipt is brought again
            for slice in txids.chunks(MARKED) {
                let slice = slice.to_vec();
                let marked = self.0.write(move |db| {
                    let mut update = db.prepare_cached(
                        "UPDATE evidence SET undelivered = ?2 WHERE txid = ?1 AND side = 1",
                    )?;
                    slice.iter().try_for_each(|txid| {
                        update.execute(params![txid.0, undelivered]).map(|_| ())
                    })
                });
                marked.await.map_err(failed)?;
            }
            Ok(())
        })
    }
}

fn failed(error: DatabaseError) -> JournalError {
    match error {
        DatabaseError::Unavailable => JournalError::Overloaded,
        other => JournalError::Failed(other.to_string()),
    }
}

impl Port for Journal {
    fn commit(&self, step: Step) -> Durable<'_, Outcome> {
        Box::pin(async move { self.0.write(move |db| commit(db, &step)).await.map_err(failed) })
    }

    fn row(&self, txid: TransactionId, side: Side) -> Durable<'_, Option<Row>> {
        Box::pin(async move {
            let found = self.0.read(move |db| rows::find(db, txid, side)).await;
            found.map(|kept| kept.map(|kept| kept.row)).map_err(failed)
        })
    }

    fn rows(&self, txids: Vec<TransactionId>, side: Side) -> Durable<'_, Vec<Row>> {
        Box::pin(async move {
            let query = move |db: &Connection| {
                let found = txids.iter().map(|txid| rows::find(db, *txid, side));
                found
                    .filter_map(|found| found.map(|kept| kept.map(|kept| kept.row)).transpose())
                    .collect()
            };
            self.0.read(query).await.map_err(failed)
        })
    }

    fn sequence(&self, from: u64, limit: usize) -> Durable<'_, Vec<(u64, Vec<u8>)>> {
        Box::pin(async move {
            let mut left = limit;
            // by slices: requests that wait for the writer go in between
            while left > 0 {
                let slice = left.min(SLICE);
                let placed = self.0.write(move |db| place(db, slice)).await.map_err(failed)?;
                left = if placed < slice { 0 } else { left - slice };
            }
            self.0.read(move |db| leaves(db, from, limit)).await.map_err(failed)
        })
    }

    fn overdue(&self, before: Timestamp, limit: usize) -> Durable<'_, Vec<Row>> {
        Box::pin(async move {
            let query = move |db: &Connection| {
                let mut select = db.prepare_cached(&format!(
                    "{SELECT} WHERE state < 2 AND at < ?1 ORDER BY at LIMIT ?2"
                ))?;
                select.query_map(params![micros(before), sql_limit(limit)], read)?.collect()
            };
            self.0.read(query).await.map_err(failed)
        })
    }

    fn waiting(&self, most: usize) -> Durable<'_, Waiting> {
        Box::pin(async move { self.0.read(move |db| waiting(db, most)).await.map_err(failed) })
    }

    fn undelivered(&self, country: Country, limit: usize) -> Durable<'_, Vec<Row>> {
        Box::pin(async move {
            let query = move |db: &Connection| {
                let mut select = db.prepare_cached(&format!(
                    "{SELECT} WHERE undelivered = 1 AND provider = ?1 ORDER BY evidence.id LIMIT ?2"
                ))?;
                select.query_map(params![country.as_str(), sql_limit(limit)], read)?.collect()
            };
            self.0.read(query).await.map_err(failed)
        })
    }

    fn delivered(&self, txids: Vec<TransactionId>) -> Durable<'_, ()> {
        self.mark(txids, DELIVERED)
    }

    fn refused(&self, txids: Vec<TransactionId>) -> Durable<'_, ()> {
        self.mark(txids, REFUSED)
    }

    fn newest(&self, limit: usize) -> Durable<'_, Vec<Row>> {
        Box::pin(async move {
            let query = move |db: &Connection| {
                let mut select =
                    db.prepare_cached(&format!("{SELECT} ORDER BY evidence.id DESC LIMIT ?1"))?;
                select.query_map([sql_limit(limit)], read)?.collect()
            };
            self.0.read(query).await.map_err(failed)
        })
    }

    fn forget_replays(&self, now: Timestamp) -> Durable<'_, usize> {
        Box::pin(async move {
            self.0
                .write(move |db| {
                    db.prepare_cached(
                        "DELETE FROM replay WHERE digest IN (SELECT digest FROM replay WHERE expires < ?1 LIMIT 2000)",
                    )?
                    .execute([micros(now)])
                })
                .await
                .map_err(failed)
        })
    }
}

fn commit(db: &Connection, step: &Step) -> rusqlite::Result<Outcome> {
    if let Some(key) = &step.replay {
        let mut insert =
            db.prepare_cached("INSERT OR IGNORE INTO replay (digest, expires) VALUES (?1, ?2)")?;
        if insert.execute(params![key.digest, micros(key.expires)])? == 0 {
            return Ok(Outcome::Replayed);
        }
    }
    if let [row] = step.rows.as_slice()
        && matches!(row.state, State::Asked | State::Answered)
        && patients::is_alive(db, row.secrets.patient)?
        && rows::insert(db, row)?
    {
        return Ok(Outcome::Recorded);
    }
    let mut kept = Vec::with_capacity(step.rows.len());
    for row in &step.rows {
        let old = rows::find(db, row.txid, row.side)?;
        let refused = match &old {
            Some(old) if !row.follows(&old.row) => Some(Outcome::Taken),
            None if !patients::is_alive(db, row.secrets.patient)? => Some(Outcome::Erased),
            _ => None,
        };
        if let Some(outcome) = refused {
            step.replay.iter().try_for_each(|key| forget(db, key))?;
            return Ok(outcome);
        }
        kept.push(old);
    }
    let mut changes = step.rows.iter().zip(&kept);
    changes.try_for_each(|(row, old)| rows::put(db, row, old.as_ref()))?;
    Ok(Outcome::Recorded)
}

fn forget(db: &Connection, key: &ReplayKey) -> rusqlite::Result<()> {
    db.prepare_cached("DELETE FROM replay WHERE digest = ?1")?.execute([key.digest]).map(|_| ())
}

/// Places given so far, which is the next one.
fn places(db: &Connection) -> rusqlite::Result<i64> {
    db.prepare_cached(
        "SELECT max(coalesce((SELECT max(log_index) FROM evidence WHERE log_index IS NOT NULL), -1),
                    coalesce((SELECT max(log_index) FROM superseded), -1)) + 1",
    )?
    .query_row([], |row| row.get(0))
}

/// Counts index entries only.
fn waiting(db: &Connection, most: usize) -> rusqlite::Result<Waiting> {
    let mut select = db.prepare_cached(
        "SELECT (SELECT count(*) FROM (SELECT 1 FROM evidence INDEXED BY evidence_open
                                       WHERE state < 2 LIMIT ?1)),
                (SELECT count(*) FROM (SELECT 1 FROM evidence INDEXED BY evidence_unsequenced
                                       WHERE state >= 2 AND log_index IS NULL LIMIT ?1))",
    )?;
    let count = |row: &rusqlite::Row<'_>, at| row.get::<_, i64>(at).map(i64::cast_unsigned);
    let (open, unplaced) =
        select.query_row([sql_limit(most)], |row| Ok((count(row, 0)?, count(row, 1)?)))?;
    Ok(Waiting { open, unplaced, places: places(db)?.cast_unsigned() })
}

/// Gives the next half or settled rows their places; gives how many.
fn place(db: &Connection, limit: usize) -> rusqlite::Result<usize> {
    let next = places(db)?;
    db.prepare_cached(
        "UPDATE evidence SET log_index = numbered.place + ?1 FROM
           (SELECT id, row_number() OVER (ORDER BY id) - 1 AS place FROM evidence
            WHERE state >= 2 AND log_index IS NULL ORDER BY id LIMIT ?2) AS numbered
         WHERE evidence.id = numbered.id",
    )?
    .execute(params![next, sql_limit(limit)])
}

/// Leaves in the order of their places.
fn leaves(db: &Connection, from: u64, limit: usize) -> rusqlite::Result<Vec<(u64, Vec<u8>)>> {
    let mut select = db.prepare_cached(
        "SELECT log_index, coalesce(signed, x'') FROM evidence LEFT JOIN statement ON statement.id = evidence.statement
         WHERE log_index >= ?1
         UNION ALL SELECT log_index, statement FROM superseded WHERE log_index >= ?1
         ORDER BY log_index LIMIT ?2",
    )?;
    let from = i64::try_from(from).unwrap_or(i64::MAX);
    select
        .query_map(params![from, sql_limit(limit)], |row| {
            Ok((u64::try_from(row.get::<_, i64>(0)?).unwrap_or(0), row.get(1)?))
        })?
        .collect()
}

/// Rows that get their places in one step of the writer: about a millisecond.
const SLICE: usize = 64;
/// Receipts that are marked in one step: each looks its row up.
const MARKED: usize = 32;

const MIGRATIONS: [&str; 4] = [
    include_str!("../migrations/journal.sql"),
    include_str!("../migrations/journal-2.sql"),
    include_str!("../migrations/journal-3.sql"),
    include_str!("../migrations/journal-4.sql"),
];
/// A value of the column `undelivered`, beside [`rows::DELIVERED`]; 1 waits.
const REFUSED: i64 = 2;
