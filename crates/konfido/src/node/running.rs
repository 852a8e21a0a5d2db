//! A node that serves: what SIGHUP renews, and how it stops.

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Context as _;
use enclave::Use;
use gateway::Node;
use gateway::node::Sealing;
use siem::{Event, Kind};
use sqlite::{Events, Journal, National};
use transport::hop::LastHop;
use transport::tls::{ClientTls, ServerTls};
use trust::certificate::Certificate;

use crate::check::{Files, remember};
use crate::custody::LogHolder;
use crate::{documents, eid, journal, seals};

/// A node that serves.
pub struct Running {
    /// The node.
    pub node: Arc<Node>,
    /// Its built-in store.
    pub store: Arc<National>,
    /// Its events.
    pub events: Arc<Events>,
    pub(super) tasks: Vec<tokio::task::JoinHandle<()>>,
    pub(super) background: Vec<tokio::task::JoinHandle<()>>,
    pub(super) journal: Arc<Journal>,
    pub(super) audit: Option<Arc<sqlite::Audit>>,
    pub(super) sessions: Option<Arc<sqlite::Sessions>>,
    pub(super) pages: Option<ServerTls>,
    pub(super) server: ServerTls,
    pub(super) client: ClientTls,
    pub(super) data: PathBuf,
    pub(super) tsm: bool,
    pub(super) keeping: Use,
    pub(super) last_hop: Option<LastHop>,
    pub(super) holder: Arc<LogHolder>,
}

impl Running {
    /// Replaces certificates with their keys, roots and revocation lists; on an error the old ones
    /// stay. What was believed under the old roots is forgotten.
    pub fn reload(&self, files: Files) -> anyhow::Result<()> {
        let seal = seals::open(&self.data, &files.seal)?;
        if let (Some(running), Some(eid), Some(tls)) = (&self.node.eid, files.eid, &self.pages) {
            let pages = eid.pages.clone();
            let mut lent = eid::Lent::of(&running.load());
            let secret = files.custody.secret(&self.data, self.node.entropy.as_ref())?;
            lent.keeper = lent.keeper.held_by(secret);
            let next = eid::assemble(eid, lent)?;
            tls.reload(&pages).context("[eid.pages] certificate")?;
            running.store(Arc::new(next));
        }
        self.client.reload(&files.consumer).context("service consumer certificate")?;
        let chains = [
            (CONSUMER, &*files.consumer.chain),
            (PROVIDER, &*files.provider.chain),
            (SEAL, &*files.seal.1),
        ];
        certificates(&self.node, &chains)?;
        self.node.seal_anchors.replace(files.seal_anchors);
        // a vault process was started with the keys as they are now; one in the node has no other key
        let (custody, country) = (&files.custody, self.node.country);
        let vault = super::vault(custody, country, self.keeping, &self.data, self.tsm)?;
        documents::fits(&self.data, &vault)?;
        journal::fits(&self.data, &vault)?;
        if let Some(last_hop) = &self.last_hop {
            last_hop.replace(super::ends(&self.node, &vault, &files.provider));
        }
        // connections of before end after the request that they carry
        self.server.reload(&files.provider).context("service provider certificate")?;
        if vault.process().is_some() || seal.certificate() != self.node.sealing().seal.certificate()
        {
            self.node.sealing.store(Arc::new(Sealing::new(seal, vault)));
        }
        files.custody.lend(&self.holder);
        self.node.assertions.forget();
        for peer in self.node.peers.values() {
            if let Some(accepted) = &files.acceptance {
                peer.accepted.store(Arc::new(accepted.clone()));
            }
            peer.forget_recipients();
        }
        files.acceptance.iter().try_for_each(|accepted| remember(&self.data, accepted))?;
        Ok(())
    }

    /// Leaves an event: a policy was not taken, for this reason.
    pub fn refused(&self, code: &str) {
        let event = Event::new(self.node.clock.now(), Kind::PolicyRefused);
        self.node.notes.note(Event { correlation: code.to_owned(), ..event });
    }

    /// Lets running requests finish, delivers and logs what waits, closes the stores.
    pub async fn stop(self) {
        self.node.stop.cancel();
        for task in self.tasks {
            let _ = task.await;
        }
        for task in self.background {
            let _ = task.await;
        }
        let (notes, journal, events, store) =
            (Arc::clone(&self.node.notes), self.journal, self.events, self.store);
        let (trail, audit, sessions) = (self.node.trail.clone(), self.audit, self.sessions);
        let _ = tokio::task::spawn_blocking(move || {
            trail.iter().for_each(|trail| trail.close());
            audit.iter().for_each(|audit| audit.close());
            sessions.iter().for_each(|sessions| sessions.close());
            notes.close();
            journal.close();
            events.close();
            store.close();
        })
        .await;
    }
}

/// Learns when our own certificates end, for the metrics: the first of each file.
pub(super) fn certificates(node: &Node, chains: &[(&'static str, &[u8])]) -> anyhow::Result<()> {
    for (role, chain) in chains {
        let all = Certificate::from_pem(chain)?;
        if let Some(first) = all.iter().map(Certificate::not_after).min() {
            node.metrics.certificate(role, first);
        }
    }
    node.metrics.days(node.clock.now());
    Ok(())
}

/// Roles of our certificates, as the configuration calls them.
pub(super) const CONSUMER: &str = "service_consumer";
pub(super) const PROVIDER: &str = "service_provider";
pub(super) const SEAL: &str = "seal";
