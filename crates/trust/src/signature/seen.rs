//! Certificates that were read before, by the text that they were read from.
//!
//! A country has few seal certificates, and reading one costs as much as hashing the assertion. What is
//! kept is what the same text always gives: the parsed certificate. Its path, its dates and its
//! revocation are not in it and are looked at each time.

use std::collections::HashMap;
use std::sync::{LazyLock, PoisonError, RwLock};

use crate::certificate::Certificate;

/// Certificates that are kept, and the longest text of one: at most about a megabyte.
const KEPT: usize = 64;
const LONGEST: usize = 8 << 10;

static SEEN: LazyLock<RwLock<HashMap<Box<str>, Certificate>>> = LazyLock::new(RwLock::default);

/// The certificate that this very text gave.
pub(super) fn find(text: &str) -> Option<Certificate> {
    SEEN.read().unwrap_or_else(PoisonError::into_inner).get(text).cloned()
}

/// Keeps a certificate. When there are too many all are forgotten: who sends many costs us time, not memory.
pub(super) fn keep(text: &str, certificate: &Certificate) {
    if text.len() > LONGEST {
        return;
    }
    let mut seen = SEEN.write().unwrap_or_else(PoisonError::into_inner);
    if seen.len() >= KEPT {
        seen.clear();
    }
    seen.insert(text.into(), certificate.clone());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_of_certificates_does_not_grow_the_memory() {
        let key = rcgen::KeyPair::generate().unwrap();
        let made = rcgen::CertificateParams::default().self_signed(&key).unwrap();
        let certificate = Certificate::from_der(made.der()).unwrap();
        for number in 0..10 * KEPT {
            keep(&format!("flood {number}"), &certificate);
        }
        keep(&"A".repeat(LONGEST + 1), &certificate);
        let seen = SEEN.read().unwrap();
        assert!(seen.len() <= KEPT && seen.keys().all(|text| text.len() <= LONGEST));
    }
}
