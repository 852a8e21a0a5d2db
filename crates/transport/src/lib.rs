//! Mutual TLS, certificate reload, listeners, limits, timeouts, problem responses.
//!
//! What this is: the only room with sockets. What it is not: it knows no SOAP and decides nothing
//! but who is at the other end of a connection.
//!
//! Start reading at [`tls`], then [`server`] and [`client`].

pub mod client;
pub mod problem;
pub mod server;
pub mod tls;

use std::sync::Arc;

use exchange::Country;
use trust::certificate::Certificate;

/// Who is at the other end of a connection, known since its handshake.
#[derive(Debug, Clone)]
pub struct Peer(Arc<PeerInner>);

#[derive(Debug)]
struct PeerInner {
    certificate: Certificate,
    group: Option<rustls::NamedGroup>,
}

impl Peer {
    fn new(certificate: Certificate, group: Option<rustls::NamedGroup>) -> Self {
        Self(Arc::new(PeerInner { certificate, group }))
    }

    /// The TLS certificate, verified to a configured root.
    pub fn certificate(&self) -> &Certificate {
        &self.0.certificate
    }

    /// The country that it speaks for.
    pub fn country(&self) -> Option<Country> {
        self.0.certificate.country()
    }

    /// The negotiated key exchange.
    pub fn key_exchange(&self) -> Option<rustls::NamedGroup> {
        self.0.group
    }
}
