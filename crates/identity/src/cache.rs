//! Assertions that verified before, by digest.
//!
//! What is cached is only what cannot change: that these bytes carry a valid signature, what they
//! say, and that the seal certificate led to a root. Times, bindings and the request are checked
//! again every time, and an entry is no older than [`AssertionCache::TRUSTED_FOR`].

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use jiff::{SignedDuration, Timestamp};

use crate::assertion::Assertion;

/// A bounded cache, in shards so that 300 clients do not wait for one lock.
pub struct AssertionCache {
    shards: Vec<Mutex<Shard>>,
    per_shard: usize,
    /// How often everything was forgotten.
    forgotten: AtomicU64,
}

/// When a verification began, counted in changes of the roots.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Era(u64);

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
        let shards = (0..Self::SHARDS).map(|_| Mutex::default()).collect();
        Self { shards, per_shard, forgotten: AtomicU64::new(0) }
    }

    /// Forgets everything: roots or revocation lists have changed.
    pub fn forget(&self) {
        self.forgotten.fetch_add(1, Ordering::SeqCst);
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

    /// To be asked before the roots are.
    pub(crate) fn era(&self) -> Era {
        Era(self.forgotten.load(Ordering::SeqCst))
    }

    /// Keeps what was verified, unless the roots have changed `since`.
    pub(crate) fn keep(
        &self,
        key: [u8; 32],
        assertion: Arc<Assertion>,
        now: Timestamp,
        since: Era,
    ) {
        let mut shard = self.shard(&key).lock().unwrap_or_else(PoisonError::into_inner);
        // under the lock: who forgets counts first and empties then
        if self.era() != since {
            return;
        }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Kind;
    use trust::certificate::Certificate;

    fn assertion() -> Arc<Assertion> {
        let key = rcgen::KeyPair::generate().unwrap();
        let made = rcgen::CertificateParams::default().self_signed(&key).unwrap();
        let certificate = Certificate::from_der(made.der()).unwrap();
        Arc::new(Assertion {
            kind: Kind::Hcp,
            id: String::new(),
            version: String::new(),
            issuer: String::new(),
            issued: None,
            name_id: String::new(),
            name_format: String::new(),
            confirmation: String::new(),
            not_before: None,
            not_after: None,
            audiences: Vec::new(),
            authenticated: None,
            context_class: String::new(),
            advice: None,
            subject_id: String::new(),
            role: String::new(),
            purpose: None,
            locality: String::new(),
            facility: String::new(),
            organization_id: String::new(),
            permissions: Vec::new(),
            certificate,
        })
    }

    #[test]
    fn a_seal_revoked_while_its_assertion_was_verified_is_not_remembered() {
        let (cache, now, key) = (AssertionCache::new(64), Timestamp::UNIX_EPOCH, [7; 32]);
        let era = cache.era();
        cache.forget();
        cache.keep(key, assertion(), now, era);
        assert!(cache.find(&key, now).is_none(), "verified under the old roots");
        cache.keep(key, assertion(), now, cache.era());
        assert!(cache.find(&key, now).is_some());
        cache.forget();
        assert!(cache.find(&key, now).is_none());
    }
}
