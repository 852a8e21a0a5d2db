//! Assembling one node: open the stores, bind every socket, log every address, then serve.

mod running;
mod sockets;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use anyhow::Context as _;
use arc_swap::ArcSwap;
use enclave::tsm::{Configfs, Tsm};
use enclave::{Acceptance, Use, Vault};
use exchange::{Clock, Country, Entropy, Oid, SystemClock, SystemEntropy};
use gateway::audit::forward::Forwarder;
use gateway::audit::{Names, Spool, Trail};
use gateway::background::share::{self, Shared};
use gateway::door::Door;
use gateway::last_hop::VaultDoor;
use gateway::metrics::Metrics;
use gateway::national::store::Store;
use gateway::national::{Connector, DocumentStore};
use gateway::node::{NodeLimits, Sealing, Slots};
use gateway::secrets::PatientKeys;
use gateway::strict::{self, Strict};
use gateway::witness::Witness;
use gateway::{Node, PeerCountry, background, listeners};
use identity::session::Keeper;
use identity::{AssertionCache, Policy};
use siem::{Event, EventStore, Kind, Notes, PseudonymKey};
use sqlite::Events;
use tokio_util::sync::CancellationToken;
use transport::client::{Client, ClientLimits};
use transport::hop::{LastHop, Terminator};
use transport::server::{Bound, Limits};
use transport::stream::Target;
use transport::tls::{ClientTls, Identity};
use trust::certificate::{Anchors, Certificate};
use trust::private::PrivateKey;

use crate::config::{Audit, Peer};
use crate::custody::{Custody, LogHolder};
use crate::{documents, eid, journal, seals};
use running::{CONSUMER, PROVIDER, SEAL, certificates};

pub use running::Running;
pub use sockets::Sockets;

/// What a node is made of.
pub struct Setup {
    /// Which country.
    pub country: Country,
    /// Its home community.
    pub community: Oid,
    /// Its repository's unique id.
    pub repository: String,
    /// Where everything is kept.
    pub data: PathBuf,
    /// Name of the log.
    pub origin: String,
    /// TLS client towards other countries (service consumer).
    pub consumer: Identity,
    /// TLS server towards everybody (service provider).
    pub provider: Identity,
    /// Seal key and chain.
    pub seal: (PrivateKey, Vec<u8>),
    /// Who holds the private keys.
    pub custody: Custody,
    /// What the vault may do with the documents that it keeps.
    pub keeping: Use,
    /// It ends the TLS connections of our own OpenNCP.
    pub last_hop: bool,
    /// What we accept of every peer's vault, where a policy says it.
    pub acceptance: Option<Acceptance>,
    /// Linux' configfs-tsm makes evidence about our vault.
    pub tsm: bool,
    /// Roots of seal certificates.
    pub seal_anchors: Anchors,
    /// An OpenNCP behind us; without it the built-in store answers.
    pub openncp: Option<String>,
    /// Longest body.
    pub limits: Limits,
    /// Where our own audit records go.
    pub audit: Option<Audit>,
    /// Logins by eID and wallet.
    pub eid: Option<eid::Setup>,
    /// What this country decides by itself.
    pub policy: Policy,
    /// How long evidence waits for its other half.
    pub receipt_deadline: jiff::SignedDuration,
    /// Where our evidence is shared; nowhere when missing.
    pub shared: Option<Shared>,
    /// Documents against receipts, where evidence is shared.
    pub strict: strict::Terms,
}

/// Opens the stores and serves on the sockets.
pub fn start(setup: Setup, sockets: Sockets, peers: Vec<Peer>) -> anyhow::Result<Running> {
    std::fs::create_dir_all(&setup.data)
        .with_context(|| format!("cannot make {}", setup.data.display()))?;
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let entropy: Arc<dyn Entropy> = Arc::new(SystemEntropy);
    let client = ClientTls::new(&setup.consumer).context("service consumer certificate")?;
    let events = Arc::new(Events::open(&setup.data.join("events.db")).context("events.db")?);
    let vault = vault(&setup.custody, setup.country, setup.keeping, &setup.data, setup.tsm)?;
    let journal = Arc::new(journal::open(&setup.data, &vault)?);
    let store = Arc::new(documents::open(&setup.data, &vault)?);
    let holder = Arc::new(LogHolder::default());
    let folder = setup.data.join("log");
    let log = setup.custody.log(&folder, &setup.origin, &holder).context("log")?;
    let pseudonyms = enclave::keyfile::key(
        &setup.data,
        "pseudonym.key",
        "have new pseudonyms",
        entropy.as_ref(),
    )?;
    let pseudonyms = Arc::new(PseudonymKey::new(*pseudonyms));
    let notes =
        Arc::new(Notes::start(Arc::clone(&events) as Arc<dyn EventStore>, Arc::clone(&clock)));
    notes.note(Event::new(clock.now(), Kind::NodeStarted));
    let (audit, trail) = trail(&setup)?.unzip();
    let connector = match &setup.openncp {
        Some(url) => Connector::OpenNcp(Client::new(
            url,
            Some(setup.country),
            client.clone(),
            ClientLimits::default(),
        )),
        None => Connector::Store(Store {
            documents: Arc::clone(&store) as Arc<dyn DocumentStore>,
            community: setup.community.clone(),
            repository: setup.repository.clone(),
            country: setup.country,
        }),
    };
    let seal = seals::open(&setup.data, &setup.seal)?;
    let sessions = setup.eid.as_ref().map(|_| {
        let opened = sqlite::Sessions::open(&setup.data.join("sessions.db"), eid::MOST_SESSIONS);
        opened.map(Arc::new).context("sessions.db")
    });
    let sessions = sessions.transpose()?;
    let front = setup.eid.zip(sessions.clone()).map(|(eid, store)| {
        let lent = eid::Lent {
            country: setup.country,
            community: setup.community.clone(),
            clock: Arc::clone(&clock),
            entropy: Arc::clone(&entropy),
            witness: Witness {
                notes: Arc::clone(&notes),
                trail: trail.clone(),
                pseudonyms: Arc::clone(&pseudonyms),
            },
            keeper: Keeper::new(
                store,
                setup.custody.secret(&setup.data, entropy.as_ref())?,
                Arc::clone(&entropy),
            ),
            spent: Arc::default(),
        };
        eid::assemble(eid, lent)
    });
    let strict = setup.shared.as_ref().map(|shared| {
        let folder = setup.data.join("strict");
        Strict::open(&shared.socket, folder, setup.strict).map_err(anyhow::Error::msg)
    });
    let node = Arc::new(Node {
        strict: strict.transpose()?,
        eid: front.transpose()?.map(ArcSwap::from_pointee),
        country: setup.country,
        community: setup.community,
        sealing: Arc::new(Sealing::new(seal, vault)).into(),
        seal_anchors: Arc::new(setup.seal_anchors),
        journal: Arc::clone(&journal) as Arc<dyn ledger::journal::Journal>,
        notes,
        trail,
        patient_keys: PatientKeys::default(),
        pseudonyms,
        assertions: AssertionCache::new(ASSERTIONS),
        policy: setup.policy,
        peers: peers
            .into_iter()
            .map(|peer| (peer.country, Arc::new(row(peer, setup.acceptance.as_ref(), &client))))
            .collect::<BTreeMap<_, _>>(),
        connector,
        metrics: Metrics::default(),
        limits: NodeLimits { receipt_deadline: setup.receipt_deadline, ..NodeLimits::default() },
        stop: CancellationToken::new(),
        clock,
        entropy,
    });
    let last_hop = LastHop::default();
    if setup.last_hop {
        last_hop.replace(ends(&node, &node.sealing().vault, &setup.provider));
    }
    let (consumer, provider) = (&setup.consumer.chain, &setup.provider.chain);
    certificates(&node, &[(CONSUMER, consumer), (PROVIDER, provider), (SEAL, &setup.seal.1)])?;
    let mut background = Vec::new();
    if let Some(shared) = setup.shared {
        let (log, cursor) = (log.beside().context("log")?, setup.data.join("shared.json"));
        background.push(tokio::spawn(share::share(Arc::clone(&node), log, shared, cursor)));
        background.push(tokio::spawn(strict::work(Arc::clone(&node))));
    }
    background.extend(background::start(&node, log));
    background.push(tokio::spawn(gateway::eid::renew(Arc::clone(&node))));
    if let (Some(trail), Some(to)) = (&node.trail, setup.audit) {
        let country = Some(node.country);
        let forwarder = Forwarder {
            trail: Arc::clone(trail),
            repository: Target { host: to.host, port: to.port, country, pin: None },
            tls: client.clone(),
            host: format!("konfido-{}", node.country.to_lower()),
            clock: Arc::clone(&node.clock),
            notes: Arc::clone(&node.notes),
        };
        background.push(tokio::spawn(forwarder.run(node.stop.clone())));
    }
    let national = sockets.national.ended_by(last_hop.clone());
    let (national, border) = (watched(national, &node), watched(sockets.border, &node));
    let mut tasks = serve(&node, national, border, sockets.admin, setup.limits);
    let mut pages = None;
    if let Some((bound, tls)) = sockets.eid {
        let (n, stop) = (Arc::clone(&node), node.stop.clone());
        tasks.push(tokio::spawn(watched(bound, &node).serve(
            setup.limits,
            stop,
            move |_, request| listeners::public(Arc::clone(&n), request),
        )));
        pages = Some(tls);
    }
    if let Some(audit) = sockets.audit {
        let audit = watched(audit, &node);
        let (stop, n) = (node.stop.clone(), Arc::clone(&node));
        tasks.push(tokio::spawn(audit.serve_streams(
            setup.limits,
            stop,
            move |stream, peer, stop| gateway::audit::receive(Arc::clone(&n), stream, peer, stop),
        )));
    }
    Ok(Running {
        node,
        store,
        events,
        tasks,
        background,
        journal,
        audit,
        sessions,
        pages,
        server: sockets.server,
        client,
        data: setup.data,
        tsm: setup.tsm,
        keeping: setup.keeping,
        last_hop: Some(last_hop).filter(|_| setup.last_hop),
        holder,
    })
}

/// The vault, as who ends the connections of our own OpenNCP, where it can.
fn ends(node: &Arc<Node>, vault: &Vault, own: &Identity) -> Option<Arc<dyn Terminator>> {
    let door = VaultDoor::new(vault, &own.chain, Arc::clone(&node.clock))?;
    Some(Arc::new(door))
}

/// The trail of our own audit records, when there is somewhere to bring them.
fn trail(setup: &Setup) -> anyhow::Result<Option<(Arc<sqlite::Audit>, Arc<Trail>)>> {
    let Some(audit) = &setup.audit else { return Ok(None) };
    let name = |identity: &Identity| -> anyhow::Result<String> {
        let all = Certificate::from_pem(&identity.chain)?;
        Ok(all.first().context("no certificate")?.common_name().to_owned())
    };
    let names = Names {
        consumer: name(&setup.consumer)?,
        provider: name(&setup.provider)?,
        source: audit.source.clone(),
        community: format!("urn:oid:{}", setup.community),
    };
    let spool = sqlite::Audit::open(&setup.data.join("audit.db"), audit.most_waiting);
    let spool = Arc::new(spool.context("audit.db")?);
    let trail = Trail::start(names, Arc::clone(&spool) as Arc<dyn Spool>);
    Ok(Some((spool, Arc::new(trail))))
}

/// Connections that end before a request leave an event, too.
fn watched(bound: Bound, node: &Arc<Node>) -> Bound {
    let (door, node) = (Door::default(), Arc::clone(node));
    bound.on_refused(Arc::new(move |refused| door.refused(&node, &refused)))
}

fn serve(
    node: &Arc<Node>,
    national: Bound,
    border: Bound,
    admin: Bound,
    limits: Limits,
) -> Vec<tokio::task::JoinHandle<()>> {
    let stop = node.stop.clone();
    let (n, b, a) = (Arc::clone(node), Arc::clone(node), Arc::clone(node));
    vec![
        tokio::spawn(national.serve(limits, stop.clone(), move |peer, request| {
            listeners::national(Arc::clone(&n), limits, peer, request)
        })),
        tokio::spawn(border.serve(limits, stop.clone(), move |peer, request| {
            listeners::border(Arc::clone(&b), limits, peer, request)
        })),
        tokio::spawn(admin.serve(limits, stop, move |_, request| {
            let node = Arc::clone(&a);
            async move { listeners::admin(&node, &request) }
        })),
    ]
}

/// The vault, with evidence of hardware where that is configured.
fn vault(
    custody: &Custody,
    country: Country,
    keeping: Use,
    data: &Path,
    tsm: bool,
) -> anyhow::Result<Vault> {
    let vault = custody.vault(country, keeping, data)?;
    Ok(if tsm { vault.attested(Box::new(Tsm(Configfs::new()))) } else { vault })
}

fn row(peer: Peer, policy: Option<&Acceptance>, tls: &ClientTls) -> PeerCountry {
    PeerCountry {
        client: Client::pinned(
            &peer.url,
            Some(peer.country),
            peer.pin,
            tls.clone(),
            ClientLimits { request: peer.answer, ..ClientLimits::default() },
        ),
        country: peer.country,
        konfido: peer.konfido,
        allow_plain: peer.allow_plain,
        accepted: ArcSwap::from_pointee(policy.cloned().unwrap_or(peer.accepted)),
        newest: gateway::recipient::Newest::default(),
        recipients: Mutex::default(),
        fetching: tokio::sync::Mutex::default(),
        slots: Slots::new(peer.exchanges),
        against: peer.against,
    }
}

/// Verified assertions that are remembered: about 30 MB at most.
const ASSERTIONS: usize = 10_000;
