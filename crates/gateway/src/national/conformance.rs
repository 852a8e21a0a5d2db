//! What every document store must do. An adapter's test calls [`run`] with an empty store of its own.

use bytes::Bytes;
use exchange::{Country, DocumentClass, PatientId};
use jiff::Timestamp;

use super::{
    Dispensation, DocumentStore, Entry, Form, Kept, Outcome, Patient, Status, StoreError,
    StoredDocument,
};

/// Runs all of it; panics where the store breaks a promise.
pub async fn run(store: &dyn DocumentStore) -> Result<(), StoreError> {
    store.import(patients(), documents()).await?;
    patients_are_found_by_any_identifier(store).await?;
    an_import_replaces(store).await?;
    entries_are_the_patients_own_and_newest_first(store).await?;
    documents_come_back_byte_for_byte(store).await?;
    a_prescription_closes_once_and_reopens_once(store).await?;
    an_import_does_not_reopen_what_was_dispensed(store).await?;
    italy_does_not_undo_what_spain_dispensed(store).await?;
    of_two_dispensations_at_once_one_is_done(store).await
}

async fn patients_are_found_by_any_identifier(store: &dyn DocumentStore) -> Result<(), StoreError> {
    let found = store.find_patients(&[id("1-second"), id("1")]).await?;
    assert!(found == [patient("1", true)], "once, with all columns, by any identifier");
    assert!(store.find_patients(&[id("2")]).await? == [patient("2", false)]);
    assert!(store.find_patients(&[id("3")]).await?.is_empty(), "unknown");
    assert!(store.find_patients(&[]).await?.is_empty(), "nobody was asked for");
    let other = PatientId::parse_cx("1^^^&1.2.208.176.1.3&ISO").expect("because it is one");
    assert!(store.find_patients(&[other]).await?.is_empty(), "the authority is part of the id");
    assert_eq!(store.find_patients(&[id("1"), id("2")]).await?.len(), 2);
    Ok(())
}

async fn an_import_replaces(store: &dyn DocumentStore) -> Result<(), StoreError> {
    let mut changed = patient("2", true);
    changed.ids = vec![id("2"), id("2-third")];
    changed.address[0] = "Street 2\nsecond floor".into();
    store.import(vec![changed.clone()], Vec::new()).await?;
    let found = store.find_patients(&[id("2")]).await?;
    assert!(found.len() == 1 && found[0].consent, "the new consent counts");
    assert!(found[0].ids == changed.ids, "with the new identifiers");
    assert!(found[0].address[1..] == changed.address[1..], "a broken line moves no other");
    assert!(
        store.find_patients(&[id("2-second")]).await?.is_empty(),
        "a withdrawn one finds nobody"
    );
    let mut newer = summary();
    newer.kept = kept(b"newer");
    store.import(Vec::new(), vec![newer.clone()]).await?;
    assert!(store.document("PS-1").await? == Some(newer), "a document is replaced whole");
    store.import(Vec::new(), vec![summary()]).await
}

async fn entries_are_the_patients_own_and_newest_first(
    store: &dyn DocumentStore,
) -> Result<(), StoreError> {
    let all = store.entries(&id("1"), DocumentClass::EPrescription, usize::MAX).await?;
    let ids: Vec<&str> = all.iter().map(|entry| entry.unique_id.as_str()).collect();
    assert_eq!(ids, ["EP-2", "EP-1", "EP-1-pdf"], "one class of one patient, newest first");
    assert!(all[1] == prescription("EP-1", "RX-1", 1).entry, "every column comes back");
    let one = store.entries(&id("1"), DocumentClass::EPrescription, 1).await?;
    assert!(one[..] == all[..1], "at most the limit");
    assert!(store.entries(&id("1"), DocumentClass::EPrescription, 0).await?.is_empty());
    assert!(store.entries(&id("2"), DocumentClass::EPrescription, 9).await?.is_empty());
    assert!(store.entries(&id("1"), DocumentClass::Images, 9).await?.is_empty());
    Ok(())
}

async fn documents_come_back_byte_for_byte(store: &dyn DocumentStore) -> Result<(), StoreError> {
    assert!(store.document("PS-1").await? == Some(summary()));
    assert!(store.document("ps-1").await?.is_none(), "ids are compared as they stand");
    assert!(store.document("").await?.is_none());
    Ok(())
}

async fn a_prescription_closes_once_and_reopens_once(
    store: &dyn DocumentStore,
) -> Result<(), StoreError> {
    let open = statuses(store).await?;
    let steps = [
        ("D-1", "RX-1", "2", Outcome::Unknown),
        ("D-1", "RX-9", "1", Outcome::Unknown),
        ("D-1", "RX-1", "1", Outcome::Done),
        ("D-1", "RX-1", "1", Outcome::AlreadyDone),
        ("D-2", "RX-1", "1", Outcome::Closed),
    ];
    for (unique_id, prescription, patient, expected) in steps {
        let found = store.dispense(dispensation(unique_id, prescription, patient)).await?;
        assert_eq!(found, expected, "{unique_id} {prescription} {patient}");
    }
    let closed = [Status::Open, Status::Closed, Status::Closed].map(Some);
    assert_eq!(statuses(store).await?, closed, "both forms, and no other prescription");
    let discards = [
        ("D-1", "2", Outcome::Unknown),
        ("D-9", "1", Outcome::Unknown),
        ("D-1", "1", Outcome::Done),
        ("D-1", "1", Outcome::AlreadyDone),
    ];
    for (dispensation, patient, expected) in discards {
        let found = store.discard(dispensation, &id(patient), spain()).await?;
        assert_eq!(found, expected, "{dispensation} {patient}");
    }
    assert_eq!(statuses(store).await?, open);
    let again = store.dispense(dispensation("D-1", "RX-1", "1")).await?;
    assert_eq!(again, Outcome::Closed, "what was discarded is not done by sending it again");
    assert_eq!(store.dispense(dispensation("D-2", "RX-1", "1")).await?, Outcome::Done);
    assert_eq!(store.discard("D-1", &id("1"), spain()).await?, Outcome::AlreadyDone);
    assert_eq!(statuses(store).await?, closed, "an old discard reopens nothing");
    Ok(())
}

async fn an_import_does_not_reopen_what_was_dispensed(
    store: &dyn DocumentStore,
) -> Result<(), StoreError> {
    let closed = statuses(store).await?;
    store.import(patients(), documents()).await?;
    assert_eq!(statuses(store).await?, closed, "imported again, still dispensed");
    assert_eq!(store.dispense(dispensation("D-3", "RX-1", "1")).await?, Outcome::Closed);
    assert_eq!(store.discard("D-2", &id("1"), spain()).await?, Outcome::Done);
    assert_eq!(store.dispense(dispensation("D-3", "RX-1", "1")).await?, Outcome::Done);
    Ok(())
}

async fn italy_does_not_undo_what_spain_dispensed(
    store: &dyn DocumentStore,
) -> Result<(), StoreError> {
    let italy = Country::parse("IT").expect("because it has two letters");
    let closed = statuses(store).await?;
    assert_eq!(store.discard("D-3", &id("1"), italy).await?, Outcome::Unknown);
    assert_eq!(statuses(store).await?, closed, "the prescription is not dispensed twice");
    let theirs = Dispensation { country: italy, ..dispensation("D-3", "RX-1", "1") };
    assert_eq!(store.dispense(theirs).await?, Outcome::Closed, "not done for Italy");
    assert_eq!(store.discard("D-3", &id("1"), spain()).await?, Outcome::Done);
    Ok(())
}

async fn of_two_dispensations_at_once_one_is_done(
    store: &dyn DocumentStore,
) -> Result<(), StoreError> {
    let (one, other) = tokio::join!(
        store.dispense(dispensation("D-8", "RX-2", "1")),
        store.dispense(dispensation("D-9", "RX-2", "1"))
    );
    let outcomes = [one?, other?];
    assert!(outcomes.contains(&Outcome::Done) && outcomes.contains(&Outcome::Closed));
    Ok(())
}

async fn statuses(store: &dyn DocumentStore) -> Result<Vec<Option<Status>>, StoreError> {
    let entries = store.entries(&id("1"), DocumentClass::EPrescription, 10).await?;
    Ok(entries.into_iter().map(|entry| entry.status).collect())
}

/// Two citizens; the second has not agreed.
pub fn patients() -> Vec<Patient> {
    vec![patient("1", true), patient("2", false)]
}

/// A summary and two prescriptions of the first citizen, one of them in both forms.
pub fn documents() -> Vec<StoredDocument> {
    let mut pdf = prescription("EP-1-pdf", "RX-1", 1);
    pdf.entry.form = Form::Pdf;
    pdf.entry.twin = Some("EP-1".into());
    vec![summary(), prescription("EP-1", "RX-1", 1), pdf, prescription("EP-2", "RX-2", 2)]
}

/// A dispensation in Spain, for a patient of [`patients`].
pub fn dispensation(unique_id: &str, prescription: &str, patient: &str) -> Dispensation {
    Dispensation {
        unique_id: unique_id.into(),
        prescription: prescription.into(),
        patient: id(patient),
        country: spain(),
        received: Timestamp::UNIX_EPOCH,
        kept: kept(b"d"),
    }
}

fn spain() -> Country {
    Country::parse("ES").expect("because it has two letters")
}

fn id(number: &str) -> PatientId {
    PatientId::parse_cx(&format!("{number}^^^&1.2.208.176.1.2&ISO")).expect("because it is one")
}

fn patient(number: &str, consent: bool) -> Patient {
    Patient {
        ids: vec![id(number), id(&format!("{number}-second"))],
        given: "Agnete ' \u{e6}".into(),
        family: "Test".into(),
        gender: "F".into(),
        birth: "19530214".into(),
        address: ["Street 1".into(), String::new(), "5000".into(), "DK".into()],
        consent,
    }
}

fn summary() -> StoredDocument {
    let mut document = prescription("PS-1", "", 1);
    document.entry.class = DocumentClass::PatientSummary;
    (document.entry.prescription, document.entry.status, document.entry.atc) = (None, None, None);
    document.kept = kept(b"\0\xff\r\n");
    document
}

fn prescription(unique_id: &str, prescription: &str, second: i64) -> StoredDocument {
    StoredDocument {
        entry: Entry {
            unique_id: unique_id.into(),
            class: DocumentClass::EPrescription,
            form: Form::Coded,
            twin: None,
            title: "title".into(),
            created: Timestamp::UNIX_EPOCH + jiff::SignedDuration::from_secs(second),
            language: "da-DK".into(),
            size: 3,
            hash: "00".into(),
            author: "Birthe".into(),
            prescription: Some(prescription.into()),
            status: Some(Status::Open),
            atc: Some("A10BA02".into()),
        },
        patient: id("1"),
        mime: "text/xml".into(),
        kept: kept(b"x"),
    }
}

/// To a store these are bytes; no vault takes part.
fn kept(sealed: &'static [u8]) -> Kept {
    let mut digest = [7; 32];
    digest[..sealed.len()].copy_from_slice(sealed);
    Kept { sealed: Bytes::from_static(sealed), digest }
}
