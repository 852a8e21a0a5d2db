//! The store against a foreign tree, crashes, full disks and damage.

mod faults;
mod kills;
mod publishing;

use std::path::Path;
use std::sync::OnceLock;

use ct_merkle::mem_backed_tree::MemoryBackedTree;
use proptest::prelude::*;

use super::*;
use crate::block::Header;
use crate::evidence::sha256;
use crate::fixtures::shared::Shared;
use crate::tree::{leaf_hash, verify_consistency, verify_inclusion};

type Foreign = MemoryBackedTree<sha2::Sha256, Vec<u8>>;

const GENESIS: Hash = [9; 32];

/// What stands for the rules: an entry `name` or `name:deadline` is about the transaction `name`.
#[expect(clippy::unnecessary_wraps, reason = "the rules may refuse")]
fn apply(_: &Reader, block: &Block) -> Result<Changes, String> {
    let rows = (block.first()..).zip(block.entries()).map(|(index, entry)| {
        let text = String::from_utf8_lossy(entry);
        let (name, deadline) = text.split_once(':').unwrap_or((&text, "0"));
        let mut value = [0; 48];
        value[..8].copy_from_slice(&deadline.parse::<u64>().unwrap_or(0).to_be_bytes());
        value[8..16].copy_from_slice(&index.to_be_bytes());
        Row { key: txid(name), value, due: due_of(&value) }
    });
    Ok(Changes { rows: rows.collect(), registry: None })
}

fn due_of(value: &Value) -> Option<u64> {
    Some(u64::from_be_bytes(*value.first_chunk().unwrap())).filter(|deadline| *deadline > 0)
}

fn txid(name: &str) -> [u8; 16] {
    *sha256(name.as_bytes()).first_chunk().unwrap()
}

fn registry() -> Arc<Registry> {
    static SHARED: OnceLock<Shared> = OnceLock::new();
    SHARED.get_or_init(Shared::fast).registry()
}

fn try_open(folder: &Path) -> Result<Store, StoreError> {
    Store::begin(Disk::open(folder)?, GENESIS, registry(), Box::new(apply), due_of, None)
}

/// A child that another test starts holds our locks until it is another program.
fn unlocked(open: impl Fn() -> Result<Store, StoreError>) -> Result<Store, StoreError> {
    for _ in 0..1500 {
        match open() {
            Err(StoreError::Busy) => std::thread::sleep(std::time::Duration::from_millis(20)),
            other => return other,
        }
    }
    panic!("the store stays locked")
}

fn open(folder: &Path) -> Store {
    unlocked(|| try_open(folder)).unwrap()
}

impl Store {
    fn take(&mut self, block: &Block) -> Result<Tip, StoreError> {
        let changes = apply(&self.reader(), block).unwrap();
        self.append_changes(block, changes)
    }
}

/// Blocks that follow each other, with the foreign tree beside them.
struct Source {
    tip: Hash,
    height: u64,
    edge: Edge,
    foreign: Foreign,
    entries: Vec<Vec<u8>>,
}

impl Source {
    fn new() -> Self {
        let (edge, foreign) = (Edge::default(), Foreign::new());
        Self { tip: GENESIS, height: 0, edge, foreign, entries: Vec::new() }
    }

    fn next(&mut self, entries: Vec<Vec<u8>>) -> Block {
        for entry in &entries {
            self.edge.push(leaf_hash(entry));
            self.foreign.push(entry.clone());
            self.entries.push(entry.clone());
        }
        self.height += 1;
        let header = Header {
            parent: self.tip,
            height: self.height,
            time_ms: 1_000 * self.height,
            tree_size: self.edge.size(),
            root: self.edge.root(),
        };
        let block = Block::new(header, &entries);
        self.tip = block.digest();
        block
    }

    /// A block of that many entries, each with a transaction of its own.
    fn of(&mut self, count: usize) -> Block {
        let first = self.entries.len();
        self.next((first..first + count).map(named).collect())
    }
}

fn named(number: usize) -> Vec<u8> {
    format!("tx{number}").into_bytes()
}

fn blocks(counts: &[usize]) -> Vec<Block> {
    let mut source = Source::new();
    counts.iter().map(|count| source.of(*count)).collect()
}

/// Everything that a reader gives must be what was appended.
fn assert_holds(store: &Store, expected: &[Block]) {
    let reader = store.reader();
    let tip = reader.tip();
    assert_eq!(tip.height, expected.len() as u64);
    for block in expected {
        assert_eq!(reader.block(block.header().height).unwrap().as_ref(), Some(block));
    }
    assert_eq!(reader.block(tip.height + 1).unwrap(), None);
    let all: Vec<&[u8]> = expected.iter().flat_map(Block::entries).collect();
    assert_eq!(tip.size, all.len() as u64);
    for (index, entry) in (0u64..).zip(all) {
        let text = String::from_utf8_lossy(entry);
        let row = reader.row(&txid(text.split(':').next().unwrap())).unwrap();
        assert!(row.is_some(), "{text} of block {}", reader.height_of(index).unwrap());
        if index % 41 == 0 || index + 3 > tip.size {
            assert_eq!(&reader.entry(index).unwrap(), entry);
            let path = reader.inclusion(index, tip.size).unwrap();
            assert!(verify_inclusion(entry, index, tip.size, tip.root, &path));
        }
    }
}

#[test]
fn blocks_come_back_and_go_on_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let all = blocks(&[1, 0, 254, 1, 1, 700, 3, 0, 2_000, 60, 5_000]);
    for at in 0..all.len() {
        let mut store = open(folder.path());
        assert_holds(&store, &all[..at]);
        store.take(&all[at]).unwrap();
        assert_holds(&store, &all[..=at]);
        assert!(matches!(try_open(folder.path()), Err(StoreError::Busy)), "two writers");
    }
}

#[test]
fn a_block_is_taken_again_and_another_at_its_height_never() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = open(folder.path());
    let all = blocks(&[3, 4, 5]);
    assert!(matches!(store.take(&all[1]), Err(StoreError::Gap(2))));
    all.iter().for_each(|block| _ = store.take(block).unwrap());
    let before = store.tip();
    all.iter().for_each(|block| assert_eq!(store.take(block).unwrap(), before));
    let mut other = Source::new();
    for (count, height) in [(2, 1), (5, 2), (9, 3)] {
        let block = other.of(count);
        assert!(matches!(store.take(&block), Err(StoreError::Fork(at)) if at == height));
    }
    assert!(matches!(store.take(&other.of(1)), Err(StoreError::Fork(4))), "of another history");
    let mut source = Source::new();
    [3, 4, 5].into_iter().for_each(|count| _ = source.of(count));
    let (mut header, entries) = source.of(2).parts();
    header.root[5] ^= 1;
    let wrong = Block::new(header, &entries);
    assert!(matches!(store.take(&wrong), Err(StoreError::Refused(_))));
    assert_holds(&store, &all);
}

#[test]
fn an_old_copy_and_a_foreign_genesis_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = open(folder.path());
    blocks(&[3, 4]).iter().for_each(|block| _ = store.take(block).unwrap());
    drop(store);
    let open = |genesis, at_least| {
        unlocked(|| {
            let disk = Disk::open(folder.path())?;
            Store::begin(disk, genesis, registry(), Box::new(apply), due_of, at_least)
        })
    };
    assert!(matches!(open(GENESIS, Some(3)), Err(StoreError::Old { tip: 2, at_least: 3 })));
    assert!(matches!(open([1; 32], None), Err(StoreError::Damaged(_))));
    assert!(open(GENESIS, Some(2)).is_ok());
}

#[test]
fn the_index_is_made_anew_when_its_folder_is_gone() {
    let folder = tempfile::tempdir().unwrap();
    let all = blocks(&[700, 700, 20, 700, 700]);
    let mut store = open(folder.path());
    all.iter().for_each(|block| _ = store.take(block).unwrap());
    drop(store);
    std::fs::remove_dir_all(folder.path().join("index")).unwrap();
    assert_holds(&open(folder.path()), &all);
}

#[test]
fn the_newest_row_counts_and_halves_are_due_until_they_are_closed() {
    let folder = tempfile::tempdir().unwrap();
    let mut source = Source::new();
    let halves = (0..30).map(|n| format!("half{n}:{}", 5 + n % 3).into_bytes()).collect();
    let mut all = vec![source.next(halves)];
    let closes = (0..10).map(|n| format!("half{n}").into_bytes()).collect();
    all.extend((0..3).map(|_| source.of(600)));
    all.push(source.next(closes));
    all.extend((0..4).map(|_| source.of(600)));
    let mut store = open(folder.path());
    for (at, block) in all.iter().enumerate() {
        store.take(block).unwrap();
        if at % 3 == 2 {
            drop(store);
            store = open(folder.path());
        }
    }
    let reader = store.reader();
    let due = |height| reader.shared.index.due(height, 100).unwrap();
    assert_eq!([4, 5, 6, 7].map(|height| due(height).len()), [0, 6, 13, 20]);
    let still: Vec<_> = (10..30).map(|n| txid(&format!("half{n}"))).collect();
    assert!(due(9).iter().all(|key| still.contains(key)));
    assert_eq!(reader.shared.index.due(9, 7).unwrap().len(), 7);
    assert_eq!(due_of(&reader.row(&txid("half3")).unwrap().unwrap()), None, "closed");
    assert_eq!(due_of(&reader.row(&txid("half12")).unwrap().unwrap()), Some(5));
    assert_eq!(reader.row(&txid("nobody")).unwrap(), None);
}

#[test]
fn readers_see_whole_blocks_while_the_writer_writes() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = open(folder.path());
    let all = blocks(&[97; 80]);
    std::thread::scope(|scope| {
        for seed in 0..3u64 {
            let reader = store.reader();
            scope.spawn(move || {
                let mut rounds = 0;
                while reader.tip().height < 80 || rounds == 0 {
                    let tip = reader.tip();
                    assert_eq!(tip.size, 97 * tip.height);
                    if tip.size == 0 {
                        continue;
                    }
                    rounds += 1;
                    let index = (rounds * 7_919 + seed) % tip.size;
                    let entry = reader.entry(index).unwrap();
                    assert_eq!(entry, named(index as usize));
                    let path = reader.inclusion(index, tip.size).unwrap();
                    assert!(verify_inclusion(&entry, index, tip.size, tip.root, &path));
                    assert_eq!(reader.height_of(index).unwrap(), index / 97 + 1);
                    assert!(reader.block(1 + index / 97).unwrap().is_some());
                    assert!(reader.row(&txid(&format!("tx{index}"))).unwrap().is_some());
                }
            });
        }
        all.iter().for_each(|block| _ = store.take(block).unwrap());
    });
    assert_holds(&store, &all);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn random_blocks_and_restarts_agree_with_a_foreign_tree(
        steps in proptest::collection::vec((0usize..600, 0usize..300, proptest::bool::weighted(0.3)), 1..12),
    ) {
        let folder = tempfile::tempdir().unwrap();
        let (mut store, mut source) = (open(folder.path()), Source::new());
        let mut roots: Vec<(u64, Hash)> = Vec::new();
        for (count, length, restart) in steps {
            let first = source.entries.len();
            let entries = (first..first + count).map(|n| format!("tx{n}:{:0length$}", 0).into_bytes());
            let block = source.next(entries.collect());
            let tip = store.take(&block).unwrap();
            let theirs: Hash = source.foreign.root().as_bytes().as_slice().try_into().unwrap();
            prop_assert_eq!((tip.size, tip.root), (source.entries.len() as u64, theirs));
            roots.push((tip.size, tip.root));
            if restart {
                drop(store);
                store = open(folder.path());
                prop_assert_eq!(store.tip(), tip);
            }
            let reader = store.reader();
            for at in [0, tip.size / 3, tip.size.saturating_sub(1)].into_iter().filter(|at| *at < tip.size) {
                let path = reader.inclusion(at, tip.size).unwrap();
                let foreign = source.foreign.prove_inclusion(usize::try_from(at).unwrap());
                prop_assert_eq!(path.concat(), foreign.as_bytes());
                prop_assert_eq!(&reader.entry(at).unwrap(), &source.entries[at as usize]);
            }
            for old in &roots {
                prop_assert_eq!(reader.root(old.0).unwrap(), old.1);
                let path = reader.consistency(old.0, tip.size).unwrap();
                prop_assert!(verify_consistency(*old, (tip.size, tip.root), &path));
            }
        }
    }
}
