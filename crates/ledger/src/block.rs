//! A block of the shared ledger: entries in an order that all members agreed on, with the tree that
//! stands after them.
//!
//! The encoding is fixed width in front and length-prefixed behind, so that a block has one encoding
//! and its digest binds every byte: what a peer relays under a digest can be no other block.

use std::fmt;
use std::ops::Range;
use std::sync::{Arc, OnceLock};

use bytes::Bytes;

use crate::evidence::sha256;
use crate::tree::{Hash, leaf_hash};

/// What stands before the entries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// Digest of the block before it; for height 1 that of the genesis.
    pub parent: Hash,
    /// The genesis has 0.
    pub height: u64,
    /// When the proposer made it, in milliseconds since 1970. Information, not a rule: it only never
    /// runs backwards.
    pub time_ms: u64,
    /// Leaves after this block.
    pub tree_size: u64,
    /// RFC 6962 root over them.
    pub root: Hash,
}

/// One block. Each entry's bytes are a leaf. It does not change and is cheap to clone, and what is hashed of
/// it is hashed once: members check, vote on, store and forget the same bytes.
#[derive(Clone)]
pub struct Block(Arc<Whole>);

struct Whole {
    header: Header,
    encoded: Bytes,
    /// Where the entries are in `encoded`.
    places: Vec<Range<usize>>,
    digest: OnceLock<Hash>,
    leaves: OnceLock<Arc<[Hash]>>,
}

impl PartialEq for Block {
    fn eq(&self, other: &Self) -> bool {
        self.0.encoded == other.0.encoded
    }
}

impl Eq for Block {}

impl fmt::Debug for Block {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Block({:?}, {} entries)", self.0.header, self.0.places.len())
    }
}

/// Why bytes are no block. The fault of whoever sent them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("block is malformed: {0}")]
pub struct Malformed(&'static str);

impl Block {
    /// Of encoded [`crate::entry`] values, each at most [`MAX_ENTRY`] bytes.
    pub fn new(header: Header, entries: &[impl AsRef<[u8]>]) -> Self {
        let entries = entries.iter().map(AsRef::as_ref);
        let length = HEADER + 4 + entries.clone().map(|entry| 4 + entry.len()).sum::<usize>();
        let mut encoded = Vec::with_capacity(length);
        header.write(&mut encoded);
        encoded.extend_from_slice(&count(entries.len()).to_be_bytes());
        let mut places = Vec::with_capacity(entries.len());
        for entry in entries {
            encoded.extend_from_slice(&count(entry.len()).to_be_bytes());
            let start = encoded.len();
            encoded.extend_from_slice(entry);
            places.push(start..encoded.len());
        }
        Self::of(header, encoded.into(), places)
    }

    /// The same of entries whose leaf hashes are known.
    pub(crate) fn hashed(header: Header, entries: &[Bytes], leaves: Vec<Hash>) -> Self {
        let Self(whole) = Self::new(header, entries);
        debug_assert_eq!(leaves.len(), entries.len());
        let _ = whole.leaves.set(leaves.into());
        Self(whole)
    }

    fn of(header: Header, encoded: Bytes, places: Vec<Range<usize>>) -> Self {
        let (digest, leaves) = (OnceLock::new(), OnceLock::new());
        Self(Arc::new(Whole { header, encoded, places, digest, leaves }))
    }

    /// What stands before the entries.
    pub fn header(&self) -> &Header {
        &self.0.header
    }

    /// The entries, in their order.
    pub fn entries(&self) -> impl ExactSizeIterator<Item = &[u8]> + Clone {
        self.0.places.iter().map(|place| &self.0.encoded[place.clone()])
    }

    /// The entries, in their order, as parts of the block's memory.
    pub(crate) fn shared_entries(&self) -> impl ExactSizeIterator<Item = Bytes> {
        self.0.places.iter().map(|place| self.0.encoded.slice(place.clone()))
    }

    /// Index of the first entry in the tree.
    pub fn first(&self) -> u64 {
        self.0.header.tree_size.saturating_sub(self.0.places.len() as u64)
    }

    /// What [`Block::new`] makes it of.
    pub fn parts(&self) -> (Header, Vec<Vec<u8>>) {
        (self.0.header, self.entries().map(<[u8]>::to_vec).collect())
    }

    /// The leaf hash of each entry (RFC 6962).
    pub fn leaves(&self) -> &[Hash] {
        self.0.leaves.get_or_init(|| self.entries().map(leaf_hash).collect())
    }

    /// The same, for whoever keeps them longer than the block.
    pub fn shared_leaves(&self) -> Arc<[Hash]> {
        self.leaves();
        self.0.leaves.get().map(Arc::clone).unwrap_or_default()
    }

    /// `magic ‖ parent ‖ height ‖ time ‖ size ‖ root ‖ count ‖ (length ‖ entry)*`, numbers big-endian.
    pub fn encoded(&self) -> &Bytes {
        &self.0.encoded
    }

    /// Reads [`Block::encoded`], and nothing else.
    pub fn decode(bytes: &[u8]) -> Result<Self, Malformed> {
        Self::decode_shared(Bytes::copy_from_slice(bytes))
    }

    /// The same without a copy: the block is a part of this memory.
    pub fn decode_shared(bytes: Bytes) -> Result<Self, Malformed> {
        let (header, mut rest) = Header::read(&bytes)?;
        let entries = take_u32(&mut rest)? as usize;
        // a count is only a claim until the bytes are there
        let mut places = Vec::with_capacity(entries.min(rest.len() / 4));
        for _ in 0..entries {
            let length = take_u32(&mut rest)? as usize;
            if length > MAX_ENTRY {
                return Err(Malformed("an entry is too long"));
            }
            let start = bytes.len() - rest.len();
            (_, rest) = rest.split_at_checked(length).ok_or(CUT)?;
            places.push(start..start + length);
        }
        if !rest.is_empty() {
            return Err(Malformed("bytes follow it"));
        }
        Ok(Self::of(header, bytes, places))
    }

    /// SHA-256 over the encoding. The magic is the domain: nothing else that we hash begins with it.
    pub fn digest(&self) -> Hash {
        *self.0.digest.get_or_init(|| sha256(&self.0.encoded))
    }
}

impl Header {
    fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(MAGIC);
        out.extend_from_slice(&self.parent);
        for number in [self.height, self.time_ms, self.tree_size] {
            out.extend_from_slice(&number.to_be_bytes());
        }
        out.extend_from_slice(&self.root);
    }

    fn read(bytes: &[u8]) -> Result<(Self, &[u8]), Malformed> {
        let mut rest = bytes.strip_prefix(MAGIC).ok_or(Malformed("no block of this version"))?;
        let parent = take(&mut rest)?;
        let height = u64::from_be_bytes(take(&mut rest)?);
        let time_ms = u64::from_be_bytes(take(&mut rest)?);
        let tree_size = u64::from_be_bytes(take(&mut rest)?);
        let root = take(&mut rest)?;
        Ok((Self { parent, height, time_ms, tree_size, root }, rest))
    }
}

fn take<const N: usize>(rest: &mut &[u8]) -> Result<[u8; N], Malformed> {
    let (taken, behind) = rest.split_first_chunk::<N>().ok_or(CUT)?;
    *rest = behind;
    Ok(*taken)
}

fn take_u32(rest: &mut &[u8]) -> Result<u32, Malformed> {
    take(rest).map(u32::from_be_bytes)
}

fn count(length: usize) -> u32 {
    u32::try_from(length).expect("because a block is bounded far below")
}

/// The longest entry, bytes: C2SP bundles give its length 16 bits, and evidence needs a tenth of it.
pub const MAX_ENTRY: usize = 8 * 1024;

const CUT: Malformed = Malformed("it is cut off");
const MAGIC: &[u8] = b"konfido block 1\n";
const HEADER: usize = MAGIC.len() + 32 + 3 * 8 + 32;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn block(entries: Vec<Vec<u8>>) -> Block {
        let header = Header { parent: [1; 32], height: 2, time_ms: 3, tree_size: 4, root: [5; 32] };
        Block::new(header, &entries)
    }

    #[test]
    fn every_byte_is_under_the_digest() {
        let whole = block(vec![b"one".to_vec(), Vec::new(), b"three".to_vec()]);
        let bytes = whole.encoded().to_vec();
        for at in 0..bytes.len() {
            let mut other = bytes.clone();
            other[at] ^= 1;
            assert!(
                Block::decode(&other).is_err_and(|_| true)
                    || Block::decode(&other).is_ok_and(|b| b.digest() != whole.digest()),
                "byte {at}"
            );
            assert!(Block::decode(&bytes[..at]).is_err(), "cut at {at}");
        }
    }

    #[test]
    fn a_claimed_count_costs_no_memory() {
        let mut bytes = block(Vec::new()).encoded().to_vec();
        let at = bytes.len() - 4;
        bytes[at..].copy_from_slice(&u32::MAX.to_be_bytes());
        assert_eq!(Block::decode(&bytes), Err(CUT));
    }

    proptest! {
        #[test]
        fn a_block_comes_back(entries in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..40), 0..9)) {
            let whole = block(entries);
            prop_assert_eq!(Block::decode(whole.encoded()).unwrap(), whole);
        }

        #[test]
        fn foreign_bytes_have_one_reading(mut bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            bytes.splice(0..0, MAGIC.iter().copied());
            if let Ok(read) = Block::decode(&bytes) {
                prop_assert_eq!(&read.encoded()[..], bytes);
            }
        }
    }
}
