//! Denmark and Spain, each startable, stoppable and startable again on its own ports and files.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::atomic::{AtomicI64, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use enclave::{Acceptance, Attestation, Use, Vault};
use exchange::{Clock, Country, DocumentClass, Entropy, Purpose, Side, SystemEntropy};
use gateway::audit::{Names, Trail};
use gateway::metrics::Metrics;
use gateway::national::kept::keep_all;
use gateway::national::store::Store;
use gateway::national::{Connector, DocumentStore};
use gateway::node::{NodeLimits, Sealing, Slots};
use gateway::secrets::PatientKeys;
use gateway::{Node, PeerCountry, background, listeners};
use identity::{AssertionCache, Policy};
use jiff::{SignedDuration, Timestamp};
use ledger::journal::{Journal as _, Row};
use ledger::log::{Log, sequence_once};
use siem::{Event, EventStore, Kind, Notes, PseudonymKey};
use sqlite::{Audit, Events, Journal, National};
use testbed::assertions::{Issuer, Visit};
use testbed::pki::{Pki, Role};
use testbed::portal::{Portal, PortalError};
use testbed::seed;
use testbed::world::{AGNETE, Citizen, Clinician, Land, MONTSERRAT};
use tokio_util::sync::CancellationToken;
use transport::client::{Client, ClientLimits};
use transport::server::{Bound, Limits};
use transport::tls::{ClientTls, Identity, ServerTls};
use trust::seal::SealKey;

/// The nodes' time runs ahead of the machine's by what the test says.
#[derive(Debug, Default)]
pub struct AheadClock(AtomicI64);

impl AheadClock {
    pub fn advance(&self, by: SignedDuration) {
        self.0.fetch_add(by.as_secs(), Ordering::Relaxed);
    }
}

impl Clock for AheadClock {
    fn now(&self) -> Timestamp {
        Timestamp::now() + SignedDuration::from_secs(self.0.load(Ordering::Relaxed))
    }
}

/// Two countries' ground: what outlives a node.
pub struct Circle {
    pub pki: Pki,
    pub clock: Arc<AheadClock>,
    /// Seals are issued under an intermediate CA.
    pub chained: bool,
    /// The time of a request.
    pub request: Duration,
    folder: tempfile::TempDir,
    ports: Vec<(Country, SocketAddr, SocketAddr)>,
}

/// A node that serves.
pub struct Post {
    pub node: Arc<Node>,
    pub journal: Arc<Journal>,
    events: Arc<Events>,
    country: Country,
    data: PathBuf,
    tasks: Vec<tokio::task::JoinHandle<()>>,
}

pub fn es() -> Country {
    Country::parse("ES").unwrap()
}

pub fn dk() -> Country {
    Country::parse("DK").unwrap()
}

/// A vault with a key that outlives it.
pub fn vault(country: Country) -> Vault {
    Vault::holding(country, &[(Use::Keep, &[3; 32]), (Use::Patients, &[4; 32])]).unwrap()
}

/// One that stays free while its node is not there: below those that the kernel gives to whoever
/// asks for any, and another one each time.
fn free_port() -> SocketAddr {
    static TAKEN: AtomicU32 = AtomicU32::new(0);
    loop {
        let next = std::process::id() * 64 + TAKEN.fetch_add(1, Ordering::Relaxed);
        let port = u16::try_from(10_240 + next % 20_000).unwrap();
        if let Ok(socket) = std::net::TcpListener::bind(("127.0.0.1", port)) {
            return socket.local_addr().unwrap();
        }
    }
}

impl Circle {
    pub fn new() -> Self {
        Self::with_seals(false)
    }

    pub fn with_seals(chained: bool) -> Self {
        Self {
            pki: Pki::of_the_world(Timestamp::now()),
            clock: Arc::default(),
            chained,
            request: Limits::default().request,
            folder: tempfile::tempdir().unwrap(),
            ports: [es(), dk()].map(|c| (c, free_port(), free_port())).to_vec(),
        }
    }

    fn ports(&self, country: Country) -> (SocketAddr, SocketAddr) {
        let found = self.ports.iter().find(|row| row.0 == country).unwrap();
        (found.1, found.2)
    }

    pub fn border(&self, country: Country) -> String {
        format!("https://{}", self.ports(country).1)
    }

    fn identity(&self, country: Country, role: Role) -> Identity {
        self.pki.tls(country, role)
    }

    pub fn seal(&self, country: Country) -> SealKey {
        if self.chained {
            self.pki.seal_below(country)
        } else {
            self.pki.identity(country, Role::Seal).seal_key()
        }
    }

    pub async fn start(&self, country: Country) -> Post {
        self.start_with(country, "", Arc::new(SystemEntropy)).await
    }

    /// Starts on the files of `country` and `suffix`.
    pub async fn start_with(
        &self,
        country: Country,
        suffix: &str,
        entropy: Arc<dyn Entropy>,
    ) -> Post {
        let data = self.folder.path().join(format!("{country}{suffix}"));
        std::fs::create_dir_all(&data).unwrap();
        let journal = Arc::new(Journal::open(&data.join("journal.db")).unwrap());
        let events = Arc::new(Events::open(&data.join("events.db")).unwrap());
        let store = Arc::new(National::open(&data.join("national.db")).unwrap());
        let (patients, documents) = seed::content(country);
        let documents = keep_all(&vault(country), documents).unwrap();
        store.import(patients, documents).await.unwrap();
        let node = Arc::new(self.node(country, entropy, &journal, &events, store));
        let mut tasks = Vec::new();
        let server = ServerTls::new(&self.identity(country, Role::ServiceProvider)).unwrap();
        let (national, border) = self.ports(country);
        let drain = Duration::from_millis(200);
        let limits = Limits { drain, request: self.request, ..Limits::default() };
        for (at, outer) in [(national, false), (border, true)] {
            let bound = Bound::tls(at, server.clone()).await.unwrap();
            let (stop, node) = (node.stop.clone(), Arc::clone(&node));
            tasks.push(tokio::spawn(bound.serve(limits, stop, move |peer, request| {
                let node = Arc::clone(&node);
                async move {
                    if outer {
                        listeners::border(node, limits, peer, request).await
                    } else {
                        listeners::national(node, limits, peer, request).await
                    }
                }
            })));
        }
        Post { node, journal, events, country, data, tasks }
    }

    fn node(
        &self,
        country: Country,
        entropy: Arc<dyn Entropy>,
        journal: &Arc<Journal>,
        events: &Arc<Events>,
        store: Arc<National>,
    ) -> Node {
        let land = Land::of(country).unwrap();
        let other = if country == es() { dk() } else { es() };
        let clock: Arc<dyn Clock> = Arc::clone(&self.clock) as Arc<dyn Clock>;
        let notes = Notes::start(Arc::clone(events) as Arc<dyn EventStore>, Arc::clone(&clock));
        let peer = PeerCountry {
            country: other,
            konfido: true,
            allow_plain: false,
            accepted: arc_swap::ArcSwap::from_pointee(Acceptance::software(&[
                Attestation::SimulatedInProcess,
            ])),
            newest: gateway::recipient::Newest::default(),
            client: self.client(country, other),
            recipients: Mutex::default(),
            fetching: tokio::sync::Mutex::default(),
            slots: Slots::default(),
            against: gateway::strict::Against::default(),
        };
        Node {
            eid: None,
            strict: None,
            country,
            community: land.community(),
            sealing: Arc::new(Sealing::new(self.seal(country), vault(country))).into(),
            seal_anchors: Arc::new(self.pki.anchors()),
            journal: Arc::clone(journal) as Arc<dyn ledger::journal::Journal>,
            notes: Arc::new(notes),
            trail: Some(Arc::new(self.trail(country))),
            patient_keys: PatientKeys::default(),
            pseudonyms: PseudonymKey::new([7; 32]).into(),
            assertions: AssertionCache::new(64),
            policy: Policy::default(),
            peers: [(other, Arc::new(peer))].into(),
            connector: Connector::Store(Store {
                documents: store,
                community: land.community(),
                repository: land.repository.to_owned(),
                country,
            }),
            metrics: Metrics::default(),
            limits: NodeLimits::default(),
            stop: CancellationToken::new(),
            clock,
            entropy,
        }
    }

    /// Records of ours that nobody fetches.
    fn trail(&self, country: Country) -> Trail {
        let path = self.folder.path().join(format!("audit-{country}.db"));
        let names = Names {
            consumer: "consumer".into(),
            provider: "provider".into(),
            source: format!("{country}-1"),
            community: "urn:oid:2.999".into(),
        };
        Trail::start(names, Arc::new(Audit::open(&path, 1000).unwrap()))
    }

    /// The way of `from`'s node to the border of `to`.
    pub fn client(&self, from: Country, to: Country) -> Client {
        let tls = ClientTls::new(&self.identity(from, Role::ServiceConsumer)).unwrap();
        Client::new(&self.border(to), Some(to), tls, ClientLimits::default())
    }

    /// Posts the head of a message of `from`'s to the border of `to`, and the rest never; gives
    /// what is answered.
    pub async fn begin_a_body(&self, from: Country, to: Country) -> String {
        use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
        let tls = ClientTls::new(&self.identity(from, Role::ServiceConsumer)).unwrap();
        let (host, port) = ("127.0.0.1".to_owned(), self.ports(to).1.port());
        let target = transport::stream::Target { host, port, country: Some(to), pin: None };
        let wait = Duration::from_secs(30);
        let (mut stream, _) = transport::stream::dial(&target, &tls, wait).await.unwrap();
        let path = exchange::Transaction::Query.service_path();
        let head = format!("POST {path} HTTP/1.1\r\nhost: a\r\ncontent-length: 9\r\n\r\n<");
        stream.write_all(head.as_bytes()).await.unwrap();
        stream.flush().await.unwrap();
        let mut answer = vec![0; 1024];
        let length = tokio::time::timeout(wait, stream.read(&mut answer)).await.unwrap().unwrap();
        String::from_utf8_lossy(&answer[..length]).into_owned()
    }

    /// Calls Spain's national listener with the certificate of this country.
    pub fn national_client(&self, from: Country) -> Client {
        let tls = ClientTls::new(&self.identity(from, Role::ServiceConsumer)).unwrap();
        let base = format!("https://localhost:{}", self.ports(es()).0.port());
        Client::new(&base, Some(es()), tls, ClientLimits::default())
    }

    pub fn visit(&self) -> Visit {
        self.visit_of(&AGNETE, Timestamp::now())
    }

    /// A visit of a patient that began at some time.
    pub fn visit_of(&self, patient: &Citizen, at: Timestamp) -> Visit {
        self.visit_by(&MONTSERRAT, patient, at)
    }

    /// A visit to somebody.
    pub fn visit_by(&self, who: &Clinician, patient: &Citizen, at: Timestamp) -> Visit {
        let seal = Arc::new(self.pki.identity(es(), Role::Seal).seal_key());
        let issuer = Issuer::new(es(), seal);
        let patient = patient.id();
        issuer.visit(who, Some(&patient), Purpose::Treatment, at, &SystemEntropy)
    }

    pub fn portal(&self) -> Portal {
        let tls = ClientTls::new(&self.identity(es(), Role::OpenncpClient)).unwrap();
        let url = format!("https://{}", self.ports(es()).0);
        let community = |country| Land::of(country).unwrap().community();
        Portal {
            client: Client::new(&url, Some(es()), tls, ClientLimits::default()),
            prefix: "/dk".to_owned(),
            own: community(es()),
            other: community(dk()),
        }
    }

    /// Sends a ready query of Spain's to Denmark, over Spain's node.
    pub async fn send(&self, message: &ihe::mtom::Package) {
        self.portal().send(exchange::Transaction::Query, message).await.unwrap();
    }

    /// A doctor in Spain lists a Danish patient's summaries.
    pub async fn ask(&self) -> Result<usize, PortalError> {
        self.ask_for(&AGNETE).await
    }

    pub async fn ask_for(&self, patient: &Citizen) -> Result<usize, PortalError> {
        let (class, visit) =
            (DocumentClass::PatientSummary, self.visit_of(patient, Timestamp::now()));
        let listed = self.portal().query(&visit, &patient.id(), class).await?;
        Ok(listed.entries.len())
    }
}

impl Post {
    /// Starts what goes on beside the requests.
    pub fn work(&mut self) {
        let log = self.log();
        self.tasks.extend(background::start(&self.node, log));
    }

    pub fn log(&self) -> Log {
        let origin = format!("konfido.example/{}", self.country.to_lower());
        Log::open(&self.data.join("log"), &origin, &self.data.join("log.key")).unwrap()
    }

    /// Gives what is ended its place, and writes no log.
    pub async fn journal_places(&self) {
        self.journal.sequence(0, 100).await.unwrap();
    }

    /// Moves what has a place into the log, and gives its leaves.
    pub async fn leaves(&self) -> Vec<Vec<u8>> {
        let mut log = self.log();
        sequence_once(self.journal.as_ref(), &mut log).await.unwrap();
        (0..log.size()).map(|index| log.entry(index).unwrap()).collect()
    }

    pub async fn stop(self) {
        self.node.stop.cancel();
        for task in self.tasks {
            task.await.unwrap();
        }
        let (node, journal) = (self.node, self.journal);
        tokio::task::spawn_blocking(move || {
            node.notes.close();
            journal.close();
        })
        .await
        .unwrap();
    }

    /// Our newest row of one side.
    pub async fn newest(&self, side: Side) -> Option<Row> {
        let rows = self.journal.newest(100).await.unwrap();
        rows.into_iter().find(|row| row.side == side)
    }

    /// Waits until the row of an exchange is as it should be.
    pub async fn until(&self, row: &Row, holds: impl Fn(&Row) -> bool) -> Row {
        let deadline = Instant::now() + Duration::from_secs(60);
        let side = if self.country == row.requester { Side::B } else { Side::A };
        loop {
            let found = self.journal.row(row.txid, side).await.unwrap();
            if let Some(found) = found.filter(|row| holds(row)) {
                return found;
            }
            assert!(Instant::now() < deadline, "the row did not become what it should");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// How many events of a kind there are, after all that was noted is kept.
    pub async fn events(&self, kind: Kind, expected: u64) -> u64 {
        let deadline = Instant::now() + Duration::from_secs(30);
        loop {
            let count = self.events.count(kind).unwrap();
            if count >= expected || Instant::now() > deadline {
                // one too many would come a moment later
                tokio::time::sleep(Duration::from_millis(100)).await;
                return self.events.count(kind).unwrap();
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// The newest event of a kind.
    pub fn newest_event(&self, kind: Kind) -> Option<Event> {
        self.events.newest_of(kind, 1).unwrap().pop()
    }

    /// Our own audit records, after all that was left is kept.
    pub async fn audited(&self) -> Vec<String> {
        let trail = Arc::clone(self.node.trail.as_ref().unwrap());
        let read = move || {
            trail.close();
            trail.spool.oldest(100).unwrap().into_iter().map(|(_, xml)| xml).collect()
        };
        tokio::task::spawn_blocking(read).await.unwrap()
    }

    /// A line of `/metrics`.
    pub fn metric(&self, name: &str) -> Option<String> {
        let text = self.node.metrics.text();
        let line = text.lines().find(|line| line.starts_with(&format!("konfido_{name}")));
        line.and_then(|line| line.rsplit(' ').next()).map(str::to_owned)
    }
}
