//! Our own audit records reach the repository, whatever happens on the way.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use exchange::{Clock, Country, Side, SystemClock};
use gateway::audit::forward::Forwarder;
use gateway::audit::{Names, Spool, Trail};
use jiff::Timestamp;
use siem::{EventStore, Kind, Notes};
use sqlite::{Audit, Events};
use testbed::pki::{Pki, Role, SealKind};
use testbed::repository::Repository;
use tokio::io::AsyncReadExt as _;
use tokio_util::sync::CancellationToken;
use transport::server::{Bound, Limits};
use transport::stream::Target;
use transport::tls::{ClientTls, Identity, ServerTls};

struct World {
    pki: Pki,
    dir: tempfile::TempDir,
    address: SocketAddr,
}

impl World {
    fn new() -> Self {
        let pki = Pki::new(&[country()], SealKind::P256, Timestamp::now());
        let address = testbed::site::free().unwrap();
        Self { pki, dir: tempfile::tempdir().unwrap(), address }
    }

    fn identity(&self, role: Role) -> Identity {
        self.pki.tls(country(), role)
    }

    fn trail(&self, most: u64) -> (Arc<Audit>, Arc<Trail>) {
        let spool = Arc::new(Audit::open(&self.dir.path().join("audit.db"), most).unwrap());
        let names = Names {
            consumer: "consumer".into(),
            provider: "provider".into(),
            source: "ES-1".into(),
            community: "urn:oid:1.2".into(),
        };
        (Arc::clone(&spool), Arc::new(Trail::start(names, spool)))
    }

    fn forwarder(&self, trail: &Arc<Trail>) -> (Forwarder, Arc<Events>) {
        let events = events(self.dir.path());
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let store = Arc::clone(&events) as Arc<dyn EventStore>;
        let forwarder = Forwarder {
            trail: Arc::clone(trail),
            repository: Target {
                host: self.address.ip().to_string(),
                port: self.address.port(),
                country: Some(country()),
                pin: None,
            },
            tls: ClientTls::new(&self.identity(Role::ServiceConsumer)).unwrap(),
            host: "konfido-es".into(),
            notes: Arc::new(Notes::start(store, Arc::clone(&clock))),
            clock,
        };
        (forwarder, events)
    }

    async fn repository(&self) -> Repository {
        Repository::start(&self.identity(Role::OpenncpServer), self.address).await.unwrap()
    }
}

fn country() -> Country {
    Country::parse("ES").unwrap()
}

fn events(dir: &Path) -> Arc<Events> {
    Arc::new(Events::open(&dir.join("events.db")).unwrap())
}

/// Leaves records whose times tell them apart.
fn leave(trail: &Trail, seconds: std::ops::Range<i64>) {
    for second in seconds {
        let at = Timestamp::from_second(second).unwrap();
        trail.leave(trail.draft(Side::B, ("DK", "ncp.example.dk"), at));
    }
}

/// The different records that a repository has, waiting until there are as many as expected.
async fn received(repository: &Repository, expected: usize) -> usize {
    for _ in 0..6000 {
        let mut found = repository.records();
        found.sort();
        found.dedup();
        if found.len() >= expected {
            return found.len();
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    0
}

#[tokio::test(flavor = "multi_thread")]
async fn records_wait_for_a_repository_that_is_down() {
    let world = World::new();
    let (spool, trail) = world.trail(100);
    let (forwarder, _) = world.forwarder(&trail);
    let stop = CancellationToken::new();
    let task = tokio::spawn(forwarder.run(stop.clone()));
    leave(&trail, 0..3);
    for _ in 0..1000 {
        if spool.waiting().unwrap() == 3 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    // it is tried in vain meanwhile
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_eq!(spool.waiting().unwrap(), 3);
    let repository = world.repository().await;
    assert_eq!(received(&repository, 3).await, 3);
    stop.cancel();
    task.await.unwrap();
    assert_eq!(spool.waiting().unwrap(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn records_of_an_earlier_run_are_brought_by_the_next() {
    let world = World::new();
    let (spool, trail) = world.trail(100);
    leave(&trail, 0..5);
    trail.close();
    spool.close();
    let (_, trail) = world.trail(100);
    let repository = world.repository().await;
    let (forwarder, _) = world.forwarder(&trail);
    let stop = CancellationToken::new();
    tokio::spawn(forwarder.run(stop.clone()));
    assert_eq!(received(&repository, 5).await, 5);
    stop.cancel();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repository_that_hangs_up_gets_the_records_again() {
    let world = World::new();
    let (_, trail) = world.trail(1000);
    leave(&trail, 0..300);
    let server = ServerTls::new(&world.identity(Role::OpenncpServer)).unwrap();
    let bound = Bound::tls(world.address, server).await.unwrap();
    let hangs_up = CancellationToken::new();
    let (took, mut taken) = tokio::sync::mpsc::channel(16);
    let rude = tokio::spawn(bound.serve_streams(
        Limits::default(),
        hangs_up.clone(),
        move |mut stream, _, _| {
            let took = took.clone();
            async move {
                let mut some = [0; 3000];
                let _ = stream.read_exact(&mut some).await;
                let _ = took.send(()).await;
            }
        },
    ));
    let (forwarder, _) = world.forwarder(&trail);
    let stop = CancellationToken::new();
    tokio::spawn(forwarder.run(stop.clone()));
    taken.recv().await.unwrap();
    hangs_up.cancel();
    rude.await.unwrap();
    let repository = world.repository().await;
    assert_eq!(received(&repository, 300).await, 300);
    stop.cancel();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_does_not_fit_the_spool_is_one_event_with_its_count() {
    let world = World::new();
    let (spool, trail) = world.trail(2);
    leave(&trail, 0..1);
    while spool.waiting().unwrap() < 1 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    leave(&trail, 1..6);
    let (forwarder, events) = world.forwarder(&trail);
    let stop = CancellationToken::new();
    tokio::spawn(forwarder.run(stop.clone()));
    let lost = |events: &Events| {
        let all = events.newest(10).unwrap();
        all.iter().filter(|e| e.kind == Kind::AuditDropped).map(|e| e.number).sum::<u64>()
    };
    for _ in 0..500 {
        if lost(&events) + spool.waiting().unwrap() == 6 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert!(lost(&events) >= 4, "{}", lost(&events));
    assert_eq!(lost(&events) + spool.waiting().unwrap(), 6);
    stop.cancel();
}
