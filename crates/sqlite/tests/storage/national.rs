//! The national store: a dispensation closes a prescription once, a discard reopens it once.

use bytes::Bytes;
use exchange::{Country, DocumentClass, PatientId};
use gateway::national::{
    Dispensation, DocumentStore, Entry, Form, Outcome, Patient, Status, StoredDocument,
};
use jiff::Timestamp;
use sqlite::National;

fn id(number: &str) -> PatientId {
    PatientId::parse_cx(&format!("{number}^^^&1.2.208.176.1.2&ISO")).unwrap()
}

fn patient(number: &str, consent: bool) -> Patient {
    Patient {
        ids: vec![id(number), id(&format!("{number}-second"))],
        given: "Agnete".into(),
        family: "Test".into(),
        gender: "F".into(),
        birth: "19530214".into(),
        address: ["Street 1".into(), String::new(), "5000".into(), "DK".into()],
        consent,
    }
}

fn document(
    unique_id: &str,
    patient: &str,
    class: DocumentClass,
    prescription: Option<&str>,
    second: i64,
) -> StoredDocument {
    StoredDocument {
        entry: Entry {
            unique_id: unique_id.into(),
            class,
            form: Form::Coded,
            twin: None,
            title: "title".into(),
            created: Timestamp::from_second(second).unwrap(),
            language: "da-DK".into(),
            size: 3,
            hash: "00".into(),
            author: "Birthe".into(),
            prescription: prescription.map(str::to_owned),
            status: prescription.map(|_| Status::Open),
            atc: None,
        },
        patient: id(patient),
        mime: "text/xml".into(),
        bytes: Bytes::from_static(b"<x>"),
    }
}

fn spain() -> Country {
    Country::parse("ES").unwrap()
}

fn dispensation(unique_id: &str, prescription: &str, patient: &str) -> Dispensation {
    Dispensation {
        unique_id: unique_id.into(),
        prescription: prescription.into(),
        patient: id(patient),
        country: Country::parse("ES").unwrap(),
        received: Timestamp::UNIX_EPOCH,
        bytes: Bytes::from_static(b"<d/>"),
    }
}

async fn store() -> (tempfile::TempDir, National) {
    let folder = tempfile::tempdir().unwrap();
    let store = National::open(&folder.path().join("national.db")).unwrap();
    let documents = vec![
        document("PS-1", "1", DocumentClass::PatientSummary, None, 1),
        document("EP-1", "1", DocumentClass::EPrescription, Some("RX-1"), 1),
        document("EP-1-pdf", "1", DocumentClass::EPrescription, Some("RX-1"), 1),
        document("EP-2", "1", DocumentClass::EPrescription, Some("RX-2"), 2),
    ];
    store.import(vec![patient("1", true), patient("2", false)], documents).await.unwrap();
    (folder, store)
}

async fn statuses(store: &National) -> Vec<(String, Option<Status>)> {
    let entries = store.entries(&id("1"), DocumentClass::EPrescription, 10).await.unwrap();
    entries.into_iter().map(|entry| (entry.unique_id, entry.status)).collect()
}

#[tokio::test]
async fn what_is_imported_comes_back_byte_for_byte() {
    let (folder, store) = store().await;
    assert!(
        store.find_patients(&[id("1-second"), id("1")]).await.unwrap() == [patient("1", true)],
        "once, by any id"
    );
    assert!(store.find_patients(&[id("3")]).await.unwrap().is_empty());
    assert!(!store.find_patients(&[id("2")]).await.unwrap()[0].consent);
    let newest = store.entries(&id("1"), DocumentClass::EPrescription, 1).await.unwrap();
    assert_eq!(newest[0].unique_id, "EP-2", "newest first, at most the limit");
    let expected = document("PS-1", "1", DocumentClass::PatientSummary, None, 1);
    store.close();
    let store = National::open(&folder.path().join("national.db")).unwrap();
    assert!(store.document("PS-1").await.unwrap() == Some(expected));
    assert!(store.document("PS-2").await.unwrap().is_none());
    store.import(vec![patient("1", false)], Vec::new()).await.unwrap();
    let found = store.find_patients(&[id("1")]).await.unwrap();
    assert!(found == [patient("1", false)], "an import replaces");
}

#[tokio::test]
async fn a_prescription_closes_once_and_reopens_once() {
    let (_folder, store) = store().await;
    let open = statuses(&store).await;
    let steps = [
        ("D-1", "RX-1", "2", Outcome::Unknown),
        ("D-1", "RX-9", "1", Outcome::Unknown),
        ("D-1", "RX-1", "1", Outcome::Done),
        ("D-1", "RX-1", "1", Outcome::AlreadyDone),
        ("D-2", "RX-1", "1", Outcome::Closed),
    ];
    for (id, prescription, patient, expected) in steps {
        let found = store.dispense(dispensation(id, prescription, patient)).await.unwrap();
        assert_eq!(found, expected, "{id} {prescription} {patient}");
    }
    let one = |id: &str, status| (id.to_owned(), Some(status));
    let closed =
        [one("EP-2", Status::Open), one("EP-1", Status::Closed), one("EP-1-pdf", Status::Closed)];
    assert_eq!(statuses(&store).await, closed, "both forms, and nothing else");
    let discards = [
        ("D-1", "2", Outcome::Unknown),
        ("D-9", "1", Outcome::Unknown),
        ("D-1", "1", Outcome::Done),
        ("D-1", "1", Outcome::AlreadyDone),
    ];
    for (dispensation, patient, expected) in discards {
        assert_eq!(
            store.discard(dispensation, &id(patient), spain()).await.unwrap(),
            expected,
            "{dispensation} {patient}"
        );
    }
    assert_eq!(statuses(&store).await, open);
    assert_eq!(store.dispense(dispensation("D-2", "RX-1", "1")).await.unwrap(), Outcome::Done);
    assert_eq!(store.discard("D-1", &id("1"), spain()).await.unwrap(), Outcome::AlreadyDone);
    assert_eq!(
        statuses(&store).await,
        closed,
        "an old discard does not reopen what another closed"
    );
}

#[tokio::test]
async fn importing_again_does_not_reopen_what_was_dispensed() {
    let (_folder, store) = store().await;
    assert_eq!(store.dispense(dispensation("D-1", "RX-1", "1")).await.unwrap(), Outcome::Done);
    let closed = statuses(&store).await;
    let again = document("EP-1", "1", DocumentClass::EPrescription, Some("RX-1"), 1);
    assert_eq!(again.entry.status, Some(Status::Open), "as every import says");
    store.import(Vec::new(), vec![again.clone()]).await.unwrap();
    assert_eq!(statuses(&store).await, closed);
    assert_eq!(store.dispense(dispensation("D-2", "RX-1", "1")).await.unwrap(), Outcome::Closed);
    assert_eq!(store.discard("D-1", &id("1"), spain()).await.unwrap(), Outcome::Done);
    store.import(Vec::new(), vec![again]).await.unwrap();
    assert_eq!(store.dispense(dispensation("D-2", "RX-1", "1")).await.unwrap(), Outcome::Done);
}

#[tokio::test]
async fn italy_does_not_undo_what_spain_dispensed() {
    let (_folder, store) = store().await;
    let ours = dispensation("D-1", "RX-1", "1");
    let italy = Country::parse("IT").unwrap();
    assert_eq!(store.dispense(ours.clone()).await.unwrap(), Outcome::Done);
    let closed = statuses(&store).await;
    assert_eq!(store.discard("D-1", &id("1"), italy).await.unwrap(), Outcome::Unknown);
    assert_eq!(statuses(&store).await, closed, "the prescription is not dispensed twice");
    let theirs = Dispensation { country: italy, ..ours };
    assert_eq!(store.dispense(theirs).await.unwrap(), Outcome::Closed, "not done for Italy");
    assert_eq!(store.discard("D-1", &id("1"), spain()).await.unwrap(), Outcome::Done);
}

/// Two pharmacies at the same moment: one of them gets it.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_many_dispensations_at_once_one_is_done() {
    let (_folder, store) = store().await;
    let store = std::sync::Arc::new(store);
    let mut tasks = tokio::task::JoinSet::new();
    for n in 0..50 {
        let store = std::sync::Arc::clone(&store);
        tasks.spawn(async move {
            store.dispense(dispensation(&format!("D-{n}"), "RX-2", "1")).await.unwrap()
        });
    }
    let outcomes = tasks.join_all().await;
    assert_eq!(outcomes.iter().filter(|outcome| **outcome == Outcome::Done).count(), 1);
    assert_eq!(outcomes.iter().filter(|outcome| **outcome == Outcome::Closed).count(), 49);
}
