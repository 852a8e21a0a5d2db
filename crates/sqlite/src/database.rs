//! One database file: one writer thread with group commit, a few readers.
//!
//! Three hundred requests that want to be durable share one fsync: the writer drains its queue,
//! runs each job in a savepoint of its own, commits once, and only then answers them all.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use rusqlite::{Connection, OpenFlags, TransactionBehavior};
use tokio::sync::oneshot;

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

type Job = Box<dyn FnOnce(&Connection) -> Box<dyn FnOnce(Result<(), DatabaseError>) + Send> + Send>;
type Read = Box<dyn FnOnce(&Connection) + Send>;

/// A database file. Closing waits for what is queued.
pub struct Database {
    writes: Mutex<Option<SyncSender<Job>>>,
    reads: Mutex<Option<SyncSender<Read>>>,
    threads: Mutex<Vec<JoinHandle<()>>>,
    closing: Mutex<Option<SyncSender<()>>>,
}

impl Database {
    /// Opens or makes the file. `schema` is version 1, as one SQL text.
    pub fn open(path: &Path, schema: &'static str, safety: Safety) -> Result<Self, DatabaseError> {
        Self::open_migrated(path, &[schema], safety)
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
             PRAGMA wal_autocheckpoint = 100000; PRAGMA cache_size = -8000; PRAGMA busy_timeout = 5000; \
             PRAGMA temp_store = MEMORY;"
        ))?;
        migrate(&mut writer, schema)?;
        let (writes, write_queue) = sync_channel(QUEUE);
        let (reads, read_queue) = sync_channel(QUEUE);
        let read_queue = Arc::new(Mutex::new(read_queue));
        let long = Arc::new(AtomicBool::new(false));
        let is_long = Arc::clone(&long);
        let mut threads =
            vec![spawn("sqlite-writer", move || write_all(&writer, &write_queue, &is_long))?];
        let checkpointer = Connection::open(path)?;
        checkpointer.execute_batch("PRAGMA cache_size = -256; PRAGMA busy_timeout = 5000;")?;
        let (closing, closed) = sync_channel::<()>(0);
        let moving = move || checkpoint_all(&checkpointer, &closed, &long);
        threads.push(spawn("sqlite-checkpoint", moving)?);
        for _ in 0..READERS {
            let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
            let reader = Connection::open_with_flags(path, flags)?;
            reader.execute_batch("PRAGMA cache_size = -4000; PRAGMA busy_timeout = 5000;")?;
            let queue = Arc::clone(&read_queue);
            threads.push(spawn("sqlite-reader", move || read_all(&reader, &queue))?);
        }
        Ok(Self {
            writes: Mutex::new(Some(writes)),
            reads: Mutex::new(Some(reads)),
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
        self.enqueue(Box::new(move |transaction| {
            let result = in_savepoint(transaction, job);
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
        self.enqueue(Box::new(move |transaction| {
            let result = in_savepoint(transaction, job);
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
        let sender = self.reads.lock().unwrap_or_else(PoisonError::into_inner).clone();
        sender
            .ok_or(DatabaseError::Unavailable)?
            .try_send(read)
            .map_err(|_| DatabaseError::Unavailable)?;
        Ok(answered.await.map_err(|_| DatabaseError::Unavailable)??)
    }

    /// Commits what is queued and closes the file.
    pub fn close(&self) {
        self.writes.lock().unwrap_or_else(PoisonError::into_inner).take();
        self.reads.lock().unwrap_or_else(PoisonError::into_inner).take();
        self.closing.lock().unwrap_or_else(PoisonError::into_inner).take();
        for thread in self.threads.lock().unwrap_or_else(PoisonError::into_inner).drain(..) {
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

/// Moves the write-ahead log into the file beside the writer, which would stand still meanwhile.
///
/// A log that is never moved to its very end grows for ever, and a growing file costs the file
/// system a commit at each fsync. So once it is `long`, the writer moves the few pages that were
/// added meanwhile, and then begins again at the front of the log, over blocks that are there.
fn checkpoint_all(connection: &Connection, closed: &Receiver<()>, long: &AtomicBool) {
    while closed.recv_timeout(CHECKPOINT) == Err(RecvTimeoutError::Timeout) {
        let pages = checkpoint(connection).unwrap_or(0);
        long.store(pages >= LONG, Ordering::Relaxed);
    }
}

/// Moves what nobody reads any more; gives the pages in the log.
fn checkpoint(connection: &Connection) -> rusqlite::Result<i64> {
    connection.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |row| row.get(1))
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

/// Begins and ends transactions: parsed once, as it runs with every group and job.
fn control(connection: &Connection, sql: &'static str) -> rusqlite::Result<()> {
    connection.prepare_cached(sql)?.execute([]).map(|_| ())
}

/// One job's changes are undone when it fails or panics, without touching its neighbours'.
fn in_savepoint<T>(
    connection: &Connection,
    job: impl FnOnce(&Connection) -> rusqlite::Result<T>,
) -> rusqlite::Result<T> {
    control(connection, "SAVEPOINT job")?;
    let result = catch_unwind(AssertUnwindSafe(|| job(connection)));
    if !matches!(result, Ok(Ok(_))) && control(connection, "ROLLBACK TO job").is_err() {
        // a full disk has ended the whole transaction, or this does: no half of a job is committed
        let _ = control(connection, "ROLLBACK");
    }
    let released = control(connection, "RELEASE job");
    match result {
        Ok(value) => value.and_then(|value| released.map(|()| value)),
        Err(panic) => resume_unwind(panic),
    }
}

fn write_all(connection: &Connection, queue: &Receiver<Job>, long: &AtomicBool) {
    connection.set_prepared_statement_cache_capacity(64);
    while let Ok(first) = queue.recv() {
        let mut answers = Vec::with_capacity(GROUP);
        let committed = control(connection, "BEGIN IMMEDIATE").and_then(|()| {
            let mut next = Some(first);
            while let Some(job) = next {
                // a job that panics is undone by its savepoint and answers "unavailable"
                let run = AssertUnwindSafe(|| job(connection));
                answers.extend(catch_unwind(run).ok());
                // a full disk ends the whole transaction: nothing may be added behind it
                let go_on = answers.len() < GROUP && !connection.is_autocommit();
                next = if go_on { queue.try_recv().ok() } else { None };
            }
            control(connection, "COMMIT")
        });
        if !connection.is_autocommit() {
            let _ = control(connection, "ROLLBACK");
        }
        let committed = committed.map_err(DatabaseError::from);
        for answer in answers {
            answer(committed.clone());
        }
        if long.swap(false, Ordering::Relaxed) {
            let _ = checkpoint(connection);
        }
    }
}

fn read_all(connection: &Connection, queue: &Mutex<Receiver<Read>>) {
    loop {
        let next = queue.lock().unwrap_or_else(PoisonError::into_inner).recv();
        match next {
            Ok(read) => drop(catch_unwind(AssertUnwindSafe(|| read(connection)))),
            Err(_) => return,
        }
    }
}

/// Read and write by the owner.
const MODE: u32 = 0o600;
/// How often the write-ahead log is moved into the file.
const CHECKPOINT: Duration = Duration::from_millis(500);
/// Pages of a write-ahead log that is to begin again at its front: 64 MB.
const LONG: i64 = 16_384;
/// Jobs that wait; one more is refused rather than kept.
const QUEUE: usize = 8192;
/// Jobs that share one fsync.
const GROUP: usize = 512;
const READERS: usize = 2;
