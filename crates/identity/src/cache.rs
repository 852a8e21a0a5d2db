//! Assertions that verified before, by digest.
//!
//! What is cached is only what cannot change: that these bytes carry a valid signature, what they
//! say, and that the seal certificate led to a root. Times, bindings and the request are checked
//! again every time, and an entry is no older than [`AssertionCache::TRUSTED_FOR`].

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use jiff::{SignedDuration, Timestamp};

use crate::assertion::Assertion;

/// A bounded cache, in shards so that 300 clients do not wait for one lock.
pub struct AssertionCache {
    shards: Vec<Mutex<Shard>>,
    per_shard: usize,
}

#[derive(Default)]
struct Shard {
    young: HashMap<[u8; 32], Entry>,
    old: HashMap<[u8; 32], Entry>,
}

#[derive(Clone)]
struct Entry {
    assertion: Arc<Assertion>,
    verified: Timestamp,
}

impl std::fmt::Debug for AssertionCache {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "AssertionCache({} x {})", self.shards.len(), self.per_shard)
    }
}

impl AssertionCache {
    /// How long a path to a root is believed without looking again: a revocation takes at most
    /// this long to bite.
    pub const TRUSTED_FOR: SignedDuration = SignedDuration::from_mins(10);
    const SHARDS: usize = 16;

    /// A cache of at most `capacity` assertions (about 3 kB each).
    pub fn new(capacity: usize) -> Self {
        let per_shard = (capacity / Self::SHARDS / 2).max(1);
        Self { shards: (0..Self::SHARDS).map(|_| Mutex::default()).collect(), per_shard }
    }

    /// Forgets everything: roots or revocation lists have changed.
    pub fn forget(&self) {
        for shard in &self.shards {
            *shard.lock().unwrap_or_else(PoisonError::into_inner) = Shard::default();
        }
    }

    pub(crate) fn find(&self, key: &[u8; 32], now: Timestamp) -> Option<Arc<Assertion>> {
        let mut shard = self.shard(key).lock().unwrap_or_else(PoisonError::into_inner);
        let entry = match shard.young.get(key) {
            Some(entry) => entry.clone(),
            None => {
                let entry = shard.old.remove(key)?;
                shard.insert(*key, entry.clone(), self.per_shard);
                entry
            }
        };
        let age = now.duration_since(entry.verified);
        (age <= Self::TRUSTED_FOR && age >= SignedDuration::ZERO).then_some(entry.assertion)
    }

    pub(crate) fn keep(&self, key: [u8; 32], assertion: Arc<Assertion>, now: Timestamp) {
        let mut shard = self.shard(&key).lock().unwrap_or_else(PoisonError::into_inner);
        shard.insert(key, Entry { assertion, verified: now }, self.per_shard);
    }

    fn shard(&self, key: &[u8; 32]) -> &Mutex<Shard> {
        &self.shards[usize::from(key[0]) % self.shards.len()]
    }
}

impl Shard {
    /// Two generations: when the young one is full it becomes the old one, and the old one goes.
    fn insert(&mut self, key: [u8; 32], entry: Entry, limit: usize) {
        if self.young.len() >= limit {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(key, entry);
    }
}
