//! Entries that wait for a block.
//!
//! Bounded twice: what this country submits is told [`Taken::Busy`] when the line is full, and what
//! other members send can never take more than its own share of the room, so that no member can keep
//! another's entries out. Each entry is here once, by its digest, until it is final.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use ledger::block::MAX_ENTRY;
use ledger::order::Taken;
use ledger::tree::leaf_hash;
use tokio::sync::Notify;

use crate::Hash;

/// How much waits at most.
#[derive(Debug, Clone, Copy)]
pub struct Room {
    /// Bytes that this country submitted.
    pub own: usize,
    /// Bytes that each other member sent.
    pub each: usize,
}

impl Default for Room {
    fn default() -> Self {
        Self { own: 64 << 20, each: 16 << 20 }
    }
}

/// The line.
pub(crate) struct Pool {
    state: Mutex<State>,
    room: Room,
    changed: Notify,
}

#[derive(Default)]
struct State {
    entries: HashMap<Hash, Waiting>,
    /// Own entries before others', the oldest first: what another member floods us with takes no room
    /// from ours in a block of ours, and what a third sends waits for that member's turn at worst.
    line: BTreeMap<Place, Hash>,
    next: u64,
    /// Own entries that no leader was sent yet.
    fresh: VecDeque<Hash>,
    held: HashMap<Origin, usize>,
    /// When no own entry was due to be sent again.
    scanned: u64,
}

/// Who brought an entry: this country, or the member with that consensus key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Origin {
    Own,
    Peer([u8; 32]),
}

/// Whether it is another member's, and when it came.
type Place = (bool, u64);

struct Waiting {
    bytes: Bytes,
    origin: Origin,
    place: Place,
    /// Milliseconds of the engine's clock.
    since: u64,
    sent: u64,
}

impl Pool {
    pub(crate) fn new(room: Room) -> Self {
        Self { state: Mutex::default(), room, changed: Notify::new() }
    }

    /// Puts one entry in line.
    pub(crate) fn put(&self, bytes: Vec<u8>, origin: Origin, now: u64) -> Taken {
        if bytes.is_empty() || bytes.len() > MAX_ENTRY {
            return Taken::Refused;
        }
        let digest = leaf_hash(&bytes);
        let mut state = self.state();
        // ours, although a peer brought it first: then it has to be sent again until it is final
        if state
            .entries
            .get(&digest)
            .is_some_and(|known| origin != known.origin && origin == Origin::Own)
        {
            state.remove(&digest);
        }
        if state.entries.contains_key(&digest) {
            return Taken::Waits;
        }
        let room = if origin == Origin::Own { self.room.own } else { self.room.each };
        let held = state.held.entry(origin).or_default();
        if *held + bytes.len() > room {
            return Taken::Busy;
        }
        *held += bytes.len();
        let place = (origin != Origin::Own, state.next);
        state.next += 1;
        state.line.insert(place, digest);
        if origin == Origin::Own {
            state.fresh.push_back(digest);
        }
        let bytes = bytes.into();
        state.entries.insert(digest, Waiting { bytes, origin, place, since: now, sent: 0 });
        drop(state);
        self.changed.notify_waiters();
        Taken::Waits
    }

    /// Entries that are not in `taken`, own ones first, up to that many bytes.
    pub(crate) fn candidates(&self, taken: &HashSet<Hash>, most: usize) -> Vec<Bytes> {
        let state = self.state();
        let (mut out, mut bytes) = (Vec::new(), 0);
        for digest in state.line.values() {
            let Some(waiting) = state.entries.get(digest) else { continue };
            if taken.contains(digest) {
                continue;
            }
            bytes += waiting.bytes.len();
            if bytes > most {
                break;
            }
            out.push(waiting.bytes.clone());
        }
        out
    }

    /// Forgets the entries of these digests: they are final, or can never be.
    pub(crate) fn forget<'d>(&self, digests: impl IntoIterator<Item = &'d Hash>) {
        let mut state = self.state();
        digests.into_iter().for_each(|digest| state.remove(digest));
    }

    /// Own entries to send to the next leaders: new ones, and those sent before `resend`.
    pub(crate) fn to_send(&self, now: u64, resend: u64, most: usize) -> Vec<Bytes> {
        let mut state = self.state();
        let (mut out, mut bytes) = (Vec::new(), 0);
        while bytes < most {
            let Some(digest) = state.fresh.pop_front() else { break };
            if let Some(waiting) = state.entries.get_mut(&digest) {
                waiting.sent = now;
                bytes += waiting.bytes.len();
                out.push(waiting.bytes.clone());
            }
        }
        // thousands wait in a full line: once nothing in it is due, it is left alone for a moment
        if bytes < most && now > resend && now.abs_diff(state.scanned) >= resend / 64 {
            let line: Vec<Hash> = state.line.values().take(SCAN).copied().collect();
            let mut all = true;
            for digest in line {
                let Some(waiting) = state.entries.get_mut(&digest) else { continue };
                if waiting.origin != Origin::Own || waiting.sent == 0 || waiting.sent > now - resend
                {
                    continue;
                }
                bytes += waiting.bytes.len();
                if bytes > most {
                    all = false;
                    break;
                }
                waiting.sent = now;
                out.push(waiting.bytes.clone());
            }
            if all {
                state.scanned = now;
            }
        }
        out
    }

    /// Bytes that this country submitted and that wait.
    pub(crate) fn own_bytes(&self) -> usize {
        self.state().held.get(&Origin::Own).copied().unwrap_or_default()
    }

    /// Drops what other members sent before that time: they send it again while they want it.
    pub(crate) fn expire(&self, before: u64) {
        let mut state = self.state();
        let old: Vec<Hash> = state
            .entries
            .iter()
            .filter(|(_, waiting)| waiting.origin != Origin::Own && waiting.since < before)
            .map(|(digest, _)| *digest)
            .collect();
        for digest in &old {
            state.remove(digest);
        }
    }

    /// Resolves when something was put in line after this was called and first polled.
    pub(crate) fn changed(&self) -> tokio::sync::futures::Notified<'_> {
        self.changed.notified()
    }

    /// Entries in line.
    pub(crate) fn waiting(&self) -> usize {
        self.state().entries.len()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn remove(&mut self, digest: &Hash) {
        let Some(waiting) = self.entries.remove(digest) else { return };
        self.line.remove(&waiting.place);
        if let Some(held) = self.held.get_mut(&waiting.origin) {
            *held -= waiting.bytes.len();
        }
    }
}

/// Entries looked at for sending again, the oldest first.
const SCAN: usize = 4096;

#[cfg(test)]
mod tests {
    use super::*;

    const PEER: Origin = Origin::Peer([9; 32]);

    fn pool() -> Pool {
        Pool::new(Room { own: 100, each: 10 })
    }

    fn all(pool: &Pool) -> Vec<Bytes> {
        pool.candidates(&HashSet::new(), usize::MAX)
    }

    #[test]
    fn each_entry_waits_once_and_in_order() {
        let pool = pool();
        assert_eq!(pool.put(b"one".to_vec(), Origin::Own, 0), Taken::Waits);
        assert_eq!(pool.put(b"two".to_vec(), PEER, 0), Taken::Waits);
        assert_eq!(pool.put(b"one".to_vec(), PEER, 0), Taken::Waits);
        assert_eq!(all(&pool), [b"one".to_vec(), b"two".to_vec()]);
        pool.put(b"ours".to_vec(), Origin::Own, 0);
        assert_eq!(all(&pool), [b"one".to_vec(), b"ours".to_vec(), b"two".to_vec()]);
        pool.forget(&[leaf_hash(b"ours")]);
        assert_eq!(pool.candidates(&HashSet::new(), 3), [b"one".to_vec()]);
        let taken = HashSet::from([leaf_hash(b"one")]);
        assert_eq!(pool.candidates(&taken, 100), [b"two".to_vec()]);
        pool.forget(&[leaf_hash(b"one")]);
        assert_eq!(all(&pool), [b"two".to_vec()]);
        pool.put(b"one".to_vec(), PEER, 0);
        assert_eq!(all(&pool), [b"two".to_vec(), b"one".to_vec()], "once, at the end");
    }

    #[test]
    fn no_member_takes_anothers_room() {
        let pool = pool();
        assert_eq!(pool.put(vec![1; 10], PEER, 0), Taken::Waits);
        assert_eq!(pool.put(vec![2; 1], PEER, 0), Taken::Busy);
        assert_eq!(pool.put(vec![2; 1], Origin::Peer([8; 32]), 0), Taken::Waits);
        assert_eq!(pool.put(vec![3; 100], Origin::Own, 0), Taken::Waits);
        assert_eq!(pool.put(vec![4; 1], Origin::Own, 0), Taken::Busy);
        pool.expire(1);
        assert_eq!(pool.waiting(), 1, "what peers sent goes, what is ours stays");
        assert_eq!(pool.put(vec![1; 10], PEER, 0), Taken::Waits);
    }

    #[test]
    fn neither_nothing_nor_too_much_is_an_entry() {
        let pool = Pool::new(Room { own: usize::MAX, each: usize::MAX });
        assert_eq!(pool.put(Vec::new(), Origin::Own, 0), Taken::Refused);
        assert_eq!(pool.put(vec![0; MAX_ENTRY + 1], PEER, 0), Taken::Refused);
        assert_eq!(pool.put(vec![0; MAX_ENTRY], PEER, 0), Taken::Waits);
    }

    #[test]
    fn own_entries_are_sent_at_once_and_again_until_they_are_final() {
        let pool = pool();
        pool.put(b"peers".to_vec(), PEER, 10);
        pool.put(b"one".to_vec(), Origin::Own, 10);
        assert_eq!(pool.to_send(10, 50, 100), [b"one".to_vec()]);
        assert!(pool.to_send(59, 50, 100).is_empty());
        assert_eq!(pool.to_send(60, 50, 100), [b"one".to_vec()]);
        pool.forget(&[leaf_hash(b"one")]);
        assert!(pool.to_send(200, 50, 100).is_empty());
    }

    #[test]
    fn what_a_peer_brought_first_is_still_ours_to_send() {
        let pool = pool();
        pool.put(b"one".to_vec(), PEER, 0);
        assert_eq!(pool.put(b"one".to_vec(), Origin::Own, 1), Taken::Waits);
        assert_eq!(pool.to_send(2, 50, 100), [b"one".to_vec()]);
        assert_eq!(all(&pool), [b"one".to_vec()]);
    }
}
