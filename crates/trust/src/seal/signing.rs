//! A signing key in memory.

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair,
    KeyPair, RSA_PKCS1_SHA256, RSA_PSS_SHA256, RsaEncoding, RsaKeyPair,
};
use rustls_pki_types::PrivateKeyDer;
use rustls_pki_types::pem::PemObject;
use zeroize::{Zeroize, Zeroizing};

use super::Scheme;
use crate::certificate::{CertificateError, PublicKey};
use crate::private::Holder;

/// A private key that signs. aws-lc holds and wipes it.
pub struct SigningKey(Pair);

enum Pair {
    P256(EcdsaKeyPair),
    P384(EcdsaKeyPair),
    Rsa(RsaKeyPair),
    Ed25519(Ed25519KeyPair),
}

impl SigningKey {
    /// Reads a PKCS#8, SEC1 or PKCS#1 private key: P-256, P-384, Ed25519 or RSA of at least 2048 bits.
    /// The decoded copy is wiped.
    pub fn from_pem(pem: &[u8]) -> Result<Self, CertificateError> {
        let mut der =
            PrivateKeyDer::from_pem_slice(pem).map_err(|e| CertificateError::Key(e.to_string()))?;
        let pkcs1 = matches!(der, PrivateKeyDer::Pkcs1(_));
        let bytes = Zeroizing::new(der.secret_der().to_vec());
        der.zeroize();
        if let Ok(pair) =
            EcdsaKeyPair::from_private_key_der(&ECDSA_P256_SHA256_FIXED_SIGNING, &bytes)
        {
            return Ok(Self(Pair::P256(pair)));
        }
        if let Ok(pair) =
            EcdsaKeyPair::from_private_key_der(&ECDSA_P384_SHA384_FIXED_SIGNING, &bytes)
        {
            return Ok(Self(Pair::P384(pair)));
        }
        if let Ok(key) = Self::from_ed25519(&bytes) {
            return Ok(key);
        }
        let pair =
            if pkcs1 { RsaKeyPair::from_der(&bytes) } else { RsaKeyPair::from_pkcs8(&bytes) };
        match pair {
            Ok(pair) if pair.public_modulus_len() >= 2048 / 8 => Ok(Self(Pair::Rsa(pair))),
            _ => {
                let needs = "needs P-256, P-384, Ed25519 or RSA of at least 2048 bits";
                Err(CertificateError::Key(needs.into()))
            }
        }
    }

    /// Reads an Ed25519 key, PKCS#8 in DER, as logs keep theirs.
    pub fn from_ed25519(pkcs8: &[u8]) -> Result<Self, CertificateError> {
        let pair = Ed25519KeyPair::from_pkcs8(pkcs8);
        let pair = pair.map_err(|_| CertificateError::Key("is no Ed25519 key".into()))?;
        Ok(Self(Pair::Ed25519(pair)))
    }

    /// A new Ed25519 key, PKCS#8 in DER.
    pub fn new_ed25519() -> Option<Zeroizing<Vec<u8>>> {
        let made = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).ok()?;
        Some(Zeroizing::new(made.as_ref().to_vec()))
    }

    /// Whether this is the other half of a public key.
    pub(super) fn belongs_to(&self, public: &PublicKey) -> bool {
        let ours = self.public();
        match (&self.0, public) {
            (Pair::P256(_), PublicKey::P256(of))
            | (Pair::P384(_), PublicKey::P384(of))
            | (Pair::Ed25519(_), PublicKey::Ed25519(of))
            | (Pair::Rsa(_), PublicKey::Rsa(of, _)) => *of == ours,
            _ => false,
        }
    }

    /// The scheme of its COSE signatures.
    pub fn scheme(&self) -> Scheme {
        match &self.0 {
            Pair::P256(_) => Scheme::Es256,
            Pair::P384(_) => Scheme::Es384,
            Pair::Rsa(_) => Scheme::Ps256,
            Pair::Ed25519(_) => Scheme::Ed25519,
        }
    }

    /// The public half: a point, an RSA public key in DER, or the 32 bytes of Ed25519.
    pub fn public(&self) -> &[u8] {
        match &self.0 {
            Pair::P256(pair) | Pair::P384(pair) => pair.public_key().as_ref(),
            Pair::Rsa(pair) => pair.public_key().as_ref(),
            Pair::Ed25519(pair) => pair.public_key().as_ref(),
        }
    }
}

impl Holder for SigningKey {
    fn sign(&self, scheme: Scheme, message: &[u8]) -> Option<Vec<u8>> {
        let random = SystemRandom::new();
        match (&self.0, scheme) {
            (Pair::P256(pair), Scheme::Es256) | (Pair::P384(pair), Scheme::Es384) => {
                pair.sign(&random, message).ok().map(|s| s.as_ref().to_vec())
            }
            (Pair::Rsa(pair), Scheme::Ps256 | Scheme::Rs256) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                let padding: &dyn RsaEncoding =
                    if scheme == Scheme::Ps256 { &RSA_PSS_SHA256 } else { &RSA_PKCS1_SHA256 };
                pair.sign(padding, &random, message, &mut signature).ok().map(|()| signature)
            }
            (Pair::Ed25519(pair), Scheme::Ed25519) => Some(pair.sign(message).as_ref().to_vec()),
            _ => None,
        }
    }
}
