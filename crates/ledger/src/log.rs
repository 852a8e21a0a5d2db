//! The Merkle log in flat C2SP tlog-tiles files: a web server can serve the folder as it is.
//!
//! `tile/0/…` holds leaf hashes by 256, `tile/1/…` roots of full tiles, and so on;
//! `tile/entries/…` the leaves, each behind its u16 length; `checkpoint` the signed root. A partial
//! tile stands at `….p/W` until the full one is under a checkpoint. Appending is idempotent by
//! index: the journal fixes a leaf's index first, so what a crash cut off is written again with the
//! same bytes. Memory holds the right edge only, whatever the size of the tree.

mod files;
pub mod mirror;
#[cfg(test)]
mod tests;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use trust::private::Holder;
use trust::seal::Scheme;

use crate::crash;
use crate::journal::{Journal, JournalError};
use crate::note::{self, Checkpoint};
use crate::tiles::{TILE, as_hashes, fold, tile_path, unbundle};
use crate::tree::{self, Hash, Subtrees, leaf_hash};
use files::{Files, load_key};

pub use crate::tree::{verify_consistency, verify_inclusion};

/// Why the log could not be read or written. Usually the operator's disk.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LogError {
    /// A file could not be read or written.
    #[error("log file {path}: {source}")]
    File {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A file does not hold what it should, or the journal contradicts the log.
    #[error("log is damaged: {0}")]
    Damaged(String),
    /// Another process appends to this log: two writers would fork it.
    #[error("log is written by another process")]
    Busy,
    /// There is no such leaf or tree size yet.
    #[error("log has {size} leaves, not {asked}")]
    Range {
        /// Leaves under the checkpoint.
        size: u64,
        /// Leaf or size that was asked for.
        asked: u64,
    },
    /// Who holds the log's key does not sign.
    #[error("the holder of the log's key does not sign")]
    Key,
    /// The journal failed.
    #[error(transparent)]
    Journal(#[from] JournalError),
}

/// The log's Ed25519 key, wherever it is held.
pub struct LogKey {
    holder: Arc<dyn Holder>,
    public: Vec<u8>,
    says: Option<Says>,
}

/// What a log says in the extension line of its checkpoints, at the time of each.
pub type Says = Arc<dyn Fn() -> Option<String> + Send + Sync>;

impl LogKey {
    /// A key that somebody holds, with its public half (32 bytes).
    pub fn new(holder: Arc<dyn Holder>, public: Vec<u8>) -> Self {
        Self { holder, public, says: None }
    }

    /// The same; each checkpoint says more in an extension line (c2sp.org/tlog-checkpoint).
    #[must_use]
    pub fn saying(self, says: Says) -> Self {
        Self { says: Some(says), ..self }
    }

    fn lines(&self) -> Vec<String> {
        self.says.iter().filter_map(|says| says()).collect()
    }

    pub(crate) fn public(&self) -> &[u8] {
        &self.public
    }

    pub(crate) fn sign(&self, message: &[u8]) -> Result<Vec<u8>, LogError> {
        self.holder.sign(Scheme::Ed25519, message).ok_or(LogError::Key)
    }
}

/// One node's log. Reading needs no lock; the first append takes it.
pub struct Log {
    files: Files,
    origin: String,
    key: LogKey,
    state: State,
    lock: Option<fs::File>,
}

/// What the checkpoint covers.
#[derive(Clone, Default)]
struct State {
    size: u64,
    note: String,
    /// What the checkpoint says beside it.
    lines: Vec<String>,
    /// Right edge: for each level, the hashes of the tile that is not full.
    edge: Vec<Vec<Hash>>,
    /// The entries of the bundle that is not full.
    bundle: Vec<u8>,
}

impl Log {
    /// Opens a log, or starts one. `origin` names it (`konfido.example/dk`); the Ed25519 key is kept
    /// in `key_file` (PKCS#8) and made when it is missing.
    pub fn open(folder: &Path, origin: &str, key_file: &Path) -> Result<Self, LogError> {
        Self::open_with(folder, origin, load_key(key_file)?)
    }

    /// The same with a key that is there already, wherever it is held.
    pub fn open_with(folder: &Path, origin: &str, key: LogKey) -> Result<Self, LogError> {
        if origin.is_empty()
            || origin.contains(|c: char| c.is_whitespace() || c.is_control() || c == '+')
        {
            return Err(LogError::Damaged(
                "the origin must be a name without spaces and plus signs".into(),
            ));
        }
        let files = Files::open(folder)?;
        let mut log =
            Self { files, origin: origin.to_owned(), key, state: State::default(), lock: None };
        log.state = log.recover()?;
        Ok(log)
    }

    /// Another handle of this log, which only reads: for whoever works beside the writer.
    pub fn beside(&self) -> Result<Self, LogError> {
        struct Nobody;
        impl Holder for Nobody {
            fn sign(&self, _: Scheme, _: &[u8]) -> Option<Vec<u8>> {
                None
            }
        }
        let key = LogKey::new(Arc::new(Nobody), self.public_key());
        Self::open_with(self.files.folder(), &self.origin, key)
    }

    /// Reads the newest checkpoint; for who reads beside the writer.
    pub fn refresh(&mut self) -> Result<(), LogError> {
        if self.lock.is_none() {
            self.state = self.recover()?;
        }
        Ok(())
    }

    /// Leaves that the checkpoint covers.
    pub fn size(&self) -> u64 {
        self.state.size
    }

    /// The log's name.
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// The log's Ed25519 public key, 32 bytes.
    pub fn public_key(&self) -> Vec<u8> {
        self.key.public.clone()
    }

    /// The signed checkpoint; empty before the first leaf.
    pub fn checkpoint(&self) -> Result<String, LogError> {
        Ok(self.state.note.clone())
    }

    /// Appends leaves that begin at `first`. Those below [`Log::size`] are there already, and must be
    /// the same. When it fails, the log stands as before and the call may be repeated.
    pub fn append(&mut self, first: u64, leaves: &[Vec<u8>]) -> Result<(), LogError> {
        self.lock()?;
        let before = self.state.size;
        if first > before {
            return Err(LogError::Damaged(format!(
                "leaf {first} would leave a gap after {before}"
            )));
        }
        let known = usize::try_from(before - first).unwrap_or(usize::MAX).min(leaves.len());
        let (known, fresh) = leaves.split_at(known);
        for (index, leaf) in (first..).zip(known) {
            if self.reader().subtree(0, index)? != leaf_hash(leaf) {
                return Err(LogError::Damaged(format!(
                    "leaf {index} of the journal is not the log's"
                )));
            }
        }
        if fresh.is_empty() {
            return Ok(());
        }
        let mut next = self.state.clone();
        fresh.iter().try_for_each(|leaf| next.add(leaf, &self.files))?;
        next.write_edge(&self.state, &self.files)?;
        let root = tree::root(&mut Tiles { files: &self.files, state: &next }, 0, next.size)?;
        next.lines = self.key.lines();
        next.note = self.sign(next.size, root, next.lines.clone())?;
        crash::point("log/tiles");
        self.files.write(Path::new("checkpoint"), next.note.as_bytes())?;
        crash::point("log/checkpoint");
        self.state = next;
        self.prune(before / TILE);
        Ok(())
    }

    /// The bytes of one leaf.
    pub fn entry(&self, index: u64) -> Result<Vec<u8>, LogError> {
        self.check_range(index, self.state.size.checked_sub(1))?;
        let stored;
        let bundle = if index / TILE == self.state.size / TILE {
            &self.state.bundle
        } else {
            stored = self.files.read(&tile_path("entries", index / TILE, 0))?;
            &stored
        };
        let leaves = unbundle(bundle).unwrap_or_default();
        let leaf = leaves.get((index % TILE) as usize).map(|leaf| leaf.to_vec());
        leaf.ok_or_else(|| LogError::Damaged(format!("entry {index} is missing from its bundle")))
    }

    /// Inclusion proof of a leaf under the current checkpoint (RFC 6962 §2.1.1).
    pub fn prove(&self, index: u64) -> Result<Vec<[u8; 32]>, LogError> {
        self.check_range(index, self.state.size.checked_sub(1))?;
        tree::inclusion(&mut self.reader(), index, self.state.size)
    }

    /// Proof that the tree of `old` leaves is the beginning of the current one (RFC 6962 §2.1.2).
    pub fn prove_consistency(&self, old: u64) -> Result<Vec<[u8; 32]>, LogError> {
        self.check_range(old, Some(self.state.size))?;
        tree::consistency(&mut self.reader(), old, self.state.size)
    }

    /// Signs an export of this log; see [`crate::receipt`].
    pub(crate) fn attest(&self, message: &[u8]) -> Result<Vec<u8>, LogError> {
        self.key.sign(message)
    }

    fn sign(&self, size: u64, root: Hash, lines: Vec<String>) -> Result<String, LogError> {
        let origin = self.origin.clone();
        note::sign(&Checkpoint { origin, size, root, lines }, &self.key)
    }

    /// Signs the checkpoint again where its extension line says something else by now.
    fn say_again(&mut self) -> Result<(), LogError> {
        let lines = self.key.lines();
        if self.state.size == 0 || self.state.lines == lines {
            return Ok(());
        }
        let root = tree::root(&mut self.reader(), 0, self.state.size)?;
        let note = self.sign(self.state.size, root, lines.clone())?;
        self.files.write(Path::new("checkpoint"), note.as_bytes())?;
        (self.state.note, self.state.lines) = (note, lines);
        Ok(())
    }

    fn check_range(&self, asked: u64, last: Option<u64>) -> Result<(), LogError> {
        let inside = last.is_some_and(|last| asked <= last);
        if inside { Ok(()) } else { Err(LogError::Range { size: self.state.size, asked }) }
    }

    fn reader(&self) -> Tiles<'_> {
        Tiles { files: &self.files, state: &self.state }
    }

    /// Becomes the one writer, and catches up with a writer that was here since [`Log::open`].
    fn lock(&mut self) -> Result<(), LogError> {
        if self.lock.is_some() {
            return Ok(());
        }
        let lock = self.files.lock()?.ok_or(LogError::Busy)?;
        self.state = self.recover()?;
        self.lock = Some(lock);
        let leftovers = (BATCH as u64).div_ceil(TILE) + 1;
        self.prune((self.state.size / TILE).saturating_sub(leftovers));
        Ok(())
    }

    /// Removes partial tiles that became full, from leaf tile `first` on.
    fn prune(&self, first: u64) {
        let (mut from, mut to) = (first, self.state.size / TILE);
        (from..to).for_each(|number| self.files.remove_partial("entries", number));
        for level in 0.. {
            (from..to).for_each(|number| self.files.remove_partial(&format!("{level}"), number));
            (from, to) = (from / TILE, to / TILE);
            if to == 0 {
                return;
            }
        }
    }

    /// Loads the checkpoint and its right edge, and checks that they lead to the checkpoint's root.
    ///
    /// A writer may go on meanwhile and remove what became full: then the newer checkpoint is read.
    fn recover(&self) -> Result<State, LogError> {
        let mut note = self.files.read_optional(Path::new("checkpoint"))?;
        loop {
            let Some(bytes) = note else { return Ok(State::default()) };
            let loaded = self.load(&bytes);
            let newer = self.files.read_optional(Path::new("checkpoint"))?;
            if loaded.is_ok() || newer.as_ref() == Some(&bytes) {
                return loaded;
            }
            note = newer;
        }
    }

    fn load(&self, note: &[u8]) -> Result<State, LogError> {
        let damaged = |what: &str| LogError::Damaged(what.to_owned());
        let note = std::str::from_utf8(note).map_err(|_| damaged("checkpoint is not text"))?;
        let checkpoint = Checkpoint::verify(note, &self.key.public)
            .filter(|c| c.origin == self.origin)
            .ok_or_else(|| damaged("checkpoint is not signed by this log's key"))?;
        let mut state = State::load(checkpoint.size, note.to_owned(), &self.files)?;
        state.lines = checkpoint.lines;
        let root = tree::root(&mut Tiles { files: &self.files, state: &state }, 0, state.size)?;
        if root == checkpoint.root {
            Ok(state)
        } else {
            Err(damaged("tiles do not lead to the checkpoint's root"))
        }
    }
}

impl State {
    fn load(size: u64, note: String, files: &Files) -> Result<Self, LogError> {
        let mut edge = Vec::new();
        let mut count = size;
        while count > 0 {
            let (level, width) = (edge.len().to_string(), count % TILE);
            let mut hashes = Vec::new();
            if width > 0 {
                let path = tile_path(&level, count / TILE, width);
                hashes = as_hashes(&files.read(&path)?);
                if hashes.len() as u64 != width {
                    return Err(LogError::Damaged(format!("{} has another width", path.display())));
                }
            }
            edge.push(hashes);
            count /= TILE;
        }
        let mut bundle = Vec::new();
        if !size.is_multiple_of(TILE) {
            let path = tile_path("entries", size / TILE, size % TILE);
            bundle = files.read(&path)?;
            let leaves: Option<Vec<Hash>> =
                unbundle(&bundle).map(|all| all.into_iter().map(leaf_hash).collect());
            if leaves.as_ref() != edge.first() {
                return Err(LogError::Damaged(format!(
                    "{} does not hold the leaves of its tile",
                    path.display()
                )));
            }
        }
        Ok(Self { size, note, lines: Vec::new(), edge, bundle })
    }

    /// Adds a leaf; what becomes full is written.
    fn add(&mut self, leaf: &[u8], files: &Files) -> Result<(), LogError> {
        let length =
            u16::try_from(leaf.len()).map_err(|_| LogError::Damaged("leaf is too long".into()))?;
        self.bundle.extend_from_slice(&length.to_be_bytes());
        self.bundle.extend_from_slice(leaf);
        self.size += 1;
        if self.size.is_multiple_of(TILE) {
            files.write(&tile_path("entries", self.size / TILE - 1, 0), &self.bundle)?;
            self.bundle.clear();
        }
        let (mut hash, mut covered) = (leaf_hash(leaf), self.size);
        for level in 0.. {
            if self.edge.len() <= level {
                self.edge.push(Vec::new());
            }
            self.edge[level].push(hash);
            if (self.edge[level].len() as u64) < TILE {
                break;
            }
            let full = std::mem::take(&mut self.edge[level]);
            covered /= TILE;
            files.write(&tile_path(&level.to_string(), covered - 1, 0), &full.concat())?;
            hash = fold(&full);
        }
        Ok(())
    }

    /// Writes the partial tiles that `before` does not have.
    fn write_edge(&self, before: &Self, files: &Files) -> Result<(), LogError> {
        let (mut count, mut count_before) = (self.size, before.size);
        for (level, hashes) in self.edge.iter().enumerate() {
            if !hashes.is_empty() && count != count_before {
                files.write(
                    &tile_path(&level.to_string(), count / TILE, count % TILE),
                    &hashes.concat(),
                )?;
            }
            (count, count_before) = (count / TILE, count_before / TILE);
        }
        if self.bundle.is_empty() {
            return Ok(());
        }
        files.write(&tile_path("entries", self.size / TILE, self.size % TILE), &self.bundle)
    }
}

/// Drains the journal into the log once; gives how many leaves were added, at most [`BATCH`].
///
/// It waits for fsync: run it where blocking is allowed. The last leaf of the log is compared with
/// the journal's each time, so that a journal from an old backup is noticed and not silently skipped.
pub async fn sequence_once(journal: &dyn Journal, log: &mut Log) -> Result<usize, LogError> {
    log.lock()?;
    log.say_again()?;
    let overlap = usize::from(log.size() > 0);
    let from = log.size() - overlap as u64;
    let leaves = journal.sequence(from, BATCH + overlap).await?;
    if leaves.len() < overlap {
        return Err(LogError::Damaged("the journal is older than the log".into()));
    }
    if !leaves.iter().zip(from..).all(|((index, _), expected)| *index == expected) {
        return Err(LogError::Damaged("the journal skipped an index".into()));
    }
    let leaves: Vec<Vec<u8>> = leaves.into_iter().map(|(_, leaf)| leaf).collect();
    if leaves.len() > overlap {
        crash::point("log/sequenced");
    }
    log.append(from, &leaves)?;
    Ok(leaves.len() - overlap)
}

/// Hashes of complete subtrees, from the right edge in memory or from full tiles.
struct Tiles<'a> {
    files: &'a Files,
    state: &'a State,
}

impl Subtrees for Tiles<'_> {
    type Error = LogError;

    fn subtree(&mut self, height: u32, index: u64) -> Result<Hash, LogError> {
        let (level, inner) = (height / 8, height % 8);
        let first = index << inner;
        let (number, offset, count) = (first / TILE, first % TILE, 1u64 << inner);
        let of_level = self.state.size / TILE.pow(level);
        let range = offset as usize..(offset + count) as usize;
        let held = self.state.edge.get(level as usize).filter(|_| number == of_level / TILE);
        if let Some(hashes) = held.and_then(|hashes| hashes.get(range.clone())) {
            return Ok(fold(hashes));
        }
        let path = tile_path(&level.to_string(), number, 0);
        let bytes = self.files.read(&path)?;
        let slice = bytes.get(range.start * 32..range.end * 32);
        slice
            .map(|s| fold(&as_hashes(s)))
            .ok_or_else(|| LogError::Damaged(format!("{} is short", path.display())))
    }
}

/// Leaves moved from the journal to the log at once.
pub const BATCH: usize = 1024;
