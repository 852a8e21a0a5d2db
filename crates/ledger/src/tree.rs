//! The RFC 6962 hash tree over any source of stored subtree hashes.

/// A node of the tree.
pub(crate) type Hash = [u8; 32];

/// Hash of a leaf: `SHA-256(0x00 || data)`.
pub(crate) fn leaf_hash(data: &[u8]) -> Hash {
    hash(&[&[0], data])
}

/// Hash of a node: `SHA-256(0x01 || left || right)`.
pub(crate) fn node_hash(left: &Hash, right: &Hash) -> Hash {
    hash(&[&[1], left, right])
}

/// The root of the empty tree.
pub(crate) fn empty_root() -> Hash {
    hash(&[])
}

/// Hashes of complete subtrees: `subtree(height, index)` covers leaves `index << height ..`.
pub(crate) trait Subtrees {
    /// Why one could not be read.
    type Error;
    /// The hash of a complete subtree.
    fn subtree(&mut self, height: u32, index: u64) -> Result<Hash, Self::Error>;
}

/// Root of the leaves `from..to` (RFC 6962 §2.1).
pub(crate) fn root<S: Subtrees>(tree: &mut S, from: u64, to: u64) -> Result<Hash, S::Error> {
    let size = to - from;
    if size == 0 {
        return Ok(empty_root());
    }
    if size.is_power_of_two() && from.is_multiple_of(size) {
        return tree.subtree(size.trailing_zeros(), from / size);
    }
    let split = split(size);
    let left = root(tree, from, from + split)?;
    let right = root(tree, from + split, to)?;
    Ok(node_hash(&left, &right))
}

/// Inclusion proof of leaf `index` in the tree of `size` leaves (RFC 6962 §2.1.1).
pub(crate) fn inclusion<S: Subtrees>(tree: &mut S, index: u64, size: u64) -> Result<Vec<Hash>, S::Error> {
    let mut path = Vec::new();
    let (mut from, mut to) = (0, size);
    while to - from > 1 {
        let middle = from + split(to - from);
        if index < middle {
            path.push(root(tree, middle, to)?);
            to = middle;
        } else {
            path.push(root(tree, from, middle)?);
            from = middle;
        }
    }
    path.reverse();
    Ok(path)
}

/// The root that an inclusion proof leads to; `None` when its length is wrong (RFC 9162 §2.1.3.2).
pub(crate) fn root_of_inclusion(leaf: Hash, index: u64, size: u64, path: &[Hash]) -> Option<Hash> {
    if index >= size {
        return None;
    }
    let (mut at, mut last, mut hash) = (index, size - 1, leaf);
    for sibling in path {
        if last == 0 {
            return None;
        }
        if at % 2 == 1 || at == last {
            hash = node_hash(sibling, &hash);
            while at.is_multiple_of(2) && at != 0 {
                at /= 2;
                last /= 2;
            }
        } else {
            hash = node_hash(&hash, sibling);
        }
        at /= 2;
        last /= 2;
    }
    (last == 0).then_some(hash)
}

/// Largest power of two below `size`.
fn split(size: u64) -> u64 {
    1 << (u64::BITS - 1 - (size - 1).leading_zeros())
}

fn hash(parts: &[&[u8]]) -> Hash {
    let mut digest = aws_lc_rs::digest::Context::new(&aws_lc_rs::digest::SHA256);
    parts.iter().for_each(|part| digest.update(part));
    digest.finish().as_ref().try_into().expect("because SHA-256 has 32 bytes")
}
