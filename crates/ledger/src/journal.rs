//! Storage port of the evidence: what must be durable, and when.

#[doc(hidden)]
pub mod conformance;
#[doc(hidden)]
pub mod memory;

use std::future::Future;
use std::pin::Pin;

use exchange::{Country, Side, Transaction, TransactionId};
use jiff::Timestamp;

/// A future that a journal hands back; it resolves after the data is on disk.
pub type Durable<'a, T> = Pin<Box<dyn Future<Output = Result<T, JournalError>> + Send + 'a>>;

/// Why the journal could not keep its promise. Usually the operator's disk.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum JournalError {
    /// The database failed.
    #[error("journal failed: {0}")]
    Failed(String),
    /// The queue to the disk is full.
    #[error("journal is overloaded")]
    Overloaded,
}

/// How far an exchange's evidence has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// Asked; no answer yet (B), or not yet answered (A).
    Asked,
    /// Answered by us, the peer's receipt is missing (A).
    Answered,
    /// Complete: goes to the log.
    Settled,
}

/// One exchange's evidence.
#[derive(Debug, Clone)]
pub struct Row {
    /// Exchange number.
    pub txid: TransactionId,
    /// Our side of it.
    pub side: Side,
    /// Which transaction.
    pub transaction: Transaction,
    /// Country of treatment.
    pub requester: Country,
    /// Country of affiliation.
    pub provider: Country,
    /// How far it has come.
    pub state: State,
    /// Signed request statement (NRO), empty when there is none.
    pub request: Vec<u8>,
    /// `COSE_Sign` with one or two signatures, empty while asked.
    pub statement: Vec<u8>,
    /// Salts and values. Personal.
    pub secrets: Vec<u8>,
    /// The peer's seal certificate, DER; empty when it has no KONFIDO.
    pub peer_certificate: Vec<u8>,
    /// Whether the peer still has to be given our receipt (B).
    pub undelivered: bool,
    /// When.
    pub at: Timestamp,
    /// Place in the log.
    pub index: Option<u64>,
}

/// A replay key with the time after which it may be forgotten.
#[derive(Debug, Clone, Copy)]
pub struct ReplayKey {
    /// Digest.
    pub digest: [u8; 32],
    /// Expiry.
    pub expires: Timestamp,
}

/// One durable step: all of it or nothing.
#[derive(Debug, Clone, Default)]
pub struct Step {
    /// Refuses the step when it is known already. A step with a key opens exchanges: it is refused as
    /// well when one of its rows is there already.
    pub replay: Option<ReplayKey>,
    /// Each inserted, or replaces the row of the same exchange and side.
    pub rows: Vec<Row>,
}

/// What a step met.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// On disk.
    Recorded,
    /// The replay key, or the number of an exchange to open, was known; nothing changed.
    Replayed,
}

/// The port. One implementation per database.
pub trait Journal: Send + Sync {
    /// Makes one step durable.
    fn commit(&self, step: Step) -> Durable<'_, Outcome>;

    /// The row of an exchange.
    fn row(&self, txid: TransactionId, side: Side) -> Durable<'_, Option<Row>>;

    /// Gives settled rows their places in the log, at most `limit`, and returns the leaves from
    /// index `from` on. Places are durable before anything is written to the log, so that a log
    /// that stopped half-way is completed with the same leaves.
    fn sequence(&self, from: u64, limit: usize) -> Durable<'_, Vec<(u64, Vec<u8>)>>;

    /// Receipts that a country still has to get.
    fn undelivered(&self, country: Country, limit: usize) -> Durable<'_, Vec<Row>>;

    /// Marks receipts as delivered.
    fn delivered(&self, txids: Vec<TransactionId>) -> Durable<'_, ()>;

    /// The newest rows, newest first.
    fn newest(&self, limit: usize) -> Durable<'_, Vec<Row>>;

    /// Forgets replay keys that expired, in one bounded slice; returns how many went.
    fn forget_replays(&self, now: Timestamp) -> Durable<'_, usize>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_double_keeps_the_promises() {
        let journal = memory::Memory::default();
        let mut run = Box::pin(conformance::run(&journal));
        let mut context = std::task::Context::from_waker(std::task::Waker::noop());
        assert!(matches!(run.as_mut().poll(&mut context), std::task::Poll::Ready(Ok(()))));
    }
}
