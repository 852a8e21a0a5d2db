//! Signatures that are verified together.

use std::ops::Range;

use aws_lc_rs::rand;
use curve25519_dalek::scalar::Scalar;
use ed25519_zebra::{Signature, VerificationKey, VerificationKeyBytes, batch};

use super::{Ready, VerifyingKey, wide};

/// Ed25519 signatures that are verified together: a sixth of the cost of one after the other.
///
/// Members agree about every batch although each draws coefficients of its own: what ZIP-215 takes passes
/// whatever they are, and what it does not take passes with a chance of 2^-128.
#[derive(Default)]
pub struct Batch {
    items: Vec<Option<Item>>,
    messages: Vec<u8>,
}

/// One signature.
#[derive(Clone)]
pub(super) struct Item {
    pub key: VerificationKey,
    pub signature: Signature,
    /// The signature's number, below the order.
    pub s: Scalar,
    /// Where its message lies.
    message: Range<usize>,
}

impl Batch {
    /// Adds one; its number is how many were added before. A key of another scheme, or a signature of
    /// another length or with a number above the order, is wrong.
    pub fn push(&mut self, key: &VerifyingKey, message: &[u8], signature: &[u8]) {
        self.push_with(key, signature, |bytes| bytes.extend_from_slice(message));
    }

    /// Adds one whose message is appended by `write`.
    pub fn push_with(
        &mut self,
        key: &VerifyingKey,
        signature: &[u8],
        write: impl FnOnce(&mut Vec<u8>),
    ) {
        let Ready::Ed25519(key) = &key.0.ready else { return self.items.push(None) };
        let signature = Signature::from_slice(signature).ok();
        let item = signature.and_then(|signature| {
            let s = Option::from(Scalar::from_canonical_bytes(*signature.s_bytes()))?;
            let from = self.messages.len();
            write(&mut self.messages);
            Some(Item { key: *key, signature, s, message: from..self.messages.len() })
        });
        self.items.push(item);
    }

    /// How many were added.
    pub fn len(&self) -> usize {
        self.items.len()
    }

    /// Whether none was added.
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// Whether the equation in eight lanes holds for all; nothing where the processor cannot tell.
    /// [`Batch::verify`] asks others, too, when it does not.
    #[cfg(test)]
    pub(super) fn holds_in_lanes(&self) -> Option<bool> {
        let items: Vec<Item> = self.items.iter().flatten().cloned().collect();
        let lanes = wide25519::Lanes::detect()?;
        Some(wide::together(lanes, &items, &self.messages).is_some())
    }

    /// Whether each is valid, in their order.
    pub fn verify(self) -> Vec<bool> {
        let places = self.items.iter().enumerate();
        let places: Vec<usize> = places.filter_map(|(at, one)| one.as_ref().map(|_| at)).collect();
        let mut good = vec![false; self.items.len()];
        let items: Vec<Item> = self.items.into_iter().flatten().collect();
        let mut verdicts = vec![false; items.len()];
        for (items, verdicts) in items.chunks(MANY).zip(verdicts.chunks_mut(MANY)) {
            halve(items, &self.messages, verdicts);
        }
        for (place, verdict) in places.into_iter().zip(verdicts) {
            good[place] = verdict;
        }
        good
    }
}

impl Item {
    pub fn message<'a>(&self, messages: &'a [u8]) -> &'a [u8] {
        &messages[self.message.clone()]
    }

    fn zebra(&self, messages: &[u8]) -> batch::Item {
        (VerificationKeyBytes::from(self.key), self.signature, self.message(messages)).into()
    }
}

/// Verifies all together; if that fails, each half by itself, down to single ones.
fn halve(items: &[Item], messages: &[u8], verdicts: &mut [bool]) {
    if items.len() <= FEW {
        for (item, verdict) in items.iter().zip(verdicts) {
            *verdict = item.key.verify(&item.signature, item.message(messages)).is_ok();
        }
        return;
    }
    if together(items, messages) {
        verdicts.fill(true);
        return;
    }
    let middle = items.len() / 2;
    let (left, right) = verdicts.split_at_mut(middle);
    halve(&items[..middle], messages, left);
    halve(&items[middle..], messages, right);
}

fn together(items: &[Item], messages: &[u8]) -> bool {
    if items.len() >= WIDE
        && let Some(lanes) = wide25519::Lanes::detect()
    {
        return wide::together(lanes, items, messages).is_some();
    }
    let mut together = batch::Verifier::new();
    items.iter().for_each(|item| together.queue(item.zebra(messages)));
    together.verify(Coefficients::default()).is_ok()
}

/// Random bytes for a batch, drawn many at a time.
#[derive(Default)]
pub(super) struct Coefficients {
    drawn: Vec<u8>,
    at: usize,
}

impl rand_core::TryRng for Coefficients {
    type Error = std::convert::Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Self::Error> {
        let mut bytes = [0; 4];
        self.try_fill_bytes(&mut bytes).map(|()| u32::from_le_bytes(bytes))
    }

    fn try_next_u64(&mut self) -> Result<u64, Self::Error> {
        let mut bytes = [0; 8];
        self.try_fill_bytes(&mut bytes).map(|()| u64::from_le_bytes(bytes))
    }

    fn try_fill_bytes(&mut self, out: &mut [u8]) -> Result<(), Self::Error> {
        for part in out.chunks_mut(DRAWN) {
            if self.drawn.len() - self.at < part.len() {
                self.drawn.resize(DRAWN, 0);
                rand::fill(&mut self.drawn).expect("because the system has random bytes");
                self.at = 0;
            }
            part.copy_from_slice(&self.drawn[self.at..self.at + part.len()]);
            self.at += part.len();
        }
        Ok(())
    }
}

impl rand_core::TryCryptoRng for Coefficients {}

/// Bytes drawn at once: for 256 signatures.
const DRAWN: usize = 4096;
/// Below this, one by one is as fast.
const FEW: usize = 4;
/// From here on eight lanes are quicker.
const WIDE: usize = 128;
/// Above this, a batch gains nothing and costs memory.
const MANY: usize = 4096;
