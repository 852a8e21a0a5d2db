//! The RFC 6962 hash tree over any source of stored subtree hashes.

/// A node of the tree.
pub(crate) type Hash = [u8; 32];

/// Hash of a leaf: `SHA-256(0x00 || data)` (RFC 6962 §2.1).
pub fn leaf_hash(data: &[u8]) -> [u8; 32] {
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
pub(crate) fn inclusion<S: Subtrees>(
    tree: &mut S,
    index: u64,
    size: u64,
) -> Result<Vec<Hash>, S::Error> {
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

/// Whether an inclusion proof shows that `leaf` stands at `index` of the tree with this root.
pub fn verify_inclusion(
    leaf: &[u8],
    index: u64,
    size: u64,
    root: [u8; 32],
    path: &[[u8; 32]],
) -> bool {
    root_of_inclusion(leaf_hash(leaf), index, size, path) == Some(root)
}

/// Consistency proof from the tree of `old` leaves to that of `size` (RFC 6962 §2.1.2).
pub(crate) fn consistency<S: Subtrees>(
    tree: &mut S,
    old: u64,
    size: u64,
) -> Result<Vec<Hash>, S::Error> {
    let mut path = Vec::new();
    if old == 0 {
        return Ok(path);
    }
    let (mut from, mut to, mut whole) = (0, size, true);
    while old != to {
        let middle = from + split(to - from);
        if old <= middle {
            path.push(root(tree, middle, to)?);
            to = middle;
        } else {
            path.push(root(tree, from, middle)?);
            from = middle;
            whole = false;
        }
    }
    if !whole {
        path.push(root(tree, from, to)?);
    }
    path.reverse();
    Ok(path)
}

/// Whether a consistency proof shows that the old tree is the beginning of the new one (RFC 9162 §2.1.4.2).
pub fn verify_consistency(old: (u64, [u8; 32]), new: (u64, [u8; 32]), path: &[[u8; 32]]) -> bool {
    let ((old_size, old_root), (new_size, new_root)) = (old, new);
    if old_size == 0 {
        return path.is_empty() && old_root == empty_root();
    }
    if old_size >= new_size {
        return old == new && path.is_empty();
    }
    let (mut at, mut last) = (old_size - 1, new_size - 1);
    while at % 2 == 1 {
        (at, last) = (at / 2, last / 2);
    }
    let (first, rest) = match path.split_first() {
        None => return false,
        Some(_) if old_size.is_power_of_two() => (old_root, path),
        Some((first, rest)) => (*first, rest),
    };
    let (mut old_hash, mut new_hash) = (first, first);
    for sibling in rest {
        if last == 0 {
            return false;
        }
        if at % 2 == 1 || at == last {
            old_hash = node_hash(sibling, &old_hash);
            new_hash = node_hash(sibling, &new_hash);
            while at.is_multiple_of(2) && at != 0 {
                (at, last) = (at / 2, last / 2);
            }
        } else {
            new_hash = node_hash(&new_hash, sibling);
        }
        (at, last) = (at / 2, last / 2);
    }
    last == 0 && old_hash == old_root && new_hash == new_root
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
