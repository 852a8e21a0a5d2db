//! What an operator sees of a running node: `/readyz` and `/metrics`.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};

use exchange::{Country, DocumentClass};
use gateway::background::gauges;
use testbed::world::{AGNETE, MONTSERRAT};

use super::Circle;

fn country(code: &str) -> Country {
    Country::parse(code).unwrap()
}

async fn page(at: SocketAddr, path: &'static str) -> String {
    let read = move || {
        let mut socket = TcpStream::connect(at).unwrap();
        write!(socket, "GET {path} HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n").unwrap();
        let mut text = String::new();
        socket.read_to_string(&mut text).unwrap();
        text
    };
    tokio::task::spawn_blocking(read).await.unwrap()
}

/// The number behind a metric.
fn number(page: &str, metric: &str) -> f64 {
    let line = page.lines().find(|line| line.starts_with(metric));
    let line = line.unwrap_or_else(|| panic!("{metric} is missing in {page}"));
    line.rsplit(' ').next().unwrap().parse().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_waits_and_what_ends_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let circle = Circle::start(dir.path()).await.unwrap();
    let (es, dk) = (country("ES"), country("DK"));
    let admin = circle.addresses(es).2;
    let before = page(admin, "/readyz").await;
    assert!(before.contains("audit repository not tried yet, 0 records wait\n"), "{before}");
    let visit = circle.visit(&MONTSERRAT, Some(&AGNETE));
    let portal = circle.portal(es, dk).unwrap();
    portal.query(&visit, &AGNETE.id(), DocumentClass::PatientSummary).await.unwrap();
    let node = &circle.node(es).node;
    let mut all = String::new();
    for _ in 0..600 {
        gauges::look(node).await;
        all = page(admin, "/metrics").await;
        let done = number(&all, "konfido_log_size") >= 1.0
            && number(&all, "konfido_evidence_waiting{waits_for=\"log\"}") < 0.5
            && node.trail.as_ref().unwrap().reached() == Some(true)
            && number(&all, "konfido_audit_waiting") < 0.5;
        if done {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    assert!(number(&all, "konfido_log_size") >= 1.0, "{all}");
    assert!(number(&all, "konfido_evidence_waiting{waits_for=\"log\"}") < 0.5, "{all}");
    assert!(number(&all, "konfido_evidence_waiting{waits_for=\"other-half\"}") < 0.5, "{all}");
    for role in ["service_consumer", "service_provider", "seal"] {
        let days = number(&all, &format!("konfido_certificate_days{{role=\"{role}\"}}"));
        assert!((364.0..366.0).contains(&days), "{role}: {days}");
    }
    assert!(number(&all, "konfido_notes_dropped_total") < 0.5);
    let ready = page(admin, "/readyz").await;
    assert!(ready.contains("audit repository reachable, 0 records wait\n"), "{ready}");
    assert!(ready.contains("evidence waiting 0 for the other half, 0 for the log\n"), "{ready}");
    circle.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restarted_node_gives_the_same_pseudonyms() {
    let dir = tempfile::tempdir().unwrap();
    let mut found = Vec::new();
    for _ in 0..2 {
        let circle = Circle::start(dir.path()).await.unwrap();
        let of = |code| circle.node(country(code)).node.pseudonyms.of("patient", "1");
        found.push([of("ES"), of("DK")]);
        circle.stop().await;
    }
    assert_eq!(found[0], found[1]);
    assert_ne!(found[0][0], found[0][1], "but each country its own");
}
