//! A country's node as an operator installs it: `konfido.toml` in a folder of its own, certificates,
//! data. For tests that start real processes.

use std::fs;
use std::io::{self, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use enclave::{Use, Vault, keyfile};
use exchange::SystemEntropy;
use gateway::national::kept::keep_all;
use gateway::national::{Document, DocumentStore as _, Patient};
use sqlite::National;
use transport::client::{Client, ClientLimits};
use transport::tls::{ClientTls, TlsError};

use crate::pki::{Pki, Role};
use crate::portal::Portal;
use crate::world::Land;

/// One country's installation.
#[derive(Debug, Clone)]
pub struct Site {
    /// Which country.
    pub land: &'static Land,
    /// Everything of it is in here.
    pub dir: PathBuf,
    /// For its own OpenNCP.
    pub national: SocketAddr,
    /// For other countries.
    pub border: SocketAddr,
    /// For the operator.
    pub admin: SocketAddr,
}

impl Site {
    /// A site in `dir`, on three free loopback ports that nobody else is given.
    pub fn new(land: &'static Land, dir: &Path) -> io::Result<Self> {
        let dir = std::path::absolute(dir)?;
        Ok(Self { land, dir, national: free()?, border: free()?, admin: free()? })
    }

    /// `konfido.toml`.
    pub fn config(&self) -> PathBuf {
        self.dir.join("konfido.toml")
    }

    /// Where the node keeps its databases and its log.
    pub fn data(&self) -> PathBuf {
        self.dir.join("data")
    }

    /// Writes the configuration, the certificates and an empty data folder.
    pub fn write(&self, pki: &Pki, peers: &[&Self]) -> io::Result<()> {
        fs::create_dir_all(self.data())?;
        pki.write(&self.dir.join("pki"))?;
        let of_country = format!("pki/{}", self.land.country().to_lower());
        let pair = |role: Role| {
            let stem = format!("{of_country}/{}", role.stem());
            format!("certificate = \"{stem}.pem\"\nkey = \"{stem}.key\"\n")
        };
        let (consumer, provider) = (pair(Role::ServiceConsumer), pair(Role::ServiceProvider));
        let (seal, land) = (pair(Role::Seal), self.land);
        let (national, border, admin) = (self.national, self.border, self.admin);
        let mut toml = format!(
            "[node]\ncountry = \"{}\"\nhome_community_id = \"{}\"\nrepository_id = \"{}\"\ndata_dir = \"data\"\n\n\
             [listen]\nnational = \"{national}\"\nborder = \"{border}\"\nadmin = \"{admin}\"\n\n\
             [tls]\nroots = \"pki/ca.pem\"\n[tls.service_consumer]\n{consumer}[tls.service_provider]\n{provider}\n\
             [seal]\nroots = \"pki/ca.pem\"\n{seal}",
            land.code, land.community, land.repository,
        );
        for peer in peers {
            let (code, border) = (peer.land.code, peer.border);
            toml.push_str(&format!(
                "\n[[peer]]\ncountry = \"{code}\"\nurl = \"https://{border}\"\n"
            ));
        }
        fs::write(self.config(), toml)
    }

    /// Fills the built-in store, under the key that the vault of this node will find in its file.
    pub async fn import(
        &self,
        (patients, documents): (Vec<Patient>, Vec<Document>),
    ) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
        let key = keyfile::key(&self.data(), "documents.key", "lose all", &SystemEntropy)?;
        let vault = Vault::holding(self.land.country(), &[(Use::Keep, key.as_ref())])?;
        let store = National::open(&self.data().join("national.db"))?;
        store.import(patients, keep_all(&vault, documents)?).await?;
        store.close();
        Ok(())
    }

    /// A page of its admin listener, with the head of the answer. Waits a second for it: a listener that
    /// is bound may not be served yet.
    pub fn page(&self, path: &str) -> io::Result<String> {
        let mut stream = TcpStream::connect(self.admin)?;
        stream.set_read_timeout(Some(Duration::from_secs(1)))?;
        write!(stream, "GET {path} HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n")?;
        let mut text = String::new();
        stream.read_to_string(&mut text)?;
        Ok(text)
    }

    /// Whether its node serves.
    pub fn ready(&self) -> bool {
        self.page("/readyz").is_ok_and(|page| page.starts_with("HTTP/1.1 200"))
    }

    /// The OpenNCP of this country, asking its own node for `other`.
    pub fn portal(&self, pki: &Pki, other: &Self) -> Result<Portal, TlsError> {
        let country = self.land.country();
        let tls = ClientTls::new(&pki.tls(country, Role::OpenncpClient))?;
        let url = format!("https://{}", self.national);
        Ok(Portal {
            client: Client::new(&url, Some(country), tls, ClientLimits::default()),
            prefix: format!("/{}", other.land.country().to_lower()),
            own: self.land.community(),
            other: other.land.community(),
        })
    }
}

/// A free loopback port. It stays its site's while the node is down: below the range from which the
/// system takes ports by itself, and given once in this process.
pub fn free() -> io::Result<SocketAddr> {
    static GIVEN: AtomicU32 = AtomicU32::new(0);
    loop {
        let given = GIVEN.fetch_add(1, Ordering::Relaxed);
        if given >= PORTS {
            return Err(io::ErrorKind::AddrInUse.into());
        }
        // processes that run at the same time begin far from each other
        let place = (std::process::id().wrapping_mul(997) + given) % PORTS;
        let port = u16::try_from(10_000 + place).expect("because it is below 32768");
        let address = SocketAddr::from(([127, 0, 0, 1], port));
        if TcpListener::bind(address).is_ok() {
            return Ok(address);
        }
    }
}

/// From 10000 up.
const PORTS: u32 = 22_000;
