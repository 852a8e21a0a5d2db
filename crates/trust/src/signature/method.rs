//! The allow-list of signature methods (RFC 9231 names), and the one place that checks a signature value.

use std::cmp::min;

use aws_lc_rs::signature as lc;

use super::{Profile, SignatureError};
use crate::certificate::{Certificate, PublicKey};

/// One allowed signature method.
pub(super) struct Method {
    pub(super) uri: &'static str,
    pub(super) scheme: Padding,
    pub(super) hash: Hash,
    eidas: bool,
}

/// What makes a signature of a hash.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Padding {
    Pkcs1,
    Pss,
    Ecdsa,
}

/// What is signed.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Hash {
    Sha256,
    Sha384,
    Sha512,
}

const fn method(uri: &'static str, scheme: Padding, hash: Hash, eidas: bool) -> Method {
    Method { uri, scheme, hash, eidas }
}

/// The table. Any of these hashes goes with any of our curves: eIDAS nodes sign with `ecdsa-sha512` by
/// default, whatever their key.
static METHODS: [Method; 9] = [
    method(RSA_SHA256, Padding::Pkcs1, Hash::Sha256, false),
    method(
        "http://www.w3.org/2001/04/xmldsig-more#rsa-sha384",
        Padding::Pkcs1,
        Hash::Sha384,
        false,
    ),
    method(
        "http://www.w3.org/2001/04/xmldsig-more#rsa-sha512",
        Padding::Pkcs1,
        Hash::Sha512,
        false,
    ),
    method(
        "http://www.w3.org/2007/05/xmldsig-more#sha256-rsa-MGF1",
        Padding::Pss,
        Hash::Sha256,
        true,
    ),
    method(
        "http://www.w3.org/2007/05/xmldsig-more#sha384-rsa-MGF1",
        Padding::Pss,
        Hash::Sha384,
        true,
    ),
    method(
        "http://www.w3.org/2007/05/xmldsig-more#sha512-rsa-MGF1",
        Padding::Pss,
        Hash::Sha512,
        true,
    ),
    method(
        "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha256",
        Padding::Ecdsa,
        Hash::Sha256,
        true,
    ),
    method(
        "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha384",
        Padding::Ecdsa,
        Hash::Sha384,
        true,
    ),
    method(
        "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha512",
        Padding::Ecdsa,
        Hash::Sha512,
        true,
    ),
];

/// The method of OpenNCP's audit records.
pub(super) const RSA_SHA256: &str = "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256";

impl Method {
    /// The row with this name, if the profile allows it.
    pub(super) fn of(uri: &str, profile: Profile) -> Result<&'static Self, SignatureError> {
        METHODS
            .iter()
            .find(|method| method.uri == uri)
            .filter(|method| profile == Profile::Ehdsi || method.eidas)
            .ok_or(SignatureError::Forbidden("signature method"))
    }

    /// Whether a key may be used with it.
    pub(super) fn fits(&self, certificate: &Certificate, profile: Profile) -> bool {
        let shortest = if profile == Profile::Eidas { 3072 } else { 2048 };
        match (certificate.key(), self.scheme) {
            #[cfg(feature = "brainpool")]
            (PublicKey::Brainpool(..), Padding::Ecdsa) => true,
            (PublicKey::Rsa(_, bits), Padding::Pkcs1 | Padding::Pss) => *bits >= shortest,
            (PublicKey::P256(_) | PublicKey::P384(_) | PublicKey::P521(_), Padding::Ecdsa) => true,
            _ => false,
        }
    }

    /// Whether the certificate's key made this signature; that of ECDSA is `r || s`.
    pub(super) fn verifies(&self, by: &Certificate, data: &[u8], signature: &[u8]) -> bool {
        use Hash::{Sha256, Sha384, Sha512};
        let key = by.key();
        #[cfg(feature = "brainpool")]
        if let (PublicKey::Brainpool(curve, point), Padding::Ecdsa) = (key, self.scheme) {
            return super::brainpool::verifies(*curve, point, self.hash, data, signature);
        }
        let (algorithm, key): (&'static dyn lc::VerificationAlgorithm, &[u8]) =
            match (key, self.scheme, self.hash) {
                (PublicKey::Rsa(key, _), Padding::Pkcs1, hash) => (pkcs1(hash), key),
                (PublicKey::Rsa(key, _), Padding::Pss, hash) => (pss(hash), key),
                (PublicKey::P256(key), Padding::Ecdsa, Sha256) => {
                    (&lc::ECDSA_P256_SHA256_ASN1, key)
                }
                (PublicKey::P256(key), Padding::Ecdsa, Sha384) => {
                    (&lc::ECDSA_P256_SHA384_ASN1, key)
                }
                (PublicKey::P256(key), Padding::Ecdsa, Sha512) => {
                    (&lc::ECDSA_P256_SHA512_ASN1, key)
                }
                (PublicKey::P384(key), Padding::Ecdsa, Sha256) => {
                    (&lc::ECDSA_P384_SHA256_ASN1, key)
                }
                (PublicKey::P384(key), Padding::Ecdsa, Sha384) => {
                    (&lc::ECDSA_P384_SHA384_ASN1, key)
                }
                (PublicKey::P384(key), Padding::Ecdsa, Sha512) => {
                    (&lc::ECDSA_P384_SHA512_ASN1, key)
                }
                (PublicKey::P521(key), Padding::Ecdsa, Sha256) => {
                    (&lc::ECDSA_P521_SHA256_ASN1, key)
                }
                (PublicKey::P521(key), Padding::Ecdsa, Sha384) => {
                    (&lc::ECDSA_P521_SHA384_ASN1, key)
                }
                (PublicKey::P521(key), Padding::Ecdsa, Sha512) => {
                    (&lc::ECDSA_P521_SHA512_ASN1, key)
                }
                _ => return false,
            };
        let ready = || lc::ParsedPublicKey::new(algorithm, key).ok();
        let holds = |signature: &[u8]| {
            let found = by.ready(self.uri, ready, |key| key.verify_sig(data, signature).is_ok());
            found == Some(true)
        };
        if self.scheme != Padding::Ecdsa {
            return holds(signature);
        }
        // an uncompressed point is a byte and two coordinates, as long as r and s
        signature.len() == key.len().saturating_sub(1)
            && der(signature).is_some_and(|der| holds(&der))
    }
}

fn pkcs1(hash: Hash) -> &'static lc::RsaParameters {
    match hash {
        Hash::Sha256 => &lc::RSA_PKCS1_2048_8192_SHA256,
        Hash::Sha384 => &lc::RSA_PKCS1_2048_8192_SHA384,
        Hash::Sha512 => &lc::RSA_PKCS1_2048_8192_SHA512,
    }
}

fn pss(hash: Hash) -> &'static lc::RsaParameters {
    match hash {
        Hash::Sha256 => &lc::RSA_PSS_2048_8192_SHA256,
        Hash::Sha384 => &lc::RSA_PSS_2048_8192_SHA384,
        Hash::Sha512 => &lc::RSA_PSS_2048_8192_SHA512,
    }
}

/// `r || s` as the SEQUENCE of two INTEGERs that aws-lc takes for every pair of curve and hash.
fn der(fixed: &[u8]) -> Option<Vec<u8>> {
    let (r, s) = fixed.split_at(fixed.len() / 2);
    let body = [integer(r), integer(s)].concat();
    let length = u8::try_from(body.len()).ok()?;
    let head: &[u8] = if length < 0x80 { &[0x30, length] } else { &[0x30, 0x81, length] };
    Some([head, &body].concat())
}

/// The shortest INTEGER; at most 67 bytes of content.
fn integer(bytes: &[u8]) -> Vec<u8> {
    let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
    let bytes = &bytes[min(zeros, bytes.len().saturating_sub(1))..];
    let sign = bytes.first().is_none_or(|byte| *byte >= 0x80);
    let mut out = vec![0x02, (bytes.len() + usize::from(sign)) as u8];
    out.extend(sign.then_some(0));
    out.extend(bytes);
    out
}
