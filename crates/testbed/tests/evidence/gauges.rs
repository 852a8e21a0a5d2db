//! What an operator watches: evidence and audit records that wait, certificates that end.

use exchange::{Clock as _, Side};
use gateway::background::gauges;
use jiff::SignedDuration;

use crate::circle::{Circle, dk, es};

const HALF: &str = "evidence_waiting{waits_for=\"other-half\"}";
const LOG: &str = "evidence_waiting{waits_for=\"log\"}";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn evidence_that_waits_is_counted_until_it_is_in_the_log() {
    let circle = Circle::new();
    let (mut spain, denmark) = (circle.start(es()).await, circle.start(dk()).await);
    circle.ask().await.unwrap();
    for post in [&spain, &denmark] {
        gauges::look(&post.node).await;
    }
    // nobody brings receipts or writes the log yet
    assert_eq!(denmark.metric(HALF).as_deref(), Some("1"));
    assert_eq!(denmark.metric(LOG).as_deref(), Some("0"));
    assert_eq!(spain.metric(HALF).as_deref(), Some("0"));
    assert_eq!(spain.metric(LOG).as_deref(), Some("1"));
    // a place in the journal is not yet in the log
    spain.journal_places().await;
    gauges::look(&spain.node).await;
    assert_eq!(spain.metric(LOG).as_deref(), Some("1"));

    let row = spain.newest(Side::B).await.unwrap();
    spain.work();
    spain.until(&row, |row| row.index.is_some()).await;
    for _ in 0..1500 {
        gauges::look(&spain.node).await;
        gauges::look(&denmark.node).await;
        if spain.metric(LOG).as_deref() == Some("0") && denmark.metric(HALF).as_deref() == Some("0")
        {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    assert_eq!(spain.metric(LOG).as_deref(), Some("0"));
    assert_eq!(spain.metric("log_size").as_deref(), Some("1"));
    assert_eq!(denmark.metric(HALF).as_deref(), Some("0"));
    spain.stop().await;
    denmark.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn days_are_counted_for_each_certificate() {
    let circle = Circle::new();
    let spain = circle.start(es()).await;
    let metrics = &spain.node.metrics;
    let now = circle.clock.now();
    metrics.certificate("seal", now + SignedDuration::from_hours(36));
    metrics.certificate("service_consumer", now + SignedDuration::from_hours(240));
    metrics.days(now);
    assert_eq!(spain.metric("certificate_days{role=\"seal\"}").as_deref(), Some("1.5"));
    metrics.days(now + SignedDuration::from_hours(48));
    assert_eq!(
        spain.metric("certificate_days{role=\"seal\"}").as_deref(),
        Some("-0.5"),
        "it ended"
    );
    // renewed
    metrics.certificate("seal", now + SignedDuration::from_hours(72));
    metrics.days(now);
    assert_eq!(spain.metric("certificate_days{role=\"seal\"}").as_deref(), Some("3.0"));
    let other = spain.metric("certificate_days{role=\"service_consumer\"}");
    assert_eq!(other.as_deref(), Some("10.0"));
    spain.stop().await;
}
