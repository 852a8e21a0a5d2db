//! The pieces of a message: what the receiving node reads, and each document by itself. The first
//! one begins with the labels of the others, so that a vault can say in a pouch what is in it.

use std::ops::Range;

use bytes::Bytes;

use crate::VaultError;
use crate::core::{Given, Outlet};
use crate::header::{Delivery, TAG, places};
use crate::last_hop::Connection;
use crate::pouch::{self, PouchContext, PouchKey};

/// A piece of a message that is to be sealed.
#[derive(Clone, Copy)]
pub enum Piece<'a> {
    /// These bytes.
    Clear(&'a [u8]),
    /// A document that this vault keeps (see [`crate::Vault::keep`]): it is opened and sealed again
    /// within the vault.
    Kept {
        /// What it was kept as.
        label: &'a [u8],
        /// What [`crate::Vault::keep`] gave.
        sealed: &'a [u8],
    },
}

/// Bytes before a kept document: its nonce.
const NONCE: usize = 12;
/// Where the tag of a piece will stand.
const ROOM: [u8; TAG] = [0; TAG];

impl<'a> Piece<'a> {
    /// How the core takes it.
    pub(crate) fn given(self) -> Result<Given, VaultError> {
        match self {
            Self::Clear(bytes) => Ok(Given { length: bytes.len(), kept: None }),
            Self::Kept { label, sealed } => {
                let (nonce, rest) = sealed.split_first_chunk().ok_or(VaultError::Malformed)?;
                let length = rest.len().checked_sub(TAG).ok_or(VaultError::Malformed)?;
                Ok(Given { length, kept: Some((label.to_vec(), *nonce)) })
            }
        }
    }

    /// What stands in the buffer: with its tag, or with room for one.
    pub(crate) fn slices(self) -> [&'a [u8]; 2] {
        match self {
            Self::Clear(bytes) => [bytes, &ROOM],
            Self::Kept { sealed, .. } => [sealed.get(NONCE..).unwrap_or_default(), &[]],
        }
    }
}

/// All pieces as the core takes them, and the buffer that they stand in.
pub(crate) fn buffer(pieces: &[Piece<'_>]) -> Result<(Vec<Given>, Vec<u8>), VaultError> {
    let given = pieces.iter().map(|piece| piece.given()).collect::<Result<_, _>>()?;
    let slices: Vec<&[u8]> = pieces.iter().flat_map(|piece| piece.slices()).collect();
    Ok((given, slices.concat()))
}

/// A document as it is kept: nonce, ciphertext, tag.
pub(crate) fn kept(nonce: &[u8; NONCE], text: &[u8], tag: &[u8; TAG]) -> Vec<u8> {
    [nonce, text, tag].concat()
}

/// What a document is called: its Content-ID, and its media type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Label<'l> {
    /// Without angle brackets.
    pub content_id: &'l str,
    /// As a header line has it.
    pub media_type: &'l str,
}

impl<'l> Label<'l> {
    /// Writes the labels of all documents, with which the first piece begins. Lengths are
    /// big-endian u32.
    pub fn write(labels: &[Label<'_>], out: &mut impl bytes::BufMut) {
        let few = "because messages have few parts with short names";
        out.put_u32(u32::try_from(labels.len()).expect(few));
        for text in labels.iter().flat_map(|label| [label.content_id, label.media_type]) {
            out.put_u32(u32::try_from(text.len()).expect(few));
            out.put_slice(text.as_bytes());
        }
    }

    /// Reads the labels at the beginning of a first piece, and how long they are in bytes.
    pub fn read(piece: &'l [u8]) -> Result<(Vec<Self>, usize), VaultError> {
        let mut rest = piece;
        let count = number(&mut rest)?;
        if count > MAX_LABELS {
            return Err(VaultError::Malformed);
        }
        let mut labels = Vec::with_capacity(count);
        for _ in 0..count {
            labels.push(Self { content_id: text(&mut rest)?, media_type: text(&mut rest)? });
        }
        Ok((labels, piece.len() - rest.len()))
    }
}

fn number(rest: &mut &[u8]) -> Result<usize, VaultError> {
    let (number, others) = rest.split_first_chunk().ok_or(VaultError::Malformed)?;
    *rest = others;
    Ok(u32::from_be_bytes(*number) as usize)
}

fn text<'l>(rest: &mut &'l [u8]) -> Result<&'l str, VaultError> {
    let length = number(rest)?;
    let (text, others) = rest.split_at_checked(length).ok_or(VaultError::Malformed)?;
    *rest = others;
    std::str::from_utf8(text).map_err(|_| VaultError::Malformed)
}

/// Who reads the documents of an answer.
#[derive(Debug, Clone, Copy)]
pub enum Addressee<'r> {
    /// The node.
    Node,
    /// A clinician.
    Pouch(&'r PouchKey),
    /// The client of this connection, which the vault ends.
    Tls(&'r Connection),
}

impl<'r> Addressee<'r> {
    /// As headers and evidence say it.
    pub fn delivery(self) -> Delivery {
        match self {
            Self::Node => Delivery::Node,
            Self::Pouch(key) => Delivery::Pouch(key.digest()),
            Self::Tls(connection) => connection.peer().map_or(Delivery::Node, Delivery::Tls),
        }
    }

    pub(crate) fn outlet(self) -> Outlet<'r> {
        match self {
            Self::Node => Outlet::Node,
            Self::Pouch(key) => Outlet::Pouch(key),
            Self::Tls(connection) => Outlet::Line(connection.number()),
        }
    }
}

/// An opened answer, as it leaves the vault.
#[derive(Debug)]
pub struct Delivered {
    /// Its pieces; the documents among them are in pouches, if that is how they were asked for.
    pub pieces: Vec<Bytes>,
    /// SHA-256 of each document that the node does not see.
    pub digests: Vec<[u8; 32]>,
    /// How long the documents are that the vault holds for a connection.
    pub held: Vec<usize>,
}

/// Documents in their pouches, in a buffer as [`places`] has it.
pub(crate) struct Packed {
    pub(crate) places: Vec<Range<usize>>,
    pub(crate) buffer: Vec<u8>,
    pub(crate) digests: Vec<[u8; 32]>,
}

/// Puts each document of an opened answer into a pouch of its own.
pub(crate) fn pack(
    to: &PouchKey,
    address: crate::Address,
    opened: &[u8],
    pieces: &[Range<usize>],
) -> Result<Packed, VaultError> {
    let (first, documents) = pieces.split_first().ok_or(VaultError::Malformed)?;
    let head = &opened[first.clone()];
    let (labels, _) = Label::read(head)?;
    if labels.len() != documents.len() {
        return Err(VaultError::Malformed);
    }
    let (mut buffer, mut lengths, mut digests) = (head.to_vec(), vec![head.len()], Vec::new());
    buffer.extend_from_slice(&ROOM);
    for (number, (label, place)) in labels.iter().zip(documents).enumerate() {
        let context = PouchContext {
            address,
            part: u16::try_from(number).map_err(|_| VaultError::Malformed)?,
            content_id: label.content_id,
            media_type: label.media_type,
        };
        let document = &opened[place.clone()];
        let packed = pouch::seal(to, &context, document)?;
        digests.push(sha256(document));
        lengths.push(packed.len());
        buffer.extend_from_slice(&packed);
        buffer.extend_from_slice(&ROOM);
    }
    Ok(Packed { places: places(0, lengths.into_iter()), buffer, digests })
}

pub(crate) fn sha256(bytes: &[u8]) -> [u8; 32] {
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, bytes);
    digest.as_ref().try_into().expect("because SHA-256 has 32 bytes")
}

/// More than any message has.
const MAX_LABELS: usize = 64;
