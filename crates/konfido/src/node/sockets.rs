//! Sockets, bound before anything serves.

use std::net::SocketAddr;

use anyhow::Context as _;
use transport::server::Bound;
use transport::tls::{Identity, ServerTls};

use super::Setup;
use crate::config::Listen;

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
    /// Binds all listeners of a node; that of the operator last, so that all take connections when it does.
    pub async fn bind(
        setup: &Setup,
        at: Listen,
        eid: Option<(SocketAddr, &Identity)>,
    ) -> anyhow::Result<Self> {
        let server = ServerTls::new(&setup.provider).context("service provider certificate")?;
        let national = tls("national", at.national, &server).await?;
        let border = tls("border", at.border, &server).await?;
        let audit = match at.audit {
            Some(address) => Some(tls("audit", address, &server).await?),
            None => None,
        };
        let eid = match eid {
            Some((address, pages)) => {
                let public = ServerTls::public(pages).context("[eid.pages] certificate")?;
                Some((tls("eid", address, &public).await?, public))
            }
            None => None,
        };
        let admin = Bound::plain(at.admin).await.with_context(|| cannot("admin", at.admin))?;
        Ok(Self { national, border, admin, audit, eid, server })
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

async fn tls(what: &str, address: SocketAddr, server: &ServerTls) -> anyhow::Result<Bound> {
    Bound::tls(address, server.clone()).await.with_context(|| cannot(what, address))
}

fn cannot(what: &str, address: SocketAddr) -> String {
    format!("cannot bind the {what} listener at {address}")
}
