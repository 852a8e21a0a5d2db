//! B's receipts on their way to A.

use exchange::{Side, SystemEntropy, TransactionId};
use ledger::journal::{Journal as _, Row, State, Step};

use crate::circle::{Circle, dk, es};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_country_that_was_down_gets_its_receipts_after_both_restarted() {
    let circle = Circle::new();
    let (spain, denmark) = (circle.start(es()).await, circle.start(dk()).await);
    circle.ask().await.unwrap();
    denmark.stop().await;
    let settled = spain.newest(Side::B).await.unwrap();
    assert!(settled.state == State::Settled && settled.undelivered);
    spain.stop().await;

    let mut spain = circle.start(es()).await;
    spain.work();
    tokio::time::sleep(std::time::Duration::from_millis(700)).await;
    let waiting = spain.journal.undelivered(dk(), 10).await.unwrap();
    assert_eq!(waiting.len(), 1, "Denmark is still down; nothing is marked delivered");
    let denmark = circle.start(dk()).await;
    let theirs = denmark.until(&settled, |row| row.state == State::Settled).await;
    assert_eq!(theirs.statement, settled.statement);
    spain.until(&settled, |row| !row.undelivered).await;
    spain.stop().await;
    denmark.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refused_receipt_is_not_delivered_and_does_not_hold_up_the_others() {
    let circle = Circle::new();
    let (mut spain, denmark) = (circle.start(es()).await, circle.start(dk()).await);
    for _ in 0..3 {
        circle.ask().await.unwrap();
    }
    let rows = spain.journal.newest(3).await.unwrap();
    // a receipt of an exchange that Denmark does not know, and one under another's number
    let unknown = Row { txid: TransactionId::random(&SystemEntropy), ..rows[0].clone() };
    let journal = &spain.journal;
    journal.commit(Step { replay: None, rows: vec![unknown.clone()] }).await.unwrap();
    spain.work();
    for row in &rows {
        denmark.until(row, |row| row.state == State::Settled).await;
        spain.until(row, |row| !row.undelivered).await;
    }
    let start = std::time::Instant::now();
    while spain.metric("receipts_refused_total").as_deref() != Some("1") {
        assert!(start.elapsed().as_secs() < 60, "{:?}", spain.metric("receipts_refused_total"));
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    let left = spain.journal.row(unknown.txid, Side::B).await.unwrap().unwrap();
    assert!(left.undelivered, "Denmark does not have it, and Spain does not say so");
    assert!(spain.journal.undelivered(dk(), 10).await.unwrap().is_empty(), "nor brings it again");
    assert!(denmark.journal.row(unknown.txid, Side::A).await.unwrap().is_none());
    spain.stop().await;
    denmark.stop().await;
}

/// More than become durable in one step, and than are marked in one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_batch_of_many_receipts_is_taken_whole_and_nothing_of_it_refused() {
    let circle = Circle::new();
    let (mut spain, denmark) = (circle.start(es()).await, circle.start(dk()).await);
    for _ in 0..40 {
        circle.ask().await.unwrap();
    }
    let rows = spain.journal.undelivered(dk(), 64).await.unwrap();
    assert_eq!(rows.len(), 40);
    spain.work();
    for row in &rows {
        denmark.until(row, |row| row.state == State::Settled).await;
        spain.until(row, |row| !row.undelivered).await;
    }
    assert_eq!(spain.metric("receipts_refused_total").as_deref(), Some("0"));
    spain.stop().await;
    denmark.stop().await;
}
