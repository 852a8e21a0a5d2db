//! The event store, behind its queue.

use std::sync::Arc;

use exchange::FixedClock;
use jiff::Timestamp;
use siem::{Event, EventStore, Kind, Notes, conformance};
use sqlite::Events;

#[test]
fn the_event_store_keeps_the_promises_of_its_port() {
    let folder = tempfile::tempdir().unwrap();
    let store = Events::open(&folder.path().join("events.db")).unwrap();
    conformance::run(&store).unwrap();
    store.close();
    assert!(store.newest(1).is_err(), "closed is closed");
}

#[test]
fn events_come_back_whole_after_close_and_restart() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("events.db");
    let at = Timestamp::from_microsecond(1_800_000_000_123_456).unwrap();
    let whole = conformance::full_event(7);
    let store = Arc::new(Events::open(&path).unwrap());
    let notes = Notes::start(Arc::clone(&store) as Arc<dyn EventStore>, Arc::new(FixedClock(at)));
    for _ in 0..3000 {
        notes.note(Event::new(at, Kind::ExchangeAnswered));
    }
    notes.note(whole.clone());
    notes.close();
    store.close();
    let store = Events::open(&path).unwrap();
    assert_eq!(store.count(Kind::ExchangeAnswered).unwrap(), 3000);
    assert_eq!(store.newest(1).unwrap(), [whole]);
}
