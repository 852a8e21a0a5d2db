//! A card that signs a nonce instead of opening a TLS connection.

use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1, RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey, VerificationAlgorithm,
};
use jiff::Timestamp;
use trust::certificate::{Anchors, Certificate, Usage};

/// What a card signs (SHA-256 within): whose nonce it is stands in it, so that no other server can
/// have it signed for us.
pub fn card_message(base: &str, nonce: &[u8]) -> Vec<u8> {
    [b"konfido testbed card login\0", base.as_bytes(), b"\0", nonce].concat()
}

/// The card that signed this message, issued by the country's authority: ECDSA on P-256 (ASN.1) or
/// RSA (PKCS#1 v1.5), SHA-256 both.
pub(super) fn shown(
    cards: &Anchors,
    certificate: &[u8],
    signature: &[u8],
    message: &[u8],
    now: Timestamp,
) -> Option<Certificate> {
    let certificate = Certificate::from_der(certificate).ok()?;
    cards.verify(&certificate, &[], Usage::TlsClient, now).ok()?;
    let (rsa, _) = certificate.key_bits()?;
    let algorithm: &'static dyn VerificationAlgorithm =
        if rsa { &RSA_PKCS1_2048_8192_SHA256 } else { &ECDSA_P256_SHA256_ASN1 };
    let key = UnparsedPublicKey::new(algorithm, certificate.spki());
    key.verify(message, signature).ok()?;
    Some(certificate)
}
