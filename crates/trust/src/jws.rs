//! JWS in its compact form (RFC 7515) by seal keys, and ECDSA signatures of the kind that JOSE and
//! COSE share (`r || s`). Headers are the caller's to judge: nothing in a message is trusted here.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::certificate::Certificate;
use crate::seal::{Scheme, SealKey};

/// Signs `header` (JSON that names [`algorithm`]) and payload; `None` when the key is not
/// on P-256 or P-384.
pub fn sign(key: &SealKey, header: &str, payload: &[u8]) -> Option<String> {
    let scheme = key.cose_scheme();
    if !matches!(scheme, Scheme::Es256 | Scheme::Es384) {
        return None;
    }
    let mut text = URL_SAFE_NO_PAD.encode(header);
    text.push('.');
    URL_SAFE_NO_PAD.encode_string(payload, &mut text);
    let signature = key.sign(scheme, text.as_bytes())?;
    text.push('.');
    URL_SAFE_NO_PAD.encode_string(signature, &mut text);
    Some(text)
}

/// The algorithm that a signature by this certificate's key has: `ES256` on P-256, `ES384` on
/// P-384; no other key signs credentials or requests.
pub fn algorithm(certificate: &Certificate) -> Option<&'static str> {
    match certificate.key_bits() {
        Some((false, 256)) => Some("ES256"),
        Some((false, 384)) => Some("ES384"),
        _ => None,
    }
}

/// Whether the certificate's key made this signature over `message`.
pub fn verifies(certificate: &Certificate, message: &[u8], signature: &[u8]) -> bool {
    let scheme = match algorithm(certificate) {
        Some("ES256") => Scheme::Es256,
        Some("ES384") => Scheme::Es384,
        _ => return false,
    };
    certificate.verifies(scheme, message, signature)
}
