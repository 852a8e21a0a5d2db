//! Public keys by themselves, made ready once: for who keeps keys without their certificates.
//!
//! Ed25519 is valid by ZIP-215 and nothing else (docs/decisions/0022): all members of a ledger must
//! judge a crafted signature alike, whether they verify it alone or among others.

mod batch;
mod wide;

use std::fmt;
use std::sync::Arc;

use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_FIXED, ParsedPublicKey, RSA_PSS_2048_8192_SHA256,
    VerificationAlgorithm,
};
pub use batch::Batch;
use ed25519_zebra::{Signature, VerificationKey};

use crate::certificate::{Certificate, PublicKey, rsa_modulus_bits};
use crate::seal::Scheme;

/// A public key that verifies one scheme of COSE.
#[derive(Clone)]
pub struct VerifyingKey(Arc<Inner>);

struct Inner {
    scheme: Scheme,
    raw: Vec<u8>,
    ready: Ready,
}

enum Ready {
    Ed25519(VerificationKey),
    AwsLc(ParsedPublicKey),
}

impl VerifyingKey {
    /// The key of a seal certificate; none if it is of a kind that signs no evidence.
    pub fn of(certificate: &Certificate) -> Option<Self> {
        match certificate.key() {
            PublicKey::Ed25519(raw) => Self::from_raw(Scheme::Ed25519, raw),
            PublicKey::P256(raw) => Self::from_raw(Scheme::Es256, raw),
            PublicKey::P384(raw) => Self::from_raw(Scheme::Es384, raw),
            PublicKey::Rsa(raw, _) => Self::from_raw(Scheme::Ps256, raw),
            _ => None,
        }
    }

    /// 32 bytes of Ed25519, an uncompressed point of P-256 or P-384, or a PKCS#1 `RSAPublicKey` of
    /// 2048 to 4096 bits. An Ed25519 key of small order, for which everybody can sign, is none.
    pub fn from_raw(scheme: Scheme, raw: &[u8]) -> Option<Self> {
        let ready = match scheme {
            Scheme::Ed25519 => Ready::Ed25519(ed25519_key(raw)?),
            Scheme::Es256 => parsed(&ECDSA_P256_SHA256_FIXED, raw, raw.len() == 65)?,
            Scheme::Es384 => parsed(&ECDSA_P384_SHA384_FIXED, raw, raw.len() == 97)?,
            Scheme::Ps256 => {
                let fits = (2048..=4096).contains(&rsa_modulus_bits(raw));
                parsed(&RSA_PSS_2048_8192_SHA256, raw, fits)?
            }
            Scheme::Rs256 => return None,
        };
        Some(Self(Arc::new(Inner { scheme, raw: raw.to_vec(), ready })))
    }

    /// The scheme that it verifies.
    pub fn scheme(&self) -> Scheme {
        self.0.scheme
    }

    /// The key as [`VerifyingKey::from_raw`] takes it.
    pub fn raw(&self) -> &[u8] {
        &self.0.raw
    }

    /// Whether [`Batch`] takes its signatures.
    pub fn is_batched(&self) -> bool {
        matches!(self.0.ready, Ready::Ed25519(_))
    }

    /// Whether the key made this signature.
    pub fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        match &self.0.ready {
            Ready::Ed25519(key) => verifies_ed25519(key, message, signature),
            Ready::AwsLc(key) => key.verify_sig(message, signature).is_ok(),
        }
    }
}

impl fmt::Debug for VerifyingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "VerifyingKey({:?})", self.0.scheme)
    }
}

impl PartialEq for VerifyingKey {
    fn eq(&self, other: &Self) -> bool {
        (self.0.scheme, &self.0.raw) == (other.0.scheme, &other.0.raw)
    }
}

impl Eq for VerifyingKey {}

fn parsed(algorithm: &'static dyn VerificationAlgorithm, raw: &[u8], fits: bool) -> Option<Ready> {
    let uncompressed = matches!(raw.first(), Some(0x04 | 0x30));
    if !fits || !uncompressed {
        return None;
    }
    ParsedPublicKey::new(algorithm, raw).ok().map(Ready::AwsLc)
}

fn ed25519_key(raw: &[u8]) -> Option<VerificationKey> {
    let key = VerificationKey::try_from(raw).ok()?;
    // 8·k·A = 0 for one k that we do not choose: A is of small order
    let anybodys = Signature::from_components(IDENTITY, [0; 32]);
    key.verify(&anybodys, b"konfido: who can sign for this key").is_err().then_some(key)
}

/// Whether an Ed25519 key made this signature, by ZIP-215.
pub(crate) fn verifies_zip215(raw: &[u8], message: &[u8], signature: &[u8]) -> bool {
    VerificationKey::try_from(raw).is_ok_and(|key| verifies_ed25519(&key, message, signature))
}

fn verifies_ed25519(key: &VerificationKey, message: &[u8], signature: &[u8]) -> bool {
    Signature::from_slice(signature).is_ok_and(|signature| key.verify(&signature, message).is_ok())
}

/// Encoding of the neutral point.
const IDENTITY: [u8; 32] = {
    let mut bytes = [0; 32];
    bytes[0] = 1;
    bytes
};

#[cfg(test)]
#[path = "verifying/tests.rs"]
mod tests;
