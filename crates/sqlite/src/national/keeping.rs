//! Documents that an earlier release stored in the clear: the vault keeps them, and no page of the
//! file still holds them.

use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use gateway::national::kept::{Kind, label};
use ledger::evidence::sha256;
use rusqlite::{Connection, OpenFlags, OptionalExtension as _, TransactionBehavior, params};

use super::{ENTRY, National, document, patient_id};
use crate::database::DatabaseError;

/// Why documents could not be kept.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KeepError {
    /// The database failed.
    #[error(transparent)]
    Database(#[from] DatabaseError),
    /// The vault did not keep them.
    #[error("vault: {0}")]
    Vault(String),
}

impl From<rusqlite::Error> for KeepError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Database(error.into())
    }
}

/// Keeps a document (second) under a label (first); an error in words.
pub type Keep<'k> = &'k mut dyn FnMut(&[u8], &[u8]) -> Result<Bytes, String>;

impl National {
    /// Label and content of a document that was kept, where the file has one: of any vault it says
    /// whether its key is the one.
    pub fn any_kept(path: &Path) -> Result<Option<(Vec<u8>, Bytes)>, KeepError> {
        if !path.exists() {
            return Ok(None);
        }
        let db = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
        db.execute_batch("PRAGMA busy_timeout = 5000")?;
        if db.query_row("PRAGMA user_version", [], |row| row.get::<_, i64>(0))? < KEEPS {
            return Ok(None);
        }
        let found = db.query_row(
            &format!(
                "SELECT {ENTRY}, patient, mime, content, digest FROM document WHERE digest NOTNULL LIMIT 1"
            ),
            [],
            document,
        );
        Ok(found.optional()?.map(|found| (found.label(), found.kept.sealed)))
    }

    /// [`National::open`], and has everything kept that is still in the clear. It goes on where it was
    /// when it is stopped. `progress` is told how many of how many are kept.
    pub fn open_keeping(
        path: &Path,
        keep: Keep<'_>,
        progress: &mut dyn FnMut(u64, u64),
    ) -> Result<Self, KeepError> {
        let store = Self::open(path)?;
        let mut db = Connection::open(path)?;
        // what is overwritten in the file becomes zeros
        db.execute_batch("PRAGMA busy_timeout = 5000; PRAGMA secure_delete = ON;")?;
        let any = db.query_row("SELECT 1 FROM in_the_clear", [], |_| Ok(())).optional()?;
        if any.is_none() {
            return Ok(store);
        }
        // nobody of ours may read old pages or move the write-ahead log meanwhile
        store.close();
        keep_all(&mut db, keep, progress)?;
        scrub(&db)?;
        drop(db);
        Ok(Self::open(path)?)
    }
}

/// A row in the clear.
struct Clear {
    table: &'static str,
    of: [String; 4],
    content: Vec<u8>,
}

fn keep_all(
    db: &mut Connection,
    keep: Keep<'_>,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<(), KeepError> {
    let all: u64 = db.query_row(
        "SELECT (SELECT count(*) FROM document WHERE digest IS NULL)
              + (SELECT count(*) FROM dispensation WHERE digest IS NULL)",
        [],
        |row| row.get::<_, i64>(0).map(i64::cast_unsigned),
    )?;
    let mut done = 0;
    for (table, kind, columns) in TABLES {
        loop {
            // looked for and replaced under one lock: nobody keeps a row twice
            let batch = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let rows = clear(&batch, table, columns)?;
            if rows.is_empty() {
                break;
            }
            for Clear { table, of, content } in &rows {
                let digest = sha256(content);
                let of_row = of.each_ref().map(String::as_str);
                let sealed =
                    keep(&label(kind, of_row, &digest), content).map_err(KeepError::Vault)?;
                batch.execute(
                    &format!("UPDATE {table} SET content = ?2, digest = ?3 WHERE unique_id = ?1"),
                    params![of[0], &sealed[..], digest],
                )?;
            }
            batch.commit()?;
            done += rows.len() as u64;
            progress(done, all);
        }
    }
    Ok(())
}

fn clear(db: &Connection, table: &'static str, columns: &str) -> rusqlite::Result<Vec<Clear>> {
    let text = format!("SELECT {columns}, content FROM {table} WHERE digest IS NULL LIMIT {BATCH}");
    db.prepare(&text)?
        .query_map([], |row| {
            let patient = patient_id(&row.get::<_, String>(1)?)?.cx();
            let of = [row.get(0)?, patient, row.get(2)?, row.get(3)?];
            Ok(Clear { table, of, content: row.get(4)? })
        })?
        .collect()
}

/// Writes the file anew, without what was replaced, and empties the write-ahead log.
fn scrub(db: &Connection) -> rusqlite::Result<()> {
    db.execute_batch("VACUUM")?;
    for _ in 0..TRIES {
        let busy: bool = db.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0))?;
        if !busy {
            return db.execute("DELETE FROM in_the_clear", []).map(drop);
        }
        std::thread::sleep(PAUSE);
    }
    // another process reads old pages: the row stays, and the next start tries again
    Ok(())
}

/// Each table with what its label is made of, in the order of [`Kind`].
const TABLES: [(&str, Kind, &str); 2] = [
    ("document", Kind::Document, "unique_id, patient, class, mime"),
    ("dispensation", Kind::Dispensation, "unique_id, patient, country, prescription"),
];
/// How often the log is tried to be emptied, and what is between.
const TRIES: usize = 50;
const PAUSE: Duration = Duration::from_millis(100);
/// The version of the schema since which documents are kept.
const KEEPS: i64 = 2;
/// Rows in one transaction.
const BATCH: usize = 64;
