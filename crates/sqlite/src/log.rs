//! The write-ahead log of a database: when it becomes durable, is moved and begins again.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

use rusqlite::Connection;

use crate::database::Safety;

/// Moves the write-ahead log into the file beside the writer, which would stand still meanwhile.
///
/// A log that is never moved to its very end grows for ever, and a growing file costs the file
/// system a commit at each fsync. So once it is `long`, the writer moves the few pages that were
/// added meanwhile, and then begins again at the front of the log, over blocks that are there.
pub(crate) fn checkpoint_all(
    connection: &Connection,
    closed: &Receiver<()>,
    safety: Safety,
    log: &Log,
) {
    let mut turn = 0_u32;
    while closed.recv_timeout(SYNC) == Err(RecvTimeoutError::Timeout) {
        turn = turn.wrapping_add(1);
        let due = turn.is_multiple_of(SYNCS_A_CHECKPOINT);
        if due || (safety == Safety::Normal && log.sync().is_err()) {
            let pages = checkpoint(connection).unwrap_or(0);
            log.long.store(pages >= log.most, Ordering::Relaxed);
        }
    }
}

/// The write-ahead log, as its two threads see it.
pub(crate) struct Log {
    path: PathBuf,
    /// Pages after which it is to begin again at its front.
    most: i64,
    /// It has them.
    pub(crate) long: AtomicBool,
    /// Something was committed to it since it was made durable.
    pub(crate) grown: AtomicBool,
}

impl Log {
    /// Of this database, with pages of so many bytes.
    pub(crate) fn of(database: &Path, page: i64) -> Self {
        let mut path = database.as_os_str().to_owned();
        path.push("-wal");
        let (long, grown) = (AtomicBool::new(false), AtomicBool::new(false));
        Self { path: path.into(), most: LONG / page, long, grown }
    }

    /// Pages after which it begins again at its front.
    pub(crate) fn most(&self) -> i64 {
        self.most
    }

    /// Makes durable what was committed, without moving it. By a descriptor of our own, which is
    /// closed: SQLite has its locks on the other two files (POSIX).
    fn sync(&self) -> std::io::Result<()> {
        if self.grown.swap(false, Ordering::AcqRel) {
            std::fs::File::open(&self.path)?.sync_data()?;
        }
        Ok(())
    }
}

/// Moves what nobody reads any more; gives the pages in the log.
pub(crate) fn checkpoint(connection: &Connection) -> rusqlite::Result<i64> {
    connection.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |row| row.get(1))
}

/// How often the log is made durable where no commit does: [`Safety::Normal`] promises a second.
const SYNC: Duration = Duration::from_millis(500);
/// The log is moved into the file so many times less often, every 2 s: a page that changes often is
/// moved once, and each move costs two fsyncs, of many pages, that requests would feel.
const SYNCS_A_CHECKPOINT: u32 = 4;
/// Bytes of a write-ahead log that is to begin again at its front.
const LONG: i64 = 64 << 20;
