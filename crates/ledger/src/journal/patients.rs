//! Keys of patients, and what is deleted to erase: the storage port's other half.

use exchange::{Side, TransactionId};

use super::{Durable, Row};

/// The key of a patient, as the vault sealed it.
#[derive(Clone, PartialEq, Eq)]
pub struct PatientKey {
    /// Number of the patient in this journal; never given twice.
    pub number: i64,
    /// His name, as only the vault can make it.
    pub pseudonym: [u8; 32],
    /// The sealed key.
    pub sealed: Vec<u8>,
}

/// What is to be erased.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Erase {
    /// The secrets of one exchange.
    Exchange(TransactionId, Side),
    /// All of a patient, by his number.
    Patient(i64),
}

/// Keys of patients and erasure. Whoever reads the journal's files after [`Patients::sweep`] and
/// [`Patients::scrub`] finds no byte of what was erased, wherever it stood.
pub trait Patients: Send + Sync {
    /// The key of the patient with this name.
    fn patient_named(&self, pseudonym: [u8; 32]) -> Durable<'_, Option<PatientKey>>;

    /// The key of the patient with this number; `None` when he was erased.
    fn patient(&self, number: i64) -> Durable<'_, Option<PatientKey>>;

    /// Keeps the key of a patient, durably, before anything is locked under it. Gives the one that is
    /// kept: of two requests that make a key for the same patient, the first.
    fn keep_patient(&self, pseudonym: [u8; 32], sealed: Vec<u8>) -> Durable<'_, PatientKey>;

    /// Rows about a patient, the oldest first: those behind `after`, or the first ones.
    fn about(
        &self,
        number: i64,
        after: Option<(TransactionId, Side)>,
        limit: usize,
    ) -> Durable<'_, Vec<Row>>;

    /// Deletes the key, durably: from now on nothing opens what it had locked. False when there is no
    /// such thing, or it was erased before. What is left is for [`Patients::sweep`].
    fn erase(&self, what: Erase) -> Durable<'_, bool>;

    /// Overwrites what lies about of what was erased, at most `limit` rows; gives how many. 0: all.
    /// An erasure that was killed goes on here.
    fn sweep(&self, limit: usize) -> Durable<'_, usize>;

    /// Whether an erasure is not at its end: it was killed, or [`Patients::scrub`] is to be tried again.
    fn is_erasing(&self) -> Durable<'_, bool>;

    /// Writes what was overwritten to its place and empties the write-ahead log. False when another
    /// process reads old pages: it is to be tried again. True as well when nothing was to be done.
    fn scrub(&self) -> Durable<'_, bool>;
}
