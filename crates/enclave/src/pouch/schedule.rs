//! HPKE's key schedule in base mode with HKDF-SHA256, and one message under it (RFC 9180 §5.1, §5.2).

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, Tag, UnboundKey};
use aws_lc_rs::hkdf::{HKDF_SHA256, KeyType, Prk, Salt};
use aws_lc_rs::hmac;
use zeroize::Zeroizing;

use crate::VaultError;

/// Bytes of a tag.
pub(super) const TAG: usize = 16;
/// Bytes of a nonce (Nn).
const NONCE: usize = 12;

/// Seals the only message of a context in the place of its plaintext.
pub(super) fn seal(
    suite: [u8; 6],
    shared: &[u8; 32],
    info: &[u8],
    aad: &[u8],
    text: &mut [u8],
) -> Result<Tag, VaultError> {
    let (key, nonce) = keys(suite, shared, info)?;
    let nonce = Nonce::assume_unique_for_key(nonce);
    key.seal_in_place_separate_tag(nonce, Aad::from(aad), text).map_err(|_| VaultError::Integrity)
}

/// Opens the only message of a context.
pub(super) fn open(
    suite: [u8; 6],
    shared: &[u8; 32],
    info: &[u8],
    aad: &[u8],
    sealed: &[u8],
) -> Result<Vec<u8>, VaultError> {
    let (key, nonce) = keys(suite, shared, info)?;
    let nonce = Nonce::assume_unique_for_key(nonce);
    let mut text = sealed.to_vec();
    let length = key
        .open_in_place(nonce, Aad::from(aad), &mut text)
        .map_err(|_| VaultError::Integrity)?
        .len();
    text.truncate(length);
    Ok(text)
}

fn keys(
    suite: [u8; 6],
    shared: &[u8; 32],
    info: &[u8],
) -> Result<(LessSafeKey, [u8; NONCE]), VaultError> {
    let mut key = Zeroizing::new([0; 32]);
    let nonce = schedule(suite, shared, info, key.as_mut())?;
    let key = UnboundKey::new(&AES_256_GCM, key.as_ref()).map_err(|_| VaultError::Integrity)?;
    Ok((LessSafeKey::new(key), nonce))
}

/// RFC 9180 §5.1, `KeySchedule` in base mode: fills the key, and gives the base nonce, which is the
/// nonce of message 0.
pub(super) fn schedule(
    suite: [u8; 6],
    shared: &[u8; 32],
    info: &[u8],
    key: &mut [u8],
) -> Result<[u8; NONCE], VaultError> {
    let suite = Labels { kind: b"HPKE", ids: &suite };
    let (psk_id, info) = (suite.hash("psk_id_hash", b""), suite.hash("info_hash", info));
    let context = [[BASE].as_slice(), psk_id.as_ref(), info.as_ref()].concat();
    let secret = suite.extract(shared, "secret", b"");
    suite.expand(&secret, "key", &context, key)?;
    let mut nonce = [0; NONCE];
    suite.expand(&secret, "base_nonce", &context, &mut nonce)?;
    Ok(nonce)
}

/// The labelled functions of RFC 9180 §4, for one suite.
pub(super) struct Labels<'s> {
    /// `HPKE` or `KEM`.
    pub(super) kind: &'static [u8],
    /// The numbers of the algorithms that it stands for.
    pub(super) ids: &'s [u8],
}

impl Labels<'_> {
    /// `LabeledExtract` of what is secret.
    pub(super) fn extract(&self, salt: &[u8], label: &str, ikm: &[u8]) -> Prk {
        let labelled = [VERSION, self.kind, self.ids, label.as_bytes(), ikm].concat();
        Salt::new(HKDF_SHA256, salt).extract(&Zeroizing::new(labelled))
    }

    /// `LabeledExtract` of what is not, without salt.
    fn hash(&self, label: &str, ikm: &[u8]) -> hmac::Tag {
        let labelled = [VERSION, self.kind, self.ids, label.as_bytes(), ikm].concat();
        hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, b""), &labelled)
    }

    /// `LabeledExpand`.
    pub(super) fn expand(
        &self,
        secret: &Prk,
        label: &str,
        info: &[u8],
        out: &mut [u8],
    ) -> Result<(), VaultError> {
        let length = u16::try_from(out.len()).map_err(|_| VaultError::Integrity)?.to_be_bytes();
        let labelled: [&[u8]; 6] = [&length, VERSION, self.kind, self.ids, label.as_bytes(), info];
        let expanded = secret.expand(&labelled, Length(out.len()));
        expanded.and_then(|okm| okm.fill(out)).map_err(|_| VaultError::Integrity)
    }
}

struct Length(usize);

impl KeyType for Length {
    fn len(&self) -> usize {
        self.0
    }
}

const VERSION: &[u8] = b"HPKE-v1";
/// `mode_base`.
const BASE: u8 = 0;
