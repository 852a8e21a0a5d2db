//! What every event store must do. An adapter's test calls [`run`] with an empty store of its own.

use exchange::{Code, Country, Side, Transaction, TransactionId};
use jiff::Timestamp;

use crate::{Event, EventStore, KINDS, Kind, Pseudonym, StoreError};

/// Runs all of it; panics where the store breaks a promise.
pub fn run(store: &dyn EventStore) -> Result<(), StoreError> {
    nothing_is_nothing(store)?;
    events_come_back_whole(store)?;
    the_newest_come_first(store)?;
    each_kind_is_counted(store)
}

fn nothing_is_nothing(store: &dyn EventStore) -> Result<(), StoreError> {
    store.append(&[])?;
    assert!(store.newest(10)?.is_empty(), "an empty store is empty");
    for (kind, _) in KINDS {
        assert_eq!(store.count(kind)?, 0, "{kind:?}");
    }
    Ok(())
}

fn events_come_back_whole(store: &dyn EventStore) -> Result<(), StoreError> {
    let mut events = vec![full_event(0)];
    // one event for each value of each list, so that no two values share a number on disk
    // (a code is kept as it travels, and a few list codes travel as their document codes do)
    let own = |code: &Code| Code::of_wire(code.wire()) == Some(*code);
    events.extend(Code::all().filter(own).map(|code| Event { code: Some(code), ..bare() }));
    events.extend(Transaction::ALL.map(|t| Event { transaction: Some(t), ..bare() }));
    events.extend([Side::A, Side::B].map(|side| Event { side: Some(side), ..bare() }));
    events.extend(KINDS.map(|(kind, _)| Event { kind, ..bare() }));
    let before_1970 = Timestamp::UNIX_EPOCH - jiff::SignedDuration::from_micros(1);
    events.push(Event { at: before_1970, ..bare() });
    store.append(&events)?;
    events.reverse();
    for (found, event) in store.newest(events.len())?.iter().zip(&events) {
        assert_eq!(found, event, "every column comes back");
    }
    assert_eq!(store.newest(usize::MAX)?.len(), events.len(), "all of them, and each once");
    Ok(())
}

fn the_newest_come_first(store: &dyn EventStore) -> Result<(), StoreError> {
    // in the order in which they were noted: a clock that is set back changes nothing
    let events: Vec<Event> =
        (0..5).map(|n| Event { number: n, at: second(100 - n), ..bare() }).collect();
    store.append(&events[..2])?;
    store.append(&events[2..])?;
    let numbers = |events: Vec<Event>| events.iter().map(|e| e.number).collect::<Vec<_>>();
    assert_eq!(numbers(store.newest(3)?), [4, 3, 2], "at most the limit");
    assert_eq!(numbers(store.newest(5)?), [4, 3, 2, 1, 0], "over two batches");
    assert!(store.newest(0)?.is_empty());
    let other = Event { kind: Kind::AuditTampered, number: 7, ..bare() };
    store.append(&[other.clone(), Event { number: 8, ..other }, bare()])?;
    let tampered = |limit| store.newest_of(Kind::AuditTampered, limit);
    assert_eq!(numbers(tampered(2)?), [8, 7], "only of the kind that was asked for");
    assert_eq!(numbers(tampered(1)?), [8]);
    Ok(())
}

fn each_kind_is_counted(store: &dyn EventStore) -> Result<(), StoreError> {
    for (kind, _) in KINDS {
        let others = |store: &dyn EventStore| {
            let rest = KINDS.iter().filter(|row| row.0 != kind);
            rest.map(|row| store.count(row.0)).sum::<Result<u64, _>>()
        };
        let (before, rest) = (store.count(kind)?, others(store)?);
        store.append(&vec![Event { kind, ..bare() }; 1500])?;
        assert_eq!(store.count(kind)?, before + 1500, "{kind:?}");
        assert_eq!(others(store)?, rest, "no other kind than {kind:?}");
    }
    Ok(())
}

/// An event with every field filled, different for each number.
pub fn full_event(number: u64) -> Event {
    Event {
        at: second(number) + jiff::SignedDuration::from_micros(123_456),
        kind: Kind::ExchangeRefused,
        side: Some(Side::B),
        transaction: Some(Transaction::Submit),
        peer: Country::parse("DK").ok(),
        code: Some(Code::ErrorInsufficientRights),
        txid: Some(TransactionId([0xff; 16])),
        correlation: format!("correlation {number} ' \u{e6}"),
        patient: Some(Pseudonym(0)),
        professional: Some(Pseudonym(u64::MAX)),
        point_of_care: Some(Pseudonym(1 << 63)),
        micros: u64::MAX,
        number,
    }
}

fn bare() -> Event {
    Event::new(second(0), Kind::ExchangeAnswered)
}

fn second(number: u64) -> Timestamp {
    Timestamp::UNIX_EPOCH + jiff::SignedDuration::from_secs(number.cast_signed())
}
