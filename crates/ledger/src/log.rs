//! The Merkle log in flat C2SP tlog-tiles files: a web server can serve the folder as it is.
//!
//! `tile/0/…` holds leaf hashes by 256, `tile/1/…` roots of full tiles, and so on;
//! `tile/entries/…` the leaves, each behind its u16 length; `checkpoint` the signed root. A partial
//! tile stands at `….p/W`. Appending is idempotent by index: the journal fixes a leaf's index
//! first, so what a crash cut off is written again with the same bytes.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};

use crate::journal::{Journal, JournalError};
use crate::note::Checkpoint;
use crate::tree::{self, Hash, Subtrees, leaf_hash, node_hash};

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
    /// A file does not hold what it should.
    #[error("log is damaged: {0}")]
    Damaged(String),
    /// The journal failed.
    #[error(transparent)]
    Journal(#[from] JournalError),
}

/// One node's log.
pub struct Log {
    folder: PathBuf,
    origin: String,
    key: Ed25519KeyPair,
    size: u64,
    /// Right edge: for each level, the hashes of the tile that is not full.
    edge: Vec<Vec<Hash>>,
    /// The entries of the bundle that is not full.
    bundle: Vec<u8>,
}

impl Log {
    /// Opens a log, or starts one. `origin` names it (`konfido.example/dk`); the Ed25519 key is kept
    /// in `key_file` (PKCS#8) and made when it is missing.
    pub fn open(folder: &Path, origin: &str, key_file: &Path) -> Result<Self, LogError> {
        fs::create_dir_all(folder).map_err(|source| LogError::File { path: folder.to_owned(), source })?;
        let key = load_key(key_file)?;
        let mut log =
            Self { folder: folder.to_owned(), origin: origin.to_owned(), key, size: 0, edge: Vec::new(), bundle: Vec::new() };
        if let Some(note) = log.read_optional(Path::new("checkpoint"))? {
            let note = String::from_utf8(note).map_err(|_| LogError::Damaged("checkpoint".into()))?;
            let checkpoint = Checkpoint::verify(&note, log.key.public_key().as_ref())
                .filter(|c| c.origin == log.origin)
                .ok_or_else(|| LogError::Damaged("checkpoint is not signed by this log's key".into()))?;
            log.recover(&checkpoint)?;
        }
        Ok(log)
    }

    /// Leaves that the checkpoint covers.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The log's name.
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// The log's Ed25519 public key, 32 bytes.
    pub fn public_key(&self) -> Vec<u8> {
        self.key.public_key().as_ref().to_vec()
    }

    /// Appends leaves that begin at `first`; those below [`Log::size`] are there already.
    pub fn append(&mut self, first: u64, leaves: &[Vec<u8>]) -> Result<(), LogError> {
        if first > self.size {
            return Err(LogError::Damaged(format!("leaf {first} would leave a gap after {}", self.size)));
        }
        let known = usize::try_from(self.size - first).unwrap_or(usize::MAX);
        let fresh = leaves.get(known..).unwrap_or(&[]);
        if fresh.is_empty() {
            return Ok(());
        }
        for leaf in fresh {
            let length = u16::try_from(leaf.len()).map_err(|_| LogError::Damaged("leaf is too long".into()))?;
            self.bundle.extend_from_slice(&length.to_be_bytes());
            self.bundle.extend_from_slice(leaf);
            self.push(0, leaf_hash(leaf))?;
            self.size += 1;
            if self.size.is_multiple_of(TILE) {
                let full = std::mem::take(&mut self.bundle);
                self.write(&tile_path("entries", self.size / TILE - 1, 0), &full)?;
            }
        }
        self.write_edge()?;
        let root = tree::root(&mut self.reader(self.size), 0, self.size)?;
        let checkpoint = Checkpoint { origin: self.origin.clone(), size: self.size, root };
        let note = checkpoint.sign(&self.key);
        self.write(Path::new("checkpoint"), note.as_bytes())
    }

    /// The signed checkpoint.
    pub fn checkpoint(&self) -> Result<String, LogError> {
        let note = self.read_optional(Path::new("checkpoint"))?.unwrap_or_default();
        String::from_utf8(note).map_err(|_| LogError::Damaged("checkpoint".into()))
    }

    /// Inclusion proof of a leaf under the current checkpoint.
    pub fn prove(&self, index: u64) -> Result<Vec<[u8; 32]>, LogError> {
        tree::inclusion(&mut self.reader(self.size), index, self.size)
    }

    fn reader(&self, size: u64) -> Tiles<'_> {
        Tiles { log: self, size }
    }

    /// Adds a hash to a level; a full tile's root moves up.
    fn push(&mut self, level: usize, hash: Hash) -> Result<(), LogError> {
        if self.edge.len() <= level {
            self.edge.push(Vec::new());
        }
        self.edge[level].push(hash);
        if self.edge[level].len() as u64 == TILE {
            let full = std::mem::take(&mut self.edge[level]);
            let number = (self.size + 1) / TILE.pow(u32::try_from(level + 1).unwrap_or(u32::MAX)) - 1;
            self.write(&tile_path(&level.to_string(), number, 0), &full.concat())?;
            self.push(level + 1, fold(&full))?;
        }
        Ok(())
    }

    fn write_edge(&self) -> Result<(), LogError> {
        for (level, hashes) in self.edge.iter().enumerate().filter(|(_, hashes)| !hashes.is_empty()) {
            let number = self.size / TILE.pow(u32::try_from(level + 1).unwrap_or(u32::MAX));
            self.write(&tile_path(&level.to_string(), number, hashes.len() as u64), &hashes.concat())?;
        }
        if !self.bundle.is_empty() {
            self.write(&tile_path("entries", self.size / TILE, self.size % TILE), &self.bundle)?;
        }
        Ok(())
    }

    /// Loads the right edge of a checkpoint and checks that it leads to the checkpoint's root.
    fn recover(&mut self, checkpoint: &Checkpoint) -> Result<(), LogError> {
        let size = checkpoint.size;
        let mut count = size;
        let mut level = 0;
        while count > 0 {
            let width = count % TILE;
            let hashes = if width == 0 {
                Vec::new()
            } else {
                let path = tile_path(&level.to_string(), count / TILE, width);
                let bytes = self.read(&path)?;
                bytes.chunks_exact(32).map(|c| c.try_into().expect("because chunks have 32 bytes")).collect()
            };
            self.edge.push(hashes);
            count /= TILE;
            level += 1;
        }
        if !size.is_multiple_of(TILE) {
            self.bundle = self.read(&tile_path("entries", size / TILE, size % TILE))?;
        }
        self.size = size;
        if tree::root(&mut self.reader(size), 0, size)? == checkpoint.root {
            Ok(())
        } else {
            Err(LogError::Damaged("tiles do not lead to the checkpoint's root".into()))
        }
    }

    fn read(&self, path: &Path) -> Result<Vec<u8>, LogError> {
        self.read_optional(path)?.ok_or_else(|| LogError::Damaged(format!("{} is missing", path.display())))
    }

    fn read_optional(&self, path: &Path) -> Result<Option<Vec<u8>>, LogError> {
        match fs::read(self.folder.join(path)) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(source) => Err(LogError::File { path: path.to_owned(), source }),
        }
    }

    /// Temporary file, fsync, rename: a reader never sees half a tile.
    fn write(&self, path: &Path, bytes: &[u8]) -> Result<(), LogError> {
        let target = self.folder.join(path);
        write_atomically(&target, bytes).map_err(|source| LogError::File { path: target, source })
    }
}

/// Drains the journal into the log once; gives how many leaves were added.
pub async fn sequence_once(journal: &dyn Journal, log: &mut Log) -> Result<usize, LogError> {
    let leaves = journal.sequence(log.size(), BATCH).await?;
    let Some(first) = leaves.first().map(|(index, _)| *index) else { return Ok(0) };
    let consecutive = leaves.iter().zip(first..).all(|((index, _), expected)| *index == expected);
    if !consecutive {
        return Err(LogError::Damaged("the journal skipped an index".into()));
    }
    let count = leaves.len();
    let leaves: Vec<Vec<u8>> = leaves.into_iter().map(|(_, leaf)| leaf).collect();
    log.append(first, &leaves)?;
    Ok(count)
}

struct Tiles<'a> {
    log: &'a Log,
    size: u64,
}

impl Subtrees for Tiles<'_> {
    type Error = LogError;

    fn subtree(&mut self, height: u32, index: u64) -> Result<Hash, LogError> {
        let (level, inner) = (height / 8, height % 8);
        let first = index << inner;
        let (number, offset, count) = (first / TILE, first % TILE, 1u64 << inner);
        let of_level = self.size / TILE.pow(level);
        let edge = &self.log.edge;
        let held = edge.get(level as usize).filter(|_| number == of_level / TILE);
        let range = offset as usize..(offset + count) as usize;
        if let Some(hashes) = held.and_then(|hashes| hashes.get(range.clone())) {
            return Ok(fold(hashes));
        }
        let path = tile_path(&level.to_string(), number, 0);
        let bytes = self.log.read(&path)?;
        let slice = bytes.get(range.start * 32..range.end * 32);
        let slice = slice.ok_or_else(|| LogError::Damaged(format!("{} is short", path.display())))?;
        let hashes: Vec<Hash> =
            slice.chunks_exact(32).map(|c| c.try_into().expect("because chunks have 32 bytes")).collect();
        Ok(fold(&hashes))
    }
}

/// Root of a power of two of hashes.
fn fold(hashes: &[Hash]) -> Hash {
    let mut row = hashes.to_vec();
    while row.len() > 1 {
        row = row.chunks_exact(2).map(|pair| node_hash(&pair[0], &pair[1])).collect();
    }
    row[0]
}

/// `tile/<level>/x001/x234/067[.p/W]` (c2sp.org/tlog-tiles).
fn tile_path(level: &str, number: u64, width: u64) -> PathBuf {
    let mut path = PathBuf::from("tile").join(level);
    let digits = format!("{number:03}");
    let digits = format!("{digits:0>width$}", width = digits.len().div_ceil(3) * 3);
    let groups: Vec<&str> = (0..digits.len()).step_by(3).map(|at| &digits[at..at + 3]).collect();
    let (last, front) = groups.split_last().expect("because a number has digits");
    front.iter().for_each(|group| path.push(format!("x{group}")));
    if width == 0 {
        path.push(last);
    } else {
        path.push(format!("{last}.p"));
        path.push(width.to_string());
    }
    path
}

fn write_atomically(target: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let folder = target.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(folder)?;
    let temporary = target.with_extension("tmp");
    let mut file = fs::File::create(&temporary)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&temporary, target)?;
    fs::File::open(folder)?.sync_all()
}

fn load_key(path: &Path) -> Result<Ed25519KeyPair, LogError> {
    let file = |source| LogError::File { path: path.to_owned(), source };
    let damaged = || LogError::Damaged(format!("{} is no Ed25519 key", path.display()));
    if !path.exists() {
        let document = Ed25519KeyPair::generate_pkcs8(&aws_lc_rs::rand::SystemRandom::new()).map_err(|_| damaged())?;
        write_atomically(path, document.as_ref()).map_err(file)?;
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            fs::set_permissions(path, fs::Permissions::from_mode(0o600)).map_err(file)?;
        }
    }
    Ed25519KeyPair::from_pkcs8(&fs::read(path).map_err(file)?).map_err(|_| damaged())
}

/// Hashes in a full tile.
const TILE: u64 = 256;
/// Leaves moved from the journal to the log at once.
pub const BATCH: usize = 1024;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::note::Checkpoint;

    fn leaf(number: usize) -> Vec<u8> {
        format!("leaf {number}").into_bytes()
    }

    #[test]
    fn roots_and_proofs_agree_with_a_foreign_tree() {
        let folder = tempfile::tempdir().unwrap();
        let mut log = Log::open(folder.path(), "konfido.example/dk", &folder.path().join("key")).unwrap();
        let mut foreign: ct_merkle::mem_backed_tree::MemoryBackedTree<sha2::Sha256, Vec<u8>> =
            ct_merkle::mem_backed_tree::MemoryBackedTree::new();
        let mut size = 0;
        for step in [1, 1, 2, 3, 100, 149, 1, 255, 256, 257, 66_000] {
            let leaves: Vec<_> = (size..size + step).map(leaf).collect();
            log.append(size as u64, &leaves).unwrap();
            leaves.into_iter().for_each(|l| foreign.push(l));
            size += step;
            let checkpoint = Checkpoint::verify(&log.checkpoint().unwrap(), &log.public_key()).unwrap();
            assert_eq!(checkpoint.size, size as u64);
            assert_eq!(checkpoint.root[..], foreign.root().as_bytes()[..], "root at {size}");
            for index in [0, size / 3, size - 1] {
                let proof = log.prove(index as u64).unwrap();
                let found = tree::root_of_inclusion(leaf_hash(&leaf(index)), index as u64, size as u64, &proof);
                assert_eq!(found, Some(checkpoint.root), "leaf {index} of {size}");
                assert_eq!(proof.concat(), foreign.prove_inclusion(index).as_bytes(), "proof {index} of {size}");
            }
            log = Log::open(folder.path(), "konfido.example/dk", &folder.path().join("key")).unwrap();
            assert_eq!(log.size(), size as u64, "reopened");
        }
    }

    #[test]
    fn appending_again_changes_nothing_and_damage_is_seen() {
        let folder = tempfile::tempdir().unwrap();
        let key = folder.path().join("key");
        let mut log = Log::open(folder.path(), "o", &key).unwrap();
        let leaves: Vec<_> = (0..300).map(leaf).collect();
        log.append(0, &leaves).unwrap();
        let before = log.checkpoint().unwrap();
        log.append(0, &leaves).unwrap();
        log.append(10, &leaves[10..]).unwrap();
        assert_eq!(log.checkpoint().unwrap(), before);
        assert!(log.append(301, &leaves).is_err(), "a gap");
        fs::write(folder.path().join("tile/0/001.p/44"), vec![0; 44 * 32]).unwrap();
        assert!(Log::open(folder.path(), "o", &key).is_err());
    }
}
