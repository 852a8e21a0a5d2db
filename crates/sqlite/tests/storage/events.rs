//! The event store, behind its queue.

use std::path::Path;
use std::sync::Arc;

use exchange::FixedClock;
use jiff::Timestamp;
use siem::{Event, EventStore, Kind, Notes, Pseudonym, conformance};
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

/// Files of the folder that have this pseudonym.
fn having(folder: &Path, of: Pseudonym) -> Vec<String> {
    let has = |file: &std::fs::DirEntry| {
        let text = std::fs::read(file.path()).unwrap();
        text.windows(8).any(|at| at == of.0.to_be_bytes())
    };
    let all = std::fs::read_dir(folder).unwrap().map(Result::unwrap).filter(has);
    all.map(|file| file.file_name().to_string_lossy().into_owned()).collect()
}

fn about(patient: Pseudonym, count: usize) -> Vec<Event> {
    let event = Event { patient: Some(patient), ..conformance::full_event(7) };
    vec![event; count]
}

const ERASED: Pseudonym = Pseudonym(0x7a51_2b8e_90c4_13fd);
const OTHER: Pseudonym = Pseudonym(0x6c33_97d0_21aa_5e8b);

/// After seventy events about a patient, pages that were split still had his pseudonym.
#[test]
fn no_byte_holds_the_pseudonym_of_a_patient_who_was_forgotten() {
    let folder = tempfile::tempdir().unwrap();
    let store = Events::open(&folder.path().join("events.db")).unwrap();
    for _ in 0..200 {
        store.append(&about(ERASED, 1)).unwrap();
        store.append(&about(OTHER, 1)).unwrap();
    }
    assert!(!having(folder.path(), ERASED).is_empty());
    assert!(store.forget(ERASED).unwrap());
    assert_eq!(having(folder.path(), ERASED), Vec::<String>::new());
    assert_eq!((store.about(ERASED).unwrap(), store.about(OTHER).unwrap()), (0, 200));
    store.close();
    assert_eq!(having(folder.path(), ERASED), Vec::<String>::new());
}

#[test]
fn a_file_of_before_is_written_anew_once() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("events.db");
    let store = Events::open(&path).unwrap();
    for _ in 0..200 {
        store.append(&about(ERASED, 1)).unwrap();
        store.append(&about(OTHER, 1)).unwrap();
    }
    store.close();
    // as a release of before left it: not marked, and with a page that has a copy
    let db = rusqlite::Connection::open(&path).unwrap();
    db.execute_batch(
        "PRAGMA secure_delete = OFF; PRAGMA application_id = 0; CREATE TABLE gone (of BLOB);",
    )
    .unwrap();
    db.execute("INSERT INTO gone VALUES (?1)", [ERASED.0.to_be_bytes()]).unwrap();
    db.execute_batch("DROP TABLE gone").unwrap();
    db.close().unwrap();
    let store = Events::open(&path).unwrap();
    assert!(store.forget(ERASED).unwrap());
    assert_eq!(having(folder.path(), ERASED), Vec::<String>::new());
    assert_eq!(store.about(OTHER).unwrap(), 200);
    assert_eq!(store.newest(1).unwrap(), about(OTHER, 1));
    // and is as good as a new one from then on
    store.append(&about(ERASED, 1)).unwrap();
    assert!(store.forget(ERASED).unwrap());
    assert_eq!(having(folder.path(), ERASED), Vec::<String>::new());
    store.close();
}
