//! A Bloom filter over transaction ids: most runs need not be read to know that an id is not there.

use super::Key;

/// Sixteen bits an id and seven probes: one miss in about 1,400 still reads a page. (With ten bits, one in 120,
/// these reads were a twentieth of what a member does under full load.)
pub(super) struct Filter {
    words: Vec<u64>,
}

impl Filter {
    /// An empty filter for that many ids.
    pub(super) fn for_rows(rows: u64) -> Self {
        Self { words: vec![0; (rows * BITS).div_ceil(64).max(1) as usize] }
    }

    pub(super) fn add(&mut self, key: &Key) {
        for bit in self.probes(key) {
            self.words[(bit / 64) as usize] |= 1 << (bit % 64);
        }
    }

    /// False only for an id that was not added.
    pub(super) fn may_hold(&self, key: &Key) -> bool {
        self.probes(key).all(|bit| self.words[(bit / 64) as usize] >> (bit % 64) & 1 == 1)
    }

    /// Bytes that it takes.
    pub(super) fn len(&self) -> u64 {
        self.words.len() as u64 * 8
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        self.words.iter().flat_map(|word| word.to_le_bytes()).collect()
    }

    pub(super) fn decode(bytes: &[u8]) -> Self {
        let words = bytes.chunks_exact(8).filter_map(|chunk| chunk.try_into().ok());
        Self { words: words.map(u64::from_le_bytes).collect() }
    }

    /// An id is random, so its halves are hashes already; who crafts one costs us a page read.
    fn probes(&self, key: &Key) -> impl Iterator<Item = u64> + use<> {
        let number = u128::from_be_bytes(*key);
        let (first, step) = ((number >> 64) as u64, number as u64 | 1);
        let bits = self.len() * 8;
        (0..PROBES).map(move |probe| {
            let hash = first.wrapping_mul(ODD).wrapping_add(step.wrapping_mul(probe));
            ((u128::from(hash.wrapping_mul(ODD)) * u128::from(bits)) >> 64) as u64
        })
    }
}

const BITS: u64 = 16;
const PROBES: u64 = 7;
/// 2^64 divided by the golden ratio: spreads ids that are not random, as in tests.
const ODD: u64 = 0x9e37_79b9_7f4a_7c15;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_never_denies_an_id_that_is_there_and_rarely_claims_another() {
        let key =
            |number: u64| *crate::evidence::sha256(&number.to_be_bytes()).first_chunk().unwrap();
        let mut filter = Filter::for_rows(10_000);
        (0..10_000).for_each(|number| filter.add(&key(number)));
        let back = Filter::decode(&filter.encode());
        assert!((0..10_000).all(|number| back.may_hold(&key(number))));
        let claimed = (10_000..110_000).filter(|number| back.may_hold(&key(*number))).count();
        assert!(claimed < 200, "{claimed} of 100,000");
    }
}
