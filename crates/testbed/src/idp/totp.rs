//! One-time codes by time (RFC 6238 over RFC 4226), as authenticator apps show them.

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::hmac;
use exchange::Entropy;
use jiff::Timestamp;

/// The hash under the code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hash {
    /// What every app can do; collisions of SHA-1 are no matter in HMAC (RFC 6238 §1.2).
    Sha1,
    /// For apps that can do it.
    Sha256,
}

impl Hash {
    fn algorithm(self) -> hmac::Algorithm {
        match self {
            Self::Sha1 => hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY,
            Self::Sha256 => hmac::HMAC_SHA256,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Sha1 => "SHA1",
            Self::Sha256 => "SHA256",
        }
    }
}

/// What an app and the identity provider share. No `Debug`, on purpose.
pub struct Secret {
    bytes: Vec<u8>,
    hash: Hash,
    digits: u32,
}

impl Secret {
    /// A known secret; `digits` is at most 9.
    pub fn new(bytes: &[u8], hash: Hash, digits: u32) -> Self {
        Self { bytes: bytes.to_vec(), hash, digits }
    }

    /// A new secret as apps take it: 160 bits, SHA-1, six digits.
    pub fn random(entropy: &dyn Entropy) -> Self {
        let mut bytes = [0; 20];
        entropy.fill(&mut bytes);
        Self::new(&bytes, Hash::Sha1, 6)
    }

    /// The code at a time.
    pub fn code(&self, at: Timestamp) -> String {
        self.of_step(step(at))
    }

    /// The step of a code that is right now or was or will be one step away, and later than the last
    /// one that was used: a code works once (RFC 6238 §5.2).
    pub fn accept(&self, code: &str, now: Timestamp, last: Option<u64>) -> Option<u64> {
        let now = step(now);
        // all three are compared, so that time does not tell which
        let found = [now.saturating_sub(1), now, now + 1].into_iter().fold(None, |found, step| {
            let right = verify_slices_are_equal(self.of_step(step).as_bytes(), code.as_bytes());
            if right.is_ok() { Some(step) } else { found }
        });
        found.filter(|step| last.is_none_or(|last| *step > last))
    }

    /// What a QR code for an app holds. Whoever reads it has the secret.
    pub fn uri(&self, issuer: &str, login: &str) -> String {
        let (secret, hash, digits) = (base32(&self.bytes), self.hash.name(), self.digits);
        format!(
            "otpauth://totp/{issuer}:{login}?secret={secret}&issuer={issuer}&algorithm={hash}&digits={digits}&period={PERIOD}"
        )
    }

    /// HOTP (RFC 4226 §5.3).
    fn of_step(&self, step: u64) -> String {
        let key = hmac::Key::new(self.hash.algorithm(), &self.bytes);
        let tag = hmac::sign(&key, &step.to_be_bytes());
        let tag = tag.as_ref();
        let at = usize::from(tag[tag.len() - 1] & 0x0f);
        let word: [u8; 4] = tag[at..at + 4].try_into().expect("because four bytes are four");
        let number = (u32::from_be_bytes(word) & 0x7fff_ffff) % 10_u32.pow(self.digits);
        format!("{number:0width$}", width = self.digits as usize)
    }
}

fn step(at: Timestamp) -> u64 {
    u64::try_from(at.as_second()).unwrap_or(0) / PERIOD
}

/// RFC 4648 §6, without padding.
fn base32(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    let mut text = String::new();
    let (mut held, mut bits) = (0_u32, 0);
    for byte in bytes {
        held = held << 8 | u32::from(*byte);
        bits += 8;
        while bits >= 5 {
            bits -= 5;
            text.push(char::from(ALPHABET[(held >> bits & 31) as usize]));
        }
        held &= (1 << bits) - 1;
    }
    if bits > 0 {
        text.push(char::from(ALPHABET[(held << (5 - bits) & 31) as usize]));
    }
    text
}

/// Length of a step, in seconds.
const PERIOD: u64 = 30;

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    /// RFC 6238 Appendix B (with the seeds of its reference code, as erratum 2866 says).
    #[test]
    fn codes_are_those_of_rfc_6238() {
        let sha1 = Secret::new(b"12345678901234567890", Hash::Sha1, 8);
        let sha256 = Secret::new(b"12345678901234567890123456789012", Hash::Sha256, 8);
        for (second, one, two) in [
            (59, "94287082", "46119246"),
            (1_111_111_109, "07081804", "68084774"),
            (1_111_111_111, "14050471", "67062674"),
            (1_234_567_890, "89005924", "91819424"),
            (2_000_000_000, "69279037", "90698825"),
            (20_000_000_000, "65353130", "77737706"),
        ] {
            assert_eq!(sha1.code(at(second)), one);
            assert_eq!(sha256.code(at(second)), two);
        }
    }

    #[test]
    fn a_code_works_once_and_one_step_early_or_late() {
        let secret = Secret::new(b"12345678901234567890", Hash::Sha1, 6);
        let code = secret.code(at(90));
        assert_eq!(secret.accept(&code, at(90), None), Some(3));
        assert_eq!(secret.accept(&code, at(60), None), Some(3), "the app's clock is fast");
        assert_eq!(secret.accept(&code, at(149), None), Some(3), "the app's clock is slow");
        assert_eq!(secret.accept(&code, at(150), None), None);
        assert_eq!(secret.accept(&code, at(59), None), None);
        assert_eq!(secret.accept(&code, at(90), Some(3)), None, "used before");
        assert_eq!(secret.accept(&code[..5], at(90), None), None);
    }

    /// RFC 4648 §10, without its padding.
    #[test]
    fn apps_are_given_base32() {
        let texts = ["f", "fo", "foo", "foob", "fooba", "foobar"].map(|t| base32(t.as_bytes()));
        assert_eq!(texts, ["MY", "MZXQ", "MZXW6", "MZXW6YQ", "MZXW6YTB", "MZXW6YTBOI"]);
    }
}
