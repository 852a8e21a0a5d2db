//! A journal in memory, for tests: everything is "durable" at once, and nothing survives.

use std::collections::BTreeMap;
use std::future::ready;
use std::sync::{Mutex, PoisonError};

use exchange::{Country, Side, TransactionId};
use jiff::Timestamp;

use super::{Durable, Journal, Outcome, Row, State, Step};

/// The double.
#[derive(Default)]
pub struct Memory(Mutex<Inner>);

#[derive(Default)]
struct Inner {
    rows: Vec<Row>,
    replays: BTreeMap<[u8; 32], Timestamp>,
}

impl Memory {
    fn with<T: Send + 'static>(&self, work: impl FnOnce(&mut Inner) -> T) -> Durable<'_, T> {
        let mut inner = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Box::pin(ready(Ok(work(&mut inner))))
    }
}

impl Inner {
    /// A settled row never goes back.
    fn put(&mut self, row: Row) {
        match self.rows.iter_mut().find(|old| (old.txid, old.side) == (row.txid, row.side)) {
            None => self.rows.push(Row { index: None, ..row }),
            Some(old) if old.state == State::Settled => {}
            Some(old) => *old = Row { index: None, at: old.at, ..row },
        }
    }

    fn sequence(&mut self, from: u64, limit: usize) -> Vec<(u64, Vec<u8>)> {
        let next = self.rows.iter().filter_map(|row| row.index).max().map_or(0, |last| last + 1);
        let waiting =
            self.rows.iter_mut().filter(|row| row.state == State::Settled && row.index.is_none());
        for (row, index) in waiting.take(limit).zip(next..) {
            row.index = Some(index);
        }
        let placed = self.rows.iter().filter_map(|row| Some((row.index?, row.statement.clone())));
        let mut leaves: Vec<_> = placed.filter(|(index, _)| *index >= from).collect();
        leaves.sort_by_key(|(index, _)| *index);
        leaves.truncate(limit);
        leaves
    }
}

impl Journal for Memory {
    fn commit(&self, step: Step) -> Durable<'_, Outcome> {
        self.with(|inner| {
            if let Some(key) = step.replay {
                let known = |row: &Row| {
                    inner.rows.iter().any(|old| (old.txid, old.side) == (row.txid, row.side))
                };
                if inner.replays.contains_key(&key.digest) || step.rows.iter().any(known) {
                    return Outcome::Replayed;
                }
                inner.replays.insert(key.digest, key.expires);
            }
            step.rows.into_iter().for_each(|row| inner.put(row));
            Outcome::Recorded
        })
    }

    fn row(&self, txid: TransactionId, side: Side) -> Durable<'_, Option<Row>> {
        self.with(|inner| {
            inner.rows.iter().find(|row| (row.txid, row.side) == (txid, side)).cloned()
        })
    }

    fn sequence(&self, from: u64, limit: usize) -> Durable<'_, Vec<(u64, Vec<u8>)>> {
        self.with(|inner| inner.sequence(from, limit))
    }

    fn undelivered(&self, country: Country, limit: usize) -> Durable<'_, Vec<Row>> {
        self.with(|inner| {
            inner
                .rows
                .iter()
                .filter(|row| row.undelivered && row.provider == country)
                .take(limit)
                .cloned()
                .collect()
        })
    }

    fn delivered(&self, txids: Vec<TransactionId>) -> Durable<'_, ()> {
        self.with(|inner| {
            let ours = inner
                .rows
                .iter_mut()
                .filter(|row| row.side == Side::B && txids.contains(&row.txid));
            ours.for_each(|row| row.undelivered = false);
        })
    }

    fn newest(&self, limit: usize) -> Durable<'_, Vec<Row>> {
        self.with(|inner| inner.rows.iter().rev().take(limit).cloned().collect())
    }

    fn forget_replays(&self, now: Timestamp) -> Durable<'_, usize> {
        self.with(|inner| {
            let before = inner.replays.len();
            inner.replays.retain(|_, expires| *expires >= now);
            before - inner.replays.len()
        })
    }
}
