//! The evidence journal.

use std::sync::Arc;

use exchange::{Side, TransactionId};
use jiff::Timestamp;
use ledger::journal::{Journal as _, Outcome, ReplayKey, Row, Step, conformance};
use sqlite::Journal;

#[tokio::test]
async fn the_journal_keeps_the_promises_of_its_port() {
    let folder = tempfile::tempdir().unwrap();
    let journal = Journal::open(&folder.path().join("journal.db")).unwrap();
    conformance::run(&journal).await.unwrap();
    journal.close();
    assert!(journal.newest(1).await.is_err(), "closed is closed");
}

#[tokio::test]
async fn what_was_committed_is_there_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("journal.db");
    let row = conformance::settled_row(7);
    let key = ReplayKey { digest: [7; 32], expires: Timestamp::MAX };
    let journal = Journal::open(&path).unwrap();
    journal.commit(Step { replay: Some(key), rows: vec![row.clone()] }).await.unwrap();
    let placed = journal.sequence(0, 10).await.unwrap();
    journal.close();
    let journal = Journal::open(&path).unwrap();
    let found = journal.row(row.txid, Side::B).await.unwrap().unwrap();
    assert_eq!((found.statement, found.index), (row.statement, Some(0)));
    assert_eq!(journal.sequence(0, 10).await.unwrap(), placed);
    let again = journal.commit(Step { replay: Some(key), rows: Vec::new() }).await.unwrap();
    assert_eq!(again, Outcome::Replayed);
}

/// Of many requests with the same key in one group commit, exactly one is recorded.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn one_key_lets_one_step_through() {
    let folder = tempfile::tempdir().unwrap();
    let journal = Arc::new(Journal::open(&folder.path().join("journal.db")).unwrap());
    let mut tasks = tokio::task::JoinSet::new();
    for number in 0..200_u8 {
        let journal = Arc::clone(&journal);
        tasks.spawn(async move {
            let key = ReplayKey { digest: [number % 10; 32], expires: Timestamp::MAX };
            let row = Row { txid: TransactionId([number; 16]), ..conformance::settled_row(0) };
            journal.commit(Step { replay: Some(key), rows: vec![row] }).await.unwrap()
        });
    }
    let outcomes = tasks.join_all().await;
    assert_eq!(outcomes.iter().filter(|outcome| **outcome == Outcome::Recorded).count(), 10);
    assert_eq!(journal.newest(500).await.unwrap().len(), 10, "a replayed step leaves no row");
}
