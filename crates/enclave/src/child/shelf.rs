//! Where a vault process takes its keys from: its sealed store, or files.

use std::io::Read as _;
use std::path::Path;

use exchange::{Country, SystemEntropy};
use trust::seal::SigningKey;
use zeroize::Zeroizing;

use crate::keyfile;
use crate::ring::{Ring, Use};
use crate::store::opening::{self, Opened};
use crate::store::{Access, MAX_KEY, Place};

/// The store, where there is one, until all keys are taken.
pub(super) struct Shelf(Option<(Opened, Place, Access)>);

impl Shelf {
    /// `None` where no store may be.
    pub(super) fn open(store: Option<(Place, u8)>, country: Country) -> Result<Self, String> {
        let Some((place, access)) = store else { return Ok(Self(None)) };
        let access = if access == WRITES { Access::Write } else { Access::Read };
        let opened = opening::open(&place, country, access)?;
        Ok(Self(opened.map(|opened| (opened, place, access))))
    }

    /// Adds a key: the store's of this name, or the file's.
    pub(super) fn add(
        &self,
        purpose: Use,
        name: &str,
        file: &Path,
        ring: &mut Ring,
    ) -> Result<(), String> {
        let kept =
            self.0.as_ref().and_then(|(store, ..)| store.contents.find(purpose.stored(), name));
        match kept {
            Some(kept) => ring.add(purpose, &kept.bytes).map_err(|e| format!("{name}: {e}")),
            None => {
                let bytes = contents(file, purpose)?;
                ring.add(purpose, &bytes).map_err(|e| format!("{}: {e}", file.display()))
            }
        }
    }

    /// Writes the next store, and gives its counter; all keys that stay are the ring's.
    pub(super) fn close(&mut self) -> Result<Option<u64>, String> {
        let Some((mut store, place, access)) = self.0.take() else { return Ok(None) };
        if access == Access::Write {
            store.write(&place)?;
        }
        Ok(Some(store.contents.counter))
    }
}

/// The file of a key; those of our own are made when they are missing.
fn contents(path: &Path, purpose: Use) -> Result<Zeroizing<Vec<u8>>, String> {
    let (folder, name) = (path.parent().unwrap_or(path), path.file_name());
    let name = name.unwrap_or_default().to_string_lossy();
    if let Some(removed) = purpose.removed() {
        let key = keyfile::key(folder, &name, removed, &SystemEntropy);
        return key.map(|key| Zeroizing::new(key.to_vec())).map_err(|e| e.to_string());
    }
    if purpose == Use::Log && !path.exists() {
        let key = SigningKey::new_ed25519().ok_or("no chance")?;
        keyfile::make(folder, &name, &key)
            .map_err(|e| format!("cannot make {}: {e}", path.display()))?;
    }
    read(path)
}

/// The bytes of a file that is no longer than a key.
pub(super) fn read(path: &Path) -> Result<Zeroizing<Vec<u8>>, String> {
    let told = |e| format!("cannot read {}: {e}", path.display());
    // as large as it may get: a vector that grows leaves pieces behind
    let mut bytes = Zeroizing::new(Vec::with_capacity(MAX_KEY + 1));
    let file = std::fs::File::open(path).map_err(told)?;
    file.take(MAX_KEY as u64 + 1).read_to_end(&mut bytes).map_err(told)?;
    if bytes.len() > MAX_KEY {
        return Err(format!("{} is too large for a key", path.display()));
    }
    Ok(bytes)
}

/// How a frame says [`Access::Write`].
pub(crate) const WRITES: u8 = 1;
/// And [`Access::Read`].
pub(crate) const READS: u8 = 2;
