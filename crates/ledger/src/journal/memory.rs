//! A journal in memory, for tests: everything is "durable" at once, and nothing survives.

use std::collections::{BTreeMap, BTreeSet};
use std::future::ready;
use std::sync::{Mutex, PoisonError};

use exchange::{Country, Side, TransactionId};
use jiff::Timestamp;

use super::{Durable, Erase, Journal, Outcome, PatientKey, Patients, Row, State, Step, Waiting};
use crate::sealed::{ERASED, Sealed};

/// The double.
#[derive(Default)]
pub struct Memory(Mutex<Inner>);

#[derive(Default)]
struct Inner {
    rows: Vec<Row>,
    /// Halves that were logged before their rows were settled.
    superseded: BTreeMap<u64, Vec<u8>>,
    /// Receipts that their country refused.
    refused: BTreeSet<TransactionId>,
    replays: BTreeMap<[u8; 32], Timestamp>,
    /// Keys of patients; `None` of one who was erased.
    patients: Vec<Option<PatientKey>>,
    /// Something was erased, and not scrubbed yet.
    erasing: bool,
}

impl Memory {
    fn with<T: Send + 'static>(&self, work: impl FnOnce(&mut Inner) -> T) -> Durable<'_, T> {
        let mut inner = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Box::pin(ready(Ok(work(&mut inner))))
    }
}

impl Inner {
    fn found(&self, row: &Row) -> Option<&Row> {
        self.rows.iter().find(|old| (old.txid, old.side) == (row.txid, row.side))
    }

    fn put(&mut self, row: Row) {
        match self.rows.iter_mut().find(|old| (old.txid, old.side) == (row.txid, row.side)) {
            None => self.rows.push(Row { index: None, ..row }),
            Some(old) if row.follows(old) => {
                if let Some(index) = old.index {
                    self.superseded.insert(index, std::mem::take(&mut old.statement));
                }
                let kept = &old.secrets;
                let secrets = if kept.is_erased() {
                    Sealed::default()
                } else {
                    Sealed { answered: row.secrets.answered, ..kept.clone() }
                };
                *old = Row { index: None, at: old.at, secrets, ..row };
            }
            Some(_) => {}
        }
    }

    fn patient(&self, number: i64) -> Option<&PatientKey> {
        let place = usize::try_from(number).ok()?.checked_sub(1)?;
        self.patients.get(place)?.as_ref()
    }

    /// Whether the row would be new, about a patient without a key.
    fn orphan(&self, row: &Row) -> bool {
        let number = row.secrets.patient;
        self.found(row).is_none() && number != ERASED && self.patient(number).is_none()
    }

    /// Places given so far.
    fn places(&self) -> u64 {
        let placed = self.rows.iter().filter_map(|row| row.index);
        placed.chain(self.superseded.keys().copied()).max().map_or(0, |last| last + 1)
    }

    fn sequence(&mut self, from: u64, limit: usize) -> Vec<(u64, Vec<u8>)> {
        let next = self.places();
        let waiting = self
            .rows
            .iter_mut()
            .filter(|row| matches!(row.state, State::Half | State::Settled) && row.index.is_none());
        for (row, index) in waiting.take(limit).zip(next..) {
            row.index = Some(index);
        }
        let placed = self.rows.iter().filter_map(|row| Some((row.index?, row.statement.clone())));
        let superseded = self.superseded.iter().map(|(index, leaf)| (*index, leaf.clone()));
        let mut leaves: Vec<_> =
            placed.chain(superseded).filter(|(index, _)| *index >= from).collect();
        leaves.sort_by_key(|(index, _)| *index);
        leaves.truncate(limit);
        leaves
    }
}

impl Journal for Memory {
    fn commit(&self, step: Step) -> Durable<'_, Outcome> {
        self.with(|inner| {
            if step.replay.is_some_and(|key| inner.replays.contains_key(&key.digest)) {
                return Outcome::Replayed;
            }
            if step.rows.iter().any(|row| inner.found(row).is_some_and(|old| !row.follows(old))) {
                return Outcome::Taken;
            }
            if step.rows.iter().any(|row| inner.orphan(row)) {
                return Outcome::Erased;
            }
            inner.replays.extend(step.replay.map(|key| (key.digest, key.expires)));
            step.rows.into_iter().for_each(|row| inner.put(row));
            Outcome::Recorded
        })
    }

    fn row(&self, txid: TransactionId, side: Side) -> Durable<'_, Option<Row>> {
        self.with(|inner| {
            inner.rows.iter().find(|row| (row.txid, row.side) == (txid, side)).cloned()
        })
    }

    fn rows(&self, txids: Vec<TransactionId>, side: Side) -> Durable<'_, Vec<Row>> {
        self.with(|inner| {
            let asked = |row: &&Row| row.side == side && txids.contains(&row.txid);
            inner.rows.iter().filter(asked).cloned().collect()
        })
    }

    fn sequence(&self, from: u64, limit: usize) -> Durable<'_, Vec<(u64, Vec<u8>)>> {
        self.with(|inner| inner.sequence(from, limit))
    }

    fn overdue(&self, before: Timestamp, limit: usize) -> Durable<'_, Vec<Row>> {
        self.with(|inner| {
            let open = |row: &&Row| matches!(row.state, State::Asked | State::Answered);
            let late = inner.rows.iter().filter(open).filter(|row| row.at < before);
            let mut rows: Vec<_> = late.cloned().collect();
            rows.sort_by_key(|row| row.at);
            rows.truncate(limit);
            rows
        })
    }

    fn waiting(&self, most: usize) -> Durable<'_, Waiting> {
        self.with(move |inner| {
            let ended = |row: &Row| matches!(row.state, State::Half | State::Settled);
            let count = |holds: &dyn Fn(&Row) -> bool| {
                inner.rows.iter().filter(|row| holds(row)).take(most).count() as u64
            };
            Waiting {
                open: count(&|row| !ended(row)),
                unplaced: count(&|row| ended(row) && row.index.is_none()),
                places: inner.places(),
            }
        })
    }

    fn undelivered(&self, country: Country, limit: usize) -> Durable<'_, Vec<Row>> {
        self.with(|inner| {
            inner
                .rows
                .iter()
                .filter(|row| row.undelivered && row.provider == country)
                .filter(|row| !inner.refused.contains(&row.txid))
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

    fn refused(&self, txids: Vec<TransactionId>) -> Durable<'_, ()> {
        self.with(|inner| inner.refused.extend(txids))
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

impl Patients for Memory {
    fn patient_named(&self, pseudonym: [u8; 32]) -> Durable<'_, Option<PatientKey>> {
        self.with(|inner| {
            inner.patients.iter().flatten().find(|key| key.pseudonym == pseudonym).cloned()
        })
    }

    fn patient(&self, number: i64) -> Durable<'_, Option<PatientKey>> {
        self.with(|inner| inner.patient(number).cloned())
    }

    fn keep_patient(&self, pseudonym: [u8; 32], sealed: Vec<u8>) -> Durable<'_, PatientKey> {
        self.with(|inner| {
            let known = inner.patients.iter().flatten().find(|key| key.pseudonym == pseudonym);
            if let Some(known) = known {
                return known.clone();
            }
            let number = i64::try_from(inner.patients.len()).unwrap_or(i64::MAX) + 1;
            let key = PatientKey { number, pseudonym, sealed };
            inner.patients.push(Some(key.clone()));
            key
        })
    }

    fn about(
        &self,
        number: i64,
        after: Option<(TransactionId, Side)>,
        limit: usize,
    ) -> Durable<'_, Vec<Row>> {
        self.with(|inner| {
            let all = inner.rows.iter().filter(|row| row.secrets.patient == number);
            let behind = all.skip_while(|row| after.is_some_and(|at| at != (row.txid, row.side)));
            behind.skip(usize::from(after.is_some())).take(limit).cloned().collect()
        })
    }

    fn erase(&self, what: Erase) -> Durable<'_, bool> {
        self.with(|inner| {
            let erased = match what {
                Erase::Exchange(txid, side) => {
                    let found = |row: &&mut Row| (row.txid, row.side) == (txid, side);
                    let row = inner.rows.iter_mut().find(found);
                    let row = row.filter(|row| !row.secrets.is_erased());
                    row.map(|row| row.secrets = Sealed::default()).is_some()
                }
                Erase::Patient(number) => {
                    let erased = inner.patient(number).is_some();
                    if let Some(place) = usize::try_from(number).ok().and_then(|n| n.checked_sub(1))
                        && erased
                    {
                        inner.patients[place] = None;
                    }
                    erased
                }
            };
            inner.erasing |= erased;
            erased
        })
    }

    fn sweep(&self, limit: usize) -> Durable<'_, usize> {
        self.with(|inner| {
            let alive: BTreeSet<i64> =
                inner.patients.iter().flatten().map(|key| key.number).collect();
            let dead = inner
                .rows
                .iter_mut()
                .filter(|row| !row.secrets.is_erased() && !alive.contains(&row.secrets.patient));
            dead.take(limit).map(|row| row.secrets = Sealed::default()).count()
        })
    }

    fn is_erasing(&self) -> Durable<'_, bool> {
        self.with(|inner| inner.erasing)
    }

    fn scrub(&self) -> Durable<'_, bool> {
        self.with(|inner| {
            inner.erasing = false;
            true
        })
    }
}
