//! Keys of patients: each locks the keys of the evidence about one patient, and dies with him.
//!
//! A patient's key is random, made here and sealed here; the node keeps the sealed form, and to erase
//! the patient it deletes that. What the vault holds for long, and all that it holds, is the key that
//! seals them and the one that names them: neither opens any evidence, and neither makes a patient's
//! key again.

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::hmac;
use aws_lc_rs::key_wrap::{AES_256, AesKek, KeyWrap as _};
use zeroize::Zeroizing;

use crate::VaultError;
use crate::header::TAG;

/// The name of a patient in the node's files: HMAC-SHA-256 under a key that never leaves the vault.
pub type Pseudonym = [u8; 32];

/// A patient's key, sealed by the vault for the node to keep.
pub type SealedPatientKey = [u8; SEALED];

/// An evidence key, locked under a patient's key (AES-KW, RFC 3394).
pub type LockedKey = [u8; LOCKED];

/// What locking an evidence key gives.
pub struct Locked {
    /// The name of the patient.
    pub pseudonym: Pseudonym,
    /// The evidence key.
    pub key: LockedKey,
    /// The patient's key, when it was made for this call.
    pub made: Option<SealedPatientKey>,
}

/// Names patients and holds what seals their keys.
pub(crate) struct Patients {
    seal: LessSafeKey,
    names: hmac::Key,
}

impl Patients {
    /// From the 32 bytes of a key file: one key to seal with, one for names.
    pub(crate) fn new(bytes: &[u8]) -> Result<Self, String> {
        if bytes.len() != crate::keyfile::LENGTH {
            return Err("is not of 32 bytes".into());
        }
        let whole = hmac::Key::new(hmac::HMAC_SHA256, bytes);
        let part = |label: &[u8]| hmac::sign(&whole, label);
        let seal = UnboundKey::new(&AES_256_GCM, part(SEALS).as_ref()).map_err(|_| "no key")?;
        let names = hmac::Key::new(hmac::HMAC_SHA256, part(NAMES).as_ref());
        Ok(Self { seal: LessSafeKey::new(seal), names })
    }

    /// The name of a patient.
    pub(crate) fn pseudonym(&self, patient: &[u8]) -> Pseudonym {
        let tag = hmac::sign(&self.names, patient);
        tag.as_ref().try_into().expect("because SHA-256 has 32 bytes")
    }

    /// Locks an evidence key under the patient's key: the one that is given, or, where nothing is, a
    /// new one.
    pub(crate) fn lock(
        &self,
        patient: &[u8],
        sealed: &[u8],
        key: &[u8; 32],
    ) -> Result<Locked, VaultError> {
        let pseudonym = self.pseudonym(patient);
        let (of_patient, made) = if sealed.is_empty() {
            let fresh = chance::<32>()?;
            let made = self.seal(&pseudonym, &fresh)?;
            (fresh, Some(made))
        } else {
            (self.open(&pseudonym, sealed)?, None)
        };
        let mut locked = [0; LOCKED];
        kek(&of_patient)?.wrap(key, &mut locked).map_err(|_| VaultError::Integrity)?;
        Ok(Locked { pseudonym, key: locked, made })
    }

    /// The evidence key, for who still has the patient's.
    pub(crate) fn unlock(
        &self,
        pseudonym: &Pseudonym,
        sealed: &[u8],
        locked: &[u8],
    ) -> Result<Zeroizing<[u8; 32]>, VaultError> {
        let of_patient = self.open(pseudonym, sealed)?;
        // AES_unwrap_key wants room for the check value, too
        let mut key = Zeroizing::new([0; LOCKED]);
        let found = kek(&of_patient)?.unwrap(locked, key.as_mut());
        let found: &[u8] = found.map_err(|_| VaultError::Integrity)?;
        found.try_into().map(Zeroizing::new).map_err(|_| VaultError::Integrity)
    }

    pub(crate) fn seal(
        &self,
        pseudonym: &Pseudonym,
        key: &[u8; 32],
    ) -> Result<SealedPatientKey, VaultError> {
        let nonce = chance::<12>()?;
        let mut sealed = [0; SEALED];
        sealed[..12].copy_from_slice(nonce.as_ref());
        let text = &mut sealed[12..44];
        text.copy_from_slice(key);
        let once = Nonce::assume_unique_for_key(*nonce);
        let tag = self.seal.seal_in_place_separate_tag(once, Aad::from(pseudonym), text);
        let tag = tag.map_err(|_| VaultError::Integrity)?;
        sealed[44..].copy_from_slice(tag.as_ref());
        Ok(sealed)
    }

    pub(crate) fn open(
        &self,
        pseudonym: &Pseudonym,
        sealed: &[u8],
    ) -> Result<Zeroizing<[u8; 32]>, VaultError> {
        let sealed: &SealedPatientKey = sealed.try_into().map_err(|_| VaultError::Malformed)?;
        let (nonce, rest) = sealed.split_first_chunk().ok_or(VaultError::Malformed)?;
        let mut text = Zeroizing::new(rest.to_vec());
        let once = Nonce::assume_unique_for_key(*nonce);
        let opened = self.seal.open_in_place(once, Aad::from(pseudonym), &mut text);
        let opened: &[u8] = opened.map_err(|_| VaultError::Integrity)?;
        opened.try_into().map(Zeroizing::new).map_err(|_| VaultError::Integrity)
    }

    /// Says whether this is the same key as before, and nothing else of it.
    pub(crate) fn fingerprint(&self, domain: &[u8]) -> hmac::Tag {
        hmac::sign(&self.names, domain)
    }
}

fn kek(of_patient: &[u8; 32]) -> Result<AesKek, VaultError> {
    AesKek::new(&AES_256, of_patient).map_err(|_| VaultError::Integrity)
}

fn chance<const N: usize>() -> Result<Zeroizing<[u8; N]>, VaultError> {
    let mut bytes = Zeroizing::new([0; N]);
    aws_lc_rs::rand::fill(bytes.as_mut()).map_err(|_| VaultError::Integrity)?;
    Ok(bytes)
}

const SEALS: &[u8] = b"konfido patients 1: seals";
const NAMES: &[u8] = b"konfido patients 1: names";
/// A nonce, the key, a tag.
pub(crate) const SEALED: usize = 12 + 32 + TAG;
/// RFC 3394: the key and a check value.
pub(crate) const LOCKED: usize = 32 + 8;

#[cfg(test)]
mod tests {
    use super::*;

    fn patients(byte: u8) -> Patients {
        Patients::new(&[byte; 32]).unwrap()
    }

    #[test]
    fn a_key_opens_with_its_patients_key_only() {
        let vault = patients(1);
        let first = vault.lock(b"agnete", b"", &[7; 32]).unwrap();
        let made = first.made.unwrap();
        let again = vault.lock(b"agnete", &made, &[8; 32]).unwrap();
        assert!(again.made.is_none() && again.pseudonym == first.pseudonym);
        let open = |of: &Pseudonym, made: &[u8], key: &LockedKey| vault.unlock(of, made, key);
        assert_eq!(*open(&first.pseudonym, &made, &first.key).unwrap(), [7; 32]);
        assert_eq!(*open(&first.pseudonym, &made, &again.key).unwrap(), [8; 32]);
        let other = vault.lock(b"benito", b"", &[7; 32]).unwrap();
        let others = other.made.unwrap();
        assert!(open(&other.pseudonym, &others, &first.key).is_err(), "another patient's key");
        assert!(open(&other.pseudonym, &made, &first.key).is_err(), "under another name");
        assert!(vault.lock(b"benito", &made, &[7; 32]).is_err(), "a key is its patient's");
        assert!(patients(2).unlock(&first.pseudonym, &made, &first.key).is_err(), "another vault");
        assert!(open(&first.pseudonym, &made[..59], &first.key).is_err());
        assert!(vault.unlock(&first.pseudonym, &made, &first.key[..39]).is_err());
        assert!(vault.unlock(&first.pseudonym, &made, &[0; LOCKED]).is_err(), "erased");
    }

    #[test]
    fn who_comes_back_after_an_erasure_gets_another_key() {
        let vault = patients(1);
        let (first, second) =
            (vault.lock(b"a", b"", &[7; 32]).unwrap(), vault.lock(b"a", b"", &[7; 32]).unwrap());
        assert_eq!(first.pseudonym, second.pseudonym);
        assert!(
            vault.unlock(&first.pseudonym, &second.made.unwrap(), &first.key).is_err(),
            "nothing that the vault holds makes the first key again"
        );
    }

    #[test]
    fn names_differ_by_vault_and_say_nothing() {
        assert_ne!(patients(1).pseudonym(b"a"), patients(2).pseudonym(b"a"));
        assert_ne!(patients(1).pseudonym(b"a"), patients(1).pseudonym(b"b"));
        assert!(Patients::new(&[1; 31]).is_err());
    }

    /// RFC 3394 §4.6: 256 bits of key data with a 256-bit KEK.
    #[test]
    fn a_key_is_locked_as_rfc_3394_says() {
        let of_patient: [u8; 32] = std::array::from_fn(|at| u8::try_from(at).unwrap());
        let key: [u8; 32] = std::array::from_fn(|at| match at {
            0..16 => u8::try_from(at).unwrap() * 0x11,
            _ => u8::try_from(at - 16).unwrap(),
        });
        let mut out = [0; LOCKED];
        kek(&of_patient).unwrap().wrap(&key, &mut out).unwrap();
        let expected =
            "28c9f404c4b810f4cbccb35cfb87f8263f5786e2d80ed326cbc7f0e71a99f43bfb988b9b7a02dd21";
        assert_eq!(hex::encode(out), expected);
    }
}
