//! A store that forgets at the end of the process, for tests.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use jiff::Timestamp;

use super::{Row, SessionError, Sessions, Stored};

/// Rows in memory.
#[derive(Default)]
pub struct Memory {
    rows: Mutex<HashMap<[u8; 32], Row>>,
}

impl Memory {
    /// All rows.
    pub fn rows(&self) -> Vec<Row> {
        self.rows.lock().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
    }

    /// An adapter may do nothing else between looking and changing.
    fn with<T: Send + 'static>(
        &self,
        act: impl FnOnce(&mut HashMap<[u8; 32], Row>) -> T,
    ) -> Stored<'_, T> {
        let done = act(&mut self.rows.lock().unwrap_or_else(PoisonError::into_inner));
        Box::pin(async move { Ok::<_, SessionError>(done) })
    }
}

impl Sessions for Memory {
    fn put_new(&self, row: Row) -> Stored<'_, bool> {
        self.with(|rows| {
            let new = !rows.contains_key(&row.key);
            rows.entry(row.key).or_insert(row);
            new
        })
    }

    fn replace(&self, row: Row) -> Stored<'_, bool> {
        self.with(|rows| rows.get_mut(&row.key).map(|old| *old = row).is_some())
    }

    fn find(&self, key: [u8; 32]) -> Stored<'_, Option<Row>> {
        self.with(|rows| rows.get(&key).cloned())
    }

    fn take(&self, key: [u8; 32]) -> Stored<'_, Option<Row>> {
        self.with(|rows| rows.remove(&key))
    }

    fn sweep(&self, now: Timestamp) -> Stored<'_, u64> {
        self.with(|rows| {
            let before = rows.len();
            rows.retain(|_, row| row.expires > now);
            (before - rows.len()) as u64
        })
    }
}
