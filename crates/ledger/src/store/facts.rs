//! The store as the rules see it.

use std::path::Path;
use std::sync::Arc;

use super::disk::Disk;
use super::index::{Row, Value};
use super::{Changes, Reader, Store, StoreError};
use crate::block::Block;
use crate::chain::Tip;
use crate::entry::{Entry, TxId};
use crate::member::{Genesis, Registry};
use crate::rules::{self, Effects, Facts, FactsError, TX, Tx};

const _: () = assert!(TX == size_of::<Value>());

impl Store {
    /// Opens the store of a ledger, or starts one.
    pub fn open(folder: &Path, genesis: &Genesis) -> Result<Self, StoreError> {
        Self::open_at_least(folder, genesis, None)
    }

    /// The same; `at_least` is a height that is known to have been final here, kept in another place: a
    /// copy from before is refused.
    pub fn open_at_least(
        folder: &Path,
        genesis: &Genesis,
        at_least: Option<u64>,
    ) -> Result<Self, StoreError> {
        let disk = Disk::open(folder)?;
        let registry = Arc::new(genesis.registry());
        Self::begin(disk, genesis.digest(), registry, Box::new(apply), due_of, at_least)
    }

    /// Appends a final block and what the rules say it changes; durable when this returns. A block that
    /// is there already is taken again without effect. After a failure the same call may be repeated.
    pub fn append(&mut self, block: &Block, effects: &Effects) -> Result<Tip, StoreError> {
        self.append_changes(block, Changes::from(effects))
    }
}

impl Reader {
    /// What is recorded of an exchange.
    pub fn find(&self, txid: TxId) -> Result<Option<Tx>, StoreError> {
        let row = self.row(&txid)?;
        row.map(|row| Tx::decode(&row)).map_or(Ok(None), |tx| {
            tx.ok_or_else(|| StoreError::Damaged("a row of the index does not read".into()))
                .map(Some)
        })
    }
}

impl Facts for Reader {
    fn tx(&self, txid: TxId) -> Result<Option<Tx>, FactsError> {
        self.find(txid).map_err(|e| FactsError(e.to_string()))
    }

    fn due(&self, height: u64, limit: usize) -> Result<Vec<TxId>, FactsError> {
        self.shared.index.due(height, limit).map_err(|e| FactsError(e.to_string()))
    }

    fn registry(&self) -> Arc<Registry> {
        self.shared.index.registry().unwrap_or_else(|| self.shared.registry.clone())
    }
}

impl From<&Effects> for Changes {
    fn from(effects: &Effects) -> Self {
        let row =
            |(key, tx): &(TxId, Tx)| Row { key: *key, value: tx.encode(), due: tx.due_from() };
        Self { rows: effects.txs.iter().map(row).collect(), registry: effects.registry.clone() }
    }
}

/// What the rules say once more of a block that was final.
fn apply(facts: &Reader, block: &Block) -> Result<Changes, String> {
    let (height, first) = (block.header().height, block.first());
    let entries: Result<Vec<_>, _> = block.shared_entries().map(Entry::decode_shared).collect();
    let entries = entries.map_err(|e| e.to_string())?;
    let effects = rules::apply(facts, height, first, &entries).map_err(|e| e.to_string())?;
    Ok(Changes::from(&effects))
}

fn due_of(value: &Value) -> Option<u64> {
    Tx::decode(value)?.due_from()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Edge;
    use crate::block::Header;
    use crate::fixtures::shared::Shared;
    use crate::rules::State;
    use crate::tree::leaf_hash;

    /// A half that becomes open and is closed late, under the rules and through restarts without an index.
    #[test]
    fn an_exchange_is_the_same_after_its_index_was_made_anew() {
        let (folder, shared) = (tempfile::tempdir().unwrap(), Shared::fast());
        let mut store = Store::open(folder.path(), &shared.genesis).unwrap();
        let mut edge = Edge::default();
        let parties = ("ES", "DK");
        let mut blocks =
            vec![vec![shared.whole([1; 16], "IT", "DK"), shared.answered([2; 16], parties, 8)]];
        blocks.extend((0..7).map(|_| Vec::new()));
        blocks.push(vec![Entry::open([2; 16])]);
        blocks.push(vec![shared.close([2; 16], "ES", "DK")]);
        for (height, entries) in (1..).zip(&blocks) {
            let reader = store.reader();
            let waits = if height == 9 { vec![[2; 16]] } else { Vec::new() };
            assert_eq!(reader.due(height, 5).unwrap(), waits, "{height}");
            let first = edge.size();
            let effects = rules::apply(&reader, height, first, entries).unwrap();
            let entries: Vec<_> = entries.iter().map(|entry| entry.encode().to_vec()).collect();
            entries.iter().for_each(|entry| edge.push(leaf_hash(entry)));
            let (tree_size, root) = (edge.size(), edge.root());
            let parent = store.tip().digest;
            let header = Header { parent, height, time_ms: height, tree_size, root };
            store.append(&Block::new(header, &entries), &effects).unwrap();
            let before = reader.find([2; 16]).unwrap();
            drop((store, reader));
            std::fs::remove_dir_all(folder.path().join("index")).unwrap();
            store = Store::open_at_least(folder.path(), &shared.genesis, Some(height)).unwrap();
            assert_eq!(store.reader().find([2; 16]).unwrap(), before, "{height}");
            assert_eq!(Facts::registry(&store.reader()), shared.registry());
        }
        let reader = store.reader();
        let state = |txid| reader.find(txid).unwrap().map(|tx| tx.state());
        assert_eq!(state([1; 16]), Some(State::Whole));
        assert_eq!(state([2; 16]), Some(State::ClosedLate));
        assert_eq!(state([3; 16]), None);
    }
}
