//! The members of a ledger through time.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::evidence::{decode, encode, sha256};
use crate::member::{Change, Genesis, MemberError, Raw32, Roll};
use crate::tree::Hash;

/// Who takes part, now and from the next epoch on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Registry {
    genesis: Hash,
    ledger: String,
    epoch_length: u64,
    sequence: u64,
    roll: Roll,
    next: Option<Roll>,
    spent: BTreeSet<Raw32>,
}

impl Registry {
    pub(super) fn new(genesis: &Genesis) -> Self {
        let roll = genesis.roll().clone();
        let mut registry = Self {
            genesis: genesis.digest(),
            ledger: genesis.ledger().to_owned(),
            epoch_length: genesis.epoch_length(),
            sequence: 0,
            roll,
            next: None,
            spent: BTreeSet::new(),
        };
        registry.remember();
        registry
    }

    /// Digest of the genesis: which ledger this is.
    pub fn genesis(&self) -> Hash {
        self.genesis
    }

    /// The ledger's name: the origin of its checkpoints.
    pub fn ledger(&self) -> &str {
        &self.ledger
    }

    /// Blocks of an epoch.
    pub fn epoch_length(&self) -> u64 {
        self.epoch_length
    }

    /// Which epoch a height belongs to; the genesis, height 0, begins epoch 0.
    pub fn epoch(&self, height: u64) -> u64 {
        height / self.epoch_length
    }

    /// How many changes there were.
    pub fn sequence(&self) -> u64 {
        self.sequence
    }

    /// Who takes part at this height. For heights before the last change came into force ask the
    /// registry of then ([`Registry::replay`]).
    pub fn at(&self, height: u64) -> &Roll {
        self.next.as_ref().filter(|next| next.from() <= height).unwrap_or(&self.roll)
    }

    /// The change that waits at this height for the next epoch.
    pub fn pending(&self, height: u64) -> Option<&Roll> {
        self.next.as_ref().filter(|next| height < next.from())
    }

    /// The registry after a change that stands in the block of this height. Signatures are
    /// [`crate::rules`]' part.
    pub(crate) fn changed(&self, height: u64, change: &Change) -> Result<Self, MemberError> {
        let base = self.at(height);
        let from = (self.epoch(height) + 1).saturating_mul(self.epoch_length);
        let latest = self.pending(height).unwrap_or(base);
        let next = latest.changed(from, change)?;
        if next.consensus_keys().any(|key| {
            self.spent.contains(&Raw32(key)) && !latest.consensus_keys().any(|ours| ours == key)
        }) {
            return Err(MemberError::Spent);
        }
        let mut changed = Self {
            sequence: self.sequence + 1,
            roll: base.clone(),
            next: Some(next),
            ..self.clone()
        };
        changed.remember();
        Ok(changed)
    }

    /// The registry that these changes lead to, as the log holds them: height and change, in order.
    pub fn replay<'c>(
        genesis: &Genesis,
        changes: impl IntoIterator<Item = (u64, &'c Change)>,
    ) -> Result<Self, MemberError> {
        changes.into_iter().try_fold(genesis.registry(), |registry, (height, change)| {
            registry.changed(height, change)
        })
    }

    /// All of it in bytes, for a store.
    pub fn encode(&self) -> Vec<u8> {
        let written = Written {
            genesis: Raw32(self.genesis),
            ledger: self.ledger.clone(),
            epoch_length: self.epoch_length,
            sequence: self.sequence,
            roll: self.roll.clone(),
            next: self.next.clone(),
            spent: self.spent.iter().copied().collect(),
        };
        encode(&written).expect("because it was made from what CBOR has")
    }

    /// Reads [`Registry::encode`], and nothing else.
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let written: Written = decode(bytes).ok()?;
        (written.epoch_length > 0).then(|| Self {
            genesis: written.genesis.0,
            ledger: written.ledger,
            epoch_length: written.epoch_length,
            sequence: written.sequence,
            roll: written.roll,
            next: written.next,
            spent: written.spent.into_iter().collect(),
        })
    }

    /// SHA-256 of [`Registry::encode`]: two members with the same digest hold the same registry.
    pub fn digest(&self) -> Hash {
        sha256(&self.encode())
    }

    fn remember(&mut self) {
        let keys =
            self.roll.consensus_keys().chain(self.next.iter().flat_map(Roll::consensus_keys));
        let keys: Vec<_> = keys.map(Raw32).collect();
        self.spent.extend(keys);
    }
}

#[derive(Serialize, Deserialize)]
struct Written {
    genesis: Raw32,
    ledger: String,
    epoch_length: u64,
    sequence: u64,
    roll: Roll,
    next: Option<Roll>,
    spent: Vec<Raw32>,
}
