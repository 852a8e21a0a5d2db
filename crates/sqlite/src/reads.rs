//! The queue of the readers.
//!
//! Not a channel behind a mutex: there the one reader sleeps in the channel and holds the mutex,
//! and each query wakes the other one, too.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use rusqlite::Connection;

use crate::database::{DatabaseError, QUEUE};

pub(crate) type Read = Box<dyn FnOnce(&Connection) + Send>;

/// Queries that wait for a reader.
#[derive(Default)]
pub(crate) struct Reads {
    waiting: Mutex<Waiting>,
    arrived: Condvar,
}

#[derive(Default)]
struct Waiting {
    queue: VecDeque<Read>,
    closed: bool,
}

impl Reads {
    /// Leaves a query; refused when too many wait.
    pub(crate) fn push(&self, read: Read) -> Result<(), DatabaseError> {
        let mut waiting = self.waiting();
        if waiting.closed || waiting.queue.len() >= QUEUE {
            return Err(DatabaseError::Unavailable);
        }
        waiting.queue.push_back(read);
        drop(waiting);
        self.arrived.notify_one();
        Ok(())
    }

    /// Takes no more queries. The readers answer what waits, and end.
    pub(crate) fn close(&self) {
        self.waiting().closed = true;
        self.arrived.notify_all();
    }

    /// The work of one reader.
    pub(crate) fn answer_all(&self, connection: &Connection) {
        while let Some(read) = self.next() {
            drop(catch_unwind(AssertUnwindSafe(|| read(connection))));
        }
    }

    fn next(&self) -> Option<Read> {
        let idle = |waiting: &mut Waiting| waiting.queue.is_empty() && !waiting.closed;
        let waiting = self.arrived.wait_while(self.waiting(), idle);
        waiting.unwrap_or_else(PoisonError::into_inner).queue.pop_front()
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
