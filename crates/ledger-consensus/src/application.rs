//! What the engine asks of the chain: make a block, and say whether one is valid.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::future::pending;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use commonware_consensus::Application;
use commonware_consensus::marshal::ancestry::Ancestry;
use commonware_consensus::simplex::scheme::ed25519::Scheme;
use commonware_consensus::simplex::types::Context;
use commonware_cryptography::ed25519::PublicKey;
use commonware_cryptography::sha256::Digest;
use commonware_cryptography::{Digested, Digestible as _};
use commonware_macros::select;
use commonware_runtime::{Clock, Metrics, Spawner};
use futures_util::StreamExt as _;
use ledger::block::Block;
use ledger::chain::{Chain, ChainError};
use ledger::tree::leaf_hash;

use crate::Hash;
use crate::pool::Pool;
use crate::sealed::Sealed;

/// The ledger's side of the engine. Cloned for each request.
#[derive(Clone)]
pub(crate) struct Ledger {
    shared: Arc<Shared>,
}

struct Shared {
    chain: Arc<Chain>,
    pool: Arc<Pool>,
    ways: Ways,
    open: Mutex<Open>,
}

/// How a member proposes.
#[derive(Clone)]
pub(crate) struct Ways {
    /// An empty block after this.
    pub(crate) idle: Duration,
    /// No block where those before it are not known after this.
    pub(crate) behind: Duration,
    /// Bytes of entries in a block.
    pub(crate) batch: usize,
    /// The longest block that is taken.
    pub(crate) block: usize,
    /// Milliseconds since 1970, as this member's clock has them.
    pub(crate) now: Arc<dyn Fn() -> u64 + Send + Sync>,
    /// What a member that lies does to its blocks.
    #[cfg(test)]
    pub(crate) tamper: Option<Lie>,
}

/// What a member that lies changes of what it proposes.
#[cfg(test)]
pub(crate) type Lie = fn(&mut ledger::block::Header, &mut Vec<Vec<u8>>);

/// Which entries lie in blocks that are valid and not final: they wait in the pool, and must not be
/// proposed a second time on top of them.
#[derive(Default)]
struct Open {
    blocks: HashMap<Hash, (Hash, Arc<[Hash]>)>,
    by_height: BTreeMap<u64, Vec<Hash>>,
}

/// What became of a question to the chain.
enum Verdict {
    Valid,
    Invalid,
    /// It cannot be said now. The engine then waits for us no longer than for a silent member.
    Unknown,
}

impl Ledger {
    pub(crate) fn new(chain: Arc<Chain>, pool: Arc<Pool>, ways: Ways) -> Self {
        Self { shared: Arc::new(Shared { chain, pool, ways, open: Mutex::default() }) }
    }

    /// Makes the chain know `block`, with the blocks before it as far as needed.
    async fn know<E: Spawner>(
        &self,
        context: &E,
        block: &Digested<Sealed>,
        mut older: impl Ancestry<Sealed>,
    ) -> Verdict {
        let mut line = vec![block.clone()];
        loop {
            let asked = line.last().expect("because it began with one").clone();
            if asked.inner().0.header().height == 0 {
                line.pop();
                break;
            }
            match self.check(context, asked).await {
                Ok(()) => {
                    line.pop();
                    break;
                }
                // below what is final, another block: never valid
                Err(ChainError::Parent) if self.is_past(line.last()) => return Verdict::Invalid,
                Err(ChainError::Parent) => match older.next().await {
                    Some(parent) => line.push(parent),
                    None => return Verdict::Unknown,
                },
                Err(error) => return refused(&error),
            }
        }
        while let Some(next) = line.pop() {
            if let Err(error) = self.check(context, next).await {
                return refused(&error);
            }
        }
        Verdict::Valid
    }

    fn is_past(&self, block: Option<&Digested<Sealed>>) -> bool {
        let tip = self.shared.chain.tip().height;
        block.is_some_and(|block| block.inner().0.header().height <= tip)
    }

    /// [`Chain::check`] away from the engine's threads: it costs what the signatures cost.
    async fn check<E: Spawner>(
        &self,
        context: &E,
        block: Digested<Sealed>,
    ) -> Result<(), ChainError> {
        let shared = Arc::clone(&self.shared);
        let asked = context.child("check").shared(true).spawn(move |_| async move {
            let tip = shared.chain.tip();
            let (digest, block) = (block.digest().0, &block.inner().0);
            if tip.height == block.header().height && tip.digest == digest {
                return Ok(());
            }
            shared.chain.check(block)?;
            shared.open().add(block, digest, tip.height);
            Ok(())
        });
        // the engine is stopping: nobody reads the answer
        asked.await.unwrap_or(Err(ChainError::Parent))
    }

    /// Waits until there is something to put into a block on `parent`, at most the idle time.
    async fn entries(&self, clock: &impl Clock, parent: Hash) -> Vec<Bytes> {
        let until = clock.current() + self.shared.ways.idle;
        let taken = self.shared.open().before(parent, self.shared.chain.tip().digest);
        loop {
            let changed = self.shared.pool.changed();
            let found = self.shared.pool.candidates(&taken, self.shared.ways.batch);
            if !found.is_empty() {
                return found;
            }
            select! {
                () = changed => {},
                () = clock.sleep_until(until) => return Vec::new(),
            }
        }
    }
}

impl<E: Spawner + Metrics + Clock> Application<E> for Ledger {
    type SigningScheme = Scheme;
    type Context = Context<Digest, PublicKey>;
    type Block = Sealed;
    type Input = ();

    async fn propose(
        &mut self,
        (context, _): (E, Self::Context),
        mut ancestry: impl Ancestry<Sealed>,
        (): (),
    ) -> Option<Digested<Sealed>> {
        let parent = ancestry.next().await?;
        let known = select! {
            verdict = self.know(&context, &parent, ancestry) => matches!(verdict, Verdict::Valid),
            // the others wait for us: who says at once that it has no block is passed over at once
            () = context.sleep(self.shared.ways.behind) => false,
        };
        if !known {
            return None;
        }
        let on = parent.digest().0;
        let entries = self.entries(&context, on).await;
        let shared = Arc::clone(&self.shared);
        let made = context
            .child("propose")
            .shared(true)
            .spawn(move |_| async move { shared.make(on, &entries) });
        made.await.ok().flatten()
    }

    async fn verify(
        &mut self,
        (context, _): (E, Self::Context),
        mut ancestry: impl Ancestry<Sealed>,
    ) -> bool {
        let Some(block) = ancestry.next().await else { return pending().await };
        if block.inner().0.encoded().len() > self.shared.ways.block {
            return false;
        }
        match self.know(&context, &block, ancestry).await {
            Verdict::Valid => true,
            Verdict::Invalid => false,
            Verdict::Unknown => pending().await,
        }
    }
}

impl Shared {
    fn make(&self, parent: Hash, entries: &[Bytes]) -> Option<Digested<Sealed>> {
        #[cfg_attr(not(test), expect(unused_mut, reason = "only a test's member lies"))]
        let (mut block, never) =
            match self.chain.propose(parent, entries, self.ways.batch, (self.ways.now)()) {
                Ok(made) => made,
                Err(error) => {
                    tracing::warn!(%error, "no block could be proposed");
                    return None;
                }
            };
        let never: Vec<Hash> =
            never.iter().filter_map(|at| entries.get(*at)).map(|entry| leaf_hash(entry)).collect();
        self.pool.forget(&never);
        #[cfg(test)]
        if let Some(tamper) = self.ways.tamper {
            let (mut header, mut entries) = block.parts();
            tamper(&mut header, &mut entries);
            block = Block::new(header, &entries);
        }
        let digest = block.digest();
        self.open().add(&block, digest, self.chain.tip().height);
        Some(Digested::precomputed(Sealed(block), Digest(digest)))
    }

    fn open(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Open {
    fn add(&mut self, block: &Block, digest: Hash, tip: u64) {
        // not the block itself: it may never become final
        let entries = block.shared_leaves();
        if self.blocks.insert(digest, (block.header().parent, entries)).is_none() {
            self.by_height.entry(block.header().height).or_default().push(digest);
        }
        let behind = self.by_height.split_off(&(tip + 1));
        for digest in std::mem::replace(&mut self.by_height, behind).into_values().flatten() {
            self.blocks.remove(&digest);
        }
    }

    /// Entries between what is final and a block, that block's included.
    fn before(&self, block: Hash, tip: Hash) -> HashSet<Hash> {
        let (mut taken, mut at) = (HashSet::new(), block);
        while at != tip
            && let Some((parent, entries)) = self.blocks.get(&at)
        {
            taken.extend(entries.iter());
            at = *parent;
        }
        taken
    }
}

fn refused(error: &ChainError) -> Verdict {
    tracing::warn!(%error, "a block was not taken");
    match error {
        ChainError::Invalid(_) | ChainError::Fork(_) => Verdict::Invalid,
        _ => Verdict::Unknown,
    }
}
