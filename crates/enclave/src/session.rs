//! One HPKE session: two directional AES-256-GCM keys and, for the receiver, a replay window.

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use hpke::aead::{AeadCtxR, AeadCtxS, AesGcm256};
use hpke::kdf::HkdfSha256;

use crate::VaultError;
use crate::key::XWing;

pub(crate) type Sender = AeadCtxS<AesGcm256, HkdfSha256, XWing>;
pub(crate) type Receiver = AeadCtxR<AesGcm256, HkdfSha256, XWing>;

/// Request and response key, exported from the HPKE context (RFC 9180 §9.8).
pub(crate) struct Keys {
    pub(crate) request: LessSafeKey,
    pub(crate) response: LessSafeKey,
}

impl Keys {
    pub(crate) fn export(
        export: impl Fn(&[u8], &mut [u8]) -> Result<(), hpke::HpkeError>,
    ) -> Result<Self, VaultError> {
        let key = |label: &[u8]| {
            let mut bytes = [0; 32];
            export(label, &mut bytes).map_err(|_| VaultError::Integrity)?;
            let key = UnboundKey::new(&AES_256_GCM, &bytes).map_err(|_| VaultError::Integrity)?;
            bytes.fill(0);
            Ok(LessSafeKey::new(key))
        };
        Ok(Self { request: key(b"konfido request key 1")?, response: key(b"konfido response key 1")? })
    }
}

/// Seals in place and appends the tag. Every (key, sequence) is used once: the sender counts, and
/// the receiver answers each accepted sequence number once.
pub(crate) fn seal(key: &LessSafeKey, sequence: u64, aad: &[u8], plaintext: &mut Vec<u8>) -> Result<(), VaultError> {
    key.seal_in_place_append_tag(nonce(sequence), Aad::from(aad), plaintext).map_err(|_| VaultError::Integrity)
}

/// Opens in place and drops the tag.
pub(crate) fn open(key: &LessSafeKey, sequence: u64, aad: &[u8], sealed: &mut Vec<u8>) -> Result<(), VaultError> {
    let length = key
        .open_in_place(nonce(sequence), Aad::from(aad), sealed)
        .map_err(|_| VaultError::Integrity)?
        .len();
    sealed.truncate(length);
    Ok(())
}

fn nonce(sequence: u64) -> Nonce {
    let mut bytes = [0; 12];
    bytes[4..].copy_from_slice(&sequence.to_be_bytes());
    Nonce::assume_unique_for_key(bytes)
}

/// Which sequence numbers were seen, like IPsec's (RFC 4303 §3.4.3).
#[derive(Debug)]
pub(crate) struct Window {
    next: u64,
    seen: [u64; WORDS],
}

/// 300 clients reorder; a number this far behind the newest is refused.
pub(crate) const WINDOW: u64 = 4096;
const WORDS: usize = (WINDOW / 64) as usize;

impl Default for Window {
    fn default() -> Self {
        Self { next: 0, seen: [0; WORDS] }
    }
}

impl Window {
    /// Marks a number as seen; refuses it when it was, or when it is too old to know.
    pub(crate) fn accept(&mut self, sequence: u64) -> Result<(), VaultError> {
        if sequence == u64::MAX || sequence + WINDOW < self.next {
            return Err(VaultError::Replay);
        }
        if sequence >= self.next {
            if sequence - self.next >= WINDOW {
                self.seen = [0; WORDS];
            } else {
                for passed in self.next..=sequence {
                    self.seen[word(passed)] &= !bit(passed);
                }
            }
            self.next = sequence + 1;
        }
        if self.seen[word(sequence)] & bit(sequence) != 0 {
            return Err(VaultError::Replay);
        }
        self.seen[word(sequence)] |= bit(sequence);
        Ok(())
    }
}

fn word(sequence: u64) -> usize {
    usize::try_from((sequence % WINDOW) / 64).expect("because the window has few words")
}

fn bit(sequence: u64) -> u64 {
    1 << (sequence % 64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_number_passes_once_and_old_ones_do_not() {
        let mut window = Window::default();
        for sequence in [0, 5, 3, 1, 4096 + 5] {
            window.accept(sequence).unwrap();
            assert_eq!(window.accept(sequence), Err(VaultError::Replay), "{sequence}");
        }
        assert_eq!(window.accept(5), Err(VaultError::Replay), "left the window");
        window.accept(6 + 4).unwrap();
        window.accept(1_000_000).unwrap();
        for sequence in 1_000_001 - WINDOW..1_000_000 {
            window.accept(sequence).unwrap();
        }
        assert_eq!(window.accept(1_000_000 - WINDOW), Err(VaultError::Replay));
        assert_eq!(window.accept(u64::MAX), Err(VaultError::Replay));
    }
}
