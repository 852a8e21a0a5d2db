//! From the write-ahead files back to the state that was acknowledged.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::disk::Disk;
use super::heads::{self, Heads};
use super::tail::{Full, Tail};
use super::wal::{self, Kind, Record, Wal};
use super::{State, StoreError};
use crate::block::{Block, MAX_ENTRY};
use crate::chain::Tip;
use crate::tree::Hash;

/// Reads what is there, writes again what may not be durable, and starts a new file.
///
/// A node that starts and one whose disk was full take the same road, so that it is tried often.
pub(super) fn recover(
    disk: &Disk,
    heads: &Heads,
    genesis: Hash,
) -> Result<(State, Wal), StoreError> {
    let mut numbers = wal::numbers(disk)?;
    let mut road = Road { disk, heads, genesis, state: None, placed: BTreeSet::new() };
    let mut next = 1;
    for number in &numbers {
        let records = wal::read(disk, *number)?;
        // a file without its snapshot was never in use
        next = if records.is_empty() { *number } else { number + 1 };
        records.into_iter().try_for_each(|record| road.take(record))?;
    }
    let state = road.state.take().map_or_else(|| State::first(disk, genesis), Ok)?;
    if state.tip.height > 0 {
        let header = heads.read(state.tip.height)?;
        if (header.tree_size, header.root) != (state.tip.size, state.tip.root) {
            return Err(StoreError::Damaged("blocks/ and wal/ are not of one log".into()));
        }
    }
    disk.settle(&road.placed)?;
    let wal = Wal::start(disk, next, &state.encode())?;
    numbers.retain(|number| *number != next);
    numbers.into_iter().try_for_each(|number| disk.remove(&wal::path(number)))?;
    Ok((state, wal))
}

/// What was read so far.
struct Road<'d> {
    disk: &'d Disk,
    heads: &'d Heads,
    genesis: Hash,
    state: Option<State>,
    placed: BTreeSet<PathBuf>,
}

impl Road<'_> {
    fn take(&mut self, record: Record) -> Result<(), StoreError> {
        let damaged = |what: &str| StoreError::Damaged(format!("write-ahead file: {what}"));
        match (record.kind, &self.state) {
            (Kind::Snapshot, before) => {
                let (genesis, state) = State::decode(&record.body)
                    .ok_or_else(|| damaged("a snapshot does not read"))?;
                if genesis != self.genesis {
                    return Err(StoreError::Damaged("this is the log of another genesis".into()));
                }
                if before.as_ref().is_some_and(|before| before.tip != state.tip) {
                    return Err(damaged("a file does not go on where the one before it ends"));
                }
                self.state = Some(state);
            }
            (Kind::Block, None) => return Err(damaged("it begins without a snapshot")),
            (Kind::Block, Some(before)) => {
                let block =
                    Block::decode(&record.body).map_err(|_| damaged("a block does not read"))?;
                let (state, full) = before.with(&block, record.digest)?;
                for (path, bytes) in full {
                    self.disk.place(&path, &bytes)?;
                    self.placed.insert(path);
                }
                self.heads.put(block.header())?;
                self.placed.insert(heads::path(block.header().height));
                self.state = Some(state);
            }
        }
        Ok(())
    }
}

impl State {
    /// The state before the first block, if nothing says that there was one.
    fn first(disk: &Disk, genesis: Hash) -> Result<Self, StoreError> {
        if ["blocks", "tile"].into_iter().any(|folder| disk.exists(Path::new(folder))) {
            return Err(StoreError::Damaged("the write-ahead file is missing".into()));
        }
        let tail = Tail::default();
        let tip = Tip { height: 0, digest: genesis, time_ms: 0, size: 0, root: tail.root() };
        Ok(Self { genesis, tip, tail })
    }

    /// The state after a block, and the files that become full by it.
    pub(super) fn with(
        &self,
        block: &Block,
        digest: Hash,
    ) -> Result<(Self, Vec<Full>), StoreError> {
        let header = block.header();
        if header.height != self.tip.height + 1 {
            return Err(StoreError::Gap(header.height));
        }
        if header.parent != self.tip.digest {
            return Err(StoreError::Fork(header.height));
        }
        let (mut next, mut full) = (self.clone(), Vec::new());
        for (entry, leaf) in block.entries().zip(block.leaves()) {
            if entry.len() > MAX_ENTRY {
                return Err(StoreError::Refused("an entry is too long"));
            }
            next.tail.push(entry, *leaf, &mut full);
        }
        if (header.tree_size, header.root) != (next.tail.size(), next.tail.root()) {
            return Err(StoreError::Refused("its root is not the root of the tree after it"));
        }
        let (size, root) = (header.tree_size, header.root);
        next.tip = Tip { height: header.height, digest, time_ms: header.time_ms, size, root };
        Ok((next, full))
    }

    /// `genesis ‖ height ‖ digest ‖ time ‖ tail`.
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut out = self.genesis.to_vec();
        out.extend_from_slice(&self.tip.height.to_be_bytes());
        out.extend_from_slice(&self.tip.digest);
        out.extend_from_slice(&self.tip.time_ms.to_be_bytes());
        out.extend_from_slice(&self.tail.encode());
        out
    }

    fn decode(bytes: &[u8]) -> Option<(Hash, Self)> {
        let (genesis, rest) = bytes.split_first_chunk()?;
        let (height, rest) = rest.split_first_chunk()?;
        let (digest, rest) = rest.split_first_chunk()?;
        let (time_ms, rest) = rest.split_first_chunk()?;
        let tail = Tail::decode(rest)?;
        let (height, time_ms) = (u64::from_be_bytes(*height), u64::from_be_bytes(*time_ms));
        let tip = Tip { height, digest: *digest, time_ms, size: tail.size(), root: tail.root() };
        Some((*genesis, Self { genesis: *genesis, tip, tail }))
    }
}
