use proptest::prelude::*;

use super::super::*;
use super::worlds::{DEADLINE, LAST, offer_entry, one_in_each_state, one_of_each};
use super::{PARTIES, T, reason};
use crate::fixtures::shared::Shared;
use crate::line::Passed;

/// What follows: (state, entry, in time, after every deadline). A pair that is not here is refused at
/// any height. The states are those of `one_in_each_state`; an entry that is only refused in time or
/// only late has `None` there.
const ALLOWED: &[(&str, &str, Option<State>, Option<State>)] = &[
    ("nothing", "whole", Some(State::Whole), Some(State::Whole)),
    ("nothing", "provider's half", Some(State::Half), None),
    ("nothing", "requester's half", Some(State::Half), None),
    ("nothing", "half alone", Some(State::Alone), Some(State::Alone)),
    ("nothing", "offer", Some(State::Offered), None),
    ("half of the provider", "requester's half", Some(State::Half), None),
    ("half of the requester", "provider's half", Some(State::Half), None),
    ("half of the provider", "close", Some(State::Closed), Some(State::ClosedLate)),
    ("half of the requester", "close", Some(State::Closed), Some(State::ClosedLate)),
    ("halves of both", "close", Some(State::Closed), Some(State::ClosedLate)),
    ("half of the provider", "open", None, Some(State::Open)),
    ("half of the requester", "open", None, Some(State::Open)),
    ("halves of both", "open", None, Some(State::Open)),
    ("open", "close", Some(State::ClosedLate), Some(State::ClosedLate)),
    ("open", "requester's half", Some(State::Open), None),
    ("offered", "receipt", Some(State::Receipted), None),
    ("offered", "default", None, Some(State::Lapsed)),
    ("receipted", "key", Some(State::Released), Some(State::ReleasedLate)),
    ("receipted", "default", None, Some(State::Defaulted)),
    ("defaulted", "key", Some(State::ReleasedLate), Some(State::ReleasedLate)),
];

#[test]
fn every_entry_in_every_state_is_taken_or_refused_as_the_table_says() {
    let shared = Shared::fast();
    let offered = offer_entry(&shared, T);
    let (mut pairs, mut taken) = (0, 0);
    for (state, facts) in one_in_each_state(&shared, &offered) {
        for (name, entry) in one_of_each(&shared, &offered) {
            let row = ALLOWED.iter().find(|row| (row.0, row.1) == (state, name));
            let (in_time, late) = row.map_or((None, None), |row| (row.2, row.3));
            for (height, expected) in [(DEADLINE, in_time), (LAST + 5, late)] {
                let result = facts.clone().block(height, std::slice::from_ref(&entry));
                let to = result.as_ref().ok().map(|effects| effects.txs[0].1.state());
                assert_eq!(to, expected, "{state} + {name} at {height}: {result:?}");
                pairs += 1;
                taken += usize::from(to.is_some());
            }
        }
    }
    assert_eq!((pairs, taken), (280, 28));
}

#[test]
fn each_row_of_the_table_has_a_pair_that_shows_it() {
    let shared = Shared::fast();
    let offered = offer_entry(&shared, T);
    let mut seen = Vec::new();
    for (_, facts) in one_in_each_state(&shared, &offered) {
        for (_, entry) in one_of_each(&shared, &offered) {
            for height in [DEADLINE, LAST + 5] {
                let from = facts.txs.get(&T);
                if facts.clone().block(height, std::slice::from_ref(&entry)).is_ok() {
                    seen.push(*table::row_of(from, entry.body(), height).unwrap());
                }
            }
        }
    }
    for row in TABLE {
        assert!(seen.contains(row), "{row:?}");
    }
}

#[test]
fn a_deadline_lies_within_the_ledgers_bounds() {
    let shared = Shared::fast();
    for (deadline, good) in [(5, false), (14, false), (15, true), (60, true), (61, false)] {
        let half = shared.answered(T, PARTIES, deadline);
        let result = shared.facts().block(10, &[half]);
        assert_eq!(result.is_ok(), good, "{deadline}: {result:?}");
    }
    let far = shared.answered(T, PARTIES, u64::MAX);
    assert_eq!(reason(shared.facts().block(10, &[far])), Reason::Deadline);
}

#[test]
fn a_second_half_does_not_put_the_deadline_off() {
    let shared = Shared::fast();
    let mut facts = shared.facts();
    facts.block(1, &[shared.answered(T, PARTIES, 20)]).unwrap();
    facts.block(10, &[shared.unanswered(T, PARTIES, 60)]).unwrap();
    let tx = facts.txs[&T];
    assert_eq!((tx.deadline(), tx.due_from()), (20, Some(21)));
    assert_eq!(tx.index(Slot::Provider), Some(1000));
    assert_eq!(tx.index(Slot::Requester), Some(10_000));
    let again = shared.unanswered(T, PARTIES, 61);
    assert_eq!(reason(facts.block(11, &[again])), Reason::Side);
}

#[test]
fn one_number_stands_for_one_exchange_in_one_block_and_across_blocks() {
    let shared = Shared::fast();
    let whole = shared.whole(T, "ES", "DK");
    let other = shared.whole(T, "DK", "IT");
    for second in [&whole, &other, &shared.whole(T, "DK", "ES")] {
        let block = [whole.clone(), second.clone()];
        let refused = shared.facts().block(1, &block);
        assert!(matches!(refused, Err(Refusal::Entry { position: 1, .. })), "{refused:?}");
        let mut facts = shared.facts();
        facts.block(1, &block[..1]).unwrap();
        facts.block(2, &block[1..]).unwrap_err();
        facts.block(2, &[block[1].clone().padded(1024)]).unwrap_err();
    }
    // a half of one exchange is not closed by a record of another two countries
    let mut facts = shared.facts();
    facts.block(1, &[shared.answered(T, PARTIES, 20)]).unwrap();
    assert_eq!(reason(facts.block(2, &[shared.close(T, "IT", "DK")])), Reason::Parties);
    assert_eq!(reason(facts.block(2, &[shared.close(T, "DK", "ES")])), Reason::Parties);
    assert_eq!(reason(facts.block(2, &[shared.unanswered(T, ("IT", "DK"), 20)])), Reason::Parties);
}

#[test]
fn a_half_may_be_closed_in_its_own_block() {
    let shared = Shared::fast();
    let block = [shared.answered(T, PARTIES, 20), shared.close(T, "ES", "DK")];
    let effects = shared.facts().block(1, &block).unwrap();
    let [(_, tx)] = effects.txs[..] else { panic!("one exchange") };
    assert_eq!((tx.state(), tx.entries()), (State::Closed, vec![1000, 1001]));
}

#[test]
fn a_gateway_is_told_of_each_default_once_also_where_the_key_came_before_the_word_of_it() {
    let shared = Shared::fast();
    let offered = offer_entry(&shared, T);
    for (state, name, height, told) in [
        ("half of the provider", "open", LAST + 5, Some(Passed::Half)),
        ("half of the provider", "close", LAST + 5, None),
        ("offered", "default", LAST + 5, Some(Passed::Receipt)),
        ("receipted", "default", LAST + 5, Some(Passed::Key)),
        ("receipted", "key", LAST + 5, Some(Passed::Key)),
        ("receipted", "key", DEADLINE, None),
        ("defaulted", "key", LAST + 5, None),
    ] {
        let mut worlds = one_in_each_state(&shared, &offered).into_iter();
        let (_, mut facts) = worlds.find(|world| world.0 == state).expect(state);
        let mut entries = one_of_each(&shared, &offered).into_iter();
        let (_, entry) = entries.find(|entry| entry.0 == name).expect(name);
        let effects = facts.block(height, std::slice::from_ref(&entry)).expect(name);
        assert_eq!(
            Passed::of(entry.kind(), &effects.txs[0].1),
            told,
            "{state} + {name} at {height}"
        );
    }
}

#[test]
fn what_is_due_is_said_once_and_then_no_longer_due() {
    let shared = Shared::fast();
    let offered = offer_entry(&shared, T);
    for (name, mut facts) in one_in_each_state(&shared, &offered) {
        let late = LAST + 5;
        for txid in facts.due(late, 9).unwrap() {
            let said = lapse(txid, &facts.txs[&txid], late).expect(name);
            assert!(lapse(txid, &facts.txs[&txid], 2).is_none(), "{name}: not before");
            facts.block(late, &[said]).expect(name);
        }
        assert!(facts.due(u64::MAX, 9).unwrap().is_empty(), "{name}");
        assert!(facts.txs.get(&T).is_none_or(|tx| lapse(T, tx, u64::MAX).is_none()), "{name}");
    }
}

#[test]
fn a_record_of_an_exchange_has_one_encoding() {
    let shared = Shared::fast();
    let offered = offer_entry(&shared, T);
    for (name, facts) in one_in_each_state(&shared, &offered) {
        let Some(tx) = facts.txs.get(&T) else { continue };
        let bytes = tx.encode();
        assert_eq!(Tx::decode(&bytes), Some(*tx), "{name}");
        for at in 0..TX {
            let mut other = bytes;
            other[at] ^= 1;
            assert_ne!(Tx::decode(&other), Some(*tx), "{name}, byte {at}");
            assert!(Tx::decode(&other).is_none_or(|tx| tx.encode() == other), "{name}, byte {at}");
        }
        assert!(Tx::decode(&bytes[1..]).is_none());
    }
}

proptest! {
    #[test]
    fn foreign_records_have_one_reading(bytes in proptest::collection::vec(any::<u8>(), TX), state in 0..22u8) {
        let bytes = [&[state], &bytes[1..]].concat();
        if let Some(tx) = Tx::decode(&bytes) {
            prop_assert_eq!(&tx.encode()[..], &bytes[..]);
        }
    }

    /// Entries of different exchanges in any order, in one block or in several, lead to the same.
    #[test]
    fn the_order_of_independent_entries_does_not_matter(
        kinds in proptest::collection::vec(0..3u8, 1..12), turn in any::<usize>(), cut in any::<usize>(),
    ) {
        let shared = &*FAST;
        let entries: Vec<Entry> = (0u8..).zip(&kinds).map(|(n, kind)| match kind {
            0 => shared.whole([n; 16], "ES", "DK"),
            1 => shared.answered([n; 16], ("IT", "ES"), 30),
            _ => shared.unanswered([n; 16], ("DK", "EU"), 40),
        }).collect();
        let mut turned = entries.clone();
        turned.rotate_left(turn % entries.len());
        turned.reverse();
        let states = |effects: &Effects| -> Vec<_> {
            effects.txs.iter().map(|(txid, tx)| (*txid, tx.state(), tx.deadline(), tx.parties())).collect()
        };
        let facts = shared.facts();
        let one = apply(&facts, 10, 0, &entries).unwrap();
        prop_assert_eq!(&one, &apply(&facts, 10, 0, &entries).unwrap(), "the same twice");
        prop_assert_eq!(states(&one), states(&apply(&facts, 10, 0, &turned).unwrap()));
        // layered: two blocks, the second over what the first changed
        let cut = cut % entries.len();
        let mut layered = facts.clone();
        layered.block(10, &entries[..cut]).unwrap();
        layered.block(10, &entries[cut..]).unwrap();
        let all: Vec<_> = layered.txs.iter().map(|(txid, tx)| (*txid, tx.state(), tx.deadline(), tx.parties())).collect();
        prop_assert_eq!(states(&one), all);
    }
}

static FAST: std::sync::LazyLock<Shared> = std::sync::LazyLock::new(Shared::fast);
