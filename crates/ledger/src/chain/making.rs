//! Making a block: which entries may wait for one, and which of them it holds.

use bytes::Bytes;

use super::{Chain, ChainError, Inadmissible};
use crate::block::{Block, Header};
use crate::entry::Entry;
use crate::rules::{Draft, Facts as _, Reason, Rejected, lapse};
use crate::tree::{Hash, leaf_hash};

impl Chain {
    /// Whether entries would be valid in the next block, each by itself. Signatures that were
    /// verified here are not verified again.
    pub fn admit(&self, entries: &[Vec<u8>]) -> Vec<Result<(), Inadmissible>> {
        let Ok(stand) = self.at(self.tip().digest) else {
            // another block became final in between
            return self.admit(entries);
        };
        let height = stand.tip.height + 1;
        let mut read: Vec<Option<Entry>> = Vec::with_capacity(entries.len());
        let mut verdicts = Vec::with_capacity(entries.len());
        for bytes in entries {
            let (entry, verdict) = match Entry::decode(bytes) {
                Ok(entry) => (Some(entry), Ok(())),
                Err(error) => (None, Err(Inadmissible::from(error))),
            };
            read.push(entry);
            verdicts.push(verdict);
        }
        let good: Vec<&Entry> = read.iter().flatten().collect();
        let leaves: Vec<Hash> = good.iter().map(|entry| leaf_hash(entry.encode())).collect();
        let signed = self.verify(&stand.layers, height, &good, &leaves);
        let mut signed = signed.into_iter();
        for (entry, verdict) in read.iter().zip(&mut verdicts) {
            let Some(entry) = entry else { continue };
            let good = signed.next().unwrap_or(Err(Reason::Signature));
            let fits = || Draft::new(&stand.layers, height, stand.tip.size).push(entry);
            *verdict = match good.map_err(Rejected::from).and_then(|()| fits()) {
                Ok(()) => Ok(()),
                Err(rejected) => Err(rejected.into()),
            };
        }
        verdicts
    }

    /// Makes a block on `parent` from those candidates that are valid there, in their order, at most
    /// `limit` bytes, behind what must be said of deadlines. The rest is left out; what can never
    /// become valid is named in the second value, by position.
    pub fn propose(
        &self,
        parent: Hash,
        candidates: &[Bytes],
        limit: usize,
        time_ms: u64,
    ) -> Result<(Block, Vec<usize>), ChainError> {
        let stand = self.at(parent)?;
        let (before, height) = (stand.tip, stand.tip.height + 1);
        let mut never = Vec::new();
        let mut read = Vec::with_capacity(candidates.len());
        for (position, bytes) in candidates.iter().enumerate() {
            match Entry::decode_shared(bytes.clone()) {
                Ok(entry) => read.push((position, entry)),
                Err(_) => never.push(position),
            }
        }
        let good: Vec<&Entry> = read.iter().map(|(_, entry)| entry).collect();
        let known: Vec<Hash> = good.iter().map(|entry| leaf_hash(entry.encode())).collect();
        let signed = self.verify(&stand.layers, height, &good, &known);
        let mut draft = Draft::new(&stand.layers, height, before.size);
        let (mut entries, mut leaves) = (Vec::new(), Vec::new());
        let (mut edge, mut bytes) = (stand.edge, 0);
        let mut take = |entry: &Entry, leaf: Hash| {
            edge.push(leaf);
            leaves.push(leaf);
            entries.push(entry.shared());
        };
        for txid in stand.layers.due(height, MOST_LAPSES)? {
            let tx = stand.layers.tx(txid)?;
            if let Some(entry) = tx.and_then(|tx| lapse(txid, &tx, height)) {
                draft.push(&entry).map_err(|error| ChainError::Invalid(error.to_string()))?;
                bytes += entry.encode().len();
                take(&entry, leaf_hash(entry.encode()));
            }
        }
        for (((position, entry), leaf), signed) in read.into_iter().zip(known).zip(signed) {
            let length = entry.encode().len();
            if bytes + length > limit {
                break;
            }
            match signed.map_err(Rejected::from).and_then(|()| draft.push(&entry)) {
                Ok(()) => {
                    bytes += length;
                    take(&entry, leaf);
                }
                Err(Rejected::Facts(error)) => return Err(error.into()),
                Err(rejected) if rejected.may_pass_later() => {}
                Err(_) => never.push(position),
            }
        }
        let effects = draft.effects();
        let header = Header {
            parent,
            height,
            time_ms: time_ms.max(before.time_ms),
            tree_size: edge.size(),
            root: edge.root(),
        };
        let block = Block::hashed(header, &entries, leaves);
        self.keep(block.digest(), header, edge, effects);
        Ok((block, never))
    }
}

/// Deadlines that one block speaks of at most.
const MOST_LAPSES: usize = 64;
