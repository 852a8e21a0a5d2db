//! The key of the pseudonyms (`pseudonym.key`): kept, so that a person is the same number in the
//! events of yesterday. Who has it and a list of people can tell who is meant.

use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::Path;

use anyhow::{Context as _, ensure};
use exchange::Entropy;
use siem::PseudonymKey;

/// Reads the key, or makes one at the first start.
pub fn key(folder: &Path, entropy: &dyn Entropy) -> anyhow::Result<PseudonymKey> {
    let path = folder.join(NAME);
    let found = File::open(&path);
    if found.as_ref().is_err_and(|error| error.kind() == ErrorKind::NotFound) {
        make(folder, entropy).with_context(|| format!("cannot make {}", path.display()))?;
    }
    let mode = fs::metadata(&path).map(|file| file.mode() & 0o777);
    let mode = mode.with_context(|| format!("cannot read {}", path.display()))?;
    let others = mode & 0o077;
    ensure!(
        others == 0,
        "{} may be read by others (mode {mode:o}): chmod 600, or remove it for new pseudonyms",
        path.display()
    );
    let bytes = fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
    let length = bytes.len();
    let bytes: [u8; LENGTH] = bytes.try_into().ok().with_context(|| {
        format!("{} has {length} bytes, not {LENGTH}: it is damaged", path.display())
    })?;
    Ok(PseudonymKey::new(bytes))
}

/// Whole or absent, and never readable by others.
fn make(folder: &Path, entropy: &dyn Entropy) -> std::io::Result<()> {
    let mut bytes = [0; LENGTH];
    entropy.fill(&mut bytes);
    let temporary = folder.join(format!("{NAME}.tmp"));
    match fs::remove_file(&temporary) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = OpenOptions::new().create_new(true).write(true).mode(0o600).open(&temporary)?;
    file.write_all(&bytes)?;
    bytes.fill(0);
    file.sync_all()?;
    fs::rename(&temporary, folder.join(NAME))?;
    File::open(folder)?.sync_all()
}

const NAME: &str = "pseudonym.key";
/// Bytes of the key.
const LENGTH: usize = 32;

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use exchange::SystemEntropy;

    use super::*;

    #[test]
    fn the_key_is_made_once_for_our_eyes_only_and_a_bad_one_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let of = || key(folder.path(), &SystemEntropy).map(|key| key.of("patient", "1"));
        let first = of().unwrap();
        assert_eq!(of().unwrap(), first, "after a restart the same person is the same number");
        let path = folder.path().join(NAME);
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        assert!(of().unwrap_err().to_string().contains("may be read by others (mode 640)"));
        fs::set_permissions(&path, fs::Permissions::from_mode(0o400)).unwrap();
        assert_eq!(of().unwrap(), first);
        fs::remove_file(&path).unwrap();
        assert_ne!(of().unwrap(), first, "removed: new pseudonyms");
        for length in [0, 31, 33] {
            fs::write(&path, vec![7; length]).unwrap();
            let said = of().unwrap_err().to_string();
            assert!(said.contains(&format!("has {length} bytes, not 32")), "{said}");
        }
    }
}
