//! The national store: the promises of its port, restarts and many pharmacies at once.

use std::sync::Arc;

use exchange::{DocumentClass, PatientId};
use gateway::national::conformance::{self, dispensation, documents, patients};
use gateway::national::{DocumentStore, Outcome, Status};
use sqlite::National;

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_national_store_keeps_the_promises_of_its_port() {
    let folder = tempfile::tempdir().unwrap();
    let store = National::open(&folder.path().join("national.db")).unwrap();
    conformance::run(&store).await.unwrap();
    store.close();
    assert!(store.document("PS-1").await.is_err(), "closed is closed");
}

#[tokio::test]
async fn what_was_imported_and_dispensed_is_there_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("national.db");
    let store = National::open(&path).unwrap();
    store.import(patients(), documents()).await.unwrap();
    assert_eq!(store.dispense(dispensation("D-1", "RX-2", "1")).await.unwrap(), Outcome::Done);
    store.close();
    let store = National::open(&path).unwrap();
    let id = PatientId::parse_cx("1^^^&1.2.208.176.1.2&ISO").unwrap();
    assert!(store.find_patients(std::slice::from_ref(&id)).await.unwrap() == patients()[..1]);
    assert!(store.document("PS-1").await.unwrap().as_ref() == documents().first());
    let newest = store.entries(&id, DocumentClass::EPrescription, 1).await.unwrap();
    assert_eq!(newest[0].status, Some(Status::Closed));
    let again = store.dispense(dispensation("D-1", "RX-2", "1")).await.unwrap();
    assert_eq!(again, Outcome::AlreadyDone);
}

/// Fifty pharmacies at the same moment: one of them gets it.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_many_dispensations_at_once_one_is_done() {
    let folder = tempfile::tempdir().unwrap();
    let store = Arc::new(National::open(&folder.path().join("national.db")).unwrap());
    store.import(patients(), documents()).await.unwrap();
    let mut tasks = tokio::task::JoinSet::new();
    for n in 0..50 {
        let store = Arc::clone(&store);
        tasks.spawn(async move {
            store.dispense(dispensation(&format!("D-{n}"), "RX-2", "1")).await.unwrap()
        });
    }
    let outcomes = tasks.join_all().await;
    assert_eq!(outcomes.iter().filter(|outcome| **outcome == Outcome::Done).count(), 1);
    assert_eq!(outcomes.iter().filter(|outcome| **outcome == Outcome::Closed).count(), 49);
}
