//! The test stand: certificates, the stub, two nodes with configurations as an operator would
//! write them, and the roads that lead to the stub.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use anyhow::Context as _;
use exchange::{Country, Purpose, SystemEntropy};
use jiff::Timestamp;
use testbed::assertions::{Issuer, Visit};
use testbed::documents::{Header, padded_summary};
use testbed::pki::{Pki, Role};
use testbed::portal::Portal;
use testbed::world::{AGNETE, BIRTHE, Land, MONTSERRAT};
use transport::client::{Client, ClientLimits};
use transport::tls::ClientTls;

use super::listener::Listener;
use super::nginx;
use super::process::{Process, free_ports};

/// Everything that the load is put on.
pub struct Stand {
    /// KONFIDO first; nginx only where it is installed; nothing in between last.
    pub roads: Vec<Road>,
    /// What was left out, and why.
    pub missing: Option<&'static str>,
    /// Answers for the OpenNCP of the country of affiliation.
    pub stub: Process,
    /// Unique id of the document.
    pub document: String,
    /// Its repository.
    pub repository: &'static str,
    issuer: Issuer,
}

/// A way from the clients to the stub.
pub struct Road {
    /// What the report calls it.
    pub name: &'static str,
    /// Where the clients ask.
    pub portal: Portal,
    /// B and A; empty when there is nothing in between.
    pub gateways: Vec<Process>,
    /// Where they bring their audit records.
    pub repositories: Vec<Process>,
}

/// What all processes of a stand are told.
pub struct Site<'a> {
    /// Where files go.
    pub dir: &'a Path,
    /// Certificates; they are in `pki/` of the folder, too.
    pub pki: &'a Pki,
    /// Where the stub listens.
    pub stub: u16,
    /// Country of treatment.
    pub es: Land,
    /// Country of affiliation.
    pub dk: Land,
}

impl Stand {
    /// Writes certificates and configurations, and starts everything.
    pub async fn start(dir: &Path, document: usize, vaults: bool) -> anyhow::Result<Self> {
        let pki = Pki::of_the_world(Timestamp::now());
        pki.write(&dir.join("pki"))?;
        let land = |code| Land::of(Country::parse(code)?).copied().context("unknown country");
        let (es, dk) = (land("ES")?, land("DK")?);
        let [stub] = free_ports()?;
        let site = Site { dir, pki: &pki, stub, es, dk };
        let (stub, document) = site.stub(document).await?;
        let mut roads = vec![site.konfido(KONFIDO).await?];
        if vaults {
            roads.push(site.konfido(IN_NODES).await?);
            roads.push(site.konfido(HOP_IN_VAULTS).await?);
        }
        let nginx = nginx::road(&site).await?;
        let missing = nginx.is_none().then_some(nginx::MISSING);
        roads.extend(nginx);
        let direct = site.portal(Role::ServiceConsumer, dk.country(), site.stub, "")?;
        roads.push(Road {
            name: DIRECT,
            portal: direct,
            gateways: Vec::new(),
            repositories: Vec::new(),
        });
        let seal = Arc::new(pki.identity(es.country(), Role::Seal).seal_key());
        let issuer = Issuer::new(es.country(), seal);
        Ok(Self { roads, missing, stub, document, repository: dk.repository, issuer })
    }

    /// The road through KONFIDO.
    pub fn konfido(&self) -> &Road {
        &self.roads[0]
    }

    /// Assertions of a visit of the Danish patient in Spain.
    pub fn visit(&self) -> Visit {
        let (patient, now) = (AGNETE.id(), Timestamp::now());
        self.issuer.visit(&MONTSERRAT, Some(&patient), Purpose::Treatment, now, &SystemEntropy)
    }
}

impl Site<'_> {
    /// A file of the certificates.
    pub fn file(&self, land: &Land, role: Role, kind: &str) -> PathBuf {
        let country = land.country().to_lower();
        self.dir.join("pki").join(country).join(format!("{}.{kind}", role.stem()))
    }

    /// Clients of Spain towards a listener of `country`.
    pub fn portal(
        &self,
        role: Role,
        country: Country,
        port: u16,
        prefix: &str,
    ) -> anyhow::Result<Portal> {
        let tls = ClientTls::new(&self.pki.tls(self.es.country(), role))?;
        let url = format!("https://127.0.0.1:{port}");
        Ok(Portal {
            client: Client::new(&url, Some(country), tls, ClientLimits::default()),
            prefix: prefix.to_owned(),
            own: self.es.community(),
            other: self.dk.community(),
        })
    }

    async fn stub(&self, size: usize) -> anyhow::Result<(Process, String)> {
        let header = Header {
            patient: &AGNETE,
            author: &BIRTHE,
            id: (self.dk.repository, "BENCH-1"),
            source: None,
            created: Timestamp::now(),
        };
        let file = self.dir.join("document.xml");
        fs::write(&file, padded_summary(&header, size))?;
        let id = header.unique_id();
        let mut command = Command::new(std::env::current_exe()?);
        command.args(["bench", "stub", "--id", &id]).arg("--document").arg(file);
        Listener::tell(&mut command, self, &self.dk, self.stub);
        command.args(["--repository", self.dk.repository]);
        command.args(["--community", self.dk.community().as_str()]);
        let stub = Process::start(&mut command, &self.dir.join("stub.log"), self.stub).await?;
        Ok((stub, id))
    }

    async fn konfido(&self, name: &'static str) -> anyhow::Result<Road> {
        let b: [u16; 3] = free_ports()?;
        let a: [u16; 3] = free_ports()?;
        let openncp = format!("connector = \"openncp\"\nurl = \"https://127.0.0.1:{}\"", self.stub);
        let store = "connector = \"store\"";
        let (b_node, b_audit) = self.node(&self.es, b, (&self.dk, a[1]), store, name).await?;
        let (a_node, a_audit) = self.node(&self.dk, a, (&self.es, b[1]), &openncp, name).await?;
        let (gateways, repositories) = (vec![b_node, a_node], vec![b_audit, a_audit]);
        let prefix = format!("/{}", self.dk.country().to_lower());
        let portal = self.portal(Role::OpenncpClient, self.es.country(), b[0], &prefix)?;
        Ok(Road { name, portal, gateways, repositories })
    }

    /// `konfido run` with a configuration of its own, and the repository of its country's audit
    /// records; ports are those of national, border, admin.
    async fn node(
        &self,
        land: &Land,
        ports: [u16; 3],
        peer: (&Land, u16),
        national: &str,
        road: &str,
    ) -> anyhow::Result<(Process, Process)> {
        let (suffix, vault) = match road {
            IN_NODES => ("-here", "[vault]\nhome = \"here\"\n"),
            HOP_IN_VAULTS => ("-hop", "[vault]\nlast_hop = \"vault\"\n"),
            _ => ("", ""),
        };
        let country = format!("{}{suffix}", land.country().to_lower());
        let file = self.dir.join(format!("{country}.toml"));
        let [audit] = free_ports()?;
        let mut repository = Command::new(std::env::current_exe()?);
        repository.args(["bench", "repository"]);
        Listener::tell(&mut repository, self, land, audit);
        let log = self.dir.join(format!("{country}-repository.log"));
        let repository = Process::start(&mut repository, &log, audit).await?;
        let told = configuration(land, ports, audit, peer, national);
        let data = format!("data_dir = \"{country}\"");
        let told = told.replace(&format!("data_dir = \"{}\"", land.country().to_lower()), &data);
        let peer = if road == IN_NODES { "vault = \"simulated\"\n" } else { "" };
        fs::write(&file, format!("{told}{peer}{vault}"))?;
        let mut command = Command::new(std::env::current_exe()?);
        command.arg("run").arg("--config").arg(&file);
        let log = self.dir.join(format!("{country}.log"));
        Ok((Process::start(&mut command, &log, ports[2]).await?, repository))
    }
}

fn configuration(
    land: &Land,
    [own, border, admin]: [u16; 3],
    audit: u16,
    (peer, peer_border): (&Land, u16),
    national: &str,
) -> String {
    let (country, lower) = (land.country(), land.country().to_lower());
    let pair = |role: Role| {
        let stem = format!("pki/{lower}/{}", role.stem());
        format!("certificate = \"{stem}.pem\", key = \"{stem}.key\"")
    };
    let (consumer, provider) = (pair(Role::ServiceConsumer), pair(Role::ServiceProvider));
    let seal = pair(Role::Seal).replace(", ", "\n");
    let (community, repository) = (land.community(), land.repository);
    let peer = peer.country();
    format!(
        "[node]
country = \"{country}\"
home_community_id = \"{community}\"
repository_id = \"{repository}\"
data_dir = \"{lower}\"

[listen]
national = \"127.0.0.1:{own}\"
border = \"127.0.0.1:{border}\"
admin = \"127.0.0.1:{admin}\"

[tls]
roots = \"pki/ca.pem\"
service_consumer = {{ {consumer} }}
service_provider = {{ {provider} }}

[seal]
{seal}
roots = \"pki/ca.pem\"

[national]
{national}

[audit]
repository = \"127.0.0.1:{audit}\"

[[peer]]
country = \"{peer}\"
url = \"https://127.0.0.1:{peer_border}\"
"
    )
}

/// The road through two nodes.
pub const KONFIDO: &str = "konfido pair";
/// The same with the private keys in the nodes.
pub const IN_NODES: &str = "konfido pair, keys in the nodes";
/// The first one, where the vaults end the connections of their own OpenNCP.
pub const HOP_IN_VAULTS: &str = "konfido pair, last hop in the vaults";
/// The road without anything in between.
pub const DIRECT: &str = "stub directly";
