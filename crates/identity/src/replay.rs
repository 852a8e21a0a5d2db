//! What makes a request a replay.
//!
//! The WS-Addressing MessageID is used once within the longest life span of an assertion. The
//! same assertions may ask again with a new MessageID (a doctor reads two documents; a client
//! retries a query), so the assertion ids alone are no key. A submission is keyed by its document
//! too: the same dispensation is recorded once, whatever its MessageID.

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
    let mut digest = aws_lc_rs::digest::Context::new(&aws_lc_rs::digest::SHA256);
    for part in ["konfido replay 1", from.as_str(), transaction.iti(), message_id] {
        digest.update(&(part.len() as u64).to_be_bytes());
        digest.update(part.as_bytes());
    }
    let digest = digest.finish().as_ref().try_into().expect("because SHA-256 has 32 bytes");
    ReplayKey { digest, expires: now.checked_add(HORIZON).unwrap_or(Timestamp::MAX) }
}
