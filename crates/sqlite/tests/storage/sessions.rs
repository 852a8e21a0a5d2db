//! Sessions.

use std::sync::Arc;

use exchange::SystemEntropy;
use identity::session::{Drawer, Keeper, Row, SessionError, Sessions as _, conformance};
use jiff::{SignedDuration, Timestamp};
use sqlite::Sessions;

#[tokio::test]
async fn the_session_store_keeps_the_promises_of_its_port() {
    let folder = tempfile::tempdir().unwrap();
    let sessions = Sessions::open(&folder.path().join("sessions.db"), 100).unwrap();
    conformance::run(&sessions).await.unwrap();
    sessions.close();
    assert!(sessions.find([1; 32]).await.is_err(), "closed is closed");
}

#[tokio::test]
async fn a_session_outlives_a_restart_and_the_file_says_nothing_of_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("sessions.db");
    let now = Timestamp::now();
    let open = || {
        let store = Arc::new(Sessions::open(&path, 100).unwrap());
        (Keeper::new(store.clone(), &[7; 32], Arc::new(SystemEntropy)), store)
    };
    let (keeper, store) = open();
    let secret = b"Agnete Havgaard-Test";
    let until = now + SignedDuration::from_mins(5);
    let ticket = keeper.keep(Drawer::Session, secret, until).await.unwrap();
    store.close();
    let bytes = std::fs::read(&path).unwrap();
    for hidden in [&secret[..], ticket.text().as_bytes()] {
        assert!(!bytes.windows(hidden.len()).any(|window| window == hidden));
    }
    let (keeper, store) = open();
    let found = keeper.find(Drawer::Session, &ticket, now).await.unwrap();
    assert_eq!(found.unwrap().as_slice(), secret);
    store.close();
}

/// Who floods a node with logins fills neither its disk nor its memory.
#[tokio::test]
async fn a_full_store_says_so_and_what_expired_makes_room() {
    let folder = tempfile::tempdir().unwrap();
    let sessions = Sessions::open(&folder.path().join("sessions.db"), 3).unwrap();
    let row = |n| Row { key: [n; 32], expires: Timestamp::UNIX_EPOCH, sealed: vec![n] };
    for n in 0..3 {
        assert!(sessions.put_new(row(n)).await.unwrap());
    }
    assert_eq!(sessions.put_new(row(3)).await, Err(SessionError::Full));
    assert_eq!(sessions.sweep(Timestamp::now()).await, Ok(3));
    assert_eq!(sessions.put_new(row(3)).await, Ok(true));
    sessions.close();
}
