//! Typed events and the queue that never delays care.
//!
//! What this is: what a node notes about each exchange and each audit record, with pseudonyms
//! instead of people. What it is not: it does no I/O; an [`EventStore`] keeps the events.
//!
//! Start reading at [`Event`], then [`Notes`].

pub mod conformance;
mod pseudonym;
mod queue;

use exchange::{Code, Country, Side, Transaction, TransactionId};
use jiff::Timestamp;

pub use pseudonym::{Pseudonym, PseudonymKey};
pub use queue::{CAPACITY, Notes};

/// The kinds of event, each with a stable name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// An exchange was answered.
    ExchangeAnswered,
    /// An exchange was refused; `code` says why.
    ExchangeRefused,
    /// An exchange was given up before its end: it took longer than it may, or the node stopped or
    /// failed.
    ExchangeAbandoned,
    /// A request was refused before it was a SOAP message; `number` is the HTTP status.
    MessageUnreadable,
    /// Connections were given up before a request of theirs could be read; `number` says how many
    /// this event stands for.
    ConnectionRefused,
    /// Receipts of another country did not fit; `number` says how many of its delivery.
    ReceiptsRefused,
    /// An audit record of OpenNCP was received.
    AuditReceived,
    /// An audit record could not be read.
    AuditUnreadable,
    /// The signature of an audit record does not fit the record.
    AuditTampered,
    /// Audit records of ours were lost: the spool was full, or the disk failed.
    AuditDropped,
    /// Evidence became half: the other country's receipt or answer did not come by the deadline.
    EvidenceHalf,
    /// The shared ledger does not take a record of ours; the reason stands for the correlation.
    EvidenceUnshared,
    /// Strict mode: no receipt of an offer came in time; `side` B: ours.
    OfferLapsed,
    /// Strict mode: no key came in time; `side` A: it was we who are in default.
    OfferDefaulted,
    /// Strict mode: the key that was published is not the one that was promised.
    OfferBroken,
    /// The other country did not close its half by the deadline: the exchange is open to all members.
    EvidenceOpen,
    /// Salts and values of evidence were erased: of one exchange, or of `number` exchanges of a patient.
    EvidenceErased,
    /// Somebody was identified and sent back to their portal.
    LoginDone,
    /// One of our people was identified for another country, or somebody for the other part of a node.
    LoginPassedOn,
    /// A login that had begun came to nothing; `number` is the outcome in the audit record: 4 when the
    /// person was not identified, 8 when the answer was not believed or something failed.
    LoginRefused,
    /// What was asked of the pages of logins is no login: a wrong address, an expired or spent
    /// ticket, a message that nobody can read. The only kind of these without an audit record.
    LoginTurnedAway,
    /// A code or a session was used as it may not be.
    SessionRefused,
    /// A session was ended by its portal.
    SessionEnded,
    /// An assertion was issued; `number` says which: 40 HCP (ITI-40), 92 TRC (EHDSI-92), 96 next of
    /// kin (EHDSI-96).
    AssertionIssued,
    /// An assertion was refused; `number` as above, or 0 when the request does not say which.
    AssertionRefused,
    /// Another country's vault key or its evidence is not accepted; the reason's code stands for the
    /// correlation.
    VaultRefused,
    /// A policy over vaults was not taken when it was read again: the one before stays in force. The
    /// reason's code stands for the correlation.
    PolicyRefused,
    /// Our vault process died and was started again; number: starts so far.
    VaultRestarted,
    /// The root key of our vault was made again from recovery shares; number: the store's counter.
    VaultRecovered,
    /// An operator had our vault take an older state than there was; how is the correlation.
    VaultOlderState,
    /// The node started.
    NodeStarted,
    /// Notes were lost because the queue was full.
    NotesDropped,
}

static KINDS: [(Kind, &str); 32] = [
    (Kind::ExchangeAnswered, "exchange.answered"),
    (Kind::ExchangeRefused, "exchange.refused"),
    (Kind::ExchangeAbandoned, "exchange.abandoned"),
    (Kind::MessageUnreadable, "message.unreadable"),
    (Kind::ConnectionRefused, "connection.refused"),
    (Kind::ReceiptsRefused, "receipts.refused"),
    (Kind::AuditReceived, "audit.received"),
    (Kind::AuditUnreadable, "audit.unreadable"),
    (Kind::AuditTampered, "audit.tampered"),
    (Kind::AuditDropped, "audit.dropped"),
    (Kind::EvidenceHalf, "evidence.half"),
    (Kind::EvidenceUnshared, "evidence.unshared"),
    (Kind::OfferLapsed, "offer.lapsed"),
    (Kind::OfferDefaulted, "offer.defaulted"),
    (Kind::OfferBroken, "offer.broken"),
    (Kind::EvidenceOpen, "evidence.open"),
    (Kind::EvidenceErased, "evidence.erased"),
    (Kind::LoginDone, "login.done"),
    (Kind::LoginPassedOn, "login.passed-on"),
    (Kind::LoginRefused, "login.refused"),
    (Kind::LoginTurnedAway, "login.turned-away"),
    (Kind::SessionRefused, "session.refused"),
    (Kind::SessionEnded, "session.ended"),
    (Kind::AssertionIssued, "assertion.issued"),
    (Kind::AssertionRefused, "assertion.refused"),
    (Kind::VaultRefused, "vault.refused"),
    (Kind::PolicyRefused, "policy.refused"),
    (Kind::VaultRestarted, "vault.restarted"),
    (Kind::VaultRecovered, "vault.recovered"),
    (Kind::VaultOlderState, "vault.older-state"),
    (Kind::NodeStarted, "node.started"),
    (Kind::NotesDropped, "notes.dropped"),
];

impl Kind {
    /// The stable name.
    pub fn name(self) -> &'static str {
        KINDS.iter().find(|row| row.0 == self).map_or("", |row| row.1)
    }

    /// All of them.
    pub fn all() -> impl Iterator<Item = Self> {
        KINDS.iter().map(|row| row.0)
    }

    /// The kind with this name.
    pub fn of(name: &str) -> Option<Self> {
        KINDS.iter().find(|row| row.1 == name).map(|row| row.0)
    }
}

/// One event. No personal data: people are pseudonyms under the node's own key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// When.
    pub at: Timestamp,
    /// What.
    pub kind: Kind,
    /// Our side of the exchange.
    pub side: Option<Side>,
    /// Which transaction.
    pub transaction: Option<Transaction>,
    /// The other country.
    pub peer: Option<Country>,
    /// Why it was refused.
    pub code: Option<Code>,
    /// Exchange number.
    pub txid: Option<TransactionId>,
    /// What the peer was told to quote; in the events of one login, the number of that login; of a
    /// refused or restarted vault, the reason's code; of an older state, how it is older.
    pub correlation: String,
    /// The patient.
    pub patient: Option<Pseudonym>,
    /// The professional.
    pub professional: Option<Pseudonym>,
    /// The point of care.
    pub point_of_care: Option<Pseudonym>,
    /// How long it took, microseconds.
    pub micros: u64,
    /// For counts, HTTP statuses and audit outcomes; the kind says which.
    pub number: u64,
}

impl Event {
    /// An event of which nothing but time and kind is known.
    pub fn new(at: Timestamp, kind: Kind) -> Self {
        Self {
            at,
            kind,
            side: None,
            transaction: None,
            peer: None,
            code: None,
            txid: None,
            correlation: String::new(),
            patient: None,
            professional: None,
            point_of_care: None,
            micros: 0,
            number: 0,
        }
    }
}

/// Why events could not be kept.
#[derive(Debug, thiserror::Error)]
#[error("event store failed: {0}")]
pub struct StoreError(pub String);

/// Storage port; called from a thread of its own, never from a request.
pub trait EventStore: Send + Sync {
    /// Keeps a batch.
    fn append(&self, events: &[Event]) -> Result<(), StoreError>;

    /// How many events of a kind there are.
    fn count(&self, kind: Kind) -> Result<u64, StoreError>;

    /// The newest events, newest first.
    fn newest(&self, limit: usize) -> Result<Vec<Event>, StoreError>;

    /// The newest events of a kind, newest first.
    fn newest_of(&self, kind: Kind, limit: usize) -> Result<Vec<Event>, StoreError>;
}
