//! One database file: one writer thread with group commit, a few readers.
//!
//! Three hundred requests that want to be durable share one fsync: the writer drains its queue,
//! runs each job in a savepoint of its own, commits once, and only then answers them all.

use std::path::Path;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags, TransactionBehavior};
use tokio::sync::oneshot;

use crate::log::{Log, checkpoint_all};
use crate::reads::{Read, Reads};
use crate::writes::{Job, undoable, write_all};

/// Why a database could not be opened or used. Usually the operator's disk.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum DatabaseError {
    /// SQLite said so.
    #[error("sqlite: {0}")]
    Sqlite(String),
    /// The file is of a later KONFIDO.
    #[error("database has schema version {found}, this program knows {known}")]
    Newer {
        /// Version of the file.
        found: i64,
        /// Version of this program.
        known: i64,
    },
    /// The database was closed, or its queue is full.
    #[error("database is closed or overloaded")]
    Unavailable,
}

impl From<rusqlite::Error> for DatabaseError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sqlite(error.to_string())
    }
}

/// When a commit returns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Safety {
    /// After fsync: nothing acknowledged is lost when power fails.
    Full,
    /// Before fsync: a power failure may lose the last second. For events only.
    Normal,
}

/// A database file. Closing waits for what is queued.
pub struct Database {
    writes: Mutex<Option<SyncSender<Job>>>,
    reads: Arc<Reads>,
    threads: Mutex<Vec<JoinHandle<()>>>,
    closing: Mutex<Option<SyncSender<()>>>,
}

impl Database {
    /// Opens or makes the file. `schema` is version 1, as one SQL text.
    pub fn open(path: &Path, schema: &'static str, safety: Safety) -> Result<Self, DatabaseError> {
        Self::open_migrated(path, &[schema], safety)
    }

    /// [`Database::open`] with larger pages, for rows of many kilobytes: each page is two calls of
    /// the kernel. A file that is there keeps the pages that it has.
    pub fn open_paged(
        path: &Path,
        schema: &'static str,
        safety: Safety,
        page_bytes: u32,
    ) -> Result<Self, DatabaseError> {
        guard(path)?;
        // before the write-ahead log: then the size of pages is settled
        let first = format!("PRAGMA page_size = {page_bytes}; PRAGMA journal_mode = WAL;");
        Connection::open(path)?.execute_batch(&first)?;
        Self::open(path, schema, safety)
    }

    /// Opens or makes the file. Each step of `schema` leads one version up; a file of an earlier
    /// version gets the steps that it lacks, all or none. A step that was released never changes.
    pub fn open_migrated(
        path: &Path,
        schema: &[&'static str],
        safety: Safety,
    ) -> Result<Self, DatabaseError> {
        guard(path)?;
        let mut writer = Connection::open(path)?;
        let synchronous = if safety == Safety::Full { "FULL" } else { "NORMAL" };
        // temp_store: what a savepoint could undo needs no file
        writer.execute_batch(&format!(
            "PRAGMA journal_mode = WAL; PRAGMA synchronous = {synchronous}; PRAGMA foreign_keys = ON; \
             PRAGMA cache_size = -8000; PRAGMA busy_timeout = 5000; PRAGMA temp_store = MEMORY;"
        ))?;
        steady(&writer)?;
        migrate(&mut writer, schema)?;
        let page: i64 = writer.query_row("PRAGMA page_size", [], |row| row.get(0))?;
        let log = Arc::new(Log::of(path, page));
        // never by a commit: only if the other thread stood still
        writer.execute_batch(&format!("PRAGMA wal_autocheckpoint = {}", 6 * log.most()))?;
        let (writes, write_queue) = sync_channel(QUEUE);
        let reads = Arc::new(Reads::default());
        let written = Arc::clone(&log);
        let mut threads = vec![spawn("sqlite-writer", move || {
            write_all(&writer, &write_queue, safety, &written);
        })?];
        let checkpointer = Connection::open(path)?;
        checkpointer.execute_batch("PRAGMA cache_size = -256; PRAGMA busy_timeout = 5000;")?;
        let (closing, closed) = sync_channel::<()>(0);
        let moving = move || checkpoint_all(&checkpointer, &closed, safety, &log);
        threads.push(spawn("sqlite-checkpoint", moving)?);
        for _ in 0..READERS {
            let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
            let reader = Connection::open_with_flags(path, flags)?;
            steady(&reader)?;
            reader.execute_batch("PRAGMA cache_size = -4000; PRAGMA busy_timeout = 5000;")?;
            let reads = Arc::clone(&reads);
            threads.push(spawn("sqlite-reader", move || reads.answer_all(&reader))?);
        }
        Ok(Self {
            writes: Mutex::new(Some(writes)),
            reads,
            threads: Mutex::new(threads),
            closing: Mutex::new(Some(closing)),
        })
    }

    /// Runs a job in the next group commit; resolves after the commit.
    pub async fn write<T, F>(&self, job: F) -> Result<T, DatabaseError>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    {
        let (answer, answered) = oneshot::channel();
        self.enqueue(Box::new(move |transaction, place| {
            let result = undoable(transaction, place, job);
            Box::new(move |committed| {
                let _ = answer.send(
                    result.map_err(DatabaseError::from).and_then(|value| committed.map(|()| value)),
                );
            })
        }))?;
        answered.await.map_err(|_| DatabaseError::Unavailable)?
    }

    /// [`Database::write`] for threads outside the async runtime.
    pub fn write_blocking<T, F>(&self, job: F) -> Result<T, DatabaseError>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    {
        let (answer, answered) = sync_channel(1);
        self.enqueue(Box::new(move |transaction, place| {
            let result = undoable(transaction, place, job);
            Box::new(move |committed| {
                let _ = answer.send(
                    result.map_err(DatabaseError::from).and_then(|value| committed.map(|()| value)),
                );
            })
        }))?;
        answered.recv().map_err(|_| DatabaseError::Unavailable)?
    }

    /// Runs a query on a reader.
    pub async fn read<T, F>(&self, query: F) -> Result<T, DatabaseError>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    {
        let (answer, answered) = oneshot::channel();
        let read: Read = Box::new(move |connection| {
            let _ = answer.send(query(connection));
        });
        self.reads.push(read)?;
        Ok(answered.await.map_err(|_| DatabaseError::Unavailable)??)
    }

    /// Commits what is queued and closes the file.
    pub fn close(&self) {
        self.reads.close();
        self.closing.lock().unwrap_or_else(PoisonError::into_inner).take();
        // the writer last: who closes a file last removes its write-ahead log, and a reader cannot
        let mut threads = self.threads.lock().unwrap_or_else(PoisonError::into_inner);
        let writer = threads.len().min(1);
        for thread in threads.drain(writer..) {
            let _ = thread.join();
        }
        self.writes.lock().unwrap_or_else(PoisonError::into_inner).take();
        for thread in threads.drain(..) {
            let _ = thread.join();
        }
    }

    fn enqueue(&self, job: Job) -> Result<(), DatabaseError> {
        let sender = self.writes.lock().unwrap_or_else(PoisonError::into_inner).clone();
        sender
            .ok_or(DatabaseError::Unavailable)?
            .try_send(job)
            .map_err(|_| DatabaseError::Unavailable)
    }
}

fn spawn(name: &str, run: impl FnOnce() + Send + 'static) -> Result<JoinHandle<()>, DatabaseError> {
    std::thread::Builder::new()
        .name(name.into())
        .spawn(run)
        .map_err(|e| DatabaseError::Sqlite(e.to_string()))
}

/// One plan a statement, whatever its parameters are: SQLite would prepare a statement that joins
/// tables anew each time that it gets new ones, for more than it costs to run.
pub(crate) fn steady(connection: &Connection) -> rusqlite::Result<()> {
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true).map(|_| ())
}

/// The file is for nobody but us, also one of an earlier version: all of ours are personal. SQLite
/// gives the files beside it (`-wal`, `-shm`) the same mode.
fn guard(path: &Path) -> Result<(), DatabaseError> {
    use std::fs::{OpenOptions, Permissions, metadata, set_permissions};
    use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
    let denied = |e: std::io::Error| DatabaseError::Sqlite(format!("{}: {e}", path.display()));
    match OpenOptions::new().write(true).create_new(true).mode(MODE).open(path) {
        Ok(_) => return Ok(()),
        Err(e) if e.kind() == std::io::ErrorKind::AlreadyExists => {}
        Err(e) => return Err(denied(e)),
    }
    // by its name: a descriptor that is closed here would drop the locks of SQLite's own (POSIX)
    let mode = metadata(path).map_err(denied)?.permissions().mode();
    if mode & 0o777 & !MODE != 0 {
        set_permissions(path, Permissions::from_mode(MODE)).map_err(denied)?;
    }
    Ok(())
}

fn migrate(connection: &mut Connection, schema: &[&str]) -> Result<(), DatabaseError> {
    let known = i64::try_from(schema.len()).unwrap_or(i64::MAX);
    // looked at under the write lock: two processes that open the file do not both migrate it
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let found: i64 = transaction.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    if found > known {
        return Err(DatabaseError::Newer { found, known });
    }
    let done = usize::try_from(found).unwrap_or(0);
    if done < schema.len() {
        schema[done..].iter().try_for_each(|step| transaction.execute_batch(step))?;
        transaction.execute_batch(&format!("PRAGMA user_version = {known}"))?;
        transaction.commit()?;
    }
    Ok(())
}

/// Read and write by the owner.
const MODE: u32 = 0o600;
/// Jobs that wait; one more is refused rather than kept.
pub(crate) const QUEUE: usize = 8192;
const READERS: usize = 2;
