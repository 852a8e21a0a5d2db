//! The end of the log that is not in full tiles yet: all that appending needs, bounded whatever the tree's size.

use std::path::PathBuf;

use crate::edge::Edge;
use crate::tiles::{TILE, as_hashes, fold, tile_path, unbundle};
use crate::tree::{Hash, Subtrees, leaf_hash};

/// A file that became full.
pub(super) type Full = (PathBuf, Vec<u8>);

/// The tiles that are not full, one for each level, and the entries of the bundle that is not full.
#[derive(Clone, Default)]
pub(super) struct Tail {
    edge: Edge,
    levels: Vec<Vec<Hash>>,
    bundle: Vec<u8>,
}

impl Tail {
    /// Leaves of the tree.
    pub(super) fn size(&self) -> u64 {
        self.edge.size()
    }

    pub(super) fn edge(&self) -> &Edge {
        &self.edge
    }

    pub(super) fn root(&self) -> Hash {
        self.edge.root()
    }

    /// Appends an entry with its leaf hash; the files that became full go to `full`. An entry has at most 65,535
    /// bytes.
    pub(super) fn push(&mut self, entry: &[u8], leaf: Hash, full: &mut Vec<Full>) {
        let length = u16::try_from(entry.len()).expect("because a block bounds its entries");
        if self.bundle.is_empty() {
            // entries are alike: room for as many of this length saves most of the growing
            self.bundle.reserve(TILE as usize * (2 + entry.len()));
        }
        self.bundle.extend_from_slice(&length.to_be_bytes());
        self.bundle.extend_from_slice(entry);
        let mut hash = leaf;
        self.edge.push(hash);
        let mut covered = self.size();
        if covered.is_multiple_of(TILE) {
            let bundle = std::mem::take(&mut self.bundle);
            full.push((tile_path("entries", covered / TILE - 1, 0), bundle));
        }
        for level in 0.. {
            if self.levels.len() <= level {
                self.levels.push(Vec::with_capacity(TILE as usize));
            }
            self.levels[level].push(hash);
            if (self.levels[level].len() as u64) < TILE {
                return;
            }
            let tile = std::mem::take(&mut self.levels[level]);
            covered /= TILE;
            full.push((tile_path(&level.to_string(), covered - 1, 0), tile.concat()));
            hash = fold(&tile);
        }
    }

    /// Hashes of the tile that is not full at this level, if `number` is that tile.
    pub(super) fn tile(&self, level: u32, number: u64) -> Option<&[Hash]> {
        let last = self.size().checked_shr(8 * (level + 1)).unwrap_or(0);
        let hashes = self.levels.get(level as usize)?;
        (number == last).then_some(hashes.as_slice())
    }

    /// The first entries of the bundle that is not full, if `number` is that bundle.
    pub(super) fn bundle(&self, number: u64) -> Option<&[u8]> {
        (number == self.size() / TILE).then_some(self.bundle.as_slice())
    }

    /// `size ‖ levels ‖ (count ‖ hashes)* ‖ bundle`.
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut out = self.size().to_be_bytes().to_vec();
        out.push(u8::try_from(self.levels.len()).expect("because eight levels hold 2^64 leaves"));
        for hashes in &self.levels {
            out.push(u8::try_from(hashes.len()).expect("because the tile is not full"));
            hashes.iter().for_each(|hash| out.extend_from_slice(hash));
        }
        out.extend_from_slice(&self.bundle);
        out
    }

    /// Reads [`Tail::encode`], and checks that its parts fit each other.
    pub(super) fn decode(bytes: &[u8]) -> Option<Self> {
        let (size, rest) = bytes.split_first_chunk::<8>()?;
        let size = u64::from_be_bytes(*size);
        let (count, mut rest) = rest.split_first()?;
        let mut levels = Vec::new();
        for level in 0..u32::from(*count) {
            let (width, behind) = rest.split_first()?;
            let (hashes, behind) = behind.split_at_checked(usize::from(*width) * 32)?;
            (u64::from(*width) == size.checked_shr(8 * level)? % TILE).then_some(())?;
            levels.push(as_hashes(hashes));
            rest = behind;
        }
        size.checked_shr(8 * u32::from(*count)).is_none_or(|above| above == 0).then_some(())?;
        let leaves: Vec<Hash> = unbundle(rest)?.into_iter().map(leaf_hash).collect();
        (leaves == *levels.first().unwrap_or(&Vec::new())).then_some(())?;
        let mut tail = Self { edge: Edge::default(), levels, bundle: rest.to_vec() };
        tail.edge = Edge::read(&mut Held { tail: &tail, size }, size).ok()?;
        Some(tail)
    }
}

/// The complete subtrees of the right edge, all of which lie in tiles that are not full.
struct Held<'t> {
    tail: &'t Tail,
    size: u64,
}

impl Subtrees for Held<'_> {
    type Error = ();

    fn subtree(&mut self, height: u32, index: u64) -> Result<Hash, ()> {
        let (level, inner) = (height / 8, height % 8);
        let first = index << inner;
        (first / TILE == self.size >> (8 * level) >> 8).then_some(()).ok_or(())?;
        let from = (first % TILE) as usize;
        let hashes = self.tail.levels.get(level as usize).ok_or(())?;
        hashes.get(from..from + (1 << inner)).map(fold).ok_or(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tail_comes_back_and_a_changed_one_does_not_pass() {
        let (mut tail, mut full) = (Tail::default(), Vec::new());
        for number in 0..70_000u64 {
            let entry = number.to_be_bytes();
            tail.push(&entry, leaf_hash(&entry), &mut full);
            if number % 1_733 == 0 || [254, 255, 256, 65_534, 65_535, 65_536].contains(&number) {
                let bytes = tail.encode();
                let back = Tail::decode(&bytes).unwrap();
                assert_eq!((back.root(), back.size()), (tail.root(), tail.size()), "{number}");
                assert_eq!(back.encode(), bytes);
                for cut in [1, 8, bytes.len() - 1] {
                    assert!(Tail::decode(&bytes[..cut]).is_none(), "{number} cut at {cut}");
                }
            }
        }
        assert_eq!(full.len(), 273 + 273 + 1, "bundles, leaf tiles, and one tile above");
    }
}
