//! The files of a store: every byte that is written goes through here, so that a test can fill the disk.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{ErrorKind, Write as _};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::StoreError;
use crate::tiles::create_durably;

/// The folder of one store. Clones are the same folder.
#[derive(Clone)]
pub(super) struct Disk {
    folder: Arc<PathBuf>,
    #[cfg(test)]
    pub(super) fuse: Fuse,
}

/// How many writes still succeed before the disk is full; shared by all threads of a store.
#[cfg(test)]
pub(super) type Fuse = Arc<std::sync::Mutex<Option<u32>>>;

impl Disk {
    pub(super) fn open(folder: &Path) -> Result<Self, StoreError> {
        create_durably(folder).map_err(|source| at(folder, source))?;
        Ok(Self {
            folder: Arc::new(folder.to_owned()),
            #[cfg(test)]
            fuse: Fuse::default(),
        })
    }

    /// Only for reading: nothing is created.
    pub(super) fn existing(folder: &Path) -> Self {
        Self {
            folder: Arc::new(folder.to_owned()),
            #[cfg(test)]
            fuse: Fuse::default(),
        }
    }

    pub(super) fn read(&self, path: &Path) -> Result<Vec<u8>, StoreError> {
        self.read_optional(path)?.ok_or_else(|| damaged(path, "is missing"))
    }

    pub(super) fn read_optional(&self, path: &Path) -> Result<Option<Vec<u8>>, StoreError> {
        match fs::read(self.folder.join(path)) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(e) if e.kind() == ErrorKind::NotFound => Ok(None),
            Err(source) => Err(at(path, source)),
        }
    }

    pub(super) fn exists(&self, path: &Path) -> bool {
        self.folder.join(path).exists()
    }

    /// Names in a folder, sorted; none when it is not there.
    pub(super) fn names(&self, path: &Path) -> Result<Vec<String>, StoreError> {
        let entries = match fs::read_dir(self.folder.join(path)) {
            Err(e) if e.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            other => other.map_err(|source| at(path, source))?,
        };
        let names: Result<Vec<_>, _> =
            entries.map(|e| e.map(|e| e.file_name().to_string_lossy().into_owned())).collect();
        let mut names = names.map_err(|source| at(path, source))?;
        names.sort();
        Ok(names)
    }

    /// Opens a file for writing and reading, made where it is missing.
    pub(super) fn file(&self, path: &Path) -> Result<File, StoreError> {
        let target = self.folder.join(path);
        self.burn(path, |_| Ok(()))?;
        target.parent().map_or(Ok(()), create_durably).map_err(|source| at(path, source))?;
        let mut options = fs::OpenOptions::new();
        let opened = options.create(true).truncate(false).read(true).write(true).open(&target);
        opened.map_err(|source| at(path, source))
    }

    /// Opens a file for reading; none when it is missing.
    pub(super) fn readable(&self, path: &Path) -> Result<Option<File>, StoreError> {
        match File::open(self.folder.join(path)) {
            Ok(file) => Ok(Some(file)),
            Err(e) if e.kind() == ErrorKind::NotFound => Ok(None),
            Err(source) => Err(at(path, source)),
        }
    }

    /// Writes at a place of a file; `path` is for the error.
    pub(super) fn write(
        &self,
        file: &File,
        path: &Path,
        bytes: &[u8],
        offset: u64,
    ) -> Result<(), StoreError> {
        self.burn(path, |half| file.write_all_at(&bytes[..bytes.len() * half / 2], offset))?;
        file.write_all_at(bytes, offset).map_err(|source| at(path, source))
    }

    /// Makes a file's content durable (`fdatasync`).
    pub(super) fn sync(&self, file: &File, path: &Path) -> Result<(), StoreError> {
        self.burn(path, |_| Ok(()))?;
        file.sync_data().map_err(|source| at(path, source))
    }

    /// A whole file at once: a reader sees all of it or nothing. Durable after [`Disk::settle`].
    pub(super) fn place(&self, path: &Path, bytes: &[u8]) -> Result<(), StoreError> {
        let target = self.folder.join(path);
        let temporary = temporary(&target);
        let write = |bytes: &[u8]| {
            target.parent().map_or(Ok(()), create_durably)?;
            File::create(&temporary)?.write_all(bytes)
        };
        self.burn(path, |half| write(&bytes[..bytes.len() * half / 2]))?;
        write(bytes)
            .and_then(|()| fs::rename(&temporary, &target))
            .map_err(|source| at(path, source))
    }

    /// Makes placed files durable, and their names.
    ///
    /// Many at once: a file system's journal takes all that wait into one commit.
    pub(super) fn settle<'p>(
        &self,
        paths: impl IntoIterator<Item = &'p PathBuf>,
    ) -> Result<(), StoreError> {
        let paths: Vec<&PathBuf> = paths.into_iter().collect();
        let folders: BTreeSet<&Path> = paths.iter().filter_map(|path| path.parent()).collect();
        let each = |paths: &[&PathBuf]| paths.iter().try_for_each(|path| self.settle_one(path));
        std::thread::scope(|scope| {
            let share = paths.len().div_ceil(AT_ONCE).max(1);
            let (first, others) = paths.split_at(share.min(paths.len()));
            let others: Vec<_> =
                others.chunks(share).map(|paths| scope.spawn(move || each(paths))).collect();
            let first = each(first);
            let others =
                others.into_iter().map(|other| other.join().expect("because it does not panic"));
            others.chain([first]).collect::<Result<(), _>>()
        })?;
        folders.into_iter().try_for_each(|folder| self.settle_one(folder))
    }

    fn settle_one(&self, path: &Path) -> Result<(), StoreError> {
        self.burn(path, |_| Ok(()))?;
        let synced = File::open(self.folder.join(path)).and_then(|file| file.sync_all());
        synced.map_err(|source| at(path, source))
    }

    /// Removes a file; one that is not there is gone already.
    pub(super) fn remove(&self, path: &Path) -> Result<(), StoreError> {
        match fs::remove_file(self.folder.join(path)) {
            Err(e) if e.kind() != ErrorKind::NotFound => Err(at(path, e)),
            _ => Ok(()),
        }
    }

    /// Removes a folder with what is in it. What cannot be removed only takes room.
    pub(super) fn clear(&self, path: &Path) {
        let _ = fs::remove_dir_all(self.folder.join(path));
    }

    /// Takes the lock of the one writer, which lasts as long as the file is open.
    pub(super) fn lock(&self) -> Result<File, StoreError> {
        let path = self.folder.join("lock");
        let file = fs::OpenOptions::new().create(true).truncate(false).write(true).open(&path);
        let file = file.map_err(|source| at(&path, source))?;
        match file.try_lock() {
            Ok(()) => Ok(file),
            Err(fs::TryLockError::WouldBlock) => Err(StoreError::Busy),
            Err(fs::TryLockError::Error(source)) => Err(at(&path, source)),
        }
    }

    /// Fails like a full disk: half of the bytes are there.
    #[cfg(test)]
    fn burn(
        &self,
        path: &Path,
        half: impl FnOnce(usize) -> std::io::Result<()>,
    ) -> Result<(), StoreError> {
        let mut fuse = self.fuse.lock().unwrap();
        match *fuse {
            Some(0) => {
                half(1).unwrap();
                Err(at(path, ErrorKind::StorageFull.into()))
            }
            Some(left) => {
                *fuse = Some(left - 1);
                Ok(())
            }
            None => Ok(()),
        }
    }

    #[cfg(not(test))]
    #[expect(clippy::unused_self, clippy::unnecessary_wraps, reason = "a test's disk can be full")]
    fn burn(
        &self,
        _: &Path,
        _: impl FnOnce(usize) -> std::io::Result<()>,
    ) -> Result<(), StoreError> {
        Ok(())
    }
}

pub(super) fn at(path: &Path, source: std::io::Error) -> StoreError {
    StoreError::File { path: path.to_owned(), source }
}

pub(super) fn damaged(path: &Path, what: &str) -> StoreError {
    StoreError::Damaged(format!("{} {what}", path.display()))
}

/// Files that are synced at the same time.
const AT_ONCE: usize = 16;

fn temporary(target: &Path) -> PathBuf {
    let mut name = target.as_os_str().to_owned();
    name.push(".tmp");
    name.into()
}
