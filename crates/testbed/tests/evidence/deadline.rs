//! HALF, CLOSE and OPEN.

use exchange::Side;
use gateway::background::deadline::Deadline;
use jiff::SignedDuration;
use ledger::evidence::Settled;
use ledger::journal::State;
use siem::Kind;

use crate::circle::{Circle, dk, es};

const LATE: SignedDuration = SignedDuration::from_mins(16);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_without_receipt_becomes_half_once_and_is_closed_by_the_late_receipt() {
    let circle = Circle::new();
    let (mut spain, denmark) = (circle.start(es()).await, circle.start(dk()).await);
    assert_eq!(circle.ask().await.unwrap(), 2);
    let answered = denmark.newest(Side::A).await.unwrap();
    assert_eq!(answered.state, State::Answered);
    let mut deadline = Deadline::default();
    assert_eq!(deadline.turn(&denmark.node).await.unwrap(), 0, "before the deadline");
    assert!(denmark.leaves().await.is_empty());

    circle.clock.advance(LATE);
    assert_eq!(deadline.turn(&denmark.node).await.unwrap(), 1);
    assert_eq!(deadline.turn(&denmark.node).await.unwrap(), 0, "once");
    assert_eq!(denmark.events(Kind::EvidenceHalf, 1).await, 1);
    let count =
        denmark.metric("evidence_half_total{side=\"A\",transaction=\"ITI-38\",peer=\"ES\"}");
    assert_eq!(count.as_deref(), Some("1"));
    let half = denmark.until(&answered, |row| row.state == State::Half).await;
    let leaves = denmark.leaves().await;
    assert_eq!(leaves, std::slice::from_ref(&answered.statement), "Denmark's signature alone");
    let own = denmark.node.sealing().seal.certificate().clone();
    let anchors = circle.pki.anchors();
    let found = Settled::verify(&leaves[0], &[&own], &anchors, half.at).unwrap();
    assert_eq!((found.signatures, found.statement.outcome.as_str()), (1, "answered"));
    assert!(found.statement.request.is_some(), "over Spain's signed request");

    spain.work();
    denmark.until(&half, |row| row.state == State::Settled).await;
    // it is counted a moment after it is committed
    let count = || denmark.metric("evidence_half_closed_total");
    let began = std::time::Instant::now();
    while count().as_deref() != Some("1") {
        assert!(began.elapsed().as_secs() < 30, "{:?}", count());
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    let leaves = denmark.leaves().await;
    assert_eq!(leaves.len(), 2, "the half stays, the whole stands behind it");
    assert_eq!(leaves[0], answered.statement);
    let theirs = spain.newest(Side::B).await.unwrap();
    assert_eq!(leaves[1], theirs.statement, "both logs hold the same whole");
    assert_eq!(deadline.turn(&denmark.node).await.unwrap(), 0);
    assert_eq!(denmark.events(Kind::EvidenceHalf, 1).await, 1, "a close is no second half");
    spain.stop().await;
    denmark.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_without_answer_is_half_after_a_restart_too() {
    let circle = Circle::new();
    let (spain, denmark) = (circle.start(es()).await, circle.start(dk()).await);
    circle.ask().await.unwrap();
    denmark.stop().await;
    assert!(circle.ask().await.is_err(), "Denmark is down");
    let asked = spain.newest(Side::B).await.unwrap();
    assert_eq!(asked.state, State::Asked);
    spain.stop().await;

    circle.clock.advance(LATE);
    let mut spain = circle.start(es()).await;
    spain.work();
    let half = spain.until(&asked, |row| row.state == State::Half && row.index.is_some()).await;
    assert_eq!(spain.events(Kind::EvidenceHalf, 1).await, 1);
    let own = spain.node.sealing().seal.certificate().clone();
    let found = Settled::verify(&half.statement, &[&own], &circle.pki.anchors(), half.at).unwrap();
    assert!(found.statement.is_unanswered() && found.signatures == 1);
    assert_eq!(found.statement.txid, asked.txid.to_string());
    let digest = ledger::evidence::sha256(&asked.request);
    assert_eq!(found.statement.request.map(|bytes| bytes.0), Some(digest), "what Spain signed");
    spain.stop().await;
}

/// More rows than one turn takes, some answered while the turn looks: each ends in one state.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_rows_are_taken_turn_by_turn() {
    use gateway::background::deadline::TURN;
    use ledger::journal::{Journal as _, Row, Step};
    let circle = Circle::new();
    let (spain, denmark) = (circle.start(es()).await, circle.start(dk()).await);
    circle.ask().await.unwrap();
    let row = denmark.newest(Side::A).await.unwrap();
    let rows = (0..TURN + 10).map(|_| Row {
        txid: exchange::TransactionId::random(&exchange::SystemEntropy),
        ..row.clone()
    });
    // one whose request is damaged must not hold up the others
    let damaged = Row {
        txid: exchange::TransactionId::random(&exchange::SystemEntropy),
        state: State::Asked,
        request: b"not a statement".to_vec(),
        at: row.at - SignedDuration::from_hours(1),
        ..row.clone()
    };
    let rows = std::iter::once(damaged).chain(rows).collect();
    denmark.journal.commit(Step { replay: None, rows }).await.unwrap();
    circle.clock.advance(LATE);
    let mut deadline = Deadline::default();
    assert_eq!(deadline.turn(&denmark.node).await.unwrap(), TURN - 1, "bounded work");
    assert_eq!(deadline.turn(&denmark.node).await.unwrap(), 12);
    assert_eq!(deadline.turn(&denmark.node).await.unwrap(), 0);
    let halves = TURN as u64 + 11;
    assert_eq!(denmark.events(Kind::EvidenceHalf, halves).await, halves);
    spain.stop().await;
    denmark.stop().await;
}
