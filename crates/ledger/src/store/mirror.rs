//! The tiles of a log that somebody else writes, or wrote: a copied folder, another process's store.

use std::borrow::Cow;
use std::path::Path;

use super::StoreError;
use super::disk::Disk;
use super::source::{self, Source};
use crate::tiles::{TILE, as_hashes, tile_path};
use crate::tree::Hash;

/// Proofs from a folder of C2SP tlog-tiles under one checkpoint. Needs no index and no lock, and trusts
/// nothing but the checkpoint's root: every answer is checked against it.
pub struct Published {
    disk: Disk,
    size: u64,
    root: Hash,
}

impl Published {
    /// Reads a folder that holds `tile/`, under a checkpoint of this size and root, which the caller has
    /// verified ([`crate::policy`]).
    pub fn open(folder: &Path, size: u64, root: [u8; 32]) -> Self {
        Self { disk: Disk::existing(folder), size, root }
    }

    /// The bytes of one entry, as they stand under the checkpoint.
    pub fn entry(&self, index: u64) -> Result<Vec<u8>, StoreError> {
        self.inclusion(index)?;
        source::entry(self, index)
    }

    /// Proof that the entry at `index` is under the checkpoint (RFC 6962 §2.1.1).
    pub fn inclusion(&self, index: u64) -> Result<Vec<[u8; 32]>, StoreError> {
        source::inclusion(self, index, self.size)
    }

    /// Proof that the tree of `old` leaves is the beginning of the checkpoint's (RFC 6962 §2.1.2).
    pub fn consistency(&self, old: u64) -> Result<Vec<[u8; 32]>, StoreError> {
        source::consistency(self, old, self.size)
    }
}

impl Published {
    /// A full tile, or the partial one that the checkpoint needs (c2sp.org/tlog-tiles).
    fn read(&self, name: &str, number: u64, count: u64) -> Result<Vec<u8>, StoreError> {
        let full = self.disk.read_optional(&tile_path(name, number, 0))?;
        let width = if number == count / TILE { count % TILE } else { 0 };
        full.map_or_else(|| self.disk.read(&tile_path(name, number, width)), Ok)
    }
}

impl Source for Published {
    fn size(&self) -> u64 {
        self.size
    }

    fn tile(&self, level: u32, number: u64) -> Result<Cow<'_, [Hash]>, StoreError> {
        let bytes = self.read(&level.to_string(), number, self.size >> (8 * level))?;
        Ok(Cow::Owned(as_hashes(&bytes)))
    }

    fn bundle(&self, number: u64) -> Result<Cow<'_, [u8]>, StoreError> {
        self.read("entries", number, self.size).map(Cow::Owned)
    }

    fn told_root(&self, size: u64) -> Result<Option<Hash>, StoreError> {
        Ok((size == self.size).then_some(self.root))
    }
}
