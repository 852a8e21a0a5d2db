//! The demo's circle of trust: three nodes with generated certificates, on ports that the system
//! chooses.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use enclave::{Acceptance, Attestation, Use};
use exchange::{Country, SystemEntropy};
use gateway::national::DocumentStore as _;
use gateway::national::kept::keep_all;
use gateway::node::Slots;
use gateway::strict::Against;
use jiff::Timestamp;
use testbed::assertions::{Issuer, Visit};
use testbed::pki::{Pki, Role};
use testbed::portal::Portal;
use testbed::repository::Repository;
use testbed::world::{AGNETE, Citizen, Clinician, JORDI, LANDS, Land, MONTSERRAT};
use testbed::{seed, world};
use transport::client::{Client, ClientLimits};
use transport::server::Limits;
use transport::tls::ClientTls;

use super::counter::{self, Front};
use super::ledger::Validators;
use crate::config::{Audit, Listen, Peer};
use crate::custody::{self, Custody};
use crate::node::{Running, Setup, Sockets, start};

/// Three countries.
pub struct Circle {
    dir: PathBuf,
    /// Their certificates.
    pub pki: Pki,
    nodes: Vec<(Country, Running, (SocketAddr, SocketAddr, SocketAddr))>,
    audits: Vec<(Country, SocketAddr)>,
    repositories: Vec<(Country, Repository)>,
    fronts: Vec<Front>,
    /// The shared ledger; none where this program cannot start itself (tests).
    pub validators: Option<Validators>,
}

/// Italy has no KONFIDO in the eyes of Spain: plain IHE, one-sided evidence.
const PLAIN: [(&str, &str); 2] = [("ES", "IT"), ("IT", "ES")];

impl Circle {
    /// Makes certificates, binds, starts, and imports the documents.
    pub async fn start(dir: &Path) -> anyhow::Result<Self> {
        Self::start_among(dir, |_, _| true).await
    }

    /// The same; `agreed(own, other)` says which countries a node has a row for.
    pub async fn start_among(
        dir: &Path,
        agreed: impl Fn(&str, &str) -> bool,
    ) -> anyhow::Result<Self> {
        let pki = Pki::of_the_world(Timestamp::now());
        pki.write(&dir.join("pki"))?;
        let validators = custody::program().map(|_| Validators::start(dir, &pki)).transpose()?;
        let loopback: SocketAddr = ([127, 0, 0, 1], 0).into();
        let (mut bound, mut audits, mut repositories) = (Vec::new(), Vec::new(), Vec::new());
        let mut fronts = Vec::new();
        for land in &LANDS {
            let server = pki.tls(land.country(), Role::OpenncpServer);
            let repository = Repository::start(&server, loopback).await?;
            let data = dir.join(land.country().to_lower());
            let mut setup = setup(&pki, land, &data, repository.address());
            setup.shared = validators.as_ref().and_then(|all| all.shared(land.country()));
            repositories.push((land.country(), repository));
            let pages = Front::pages(land.country(), &pki);
            let listen = Listen { audit: Some(loopback), ..Listen::all(loopback) };
            let sockets = Sockets::bind(&setup, listen, Some((loopback, &pages))).await?;
            let port = sockets.eid_address().context("no eid listener")?.port();
            let url = format!("https://localhost:{port}");
            let (national, ..) = sockets.addresses()?;
            fronts.push(Front::start(land.country(), url, national, &pki).await?);
            audits.extend(sockets.audit_address().map(|at| (land.country(), at)));
            let addresses = sockets.addresses()?;
            bound.push((land.country(), setup, sockets, addresses));
        }
        let borders: Vec<(Country, SocketAddr)> =
            bound.iter().map(|(c, _, _, a)| (*c, a.1)).collect();
        let mut nodes = Vec::new();
        for (country, mut setup, sockets, addresses) in bound {
            let peers = borders.iter().filter(|(other, _)| *other != country);
            let peers = peers.filter(|(other, _)| agreed(country.as_str(), other.as_str())).map(
                |(other, border)| {
                    let plain = PLAIN.contains(&(country.as_str(), other.as_str()));
                    Peer {
                        country: *other,
                        url: format!("https://{border}"),
                        konfido: !plain,
                        allow_plain: plain,
                        pin: None,
                        answer: ClientLimits::default().request,
                        exchanges: Slots::EACH,
                        accepted: Acceptance::software(&Attestation::ALL),
                        against: Against::default(),
                        strict: None,
                    }
                },
            );
            let pages = Front::pages(country, &pki);
            setup.eid = Some(counter::setup(country, &fronts, pages, &setup.data)?);
            let plain = PLAIN.iter().any(|(own, _)| *own == country.as_str());
            setup.keeping = if plain { Use::HandOut } else { Use::Keep };
            setup.custody = Custody::lodge(&mut setup)?;
            let running = start(setup, sockets, peers.collect())?;
            let (patients, documents) = seed::content(country);
            let documents = keep_all(&running.node.sealing().vault, documents).context("vault")?;
            running.store.import(patients, documents).await.context("import")?;
            nodes.push((country, running, addresses));
        }
        Ok(Self { dir: dir.to_owned(), pki, nodes, audits, repositories, fronts, validators })
    }

    /// Where a country's people sign in.
    pub fn front(&self, country: Country) -> &Front {
        let found = self.fronts.iter().find(|front| front.country == country);
        found.expect("because the story stays in its countries")
    }

    /// A country's node.
    pub fn node(&self, country: Country) -> &Running {
        &self
            .nodes
            .iter()
            .find(|(c, _, _)| *c == country)
            .expect("because the story stays in its countries")
            .1
    }

    /// Where Denmark's validator shows the shared ledger.
    pub async fn ledger_page(&self) -> Option<String> {
        let statuses = self.validators.as_ref()?.statuses().await;
        let at = statuses.iter().find(|status| status["member"] == "DK")?["http"].as_str()?;
        Some(format!("http://{at}/"))
    }

    /// The countries with a node.
    pub fn countries(&self) -> Vec<Country> {
        self.nodes.iter().map(|(country, ..)| *country).collect()
    }

    /// (national, border, admin) of a country.
    pub fn addresses(&self, country: Country) -> (SocketAddr, SocketAddr, SocketAddr) {
        self.nodes
            .iter()
            .find(|(c, _, _)| *c == country)
            .expect("because the story stays in its countries")
            .2
    }

    /// Sends one audit record as the OpenNCP of a country does.
    pub async fn audit(&self, country: Country, record: &str) -> anyhow::Result<()> {
        use tokio::io::AsyncWriteExt as _;
        let (_, at) =
            self.audits.iter().find(|(c, _)| *c == country).context("no audit listener")?;
        let tls = ClientTls::new(&self.pki.tls(country, Role::OpenncpClient))?;
        let target = transport::stream::Target {
            host: at.ip().to_string(),
            port: at.port(),
            country: Some(country),
            pin: None,
        };
        let (mut stream, _) =
            transport::stream::dial(&target, &tls, Duration::from_secs(5)).await?;
        // OpenNCP's own priority, which RFC 5424 would write <106>
        let message =
            format!("<132>1 {} openncp-stand-in - - - - \u{feff}{record}", Timestamp::now());
        stream.write_all(format!("{} {message}", message.len()).as_bytes()).await?;
        stream.shutdown().await?;
        Ok(())
    }

    /// The records that a country's audit repository has.
    pub fn audited(&self, country: Country) -> Vec<String> {
        let found = self.repositories.iter().find(|(c, _)| *c == country);
        found.map(|(_, repository)| repository.records()).unwrap_or_default()
    }

    /// Leaves those records as files, for other programs.
    pub fn keep_audited(&self, country: Country) -> anyhow::Result<()> {
        let folder = self.dir.join("audit");
        std::fs::create_dir_all(&folder)?;
        for (number, record) in self.audited(country).iter().enumerate() {
            std::fs::write(folder.join(format!("{}-{number}.xml", country.to_lower())), record)?;
        }
        Ok(())
    }

    /// Where a country's node keeps its files.
    pub fn data(&self, country: Country) -> PathBuf {
        self.dir.join(country.to_lower())
    }

    /// Roots of all certificates.
    pub fn root_file(&self) -> PathBuf {
        self.dir.join("pki").join("ca.pem")
    }

    /// The OpenNCP of `from`, asking its own node for `to`.
    pub fn portal(&self, from: Country, to: Country) -> anyhow::Result<Portal> {
        let tls = ClientTls::new(&self.pki.tls(from, Role::OpenncpClient))?;
        let url = format!("https://{}", self.addresses(from).0);
        let community = |country| Land::of(country).map(Land::community).context("unknown country");
        Ok(Portal {
            client: Client::new(&url, Some(from), tls, ClientLimits::default()),
            prefix: format!("/{}", to.to_lower()),
            own: community(from)?,
            other: community(to)?,
        })
    }

    /// Assertions of a visit.
    pub fn visit(&self, clinician: &Clinician, patient: Option<&Citizen>) -> Visit {
        let country = clinician.land().country();
        let seal = Arc::new(self.pki.identity(country, Role::Seal).seal_key());
        let patient = patient.map(Citizen::id);
        Issuer::new(country, seal).visit(
            clinician,
            patient.as_ref(),
            exchange::Purpose::Treatment,
            Timestamp::now(),
            &SystemEntropy,
        )
    }

    /// Describes the running circle for other programs (`world.json`), with fresh assertions.
    pub fn write_world(&self) -> anyhow::Result<()> {
        let assertions = self.dir.join("assertions");
        std::fs::create_dir_all(&assertions)?;
        for (name, clinician) in [("doctor", &MONTSERRAT), ("pharmacist", &JORDI)] {
            let visit = self.visit(clinician, Some(&AGNETE));
            std::fs::write(assertions.join(format!("{name}-hcp.xml")), &visit.hcp)?;
            if let Some(trc) = &visit.trc {
                std::fs::write(assertions.join(format!("{name}-trc.xml")), trc)?;
            }
        }
        let pki = std::path::absolute(self.dir.join("pki"))?;
        let mut all = serde_json::Map::new();
        for (country, _, (national, border, admin)) in &self.nodes {
            let land = Land::of(*country).context("unknown country")?;
            let file = |role: Role, kind: &str| {
                pki.join(country.to_lower()).join(format!("{}.{kind}", role.stem()))
            };
            let audit =
                self.audits.iter().find(|(c, _)| c == country).map(|(_, at)| at.to_string());
            let patients: Vec<_> = world::citizens(*country).map(|c| c.number).collect();
            all.insert(
                country.to_string(),
                serde_json::json!({
                    "community": land.community().as_str(),
                    "repository": land.repository,
                    "national": format!("https://{national}"),
                    "border": format!("https://{border}"),
                    "admin": format!("http://{admin}"),
                    "audit": audit,
                    "openncp_cert": file(Role::OpenncpClient, "pem"),
                    "openncp_key": file(Role::OpenncpClient, "key"),
                    "consumer_cert": file(Role::ServiceConsumer, "pem"),
                    "consumer_key": file(Role::ServiceConsumer, "key"),
                    "seal_cert": file(Role::Seal, "pem"),
                    "seal_key": file(Role::Seal, "key"),
                    "patients": patients,
                    "patient": { "root": land.patient_root, "extension": patients.first() },
                }),
            );
        }
        all.insert("roots".into(), serde_json::json!(pki.join("ca.pem")));
        std::fs::write(self.dir.join("world.json"), serde_json::to_string_pretty(&all)?)?;
        Ok(())
    }

    /// Stops all nodes; nothing acknowledged is lost.
    pub async fn stop(self) {
        for (_, running, _) in self.nodes {
            running.stop().await;
        }
        for front in self.fronts {
            front.stop().await;
        }
    }
}

pub(super) fn setup(pki: &Pki, land: &Land, data: &Path, repository: SocketAddr) -> Setup {
    let country = land.country();
    let seal = pki.identity(country, Role::Seal);
    Setup {
        country,
        community: land.community(),
        repository: land.repository.to_owned(),
        data: data.to_owned(),
        origin: origin(country),
        consumer: pki.tls(country, Role::ServiceConsumer),
        provider: pki.tls(country, Role::ServiceProvider),
        seal: (seal.key_pem().as_bytes().to_vec().into(), seal.chain_pem().into_bytes()),
        custody: Custody::Here,
        keeping: Use::Keep,
        last_hop: true,
        acceptance: None,
        tsm: false,
        seal_anchors: pki.anchors(),
        openncp: None,
        // on loopback nobody is slow but on purpose
        limits: Limits { body_time: Duration::from_secs(10), ..Limits::default() },
        audit: Some(Audit {
            host: repository.ip().to_string(),
            port: repository.port(),
            source: format!("{country}-1"),
            most_waiting: 10_000,
        }),
        eid: None,
        policy: identity::Policy::default(),
        receipt_deadline: gateway::node::NodeLimits::default().receipt_deadline,
        shared: None,
        strict: gateway::strict::Terms::default(),
    }
}

/// The name of a country's log.
pub fn origin(country: Country) -> String {
    format!("konfido.example/{}", country.to_lower())
}

impl Circle {
    /// Leaves the submission and its discard as ITI-41 bodies with inline base64, for other programs.
    pub fn write_submissions(
        &self,
        portal: &Portal,
        dispensed: &ihe::xdr::Submission,
        discarded: &ihe::xdr::Submission,
    ) -> anyhow::Result<()> {
        use base64::Engine as _;
        for (name, submission) in [("submission", dispensed), ("discard", discarded)] {
            // another dispensation than the story's, which was discarded and cannot come back
            let unique_id = format!("{}-judge", submission.unique_id);
            let submission = ihe::xdr::Submission { unique_id, ..submission.clone() };
            let from = ihe::xdr::Submitter {
                community: &portal.own,
                country: "ES",
                language: "es-ES",
                at: Timestamp::now(),
                set_id: "2.25.1",
            };
            let (body, part) = submission.render(&from);
            let start = body.find("<xop:Include").context("no include")?;
            let end = start + body[start..].find("/>").context("no include")? + 2;
            let inline = base64::engine::general_purpose::STANDARD.encode(&part.bytes);
            std::fs::write(
                self.dir.join(format!("{name}.xml")),
                format!("{}{inline}{}", &body[..start], &body[end..]),
            )?;
        }
        Ok(())
    }
}
