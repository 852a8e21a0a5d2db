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

/// A journal of the first release, with its log half written, goes on.
#[tokio::test]
async fn a_journal_of_the_first_release_is_migrated() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("journal.db");
    let row = conformance::settled_row(7);
    let old = rusqlite::Connection::open(&path).unwrap();
    old.execute_batch(include_str!("../../migrations/journal.sql")).unwrap();
    old.execute_batch("PRAGMA user_version = 1").unwrap();
    for (number, state, index) in [(7_u8, 2, Some(0)), (8, 2, None), (9, 1, None), (10, 0, None)] {
        old.execute(
            "INSERT INTO evidence (txid, side, transaction_kind, requester, provider, state, request, statement,
             secrets, peer_certificate, undelivered, at, log_index)
             VALUES (?1, 1, 2, 'ES', 'DK', ?2, x'00', ?3, x'', x'', 1, 1000, ?4)",
            rusqlite::params![[number; 16], state, vec![number], index],
        )
        .unwrap();
    }
    drop(old);
    for _ in 0..2 {
        let journal = Journal::open(&path).unwrap();
        let leaves = journal.sequence(0, 10).await.unwrap();
        assert_eq!(leaves, [(0, vec![7]), (1, vec![8])]);
        let later = Timestamp::from_second(1).unwrap();
        let open: Vec<_> =
            journal.overdue(later, 10).await.unwrap().iter().map(|row| row.txid.0[0]).collect();
        assert_eq!(open, [9, 10]);
        assert_eq!(journal.undelivered(row.provider, 10).await.unwrap().len(), 4);
        journal.close();
    }
    let journal = Journal::open(&path).unwrap();
    let mut half = journal.row(TransactionId([9; 16]), Side::B).await.unwrap().unwrap();
    half.state = ledger::journal::State::Half;
    let put = journal.commit(Step { replay: None, rows: vec![half] }).await.unwrap();
    assert_eq!(put, Outcome::Recorded);
    assert_eq!(journal.sequence(0, 10).await.unwrap()[2], (2, vec![9]));
}
