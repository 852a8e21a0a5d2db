//! The file of a store: whole or absent, and written by one process at a time.

use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Read as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use super::MAX_FILE;
use crate::keyfile;

/// In the data folder.
pub(crate) const NAME: &str = "vault.sealed";
/// Held by the process that reads the store to write the next one.
const LOCK: &str = "vault.lock";

/// The bytes of the store; `None` when there is none.
pub(crate) fn read(folder: &Path) -> Result<Option<Vec<u8>>, String> {
    let path = folder.join(NAME);
    let told = |e| format!("cannot read {}: {e}", path.display());
    let file = match File::open(&path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        found => found.map_err(told)?,
    };
    let mut bytes = Vec::new();
    file.take(MAX_FILE as u64 + 1).read_to_end(&mut bytes).map_err(told)?;
    Ok(Some(bytes))
}

/// Temporary file, fsync, rename, fsync of the folder.
pub(crate) fn write(folder: &Path, bytes: &[u8]) -> Result<(), String> {
    let told = |e| format!("cannot write {}: {e}", folder.join(NAME).display());
    keyfile::make(folder, NAME, bytes).map_err(told)
}

/// Waits until nobody else writes; given back when it is dropped.
pub(crate) fn lock(folder: &Path) -> Result<File, String> {
    let path = folder.join(LOCK);
    let told = |e| format!("cannot lock {}: {e}", path.display());
    fs::create_dir_all(folder).map_err(told)?;
    let mut options = OpenOptions::new();
    let file = options.create(true).truncate(false).write(true).mode(0o600).open(&path);
    let file = file.map_err(told)?;
    file.lock().map_err(told)?;
    Ok(file)
}
