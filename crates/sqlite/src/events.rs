//! The event store.

use std::path::{Path, PathBuf};

use exchange::{Code, TransactionId};
use ledger::crash;
use rusqlite::{Connection, params};
use siem::{Event, EventStore, Kind, Pseudonym, StoreError};

use crate::database::{Database, DatabaseError, Safety};
use crate::journal::{empty_log, thoroughly};
use crate::{
    country, micros, side, side_number, sql_limit, timestamp, transaction, transaction_number,
};

/// `events.db`.
pub struct Events(Database, PathBuf);

impl Events {
    /// Opens or makes the file.
    pub fn open(path: &Path) -> Result<Self, DatabaseError> {
        let schema = include_str!("../migrations/events.sql");
        let database = Database::open(path, schema, Safety::Normal)?;
        // from the first row on: a page that is split leaves a copy of what moved
        database.write_blocking(|db| {
            thoroughly(db)?;
            let first = !db.prepare("SELECT 1 FROM event")?.exists([])?;
            if first { db.pragma_update(None, "application_id", THOROUGH) } else { Ok(()) }
        })?;
        Ok(Self(database, path.to_owned()))
    }

    /// How many events are about this patient.
    pub fn about(&self, patient: Pseudonym) -> Result<u64, DatabaseError> {
        let count = "SELECT count(*) FROM event WHERE patient = ?1";
        let found = self.0.write_blocking(move |db| {
            db.query_row(count, [patient.0.cast_signed()], |row| row.get::<_, i64>(0))
        });
        found.map(i64::cast_unsigned)
    }

    /// Puts numbers that are nobody's in the place of a patient's pseudonym, each another one: what
    /// happened stays counted. Where it stood it is overwritten, also in the write-ahead log, unless
    /// another process reads old pages, which is false.
    pub fn forget(&self, patient: Pseudonym) -> Result<bool, DatabaseError> {
        let known: i32 = self.0.write_blocking(move |db| {
            // as long as what stood there: nothing moves to another place
            db.execute(
                "UPDATE event SET patient = random() WHERE patient = ?1",
                [patient.0.cast_signed()],
            )?;
            db.pragma_query_value(None, "application_id", |row| row.get(0))
        })?;
        crash::point("erase/renamed");
        if known != THOROUGH {
            written_anew(&self.1)?;
        }
        Ok(empty_log(&self.1)?)
    }

    /// Commits what is queued and closes the file.
    pub fn close(&self) {
        self.0.close();
    }
}

/// A file of a release that did not yet clear what it moved: once, all of it.
fn written_anew(path: &Path) -> rusqlite::Result<()> {
    let db = Connection::open(path)?;
    db.execute_batch("PRAGMA busy_timeout = 5000; PRAGMA secure_delete = ON; VACUUM;")?;
    db.pragma_update(None, "application_id", THOROUGH)
}

/// In the header of a file none of whose pages has copies of what moved ("kfdo").
const THOROUGH: i32 = 0x6b66_646f;

#[expect(clippy::needless_pass_by_value, reason = "shaped for map_err")]
fn failed(error: DatabaseError) -> StoreError {
    StoreError(error.to_string())
}

impl EventStore for Events {
    fn append(&self, events: &[Event]) -> Result<(), StoreError> {
        let events = events.to_vec();
        self.0
            .write_blocking(move |db| {
                let mut insert = db.prepare_cached(
                    "INSERT INTO event (at, kind, side, transaction_kind, peer, code, txid, correlation, patient,
                                        professional, point_of_care, micros, number)
                     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)",
                )?;
                let signed = |p: Option<Pseudonym>| p.map(|p| p.0.cast_signed());
                for event in &events {
                    insert.execute(params![
                        micros(event.at),
                        event.kind.name(),
                        event.side.map(side_number),
                        event.transaction.map(transaction_number),
                        event.peer.map(|c| c.to_string()),
                        event.code.map(Code::wire),
                        event.txid.map(|t| t.0),
                        event.correlation,
                        signed(event.patient),
                        signed(event.professional),
                        signed(event.point_of_care),
                        event.micros.cast_signed(),
                        event.number.cast_signed(),
                    ])?;
                }
                Ok(())
            })
            .map_err(failed)
    }

    fn count(&self, kind: Kind) -> Result<u64, StoreError> {
        self.0
            .write_blocking(move |db| {
                db.prepare_cached("SELECT count(*) FROM event WHERE kind = ?1")?
                    .query_row([kind.name()], |row| row.get::<_, i64>(0))
            })
            .map(i64::cast_unsigned)
            .map_err(failed)
    }

    fn newest(&self, limit: usize) -> Result<Vec<Event>, StoreError> {
        self.0
            .write_blocking(move |db| {
                let mut select =
                    db.prepare_cached(&format!("{SELECT} ORDER BY id DESC LIMIT ?1"))?;
                select.query_map([sql_limit(limit)], read)?.collect()
            })
            .map_err(failed)
    }

    fn newest_of(&self, kind: Kind, limit: usize) -> Result<Vec<Event>, StoreError> {
        self.0
            .write_blocking(move |db| {
                let mut select = db.prepare_cached(&format!(
                    "{SELECT} WHERE kind = ?1 ORDER BY id DESC LIMIT ?2"
                ))?;
                select.query_map(params![kind.name(), sql_limit(limit)], read)?.collect()
            })
            .map_err(failed)
    }
}

const SELECT: &str = "SELECT at, kind, side, transaction_kind, peer, code, txid, correlation, patient, professional, \
                      point_of_care, micros, number FROM event";

fn read(row: &rusqlite::Row<'_>) -> rusqlite::Result<Event> {
    let pseudonym =
        |at: usize| row.get::<_, Option<i64>>(at).map(|p| p.map(|p| Pseudonym(p.cast_unsigned())));
    let text = |at: usize| row.get::<_, Option<String>>(at);
    Ok(Event {
        at: timestamp(row.get(0)?),
        kind: text(1)?.and_then(|k| Kind::of(&k)).unwrap_or(Kind::AuditUnreadable),
        side: row.get::<_, Option<i64>>(2)?.map(side),
        transaction: row.get::<_, Option<i64>>(3)?.map(transaction),
        peer: text(4)?.map(|c| country(&c)).transpose()?,
        code: text(5)?.and_then(|c| Code::of_wire(&c)),
        txid: row.get::<_, Option<[u8; 16]>>(6)?.map(TransactionId),
        correlation: row.get(7)?,
        patient: pseudonym(8)?,
        professional: pseudonym(9)?,
        point_of_care: pseudonym(10)?,
        micros: row.get::<_, i64>(11)?.cast_unsigned(),
        number: row.get::<_, i64>(12)?.cast_unsigned(),
    })
}
