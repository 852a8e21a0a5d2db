//! The other end of a login: an eIDAS node, or our own identity provider, known by its metadata.

use std::sync::Arc;
use std::time::Duration;

use exchange::Country;
use identity::eidas::metadata::{Book, Fetch, Metadata, Peer, Role, Unknown, Unreachable};
use identity::eidas::response::Levels;
use jiff::Timestamp;
use tokio::sync::Mutex;
use transport::client::Client;
use trust::certificate::Certificate;

use super::Eid;
use crate::node::Node;

/// One party.
pub struct Party {
    /// Whose.
    pub country: Country,
    /// Its metadata URL.
    pub entity: String,
    /// How it states levels of assurance.
    pub levels: Levels,
    role: Role,
    book: Book,
    server: Server,
    /// Of many logins at once that know nothing yet, one fetches.
    first: Mutex<()>,
}

/// Where its metadata is.
struct Server {
    client: Client,
    path: String,
}

impl Party {
    /// A party whose metadata, signed by one of `signers`, `client` fetches from `path` of its base
    /// address.
    pub fn new(
        country: Country,
        entity: &str,
        role: Role,
        signers: Vec<Certificate>,
        client: Client,
        path: &str,
    ) -> Self {
        let peer = Peer { url: entity.to_owned(), role, country, signers };
        let (book, server) = (Book::new(vec![peer]), Server { client, path: path.to_owned() });
        let (entity, levels, first) = (entity.to_owned(), Levels::Eidas, Mutex::new(()));
        Self { country, entity, levels, role, book, server, first }
    }

    /// The same, stating levels of assurance in this way.
    pub fn stating(self, levels: Levels) -> Self {
        Self { levels, ..self }
    }

    /// Its metadata, checked; fetched when nothing is known, or ahead of its end.
    pub async fn metadata(&self, now: Timestamp) -> Result<Arc<Metadata>, Unknown> {
        if self.book.believed(&self.entity, self.role, now).is_some() {
            return self.book.find(&self.entity, self.role, &self.server, now).await;
        }
        let _one = self.first.lock().await;
        self.book.find(&self.entity, self.role, &self.server, now).await
    }

    /// Fetches its metadata if it should be asked for now; whether it was.
    pub async fn renew(&self, now: Timestamp) -> bool {
        let due = !self.book.due(now).is_empty();
        // that a server is away is in the log already
        if due && let Err(Unknown::Refused(error)) = self.metadata(now).await {
            tracing::warn!(country = %self.country, %error, "new metadata is refused");
        }
        due
    }
}

impl Eid {
    /// Fetches the metadata of each party that should be asked for now; how many were.
    pub async fn renew(&self, now: Timestamp) -> usize {
        let mut due = 0;
        for party in self.providers.values().chain(&self.connectors) {
            due += usize::from(party.renew(now).await);
        }
        due
    }
}

/// Renews metadata ahead of its end, so that nobody who signs in waits for it; until the node stops.
pub async fn renew(node: Arc<Node>) {
    // after a start the others may start, too
    while node.stop.run_until_cancelled(tokio::time::sleep(TURN)).await.is_some() {
        let Some(eid) = node.eid() else { return };
        node.stop.run_until_cancelled(eid.renew(node.clock.now())).await;
    }
}

impl Fetch for Server {
    async fn fetch(&self, url: &str) -> Result<String, Unreachable> {
        let why = match self.client.get(&self.path).await {
            Ok(answer) if answer.status.is_success() => {
                return String::from_utf8(answer.body.into()).map_err(|_| Unreachable);
            }
            Ok(answer) => answer.status.to_string(),
            Err(error) => error.to_string(),
        };
        tracing::warn!(url, why, "metadata not fetched");
        Err(Unreachable)
    }
}

const TURN: Duration = Duration::from_secs(60);
