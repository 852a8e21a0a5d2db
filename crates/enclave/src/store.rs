//! The sealed store of a vault: its private keys, in one file that only its root key opens.
//!
//! `vault.sealed` is a header (which root, a salt) and sections. Each is AES-256-GCM under a key that
//! is derived from the root key and the salt, with its number as the nonce; the salt is new each time
//! that the file is written. The first section says in CBOR what the store is, each further one is a
//! key. So nothing in it is larger than what the secret memory of a vault process takes.
//!
//! [`opening`] is how a vault process takes it, [`witness`] what tells that it is an old one.

pub(crate) mod file;
pub mod fuzzing;
mod meta;
pub(crate) mod opening;
pub(crate) mod witness;

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::PathBuf;

use aws_lc_rs::aead::{Aad, Nonce};
use exchange::{Country, Entropy};
use zeroize::Zeroizing;

pub use witness::line as witness_line;

use crate::VaultError;
use crate::protocol::{Parts, Reader};
use crate::ring::Use;
use crate::root::{Root, RootId, Source};

/// Where a sealed store may be, and what tells its age.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The data folder: `vault.sealed`, and the log's folder.
    pub folder: PathBuf,
    /// Where its root key is.
    pub root: Source,
    /// Name of the log, whose newest checkpoint says how old the store may be.
    pub origin: String,
}

impl Place {
    pub(crate) fn write(&self, parts: Parts) -> Parts {
        let parts = parts.part(self.folder.as_os_str().as_encoded_bytes());
        self.root.write(parts.part(self.origin.as_bytes()))
    }

    pub(crate) fn read(read: &mut Reader<'_>) -> Result<Self, VaultError> {
        let folder = path(read.part()?);
        let origin = text(read.part()?)?;
        Ok(Self { folder, root: Source::read(read)?, origin })
    }

    /// Whether there is a store, or the log says that there was one.
    pub fn is_expected(&self) -> bool {
        self.is_there() || witness::unsigned(&self.folder).is_ok_and(|said| said.is_some())
    }

    /// Whether there is a store.
    pub fn is_there(&self) -> bool {
        self.folder.join(file::NAME).exists()
    }
}

/// What a vault process does with its store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Opens it and writes the next one: a node's. Others wait meanwhile.
    Write,
    /// Opens it: a command's, beside a node that runs.
    Read,
}

/// Where a log was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// Name of the log.
    pub origin: String,
    /// Leaves.
    pub size: u64,
    /// Root of its tree.
    pub root: [u8; 32],
}

/// What is in a store. No `Debug`: keys.
pub(crate) struct Contents {
    pub(crate) country: Country,
    /// Grows each time that the store is written.
    pub(crate) counter: u64,
    /// The log when it was written.
    pub(crate) seen: Option<Seen>,
    /// The TPM's counter when it was written, where one counts.
    pub(crate) ticks: Option<u64>,
    pub(crate) keys: Vec<Kept>,
}

/// One key.
pub(crate) struct Kept {
    pub(crate) purpose: Use,
    pub(crate) name: String,
    pub(crate) bytes: Zeroizing<Vec<u8>>,
}

/// Why bytes are not a store that we can open.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// Not a store, or of another version.
    #[error("it is no store of this version")]
    Malformed,
    /// Of another root key: usually a backup of another machine.
    #[error("it is sealed under root {store}, and the root key here is {here}")]
    OtherRoot {
        /// Of the store.
        store: RootId,
        /// Ours.
        here: RootId,
    },
    /// Changed or cut since it was written.
    #[error("it is damaged: it does not open under its own root")]
    Damaged,
    /// More than a store takes.
    #[error("{0} is too large for a store")]
    Large(String),
}

impl Contents {
    /// A store with nothing in it.
    pub(crate) fn new(country: Country) -> Self {
        Self { country, counter: 0, seen: None, ticks: None, keys: Vec::new() }
    }

    pub(crate) fn find(&self, purpose: Use, name: &str) -> Option<&Kept> {
        self.keys.iter().find(|key| key.purpose == purpose && key.name == name)
    }

    /// Puts a key in, in the place of the one of this use and name.
    pub(crate) fn put(&mut self, key: Kept) -> Result<(), StoreError> {
        if key.bytes.len() > MAX_KEY || key.name.len() > MAX_NAME {
            return Err(StoreError::Large(key.name));
        }
        let (known, room) = (&mut self.keys, MAX_KEYS);
        let place = known.iter().position(|k| k.purpose == key.purpose && k.name == key.name);
        match place {
            Some(place) => known[place] = key,
            None if known.len() >= room => return Err(StoreError::Large(key.name)),
            None => known.push(key),
        }
        Ok(())
    }

    /// The bytes of the file.
    pub(crate) fn seal(&self, root: &Root, entropy: &dyn Entropy) -> Vec<u8> {
        let mut salt = [0; 32];
        entropy.fill(&mut salt);
        let sections = 1 + self.keys.len();
        let mut file = header(root.id(), &salt, sections);
        let (head, key) = (file.clone(), root.key(&salt, PURPOSE));
        let meta = Zeroizing::new(meta::encode(self));
        let keys = self.keys.iter().map(|key| &key.bytes);
        for (number, text) in std::iter::once(&meta).chain(keys).enumerate() {
            let mut sealed = Zeroizing::new(Vec::with_capacity(text.len() + TAG));
            sealed.extend_from_slice(text);
            let (nonce, aad) = around(&head, number);
            let tag = key
                .seal_in_place_separate_tag(nonce, aad, &mut sealed)
                .expect("because a section is not that long");
            let length = u32::try_from(sealed.len() + TAG).expect("because a section is small");
            file.extend_from_slice(&length.to_be_bytes());
            file.extend_from_slice(&sealed);
            file.extend_from_slice(tag.as_ref());
        }
        file
    }

    /// Reads [`Contents::seal`].
    pub(crate) fn open(file: &[u8], root: &Root) -> Result<Self, StoreError> {
        let read = Sealed::parse(file)?;
        if read.root != root.id() {
            return Err(StoreError::OtherRoot { store: read.root, here: root.id() });
        }
        let key = root.key(read.salt, PURPOSE);
        let mut opened = Vec::with_capacity(read.sections.len());
        for (number, section) in read.sections.iter().enumerate() {
            let mut text = Zeroizing::new(section.to_vec());
            let (nonce, aad) = around(read.head, number);
            let length =
                key.open_in_place(nonce, aad, &mut text).map_err(|_| StoreError::Damaged)?.len();
            text.truncate(length);
            opened.push(text);
        }
        let mut opened = opened.into_iter();
        let meta = opened.next().ok_or(StoreError::Malformed)?;
        meta::decode(&meta, opened.collect())
    }
}

/// A store, as far as anybody can read it.
pub(crate) struct Sealed<'f> {
    head: &'f [u8],
    pub(crate) root: RootId,
    salt: &'f [u8],
    sections: Vec<&'f [u8]>,
}

impl<'f> Sealed<'f> {
    pub(crate) fn parse(file: &'f [u8]) -> Result<Self, StoreError> {
        let malformed = StoreError::Malformed;
        if file.len() > MAX_FILE {
            return Err(StoreError::Large(file::NAME.to_owned()));
        }
        let (head, mut rest) = file.split_at_checked(HEAD).ok_or(malformed.clone())?;
        let named = head.strip_prefix(MAGIC).ok_or(malformed.clone())?;
        let (root, named) = named.split_first_chunk().ok_or(malformed.clone())?;
        let (salt, count) = named.split_at_checked(SALT).ok_or(malformed.clone())?;
        let count = count.try_into().map(u16::from_be_bytes).map_err(|_| malformed.clone())?;
        let mut sections = Vec::new();
        for _ in 0..count {
            let (length, after) = rest.split_first_chunk().ok_or(malformed.clone())?;
            let length = u32::from_be_bytes(*length) as usize;
            if !(TAG..=MAX_SECTION + TAG).contains(&length) || sections.len() > MAX_KEYS {
                return Err(malformed);
            }
            let (section, after) = after.split_at_checked(length).ok_or(malformed.clone())?;
            sections.push(section);
            rest = after;
        }
        if rest.is_empty() && !sections.is_empty() {
            Ok(Self { head, root: RootId(*root), salt, sections })
        } else {
            Err(malformed)
        }
    }
}

fn header(root: RootId, salt: &[u8; SALT], sections: usize) -> Vec<u8> {
    let sections = u16::try_from(sections).expect("because there are not that many keys");
    [MAGIC, &root.0, salt, &sections.to_be_bytes()].concat()
}

/// The nonce of a section and what it is bound to: the header, and with it how many there are.
fn around(head: &[u8], number: usize) -> (Nonce, Aad<&[u8]>) {
    let mut nonce = [0; 12];
    nonce[4..].copy_from_slice(&(number as u64).to_be_bytes());
    (Nonce::assume_unique_for_key(nonce), Aad::from(head))
}

/// A path as it came through a frame.
pub(crate) fn path(bytes: &[u8]) -> PathBuf {
    PathBuf::from(OsStr::from_bytes(bytes))
}

pub(crate) fn text(bytes: &[u8]) -> Result<String, VaultError> {
    String::from_utf8(bytes.to_vec()).map_err(|_| VaultError::Malformed)
}

const MAGIC: &[u8] = b"konfido vault 1\n";
const PURPOSE: &[u8] = b"konfido vault store 1";
const SALT: usize = 32;
const HEAD: usize = MAGIC.len() + 8 + SALT + 2;
const TAG: usize = 16;
/// Longest section: it lies in secret memory whole.
const MAX_SECTION: usize = 15 << 10;
/// Longest file of a key: RSA of 4096 bits has 3.2 kB as PEM.
pub(crate) const MAX_KEY: usize = MAX_SECTION;
/// Longest path that names a key.
const MAX_NAME: usize = 128;
/// Keys at most. With this many names the first section stays below [`MAX_SECTION`].
const MAX_KEYS: usize = 64;
pub(crate) const MAX_FILE: usize = HEAD + (1 + MAX_KEYS) * (4 + MAX_SECTION + TAG);

#[cfg(test)]
mod tests;
