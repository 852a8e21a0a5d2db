//! dcap-qvl on aws-lc-rs, so that there is one crypto provider (docs/decisions/0002, 0013).

use aws_lc_rs::digest::{SHA256, SHA384, digest};
use dcap_qvl::config::{Config, CryptoProvider};
use rustls_pki_types::SignatureVerificationAlgorithm;

/// Its own parsers of certificates and signatures, our cryptography.
pub(super) struct AwsLc;

impl Config for AwsLc {
    type X509 = dcap_qvl::x509::X509CertBackend;
    type SigEncoder = dcap_qvl::signature::DerSigEncoder;
    type Crypto = Self;
}

impl CryptoProvider for AwsLc {
    fn sig_algo() -> &'static dyn SignatureVerificationAlgorithm {
        webpki::aws_lc_rs::ECDSA_P256_SHA256
    }

    fn sha256(data: &[u8]) -> [u8; 32] {
        digest(&SHA256, data).as_ref().try_into().expect("because SHA-256 has 32 bytes")
    }

    fn sha384(data: &[u8]) -> [u8; 48] {
        digest(&SHA384, data).as_ref().try_into().expect("because SHA-384 has 48 bytes")
    }
}
