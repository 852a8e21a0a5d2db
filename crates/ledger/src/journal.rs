//! Storage port of the evidence: what must be durable, and when.

#[doc(hidden)]
pub mod conformance;
#[doc(hidden)]
pub mod memory;
mod patients;

use std::future::Future;
use std::pin::Pin;

use exchange::{Country, Side, Transaction, TransactionId};
use jiff::Timestamp;

use crate::evidence::payload;
use crate::sealed::Sealed;
pub use patients::{Erase, PatientKey, Patients};

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

/// How far an exchange's evidence has come (docs/decisions/0006-half-evidence.md).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// Asked; no answer yet (B), or not yet answered (A).
    Asked,
    /// Answered by us, the peer's receipt is missing (A).
    Answered,
    /// The deadline passed: what we alone can prove goes to the log.
    Half,
    /// Complete: goes to the log, behind the half if that stands there already.
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
    /// Salts and values, sealed. A row that advances keeps the patient and the key that it had.
    pub secrets: Sealed,
    /// The peer's seal certificate and those between it and its root, one DER after the other
    /// ([`trust::chain::Chain`]); empty when it has no KONFIDO or has not answered.
    pub peer_certificate: Vec<u8>,
    /// Whether the peer still has to be given our receipt (B).
    pub undelivered: bool,
    /// When.
    pub at: Timestamp,
    /// Place of this statement in the log.
    pub index: Option<u64>,
}

impl Row {
    /// Whether this row may take the place of `old`: it is about the same signed request and has
    /// come further. What was signed is never replaced by something else about the same exchange:
    /// a requester chooses the number, and could choose one twice to wipe out our first proof.
    pub fn follows(&self, old: &Self) -> bool {
        let about = |row: &Self| (row.txid, row.side, row.transaction, row.requester, row.provider);
        if about(self) != about(old) || self.request != old.request {
            return false;
        }
        match (old.state, self.state) {
            (State::Asked, State::Answered | State::Half | State::Settled)
            | (State::Answered, State::Settled) => true,
            (State::Answered, State::Half) => self.statement == old.statement,
            // who gives the answer has the last word in its own hand: once it has logged that there
            // was none, there is none; who asked takes an answer that came late after all
            (State::Half, State::Settled) => {
                self.side == Side::B
                    || payload(&old.statement).is_some_and(|said| {
                        payload(&self.statement).is_some_and(|says| says == said)
                    })
            }
            _ => false,
        }
    }
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
    /// Refuses the step when it is known already.
    pub replay: Option<ReplayKey>,
    /// Each inserted, or follows the row of the same exchange and side ([`Row::follows`]). A step
    /// names an exchange and side once.
    pub rows: Vec<Row>,
}

/// What a step met.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// On disk.
    Recorded,
    /// The replay key was known; nothing changed.
    Replayed,
    /// A row of this exchange is there that one of the step does not follow; nothing changed.
    Taken,
    /// The patient of a new row was erased meanwhile: his key is to be made anew. Nothing changed.
    Erased,
}

/// Evidence on its way, for whoever watches the node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Waiting {
    /// Asked or answered: the other half is missing.
    pub open: u64,
    /// Half or settled, without a place in the log.
    pub unplaced: u64,
    /// Places given so far; the log may be behind.
    pub places: u64,
}

/// The port. One implementation per database.
pub trait Journal: Patients {
    /// Makes one step durable.
    fn commit(&self, step: Step) -> Durable<'_, Outcome>;

    /// The row of an exchange.
    fn row(&self, txid: TransactionId, side: Side) -> Durable<'_, Option<Row>>;

    /// The rows of several exchanges that are there, in no order: one question for a whole batch.
    fn rows(&self, txids: Vec<TransactionId>, side: Side) -> Durable<'_, Vec<Row>>;

    /// Gives half and settled rows their places in the log, at most `limit`, and returns the leaves
    /// from index `from` on; a half that had its place when it was settled keeps it, and the whole
    /// gets another. Places are durable before anything is written to the log, so that a log
    /// that stopped half-way is completed with the same leaves.
    fn sequence(&self, from: u64, limit: usize) -> Durable<'_, Vec<(u64, Vec<u8>)>>;

    /// Rows before `before` whose other half did not come: asked or answered; oldest first.
    fn overdue(&self, before: Timestamp, limit: usize) -> Durable<'_, Vec<Row>>;

    /// What is on its way; rows are counted up to `most` of a kind.
    fn waiting(&self, most: usize) -> Durable<'_, Waiting>;

    /// Receipts that a country still has to get, and did not refuse.
    fn undelivered(&self, country: Country, limit: usize) -> Durable<'_, Vec<Row>>;

    /// Marks receipts as delivered.
    fn delivered(&self, txids: Vec<TransactionId>) -> Durable<'_, ()>;

    /// Marks receipts as refused by the country: it does not have them, and is not asked again.
    fn refused(&self, txids: Vec<TransactionId>) -> Durable<'_, ()>;

    /// The newest rows, newest first.
    fn newest(&self, limit: usize) -> Durable<'_, Vec<Row>>;

    /// Forgets replay keys that expired, in one bounded slice; returns how many went.
    fn forget_replays(&self, now: Timestamp) -> Durable<'_, usize>;
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::World;

    #[test]
    fn the_double_keeps_the_promises() {
        let journal = memory::Memory::default();
        let mut run = Box::pin(conformance::run(&journal));
        let mut context = std::task::Context::from_waker(std::task::Waker::noop());
        assert!(matches!(run.as_mut().poll(&mut context), std::task::Poll::Ready(Ok(()))));
    }

    #[test]
    fn the_provider_cannot_answer_after_it_logged_that_it_did_not() {
        let world = World::new();
        let exchange = world.exchange();
        let whole = world.settle(&exchange).signed;
        let row = |state, statement: &[u8]| Row {
            side: Side::A,
            state,
            statement: statement.to_vec(),
            ..conformance::settled_row(1)
        };
        let half = row(State::Half, &exchange.answer);
        assert!(row(State::Settled, &whole).follows(&half), "the same statement, signed by both");
        let other = world.exchange().answer;
        assert!(!row(State::Settled, &other).follows(&half), "another statement");
        assert!(!row(State::Answered, &exchange.answer).follows(&half));
        assert!(!half.follows(&half), "a half is made once");
        let answered = row(State::Answered, &exchange.answer);
        assert!(half.follows(&answered));
        assert!(
            !row(State::Half, &other).follows(&answered),
            "answered while the deadline was looked at: what was seen is not what is there"
        );
    }
}
