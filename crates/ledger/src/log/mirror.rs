//! A mirror: the same tiles in another place, kept by somebody who signs nothing of the ledger's and
//! believes nothing but what a policy's quorum signed (c2sp.org/tlog-mirror, c2sp.org/tlog-tiles).

use std::path::{Path, PathBuf};

use super::files::Files;
use super::{LogError, State, Tiles};
use crate::Edge;
use crate::checkpoint::SignedCheckpoint;
use crate::entry::{Entry, Kind};
use crate::policy::{Agreed, Policy};
use crate::tiles::{TILE, tile_path, unbundle};
use crate::tree::{self, leaf_hash};

/// A folder of tiles under a checkpoint.
pub struct Mirror {
    files: Files,
    state: State,
    _lock: std::fs::File,
}

/// Why a mirror does not follow.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MirrorError {
    /// A bundle did not come, or is none. Its source's fault.
    #[error("{path}: {why}")]
    Bundle {
        /// Which.
        path: PathBuf,
        /// Why.
        why: String,
    },
    /// What was served does not lead to what the members signed, or contradicts what they signed
    /// before. To be told to everybody.
    #[error("the ledger was forked or is served wrongly: {0}")]
    Fork(String),
    /// The checkpoint is older than the mirror.
    #[error("the checkpoint covers {0} entries, the mirror has more")]
    Older(u64),
    /// The mirror's own files.
    #[error(transparent)]
    Own(#[from] LogError),
}

/// What a folder of tiles holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Audited {
    /// Entries.
    pub size: u64,
    /// How many of each kind, in the order of [`Kind::ALL`].
    pub kinds: Vec<(Kind, u64)>,
}

impl Mirror {
    /// Opens a mirror, or starts one. What is there is read as it was published.
    pub fn open(folder: &Path) -> Result<Self, LogError> {
        let files = Files::open(folder)?;
        let lock = files.lock()?.ok_or(LogError::Busy)?;
        let state = match files.read_optional(Path::new(CHECKPOINT))? {
            None => State::default(),
            Some(note) => {
                let note = String::from_utf8(note)
                    .map_err(|_| LogError::Damaged("checkpoint is not text".into()))?;
                let signed = SignedCheckpoint::read(&note)
                    .map_err(|error| LogError::Damaged(error.to_string()))?;
                State::load(signed.checkpoint().size, note, &files)?
            }
        };
        Ok(Self { files, state, _lock: lock })
    }

    /// Entries.
    pub fn size(&self) -> u64 {
        self.state.size
    }

    /// The checkpoint that is mirrored; empty at first.
    pub fn checkpoint(&self) -> &str {
        &self.state.note
    }

    /// Follows to a checkpoint that a policy agreed to: `fetch` brings bundles by their paths. `note` is
    /// published when all that it covers is here.
    pub fn follow<E: std::fmt::Display>(
        &mut self,
        agreed: &Agreed,
        note: &str,
        mut fetch: impl FnMut(&Path) -> Result<Vec<u8>, E>,
    ) -> Result<(), MirrorError> {
        let checkpoint = agreed.checkpoint();
        if checkpoint.size < self.state.size {
            return Err(MirrorError::Older(checkpoint.size));
        }
        let mut next = self.state.clone();
        while next.size < checkpoint.size {
            let (number, known) = (next.size / TILE, (next.size % TILE) as usize);
            let until = checkpoint.size.min((number + 1) * TILE);
            let path = tile_path("entries", number, until % TILE);
            let wrong = |why: String| MirrorError::Bundle { path: path.clone(), why };
            let bytes = fetch(&path).map_err(|error| wrong(error.to_string()))?;
            let entries = unbundle(&bytes).ok_or_else(|| wrong("it is no bundle".into()))?;
            if entries.len() as u64 != until - number * TILE {
                return Err(wrong("it has another number of entries".into()));
            }
            for entry in &entries[known..] {
                next.add(entry, &self.files)?;
            }
        }
        let root = tree::root(&mut Tiles { files: &self.files, state: &next }, 0, next.size)?;
        if root != checkpoint.root {
            let size = checkpoint.size;
            return Err(MirrorError::Fork(format!("{size} entries have another root")));
        }
        next.write_edge(&self.state, &self.files)?;
        note.clone_into(&mut next.note);
        self.files.write(Path::new(CHECKPOINT), note.as_bytes())?;
        self.state = next;
        Ok(())
    }
}

/// Reads a folder of tiles from its first entry to its last, and says whether they are what a policy's
/// quorum signed. Needs no lock and no network.
pub fn audit(folder: &Path, policy: &Policy) -> Result<(Agreed, Audited), MirrorError> {
    let files = Files::open(folder)?;
    let note = files.read(Path::new(CHECKPOINT))?;
    let note = String::from_utf8_lossy(&note);
    let agreed =
        policy.verify(&note, None).map_err(|error| MirrorError::Fork(error.to_string()))?;
    let (size, root) = (agreed.checkpoint().size, agreed.checkpoint().root);
    let (mut edge, mut kinds) = (Edge::default(), Kind::ALL.map(|(kind, _)| (kind, 0)));
    while edge.size() < size {
        let number = edge.size() / TILE;
        let until = size.min((number + 1) * TILE);
        let path = tile_path("entries", number, until % TILE);
        let wrong = |why: &str| MirrorError::Bundle { path: path.clone(), why: why.to_owned() };
        let bytes = files.read(&path)?;
        let entries = unbundle(&bytes).ok_or_else(|| wrong("it is no bundle"))?;
        if entries.len() as u64 != until - number * TILE {
            return Err(wrong("it has another number of entries"));
        }
        for bytes in entries {
            let entry = Entry::decode(bytes).map_err(|error| wrong(&error.to_string()))?;
            let row = kinds.iter_mut().find(|row| row.0 == entry.kind());
            row.into_iter().for_each(|row| row.1 += 1);
            edge.push(leaf_hash(bytes));
        }
    }
    if edge.root() != root {
        return Err(MirrorError::Fork(format!("{size} entries have another root")));
    }
    Ok((agreed, Audited { size, kinds: kinds.to_vec() }))
}

const CHECKPOINT: &str = "checkpoint";

#[cfg(test)]
mod tests;
