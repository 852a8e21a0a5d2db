//! The vault: keys in use, and sealing from one country's vault to another's.
//!
//! The core does no I/O and knows no SOAP: it seals bytes and binds them to what it is told. It runs in a
//! process of its own, or, simulated, in the node's; every key statement says which.
//!
//! Start reading at [`Vault`], then [`key`] (whom we seal for) and [`header`] (what is bound).

mod acceptance;
#[cfg(debug_assertions)]
pub mod attack;
pub mod attest;
pub mod child;
mod core;
pub mod header;
pub mod key;
pub mod keyfile;
pub mod last_hop;
mod lockdown;
pub mod memory;
pub mod patients;
mod piece;
pub mod pouch;
pub mod process;
mod protocol;
mod ring;
pub mod root;
mod session;
mod sessions;
mod shares;
pub mod statement;
pub mod store;
pub mod strict;
#[cfg(feature = "tpm")]
pub mod tpm;
pub mod tsm;
mod vault;

pub use acceptance::Acceptance;
pub use core::{Pending, ReplyToken};
pub use header::{Address, Delivery, Header};
pub use key::{Attestation, Memory, Recipient};
pub use piece::{Addressee, Delivered, Label, Piece};
pub use process::Process;
pub use ring::Use;
pub use statement::KeyStatement;
pub use vault::{Attester, Opened, Vault};

/// Why something cannot be sealed or opened. [`VaultError::UnknownKey`] is cured by fetching the
/// peer's key again; everything else is an attack or a broken peer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum VaultError {
    /// Not a sealed message of a version and suite that we speak.
    #[error("sealed message is malformed")]
    Malformed,
    /// Sealed for a key that this vault does not hold (any more).
    #[error("sealed for an unknown vault key")]
    UnknownKey,
    /// The sequence number was seen before, or is older than the window.
    #[error("sealed message is a replay")]
    Replay,
    /// The message, or what it is bound to, was changed.
    #[error("sealed message does not open")]
    Integrity,
    /// The peer's key statement is not acceptable.
    #[error("vault key is not acceptable: {0}")]
    Key(&'static str),
    /// The evidence behind the peer's key is not believed, or not enough.
    #[error("evidence is refused: {0}")]
    Evidence(attest::Reason),
    /// This vault hands out no document in the clear.
    #[error("vault gives documents to other vaults only")]
    Keeps,
    /// A published document key is not the one that was promised.
    #[error("the document key is not the one that was promised")]
    Promise,
    /// The TLS connection is not one of this vault's (any more), or not ready for this.
    #[error("no such connection")]
    Connection,
    /// The vault process does not answer. It is started again at the next call.
    #[error("vault does not answer")]
    Gone,
}

impl VaultError {
    /// A stable code for events.
    pub fn code(self) -> &'static str {
        match self {
            Self::Malformed => "vault.malformed",
            Self::UnknownKey => "vault.unknown-key",
            Self::Replay => "vault.replay",
            Self::Integrity => "vault.integrity",
            Self::Key(_) => "vault.statement",
            Self::Evidence(reason) => reason.code(),
            Self::Keeps => "vault.keeps",
            Self::Promise => "vault.promise",
            Self::Connection => "vault.connection",
            Self::Gone => "vault.gone",
        }
    }
}
