//! A country's node as an operator installs it: `konfido.toml` in a folder of its own, certificates,
//! data. For tests that start real processes.

use std::fs;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};

use transport::client::{Client, ClientLimits};
use transport::tls::{ClientTls, Identity, TlsError};

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
    /// A site in `dir`, on three loopback ports that are free just now.
    pub fn new(land: &'static Land, dir: &Path) -> io::Result<Self> {
        // all three are held until all are known: else one could be given twice
        let held = (0..3).map(|_| TcpListener::bind("127.0.0.1:0")).collect::<io::Result<Vec<_>>>();
        let ports = held?.iter().map(TcpListener::local_addr).collect::<io::Result<Vec<_>>>()?;
        let dir = std::path::absolute(dir)?;
        Ok(Self { land, dir, national: ports[0], border: ports[1], admin: ports[2] })
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

    /// The OpenNCP of this country, asking its own node for `other`.
    pub fn portal(&self, pki: &Pki, other: &Self) -> Result<Portal, TlsError> {
        let country = self.land.country();
        let identity = pki.identity(country, Role::OpenncpClient);
        let tls = ClientTls::new(&Identity {
            chain: identity.chain_pem().into_bytes(),
            key: identity.key_pem().as_bytes().to_vec(),
            roots: pki.ca_pem().into_bytes(),
        })?;
        let url = format!("https://{}", self.national);
        Ok(Portal {
            client: Client::new(&url, Some(country), tls, ClientLimits::default()),
            prefix: format!("/{}", other.land.country().to_lower()),
            own: self.land.community(),
            other: other.land.community(),
        })
    }
}
