//! Sockets, bound before anything serves.

use std::net::SocketAddr;

use anyhow::Context as _;
use transport::server::Bound;
use transport::tls::{Identity, ServerTls};

use super::Setup;

/// Sockets of a node, bound.
pub struct Sockets {
    pub(super) national: Bound,
    pub(super) border: Bound,
    pub(super) admin: Bound,
    pub(super) audit: Option<Bound>,
    pub(super) eid: Option<(Bound, ServerTls)>,
    pub(super) server: ServerTls,
}

impl Sockets {
    /// Binds all listeners of a node.
    pub async fn bind(
        setup: &Setup,
        national: SocketAddr,
        border: SocketAddr,
        admin: SocketAddr,
    ) -> anyhow::Result<Self> {
        let server = ServerTls::new(&setup.provider).context("service provider certificate")?;
        let bound = |what: &'static str, at: SocketAddr| {
            move || format!("cannot bind the {what} listener at {at}")
        };
        Ok(Self {
            national: Bound::tls(national, server.clone())
                .await
                .with_context(bound("national", national))?,
            border: Bound::tls(border, server.clone())
                .await
                .with_context(bound("border", border))?,
            admin: Bound::plain(admin).await.with_context(bound("admin", admin))?,
            audit: None,
            eid: None,
            server,
        })
    }

    /// Binds the syslog-TLS listener for our own OpenNCP's audit records, too.
    pub async fn with_audit(mut self, address: SocketAddr) -> anyhow::Result<Self> {
        let bound = Bound::tls(address, self.server.clone()).await;
        self.audit =
            Some(bound.with_context(|| format!("cannot bind the audit listener at {address}"))?);
        Ok(self)
    }

    /// Binds the listener for browsers, too.
    pub async fn with_eid(mut self, address: SocketAddr, pages: &Identity) -> anyhow::Result<Self> {
        let tls = ServerTls::public(pages).context("[eid.pages] certificate")?;
        let bound = Bound::tls(address, tls.clone()).await;
        let bound = bound.with_context(|| format!("cannot bind the eid listener at {address}"))?;
        self.eid = Some((bound, tls));
        Ok(self)
    }

    /// Where browsers come.
    pub fn eid_address(&self) -> Option<SocketAddr> {
        self.eid.as_ref().and_then(|(bound, _)| bound.address().ok())
    }

    /// Where audit records go.
    pub fn audit_address(&self) -> Option<SocketAddr> {
        self.audit.as_ref().and_then(|bound| bound.address().ok())
    }

    /// (national, border, admin)
    pub fn addresses(&self) -> anyhow::Result<(SocketAddr, SocketAddr, SocketAddr)> {
        Ok((self.national.address()?, self.border.address()?, self.admin.address()?))
    }
}
