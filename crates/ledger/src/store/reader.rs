//! Reading while the writer writes: each call sees the tree as it stands after one block.

use std::borrow::Cow;
use std::sync::Arc;

use super::index::Key;
use super::source::{self, Source};
use super::{Shared, State, StoreError};
use crate::block::Block;
use crate::chain::Tip;
use crate::tiles::{TILE, as_hashes, tile_path, unbundle};
use crate::tree::Hash;

/// A view of a store that never waits for its writer. Cheap to clone, for any thread.
#[derive(Clone)]
pub struct Reader {
    pub(super) shared: Arc<Shared>,
}

impl Reader {
    /// Where the log ends.
    pub fn tip(&self) -> Tip {
        self.shared.state().tip
    }

    /// The block at a height; none for the genesis and for heights to come.
    pub fn block(&self, height: u64) -> Result<Option<Block>, StoreError> {
        let view = self.view();
        if height == 0 || height > view.state.tip.height {
            return Ok(None);
        }
        let header = self.shared.heads.read(height)?;
        let first = if height == 1 { 0 } else { self.shared.heads.read(height - 1)?.tree_size };
        let entries = entries(&view, first, header.tree_size)?;
        let block = Block::new(header, &entries);
        if block.digest() == self.digest_at(&view.state, height)? {
            Ok(Some(block))
        } else {
            Err(StoreError::Damaged(format!("block {height} is not the one that was appended")))
        }
    }

    /// The digest of the block at a height; none for heights to come.
    pub fn digest(&self, height: u64) -> Result<Option<[u8; 32]>, StoreError> {
        let state = self.shared.state();
        (height <= state.tip.height).then(|| self.digest_at(&state, height)).transpose()
    }

    /// The height of the block that brought an entry.
    pub fn height_of(&self, index: u64) -> Result<u64, StoreError> {
        let tip = self.tip();
        if index >= tip.size {
            return Err(StoreError::Range { size: tip.size, asked: index });
        }
        self.shared.heads.covering(index, tip.height)
    }

    /// The bytes of one entry.
    pub fn entry(&self, index: u64) -> Result<Vec<u8>, StoreError> {
        source::entry(&self.view(), index)
    }

    /// Root of the tree of the first `size` leaves.
    pub fn root(&self, size: u64) -> Result<[u8; 32], StoreError> {
        source::root(&self.view(), size)
    }

    /// Proof that the entry at `index` is in the tree of `size` leaves (RFC 6962 §2.1.1).
    pub fn inclusion(&self, index: u64, size: u64) -> Result<Vec<[u8; 32]>, StoreError> {
        source::inclusion(&self.view(), index, size)
    }

    /// Proof that the tree of `old` leaves is the beginning of that of `new` (RFC 6962 §2.1.2).
    pub fn consistency(&self, old: u64, new: u64) -> Result<Vec<[u8; 32]>, StoreError> {
        source::consistency(&self.view(), old, new)
    }

    pub(super) fn view(&self) -> View<'_> {
        View { shared: &self.shared, state: self.shared.state() }
    }

    /// Each block names its parent, so that a header is checked by the one after it.
    fn digest_at(&self, state: &State, height: u64) -> Result<Hash, StoreError> {
        if height == state.tip.height {
            return Ok(state.tip.digest);
        }
        Ok(self.shared.heads.read(height + 1)?.parent)
    }

    pub(super) fn row(&self, txid: &Key) -> Result<Option<super::index::Value>, StoreError> {
        self.shared.index.find(txid)
    }
}

/// The entries of one block, from the bundles that hold them.
fn entries(view: &View<'_>, from: u64, to: u64) -> Result<Vec<Vec<u8>>, StoreError> {
    let mut entries = Vec::new();
    let mut at = from;
    while at < to {
        let bundle = view.bundle(at / TILE)?;
        let missing = || StoreError::Damaged(format!("bundle {} does not read", at / TILE));
        let held = unbundle(&bundle).ok_or_else(missing)?;
        let until = to.min((at / TILE + 1) * TILE);
        let (first, count) = ((at % TILE) as usize, (until - at) as usize);
        let wanted = held.get(first..first + count).ok_or_else(missing)?;
        entries.extend(wanted.iter().map(|entry| entry.to_vec()));
        at = until;
    }
    Ok(entries)
}

/// The tiles as they stand after one block.
pub(super) struct View<'s> {
    pub(super) shared: &'s Shared,
    pub(super) state: Arc<State>,
}

impl Source for View<'_> {
    fn size(&self) -> u64 {
        self.state.tip.size
    }

    fn tile(&self, level: u32, number: u64) -> Result<Cow<'_, [Hash]>, StoreError> {
        if let Some(hashes) = self.state.tail.tile(level, number) {
            return Ok(Cow::Borrowed(hashes));
        }
        let bytes = self.shared.disk.read(&tile_path(&level.to_string(), number, 0))?;
        Ok(Cow::Owned(as_hashes(&bytes)))
    }

    fn bundle(&self, number: u64) -> Result<Cow<'_, [u8]>, StoreError> {
        if let Some(bundle) = self.state.tail.bundle(number) {
            return Ok(Cow::Borrowed(bundle));
        }
        self.shared.disk.read(&tile_path("entries", number, 0)).map(Cow::Owned)
    }

    fn told_root(&self, size: u64) -> Result<Option<Hash>, StoreError> {
        let tip = &self.state.tip;
        if size == tip.size {
            return Ok(Some(tip.root));
        }
        if size == 0 {
            return Ok(None);
        }
        let header = self.shared.heads.read(self.shared.heads.covering(size - 1, tip.height)?)?;
        Ok((header.tree_size == size).then_some(header.root))
    }
}
