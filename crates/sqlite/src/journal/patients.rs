//! Keys of patients, and erasure: what is deleted is overwritten in its place, in the file and in
//! whatever index held it, and the write-ahead log is emptied.

use std::path::Path;
use std::time::Duration;

use exchange::{Side, TransactionId};
use ledger::crash;
use ledger::journal::{Durable, Erase, JournalError, PatientKey, Patients, Row};
use ledger::sealed::ERASED;
use rusqlite::{Connection, OptionalExtension as _, params};
use tokio::sync::oneshot;

use super::rows::{SELECT, read};
use super::{Journal, failed};
use crate::database::DatabaseError;
use crate::{side_number, sql_limit};

impl Patients for Journal {
    fn patient_named(&self, pseudonym: [u8; 32]) -> Durable<'_, Option<PatientKey>> {
        Box::pin(async move { self.0.read(move |db| named(db, &pseudonym)).await.map_err(failed) })
    }

    fn patient(&self, number: i64) -> Durable<'_, Option<PatientKey>> {
        Box::pin(async move {
            let query = move |db: &Connection| {
                let mut select = db.prepare_cached(&format!("{KEY} WHERE id = ?1 AND {ALIVE}"))?;
                select.query_row([number], key).optional()
            };
            self.0.read(query).await.map_err(failed)
        })
    }

    fn keep_patient(&self, pseudonym: [u8; 32], sealed: Vec<u8>) -> Durable<'_, PatientKey> {
        Box::pin(async move {
            let kept = self.0.write(move |db| keep(db, &pseudonym, &sealed)).await;
            kept.map_err(failed)
        })
    }

    fn about(
        &self,
        number: i64,
        after: Option<(TransactionId, Side)>,
        limit: usize,
    ) -> Durable<'_, Vec<Row>> {
        Box::pin(async move {
            let (txid, side) = after.map_or((None, 0), |at| (Some(at.0.0), side_number(at.1)));
            let query = move |db: &Connection| {
                let mut select = db.prepare_cached(&format!(
                    "{SELECT} WHERE request.patient = ?1 AND request.id >
                       coalesce((SELECT id FROM evidence WHERE txid = ?2 AND side = ?3), -1)
                     ORDER BY request.id LIMIT ?4"
                ))?;
                select.query_map(params![number, txid, side, sql_limit(limit)], read)?.collect()
            };
            self.0.read(query).await.map_err(failed)
        })
    }

    fn erase(&self, what: Erase) -> Durable<'_, bool> {
        Box::pin(async move { self.0.write(move |db| erase(db, what)).await.map_err(failed) })
    }

    fn sweep(&self, limit: usize) -> Durable<'_, usize> {
        Box::pin(async move { self.0.write(move |db| sweep(db, limit)).await.map_err(failed) })
    }

    fn is_erasing(&self) -> Durable<'_, bool> {
        Box::pin(async move {
            let query = |db: &Connection| db.prepare_cached("SELECT 1 FROM erasing")?.exists([]);
            self.0.read(query).await.map_err(failed)
        })
    }

    fn scrub(&self) -> Durable<'_, bool> {
        Box::pin(async move {
            let newest = self.0.read(|db| {
                db.query_row("SELECT max(id) FROM erasing", [], |row| row.get::<_, Option<i64>>(0))
            });
            let Some(newest) = newest.await.map_err(failed)? else { return Ok(true) };
            let (path, (tell, told)) = (self.1.clone(), oneshot::channel());
            // it waits for readers: not on the async threads, nor on those of the database
            std::thread::spawn(move || tell.send(empty_log(&path)));
            let emptied = told.await.map_err(|_| failed(DatabaseError::Unavailable))?;
            if !emptied.map_err(|e| JournalError::Failed(e.to_string()))? {
                return Ok(false);
            }
            crash::point("erase/emptied");
            let done = self.0.write(move |db| {
                db.execute(
                    "DELETE FROM erasing WHERE id <= ?1
                       AND (patient = ?2 OR patient NOT IN (SELECT patient FROM request WHERE patient NOTNULL))",
                    [newest, ERASED],
                )
            });
            done.await.map(|_| true).map_err(failed)
        })
    }
}

/// Moves the write-ahead log into the file and cuts it to nothing.
pub(crate) fn empty_log(path: &Path) -> rusqlite::Result<bool> {
    let db = Connection::open(path)?;
    db.execute_batch("PRAGMA busy_timeout = 5000")?;
    for _ in 0..TRIES {
        let busy: bool = db.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0))?;
        if !busy {
            return Ok(true);
        }
        std::thread::sleep(PAUSE);
    }
    Ok(false)
}

/// Whether something may be locked under this patient's key.
pub(super) fn is_alive(db: &Connection, number: i64) -> rusqlite::Result<bool> {
    if number == ERASED {
        return Ok(true);
    }
    db.prepare_cached(&format!("SELECT 1 FROM patient WHERE id = ?1 AND {ALIVE}"))?.exists([number])
}

pub(super) fn named(db: &Connection, pseudonym: &[u8]) -> rusqlite::Result<Option<PatientKey>> {
    let mut select = db.prepare_cached(&format!("{KEY} WHERE pseudonym = ?1 AND {ALIVE}"))?;
    select.query_row([pseudonym], key).optional()
}

/// A patient's key and one that is locked under it.
pub(super) fn any(db: &Connection) -> rusqlite::Result<Option<(PatientKey, Vec<u8>)>> {
    db.query_row(
        "SELECT patient.id, pseudonym, patient.key, request.key
         FROM patient JOIN request ON request.patient = patient.id
         WHERE patient.key <> zeroblob(length(patient.key)) LIMIT 1",
        [],
        |row| Ok((key(row)?, row.get(3)?)),
    )
    .optional()
}

/// The key that is kept: of two, the first.
pub(super) fn keep(
    db: &Connection,
    pseudonym: &[u8; 32],
    sealed: &[u8],
) -> rusqlite::Result<PatientKey> {
    if let Some(known) = named(db, pseudonym)? {
        return Ok(known);
    }
    let number = db
        .prepare_cached("INSERT INTO patient (pseudonym, key) VALUES (?1, ?2)")?
        .insert(params![pseudonym, sealed])?;
    Ok(PatientKey { number, pseudonym: *pseudonym, sealed: sealed.to_vec() })
}

fn key(row: &rusqlite::Row<'_>) -> rusqlite::Result<PatientKey> {
    Ok(PatientKey { number: row.get(0)?, pseudonym: row.get(1)?, sealed: row.get(2)? })
}

fn erase(db: &Connection, what: Erase) -> rusqlite::Result<bool> {
    let (erased, patient) = match what {
        Erase::Exchange(txid, side) => {
            let found = db
                .prepare_cached(
                    "SELECT request.id FROM evidence JOIN request ON request.id = evidence.id
                     WHERE txid = ?1 AND side = ?2 AND patient IS NOT ?3",
                )?
                .query_row(params![txid.0, side_number(side), ERASED], |row| row.get(0))
                .optional()?;
            found.map(|id| overwrite(db, id)).transpose()?;
            (found.is_some(), ERASED)
        }
        Erase::Patient(number) => {
            let changed = db.execute(
                &format!(
                    "UPDATE patient SET pseudonym = randomblob(length(pseudonym)),
                            key = zeroblob(length(key)) WHERE id = ?1 AND {ALIVE}"
                ),
                [number],
            )?;
            if changed > 0 {
                // pages of an index that were split keep copies of what moved: write it anew
                db.execute_batch("REINDEX patient_pseudonym")?;
                crash::point("erase/deleting");
            }
            (changed > 0, number)
        }
    };
    if erased {
        db.execute("INSERT INTO erasing (patient) VALUES (?1)", [patient])?;
    }
    Ok(erased)
}

fn sweep(db: &Connection, limit: usize) -> rusqlite::Result<usize> {
    let found: Vec<i64> = db
        .prepare_cached(
            "SELECT request.id FROM erasing JOIN request ON request.patient = erasing.patient
             WHERE erasing.patient <> ?1 LIMIT ?2",
        )?
        .query_map(params![ERASED, sql_limit(limit)], |row| row.get(0))?
        .collect::<rusqlite::Result<_>>()?;
    found.iter().try_for_each(|id| overwrite(db, *id))?;
    Ok(found.len())
}

/// Zeros over a row's key and secrets, of the same length: nothing moves to another place.
fn overwrite(db: &Connection, id: i64) -> rusqlite::Result<()> {
    db.prepare_cached(
        "UPDATE request SET patient = ?2, key = zeroblob(length(key)),
                secrets = zeroblob(length(secrets)) WHERE id = ?1",
    )?
    .execute([id, ERASED])?;
    crash::point("erase/overwriting");
    db.prepare_cached(
        "UPDATE statement SET secrets = zeroblob(length(secrets))
         WHERE id = (SELECT statement FROM evidence WHERE id = ?1)",
    )?
    .execute([id])
    .map(drop)
}

/// From now on, what this connection deletes becomes zeros; also where cells only move within a page.
pub(crate) fn thoroughly(db: &Connection) -> rusqlite::Result<()> {
    db.query_row("PRAGMA secure_delete = ON", [], |_| Ok(()))
}

const KEY: &str = "SELECT id, pseudonym, key FROM patient";
/// The row of a patient who was erased has zeros for a key.
const ALIVE: &str = "key <> zeroblob(length(key))";
/// How often the log is tried to be emptied, and what is between.
const TRIES: usize = 10;
const PAUSE: Duration = Duration::from_millis(100);
