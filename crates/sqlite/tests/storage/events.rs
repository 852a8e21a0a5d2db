//! The event store, behind its queue.

use std::sync::Arc;

use exchange::{Code, Country, FixedClock, Side, Transaction, TransactionId};
use jiff::Timestamp;
use siem::{Event, EventStore, Kind, Notes, PseudonymKey};
use sqlite::Events;

#[test]
fn events_come_back_whole_after_close_and_restart() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("events.db");
    let at = Timestamp::from_microsecond(1_800_000_000_123_456).unwrap();
    let key = PseudonymKey::new([1; 32]);
    let whole = Event {
        side: Some(Side::B),
        transaction: Some(Transaction::Submit),
        peer: Some(Country::parse("DK").unwrap()),
        code: Some(Code::ErrorInsufficientRights),
        txid: Some(TransactionId([9; 16])),
        correlation: "c".into(),
        patient: Some(key.of("patient", "1")),
        professional: Some(key.of("professional", "2")),
        point_of_care: Some(key.of("point of care", "3")),
        micros: 12,
        number: u64::MAX,
        ..Event::new(at, Kind::ExchangeRefused)
    };
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
