//! Where messages lie until the other part takes them.

use jiff::{SignedDuration, Timestamp};
use zeroize::Zeroizing;

use crate::session::{Drawer, Keeper, Stored, Ticket};

/// Which end of the border a generic and a specific part share.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// Where services of this country ask.
    Connector,
    /// Where people of this country are identified.
    Proxy,
}

impl Place {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Connector, Self::Proxy];

    /// Where its requests lie.
    pub fn requests(self) -> Cache {
        match self {
            Self::Connector => Cache::ConnectorRequest,
            Self::Proxy => Cache::ProxyRequest,
        }
    }

    /// Where its answers lie.
    pub fn responses(self) -> Cache {
        match self {
            Self::Connector => Cache::ConnectorResponse,
            Self::Proxy => Cache::ProxyResponse,
        }
    }

    /// The word in configurations and paths.
    pub fn word(self) -> &'static str {
        match self {
            Self::Connector => "connector",
            Self::Proxy => "proxy",
        }
    }

    /// The place with this word.
    pub fn of(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|place| place.word() == word)
    }
}

/// The four caches of the reference node, by its own names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cache {
    /// Specific connector to node.
    ConnectorRequest,
    /// Node to specific connector.
    ConnectorResponse,
    /// Node to specific proxy service.
    ProxyRequest,
    /// Specific proxy service to node.
    ProxyResponse,
}

impl Cache {
    /// All.
    pub const ALL: [Self; 4] =
        [Self::ConnectorRequest, Self::ConnectorResponse, Self::ProxyRequest, Self::ProxyResponse];

    /// As the reference node is configured.
    pub fn name(self) -> &'static str {
        match self {
            Self::ConnectorRequest => "specificNodeConnectorRequestCache",
            Self::ConnectorResponse => "nodeSpecificConnectorResponseCache",
            Self::ProxyRequest => "nodeSpecificProxyserviceRequestCache",
            Self::ProxyResponse => "specificNodeProxyserviceResponseCache",
        }
    }

    /// The cache with this name.
    pub fn of(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|cache| cache.name() == name)
    }
}

/// The shared cache, as both parts see it: a message is put once under the id of its token, and taken
/// once.
pub trait Shelf: Send + Sync {
    /// Keeps a message; false when one lies there already.
    fn put<'a>(
        &'a self,
        cache: Cache,
        id: &str,
        message: &'a str,
        until: Timestamp,
    ) -> Stored<'a, bool>;

    /// Takes the message, while it has not expired.
    fn take(
        &self,
        cache: Cache,
        id: &str,
        now: Timestamp,
    ) -> Stored<'_, Option<Zeroizing<Vec<u8>>>>;

    /// Whether this token comes for the first time.
    fn first<'a>(&'a self, cache: Cache, id: &str, now: Timestamp) -> Stored<'a, bool>;
}

/// Messages lie with logins and sessions: bounded, sealed under their id, in a file or in memory.
impl Shelf for Keeper {
    fn put<'a>(
        &'a self,
        cache: Cache,
        id: &str,
        message: &'a str,
        until: Timestamp,
    ) -> Stored<'a, bool> {
        let id = Ticket::of(id);
        Box::pin(
            async move { self.keep_at(Drawer::Light(cache), &id, message.as_bytes(), until).await },
        )
    }

    fn take(
        &self,
        cache: Cache,
        id: &str,
        now: Timestamp,
    ) -> Stored<'_, Option<Zeroizing<Vec<u8>>>> {
        let id = Ticket::of(id);
        Box::pin(async move { Keeper::take(self, Drawer::Light(cache), &id, now).await })
    }

    fn first<'a>(&'a self, cache: Cache, id: &str, now: Timestamp) -> Stored<'a, bool> {
        let seen = format!("{} {id}", cache.name());
        Box::pin(async move { self.first_seen(&seen, now, REMEMBERED).await })
    }
}

/// Longer than any token is believed.
const REMEMBERED: SignedDuration = SignedDuration::from_hours(1);
