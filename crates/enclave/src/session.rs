//! One HPKE session: an AES-256-GCM key for requests, one for each answer and, for the receiver, a
//! replay window.

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::hkdf::{HKDF_SHA256, Salt};
use hpke::aead::{AeadCtxR, AeadCtxS, AesGcm256};
use hpke::kdf::HkdfSha256;

use zeroize::Zeroizing;

use crate::VaultError;
use crate::header::TAG;
use crate::key::XWing;

pub(crate) type Sender = AeadCtxS<AesGcm256, HkdfSha256, XWing>;
pub(crate) type Receiver = AeadCtxR<AesGcm256, HkdfSha256, XWing>;

/// What both ends export from the HPKE context (RFC 9180 §9.8).
pub(crate) struct Keys {
    pub(crate) request: LessSafeKey,
    /// Of answers to requests in this session.
    answers: Zeroizing<[u8; 32]>,
    /// Of answers that are sealed for the one whom this session was opened to.
    back: Zeroizing<[u8; 32]>,
}

impl Keys {
    pub(crate) fn export(
        export: impl Fn(&[u8], &mut [u8]) -> Result<(), hpke::HpkeError>,
    ) -> Result<Self, VaultError> {
        let secret = |label: &[u8]| {
            let mut bytes = Zeroizing::new([0; 32]);
            export(label, bytes.as_mut()).map_err(|_| VaultError::Integrity)?;
            Ok(bytes)
        };
        let request = secret(b"konfido request key 1")?;
        let request =
            UnboundKey::new(&AES_256_GCM, request.as_ref()).map_err(|_| VaultError::Integrity)?;
        Ok(Self {
            request: LessSafeKey::new(request),
            answers: secret(b"konfido answer secret 1")?,
            back: secret(b"konfido answer back secret 1")?,
        })
    }

    /// The key of one answer: of the session of its request, of the session `back` to the vault
    /// that asked, and of a salt that is drawn for it (as RFC 9458 §4.4 does).
    ///
    /// The request's session alone would let whoever opened it read the answer, and anybody can
    /// open one; the session back is to the key that was attested. One key for all answers of a
    /// session would not do either: a receiver that forgot a session (its table is bounded) opens a
    /// replayed request again, and a second answer under the same key would give away both.
    pub(crate) fn answer(
        &self,
        back: &Self,
        sequence: u64,
        salt: &[u8],
    ) -> Result<LessSafeKey, VaultError> {
        let mut secrets = Zeroizing::new([0; 64]);
        secrets[..32].copy_from_slice(self.answers.as_ref());
        secrets[32..].copy_from_slice(back.back.as_ref());
        let sequence = sequence.to_be_bytes();
        let info = [b"konfido answer key 2".as_slice(), &sequence];
        let made = Salt::new(HKDF_SHA256, salt).extract(secrets.as_ref());
        let key = made.expand(&info, &AES_256_GCM).map_err(|_| VaultError::Integrity)?;
        Ok(LessSafeKey::new(UnboundKey::from(key)))
    }
}

/// Seals a piece in its place, the tag behind it. Every (key, sequence, piece) is used once: the
/// sender counts requests, and every answer has its own key.
pub(crate) fn seal(
    key: &LessSafeKey,
    nonce: Nonce,
    aad: &[u8],
    piece: &mut [u8],
) -> Result<(), VaultError> {
    let length = piece.len().checked_sub(TAG).ok_or(VaultError::Malformed)?;
    let (text, room) = piece.split_at_mut(length);
    let tag = key
        .seal_in_place_separate_tag(nonce, Aad::from(aad), text)
        .map_err(|_| VaultError::Integrity)?;
    room.copy_from_slice(tag.as_ref());
    Ok(())
}

/// Opens a piece with its tag in its place.
pub(crate) fn open(
    key: &LessSafeKey,
    nonce: Nonce,
    aad: &[u8],
    piece: &mut [u8],
) -> Result<(), VaultError> {
    key.open_in_place(nonce, Aad::from(aad), piece).map_err(|_| VaultError::Integrity)?;
    Ok(())
}

/// Of a piece of a message.
pub(crate) fn nonce(sequence: u64, piece: usize) -> Nonce {
    let mut bytes = [0; 12];
    bytes[..4].copy_from_slice(&u32::try_from(piece).unwrap_or(u32::MAX).to_be_bytes());
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
        if sequence == u64::MAX || sequence.saturating_add(WINDOW) < self.next {
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
        window.accept(u64::MAX - 1).unwrap();
        assert_eq!(window.accept(u64::MAX - 1), Err(VaultError::Replay), "the last number");
        assert_eq!(window.accept(1_000_000), Err(VaultError::Replay));
    }

    #[test]
    fn the_window_agrees_with_a_list_of_all_numbers() {
        let (mut window, mut seen, mut newest) =
            (Window::default(), std::collections::HashSet::new(), 0);
        let mut random = 1_u64;
        for _ in 0..100_000 {
            random = random
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            let back = (random >> 33) % 6000;
            let sequence = (newest + 40_u64).saturating_sub(back);
            let fresh = sequence + WINDOW > newest && seen.insert(sequence);
            assert_eq!(window.accept(sequence).is_ok(), fresh, "{sequence} after {newest}");
            newest = newest.max(if fresh { sequence } else { 0 });
        }
    }
}
