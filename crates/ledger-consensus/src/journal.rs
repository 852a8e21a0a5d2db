//! The one rule about journals: a validator never votes with an old copy of them.
//!
//! A member that lost its newest votes may vote once more, otherwise, in a view that it voted in. So
//! the journals are locked while they are used, and each start writes a new number into them and into
//! the witness file beside the chain's store. A copy that was restored carries an older number than
//! the witness, and is refused; so is an empty journal beside a chain that this key has voted in. When
//! both are restored together (a whole machine from a backup) nothing here can tell: then a new
//! consensus key is the only safe way, as when the journals are lost.

use std::fs::{self, File, TryLockError};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::epochs::write_durably;

/// Why the journals may not be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum JournalError {
    /// Two processes with one journal would vote twice.
    #[error("{0} is in use by another process")]
    InUse(PathBuf),
    /// An older copy than the one that voted last.
    #[error(
        "{0} is not the journal that this key voted with last: it was restored, copied or removed. \
         Give this member a new consensus key, or bring the last journal back"
    )]
    Old(PathBuf),
    /// The chain goes further than the journal ever did.
    #[error(
        "{0} ends {1} blocks before the chain does, more than a crash can lose: it was restored. \
         Give this member a new consensus key, or bring the last journal back"
    )]
    Behind(PathBuf, u64),
    /// The disk's fault.
    #[error("{0}: {1}")]
    Io(PathBuf, #[source] io::Error),
}

/// What stands in both files.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Mark {
    #[serde(with = "crate::config::key_text")]
    key: [u8; 32],
    starts: u64,
    /// Makes two starts from one copy differ.
    nonce: u64,
    /// The chain's height that the journal is known to have reached.
    height: u64,
}

/// The height that this key's journals are known to have reached: the chain beside them was final up to
/// there, and one that ends before it is an older copy. None where there are no journals of this key.
pub fn reached(
    journals: &Path,
    witness: &Path,
    key: &[u8; 32],
) -> Result<Option<u64>, JournalError> {
    let here = read(&journals.join(folder_of(key)).join(MARK))?;
    let marks = here.into_iter().chain(read(witness)?);
    Ok(marks.filter(|mark| mark.key == *key).map(|mark| mark.height).max())
}

fn folder_of(key: &[u8; 32]) -> String {
    hex::encode(&key[..8])
}

/// The journals of one key, locked.
pub(crate) struct Journal {
    folder: PathBuf,
    mark: Mark,
    /// The height that was reached last; the mark on the disk may be behind.
    last: u64,
    _lock: File,
}

impl Journal {
    /// Locks the journals of this key under `root` and starts a new number. `nonce` is random.
    pub(crate) fn open(
        root: &Path,
        witness: &Path,
        key: [u8; 32],
        height: u64,
        nonce: u64,
    ) -> Result<Self, JournalError> {
        let folder = root.join(folder_of(&key));
        fs::create_dir_all(&folder).map_err(|error| JournalError::Io(folder.clone(), error))?;
        let lock = lock(&folder)?;
        let here = read(&folder.join(MARK))?;
        // another key's witness says nothing about this one
        let there = read(witness)?.filter(|mark| mark.key == key);
        let start = |mark: &Mark| (mark.starts, mark.nonce);
        if here.as_ref().map(start) != there.as_ref().map(start) {
            // the crash between the two writes of the last start: the journal has the newer number
            let torn = match (&here, &there) {
                (Some(here), Some(there)) => here.starts == there.starts + 1,
                (Some(here), None) => here.starts == 1,
                _ => false,
            };
            if !torn {
                return Err(JournalError::Old(folder));
            }
        }
        if let Some(mark) = &here
            && height > mark.height + SLACK
        {
            return Err(JournalError::Behind(folder, height - mark.height));
        }
        let starts = here.map_or(0, |mark| mark.starts) + 1;
        let mark = Mark { key, starts, nonce, height };
        let journal = Self { folder, mark, last: height, _lock: lock };
        journal.write(&journal.folder.join(MARK))?;
        journal.write(witness)?;
        Ok(journal)
    }

    /// Where the engine's own files go.
    pub(crate) fn storage(&self) -> PathBuf {
        self.folder.join("storage")
    }

    /// To be called as the chain grows. Written now and then: what a restored copy lacks is measured
    /// in [`SLACK`].
    pub(crate) fn reached(&mut self, height: u64) -> Result<(), JournalError> {
        self.last = self.last.max(height);
        if height < self.mark.height + SLACK / 2 {
            return Ok(());
        }
        self.mark.height = height;
        // the witness keeps the number of the start only: that is what it is compared by
        self.write(&self.folder.join(MARK))
    }

    fn write(&self, path: &Path) -> Result<(), JournalError> {
        let failed = |error| JournalError::Io(path.to_owned(), error);
        let bytes = serde_json::to_vec(&self.mark).map_err(|error| failed(error.into()))?;
        write_durably(path, &bytes).map_err(failed)
    }
}

/// A stop says how far it came, so that every older copy of the chain is known at the next start.
impl Drop for Journal {
    fn drop(&mut self) {
        if self.last > self.mark.height {
            self.mark.height = self.last;
            if let Err(error) = self.write(&self.folder.join(MARK)) {
                tracing::warn!(%error, "the last height is not noted");
            }
        }
    }
}

fn lock(folder: &Path) -> Result<File, JournalError> {
    let path = folder.join("lock");
    let failed = |error| JournalError::Io(path.clone(), error);
    let file =
        File::options().create(true).truncate(false).write(true).open(&path).map_err(failed)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(JournalError::InUse(folder.to_owned())),
        Err(TryLockError::Error(error)) => Err(failed(error)),
    }
}

fn read(path: &Path) -> Result<Option<Mark>, JournalError> {
    let bytes = match fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(JournalError::Io(path.to_owned(), error)),
    };
    let mark = serde_json::from_slice(&bytes);
    mark.map(Some).map_err(|error| JournalError::Io(path.to_owned(), error.into()))
}

const MARK: &str = "mark";
/// How far the chain may be ahead of what the journal noted.
const SLACK: u64 = 64;

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: [u8; 32] = [1; 32];

    fn open(root: &Path, height: u64, nonce: u64) -> Result<Journal, JournalError> {
        Journal::open(&root.join("engine"), &root.join("witness"), KEY, height, nonce)
    }

    #[test]
    fn a_journal_starts_again_and_again() {
        let disk = tempfile::tempdir().unwrap();
        for nonce in 0..3 {
            assert_eq!(open(disk.path(), 0, nonce).unwrap().mark.starts, nonce + 1);
        }
    }

    #[test]
    fn a_crash_between_the_two_writes_of_a_start_is_no_restored_copy() {
        let disk = tempfile::tempdir().unwrap();
        drop(open(disk.path(), 0, 0).unwrap());
        let witness = fs::read(disk.path().join("witness")).unwrap();
        drop(open(disk.path(), 0, 1).unwrap());
        // the second start's witness was never written
        fs::write(disk.path().join("witness"), witness).unwrap();
        assert!(open(disk.path(), 0, 2).is_ok());
        // and the first's neither
        let disk = tempfile::tempdir().unwrap();
        drop(open(disk.path(), 0, 0).unwrap());
        fs::remove_file(disk.path().join("witness")).unwrap();
        assert!(open(disk.path(), 0, 1).is_ok());
    }

    /// The copy was taken from a journal that ran on without a restart: only its height tells.
    #[test]
    fn a_journal_that_ends_long_before_the_chain_is_refused() {
        let disk = tempfile::tempdir().unwrap();
        let mut journal = open(disk.path(), 0, 0).unwrap();
        let mark = journal.folder.join(MARK);
        let old = fs::read(&mark).unwrap();
        for height in 1..=200 {
            journal.reached(height).unwrap();
        }
        drop(journal);
        assert!(open(disk.path(), 200, 1).is_ok());
        let disk = tempfile::tempdir().unwrap();
        let mut journal = open(disk.path(), 0, 0).unwrap();
        for height in 1..=200 {
            journal.reached(height).unwrap();
        }
        let mark = journal.folder.join(MARK);
        drop(journal);
        fs::write(mark, old).unwrap();
        assert!(matches!(open(disk.path(), 200, 1), Err(JournalError::Behind(_, 200))));
    }

    #[test]
    fn what_was_reached_is_known_without_starting() {
        let disk = tempfile::tempdir().unwrap();
        let (root, witness) = (disk.path().join("engine"), disk.path().join("witness"));
        let known = |key| reached(&root, &witness, key).unwrap();
        assert_eq!(known(&KEY), None);
        drop(open(disk.path(), 7, 0).unwrap());
        assert_eq!((known(&KEY), known(&[2; 32])), (Some(7), None));
        let mut journal = open(disk.path(), 9, 1).unwrap();
        journal.reached(9 + SLACK).unwrap();
        assert_eq!(known(&KEY), Some(9 + SLACK), "now and then while it runs");
        journal.reached(10 + SLACK).unwrap();
        assert_eq!(known(&KEY), Some(9 + SLACK));
        drop(journal);
        assert_eq!(known(&KEY), Some(10 + SLACK), "and when it stops");
        // without the journals the witness still knows of the last start
        fs::remove_dir_all(&root).unwrap();
        assert_eq!(known(&KEY), Some(9));
    }

    #[test]
    fn a_new_key_has_journals_of_its_own() {
        let disk = tempfile::tempdir().unwrap();
        drop(open(disk.path(), 0, 0).unwrap());
        fs::remove_dir_all(disk.path().join("engine")).unwrap();
        assert!(matches!(open(disk.path(), 900, 1), Err(JournalError::Old(_))));
        let (root, witness) = (disk.path().join("engine"), disk.path().join("witness"));
        assert!(Journal::open(&root, &witness, [2; 32], 900, 1).is_ok());
    }
}
