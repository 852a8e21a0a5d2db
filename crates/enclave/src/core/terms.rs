//! What a core is asked with, and what it answers.

use std::ops::Range;

use exchange::Country;
use jiff::Timestamp;

use crate::header::{Address, Delivery};
use crate::key::key_id;
use crate::piece::Packed;
use crate::pouch::PouchKey;

/// How the documents of an answer leave.
#[derive(Clone, Copy)]
pub(crate) enum Outlet<'o> {
    /// To the node.
    Node,
    /// In a pouch.
    Pouch(&'o PouchKey),
    /// On this connection, which the vault ends.
    Line(u64),
}

/// Whose vault a message is sealed for: what a [`crate::Recipient`] says of its key.
pub(crate) struct Target<'k> {
    pub(crate) country: Country,
    pub(crate) key: &'k [u8],
    pub(crate) not_after: Timestamp,
}

/// A sealed request that waits for its answer. The keys stay in the vault.
#[derive(Debug)]
pub struct Pending {
    pub(crate) session: [u8; 16],
    pub(crate) sequence: u64,
    pub(crate) address: Address,
}

/// The right to seal one answer. The keys stay in the vault.
#[derive(Debug)]
pub struct ReplyToken {
    pub(crate) session: [u8; 16],
    pub(crate) sequence: u64,
    pub(crate) sender: [u8; 16],
    pub(crate) delivery: Delivery,
    pub(crate) address: Address,
}

impl ReplyToken {
    /// Whether a key is the one that the answer is to be sealed for.
    pub fn is_for(&self, recipient: &crate::Recipient) -> bool {
        key_id(recipient.target().key) == self.sender
    }

    /// For whom the documents of the answer are.
    pub fn delivery(&self) -> Delivery {
        self.delivery
    }
}

/// A piece of a message, as it is given to be sealed: its bytes, and room for a tag, stand in a
/// buffer behind those of the one before.
pub(crate) struct Given {
    pub(crate) length: usize,
    /// Kept by this vault (see [`crate::ring::Ring::keep`]), under this label and nonce; its tag is in the room.
    pub(crate) kept: Option<(Vec<u8>, [u8; 12])>,
}

/// An opened request; its pieces stand at these places.
pub(crate) struct OpenedAt {
    pub(crate) address: Address,
    pub(crate) reply: ReplyToken,
    pub(crate) places: Vec<Range<usize>>,
}

/// An opened answer.
pub(crate) enum DeliveredAt {
    /// Its pieces stand at these places.
    Here(Vec<Range<usize>>),
    /// Its documents are in pouches.
    Packed(Packed),
    /// Its documents stay, for a connection that the vault ends.
    Held {
        /// Where the first piece stands, which is the node's.
        first: Range<usize>,
        /// How long the documents are.
        lengths: Vec<usize>,
        /// SHA-256 of each.
        digests: Vec<[u8; 32]>,
    },
}
