//! Keyed pseudonyms: the same person is the same number within one node, and nobody outside.

use std::fmt;

/// 64 bits of HMAC-SHA-256.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Pseudonym(pub u64);

impl fmt::Debug for Pseudonym {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

/// The node's key. aws-lc keeps and wipes it; no `Debug`, no `Clone`.
pub struct PseudonymKey(aws_lc_rs::hmac::Key);

impl PseudonymKey {
    /// A key of 32 random bytes, which are wiped.
    pub fn new(mut bytes: [u8; 32]) -> Self {
        let key = aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA256, &bytes);
        bytes.fill(0);
        Self(key)
    }

    /// The pseudonym of a value within a domain (`patient`, `professional`, `point of care`).
    pub fn of(&self, domain: &str, value: &str) -> Pseudonym {
        let mut context = aws_lc_rs::hmac::Context::with_key(&self.0);
        context.update(&[u8::try_from(domain.len()).unwrap_or(u8::MAX)]);
        context.update(domain.as_bytes());
        context.update(value.as_bytes());
        let tag = context.sign();
        Pseudonym(u64::from_be_bytes(
            tag.as_ref()[..8].try_into().expect("because a tag has 32 bytes"),
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pseudonyms_differ_by_key_and_domain() {
        let (a, b) = (PseudonymKey::new([1; 32]), PseudonymKey::new([2; 32]));
        assert_eq!(a.of("patient", "1"), a.of("patient", "1"));
        assert_ne!(a.of("patient", "1"), a.of("professional", "1"));
        assert_ne!(a.of("patient", "1"), b.of("patient", "1"));
    }
}
