//! The files of a log: where each tile stands, and how a file is written so that it is whole or absent.

use std::fs;
use std::io::{ErrorKind, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use trust::seal::SigningKey;

use super::{LogError, LogKey};
use crate::tiles::{create_durably, tile_path};

/// The folder of one log.
pub(super) struct Files {
    folder: PathBuf,
    /// Tests: how many writes still succeed before the disk fails.
    #[cfg(test)]
    pub(super) fuse: std::cell::Cell<Option<u32>>,
}

impl Files {
    pub(super) fn open(folder: &Path) -> Result<Self, LogError> {
        create_durably(folder)
            .map_err(|source| LogError::File { path: folder.to_owned(), source })?;
        Ok(Self {
            folder: folder.to_owned(),
            #[cfg(test)]
            fuse: std::cell::Cell::new(None),
        })
    }

    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    pub(super) fn read(&self, path: &Path) -> Result<Vec<u8>, LogError> {
        self.read_optional(path)?
            .ok_or_else(|| LogError::Damaged(format!("{} is missing", path.display())))
    }

    pub(super) fn read_optional(&self, path: &Path) -> Result<Option<Vec<u8>>, LogError> {
        match fs::read(self.folder.join(path)) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(e) if e.kind() == ErrorKind::NotFound => Ok(None),
            Err(source) => Err(LogError::File { path: path.to_owned(), source }),
        }
    }

    /// Temporary file, fsync, rename, fsync of the folder: a reader never sees half a tile.
    pub(super) fn write(&self, path: &Path, bytes: &[u8]) -> Result<(), LogError> {
        let target = self.folder.join(path);
        #[cfg(test)]
        self.burn(&target, bytes)?;
        write_atomically(&target, bytes, 0o644)
            .map_err(|source| LogError::File { path: target, source })
    }

    /// Removes the partial forms of a tile whose full form is covered by a checkpoint (C2SP
    /// tlog-tiles allows it). What cannot be removed only takes room.
    pub(super) fn remove_partial(&self, level: &str, number: u64) {
        let mut path = self.folder.join(tile_path(level, number, 0)).into_os_string();
        path.push(".p");
        let _ = fs::remove_dir_all(path);
    }

    /// Takes the lock of the one writer; `None` when another process has it.
    pub(super) fn lock(&self) -> Result<Option<fs::File>, LogError> {
        let path = self.folder.join("lock");
        let file = fs::OpenOptions::new().create(true).truncate(false).write(true).open(&path);
        let file = file.map_err(|source| LogError::File { path: path.clone(), source })?;
        match file.try_lock() {
            Ok(()) => Ok(Some(file)),
            Err(fs::TryLockError::WouldBlock) => Ok(None),
            Err(fs::TryLockError::Error(source)) => Err(LogError::File { path, source }),
        }
    }

    /// Fails like a disk that fills up: half a temporary file is left behind.
    #[cfg(test)]
    fn burn(&self, target: &Path, bytes: &[u8]) -> Result<(), LogError> {
        match self.fuse.get() {
            Some(0) => {
                fs::create_dir_all(target.parent().unwrap()).unwrap();
                fs::write(temporary(target), &bytes[..bytes.len() / 2]).unwrap();
                Err(LogError::File {
                    path: target.to_owned(),
                    source: ErrorKind::StorageFull.into(),
                })
            }
            Some(left) => {
                self.fuse.set(Some(left - 1));
                Ok(())
            }
            None => Ok(()),
        }
    }
}

/// Reads the log's Ed25519 key (PKCS#8), or makes one that only we may read.
pub(super) fn load_key(path: &Path) -> Result<LogKey, LogError> {
    let file = |source| LogError::File { path: path.to_owned(), source };
    let damaged = || LogError::Damaged(format!("{} is no Ed25519 key", path.display()));
    if !path.exists() {
        let document = SigningKey::new_ed25519().ok_or_else(damaged)?;
        write_atomically(path, &document, 0o600).map_err(file)?;
    }
    let bytes = zeroize::Zeroizing::new(fs::read(path).map_err(file)?);
    let key = SigningKey::from_ed25519(&bytes).map_err(|_| damaged())?;
    let public = key.public().to_vec();
    Ok(LogKey::new(Arc::new(key), public))
}

fn write_atomically(target: &Path, bytes: &[u8], mode: u32) -> std::io::Result<()> {
    use std::os::unix::fs::OpenOptionsExt as _;
    let folder = target.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    create_durably(folder)?;
    let temporary = temporary(target);
    match fs::remove_file(&temporary) {
        Err(e) if e.kind() != ErrorKind::NotFound => return Err(e),
        _ => {}
    }
    let mut file =
        fs::OpenOptions::new().create_new(true).write(true).mode(mode).open(&temporary)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&temporary, target)?;
    fs::File::open(folder)?.sync_all()
}

fn temporary(target: &Path) -> PathBuf {
    let mut name = target.as_os_str().to_owned();
    name.push(".tmp");
    name.into()
}
