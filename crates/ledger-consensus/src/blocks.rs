//! The chain as the engine's store of final blocks, so that a block lies on disk once.
//!
//! The engine hands a block to `put` as soon as it is final and known, in any order while it catches
//! up, and to `sync` to make it durable. Here `sync` is [`Chain::finalise`] of what continues the
//! chain; what lies ahead of a gap waits in memory, where a crash may lose it: the engine delivers
//! nothing behind a gap, and fetches what is missing again. Peers that fell behind are served from
//! the chain, however old the block is.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use commonware_consensus::marshal::store::Blocks;
use commonware_consensus::types::Height;
use commonware_cryptography::sha256::Digest;
use commonware_runtime::{Error as RuntimeError, Handle, Spawner};
use commonware_storage::archive::Identifier;
use ledger::chain::{Chain, ChainError, Tip};

use crate::sealed::Sealed;

/// What is done between a block's becoming durable and the next one's: the epochs listen here.
pub(crate) type Durable = Box<dyn Fn(&Tip) -> Result<(), String> + Send + Sync>;

/// Why the chain did not take a final block. The engine stops on it.
#[derive(Debug, Clone, thiserror::Error)]
#[error("the chain did not take final block {height}: {reason}")]
pub(crate) struct NotTaken {
    height: u64,
    reason: String,
}

/// [`Blocks`] over a [`Chain`].
pub(crate) struct ChainBlocks<E> {
    context: E,
    shared: Arc<Shared>,
}

struct Shared {
    chain: Arc<Chain>,
    genesis: Sealed,
    ahead: Mutex<Ahead>,
    /// One writer at a time; held while the chain writes, so that readers need not wait for it.
    writing: Mutex<()>,
    durable: Durable,
}

/// Final blocks that are not in the chain yet, and where those are that peers may ask for by digest.
#[derive(Default)]
struct Ahead {
    blocks: BTreeMap<u64, Arc<Sealed>>,
    bytes: usize,
    heights: HashMap<Digest, u64>,
    by_height: BTreeMap<u64, Digest>,
}

impl<E: Spawner> ChainBlocks<E> {
    /// `genesis` stands at height 0.
    pub(crate) fn new(
        context: E,
        chain: Arc<Chain>,
        genesis: Sealed,
        durable: Durable,
    ) -> Result<Self, ChainError> {
        let mut ahead = Ahead::default();
        let tip = chain.tip();
        let mut child = tip.digest;
        for height in (tip.height.saturating_sub(RECENT)..=tip.height).rev() {
            ahead.known(Digest(child), height);
            let Some(block) = chain.block(height)? else { break };
            child = block.header().parent;
        }
        let (ahead, writing) = (Mutex::new(ahead), Mutex::new(()));
        Ok(Self { context, shared: Arc::new(Shared { chain, genesis, ahead, writing, durable }) })
    }
}

impl<E: Spawner> Blocks for ChainBlocks<E> {
    type Block = Arc<Sealed>;
    type Error = NotTaken;

    async fn put(self, digest: Digest, block: &Arc<Sealed>) -> Result<Self, NotTaken> {
        let height = block.0.header().height;
        if height > self.shared.chain.tip().height {
            self.shared.ahead().put(height, digest, block);
        }
        Ok(self)
    }

    async fn sync(self) -> Result<Self, NotTaken> {
        let shared = Arc::clone(&self.shared);
        let written =
            self.context.child("finalise").shared(true).spawn(|_| async move { shared.write() });
        match written.await {
            Ok(Ok(())) => Ok(self),
            Ok(Err(refused)) => Err(refused),
            Err(stopped) => Err(NotTaken { height: 0, reason: stopped.to_string() }),
        }
    }

    async fn start_sync(self) -> Result<(Self, Handle<()>), NotTaken> {
        let shared = Arc::clone(&self.shared);
        let written =
            self.context.child("finalise").shared(true).spawn(|_| async move { shared.write() });
        let handle = Handle::from_future(async move {
            written.await?.map_err(|refused| {
                tracing::error!(%refused, "the ledger stops");
                RuntimeError::WriteFailed
            })
        });
        Ok((self, handle))
    }

    async fn get(&self, id: Identifier<'_, Digest>) -> Result<Option<Arc<Sealed>>, NotTaken> {
        let height = match id {
            Identifier::Index(height) => height,
            Identifier::Key(digest) => match self.shared.ahead().heights.get(digest) {
                Some(height) => *height,
                None if *digest == Digest(self.shared.genesis.0.header().parent) => 0,
                None => return Ok(None),
            },
        };
        self.shared.block(height)
    }

    async fn prune(self, _: Height) -> Result<Self, NotTaken> {
        // the chain keeps everything: it is the ledger
        Ok(self)
    }

    fn missing_items(&self, start: Height, max: usize) -> Vec<Height> {
        let tip = self.shared.chain.tip().height;
        let ahead = self.shared.ahead();
        let Some((last, _)) = ahead.blocks.last_key_value() else { return Vec::new() };
        (start.get().max(tip + 1)..*last)
            .filter(|height| !ahead.blocks.contains_key(height))
            .take(max)
            .map(Height::new)
            .collect()
    }

    fn next_gap(&self, value: Height) -> (Option<Height>, Option<Height>) {
        let tip = self.shared.chain.tip().height;
        let ahead = self.shared.ahead();
        let has = |height: u64| height <= tip || ahead.blocks.contains_key(&height);
        let mut end = None;
        let mut at = value.get();
        if at <= tip {
            (end, at) = (Some(tip), tip);
        } else if has(at) {
            end = Some(at);
        }
        while end.is_some() && has(at + 1) {
            at += 1;
            end = Some(at);
        }
        let after = end.unwrap_or(at);
        let next = ahead.blocks.range(after + 1..).find(|(height, _)| **height > tip);
        (end.map(Height::new), next.map(|(height, _)| Height::new(*height)))
    }

    fn last_index(&self) -> Option<Height> {
        let tip = self.shared.chain.tip().height;
        let ahead = self.shared.ahead();
        let last = ahead.blocks.last_key_value().map_or(tip, |(last, _)| tip.max(*last));
        Some(Height::new(last))
    }
}

impl Shared {
    /// Appends all that continues the chain; durable when it returns.
    fn write(&self) -> Result<(), NotTaken> {
        let _one = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            let height = self.chain.tip().height + 1;
            let next = self.ahead().blocks.get(&height).cloned();
            let Some(block) = next else { break };
            let failed = |reason: String| NotTaken { height, reason };
            let tip = self.chain.finalise(&block.0).map_err(|error| failed(error.to_string()))?;
            (self.durable)(&tip).map_err(failed)?;
            self.ahead().written(height);
        }
        Ok(())
    }

    fn block(&self, height: u64) -> Result<Option<Arc<Sealed>>, NotTaken> {
        if height == 0 {
            return Ok(Some(Arc::new(self.genesis.clone())));
        }
        if let Some(block) = self.ahead().blocks.get(&height) {
            return Ok(Some(Arc::clone(block)));
        }
        let found = self.chain.block(height);
        let found = found.map_err(|error| NotTaken { height, reason: error.to_string() })?;
        Ok(found.map(|block| Arc::new(Sealed(block))))
    }

    fn ahead(&self) -> MutexGuard<'_, Ahead> {
        self.ahead.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Ahead {
    /// Far behind, and full: it is left out, and fetched when its turn comes.
    fn put(&mut self, height: u64, digest: Digest, block: &Arc<Sealed>) {
        let bytes = block.0.encoded().len();
        let first = self.blocks.first_key_value().is_none_or(|(first, _)| height < *first);
        if (self.bytes + bytes > AHEAD && !first) || self.blocks.contains_key(&height) {
            return;
        }
        self.bytes += bytes;
        self.known(digest, height);
        self.blocks.insert(height, Arc::clone(block));
    }

    fn known(&mut self, digest: Digest, height: u64) {
        self.heights.insert(digest, height);
        self.by_height.insert(height, digest);
    }

    /// Block `height` is in the chain; the oldest digest is forgotten when there are too many.
    fn written(&mut self, height: u64) {
        let behind = self.blocks.split_off(&(height + 1));
        for (_, gone) in std::mem::replace(&mut self.blocks, behind) {
            self.bytes -= gone.0.encoded().len();
        }
        while self.by_height.len() as u64 > KEPT {
            let Some((_, digest)) = self.by_height.pop_first() else { break };
            self.heights.remove(&digest);
        }
    }
}

/// Bytes of final blocks that wait behind a gap.
const AHEAD: usize = 256 << 20;
/// Blocks whose digests are read at the start: an engine asks for the last few only.
const RECENT: u64 = 64;
/// Digests kept. Older blocks are served by height, which needs their certificates.
const KEPT: u64 = 1 << 18;

#[cfg(test)]
mod tests;
