//! Keys of 32 random bytes that a node makes at its first start and keeps in files.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::Path;

use exchange::Entropy;
use zeroize::Zeroizing;

/// Reads the key, or makes one at the first start. `removed` says what removing the file does.
pub fn key(
    folder: &Path,
    name: &str,
    removed: &str,
    entropy: &dyn Entropy,
) -> io::Result<Zeroizing<[u8; LENGTH]>> {
    let path = folder.join(name);
    if fs::metadata(&path).is_err_and(|error| error.kind() == ErrorKind::NotFound) {
        let mut bytes = Zeroizing::new([0; LENGTH]);
        entropy.fill(bytes.as_mut());
        make(folder, name, bytes.as_ref()).map_err(told("make", &path))?;
    }
    let bytes = read(folder, name, removed)?;
    Ok(Zeroizing::new(bytes.as_slice().try_into().expect("because its length was looked at")))
}

/// Reads the key; one that is not there is [`ErrorKind::NotFound`].
pub(crate) fn read(folder: &Path, name: &str, removed: &str) -> io::Result<Zeroizing<Vec<u8>>> {
    let path = folder.join(name);
    let mode = fs::metadata(&path).map_err(told("read", &path))?.mode() & 0o777;
    if mode & 0o077 != 0 {
        return Err(io::Error::other(format!(
            "{} may be read by others (mode {mode:o}): chmod 600, or remove it to {removed}",
            path.display()
        )));
    }
    let bytes = Zeroizing::new(fs::read(&path).map_err(told("read", &path))?);
    if bytes.len() == LENGTH {
        return Ok(bytes);
    }
    let length = bytes.len();
    let path = path.display();
    Err(io::Error::other(format!("{path} has {length} bytes, not {LENGTH}: it is damaged")))
}

fn told(what: &str, path: &Path) -> impl Fn(io::Error) -> io::Error {
    let what = format!("cannot {what} {}", path.display());
    move |error| io::Error::new(error.kind(), format!("{what}: {error}"))
}

/// Whole or absent, and never readable by others.
pub fn make(folder: &Path, name: &str, bytes: &[u8]) -> io::Result<()> {
    let temporary = folder.join(format!("{name}.tmp"));
    match fs::remove_file(&temporary) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = OpenOptions::new().create_new(true).write(true).mode(0o600).open(&temporary)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&temporary, folder.join(name))?;
    File::open(folder)?.sync_all()
}

/// Bytes of the key.
pub const LENGTH: usize = 32;

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use exchange::SystemEntropy;

    use super::*;

    const NAME: &str = "test.key";

    #[test]
    fn the_key_is_made_once_for_our_eyes_only_and_a_bad_one_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let of = || key(folder.path(), NAME, "forget", &SystemEntropy);
        let first = of().unwrap();
        assert_eq!(of().unwrap(), first, "after a restart it is the same");
        let path = folder.path().join(NAME);
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        assert!(of().unwrap_err().to_string().contains("may be read by others (mode 640)"));
        fs::set_permissions(&path, fs::Permissions::from_mode(0o400)).unwrap();
        assert_eq!(of().unwrap(), first);
        fs::remove_file(&path).unwrap();
        assert_ne!(of().unwrap(), first, "removed: a new one");
        for length in [0, 31, 33] {
            fs::write(&path, vec![7; length]).unwrap();
            let said = of().unwrap_err().to_string();
            assert!(said.contains(&format!("has {length} bytes, not 32")), "{said}");
        }
    }
}
