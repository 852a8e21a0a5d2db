//! The shared ledger as one member sees it: blocks that are final, and those that may become so.
//!
//! An engine calls [`Chain::admit`], [`Chain::propose`], [`Chain::check`] and [`Chain::finalise`];
//! everything that decides whether a block is valid is here and in [`crate::rules`], so that every
//! engine decides alike. Nothing here looks at a clock or waits for a peer.

mod layers;
mod making;
mod verified;

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::block::{Block, Header};
use crate::edge::Edge;
use crate::entry::Entry;
use crate::member::Genesis;
use crate::rules::{Effects, Facts as _, FactsError, Reason, Refusal, Rejected, apply};
use crate::store::{Publisher, Reader, Store, StoreError};
use crate::tree::Hash;
use layers::{Layer, Layers};
use verified::Verified;

/// Why a block is not taken.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ChainError {
    /// Its parent is not known here (yet): fetch that first.
    #[error("the block's parent is not known")]
    Parent,
    /// It breaks a rule. The proposer's fault: honest members never make such a block.
    #[error("the block breaks a rule: {0}")]
    Invalid(String),
    /// Another block is final at this height. Never to be answered by going on.
    #[error("another block is final at height {0}")]
    Fork(u64),
    /// The block before it is not final here.
    #[error("block {0} leaves a gap")]
    Gap(u64),
    /// No verdict: the disk's fault.
    #[error(transparent)]
    Facts(#[from] FactsError),
    /// The disk's fault. What was final before stays final.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Why an entry is not put in line.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Inadmissible {
    /// Not an entry. The fault of whoever made it.
    #[error("it is no entry: {0}")]
    Form(#[from] crate::entry::EntryError),
    /// A rule or a signature.
    #[error(transparent)]
    Rule(#[from] Rejected),
}

/// Where the final chain ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tip {
    /// Height of the last final block; 0 is the genesis.
    pub height: u64,
    /// Its digest.
    pub digest: Hash,
    /// Its time.
    pub time_ms: u64,
    /// Leaves in the tree.
    pub size: u64,
    /// Root over them.
    pub root: Hash,
}

/// Called with each block that became final, in order, after it is durable.
pub type OnFinal = Box<dyn Fn(&Block, &Tip) + Send + Sync>;

/// One member's ledger. Shared between the engine's tasks and readers.
pub struct Chain {
    store: Mutex<Store>,
    reader: Reader,
    publisher: Publisher,
    state: Mutex<State>,
    verified: Mutex<Verified>,
    listeners: Mutex<Vec<OnFinal>>,
}

/// What may change from block to block; held for moments only.
struct State {
    tip: Tip,
    /// The tree's right edge at the tip.
    edge: Edge,
    pending: HashMap<Hash, Arc<Pending>>,
}

/// A block that is valid on its parent and not final yet.
struct Pending {
    header: Header,
    edge: Edge,
    layer: Arc<Layer>,
    effects: Effects,
}

/// The chain as it stands after some block.
struct Stand {
    tip: Tip,
    edge: Edge,
    layers: Layers,
}

impl Chain {
    /// Opens the ledger in a folder, or starts one there with this genesis.
    pub fn open(folder: &Path, genesis: &Genesis) -> Result<Self, ChainError> {
        Self::open_at_least(folder, genesis, None)
    }

    /// The same; a copy from before the block of height `at_least`, which was final here by what is
    /// known elsewhere, is refused ([`StoreError::Old`]).
    pub fn open_at_least(
        folder: &Path,
        genesis: &Genesis,
        at_least: Option<u64>,
    ) -> Result<Self, ChainError> {
        let store = Store::open_at_least(folder, genesis, at_least)?;
        let (reader, publisher) = (store.reader(), store.publisher());
        let (tip, edge) = (store.tip(), store.edge());
        let state = Mutex::new(State { tip, edge, pending: HashMap::new() });
        let (verified, listeners) = (Mutex::default(), Mutex::default());
        Ok(Self { store: Mutex::new(store), reader, publisher, state, verified, listeners })
    }

    /// Where the final chain ends.
    pub fn tip(&self) -> Tip {
        self.state().tip
    }

    /// What is durable, for whoever reads.
    pub fn reader(&self) -> Reader {
        self.reader.clone()
    }

    /// The final block at a height; none for the genesis.
    pub fn block(&self, height: u64) -> Result<Option<Block>, ChainError> {
        Ok(self.reader.block(height)?)
    }

    /// Publishes a checkpoint, and the tiles that it covers before it.
    pub fn publish(&self, size: u64, checkpoint: &str) -> Result<(), ChainError> {
        Ok(self.publisher.publish(size, checkpoint)?)
    }

    /// Whether a block is valid on its parent, which must be final or checked before. Costs what the
    /// signatures in it cost that were not verified before.
    pub fn check(&self, block: &Block) -> Result<(), ChainError> {
        self.check_as(block, block.digest())
    }

    fn check_as(&self, block: &Block, digest: Hash) -> Result<(), ChainError> {
        if self.state().pending.contains_key(&digest) {
            return Ok(());
        }
        let invalid = |why: &dyn std::fmt::Display| ChainError::Invalid(why.to_string());
        let (stand, header) = (self.at(block.header().parent)?, *block.header());
        let before = stand.tip;
        if header.height != before.height + 1 {
            return Err(invalid(&"its height does not follow its parent's"));
        }
        if header.time_ms < before.time_ms {
            return Err(invalid(&"its time lies before its parent's"));
        }
        let mut edge = stand.edge;
        block.leaves().iter().for_each(|leaf| edge.push(*leaf));
        if (header.tree_size, header.root) != (edge.size(), edge.root()) {
            return Err(invalid(&"its root is not the root of the tree after it"));
        }
        let entries = block.shared_entries().map(Entry::decode_shared);
        let entries: Vec<Entry> =
            entries.collect::<Result<_, _>>().map_err(|error| invalid(&error))?;
        let effects = apply(&stand.layers, header.height, before.size, &entries);
        let effects = effects.map_err(|refusal| match refusal {
            Refusal::Facts(error) => error.into(),
            refusal => invalid(&refusal),
        })?;
        let all: Vec<&Entry> = entries.iter().collect();
        let signed = self.verify(&stand.layers, header.height, &all, block.leaves());
        if let Some(reason) = signed.into_iter().find_map(Result::err) {
            return Err(invalid(&reason));
        }
        self.keep(digest, header, edge, effects);
        Ok(())
    }

    /// Takes a block as final: durable when this returns. A block that is final already is taken
    /// again without effect.
    pub fn finalise(&self, block: &Block) -> Result<Tip, ChainError> {
        let (height, digest) = (block.header().height, block.digest());
        let mut store = self.store.lock().unwrap_or_else(PoisonError::into_inner);
        let tip = self.tip();
        if height <= tip.height {
            let known = self.block(height)?;
            let same = known.is_some_and(|known| known == *block);
            return if same { Ok(tip) } else { Err(ChainError::Fork(height)) };
        }
        if height != tip.height + 1 {
            return Err(ChainError::Gap(height));
        }
        if block.header().parent != tip.digest {
            return Err(ChainError::Fork(height));
        }
        self.check_as(block, digest)?;
        let pending =
            self.state().pending.get(&digest).map(Arc::clone).ok_or(ChainError::Parent)?;
        store.append(block, &pending.effects)?;
        let tip = tip_of(block.header(), digest);
        {
            let mut state = self.state();
            state.tip = tip;
            state.edge = pending.edge.clone();
            state.pending.retain(|_, pending| pending.header.height > height);
        }
        drop(store);
        let listeners = self.listeners.lock().unwrap_or_else(PoisonError::into_inner);
        listeners.iter().for_each(|listener| listener(block, &tip));
        Ok(tip)
    }

    /// Calls this with every block that becomes final from now on. It must not wait.
    pub fn on_final(&self, listener: OnFinal) {
        self.listeners.lock().unwrap_or_else(PoisonError::into_inner).push(listener);
    }

    /// Verifies what was not verified before, in the registry of this height.
    fn verify(
        &self,
        layers: &Layers,
        height: u64,
        entries: &[&Entry],
        leaves: &[Hash],
    ) -> Vec<Result<(), Reason>> {
        verified::verify(&self.verified, &layers.registry(), height, entries, leaves)
    }

    /// The chain as it stands after this block, which is the tip or pending.
    fn at(&self, digest: Hash) -> Result<Stand, ChainError> {
        let state = self.state();
        let mut layers = Vec::new();
        let mut at = digest;
        while at != state.tip.digest {
            let pending = state.pending.get(&at).ok_or(ChainError::Parent)?;
            layers.push(Arc::clone(&pending.layer));
            at = pending.header.parent;
        }
        let (tip, edge) = match state.pending.get(&digest) {
            Some(pending) => (tip_of(&pending.header, digest), pending.edge.clone()),
            None => (state.tip, state.edge.clone()),
        };
        Ok(Stand { tip, edge, layers: Layers::new(self.reader.clone(), layers) })
    }

    fn keep(&self, digest: Hash, header: Header, edge: Edge, effects: Effects) {
        let layer = Arc::new(Layer::of(&effects));
        let pending = Arc::new(Pending { header, edge, layer, effects });
        let mut state = self.state();
        if header.height > state.tip.height {
            state.pending.insert(digest, pending);
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn tip_of(header: &Header, digest: Hash) -> Tip {
    let Header { height, time_ms, tree_size, root, .. } = *header;
    Tip { height, digest, time_ms, size: tree_size, root }
}

#[cfg(test)]
mod tests;
