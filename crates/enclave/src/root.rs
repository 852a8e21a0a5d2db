//! The root key of a vault: 32 bytes from which the key of its sealed store is derived.
//!
//! Where it is kept is a [`Source`]; the vault process reads it there itself, before it locks itself in.
//! A further source (a PUF) is a variant more, with its three answers: found, kept, named.

use std::fs;
use std::io::ErrorKind;
use std::path::PathBuf;

use aws_lc_rs::aead::{AES_256_GCM, LessSafeKey, UnboundKey};
use aws_lc_rs::hkdf::{HKDF_SHA256, KeyType, Salt};
use exchange::Entropy;
use zeroize::Zeroizing;

use crate::VaultError;
use crate::keyfile;
use crate::protocol::{Parts, Reader};
#[cfg(feature = "tpm")]
use crate::tpm;

/// Where a root key is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// `root.key` in this folder: 32 bytes that only their owner may read.
    File(PathBuf),
    /// `root.tpm` in a folder: sealed by a TPM 2.0, which opens it on this machine only.
    #[cfg(feature = "tpm")]
    Tpm(tpm::Place),
}

/// A root key. On the heap, which is secret memory in a vault process. No `Debug`, no `Clone`.
pub(crate) struct Root(Zeroizing<Vec<u8>>);

impl Root {
    /// A new one.
    pub(crate) fn make(entropy: &dyn Entropy) -> Self {
        let mut bytes = Zeroizing::new(vec![0; LENGTH]);
        entropy.fill(&mut bytes);
        Self(bytes)
    }

    /// From its bytes.
    pub(crate) fn of(bytes: Zeroizing<Vec<u8>>) -> Option<Self> {
        (bytes.len() == LENGTH).then_some(Self(bytes))
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// A name that says which root it is, and nothing of it.
    pub(crate) fn id(&self) -> RootId {
        let mut id = [0; 8];
        self.derive(b"", b"konfido root id 1", &mut id);
        RootId(id)
    }

    /// The key of one file: `salt` is the file's own.
    pub(crate) fn key(&self, salt: &[u8], purpose: &[u8]) -> LessSafeKey {
        let mut key = Zeroizing::new(vec![0; LENGTH]);
        self.derive(salt, purpose, &mut key);
        let key = UnboundKey::new(&AES_256_GCM, &key).expect("because the key has 32 bytes");
        LessSafeKey::new(key)
    }

    /// HKDF-SHA256 (RFC 5869).
    fn derive(&self, salt: &[u8], purpose: &[u8], into: &mut [u8]) {
        let extracted = Salt::new(HKDF_SHA256, salt).extract(&self.0);
        extracted
            .expand(&[purpose], Length(into.len()))
            .and_then(|made| made.fill(into))
            .expect("because it is shorter than 255 hashes");
    }
}

/// Which root key something is of; public.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct RootId(pub [u8; 8]);

impl std::fmt::Display for RootId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl std::fmt::Debug for RootId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "RootId({self})")
    }
}

struct Length(usize);

impl KeyType for Length {
    fn len(&self) -> usize {
        self.0
    }
}

impl Source {
    /// The root key that is kept there; `None` when there is none.
    pub(crate) fn find(&self) -> Result<Option<Root>, String> {
        match self {
            Self::File(folder) => match keyfile::read(folder, FILE, LOST) {
                Ok(bytes) => Ok(Root::of(bytes)),
                Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
                Err(error) => Err(error.to_string()),
            },
            #[cfg(feature = "tpm")]
            Self::Tpm(place) => Ok(tpm::find(place)?.and_then(Root::of)),
        }
    }

    /// Keeps this one there, in the place of any other.
    pub(crate) fn keep(&self, root: &Root) -> Result<(), String> {
        match self {
            Self::File(folder) => {
                let told = |e| format!("cannot write {}: {e}", folder.join(FILE).display());
                fs::create_dir_all(folder).map_err(told)?;
                keyfile::make(folder, FILE, root.bytes()).map_err(told)
            }
            #[cfg(feature = "tpm")]
            Self::Tpm(place) => tpm::keep(place, root.bytes()),
        }
    }

    /// Whether a root key that cannot be opened there is replaced by one that was recovered.
    pub(crate) fn is_replaced(&self) -> bool {
        match self {
            Self::File(_) => false,
            #[cfg(feature = "tpm")]
            Self::Tpm(_) => true,
        }
    }

    /// What counts there, where no copy of a file brings it back; `None` where nothing does.
    #[cfg_attr(not(feature = "tpm"), expect(clippy::unnecessary_wraps, reason = "a TPM may fail"))]
    pub(crate) fn ticks(&self) -> Result<Option<u64>, String> {
        match self {
            Self::File(_) => Ok(None),
            #[cfg(feature = "tpm")]
            Self::Tpm(place) => tpm::ticks(place),
        }
    }

    /// Counts one further.
    #[cfg_attr(not(feature = "tpm"), expect(clippy::unnecessary_wraps, reason = "a TPM may fail"))]
    pub(crate) fn tick(&self) -> Result<Option<u64>, String> {
        match self {
            Self::File(_) => Ok(None),
            #[cfg(feature = "tpm")]
            Self::Tpm(place) => tpm::tick(place),
        }
    }

    /// How outputs name it.
    pub fn name(&self) -> String {
        match self {
            Self::File(folder) => format!("file {}", folder.join(FILE).display()),
            #[cfg(feature = "tpm")]
            Self::Tpm(place) => place.name(),
        }
    }

    pub(crate) fn write(&self, parts: Parts) -> Parts {
        match self {
            Self::File(folder) => parts.raw(&[0]).part(folder.as_os_str().as_encoded_bytes()),
            #[cfg(feature = "tpm")]
            Self::Tpm(place) => place.write(parts.raw(&[1])),
        }
    }

    pub(crate) fn read(read: &mut Reader<'_>) -> Result<Self, VaultError> {
        match read.take()? {
            [0] => Ok(Self::File(crate::store::path(read.part()?))),
            #[cfg(feature = "tpm")]
            [1] => tpm::Place::read(read).map(Self::Tpm),
            _ => Err(VaultError::Malformed),
        }
    }
}

/// Bytes of a root key.
pub(crate) const LENGTH: usize = 32;
/// Of [`Source::File`], in the data folder.
const FILE: &str = "root.key";
const LOST: &str = "make it again from two recovery shares";

#[cfg(test)]
mod tests {
    use exchange::SystemEntropy;

    use super::*;

    #[test]
    fn a_root_key_is_kept_for_our_eyes_only_and_told_apart_by_its_id() {
        let folder = tempfile::tempdir().unwrap();
        let source = Source::File(folder.path().to_owned());
        assert!(source.find().unwrap().is_none(), "nothing is made by looking");
        let (root, other) = (Root::make(&SystemEntropy), Root::make(&SystemEntropy));
        source.keep(&root).unwrap();
        let found = source.find().unwrap().unwrap();
        assert_eq!(found.bytes(), root.bytes());
        assert_eq!(found.id(), root.id());
        assert_ne!(other.id(), root.id());
        let file = folder.path().join(FILE);
        let mode = |path| std::os::unix::fs::MetadataExt::mode(&fs::metadata(path).unwrap());
        assert_eq!(mode(&file) & 0o777, 0o600);
        fs::set_permissions(&file, std::os::unix::fs::PermissionsExt::from_mode(0o644)).unwrap();
        let said = source.find().err().unwrap();
        assert!(said.contains("may be read by others"), "{said}");
        assert!(!said.contains(&hex::encode(root.bytes())));
    }

    #[test]
    fn each_file_has_a_key_of_its_own() {
        let root = Root::of(Zeroizing::new(vec![7; LENGTH])).unwrap();
        let make = |salt: &[u8], purpose: &[u8]| {
            let mut out = [0; 32];
            root.derive(salt, purpose, &mut out);
            out
        };
        let all = [make(b"1", b"a"), make(b"2", b"a"), make(b"1", b"b")];
        assert!(all[0] != all[1] && all[0] != all[2] && all[1] != all[2]);
        assert!(Root::of(Zeroizing::new(vec![7; 31])).is_none());
    }
}
