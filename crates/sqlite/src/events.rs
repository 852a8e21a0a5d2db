//! The event store.

use std::path::Path;

use exchange::{Code, TransactionId};
use rusqlite::params;
use siem::{Event, EventStore, Kind, Pseudonym, StoreError};

use crate::database::{Database, DatabaseError, Safety};
use crate::{
    country, micros, side, side_number, sql_limit, timestamp, transaction, transaction_number,
};

/// `events.db`.
pub struct Events(Database);

impl Events {
    /// Opens or makes the file.
    pub fn open(path: &Path) -> Result<Self, DatabaseError> {
        Database::open(path, include_str!("../migrations/events.sql"), Safety::Normal).map(Self)
    }

    /// Commits what is queued and closes the file.
    pub fn close(&self) {
        self.0.close();
    }
}

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
