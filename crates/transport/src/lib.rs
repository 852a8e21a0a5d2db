//! Mutual TLS, certificate reload, listeners, limits, timeouts, problem responses.
//!
//! What this is: the only room with sockets. What it is not: it knows no SOAP and decides nothing
//! but who is at the other end of a connection.
//!
//! Start reading at [`tls`], then [`server`] and [`client`].

mod body;
pub mod client;
mod crowd;
pub mod gather;
mod held;
pub mod hop;
pub mod pieces;
pub mod plain;
pub mod problem;
pub mod refused;
pub mod server;
pub mod stream;
pub mod tls;

use std::net::SocketAddr;
use std::sync::Arc;

use exchange::Country;
use trust::certificate::Certificate;

/// Who is at the other end of a connection, known since its handshake.
#[derive(Debug, Clone)]
pub struct Peer(Arc<PeerInner>);

#[derive(Debug)]
struct PeerInner {
    certificate: Certificate,
    address: SocketAddr,
    group: Option<rustls::NamedGroup>,
}

impl Peer {
    /// Reads the certificate of a finished handshake; `None` when there is none that we understand.
    fn of(connection: &rustls::CommonState, address: SocketAddr) -> Option<Self> {
        let group =
            connection.negotiated_key_exchange_group().map(rustls::crypto::SupportedKxGroup::name);
        Self::new(connection.peer_certificates()?.first()?, group, address)
    }

    /// The same of a handshake that was somebody else's.
    pub(crate) fn new(
        certificate: &[u8],
        group: Option<rustls::NamedGroup>,
        address: SocketAddr,
    ) -> Option<Self> {
        let certificate = Certificate::from_der(certificate).ok()?;
        Some(Self(Arc::new(PeerInner { certificate, address, group })))
    }

    /// The TLS certificate, verified to a configured root.
    pub fn certificate(&self) -> &Certificate {
        &self.0.certificate
    }

    /// The country that it speaks for.
    pub fn country(&self) -> Option<Country> {
        self.0.certificate.country()
    }

    /// Where the connection comes from or goes to.
    pub fn address(&self) -> SocketAddr {
        self.0.address
    }

    /// The negotiated key exchange.
    pub fn key_exchange(&self) -> Option<rustls::NamedGroup> {
        self.0.group
    }
}
