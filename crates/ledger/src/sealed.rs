//! Salts and values at rest: sealed under a key of their own, which is locked under their patient's.
//!
//! Delete the locked key and one exchange's evidence says nothing of people any more; delete the
//! patient's key and all of his does. The statement in the log stays, and the tree verifies: it holds
//! commitments, whose salts nobody has.

use std::fmt;

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use exchange::{Entropy, Side, TransactionId};
use zeroize::Zeroizing;

use crate::commitment::Secrets;

/// The key of one exchange's evidence on one side: random, and used for nothing else. No `Debug`;
/// wiped when dropped.
pub struct EvidenceKey {
    bytes: Zeroizing<[u8; 32]>,
    txid: TransactionId,
    side: Side,
}

/// Which secrets: each part is sealed once under a key, so its number may be the nonce.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// Those of the request.
    Asked = 1,
    /// Those of the answer.
    Answered = 2,
}

/// The secrets of one exchange as the journal keeps them.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Sealed {
    /// Number of the patient in this journal; 0 when they were erased.
    pub patient: i64,
    /// The evidence key, locked under the patient's.
    pub key: Vec<u8>,
    /// Sealed secrets of the request.
    pub asked: Vec<u8>,
    /// Sealed secrets of the answer; empty before there is one.
    pub answered: Vec<u8>,
}

impl fmt::Debug for Sealed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.is_erased() { "Sealed(erased)" } else { "Sealed" })
    }
}

impl Sealed {
    /// Whether the key is gone: nobody can open what is left.
    pub fn is_erased(&self) -> bool {
        self.patient == ERASED
    }
}

impl EvidenceKey {
    /// A new key for the evidence of this exchange.
    pub fn draw(txid: TransactionId, side: Side, entropy: &dyn Entropy) -> Self {
        let mut bytes = Zeroizing::new([0; 32]);
        entropy.fill(bytes.as_mut());
        Self { bytes, txid, side }
    }

    /// The key that was unlocked.
    pub fn of(txid: TransactionId, side: Side, bytes: Zeroizing<[u8; 32]>) -> Self {
        Self { bytes, txid, side }
    }

    /// To be locked.
    pub fn bytes(&self) -> &[u8; 32] {
        &self.bytes
    }

    /// Seals a part, at most once.
    pub fn seal(&self, part: Part, secrets: &Secrets) -> Vec<u8> {
        let mut text = secrets.encode();
        let tag =
            self.cipher().seal_in_place_separate_tag(nonce(part), self.bound(part), &mut text);
        let tag = tag.expect("because a part is far from the limit of AES-GCM");
        text.extend_from_slice(tag.as_ref());
        text
    }

    /// Opens all parts that are there; `None` when they are damaged, or of another exchange.
    pub fn open(&self, sealed: &Sealed) -> Option<Secrets> {
        let mut all = Zeroizing::new(Vec::new());
        for (part, bytes) in [(Part::Asked, &sealed.asked), (Part::Answered, &sealed.answered)] {
            if bytes.is_empty() {
                continue;
            }
            let mut text = Zeroizing::new(bytes.clone());
            let opened = self.cipher().open_in_place(nonce(part), self.bound(part), &mut text);
            all.extend_from_slice(opened.ok()?);
        }
        Secrets::decode(&all)
    }

    fn cipher(&self) -> LessSafeKey {
        let key = UnboundKey::new(&AES_256_GCM, self.bytes.as_ref());
        LessSafeKey::new(key.expect("because it has 32 bytes"))
    }

    fn bound(&self, part: Part) -> Aad<[u8; 37]> {
        let mut bound = [0; 37];
        bound[..19].copy_from_slice(DOMAIN);
        bound[19..35].copy_from_slice(&self.txid.0);
        bound[35..].copy_from_slice(&[u8::from(self.side == Side::B), part as u8]);
        Aad::from(bound)
    }
}

fn nonce(part: Part) -> Nonce {
    let mut nonce = [0; 12];
    nonce[11] = part as u8;
    Nonce::assume_unique_for_key(nonce)
}

const DOMAIN: &[u8; 19] = b"konfido at rest   1";
/// No patient has this number.
pub const ERASED: i64 = 0;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Field;
    use exchange::SystemEntropy;

    fn sealed(key: &EvidenceKey) -> Sealed {
        let draw = |field, value: &str| Secrets::draw([(field, value.to_owned())], &SystemEntropy);
        Sealed {
            patient: 1,
            key: Vec::new(),
            asked: key.seal(Part::Asked, &draw(Field::Patient, "agnete")),
            answered: key.seal(Part::Answered, &draw(Field::Answer, "answer")),
        }
    }

    #[test]
    fn parts_open_with_their_key_in_their_place_of_their_exchange_only() {
        let txid = TransactionId([1; 16]);
        let key = EvidenceKey::draw(txid, Side::A, &SystemEntropy);
        let whole = sealed(&key);
        let open = key.open(&whole).unwrap();
        assert_eq!(open.disclose(Field::Patient).unwrap().1, "agnete");
        assert_eq!(open.disclose(Field::Answer).unwrap().1, "answer");
        assert!(!whole.asked.windows(6).any(|at| at == b"agnete"));
        let half = Sealed { answered: Vec::new(), ..whole.clone() };
        assert!(key.open(&half).is_some_and(|half| half.disclose(Field::Answer).is_none()));
        let swapped = Sealed { asked: whole.answered.clone(), ..whole.clone() };
        assert!(key.open(&swapped).is_none());
        let of = |txid, side, from: &EvidenceKey| {
            EvidenceKey::of(txid, side, Zeroizing::new(*from.bytes())).open(&whole).is_some()
        };
        assert!(of(txid, Side::A, &key));
        assert!(!of(txid, Side::B, &key) && !of(TransactionId([2; 16]), Side::A, &key));
        assert!(!of(txid, Side::A, &EvidenceKey::draw(txid, Side::A, &SystemEntropy)));
        let mut damaged = whole;
        damaged.asked[3] ^= 1;
        assert!(key.open(&damaged).is_none());
    }
}
