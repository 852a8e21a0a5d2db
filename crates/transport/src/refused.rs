//! Connections that ended before a request of theirs could be answered.
//!
//! The listener tells whoever asked for it ([`crate::server::Bound::on_refused`]); it counts and
//! keeps nothing by itself. Strangers cause these, so whoever listens must bound what it does.

use std::net::SocketAddr;
use std::sync::Arc;

use crate::Peer;

/// Why a connection was given up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// No TLS, no client certificate, one that leads to no root, or no common version.
    Handshake,
    /// The handshake did not end within [`crate::server::Limits::handshake`].
    SlowHandshake,
    /// The certificate is not one that we can read.
    Certificate,
    /// What came is not HTTP/1.1, or its headers are too long.
    NotHttp,
    /// Its country has half of the listener's places already.
    Crowded,
    /// The headers of the first request did not come within [`crate::server::Limits::headers`].
    SlowHeaders,
}

impl Reason {
    /// A stable word for logs.
    pub fn name(self) -> &'static str {
        match self {
            Self::Handshake => "handshake",
            Self::SlowHandshake => "slow-handshake",
            Self::Certificate => "certificate",
            Self::NotHttp => "not-http",
            Self::Crowded => "crowded",
            Self::SlowHeaders => "slow-headers",
        }
    }
}

/// A connection that was given up.
#[derive(Debug, Clone)]
pub struct Refused {
    /// Why.
    pub reason: Reason,
    /// Where it came from.
    pub address: SocketAddr,
    /// Who it was, once the handshake was done.
    pub peer: Option<Peer>,
}

/// Who is told. Called from the connection's own task; it must not block.
pub type OnRefused = Arc<dyn Fn(Refused) + Send + Sync>;

/// How HTTP ended, as far as the sender is to blame. A connection that was used before may fall
/// silent or close as it likes, and a request that breaks off in its body is its handler's to note.
pub(crate) fn of_http(error: &hyper::Error, served: bool) -> Option<Reason> {
    if error.is_parse() {
        Some(Reason::NotHttp)
    } else if error.is_timeout() && !served {
        Some(Reason::SlowHeaders)
    } else if error.is_incomplete_message() && !served {
        Some(Reason::NotHttp)
    } else {
        None
    }
}
