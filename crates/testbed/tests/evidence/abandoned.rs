//! Requests that take longer than they may.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use exchange::{Side, Transaction};
use ledger::journal::State;
use siem::Kind;

use crate::circle::{Circle, dk, es};

/// DICOM PS3.15 A.5: a serious failure.
const FAILED: &str = "EventOutcomeIndicator=\"8\"";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_over_its_time_leaves_an_event_and_an_audit_record_in_both_countries() {
    let mut circle = Circle::new();
    circle.request = Duration::from_secs(8);
    let (spain, denmark) = (circle.start(es()).await, circle.start(dk()).await);
    circle.ask().await.unwrap();
    // Denmark has no place for Spain
    let slots = &denmark.node.peers[&es()].slots.answering;
    let mut taken = Vec::new();
    while let Ok(place) = tokio::time::timeout(Duration::from_millis(50), slots.place()).await {
        taken.push(place.unwrap());
    }
    assert!(circle.ask().await.is_err());

    assert_eq!(spain.events(Kind::ExchangeAbandoned, 1).await, 1);
    let event = spain.newest_event(Kind::ExchangeAbandoned).unwrap();
    assert_eq!((event.side, event.transaction), (Some(Side::B), Some(Transaction::Query)));
    assert_eq!(event.peer, Some(dk()));
    assert!(event.patient.is_some() && event.professional.is_some());
    assert!(event.micros >= 7_900_000, "{}", event.micros);
    let row = spain.newest(Side::B).await.unwrap();
    assert_eq!((event.txid, row.state), (Some(row.txid), State::Asked), "it becomes a half");
    let count =
        "exchanges_total{side=\"B\",transaction=\"ITI-38\",peer=\"DK\",outcome=\"abandoned\"}";
    assert_eq!(spain.metric(count).as_deref(), Some("1"));
    assert_eq!(spain.events(Kind::ExchangeAnswered, 1).await, 1, "the one before");

    assert_eq!(denmark.events(Kind::ExchangeAbandoned, 1).await, 1);
    let event = denmark.newest_event(Kind::ExchangeAbandoned).unwrap();
    assert_eq!((event.side, event.peer), (Some(Side::A), Some(es())));
    assert_eq!(event.transaction, None, "it was never opened");
    let why = STANDARD.encode("ERROR_GENERIC: given up before its end");
    for post in [&spain, &denmark] {
        let records = post.audited().await;
        let told = records.iter().filter(|xml| xml.contains(&why) && xml.contains(FAILED)).count();
        assert_eq!((told, records.len()), (1, 2), "one for each exchange");
    }
    drop(taken);
    spain.stop().await;
    denmark.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_over_its_time_leaves_an_event_while_its_body_is_still_read() {
    let mut circle = Circle::new();
    circle.request = Duration::from_millis(500);
    let denmark = circle.start(dk()).await;
    let answer = circle.begin_a_body(es(), dk()).await;
    assert!(answer.starts_with("HTTP/1.1 503 "), "{answer}");
    assert_eq!(denmark.events(Kind::MessageUnreadable, 1).await, 1);
    let event = denmark.newest_event(Kind::MessageUnreadable).unwrap();
    assert_eq!((event.number, event.peer), (503, Some(es())));
    denmark.stop().await;
}
