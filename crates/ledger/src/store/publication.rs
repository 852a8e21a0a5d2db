//! Publishing a checkpoint: the tiles that are not full are written for it, then the checkpoint itself.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use super::reader::{Reader, View};
use super::source::Source;
use super::{Shared, StoreError};
use crate::crash;
use crate::tiles::{TILE, tile_path, unbundle};

/// Publishes checkpoints, about once a second. Does not hinder the writer; run it where blocking is allowed.
#[derive(Clone)]
pub struct Publisher {
    shared: Arc<Shared>,
    /// Size under the checkpoint before this one: its partial tiles are kept for those who hold it.
    before: Arc<Mutex<u64>>,
}

impl Publisher {
    pub(super) fn new(shared: Arc<Shared>) -> Result<Self, StoreError> {
        let size =
            shared.disk.read_optional(Path::new(CHECKPOINT))?.and_then(|note| size_of(&note));
        Ok(Self { shared, before: Arc::new(Mutex::new(size.unwrap_or(0))) })
    }

    /// Makes a signed checkpoint the one that is served, with all tiles that its readers need
    /// (c2sp.org/tlog-tiles, c2sp.org/tlog-checkpoint). `size` is the one that it names.
    pub fn publish(&self, size: u64, checkpoint: &str) -> Result<(), StoreError> {
        if size_of(checkpoint.as_bytes()) != Some(size) {
            return Err(StoreError::Refused("the checkpoint names another size"));
        }
        let mut before = self.before.lock().unwrap_or_else(PoisonError::into_inner);
        let reader = Reader { shared: self.shared.clone() };
        let view = reader.view();
        if size > view.size() {
            return Err(StoreError::Range { size: view.size(), asked: size });
        }
        if size < *before {
            return Err(StoreError::Refused("a later checkpoint is published already"));
        }
        let disk = &self.shared.disk;
        let mut placed = Vec::new();
        for (path, bytes) in partial(&view, size) {
            disk.place(&path, &bytes)?;
            placed.push(path);
        }
        disk.settle(&placed)?;
        crash::point("store/partial");
        let path = PathBuf::from(CHECKPOINT);
        disk.place(&path, checkpoint.as_bytes())?;
        disk.settle([&path])?;
        self.prune(*before, size)?;
        *before = size;
        Ok(())
    }

    /// Removes what neither this checkpoint nor the one before needs: of tiles that became full all
    /// partial forms, of the others what is older.
    fn prune(&self, before: u64, size: u64) -> Result<(), StoreError> {
        let disk = &self.shared.disk;
        let levels = (0..8u32).map(|level| (level.to_string(), 8 * level));
        for (name, shift) in levels.chain([("entries".to_owned(), 0)]) {
            let (old, new) = (before >> shift, size >> shift);
            (old / TILE..new / TILE).for_each(|number| {
                let one = tile_path(&name, number, 1);
                one.parent().into_iter().for_each(|folder| disk.clear(folder));
            });
            let one = tile_path(&name, new / TILE, 1);
            let folder = one.parent().expect("because a partial tile stands in a folder");
            for width in disk.names(folder)? {
                let kept = [old, new].map(|count| (count % TILE).to_string());
                if !kept.contains(&width) {
                    disk.remove(&folder.join(width))?;
                }
            }
        }
        Ok(())
    }
}

/// The partial tiles and bundle of a tree, as far as their full forms are not there yet.
fn partial(view: &View<'_>, size: u64) -> Vec<(PathBuf, Vec<u8>)> {
    let mut files = Vec::new();
    for level in 0..8u32 {
        let (number, width) = (size >> (8 * level) >> 8, (size >> (8 * level)) % TILE);
        if width == 0 {
            continue;
        }
        if let Some(hashes) = view.state.tail.tile(level, number) {
            let bytes = hashes[..width as usize].concat();
            files.push((tile_path(&level.to_string(), number, width), bytes));
        }
    }
    let (number, width) = (size / TILE, (size % TILE) as usize);
    if let Some(bundle) = view.state.tail.bundle(number).filter(|_| width > 0) {
        let entries = unbundle(bundle).unwrap_or_default();
        let length: usize = entries.iter().take(width).map(|entry| 2 + entry.len()).sum();
        files.push((tile_path("entries", number, width as u64), bundle[..length].to_vec()));
    }
    files
}

/// The second line of a checkpoint (c2sp.org/tlog-checkpoint).
pub(super) fn size_of(note: &[u8]) -> Option<u64> {
    std::str::from_utf8(note).ok()?.lines().nth(1)?.parse().ok()
}

pub(super) const CHECKPOINT: &str = "checkpoint";
