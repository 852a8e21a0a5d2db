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
pub use structure::WrappedKey;

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

    /// In bytes.
    fn key_length(self) -> usize {
        match self {
            Self::Aes128 => 16,
            Self::Aes192 => 24,
            Self::Aes256 => 32,
        }
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
///
/// When its key does not open, the content is tried with another all the same: how long it takes does
/// not tell which of the two it was (CVE-2011-2487 and its kin).
pub fn decrypt(
    data: Element<'_, '_>,
    key: &DecryptionKey,
) -> Result<Zeroizing<Vec<u8>>, Undecipherable> {
    unseal(Sealed::read(data).ok_or(Undecipherable)?, key)
}

fn unseal(sealed: Sealed, key: &DecryptionKey) -> Result<Zeroizing<Vec<u8>>, Undecipherable> {
    let unwrapped = key.unwrap(&sealed.key).ok();
    let unwrapped = unwrapped.filter(|found| found.len() == sealed.algorithm.key_length());
    let substitute = [0; 32];
    let content_key = unwrapped
        .as_ref()
        .map_or(&substitute[..sealed.algorithm.key_length()], |found| found.as_slice());
    let opened = open(sealed.algorithm, content_key, Zeroizing::new(sealed.content));
    // what the substitute opens is opened by nobody's key
    if unwrapped.is_some() { opened } else { Err(Undecipherable) }
}

fn open(
    algorithm: Content,
    key: &[u8],
    mut bytes: Zeroizing<Vec<u8>>,
) -> Result<Zeroizing<Vec<u8>>, Undecipherable> {
    #[cfg(test)]
    tests::OPENED.with(|opened| opened.set(opened.get() + bytes.len()));
    if bytes.len() < aead::NONCE_LEN + TAG {
        return Err(Undecipherable);
    }
    let nonce = aead::Nonce::try_assume_unique_for_key(&bytes[..aead::NONCE_LEN])
        .map_err(|_| Undecipherable)?;
    let opened = algorithm
        .key(key)?
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

#[cfg(test)]
mod clock;
#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use exchange::SystemEntropy;

    use super::*;
    use crate::certificate::Certificate;
    use crate::xml::{Limits, Xml};

    thread_local! {
        /// How many bytes of content this thread tried to open.
        pub(super) static OPENED: Cell<usize> = const { Cell::new(0) };
    }

    struct Pair(Certificate, DecryptionKey);

    fn pair(rsa: bool) -> Pair {
        let key = if rsa {
            rcgen::KeyPair::generate_rsa_for(&rcgen::PKCS_RSA_SHA256, rcgen::RsaKeySize::_2048)
        } else {
            rcgen::KeyPair::generate()
        };
        let key = key.unwrap();
        let certificate = rcgen::CertificateParams::default().self_signed(&key).unwrap();
        let private = DecryptionKey::from_pkcs8(&key.serialize_der()).unwrap();
        Pair(Certificate::from_der(certificate.der()).unwrap(), private)
    }

    /// What came of it, and how many bytes of content were tried.
    fn tried(text: &str, key: &DecryptionKey) -> (Result<Vec<u8>, String>, usize) {
        let xml = Xml::parse(text, &Limits::MESSAGE).unwrap();
        OPENED.with(|opened| opened.set(0));
        let found = decrypt(xml.root(), key);
        (found.map(|b| b.to_vec()).map_err(|e| e.to_string()), OPENED.with(Cell::get))
    }

    /// Another letter at a place of the nth `CipherValue`.
    fn flipped(text: &str, nth: usize, at: usize) -> String {
        let starts: Vec<_> = text.match_indices("CipherValue>").map(|(at, _)| at + 12).collect();
        let at = starts[2 * nth] + at;
        let other = if &text[at..=at] == "A" { "B" } else { "A" };
        format!("{}{other}{}", &text[..at], &text[at + 1..])
    }

    #[test]
    fn whatever_is_wrong_the_words_and_the_work_are_the_same() {
        for rsa in [true, false] {
            let (ours, other) = (pair(rsa), pair(rsa));
            let content = vec![b'x'; 1000];
            let recipient = Recipient::new(ours.0.clone());
            let sealed = encrypt(&content, &recipient, &SystemEntropy).unwrap();
            let tried_bytes = content.len() + aead::NONCE_LEN + TAG;
            assert_eq!(tried(&sealed, &ours.1), (Ok(content), tried_bytes));
            let words = || Err("encrypted element cannot be decrypted".to_owned());
            assert_eq!(tried(&sealed, &other.1), (words(), tried_bytes), "wrong key");
            assert_eq!(tried(&sealed, &pair(!rsa).1), (words(), tried_bytes), "kind of key");
            // the first value is that of the key, the second that of the content
            for (what, text) in [
                ("wrap", flipped(&sealed, 0, 4)),
                ("nonce", flipped(&sealed, 1, 4)),
                ("content", flipped(&sealed, 1, 400)),
                ("tag", flipped(&sealed, 1, 4 * (tried_bytes / 3) - 4)),
                ("key length", sealed.replace("aes256-gcm", "aes192-gcm")),
                ("key length", sealed.replace("aes256-gcm", "aes128-gcm")),
                (
                    "label",
                    sealed.replace(
                        "Algorithm=\"http://www.w3.org/2001/04/xmlenc#sha256\"/><xenc11:MGF",
                        "Algorithm=\"http://www.w3.org/2001/04/xmlenc#sha512\"/><xenc11:MGF",
                    ),
                ),
                ("mask", sealed.replace("mgf1sha256", "mgf1sha1")),
                ("kdf", sealed.replace("AlgorithmID=\"0000\"", "AlgorithmID=\"0001\"")),
            ] {
                if text != sealed {
                    assert_eq!(tried(&text, &ours.1), (words(), tried_bytes), "{what}");
                }
            }
        }
    }

    /// Who knows what stands in for a key that does not open gains nothing.
    #[test]
    fn the_substitute_opens_nothing() {
        let ours = pair(false);
        let recipient = Recipient::new(ours.0.clone());
        let sealed = encrypt(b"good", &recipient, &SystemEntropy).unwrap();
        let mut body = b"evil".to_vec();
        let nonce = aead::Nonce::assume_unique_for_key([0; aead::NONCE_LEN]);
        let key = Content::Aes256.key(&[0; 32]).unwrap();
        let tag = key.seal_in_place_separate_tag(nonce, aead::Aad::empty(), &mut body).unwrap();
        let evil = STANDARD.encode([&[0; aead::NONCE_LEN][..], &body, tag.as_ref()].concat());
        let start = sealed.rfind("<xenc:CipherValue>").unwrap() + 18;
        let end = sealed.rfind("</xenc:CipherValue>").unwrap();
        let text = format!("{}{evil}{}", &sealed[..start], &sealed[end..]);
        let (found, bytes) = tried(&flipped(&text, 0, 4), &ours.1);
        assert!(found.is_err() && bytes > 0);
    }
}
