//! The keys that a vault uses for others: each of one use, by number.

use aws_lc_rs::hmac;
use trust::encryption::{DecryptionKey, WrappedKey};
use trust::note::Checkpoint;
use trust::private::Holder as _;
use trust::seal::{Scheme, SigningKey};
use zeroize::Zeroizing;

use crate::store::witness;

/// What a key is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Use {
    /// Signs: a seal, TLS, messages of a login.
    Sign,
    /// Unwraps the keys of encrypted elements.
    Unwrap,
    /// Derives secrets of sessions (HMAC-SHA256). A file of 32 bytes, made when it is missing.
    Derive,
    /// Signs the checkpoints of a log (Ed25519). A file of PKCS#8, made when it is missing.
    Log,
}

impl Use {
    pub(crate) const ALL: [Self; 4] = [Self::Sign, Self::Unwrap, Self::Derive, Self::Log];
}

/// Private keys. They can be used and not read.
#[derive(Default)]
pub(crate) struct Ring {
    keys: Vec<Key>,
    /// Of the store that they came from.
    counter: Option<u64>,
}

enum Key {
    Sign(SigningKey),
    Log(SigningKey),
    Unwrap(DecryptionKey),
    Derive(Box<hmac::Key>),
}

impl Ring {
    /// Adds a key from the contents of its file.
    pub(crate) fn add(&mut self, purpose: Use, bytes: &[u8]) -> Result<(), String> {
        self.keys.push(match purpose {
            Use::Sign => Key::Sign(SigningKey::from_pem(bytes).map_err(|e| e.to_string())?),
            Use::Unwrap => Key::Unwrap(DecryptionKey::from_pem(bytes).map_err(|e| e.to_string())?),
            Use::Log => Key::Log(SigningKey::from_ed25519(bytes).map_err(|e| e.to_string())?),
            Use::Derive => Key::Derive(Box::new(hmac::Key::new(hmac::HMAC_SHA256, bytes))),
        });
        Ok(())
    }

    /// From now on every checkpoint of the log says this counter, or is not signed.
    pub(crate) fn count(&mut self, counter: u64) {
        self.counter = Some(counter);
    }

    /// A checkpoint that says another counter would make an old store look new.
    fn is_true(&self, message: &[u8]) -> bool {
        let Some(counter) = self.counter else { return true };
        let checkpoint = std::str::from_utf8(message).ok().and_then(Checkpoint::parse);
        checkpoint.is_none_or(|said| witness::counter(&said) == Some(counter))
    }

    pub(crate) fn sign(&self, key: u16, scheme: Scheme, message: &[u8]) -> Option<Vec<u8>> {
        match self.keys.get(usize::from(key))? {
            Key::Sign(key) => key.sign(scheme, message),
            Key::Log(key) if self.is_true(message) => key.sign(scheme, message),
            _ => None,
        }
    }

    pub(crate) fn unwrap(&self, key: u16, wrapped: &WrappedKey) -> Option<Zeroizing<Vec<u8>>> {
        match self.keys.get(usize::from(key))? {
            Key::Unwrap(key) => key.unwrap(wrapped).ok(),
            _ => None,
        }
    }

    pub(crate) fn derive(&self, key: u16, message: &[u8]) -> Option<[u8; 32]> {
        match self.keys.get(usize::from(key))? {
            Key::Derive(key) => hmac::sign(key, message).as_ref().try_into().ok(),
            _ => None,
        }
    }

    /// The public half of each key that signs; nothing of the others.
    pub(crate) fn publics(&self) -> impl Iterator<Item = &[u8]> {
        self.keys.iter().map(|key| match key {
            Key::Sign(key) | Key::Log(key) => key.public(),
            Key::Unwrap(_) | Key::Derive(_) => &[],
        })
    }

    /// A number that says whether these are the same keys as before, and nothing else of them.
    pub(crate) fn fingerprint(&self) -> [u8; 32] {
        let mut all = Vec::new();
        for key in &self.keys {
            match key {
                Key::Sign(key) | Key::Log(key) => all.extend_from_slice(key.public()),
                Key::Unwrap(_) => all.push(1),
                Key::Derive(key) => all.extend_from_slice(hmac::sign(key, FINGERPRINT).as_ref()),
            }
        }
        let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, &all);
        digest.as_ref().try_into().expect("because SHA-256 has 32 bytes")
    }
}

const FINGERPRINT: &[u8] = b"konfido key fingerprint 1";
