//! What is known of each transaction, by its id; sorted runs (docs/decisions/0023).
//!
//! New rows are in memory until there are [`ROWS`] of them; then a thread writes them as a run, and
//! another merges runs, four of a tier into one of the next. Nothing here is a record: after a crash
//! the blocks since the last durable run are applied again, and all of them when the folder is gone.

mod filter;
mod manifest;
mod run;
mod work;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{
    Arc, Condvar, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard,
};
use std::thread::JoinHandle;

use super::StoreError;
use super::disk::Disk;
use crate::member::Registry;
use manifest::Manifest;
use run::Run;

/// A transaction id.
pub(super) type Key = [u8; 16];
/// What is known of it.
pub(super) type Value = [u8; 48];

/// A row to be written.
pub(super) struct Row {
    pub(super) key: Key,
    pub(super) value: Value,
    /// Deadline, when this is an open half.
    pub(super) due: Option<u64>,
}

/// The index, its threads included. Readers use [`Tables`].
pub(super) struct Index {
    inner: Arc<Inner>,
    threads: Vec<JoinHandle<()>>,
}

/// What the threads and readers share.
pub(super) struct Inner {
    disk: Disk,
    tables: RwLock<Tables>,
    /// What is durable; whoever changes the runs holds it.
    manifest: Mutex<Manifest>,
    stop: AtomicBool,
    /// Says that there is work, or that it was done.
    turn: (Mutex<()>, Condvar),
    /// Deadline of a row if it is an open half.
    due_of: fn(&Value) -> Option<u64>,
}

/// Everything that lookups need, the newest first.
struct Tables {
    active: Memory,
    sealed: Option<Arc<Memory>>,
    runs: Vec<Arc<Run>>,
}

/// Rows that are not in a run yet.
#[derive(Clone, Default)]
struct Memory {
    rows: BTreeMap<Key, Value>,
    /// Last block that is in it.
    height: u64,
    due: BTreeSet<(u64, Key)>,
    /// None while it is that of the genesis.
    registry: Option<Arc<Registry>>,
}

impl Index {
    /// Opens the index; an empty one where there is none.
    pub(super) fn open(disk: &Disk, due_of: fn(&Value) -> Option<u64>) -> Result<Self, StoreError> {
        let manifest = Manifest::load(disk)?.unwrap_or_default();
        work::remove_strangers(disk, &manifest)?;
        let mut runs = Vec::new();
        for about in &manifest.runs {
            let held: u64 = runs.iter().map(|run: &Arc<Run>| run.held()).sum();
            let run = Run::open(disk, *about, held + about.filter <= FILTERS)?;
            runs.push(Arc::new(run));
        }
        let active = Memory {
            rows: BTreeMap::new(),
            height: manifest.height,
            due: manifest.due.clone(),
            registry: manifest.registry.clone(),
        };
        let inner = Arc::new(Inner {
            disk: disk.clone(),
            tables: RwLock::new(Tables { active, sealed: None, runs }),
            manifest: Mutex::new(manifest),
            stop: AtomicBool::new(false),
            turn: Default::default(),
            due_of,
        });
        let threads = work::start(&inner)?;
        Ok(Self { inner, threads })
    }

    /// Takes what a block changed. Waits when the disk is far behind.
    pub(super) fn put(
        &self,
        height: u64,
        rows: impl IntoIterator<Item = Row>,
        registry: Option<Arc<Registry>>,
    ) -> Result<(), StoreError> {
        self.inner.make_room()?;
        let mut tables = self.inner.write();
        for Row { key, value, due } in rows {
            tables.active.rows.insert(key, value);
            tables.active.due.extend(due.map(|deadline| (deadline, key)));
        }
        tables.active.height = height;
        if registry.is_some() {
            tables.active.registry = registry;
        }
        let settled = self.inner.settled(&tables, height)?;
        settled.iter().for_each(|row| _ = tables.active.due.remove(row));
        tables.seal_when_full();
        self.inner.turn.1.notify_all();
        Ok(())
    }

    pub(super) fn reader(&self) -> Arc<Inner> {
        self.inner.clone()
    }
}

impl Inner {
    /// Last block that lookups know of.
    pub(super) fn height(&self) -> u64 {
        self.read().active.height
    }

    /// The members after the last change; none while they are those of the genesis.
    pub(super) fn registry(&self) -> Option<Arc<Registry>> {
        self.read().active.registry.clone()
    }

    /// The newest row of an id.
    pub(super) fn find(&self, key: &Key) -> Result<Option<Value>, StoreError> {
        let runs = {
            let tables = self.read();
            if let Some(value) = tables.in_memory(key) {
                return Ok(Some(value));
            }
            tables.runs.clone()
        };
        find_in(&runs, key)
    }

    /// Open halves whose deadline is at most `height`, those first that wait longest.
    pub(super) fn due(&self, height: u64, limit: usize) -> Result<Vec<Key>, StoreError> {
        // those that are settled by now are swept soon: they are never many
        let most = limit.saturating_mul(4).saturating_add(SWEEP);
        let waiting: Vec<_> = self.read().due_until(height).take(most).copied().collect();
        let mut due = Vec::new();
        for (deadline, key) in waiting {
            if due.len() == limit {
                break;
            }
            let row = self.find(&key)?;
            if row.and_then(|value| (self.due_of)(&value)) == Some(deadline) {
                due.push(key);
            }
        }
        Ok(due)
    }

    /// Of the halves that were due first: those that are closed or opened by now.
    fn settled(&self, tables: &Tables, height: u64) -> Result<Vec<(u64, Key)>, StoreError> {
        let mut settled = Vec::new();
        for (deadline, key) in tables.due_until(height).take(SWEEP) {
            let row = match tables.in_memory(key) {
                Some(value) => Some(value),
                None => find_in(&tables.runs, key)?,
            };
            if row.and_then(|value| (self.due_of)(&value)) != Some(*deadline) {
                settled.push((*deadline, *key));
            }
        }
        Ok(settled)
    }

    /// Waits until the rows in memory are few enough.
    fn make_room(&self) -> Result<(), StoreError> {
        let mut guard = self.turn.0.lock().unwrap_or_else(PoisonError::into_inner);
        for _ in 0..PATIENCE {
            if self.read().active.rows.len() < 2 * ROWS {
                return Ok(());
            }
            let turned = self.turn.1.wait_timeout(guard, std::time::Duration::from_millis(50));
            guard = turned.unwrap_or_else(PoisonError::into_inner).0;
        }
        Err(StoreError::Behind)
    }

    fn read(&self) -> RwLockReadGuard<'_, Tables> {
        self.tables.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Tables> {
        self.tables.write().unwrap_or_else(PoisonError::into_inner)
    }

    fn manifest(&self) -> MutexGuard<'_, Manifest> {
        self.manifest.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Tables {
    fn in_memory(&self, key: &Key) -> Option<Value> {
        let sealed = || self.sealed.as_ref().and_then(|sealed| sealed.rows.get(key));
        self.active.rows.get(key).or_else(sealed).copied()
    }

    fn due_until(&self, height: u64) -> impl Iterator<Item = &(u64, Key)> {
        self.active.due.range(..=(height, Key::from([0xff; 16])))
    }

    fn seal_when_full(&mut self) {
        if self.active.rows.len() >= ROWS && self.sealed.is_none() {
            self.seal();
        }
    }

    /// What is in memory is to become a run.
    fn seal(&mut self) {
        let next = Memory { rows: BTreeMap::new(), ..self.active.clone_but_rows() };
        self.sealed = Some(Arc::new(std::mem::replace(&mut self.active, next)));
    }
}

impl Memory {
    fn clone_but_rows(&self) -> Self {
        let Self { height, due, registry, .. } = self;
        Self {
            rows: BTreeMap::new(),
            height: *height,
            due: due.clone(),
            registry: registry.clone(),
        }
    }
}

impl Drop for Index {
    /// What is in memory becomes a run, so that the next start has nothing to apply again.
    fn drop(&mut self) {
        self.inner.stop.store(true, Ordering::SeqCst);
        self.inner.turn.1.notify_all();
        self.threads.drain(..).for_each(|thread| _ = thread.join());
        let _ = self.inner.flush_all();
    }
}

fn find_in(runs: &[Arc<Run>], key: &Key) -> Result<Option<Value>, StoreError> {
    for run in runs {
        if let Some(value) = run.find(key)? {
            return Ok(Some(value));
        }
    }
    Ok(None)
}

const FOLDER: &str = "index";
/// Rows that are kept in memory, twice at the most: 4 MiB.
const ROWS: usize = if cfg!(test) { 500 } else { 1 << 15 };
/// Bytes of filters that are kept in memory; a lookup in a run without costs a few page reads.
const FILTERS: u64 = 64 << 20;
/// Halves looked at after each block.
const SWEEP: usize = 64;
/// How often 50 ms are waited for the disk.
const PATIENCE: u32 = 100;
