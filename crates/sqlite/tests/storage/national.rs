//! The national store: the promises of its port, restarts and many pharmacies at once.

use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
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

/// What release 0.1 wrote: documents in the clear, one of them replaced since.
fn of_the_first_release(path: &Path) {
    let db = rusqlite::Connection::open(path).unwrap();
    db.execute_batch("PRAGMA journal_mode = WAL").unwrap();
    db.execute_batch(include_str!("../../migrations/national.sql")).unwrap();
    for (n, text) in (0..200).map(|n| (n, plain(n))) {
        db.execute(
            "INSERT INTO document (unique_id, patient, class, form, title, created, language, size, hash, author, mime, bytes)
             VALUES (?1, '1^^^&1.2.208.176.1.2&ISO', '60591-5', 0, '', 0, '', 0, '', '', 'text/xml', ?2)",
            rusqlite::params![format!("1.2^{n}"), text],
        )
        .unwrap();
    }
    db.execute("DELETE FROM document WHERE unique_id = '1.2^199'", []).unwrap();
    db.execute(
        "INSERT INTO dispensation (unique_id, prescription, patient, country, received, discarded, bytes)
         VALUES ('D-1', 'RX-1', '1^^^&1.2.208.176.1.2&ISO', 'ES', 0, 0, ?1)",
        [plain(200)],
    )
    .unwrap();
    db.execute_batch("PRAGMA user_version = 1").unwrap();
}

const MARKER: &str = "sHIq6F0yNnq7QpVbYzd3aW4xC2kT9JmEo5uL";

fn plain(n: usize) -> Vec<u8> {
    format!("<document n='{n}'>{}</document>", MARKER.repeat(1 + n)).into_bytes()
}

fn marked(folder: &Path) -> bool {
    let files = std::fs::read_dir(folder).unwrap().map(|file| file.unwrap().path());
    let all: Vec<Vec<u8>> = files.map(|path| std::fs::read(path).unwrap()).collect();
    assert!(all.iter().map(Vec::len).sum::<usize>() > 100_000, "the files were read");
    all.iter().any(|bytes| bytes.windows(MARKER.len()).any(|at| at == MARKER.as_bytes()))
}

/// Stands for a vault, and knows the labels that it was given.
fn inverted(bytes: &[u8]) -> Bytes {
    bytes.iter().map(|byte| !byte).collect()
}

#[tokio::test]
async fn documents_of_the_first_release_are_kept_and_no_page_still_holds_them() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("national.db");
    of_the_first_release(&path);
    assert!(marked(folder.path()), "the search finds what is there");
    assert!(National::any_kept(&path).unwrap().is_none());
    // it dies on its way, and goes on
    let mut left = 100;
    let mut dying = |_: &[u8], bytes: &[u8]| {
        left -= 1;
        if left == 0 { Err("gone".to_owned()) } else { Ok(inverted(bytes)) }
    };
    let died = National::open_keeping(&path, &mut dying, &mut |_, _| {});
    assert!(matches!(died, Err(sqlite::KeepError::Vault(_))));
    let (mut labels, mut told) = (Vec::new(), Vec::new());
    let mut keep = |label: &[u8], bytes: &[u8]| {
        labels.push(label.to_vec());
        Ok(inverted(bytes))
    };
    let store =
        National::open_keeping(&path, &mut keep, &mut |done, all| told.push((done, all))).unwrap();
    assert_eq!(*told.last().unwrap(), (136, 136), "64 were kept before it died");
    assert!(!marked(folder.path()), "also while it is open");
    for n in [0, 100, 198] {
        let found = store.document(&format!("1.2^{n}")).await.unwrap().unwrap();
        assert!(found.kept.sealed == inverted(&plain(n)));
        assert_eq!(found.kept.digest, ledger::evidence::sha256(&plain(n)));
        assert!(n < 64 || labels.contains(&found.label()), "kept as what the node will ask for");
    }
    store.close();
    assert!(!marked(folder.path()));
    let (label, sealed) = National::any_kept(&path).unwrap().unwrap();
    assert!(!label.is_empty() && !sealed.is_empty());
    let mut never = |_: &[u8], _: &[u8]| panic!("everything is kept");
    National::open_keeping(&path, &mut never, &mut |_, _| {}).unwrap().close();
}

#[tokio::test]
async fn what_is_not_kept_yet_is_not_given() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("national.db");
    of_the_first_release(&path);
    let store = National::open(&path).unwrap();
    assert!(store.document("1.2^1").await.is_err());
}
