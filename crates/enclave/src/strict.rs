//! Documents that wait for a receipt: sealed under a key of their own, which is itself sealed for the
//! vault that asked. Whoever holds the ciphertext reads nothing before the sealed key is published.
//!
//! The key leaves the giving vault sealed for one other vault and in no other form, so that a node keeps
//! nothing that would open the document. What is promised of it beforehand is a commitment:
//! `SHA-256(domain ‖ salt ‖ key)`, as the shared ledger has it.
//!
//! The sealed key's encapsulation (RFC 9180 §4) travels at the head of the ciphertext. So the vault that
//! asked makes at once what will open the rest, and its node keeps that, sealed: a key that is published
//! opens after a restart too, and the private key of a vault never leaves it. No I/O.

use std::ops::Range;

use aws_lc_rs::aead::{AES_256_GCM, LessSafeKey, UnboundKey};
use aws_lc_rs::digest::{Context, SHA256};
use bytes::Bytes;
use hpke::{Deserializable, Kem, OpModeR, OpModeS, Serializable};
use jiff::Timestamp;
use zeroize::Zeroizing;

use crate::VaultError;
use crate::core::{Core, Given, Target};
use crate::header::{TAG, places};
use crate::key::{PublicKey, XWing};
use crate::patients::{Patients, Pseudonym};
use crate::session::{Receiver, Sender, nonce, open, seal};

/// A document that another country gets against its receipt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offered {
    /// What travels at once: the encapsulation of the key, then the sealed pieces.
    pub ciphertext: Bytes,
    /// What is promised of the key.
    pub promise: [u8; 32],
    /// The key, sealed for the vault that asked: [`SEALED_KEY`] bytes.
    pub key: Bytes,
}

/// What another vault offered.
#[derive(Debug, Clone, Copy)]
pub struct Expected<'e> {
    /// Number of the exchange.
    pub txid: &'e [u8; 16],
    /// What is promised of the key.
    pub promise: &'e [u8; 32],
    /// SHA-256 of the vault key that it will be sealed for.
    pub recipient: &'e [u8; 32],
}

/// What opens an offered document.
#[derive(Debug, Clone, Copy)]
pub struct Release<'r> {
    /// Number of the exchange.
    pub txid: &'r [u8; 16],
    /// What was promised of the key.
    pub promise: &'r [u8; 32],
    /// The key as it was published.
    pub key: &'r [u8],
    /// What this vault made of the ciphertext's head when it came ([`crate::Vault::expect`]).
    pub opener: &'r [u8],
}

/// An offer, sealed in the place of its pieces.
pub(crate) struct Made {
    pub(crate) head: Vec<u8>,
    pub(crate) promise: [u8; 32],
    pub(crate) key: Vec<u8>,
}

impl Core {
    /// Seals the pieces under a new key; gives what stands before them, and the key for that vault.
    pub(crate) fn offer(
        &self,
        to: &Target<'_>,
        txid: &[u8; 16],
        (given, buffer): (&[Given], &mut [u8]),
        now: Timestamp,
    ) -> Result<Made, VaultError> {
        if to.not_after <= now {
            return Err(VaultError::Key("statement has expired"));
        }
        let mut secret = Zeroizing::new([0; 64]);
        aws_lc_rs::rand::fill(secret.as_mut()).map_err(|_| VaultError::Integrity)?;
        let promise = promise(&secret);
        let sealed = seal_key(to.key, &key_aad(txid, &promise), &secret)?;
        let head = head(&sealed[..ENCAPSULATED], given)?;
        let (document, aad) = (key(&secret[32..])?, aad(txid, &head));
        let places = places(0, given.iter().map(|given| given.length));
        if places.last().map(|last| last.end + TAG) != Some(buffer.len()) {
            return Err(VaultError::Malformed);
        }
        for (number, (given, place)) in given.iter().zip(places).enumerate() {
            let piece = &mut buffer[place.start..place.end + TAG];
            if let Some((label, once)) = &given.kept {
                self.ring().take_out(label, *once, piece).ok_or(VaultError::Integrity)?;
            }
            seal(&document, nonce(0, number), &aad, piece)?;
        }
        Ok(Made { head, promise, key: sealed })
    }

    /// What will open the key of this exchange, sealed by what outlives this vault.
    pub(crate) fn expect(
        &self,
        expected: &Expected<'_>,
        encapsulated: &[u8],
    ) -> Result<Vec<u8>, VaultError> {
        let Expected { txid, promise, recipient } = expected;
        if digest(&[&self.public()]) != **recipient {
            return Err(VaultError::UnknownKey);
        }
        let encapsulated = <XWing as Kem>::EncappedKey::from_bytes(encapsulated)
            .map_err(|_| VaultError::Malformed)?;
        let context: Receiver =
            hpke::setup_receiver(&OpModeR::Base, self.private(), &encapsulated, INFO)
                .map_err(|_| VaultError::Malformed)?;
        let opener = exported(|label, out| context.export(label, out))?;
        Ok(self.keeper()?.seal(&label(txid, promise), &opener)?.to_vec())
    }

    /// Opens an offered document in its place.
    pub(crate) fn take_up(
        &self,
        release: &Release<'_>,
        sealed: &mut [u8],
    ) -> Result<Vec<Range<usize>>, VaultError> {
        let opener = self.keeper()?.open(&label(release.txid, release.promise), release.opener)?;
        let (places, at) = read_head(sealed)?;
        let aad = key_aad(release.txid, release.promise);
        let secret = open_key(&key(opener.as_ref())?, &aad, &sealed[..ENCAPSULATED], release.key)?;
        if promise(&secret) != *release.promise {
            return Err(VaultError::Promise);
        }
        let (head, _) = sealed.split_at(at);
        let (document, aad) = (key(&secret[32..])?, self::aad(release.txid, head));
        for (number, place) in places.iter().enumerate() {
            let piece = &mut sealed[place.start..place.end + TAG];
            open(&document, nonce(0, number), &aad, piece).map_err(|_| VaultError::Promise)?;
        }
        Ok(places)
    }

    fn keeper(&self) -> Result<&Patients, VaultError> {
        self.ring().patients().ok_or(VaultError::Key("cannot be used so"))
    }
}

/// `SHA-256(domain ‖ salt ‖ key)` of salt and key, 32 bytes each: the shared ledger's commitment.
pub fn promise(secret: &[u8; 64]) -> [u8; 32] {
    digest(&[b"konfido document key 1", secret])
}

/// HPKE in base mode (RFC 9180), one message: an exported key, and with it salt and document key.
fn seal_key(to: &[u8], aad: &[u8], secret: &[u8; 64]) -> Result<Vec<u8>, VaultError> {
    let refused = |_| VaultError::Key("cannot be sealed for");
    let to = PublicKey::from_bytes(to).map_err(refused)?;
    let (encapsulated, context): (_, Sender) =
        hpke::setup_sender(&OpModeS::Base, &to, INFO).map_err(refused)?;
    let key = key(exported(|label, out| context.export(label, out))?.as_ref())?;
    let mut sealed = encapsulated.to_bytes().to_vec();
    let at = sealed.len();
    sealed.extend_from_slice(secret);
    sealed.extend_from_slice(&[0; TAG]);
    seal(&key, nonce(0, 0), aad, &mut sealed[at..])?;
    Ok(sealed)
}

/// Whatever is wrong with a key that was published, it is not the one that was promised.
fn open_key(
    opener: &LessSafeKey,
    aad: &[u8],
    encapsulated: &[u8],
    sealed: &[u8],
) -> Result<Zeroizing<[u8; 64]>, VaultError> {
    if sealed.len() != SEALED_KEY || !sealed.starts_with(encapsulated) {
        return Err(VaultError::Promise);
    }
    let mut secret = Zeroizing::new(sealed[ENCAPSULATED..].to_vec());
    open(opener, nonce(0, 0), aad, &mut secret).map_err(|_| VaultError::Promise)?;
    let mut out = Zeroizing::new([0; 64]);
    out.copy_from_slice(&secret[..64]);
    Ok(out)
}

fn exported(
    export: impl Fn(&[u8], &mut [u8]) -> Result<(), hpke::HpkeError>,
) -> Result<Zeroizing<[u8; 32]>, VaultError> {
    let mut bytes = Zeroizing::new([0; 32]);
    export(b"konfido key of a document key 1", bytes.as_mut())
        .map_err(|_| VaultError::Integrity)?;
    Ok(bytes)
}

fn key(bytes: &[u8]) -> Result<LessSafeKey, VaultError> {
    UnboundKey::new(&AES_256_GCM, bytes).map(LessSafeKey::new).map_err(|_| VaultError::Integrity)
}

/// The encapsulation, the number of pieces, their lengths (big-endian u32).
fn head(encapsulated: &[u8], given: &[Given]) -> Result<Vec<u8>, VaultError> {
    let mut out = encapsulated.to_vec();
    out.push(u8::try_from(given.len()).map_err(|_| VaultError::Malformed)?);
    for given in given {
        let length = u32::try_from(given.length).map_err(|_| VaultError::Malformed)?;
        out.extend_from_slice(&length.to_be_bytes());
    }
    Ok(out)
}

/// Where the pieces stand, and how long the head is.
fn read_head(sealed: &[u8]) -> Result<(Vec<Range<usize>>, usize), VaultError> {
    let (_, counted) = sealed.split_at_checked(ENCAPSULATED).ok_or(VaultError::Malformed)?;
    let (count, rest) = counted.split_first().ok_or(VaultError::Malformed)?;
    let lengths = rest.get(..4 * usize::from(*count)).ok_or(VaultError::Malformed)?;
    let (at, lengths) = (ENCAPSULATED + 1 + lengths.len(), lengths.as_chunks::<4>().0);
    let places = places(at, lengths.iter().map(|length| u32::from_be_bytes(*length) as usize));
    if places.last().map(|last| last.end + TAG) != Some(sealed.len()) {
        return Err(VaultError::Malformed);
    }
    Ok((places, at))
}

fn aad(txid: &[u8; 16], head: &[u8]) -> Vec<u8> {
    [b"konfido offered document 1", txid.as_slice(), head].concat()
}

fn key_aad(txid: &[u8; 16], promise: &[u8; 32]) -> Vec<u8> {
    [b"konfido offered key 1", txid.as_slice(), promise].concat()
}

/// Stands where the name of a patient stands when a key is sealed; no HMAC is ever this hash.
fn label(txid: &[u8; 16], promise: &[u8; 32]) -> Pseudonym {
    digest(&[b"konfido opener of an offered key 1", txid, promise])
}

fn digest(parts: &[&[u8]]) -> [u8; 32] {
    let mut digest = Context::new(&SHA256);
    parts.iter().for_each(|part| digest.update(part));
    digest.finish().as_ref().try_into().expect("because SHA-256 has 32 bytes")
}

/// X-Wing's encapsulation (draft-connolly-cfrg-xwing-kem §5).
pub const ENCAPSULATED: usize = 1120;
/// Length of a sealed key: encapsulation, salt and key, tag.
pub const SEALED_KEY: usize = ENCAPSULATED + 64 + TAG;
const INFO: &[u8] = b"konfido document key for a vault 1";

#[cfg(test)]
mod tests;
