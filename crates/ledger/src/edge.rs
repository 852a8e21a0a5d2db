//! The right edge of an RFC 6962 tree: all that appending and the root need.

use crate::tree::{Hash, Subtrees, empty_root, node_hash};

/// The peaks of a tree of [`Edge::size`] leaves: one hash for each bit of the size, the widest first.
///
/// At most 64 hashes, so that a chain may keep one for each block that is not final yet.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Edge {
    size: u64,
    peaks: Vec<Hash>,
}

impl Edge {
    /// The edge of the tree of the first `size` leaves.
    pub(crate) fn read<S: Subtrees>(tree: &mut S, size: u64) -> Result<Self, S::Error> {
        let mut edge = Self { size, peaks: Vec::with_capacity(size.count_ones() as usize) };
        let mut from = 0;
        for height in (0..u64::BITS).rev().filter(|height| size >> height & 1 == 1) {
            edge.peaks.push(tree.subtree(height, from >> height)?);
            from += 1 << height;
        }
        Ok(edge)
    }

    /// Leaves of the tree.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Appends a leaf by its hash, `SHA-256(0x00 || leaf)` (RFC 6962 §2.1).
    pub fn push(&mut self, leaf_hash: [u8; 32]) {
        let mut hash = leaf_hash;
        for _ in 0..self.size.trailing_ones() {
            let left = self.peaks.pop().expect("because each bit of the size has its peak");
            hash = node_hash(&left, &hash);
        }
        self.peaks.push(hash);
        self.size += 1;
    }

    /// Root of the tree (RFC 6962 §2.1).
    pub fn root(&self) -> [u8; 32] {
        let folded =
            self.peaks.iter().rev().copied().reduce(|right, left| node_hash(&left, &right));
        folded.unwrap_or_else(empty_root)
    }
}

#[cfg(test)]
mod tests {
    use ct_merkle::mem_backed_tree::MemoryBackedTree;

    use super::*;
    use crate::tree::{leaf_hash, root};

    struct Whole(Vec<Hash>);

    impl Subtrees for Whole {
        type Error = std::convert::Infallible;
        fn subtree(&mut self, height: u32, index: u64) -> Result<Hash, Self::Error> {
            let (from, to) = (index << height, (index + 1) << height);
            if height == 0 { Ok(self.0[index as usize]) } else { root_of(self, from, to) }
        }
    }

    fn root_of(tree: &mut Whole, from: u64, to: u64) -> Result<Hash, std::convert::Infallible> {
        let middle = u64::midpoint(from, to);
        Ok(node_hash(&root(tree, from, middle)?, &root(tree, middle, to)?))
    }

    #[test]
    fn the_edge_of_every_size_up_to_600_has_the_root_of_a_foreign_tree() {
        let (mut edge, mut whole) = (Edge::default(), Whole(Vec::new()));
        let mut foreign = MemoryBackedTree::<sha2::Sha256, Vec<u8>>::new();
        assert_eq!(edge.root(), empty_root());
        for size in 1..=600u64 {
            let leaf = size.to_be_bytes().to_vec();
            edge.push(leaf_hash(&leaf));
            whole.0.push(leaf_hash(&leaf));
            foreign.push(leaf);
            assert_eq!(edge.root().as_slice(), foreign.root().as_bytes().as_slice(), "{size}");
            assert_eq!(edge.size(), size);
            assert_eq!(Edge::read(&mut whole, size).unwrap(), edge, "read back at {size}");
        }
    }
}
