//! Where a process that stands for somebody of a country listens.

use std::path::PathBuf;
use std::process::Command;

use testbed::pki::Role;
use testbed::world::Land;
use transport::server::Bound;
use transport::tls::{Identity, ServerTls};

use super::stand::Site;

/// A port on loopback with mutual TLS.
#[derive(clap::Args, Clone)]
pub struct Listener {
    /// Where it listens on loopback
    #[arg(long)]
    port: u16,
    /// Its certificate
    #[arg(long)]
    certificate: PathBuf,
    /// Its key
    #[arg(long)]
    key: PathBuf,
    /// Roots of its clients
    #[arg(long)]
    roots: PathBuf,
}

impl Listener {
    /// Takes the port.
    pub async fn bind(&self) -> anyhow::Result<Bound> {
        let identity = Identity::read(&self.certificate, &self.key, &self.roots)?;
        let address = ([127, 0, 0, 1], self.port).into();
        Ok(Bound::tls(address, ServerTls::new(&identity)?).await?)
    }

    /// Says so on the command line of a process that stands for a country's OpenNCP.
    pub fn tell(command: &mut Command, site: &Site<'_>, land: &Land, port: u16) {
        command.arg("--port").arg(port.to_string());
        command.arg("--certificate").arg(site.file(land, Role::OpenncpServer, "pem"));
        command.arg("--key").arg(site.file(land, Role::OpenncpServer, "key"));
        command.arg("--roots").arg(site.dir.join("pki/ca.pem"));
    }
}
