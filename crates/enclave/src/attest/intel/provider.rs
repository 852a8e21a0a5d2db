//! dcap-qvl on aws-lc-rs, so that there is one crypto provider (docs/decisions/0002, 0013).

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use aws_lc_rs::digest::{Context, SHA256, SHA384, digest};
use dcap_qvl::config::{Config, CryptoProvider};
use rustls_pki_types::{AlgorithmIdentifier, InvalidSignature, SignatureVerificationAlgorithm};

/// Its own parsers of certificates and signatures, our cryptography.
pub(super) struct AwsLc;

impl Config for AwsLc {
    type X509 = dcap_qvl::x509::X509CertBackend;
    type SigEncoder = dcap_qvl::signature::DerSigEncoder;
    type Crypto = Self;
}

impl CryptoProvider for AwsLc {
    fn sig_algo() -> &'static dyn SignatureVerificationAlgorithm {
        &KEPT
    }

    fn sha256(data: &[u8]) -> [u8; 32] {
        digest(&SHA256, data).as_ref().try_into().expect("because SHA-256 has 32 bytes")
    }

    fn sha384(data: &[u8]) -> [u8; 48] {
        digest(&SHA384, data).as_ref().try_into().expect("because SHA-384 has 48 bytes")
    }
}

/// ECDSA on P-256 that remembers what it found good. Of the nine signatures under a quote seven are
/// Intel's, the same under each quote of a machine for weeks. Whether a signature fits depends on
/// key, message and signature alone, so only these are remembered, as one hash; dates, lists and
/// firmware are looked at each time.
#[derive(Debug)]
pub(super) struct Kept {
    good: Mutex<VecDeque<[u8; 32]>>,
}

pub(super) static KEPT: Kept = Kept { good: Mutex::new(VecDeque::new()) };

impl SignatureVerificationAlgorithm for Kept {
    fn verify_signature(
        &self,
        key: &[u8],
        message: &[u8],
        signature: &[u8],
    ) -> Result<(), InvalidSignature> {
        let name = name(key, message, signature);
        if self.knows(&name) {
            return Ok(());
        }
        webpki::aws_lc_rs::ECDSA_P256_SHA256.verify_signature(key, message, signature)?;
        let mut good = self.good.lock().unwrap_or_else(PoisonError::into_inner);
        good.truncate(MOST - 1);
        good.push_front(name);
        Ok(())
    }

    fn public_key_alg_id(&self) -> AlgorithmIdentifier {
        webpki::aws_lc_rs::ECDSA_P256_SHA256.public_key_alg_id()
    }

    fn signature_alg_id(&self) -> AlgorithmIdentifier {
        webpki::aws_lc_rs::ECDSA_P256_SHA256.signature_alg_id()
    }
}

impl Kept {
    /// Nothing was found good yet.
    pub(super) fn forget(&self) {
        self.good.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// Whether it was found good before; what is asked for again stays longest.
    fn knows(&self, name: &[u8; 32]) -> bool {
        let mut good = self.good.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(at) = good.iter().position(|known| known == name) else { return false };
        if let Some(known) = good.remove(at) {
            good.push_front(known);
        }
        true
    }
}

/// With their lengths, so that no bytes can move from one to the next.
fn name(key: &[u8], message: &[u8], signature: &[u8]) -> [u8; 32] {
    let mut hash = Context::new(&SHA256);
    for part in [key, message, signature] {
        hash.update(&(part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    hash.finish().as_ref().try_into().expect("because SHA-256 has 32 bytes")
}

/// Seven for each machine of some thirty countries, and the last quotes; 8 kB.
const MOST: usize = 256;

#[cfg(test)]
mod tests {
    use aws_lc_rs::rand::SystemRandom;
    use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair as _};

    use super::*;

    #[test]
    fn only_what_verified_is_remembered_and_nothing_like_it_passes() {
        let kept = Kept { good: Mutex::new(VecDeque::new()) };
        let pair = || EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING).unwrap();
        let (ours, other) = (pair(), pair());
        let sign = |message: &[u8]| ours.sign(&SystemRandom::new(), message).unwrap();
        let key = ours.public_key().as_ref();
        let signature = sign(b"message");
        let said = |key: &[u8], message: &[u8], signature: &[u8]| {
            kept.verify_signature(key, message, signature).is_ok()
        };
        assert!(!said(key, b"messagf", signature.as_ref()));
        assert!(kept.good.lock().unwrap().is_empty(), "a failure is not remembered");
        assert!(said(key, b"message", signature.as_ref()));
        assert_eq!(kept.good.lock().unwrap().len(), 1);
        for _ in 0..2 {
            assert!(said(key, b"message", signature.as_ref()));
            assert!(!said(key, b"messagf", signature.as_ref()));
            assert!(!said(key, b"messag", signature.as_ref()));
            assert!(!said(other.public_key().as_ref(), b"message", signature.as_ref()));
            assert!(!said(key, b"message", sign(b"other").as_ref()));
        }
        for number in 0..MOST {
            let message = number.to_be_bytes();
            assert!(said(key, &message, sign(&message).as_ref()));
            assert!(said(key, b"message", signature.as_ref()), "what is used stays");
        }
        assert_eq!(kept.good.lock().unwrap().len(), MOST, "bounded");
    }
}
