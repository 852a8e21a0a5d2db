//! What the ledger knows after blocks that are not final: their effects over what is durable.

use std::collections::HashMap;
use std::sync::Arc;

use crate::entry::TxId;
use crate::member::Registry;
use crate::rules::{Effects, Facts, FactsError, Tx};
use crate::store::Reader;

/// The effects of one block.
pub(super) struct Layer {
    txs: HashMap<TxId, Tx>,
    registry: Option<Arc<Registry>>,
}

impl Layer {
    pub(super) fn of(effects: &Effects) -> Self {
        Self { txs: effects.txs.iter().copied().collect(), registry: effects.registry.clone() }
    }
}

/// Layers over what is durable, the newest first. While they are asked, a block below them may become
/// durable: then both say the same.
pub(super) struct Layers {
    base: Reader,
    layers: Vec<Arc<Layer>>,
}

impl Layers {
    pub(super) fn new(base: Reader, layers: Vec<Arc<Layer>>) -> Self {
        Self { base, layers }
    }
}

impl Facts for Layers {
    fn tx(&self, txid: TxId) -> Result<Option<Tx>, FactsError> {
        match self.layers.iter().find_map(|layer| layer.txs.get(&txid)) {
            Some(tx) => Ok(Some(*tx)),
            None => self.base.tx(txid),
        }
    }

    fn due(&self, height: u64, limit: usize) -> Result<Vec<TxId>, FactsError> {
        let is_due = |tx: &Tx| tx.due_from().is_some_and(|from| from <= height);
        let mut all = self.base.due(height, limit)?;
        let newer = self.layers.iter().flat_map(|layer| layer.txs.iter());
        all.extend(newer.filter(|(_, tx)| is_due(tx)).map(|(txid, _)| *txid));
        all.sort_unstable();
        all.dedup();
        let mut due = Vec::new();
        for txid in all {
            if due.len() < limit && self.tx(txid)?.as_ref().is_some_and(is_due) {
                due.push(txid);
            }
        }
        Ok(due)
    }

    fn registry(&self) -> Arc<Registry> {
        let newest = self.layers.iter().find_map(|layer| layer.registry.clone());
        newest.unwrap_or_else(|| self.base.registry())
    }
}
