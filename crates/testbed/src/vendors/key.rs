//! Keys of the invented vendors: what they sign certificates and quotes with.

use std::sync::OnceLock;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1_SIGNING, ECDSA_P256_SHA256_FIXED_SIGNING,
    ECDSA_P384_SHA384_ASN1_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair,
    EcdsaSigningAlgorithm, KeyPair as _, RSA_PSS_SHA384, RsaKeyPair,
};

use super::der;

/// A key of an invented vendor. No `Debug`, on purpose.
pub enum Key {
    /// ECDSA on P-256 with SHA-256: all of Intel's.
    P256(Pair),
    /// ECDSA on P-384 with SHA-384: AMD's chips, and all of Nitro's.
    P384(Pair),
    /// RSASSA-PSS of 4096 bits with SHA-384: AMD's authorities.
    Pss(Box<RsaKeyPair>),
}

/// One ECDSA key, once for certificates and once for quotes.
pub struct Pair {
    asn1: EcdsaKeyPair,
    fixed: EcdsaKeyPair,
}

impl Pair {
    fn new(asn1: &'static EcdsaSigningAlgorithm, fixed: &'static EcdsaSigningAlgorithm) -> Self {
        let key = EcdsaKeyPair::generate(fixed)
            .and_then(|key| key.to_pkcs8v1())
            .expect("because the system has entropy");
        let load = |algorithm| {
            EcdsaKeyPair::from_pkcs8(algorithm, key.as_ref()).expect("because the key is our own")
        };
        Self { asn1: load(asn1), fixed: load(fixed) }
    }
}

impl Key {
    /// A new key on P-256.
    pub fn p256() -> Self {
        Self::P256(Pair::new(&ECDSA_P256_SHA256_ASN1_SIGNING, &ECDSA_P256_SHA256_FIXED_SIGNING))
    }

    /// A new key on P-384.
    pub fn p384() -> Self {
        Self::P384(Pair::new(&ECDSA_P384_SHA384_ASN1_SIGNING, &ECDSA_P384_SHA384_FIXED_SIGNING))
    }

    /// A new RSA key of 4096 bits. It takes a second or more: make one for a process.
    pub fn rsa_4096() -> Self {
        let pair = RsaKeyPair::generate(KeySize::Rsa4096).expect("because the system has entropy");
        Self::Pss(Box::new(pair))
    }

    /// A P-256 key that stands in no chain: whoever signs with it is a stranger.
    pub fn stranger() -> &'static Self {
        static KEY: OnceLock<Key> = OnceLock::new();
        KEY.get_or_init(Self::p256)
    }

    /// A P-384 key that stands in no chain.
    pub fn stranger_p384() -> &'static Self {
        static KEY: OnceLock<Key> = OnceLock::new();
        KEY.get_or_init(Self::p384)
    }

    /// The signature in the form that certificates carry.
    pub fn sign(&self, message: &[u8]) -> Vec<u8> {
        let random = SystemRandom::new();
        match self {
            Self::P256(pair) | Self::P384(pair) => {
                let signature = pair.asn1.sign(&random, message);
                signature.expect("because signing does not fail").as_ref().to_vec()
            }
            Self::Pss(pair) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(&RSA_PSS_SHA384, &random, message, &mut signature)
                    .expect("because signing does not fail");
                signature
            }
        }
    }

    /// The signature as `r || s`, as quotes, collateral and COSE carry it.
    ///
    /// # Panics
    /// For an RSA key, which has no such form.
    pub fn sign_fixed(&self, message: &[u8]) -> Vec<u8> {
        let (Self::P256(pair) | Self::P384(pair)) = self else {
            panic!("RSA signatures have no r and s");
        };
        let signature = pair.fixed.sign(&SystemRandom::new(), message);
        signature.expect("because signing does not fail").as_ref().to_vec()
    }

    /// The public key as bytes: an uncompressed point, or PKCS#1.
    pub fn public(&self) -> &[u8] {
        match self {
            Self::P256(pair) | Self::P384(pair) => pair.asn1.public_key().as_ref(),
            Self::Pss(pair) => pair.public_key().as_ref(),
        }
    }

    /// SubjectPublicKeyInfo (RFC 5280 §4.1.2.7).
    pub fn info(&self) -> Vec<u8> {
        let curve = |oid| der::sequence(&[der::oid("1.2.840.10045.2.1"), der::oid(oid)]);
        let algorithm = match self {
            Self::P256(_) => curve("1.2.840.10045.3.1.7"),
            Self::P384(_) => curve("1.3.132.0.34"),
            Self::Pss(_) => der::sequence(&[der::oid("1.2.840.113549.1.1.1"), der::null()]),
        };
        der::sequence(&[algorithm, der::bits(self.public())])
    }

    /// AlgorithmIdentifier of what this key signs.
    pub fn algorithm(&self) -> Vec<u8> {
        match self {
            Self::P256(_) => der::sequence(&[der::oid("1.2.840.10045.4.3.2")]),
            Self::P384(_) => der::sequence(&[der::oid("1.2.840.10045.4.3.3")]),
            Self::Pss(_) => {
                // RSASSA-PSS-params as AMD writes them: SHA-384 twice, salt of 48 bytes, trailer 1
                let sha384 = || der::sequence(&[der::oid("2.16.840.1.101.3.4.2.2"), der::null()]);
                let mask = der::sequence(&[der::oid("1.2.840.113549.1.1.8"), sha384()]);
                let params = der::sequence(&[
                    der::explicit(0, &sha384()),
                    der::explicit(1, &mask),
                    der::explicit(2, &der::number(48)),
                    der::explicit(3, &der::number(1)),
                ]);
                der::sequence(&[der::oid("1.2.840.113549.1.1.10"), params])
            }
        }
    }
}
