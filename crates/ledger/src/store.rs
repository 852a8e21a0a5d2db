//! The durable state of one member of the shared ledger: blocks, tree, and what is known of each transaction.
//!
//! [`Store::append`] costs one `fdatasync`, into a write-ahead file. Full tiles and bundles of C2SP
//! tlog-tiles are written once, when they are full, and made durable behind the writer's back; then their
//! write-ahead file goes. A web server can serve the folder's `tile/` and `checkpoint` as they are. Memory
//! holds the right edge and the newest rows of the index, whatever the size of the log.
//!
//! Start reading at [`Store::append`]; [`recovery`] is what a start does, docs/decisions/0023 says why.

mod disk;
mod facts;
mod heads;
mod index;
mod mirror;
mod publication;
mod reader;
mod recovery;
mod settling;
mod source;
mod tail;
#[cfg(test)]
mod tests;
mod wal;

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::{Arc, PoisonError, RwLock};

use crate::block::Block;
use crate::chain::Tip;
use crate::crash;
use crate::edge::Edge;
use crate::member::Registry;
use crate::tree::Hash;
use disk::Disk;
use heads::Heads;
use index::{Index, Row, Value};
use settling::{Period, Settler};
use tail::{Full, Tail};
use wal::{Kind, Wal};

pub use mirror::Published;
pub use publication::Publisher;
pub use reader::Reader;

/// Why a store could not be read or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// A file could not be read or written. The operator's disk; when it has room again, go on.
    #[error("ledger file {path}: {source}")]
    File {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A file does not hold what it should. The disk, or somebody who changed it.
    #[error("ledger store is damaged: {0}")]
    Damaged(String),
    /// Another process writes here: two writers would fork the log.
    #[error("ledger store is in use by another process")]
    Busy,
    /// The store is older than what is known elsewhere: an old copy was restored. The operator's; a
    /// member that goes on from it might contradict what it said before.
    #[error("ledger store ends at block {tip}, but block {at_least} was final here: an old copy?")]
    Old {
        /// Where the store ends.
        tip: u64,
        /// What was final before.
        at_least: u64,
    },
    /// There is no such leaf or tree size yet. The caller's.
    #[error("ledger has {size} leaves, not {asked}")]
    Range {
        /// Leaves that there are.
        size: u64,
        /// Leaf or size that was asked for.
        asked: u64,
    },
    /// Another block stands at this height, or before it. Never to be answered by going on.
    #[error("another block is final at height {0}, or before it")]
    Fork(u64),
    /// The block before this one is not here. The caller's.
    #[error("block {0} leaves a gap")]
    Gap(u64),
    /// What was to be stored is not right in itself. The caller's.
    #[error("refused: {0}")]
    Refused(&'static str),
    /// The rules refuse a block that was final. The software's: it is not the one that appended it.
    #[error("block {height} cannot be applied again: {why}")]
    Rules {
        /// Which block.
        height: u64,
        /// What the rules say.
        why: String,
    },
    /// The index cannot be written. The operator's disk.
    #[error("the ledger's index cannot be written: is the disk full?")]
    Behind,
}

/// The store of one member, for its one writer.
pub struct Store {
    shared: Arc<Shared>,
    genesis: Hash,
    index: Index,
    settler: Settler,
    publisher: Publisher,
    /// None after a failure, until the state is read back from the disk.
    wal: Option<Wal>,
    /// Files that hold what the write-ahead file's blocks brought.
    placed: BTreeSet<PathBuf>,
    /// Where the index is fed from, again after a crash.
    apply: Apply,
    _lock: std::fs::File,
}

/// What the writer shares with its readers.
struct Shared {
    disk: Disk,
    heads: Heads,
    index: Arc<index::Inner>,
    /// The members at the beginning.
    registry: Arc<Registry>,
    state: RwLock<Arc<State>>,
}

/// Everything that appending needs.
#[derive(Clone)]
struct State {
    genesis: Hash,
    tip: Tip,
    tail: Tail,
}

/// What a block changes in the index.
#[derive(Default)]
struct Changes {
    rows: Vec<Row>,
    registry: Option<Arc<Registry>>,
}

/// Says again what a block changes.
type Apply = Box<dyn Fn(&Reader, &Block) -> Result<Changes, String> + Send + Sync>;

impl Store {
    fn begin(
        disk: Disk,
        genesis: Hash,
        registry: Arc<Registry>,
        apply: Apply,
        due_of: fn(&Value) -> Option<u64>,
        at_least: Option<u64>,
    ) -> Result<Self, StoreError> {
        let lock = disk.lock()?;
        let heads = Heads::new(disk.clone());
        let (state, wal) = recovery::recover(&disk, &heads, genesis)?;
        if let Some(at_least) = at_least.filter(|at_least| *at_least > state.tip.height) {
            return Err(StoreError::Old { tip: state.tip.height, at_least });
        }
        let index = Index::open(&disk, due_of)?;
        let settler = Settler::start(&disk)?;
        let state = RwLock::new(Arc::new(state));
        let shared = Arc::new(Shared { disk, heads, index: index.reader(), registry, state });
        let publisher = Publisher::new(shared.clone())?;
        let placed = BTreeSet::new();
        let store = Self {
            shared,
            genesis,
            index,
            settler,
            publisher,
            wal: Some(wal),
            placed,
            apply,
            _lock: lock,
        };
        store.apply_again()?;
        Ok(store)
    }

    /// Where the log ends.
    pub fn tip(&self) -> Tip {
        self.shared.state().tip
    }

    /// The right edge of the tree at the tip.
    pub fn edge(&self) -> Edge {
        self.shared.state().tail.edge().clone()
    }

    /// A view for other threads.
    pub fn reader(&self) -> Reader {
        Reader { shared: self.shared.clone() }
    }

    /// What publishes this store's checkpoints, while the writer writes.
    pub fn publisher(&self) -> Publisher {
        self.publisher.clone()
    }

    /// Appends a final block; it is durable when this returns. A block that is there already is taken
    /// again without effect. After a failure the same call may be repeated.
    fn append_changes(&mut self, block: &Block, changes: Changes) -> Result<Tip, StoreError> {
        self.heal()?;
        let state = self.shared.state();
        let height = block.header().height;
        let digest = block.digest();
        if height <= state.tip.height {
            let known = self.reader().digest(height)? == Some(digest);
            return if known { Ok(state.tip) } else { Err(StoreError::Fork(height)) };
        }
        let (next, full) = state.with(block, digest)?;
        let tip = next.tip;
        if let Err(e) = self.write(block, full, changes) {
            self.wal = None;
            return Err(e);
        }
        self.shared.set(next);
        self.rotate_when_long();
        Ok(tip)
    }

    fn write(
        &mut self,
        block: &Block,
        full: Vec<Full>,
        changes: Changes,
    ) -> Result<(), StoreError> {
        let wal = self.wal.as_mut().expect("because it was healed before");
        wal.append(Kind::Block, block.digest(), block.encoded())?;
        crash::point("store/logged");
        for (path, bytes) in full {
            self.shared.disk.place(&path, &bytes)?;
            self.placed.insert(path);
        }
        crash::point("store/tiles");
        self.shared.heads.put(block.header())?;
        self.placed.insert(heads::path(block.header().height));
        self.index.put(block.header().height, changes.rows, changes.registry)
    }

    /// Starts the next write-ahead file. When that fails, nothing is lost: the next append heals.
    fn rotate_when_long(&mut self) {
        let Some(wal) = self.wal.as_ref().filter(|wal| wal.len() > WAL) else { return };
        let old = wal.number();
        let snapshot = self.shared.state().encode();
        self.wal = Wal::start(&self.shared.disk, old + 1, &snapshot).ok();
        if self.wal.is_some() {
            crash::point("store/rotated");
            let placed = std::mem::take(&mut self.placed);
            self.settler.settle(Period { placed, wal: wal::path(old) });
        }
    }

    /// After a failure: reads the state back from the disk, as a start does.
    fn heal(&mut self) -> Result<(), StoreError> {
        if self.wal.is_some() && !self.settler.has_failed() {
            return Ok(());
        }
        self.wal = None;
        self.settler.calm();
        let (state, wal) = recovery::recover(&self.shared.disk, &self.shared.heads, self.genesis)?;
        self.placed.clear();
        self.shared.set(state);
        self.apply_again()?;
        self.wal = Some(wal);
        Ok(())
    }

    /// Brings the index to the end of the log.
    fn apply_again(&self) -> Result<(), StoreError> {
        let (reader, tip) = (self.reader(), self.tip());
        let known = self.shared.index.height();
        if known > tip.height {
            return Err(StoreError::Damaged("the index knows of later blocks than the log".into()));
        }
        for height in known + 1..=tip.height {
            let block = reader.block(height)?.ok_or(StoreError::Gap(height))?;
            let changes = (self.apply)(&reader, &block);
            let changes = changes.map_err(|why| StoreError::Rules { height, why })?;
            self.index.put(height, changes.rows, changes.registry)?;
        }
        Ok(())
    }
}

impl Shared {
    fn state(&self) -> Arc<State> {
        self.state.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn set(&self, state: State) {
        *self.state.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(state);
    }
}

/// Bytes of a write-ahead file after which the next begins.
const WAL: u64 = if cfg!(test) { 40_000 } else { 16 << 20 };
