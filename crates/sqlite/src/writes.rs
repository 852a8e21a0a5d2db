//! The writer: jobs, groups, commits.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::Ordering;
use std::sync::mpsc::Receiver;
use std::time::Duration;

use rusqlite::Connection;

use crate::database::{DatabaseError, Safety};
use crate::log::{Log, checkpoint};

/// What is to be written; gives what answers after the commit.
pub(crate) type Job =
    Box<dyn FnOnce(&Connection, Place) -> Box<dyn FnOnce(Result<(), DatabaseError>) + Send> + Send>;

/// Begins and ends transactions: parsed once, as it runs with every group and job.
fn control(connection: &Connection, sql: &'static str) -> rusqlite::Result<()> {
    connection.prepare_cached(sql)?.execute([]).map(|_| ())
}

/// Where a job stands in its group.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// The transaction holds nothing else yet: undoing the job is undoing it all.
    First,
    /// Others stand before it. The savepoint costs a copy of each page that the job changes.
    Behind,
}

impl Place {
    fn begin(self) -> &'static str {
        if self == Self::First { BEGIN } else { "SAVEPOINT job" }
    }
}

/// One job's changes are undone when it fails or panics, without touching its neighbours'. The
/// first begins the transaction, and begins it again when it was undone.
pub(crate) fn undoable<T>(
    connection: &Connection,
    place: Place,
    job: impl FnOnce(&Connection) -> rusqlite::Result<T>,
) -> rusqlite::Result<T> {
    control(connection, place.begin())?;
    let result = catch_unwind(AssertUnwindSafe(|| job(connection)));
    let undo = !matches!(result, Ok(Ok(_)));
    // nothing to undo when a full disk has ended the whole transaction
    let ended = connection.is_autocommit();
    let released = match place {
        Place::First if undo && !ended => {
            control(connection, "ROLLBACK").and_then(|()| control(connection, BEGIN))
        }
        Place::First => Ok(()),
        Place::Behind => {
            if undo && control(connection, "ROLLBACK TO job").is_err() {
                // a full disk has ended the transaction, or this does: no half of a job is committed
                let _ = control(connection, "ROLLBACK");
            }
            control(connection, "RELEASE job")
        }
    };
    match result {
        Ok(value) => value.and_then(|value| released.map(|()| value)),
        Err(panic) => resume_unwind(panic),
    }
}

pub(crate) fn write_all(connection: &Connection, queue: &Receiver<Job>, safety: Safety, log: &Log) {
    connection.set_prepared_statement_cache_capacity(64);
    let mut before = 0;
    while let Ok(first) = queue.recv() {
        // many wait for a commit each: fewer and larger ones serve them all sooner
        if safety == Safety::Full && before >= COMPANY {
            std::thread::sleep(GATHER);
        }
        let mut answers = Vec::with_capacity(GROUP.min(4 * before.max(1)));
        let (mut next, mut place) = (Some(first), Place::First);
        while let Some(job) = next {
            // a job that panics is undone and answers "unavailable"
            let run = AssertUnwindSafe(|| job(connection, place));
            answers.extend(catch_unwind(run).ok());
            // a full disk ends the whole transaction: nothing may be added behind it
            let go_on = answers.len() < GROUP && !connection.is_autocommit();
            next = if go_on { queue.try_recv().ok() } else { None };
            place = Place::Behind;
        }
        before = answers.len();
        let committed = control(connection, "COMMIT");
        if !connection.is_autocommit() {
            let _ = control(connection, "ROLLBACK");
        }
        log.grown.store(true, Ordering::Release);
        let committed = committed.map_err(DatabaseError::from);
        for answer in answers {
            answer(committed.clone());
        }
        if log.long.swap(false, Ordering::Relaxed) {
            let _ = checkpoint(connection);
        }
    }
}

/// With the lock: a job that reads first and then writes cannot fail for what another process wrote
/// in between.
const BEGIN: &str = "BEGIN IMMEDIATE";
/// How long a group waits for more jobs when the one before had [`COMPANY`]: short beside an fsync.
const GATHER: Duration = Duration::from_micros(600);
/// Jobs of a group after which the next one is worth waiting for.
const COMPANY: usize = 4;
/// Jobs that share one fsync.
const GROUP: usize = 512;
