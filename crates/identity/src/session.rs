//! Sessions of people who are signed in, and logins on their way: kept by the server, readable only
//! with the ticket that the browser or the portal holds.
//!
//! What the store sees is a key that is a hash and a value that is sealed under a key of which the
//! ticket is a part: neither who reads the database nor who has the node's key alone reads a
//! session.

#[doc(hidden)]
pub mod conformance;
mod keeper;
mod memory;
mod rules;
mod signed;

use std::future::Future;
use std::pin::Pin;

use jiff::Timestamp;

pub use keeper::{Drawer, Keeper, OwnSecret, Secret, Ticket};
pub use memory::Memory;
pub use rules::{Action, Lives, RULES, SessionRefused};
pub use signed::{SignedIn, Subject};

/// What a store answers with.
pub type Stored<'a, T> = Pin<Box<dyn Future<Output = Result<T, SessionError>> + Send + 'a>>;

/// Why a session cannot be kept or read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SessionError {
    /// The store failed. Usually the operator's disk.
    #[error("session store failed: {0}")]
    Failed(String),
    /// More are kept than may be.
    #[error("too many sessions and logins at once")]
    Full,
}

/// A row of the store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// A hash of the ticket.
    pub key: [u8; 32],
    /// Gone from then on; milliseconds.
    pub expires: Timestamp,
    /// Ciphertext.
    pub sealed: Vec<u8>,
}

/// Storage port.
pub trait Sessions: Send + Sync {
    /// Keeps a row unless one with this key is there; whether it did.
    fn put_new(&self, row: Row) -> Stored<'_, bool>;

    /// Keeps a row only where one with this key is still there: what was ended is not revived.
    fn replace(&self, row: Row) -> Stored<'_, bool>;

    /// The row with this key.
    fn find(&self, key: [u8; 32]) -> Stored<'_, Option<Row>>;

    /// Removes the row and hands it out: of two at the same time, one gets it.
    fn take(&self, key: [u8; 32]) -> Stored<'_, Option<Row>>;

    /// Removes what expired by `now`; how many.
    fn sweep(&self, now: Timestamp) -> Stored<'_, u64>;
}
