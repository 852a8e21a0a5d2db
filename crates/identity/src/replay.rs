//! What makes a request a replay.
//!
//! The WS-Addressing MessageID is used once within the longest life span of an assertion. The
//! same assertions may ask again with a new MessageID (a doctor reads two documents; a client
//! retries a query), so the assertion ids alone are no key. A submission is keyed by its document
//! too: the same dispensation is recorded once, whatever its MessageID.
//!
//! An answer about a person (eIDAS) is used once: both the request that it answers and its assertion.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use exchange::{Country, Transaction};
use jiff::{SignedDuration, Timestamp};

/// A key for the durable replay table, and when it may be forgotten.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReplayKey {
    /// SHA-256 over its parts.
    pub digest: [u8; 32],
    /// No assertion that could carry the replay is valid any more.
    pub expires: Timestamp,
}

/// The longest life span of an assertion and the skew on both sides.
const HORIZON: SignedDuration = SignedDuration::from_secs(4 * 3600 + 120);

/// The key of one message from one country.
pub fn message_key(
    from: Country,
    transaction: Transaction,
    message_id: &str,
    now: Timestamp,
) -> ReplayKey {
    key(&["konfido replay 1", from.as_str(), transaction.iti(), message_id], now, HORIZON)
}

/// The key of a request to identify somebody: it is answered once.
pub(crate) fn answer_key(issuer: &str, request: &str, now: Timestamp) -> ReplayKey {
    key(&["konfido eid answer 1", issuer, request], now, ANSWERS)
}

/// The key of an assertion about somebody.
pub(crate) fn assertion_key(issuer: &str, assertion: &str, now: Timestamp) -> ReplayKey {
    key(&["konfido eid assertion 1", issuer, assertion], now, ANSWERS)
}

fn key(parts: &[&str], now: Timestamp, horizon: SignedDuration) -> ReplayKey {
    let mut digest = aws_lc_rs::digest::Context::new(&aws_lc_rs::digest::SHA256);
    for part in parts {
        digest.update(&(part.len() as u64).to_be_bytes());
        digest.update(part.as_bytes());
    }
    let digest = digest.finish().as_ref().try_into().expect("because SHA-256 has 32 bytes");
    ReplayKey { digest, expires: now.checked_add(horizon).unwrap_or(Timestamp::MAX) }
}

/// As long as the reference node remembers; no answer is believed for nearly as long.
const ANSWERS: SignedDuration = SignedDuration::from_hours(3);

/// Where used keys are kept.
pub trait Once: Send + Sync {
    /// Uses a key up. False when it was used before, or when that cannot be known.
    fn first(&self, key: ReplayKey, now: Timestamp) -> bool;
}

/// Used keys in memory, for what lives no longer than the process: a login does not outlive it.
#[derive(Debug, Default)]
pub struct Spent(Mutex<HashMap<[u8; 32], Timestamp>>);

impl Once for Spent {
    /// When there is no room left for keys that may still matter, nothing is the first.
    fn first(&self, key: ReplayKey, now: Timestamp) -> bool {
        let mut spent = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if spent.len() >= MOST {
            spent.retain(|_, expires| *expires > now);
        }
        if spent.len() >= MOST || spent.get(&key.digest).is_some_and(|until| *until > now) {
            return false;
        }
        spent.insert(key.digest, key.expires);
        true
    }
}

/// 100 000 logins in three hours, two keys each.
const MOST: usize = 200_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_first_once_until_nobody_would_believe_it() {
        let (spent, now) = (Spent::default(), Timestamp::UNIX_EPOCH);
        let keys = [
            answer_key("a", "_1", now),
            answer_key("a", "_2", now),
            answer_key("b", "_1", now),
            assertion_key("a", "_1", now),
        ];
        for key in keys {
            assert!(spent.first(key, now));
            assert!(!spent.first(key, now));
            assert!(spent.first(key, now + ANSWERS));
        }
    }

    #[test]
    fn a_full_memory_refuses_and_forgets_only_what_is_over() {
        let (spent, now) = (Spent::default(), Timestamp::UNIX_EPOCH);
        let numbered = |number: usize| answer_key("a", &number.to_string(), now);
        assert!((0..MOST).all(|number| spent.first(numbered(number), now)));
        assert!(!spent.first(numbered(MOST), now));
        assert!(spent.first(numbered(MOST), now + ANSWERS));
    }
}
