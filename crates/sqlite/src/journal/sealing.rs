//! Secrets that an earlier release stored in the clear: they are sealed at the start, and no page of
//! the file still holds them.

use std::path::Path;

use exchange::{Side, TransactionId};
use ledger::Secrets;
use ledger::journal::PatientKey;
use ledger::sealed::Sealed;
use rusqlite::{Connection, OpenFlags, OptionalExtension as _, TransactionBehavior, params};

use super::{Journal, patients};
use crate::database::DatabaseError;
use crate::side;

/// Why secrets could not be sealed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SealError {
    /// The database failed.
    #[error(transparent)]
    Database(#[from] DatabaseError),
    /// The vault did not seal them.
    #[error("vault: {0}")]
    Vault(String),
}

impl From<rusqlite::Error> for SealError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Database(error.into())
    }
}

/// The secrets of one exchange, in the clear. No `Debug`: personal.
pub struct Clear {
    /// Which exchange.
    pub txid: TransactionId,
    /// Our side of it.
    pub side: Side,
    /// Those of the request.
    pub asked: Secrets,
    /// Those of the answer, where there is one.
    pub answered: Option<Secrets>,
}

/// Who seals; errors in words.
pub trait Sealer {
    /// The name of the patient that these secrets are about.
    fn name(&mut self, clear: &Clear) -> Result<[u8; 32], String>;

    /// Seals under the patient's key, or under a new one, which it gives.
    fn seal(
        &mut self,
        clear: &Clear,
        known: Option<&PatientKey>,
    ) -> Result<(Sealed, Option<Vec<u8>>), String>;
}

impl Journal {
    /// The key of a patient, and one that is locked under it, where the file has any: of a vault they
    /// say whether its key is the one.
    pub fn any_locked(path: &Path) -> Result<Option<(PatientKey, Vec<u8>)>, SealError> {
        if !path.exists() {
            return Ok(None);
        }
        let db = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
        db.execute_batch("PRAGMA busy_timeout = 5000")?;
        if db.query_row("PRAGMA user_version", [], |row| row.get::<_, i64>(0))? < SEALS {
            return Ok(None);
        }
        Ok(patients::any(&db)?)
    }

    /// [`Journal::open`], and has everything sealed that is still in the clear. It goes on where it was
    /// when it is stopped. `progress` is told how many of how many are sealed.
    pub fn open_sealing(
        path: &Path,
        sealer: &mut dyn Sealer,
        progress: &mut dyn FnMut(u64, u64),
    ) -> Result<Self, SealError> {
        let journal = Self::open(path)?;
        let mut db = Connection::open(path)?;
        // what is overwritten in the file becomes zeros
        db.execute_batch("PRAGMA busy_timeout = 5000; PRAGMA secure_delete = ON;")?;
        let any = db.query_row("SELECT 1 FROM in_the_clear", [], |_| Ok(())).optional()?;
        if any.is_none() {
            return Ok(journal);
        }
        // nobody of ours may read old pages or move the write-ahead log meanwhile
        journal.close();
        seal_all(&mut db, sealer, progress)?;
        db.execute_batch("VACUUM")?;
        // where another process reads old pages the row stays, and the next start tries again
        if patients::empty_log(path)? {
            db.execute("DELETE FROM in_the_clear", [])?;
        }
        drop(db);
        Ok(Self::open(path)?)
    }
}

fn seal_all(
    db: &mut Connection,
    sealer: &mut dyn Sealer,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<(), SealError> {
    let all: u64 =
        db.query_row("SELECT count(*) FROM request WHERE patient IS NULL", [], |row| {
            row.get::<_, i64>(0).map(i64::cast_unsigned)
        })?;
    let mut done = 0;
    loop {
        // looked for and replaced under one lock: nobody seals a row twice
        let batch = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let rows = clear(&batch)?;
        if rows.is_empty() {
            return Ok(());
        }
        for (id, clear) in &rows {
            seal(&batch, *id, clear, sealer)?;
        }
        batch.commit()?;
        done += rows.len() as u64;
        progress(done, all);
    }
}

fn seal(db: &Connection, id: i64, clear: &Clear, sealer: &mut dyn Sealer) -> Result<(), SealError> {
    let name = sealer.name(clear).map_err(SealError::Vault)?;
    let known = patients::named(db, &name)?;
    let (mut sealed, made) = sealer.seal(clear, known.as_ref()).map_err(SealError::Vault)?;
    sealed.patient = match (known, made) {
        (_, Some(made)) => patients::keep(db, &name, &made)?.number,
        (Some(known), None) => known.number,
        (None, None) => return Err(SealError::Vault("made no key for a new patient".into())),
    };
    db.prepare_cached("UPDATE request SET patient = ?2, key = ?3, secrets = ?4 WHERE id = ?1")?
        .execute(params![id, sealed.patient, sealed.key, sealed.asked])?;
    db.prepare_cached(
        "UPDATE statement SET secrets = ?2 WHERE id = (SELECT statement FROM evidence WHERE id = ?1)",
    )?
    .execute(params![id, sealed.answered])?;
    Ok(())
}

/// Rows that are still in the clear. Earlier releases stored the answer's secrets with the request's, or
/// apart.
fn clear(db: &Connection) -> Result<Vec<(i64, Clear)>, SealError> {
    let mut select = db.prepare_cached(
        "SELECT request.id, txid, side, request.secrets, coalesce(statement.secrets, x'')
         FROM request JOIN evidence ON evidence.id = request.id
         LEFT JOIN statement ON statement.id = evidence.statement
         WHERE request.patient IS NULL LIMIT ?1",
    )?;
    let rows = select.query_map([BATCH], |row| {
        let clear = (TransactionId(row.get(1)?), side(row.get(2)?));
        Ok((row.get::<_, i64>(0)?, clear, row.get::<_, Vec<u8>>(3)?, row.get::<_, Vec<u8>>(4)?))
    })?;
    rows.map(|row| {
        let (id, (txid, side), asked, answered) = row?;
        // secrets that do not read could show nothing: they are sealed as none
        let read = |bytes: &[u8]| Secrets::decode(bytes).unwrap_or_default();
        let answered = (!answered.is_empty()).then(|| read(&answered));
        Ok((id, Clear { txid, side, asked: read(&asked), answered }))
    })
    .collect()
}

/// The version of the schema since which secrets are sealed.
const SEALS: i64 = 4;
/// Rows in one transaction.
const BATCH: i64 = 64;
