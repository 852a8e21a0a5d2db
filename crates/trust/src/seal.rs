//! The seal key: signs assertions, evidence and the vault's public key.

mod place;
mod signing;

use std::sync::Arc;

use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1, ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_FIXED,
    RSA_PKCS1_2048_8192_SHA256, RSA_PSS_2048_8192_SHA256, UnparsedPublicKey, VerificationAlgorithm,
};

use crate::certificate::{Certificate, CertificateError, PublicKey};
use crate::private::{Holder, PrivateKey};
use crate::verifying::verifies_zip215;

pub use place::Place;
pub use signing::SigningKey;

/// A private key with its certificate. The key has no `Debug`, `Clone` or serialisation: it is in
/// our memory as a [`SigningKey`], or with somebody else who signs for us.
pub struct SealKey {
    key: Arc<dyn Holder>,
    chain: Vec<Certificate>,
}

/// How a seal key signs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scheme {
    /// ECDSA P-256 with SHA-256, `r || s` (RFC 9053 ES256).
    Es256,
    /// ECDSA P-384 with SHA-384, `r || s` (RFC 9053 ES384).
    Es384,
    /// RSASSA-PSS with SHA-256 (RFC 8230 PS256).
    Ps256,
    /// RSASSA-PKCS1-v1_5 with SHA-256: XML signatures of eHDSI only.
    Rs256,
    /// Ed25519 (RFC 8032): checkpoints of a log, and evidence; never an XML signature.
    Ed25519,
}

impl SealKey {
    /// Of a key as its configuration gives it, and its certificate chain, leaf first.
    pub fn new(key: &PrivateKey, chain: &[u8]) -> Result<Self, CertificateError> {
        match key {
            PrivateKey::Pem(pem) => Self::from_pem(pem, chain),
            PrivateKey::Held(holder) => {
                Self::held(Arc::clone(holder), Certificate::from_pem(chain)?)
            }
        }
    }

    /// Reads a private key ([`SigningKey::from_pem`]) and its certificate chain, leaf first. In
    /// place of a key it takes the URI of one in a token ([`Place`]), with the feature `pkcs11`.
    pub fn from_pem(key: &[u8], chain: &[u8]) -> Result<Self, CertificateError> {
        let chain = Certificate::from_pem(chain)?;
        if Place::is_uri(key) {
            return Self::held(in_token(&Place::parse(key)?)?, chain);
        }
        let key = SigningKey::from_pem(key)?;
        if !key.belongs_to(chain[0].key()) {
            return Err(CertificateError::Key("does not belong to the certificate".into()));
        }
        Ok(Self { key: Arc::new(key), chain })
    }

    /// A key that somebody else holds, with its certificate chain, leaf first. It signs once here,
    /// to show that it belongs to the certificate.
    pub fn held(
        holder: Arc<dyn Holder>,
        chain: Vec<Certificate>,
    ) -> Result<Self, CertificateError> {
        let usable = match chain.first().map(Certificate::key) {
            Some(PublicKey::P256(_) | PublicKey::P384(_) | PublicKey::Ed25519(_)) => true,
            Some(PublicKey::Rsa(_, bits)) => *bits >= 2048,
            None => return Err(CertificateError::Empty),
            Some(_) => false,
        };
        let key = Self { key: holder, chain };
        let probe = b"konfido seal probe";
        let shown = [key.cose_scheme(), key.xml_scheme()].into_iter().all(|scheme| {
            let made = key.sign(scheme, probe);
            made.is_some_and(|made| key.certificate().verifies(scheme, probe, &made))
        });
        match (usable, shown) {
            (true, true) => Ok(key),
            (true, false) => Err(CertificateError::Key("does not sign for the certificate".into())),
            _ => {
                let needs = "needs P-256, P-384, Ed25519 or RSA of at least 2048 bits";
                Err(CertificateError::Key(needs.into()))
            }
        }
    }

    /// The same seal by another way to its key, for who does more with the same call. Whether it signs for the
    /// certificate is not looked at: peers do.
    #[must_use]
    pub fn by(&self, holder: Arc<dyn Holder>) -> Self {
        Self { key: holder, chain: self.chain.clone() }
    }

    /// The seal certificate.
    pub fn certificate(&self) -> &Certificate {
        &self.chain[0]
    }

    /// The certificates between the seal certificate and its root.
    pub fn intermediates(&self) -> &[Certificate] {
        &self.chain[1..]
    }

    /// The scheme of COSE signatures by this key.
    pub fn cose_scheme(&self) -> Scheme {
        match self.certificate().key() {
            PublicKey::P256(_) => Scheme::Es256,
            PublicKey::P384(_) => Scheme::Es384,
            PublicKey::Ed25519(_) => Scheme::Ed25519,
            _ => Scheme::Ps256,
        }
    }

    /// The scheme of XML signatures by this key. With Ed25519 none is made: no peer reads it.
    pub fn xml_scheme(&self) -> Scheme {
        match self.cose_scheme() {
            Scheme::Ps256 => Scheme::Rs256,
            scheme => scheme,
        }
    }

    /// A signature as TLS carries it: ECDSA in ASN.1 (RFC 8446 §4.2.3).
    pub fn sign_for_tls(&self, scheme: Scheme, message: &[u8]) -> Option<Vec<u8>> {
        let made = self.sign(scheme, message)?;
        match scheme {
            Scheme::Es256 | Scheme::Es384 => asn1(&made),
            Scheme::Ps256 | Scheme::Rs256 | Scheme::Ed25519 => Some(made),
        }
    }

    /// Signs with the scheme; `None` when the key cannot.
    pub(crate) fn sign(&self, scheme: Scheme, message: &[u8]) -> Option<Vec<u8>> {
        self.key.sign(scheme, message)
    }
}

#[cfg(feature = "pkcs11")]
fn in_token(place: &Place) -> Result<Arc<dyn Holder>, CertificateError> {
    Ok(Arc::new(crate::pkcs11::TokenKey::open(place)?))
}

#[cfg(not(feature = "pkcs11"))]
fn in_token(_: &Place) -> Result<Arc<dyn Holder>, CertificateError> {
    Err(CertificateError::Key("is in a token, and this program was built without pkcs11".into()))
}

/// `r || s` as the ASN.1 that cards and TLS use (RFC 3279 §2.2.3). At most 63 bytes a number.
pub fn asn1(signature: &[u8]) -> Option<Vec<u8>> {
    let integer = |number: &[u8]| {
        let zeros = number.iter().take_while(|b| **b == 0).count();
        let bare = &number[zeros.min(number.len() - 1)..];
        let sign = usize::from(bare[0] >= 0x80);
        let mut out = vec![2, u8::try_from(bare.len() + sign).ok()?];
        out.resize(2 + sign, 0);
        out.extend_from_slice(bare);
        Some(out)
    };
    if signature.is_empty() || !signature.len().is_multiple_of(2) || signature.len() > 112 {
        return None;
    }
    let (r, s) = signature.split_at(signature.len() / 2);
    let both = [integer(r)?, integer(s)?].concat();
    Some([&[0x30, u8::try_from(both.len()).ok()?], &both[..]].concat())
}

impl Certificate {
    /// Whether the certificate's key signed this message, as cards do: ECDSA on P-256 in ASN.1, or
    /// RSA (PKCS#1 v1.5) of at least 2048 bits, SHA-256 both. The path is still to be checked.
    pub fn signed(&self, message: &[u8], signature: &[u8]) -> bool {
        match self.key() {
            PublicKey::P256(key) => {
                let key = UnparsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, key);
                key.verify(message, signature).is_ok()
            }
            _ => self.verifies(Scheme::Rs256, message, signature),
        }
    }

    /// Whether the certificate's key made this signature.
    pub(crate) fn verifies(&self, scheme: Scheme, message: &[u8], signature: &[u8]) -> bool {
        if let (PublicKey::Ed25519(key), Scheme::Ed25519) = (self.key(), scheme) {
            return verifies_zip215(key, message, signature);
        }
        let (algorithm, key): (&'static dyn VerificationAlgorithm, &Vec<u8>) =
            match (self.key(), scheme) {
                (PublicKey::P256(key), Scheme::Es256) => (&ECDSA_P256_SHA256_FIXED, key),
                (PublicKey::P384(key), Scheme::Es384) => (&ECDSA_P384_SHA384_FIXED, key),
                (PublicKey::Rsa(key, bits), Scheme::Ps256) if *bits >= 2048 => {
                    (&RSA_PSS_2048_8192_SHA256, key)
                }
                (PublicKey::Rsa(key, bits), Scheme::Rs256) if *bits >= 2048 => {
                    (&RSA_PKCS1_2048_8192_SHA256, key)
                }
                _ => return false,
            };
        UnparsedPublicKey::new(algorithm, key).verify(message, signature).is_ok()
    }
}

#[cfg(test)]
#[path = "seal/tests.rs"]
mod tests;
