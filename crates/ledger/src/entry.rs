//! What stands in the shared ledger: one envelope, nine kinds, one encoding for each value.
//!
//! `version 1 ‖ kind ‖ u16 length of the body ‖ body ‖ zeros`. The zeros are padding to a multiple of
//! [`PAD`] bytes, so that a length tells less. Whoever decodes an entry knows that it is in form:
//! nothing that a peer can choose freely is longer than a hash, except the sealed key of a strict
//! exchange, and that has one length. Who signed, and whether it was allowed, is for
//! [`crate::rules`] to say.

mod cbor;
mod record;
mod signed;
pub mod strict;

use bytes::Bytes;

use crate::block::MAX_ENTRY;
use crate::evidence::sha256;
use crate::member::govern::Govern;
use crate::tree::Hash;

pub(crate) use record::HALF;
pub use record::{Half, Record};
pub use signed::{Signature, Signed};
use strict::{Offer, Receipt, Release};

/// The number of one exchange.
pub type TxId = [u8; 16];

/// An entry in form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    bytes: Bytes,
    body: Body,
}

/// Which of the nine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// Evidence that both countries signed.
    Whole,
    /// Evidence that one country signed, with a height by which the other should close it.
    Half,
    /// Both signatures after all.
    Close,
    /// A half's deadline has passed. Unsigned: it follows from the ledger.
    Open,
    /// A change of the registry, signed by a quorum of its members.
    Govern,
    /// Strict mode: the provider offers an encrypted document.
    Offer,
    /// Strict mode: the requester has it.
    Receipt,
    /// Strict mode: the provider gives the key.
    Key,
    /// Strict mode: a deadline has passed. Unsigned, as [`Kind::Open`].
    Default,
}

/// What an entry says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Body {
    /// [`Kind::Whole`].
    Whole(Record),
    /// [`Kind::Half`].
    Half(Half),
    /// [`Kind::Close`].
    Close(Record),
    /// [`Kind::Open`].
    Open(TxId),
    /// [`Kind::Govern`].
    Govern(Box<Govern>),
    /// [`Kind::Offer`].
    Offer(Offer),
    /// [`Kind::Receipt`].
    Receipt(Receipt),
    /// [`Kind::Key`].
    Key(Release),
    /// [`Kind::Default`].
    Default(TxId),
}

/// Why bytes are no entry. The fault of whoever made them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EntryError {
    /// Longer than [`MAX_ENTRY`].
    #[error("entry is longer than {MAX_ENTRY} bytes")]
    Long,
    /// Another version, an unknown kind, a wrong length, or padding that is none.
    #[error("entry's envelope is malformed")]
    Envelope,
    /// The body is not the one form of its kind.
    #[error("{0:?} entry is not in form")]
    Form(Kind),
    /// Our own key could not sign.
    #[error("entry could not be signed")]
    Signing,
}

impl Kind {
    /// All, with the byte that stands for each.
    pub const ALL: [(Self, u8); 9] = [
        (Self::Whole, 1),
        (Self::Half, 2),
        (Self::Close, 3),
        (Self::Open, 4),
        (Self::Govern, 5),
        (Self::Offer, 16),
        (Self::Receipt, 17),
        (Self::Key, 18),
        (Self::Default, 19),
    ];

    fn byte(self) -> u8 {
        Self::ALL.iter().find(|row| row.0 == self).map_or(0, |row| row.1)
    }

    fn of(byte: u8) -> Option<Self> {
        Self::ALL.iter().find(|row| row.1 == byte).map(|row| row.0)
    }
}

impl Entry {
    /// A record that both countries signed, as [`crate::Settled`] has it.
    pub fn whole(record: &[u8]) -> Result<Self, EntryError> {
        Self::of(Kind::Whole, record)
    }

    /// A record that closes a half which stands in the ledger.
    pub fn close(record: &[u8]) -> Result<Self, EntryError> {
        Self::of(Kind::Close, record)
    }

    /// That the deadline of this exchange's half has passed.
    pub fn open(txid: TxId) -> Self {
        Self::of(Kind::Open, &txid).expect("because every number is in form")
    }

    /// That a deadline of this strict exchange has passed.
    pub fn default_of(txid: TxId) -> Self {
        Self::of(Kind::Default, &txid).expect("because every number is in form")
    }

    /// An entry of this kind; half, offer, receipt, key and govern have makers of their own.
    pub(crate) fn of(kind: Kind, body: &[u8]) -> Result<Self, EntryError> {
        let length = u16::try_from(body.len()).map_err(|_| EntryError::Long)?;
        let mut bytes = Vec::with_capacity(HEAD + body.len());
        bytes.extend_from_slice(&[VERSION, kind.byte()]);
        bytes.extend_from_slice(&length.to_be_bytes());
        bytes.extend_from_slice(body);
        Self::decode_shared(bytes.into())
    }

    /// Reads [`Entry::encode`], and nothing else.
    pub fn decode(bytes: &[u8]) -> Result<Self, EntryError> {
        // what is too long is not copied first
        let bytes = bytes.get(..bytes.len().min(MAX_ENTRY + 1)).unwrap_or_default();
        Self::decode_shared(Bytes::copy_from_slice(bytes))
    }

    /// The same without a copy: the entry is a part of this memory.
    pub fn decode_shared(bytes: Bytes) -> Result<Self, EntryError> {
        if bytes.len() > MAX_ENTRY {
            return Err(EntryError::Long);
        }
        let (kind, body, padding) = split(&bytes).ok_or(EntryError::Envelope)?;
        let bare = padding.is_empty();
        let padded = bytes.len().is_multiple_of(PAD) && padding.iter().all(|byte| *byte == 0);
        if !bare && !padded {
            return Err(EntryError::Envelope);
        }
        let body = Body::read(kind, body).ok_or(EntryError::Form(kind))?;
        Ok(Self { bytes, body })
    }

    /// The same entry, at least this long: zeros up to the next multiple of [`PAD`], as far as an
    /// entry may go.
    #[must_use]
    pub fn padded(mut self, length: usize) -> Self {
        let length = length.max(self.bytes.len()).min(MAX_ENTRY).next_multiple_of(PAD);
        let mut bytes = Vec::from(self.bytes);
        bytes.resize(length, 0);
        self.bytes = bytes.into();
        self
    }

    /// The bytes: the leaf of the tree.
    pub fn encode(&self) -> &[u8] {
        &self.bytes
    }

    /// The bytes, shared.
    pub(crate) fn shared(&self) -> Bytes {
        self.bytes.clone()
    }

    /// The bytes, without a copy where nothing else shares them.
    pub fn into_bytes(self) -> Vec<u8> {
        self.bytes.into()
    }

    /// SHA-256 of the bytes.
    pub fn digest(&self) -> Hash {
        sha256(&self.bytes)
    }

    /// Which kind it is.
    pub fn kind(&self) -> Kind {
        self.body.kind()
    }

    /// What it says.
    pub fn body(&self) -> &Body {
        &self.body
    }

    /// Which exchange it is about; none for [`Kind::Govern`].
    pub fn txid(&self) -> Option<TxId> {
        match &self.body {
            Body::Whole(record) | Body::Close(record) => Some(record.txid()),
            Body::Half(half) => Some(half.record().txid()),
            Body::Open(txid) | Body::Default(txid) => Some(*txid),
            Body::Offer(offer) => Some(offer.txid()),
            Body::Receipt(receipt) => Some(receipt.txid()),
            Body::Key(key) => Some(key.txid()),
            Body::Govern(_) => None,
        }
    }
}

impl Body {
    fn read(kind: Kind, bytes: &[u8]) -> Option<Self> {
        Some(match kind {
            Kind::Whole => Self::Whole(Record::read_whole(bytes)?),
            Kind::Close => Self::Close(Record::read_whole(bytes)?),
            Kind::Half => Self::Half(Half::read(bytes)?),
            Kind::Open => Self::Open(bytes.try_into().ok()?),
            Kind::Default => Self::Default(bytes.try_into().ok()?),
            Kind::Govern => Self::Govern(Box::new(Govern::read(bytes)?)),
            Kind::Offer => Self::Offer(Offer::read(bytes)?),
            Kind::Receipt => Self::Receipt(Receipt::read(bytes)?),
            Kind::Key => Self::Key(Release::read(bytes)?),
        })
    }

    /// Which kind it is.
    pub fn kind(&self) -> Kind {
        match self {
            Self::Whole(_) => Kind::Whole,
            Self::Half(_) => Kind::Half,
            Self::Close(_) => Kind::Close,
            Self::Open(_) => Kind::Open,
            Self::Govern(_) => Kind::Govern,
            Self::Offer(_) => Kind::Offer,
            Self::Receipt(_) => Kind::Receipt,
            Self::Key(_) => Kind::Key,
            Self::Default(_) => Kind::Default,
        }
    }
}

/// Kind, body and what follows it.
fn split(bytes: &[u8]) -> Option<(Kind, &[u8], &[u8])> {
    let ([version, kind, high, low], rest) = bytes.split_first_chunk::<HEAD>()?;
    let kind = Kind::of(*kind)?;
    let (body, padding) = rest.split_at_checked(usize::from(u16::from_be_bytes([*high, *low])))?;
    (*version == VERSION).then_some((kind, body, padding))
}

/// Padded entries are a multiple of this long.
pub const PAD: usize = 256;
const VERSION: u8 = 1;
const HEAD: usize = 4;

#[cfg(test)]
mod tests;
