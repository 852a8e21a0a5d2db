//! XML Encryption 1.1, as far as eIDAS uses it (eIDAS Cryptographic Requirements 1.2 §3): AES-GCM
//! under a key that was wrapped by RSA-OAEP or agreed by ECDH-ES.
//!
//! Every failure is one and the same error: what differs by the reason would be an oracle. Verify
//! the signature around the ciphertext first.

mod key;
mod oaep;
mod structure;

use aws_lc_rs::aead;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use exchange::Entropy;
use zeroize::Zeroizing;

pub use key::{DecryptionKey, Recipient};
use structure::Sealed;

use crate::xml::Element;

/// XML Encryption.
pub const XENC: &str = "http://www.w3.org/2001/04/xmlenc#";
/// XML Encryption 1.1.
pub(crate) const XENC11: &str = "http://www.w3.org/2009/xmlenc11#";

/// The ciphertext does not open. Says no more, to nobody.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("encrypted element cannot be decrypted")]
pub struct Undecipherable;

/// Content encryption.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Content {
    Aes128,
    Aes192,
    Aes256,
}

impl Content {
    const ALL: [Self; 3] = [Self::Aes128, Self::Aes192, Self::Aes256];

    fn uri(self) -> &'static str {
        match self {
            Self::Aes128 => "http://www.w3.org/2009/xmlenc11#aes128-gcm",
            Self::Aes192 => "http://www.w3.org/2009/xmlenc11#aes192-gcm",
            Self::Aes256 => "http://www.w3.org/2009/xmlenc11#aes256-gcm",
        }
    }

    fn of(uri: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|content| content.uri() == uri)
    }

    fn key(self, bytes: &[u8]) -> Result<aead::LessSafeKey, Undecipherable> {
        let algorithm = match self {
            Self::Aes128 => &aead::AES_128_GCM,
            Self::Aes192 => &aead::AES_192_GCM,
            Self::Aes256 => &aead::AES_256_GCM,
        };
        let key = aead::UnboundKey::new(algorithm, bytes).map_err(|_| Undecipherable)?;
        Ok(aead::LessSafeKey::new(key))
    }
}

/// Opens an `xenc:EncryptedData` whose key stands in it, or in an `xenc:EncryptedKey` beside it.
pub fn decrypt(
    data: Element<'_, '_>,
    key: &DecryptionKey,
) -> Result<Zeroizing<Vec<u8>>, Undecipherable> {
    let sealed = Sealed::read(data).ok_or(Undecipherable)?;
    let content_key = key.unwrap(&sealed.key)?;
    let mut bytes = Zeroizing::new(sealed.content);
    if bytes.len() < aead::NONCE_LEN + TAG {
        return Err(Undecipherable);
    }
    let nonce = aead::Nonce::try_assume_unique_for_key(&bytes[..aead::NONCE_LEN])
        .map_err(|_| Undecipherable)?;
    let opened = sealed
        .algorithm
        .key(&content_key)?
        .open_within(nonce, aead::Aad::empty(), &mut bytes, aead::NONCE_LEN..)
        .map_err(|_| Undecipherable)?
        .len();
    bytes.truncate(opened);
    Ok(bytes)
}

/// Seals `plaintext` (one XML element) for a recipient: an `xenc:EncryptedData` with its key in it,
/// AES-256-GCM.
pub fn encrypt(
    plaintext: &[u8],
    recipient: &Recipient,
    entropy: &dyn Entropy,
) -> Result<String, Undecipherable> {
    let mut content_key = Zeroizing::new([0; 32]);
    entropy.fill(content_key.as_mut());
    let mut nonce = [0; aead::NONCE_LEN];
    entropy.fill(&mut nonce);
    let mut body = plaintext.to_vec();
    let tag = Content::Aes256
        .key(content_key.as_ref())?
        .seal_in_place_separate_tag(
            aead::Nonce::assume_unique_for_key(nonce),
            aead::Aad::empty(),
            &mut body,
        )
        .map_err(|_| Undecipherable)?;
    let cipher = STANDARD.encode([&nonce[..], &body, tag.as_ref()].concat());
    let key = recipient.wrap(content_key.as_ref())?;
    let algorithm = Content::Aes256.uri();
    Ok(format!(
        "<xenc:EncryptedData xmlns:xenc=\"{XENC}\" Type=\"{XENC}Element\">\
         <xenc:EncryptionMethod Algorithm=\"{algorithm}\"/>\
         <ds:KeyInfo xmlns:ds=\"http://www.w3.org/2000/09/xmldsig#\">{key}</ds:KeyInfo>\
         <xenc:CipherData><xenc:CipherValue>{cipher}</xenc:CipherValue></xenc:CipherData></xenc:EncryptedData>"
    ))
}

const TAG: usize = 16;
