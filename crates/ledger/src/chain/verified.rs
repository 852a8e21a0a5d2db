//! Signatures that were verified here are not verified again: an entry is looked at when it is put in
//! line, when it is proposed and when a block with it comes.

use std::collections::{HashSet, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::entry::Entry;
use crate::member::Registry;
use crate::rules::{Reason, verify_signatures};
use crate::tree::Hash;

/// Leaf hashes of entries whose signatures were good under one roll of members.
#[derive(Default)]
pub(super) struct Verified {
    /// The first height of the roll.
    roll: u64,
    known: HashSet<Hash>,
    order: VecDeque<Hash>,
}

impl Verified {
    fn under(&mut self, roll: u64) -> &mut Self {
        if self.roll != roll {
            *self = Self { roll, ..Self::default() };
        }
        self
    }

    fn add(&mut self, digest: Hash) {
        if self.known.insert(digest) {
            self.order.push_back(digest);
        }
        if self.order.len() > MOST {
            let oldest = self.order.pop_front();
            oldest.map(|oldest| self.known.remove(&oldest));
        }
    }
}

/// Verifies the entries that were not verified before, and remembers the good ones. Whether the signers
/// may sign at this height is [`crate::rules::apply`]'s part, each time.
pub(super) fn verify(
    verified: &Mutex<Verified>,
    registry: &Registry,
    height: u64,
    entries: &[&Entry],
    leaves: &[Hash],
) -> Vec<Result<(), Reason>> {
    let roll = registry.at(height).from();
    let fresh: Vec<usize> = {
        let mut verified = lock(verified);
        let known = &verified.under(roll).known;
        (0..entries.len()).filter(|at| !known.contains(&leaves[*at])).collect()
    };
    let mut verdicts = vec![Ok(()); entries.len()];
    let asked: Vec<&Entry> = fresh.iter().map(|at| entries[*at]).collect();
    let found = side_by_side(registry, height, &asked);
    let mut verified = lock(verified);
    for (at, verdict) in fresh.into_iter().zip(found) {
        if verdict.is_ok() {
            verified.under(roll).add(leaves[at]);
        }
        verdicts[at] = verdict;
    }
    verdicts
}

/// Many at once go to several threads: a leader verifies its block while the others wait for it.
fn side_by_side(registry: &Registry, height: u64, asked: &[&Entry]) -> Vec<Result<(), Reason>> {
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let each = asked.len().div_ceil(threads).max(FEWEST);
    if asked.len() <= each {
        return verify_signatures(registry, height, asked);
    }
    std::thread::scope(|scope| {
        let parts = asked.chunks(each);
        let parts =
            parts.map(|part| scope.spawn(move || verify_signatures(registry, height, part)));
        let parts: Vec<_> = parts.collect();
        let joined =
            parts.into_iter().flat_map(|part| part.join().expect("because it does not panic"));
        joined.collect()
    })
}

fn lock(verified: &Mutex<Verified>) -> MutexGuard<'_, Verified> {
    verified.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Entries for which a thread is worth starting; Ed25519 together costs less the more there are.
const FEWEST: usize = if cfg!(test) { 16 } else { 512 };
/// What several full blocks hold, 32 bytes each.
const MOST: usize = 64 * 1024;
