//! The keys that a vault uses for others: each of one use, by number.

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::hmac;
use aws_lc_rs::signature::{KeyPair as _, ML_DSA_44_SIGNING, PqdsaKeyPair};
use trust::encryption::{DecryptionKey, WrappedKey};
use trust::note::Checkpoint;
use trust::private::Holder as _;
use trust::seal::{Scheme, SigningKey};
use zeroize::Zeroizing;

use crate::patients::Patients;
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
    /// Keeps documents at rest (AES-256-GCM). A file of 32 bytes, made when it is missing.
    Keep,
    /// The same, and hands them out to the node: some country is answered in plain IHE.
    HandOut,
    /// Names patients and seals their keys. A file of 32 bytes, made when it is missing.
    Patients,
    /// Cosigns checkpoints of the shared ledger so that they outlive today's curves (ML-DSA-44). A file
    /// of 32 bytes, its seed (FIPS 204 §6.1), made when it is missing.
    Cosign,
}

impl Use {
    /// How the store has it: whether documents may be handed out is the configuration's to say.
    pub(crate) fn stored(self) -> Self {
        if self == Self::HandOut { Self::Keep } else { self }
    }

    /// What removing the file does, of a key of 32 bytes that is made when nobody has it.
    pub(crate) fn removed(self) -> Option<&'static str> {
        match self {
            Self::Derive => Some("end all sessions"),
            Self::Keep | Self::HandOut => Some("lose all kept documents and import them again"),
            Self::Patients => Some("erase the salts of all evidence"),
            Self::Cosign => Some("have another cosigner's key"),
            Self::Sign | Self::Unwrap | Self::Log => None,
        }
    }

    /// In the order of their numbers, which stand in sealed stores: a new one goes to the end.
    pub(crate) const ALL: [Self; 8] = [
        Self::Sign,
        Self::Unwrap,
        Self::Derive,
        Self::Log,
        Self::Keep,
        Self::HandOut,
        Self::Patients,
        Self::Cosign,
    ];
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
    Cosign(Box<PqdsaKeyPair>),
    Unwrap(DecryptionKey),
    Derive(Box<hmac::Key>),
    Keep(Box<Keeper>),
    Patients(Box<Patients>),
}

/// Keeps documents.
struct Keeper {
    key: LessSafeKey,
    known: hmac::Key,
    hands_out: bool,
}

impl Ring {
    /// Adds a key from the contents of its file.
    pub(crate) fn add(&mut self, purpose: Use, bytes: &[u8]) -> Result<(), String> {
        self.keys.push(match purpose {
            Use::Sign => Key::Sign(SigningKey::from_pem(bytes).map_err(|e| e.to_string())?),
            Use::Unwrap => Key::Unwrap(DecryptionKey::from_pem(bytes).map_err(|e| e.to_string())?),
            Use::Log => Key::Log(SigningKey::from_ed25519(bytes).map_err(|e| e.to_string())?),
            Use::Cosign => {
                let pair = PqdsaKeyPair::from_seed(&ML_DSA_44_SIGNING, bytes);
                Key::Cosign(Box::new(pair.map_err(|_| "is no seed of ML-DSA-44")?))
            }
            Use::Derive => Key::Derive(Box::new(hmac::Key::new(hmac::HMAC_SHA256, bytes))),
            Use::Patients => Key::Patients(Box::new(Patients::new(bytes)?)),
            Use::Keep | Use::HandOut => {
                let key = UnboundKey::new(&AES_256_GCM, bytes).map_err(|_| "is not of 32 bytes")?;
                Key::Keep(Box::new(Keeper {
                    key: LessSafeKey::new(key),
                    known: hmac::Key::new(hmac::HMAC_SHA256, bytes),
                    hands_out: purpose == Use::HandOut,
                }))
            }
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

    /// How a key signs that signs for TLS.
    pub(crate) fn scheme(&self, key: u16) -> Option<Scheme> {
        match self.keys.get(usize::from(key))? {
            Key::Sign(key) => Some(key.scheme()),
            _ => None,
        }
    }

    pub(crate) fn cosign(&self, key: u16, message: &[u8]) -> Option<Vec<u8>> {
        let Key::Cosign(key) = self.keys.get(usize::from(key))? else { return None };
        let mut made = vec![0; key.algorithm().signature_len()];
        key.sign(message, &mut made).ok()?;
        Some(made)
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

    /// Seals a document to be kept at rest, in its place: the nonce and the tag. The label says
    /// what it is, and is bound.
    pub(crate) fn keep(&self, label: &[u8], text: &mut [u8]) -> Option<([u8; 12], [u8; 16])> {
        let mut nonce = [0; 12];
        aws_lc_rs::rand::fill(&mut nonce).ok()?;
        let once = Nonce::assume_unique_for_key(nonce);
        let tag =
            self.keeper()?.key.seal_in_place_separate_tag(once, Aad::from(label), text).ok()?;
        Some((nonce, tag.as_ref().try_into().ok()?))
    }

    /// Opens a kept document in its place, its tag behind it. What is kept leaves the vault as a
    /// piece of an answer, and not otherwise unless it [hands out](Self::hands_out).
    pub(crate) fn take_out(&self, label: &[u8], nonce: [u8; 12], piece: &mut [u8]) -> Option<()> {
        let nonce = Nonce::assume_unique_for_key(nonce);
        self.keeper()?.key.open_in_place(nonce, Aad::from(label), piece).ok().map(drop)
    }

    /// Whether the node may have kept documents in the clear.
    pub(crate) fn hands_out(&self) -> bool {
        self.keeper().is_some_and(|keeper| keeper.hands_out)
    }

    fn keeper(&self) -> Option<&Keeper> {
        self.keys.iter().find_map(|key| match key {
            Key::Keep(keeper) => Some(&**keeper),
            _ => None,
        })
    }

    /// The one that has the keys of patients.
    pub(crate) fn patients(&self) -> Option<&Patients> {
        self.keys.iter().find_map(|key| match key {
            Key::Patients(patients) => Some(&**patients),
            _ => None,
        })
    }

    /// The public half of each key that signs; nothing of the others.
    pub(crate) fn publics(&self) -> impl Iterator<Item = &[u8]> {
        self.keys.iter().map(|key| match key {
            Key::Sign(key) | Key::Log(key) => key.public(),
            Key::Cosign(key) => key.public_key().as_ref(),
            Key::Unwrap(_) | Key::Derive(_) | Key::Keep(_) | Key::Patients(_) => &[],
        })
    }

    /// A number that says whether these are the same keys as before, and nothing else of them.
    pub(crate) fn fingerprint(&self) -> [u8; 32] {
        let mut all = Vec::new();
        for key in &self.keys {
            match key {
                Key::Sign(key) | Key::Log(key) => all.extend_from_slice(key.public()),
                Key::Cosign(key) => all.extend_from_slice(key.public_key().as_ref()),
                Key::Unwrap(_) => all.push(1),
                Key::Derive(key) => all.extend_from_slice(hmac::sign(key, FINGERPRINT).as_ref()),
                Key::Patients(patients) => {
                    all.extend_from_slice(patients.fingerprint(FINGERPRINT).as_ref());
                }
                Key::Keep(keeper) => {
                    all.extend_from_slice(hmac::sign(&keeper.known, FINGERPRINT).as_ref());
                }
            }
        }
        let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, &all);
        digest.as_ref().try_into().expect("because SHA-256 has 32 bytes")
    }
}

const FINGERPRINT: &[u8] = b"konfido key fingerprint 1";
