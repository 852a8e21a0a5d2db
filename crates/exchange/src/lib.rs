//! The vocabulary of one cross-border request.
//!
//! What this is: the words that every room of the house shares: which country, whose data, which
//! transaction, which answer code, what time it is. What it is not: it does no I/O, knows no XML
//! and imports none of our other crates.
//!
//! Start reading at [`transaction::Transaction`], then [`code::Code`].

pub mod clinician;
pub mod code;
pub mod country;
pub mod document;
pub mod id;
pub mod patient;
pub mod refusal;
pub mod transaction;
pub mod world;

pub use clinician::{Permission, Purpose, RoleCode};
pub use code::Code;
pub use country::Country;
pub use document::{Digest, Document, DocumentClass};
pub use id::{CorrelationId, Oid, TransactionId};
pub use patient::PatientId;
pub use refusal::Refusal;
pub use transaction::{Side, Transaction};
pub use world::{Clock, Entropy, FixedClock, SystemClock, SystemEntropy};

/// A value that does not have the form which its standard demands.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what} is malformed")]
pub struct Malformed {
    /// Which kind of value, in the field's words; never the value itself, which may be personal.
    pub what: &'static str,
}
