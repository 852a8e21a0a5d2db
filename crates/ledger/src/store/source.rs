//! Proofs from tiles, wherever they come from. Each is checked before it is given away.

use std::borrow::Cow;
use std::collections::BTreeMap;

use super::StoreError;
use crate::tiles::{TILE, fold, unbundle};
use crate::tree::{self, Hash, Subtrees, leaf_hash};

/// The tiles of one tree.
pub(super) trait Source {
    /// Leaves of the tree.
    fn size(&self) -> u64;
    /// The hashes of a tile, as many as there are.
    fn tile(&self, level: u32, number: u64) -> Result<Cow<'_, [Hash]>, StoreError>;
    /// The entries of a bundle, as many as there are.
    fn bundle(&self, number: u64) -> Result<Cow<'_, [u8]>, StoreError>;
    /// The root of the tree of `size` leaves as somebody else told it: a block or a checkpoint.
    fn told_root(&self, size: u64) -> Result<Option<Hash>, StoreError>;
}

/// Root of the first `size` leaves.
pub(super) fn root(source: &impl Source, size: u64) -> Result<Hash, StoreError> {
    in_range(source, size)?;
    if let Some(told) = source.told_root(size)? {
        return Ok(told);
    }
    tree::root(&mut Walk::of(source), 0, size)
}

/// One entry.
pub(super) fn entry(source: &impl Source, index: u64) -> Result<Vec<u8>, StoreError> {
    in_range(source, index.saturating_add(1))?;
    let bundle = source.bundle(index / TILE)?;
    let entry = unbundle(&bundle).and_then(|all| all.get((index % TILE) as usize).copied());
    let hash = Walk::of(source).subtree(0, index)?;
    entry.filter(|entry| leaf_hash(entry) == hash).map(<[u8]>::to_vec).ok_or_else(|| {
        StoreError::Damaged(format!("entry {index} is not the leaf that its tile names"))
    })
}

/// Inclusion proof (RFC 6962 §2.1.1).
pub(super) fn inclusion(
    source: &impl Source,
    index: u64,
    size: u64,
) -> Result<Vec<Hash>, StoreError> {
    in_range(source, size)?;
    if index >= size {
        return Err(StoreError::Range { size, asked: index });
    }
    let mut walk = Walk::of(source);
    let path = tree::inclusion(&mut walk, index, size)?;
    let leaf = walk.subtree(0, index)?;
    let shown = tree::root_of_inclusion(leaf, index, size, &path);
    if shown == Some(root(source, size)?) { Ok(path) } else { Err(wrong(index, size)) }
}

/// Consistency proof (RFC 6962 §2.1.2).
pub(super) fn consistency(
    source: &impl Source,
    old: u64,
    size: u64,
) -> Result<Vec<Hash>, StoreError> {
    in_range(source, size)?;
    if old > size {
        return Err(StoreError::Range { size, asked: old });
    }
    let path = tree::consistency(&mut Walk::of(source), old, size)?;
    let (from, to) = ((old, root(source, old)?), (size, root(source, size)?));
    if tree::verify_consistency(from, to, &path) { Ok(path) } else { Err(wrong(old, size)) }
}

fn in_range(source: &impl Source, asked: u64) -> Result<(), StoreError> {
    let size = source.size();
    if asked <= size { Ok(()) } else { Err(StoreError::Range { size, asked }) }
}

fn wrong(at: u64, size: u64) -> StoreError {
    StoreError::Damaged(format!(
        "the tiles around leaf {at} do not lead to the root of {size} leaves"
    ))
}

/// Reads each tile once for a proof.
struct Walk<'s, S> {
    source: &'s S,
    seen: BTreeMap<(u32, u64), Cow<'s, [Hash]>>,
}

impl<'s, S: Source> Walk<'s, S> {
    fn of(source: &'s S) -> Self {
        Self { source, seen: BTreeMap::new() }
    }
}

impl<S: Source> Subtrees for Walk<'_, S> {
    type Error = StoreError;

    fn subtree(&mut self, height: u32, index: u64) -> Result<Hash, StoreError> {
        let (level, inner) = (height / 8, height % 8);
        let first = index << inner;
        let (number, from) = (first / TILE, (first % TILE) as usize);
        let tile = match self.seen.entry((level, number)) {
            std::collections::btree_map::Entry::Occupied(seen) => seen.into_mut(),
            std::collections::btree_map::Entry::Vacant(place) => {
                place.insert(self.source.tile(level, number)?)
            }
        };
        let hashes = tile.get(from..from + (1 << inner)).map(fold);
        hashes
            .ok_or_else(|| StoreError::Damaged(format!("tile {number} of level {level} is short")))
    }
}
