//! The metadata of the peers that this node was configured with, fetched when needed and kept.
//!
//! No socket here: the caller brings a [`Fetch`]. A URL that is not in the list is never fetched,
//! whoever names it in a message.

use std::collections::HashMap;
use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use exchange::Country;
use jiff::{SignedDuration, Timestamp};
use trust::certificate::Certificate;

use super::{Known, Metadata, Role};
use crate::eidas::EidasError;

/// Gets a text by HTTPS, with the caller's timeout and no longer than [`MAX_METADATA`](super::MAX_METADATA).
pub trait Fetch: Send + Sync {
    /// The text behind a URL.
    fn fetch(&self, url: &str) -> impl Future<Output = Result<String, Unreachable>> + Send;
}

/// The URL could not be fetched. Why is in the caller's log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("metadata cannot be fetched")]
pub struct Unreachable;

/// Why a peer's metadata is not at hand.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Unknown {
    /// Nobody configured this URL. Usually the sender's fault.
    #[error("peer is not configured")]
    Stranger,
    /// Nothing that is still valid is known, and it cannot be fetched.
    #[error(transparent)]
    Unreachable(#[from] Unreachable),
    /// Nothing that is still valid is known, and what was fetched is refused.
    #[error(transparent)]
    Refused(#[from] EidasError),
}

/// A peer, as the operator configured it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Peer {
    /// Its metadata URL, which is its name.
    pub url: String,
    /// Which end it is.
    pub role: Role,
    /// Whose node.
    pub country: Country,
    /// Certificates that its metadata is signed with.
    pub signers: Vec<Certificate>,
}

/// The peers and what is known of them.
pub struct Book {
    peers: Vec<Peer>,
    pages: Mutex<HashMap<usize, Page>>,
}

/// What is known of one peer.
#[derive(Clone)]
struct Page {
    /// The last metadata that passed every rule.
    believed: Option<Arc<Metadata>>,
    /// Fetched again from then on.
    refresh: Timestamp,
    /// Why the last attempt failed.
    failed: Option<Unknown>,
}

impl Book {
    /// An empty book of these peers; of the first [`MAX_PEERS`], which is more than there are countries.
    pub fn new(mut peers: Vec<Peer>) -> Self {
        peers.truncate(MAX_PEERS);
        Self { peers, pages: Mutex::default() }
    }

    /// The peers, in the operator's order.
    pub fn peers(&self) -> &[Peer] {
        &self.peers
    }

    /// What is known of a peer, fetched if need be.
    ///
    /// A day after it was fetched, or when three quarters of its validity are over, metadata is fetched
    /// again. While that fails, the old one is believed until its `validUntil` and not a second longer.
    /// A failure is remembered for a minute, and for some seconds where nothing is known.
    pub async fn find(
        &self,
        url: &str,
        role: Role,
        fetch: &impl Fetch,
        now: Timestamp,
    ) -> Result<Arc<Metadata>, Unknown> {
        let mut peers = self.peers.iter().enumerate();
        let found = peers.find(|(_, peer)| peer.url == url && peer.role == role);
        let (at, peer) = found.ok_or(Unknown::Stranger)?;
        if let Some(page) = self.current(at, now) {
            return page;
        }
        let fetched = match fetch.fetch(url).await {
            Ok(text) => Metadata::verify(&text, &peer.known(now)).map_err(Unknown::from),
            Err(unreachable) => Err(unreachable.into()),
        };
        self.turn(at, fetched, now)
    }

    /// What is believed of a peer without asking anybody, also when it is due.
    pub fn believed(&self, url: &str, role: Role, now: Timestamp) -> Option<Arc<Metadata>> {
        let at = self.peers.iter().position(|peer| peer.url == url && peer.role == role)?;
        let believed = self.pages().get(&at)?.believed.clone();
        believed.filter(|metadata| now < metadata.valid_until)
    }

    /// The peers that should be asked for now, so that nobody who logs in waits for it.
    pub fn due(&self, now: Timestamp) -> Vec<&Peer> {
        let pages = self.pages();
        let due = |at: &usize| pages.get(at).is_none_or(|page| page.refresh <= now);
        self.peers.iter().enumerate().filter(|(at, _)| due(at)).map(|(_, peer)| peer).collect()
    }

    /// What needs no fetching. The one who finds a valid page due fetches it; others go on with it.
    fn current(&self, at: usize, now: Timestamp) -> Option<Result<Arc<Metadata>, Unknown>> {
        let mut pages = self.pages();
        let page = pages.get_mut(&at)?;
        let due = page.refresh <= now;
        let valid = page.believed.clone().filter(|metadata| now < metadata.valid_until);
        match (valid, due) {
            (Some(metadata), false) => Some(Ok(metadata)),
            (Some(_), true) => {
                page.refresh = now + RETRY;
                None
            }
            (None, false) => page.failed.clone().map(Err),
            (None, true) => None,
        }
    }

    /// Writes down what came of an attempt, and gives what is believed now.
    fn turn(
        &self,
        at: usize,
        fetched: Result<Metadata, Unknown>,
        now: Timestamp,
    ) -> Result<Arc<Metadata>, Unknown> {
        let mut pages = self.pages();
        let page = pages.entry(at).or_insert(Page { believed: None, refresh: now, failed: None });
        match fetched {
            Ok(metadata) => {
                let valid = metadata.valid_until.duration_since(now);
                page.refresh = now + (valid * 3 / 4).min(DAY);
                page.failed = None;
                page.believed = Some(Arc::new(metadata));
            }
            Err(why) => {
                let known = page.believed.as_ref().is_some_and(|m| now < m.valid_until);
                page.refresh = now + if known { RETRY } else { PAUSE };
                page.failed = Some(why);
            }
        }
        let valid = page.believed.clone().filter(|metadata| now < metadata.valid_until);
        match (valid, &page.failed) {
            (Some(metadata), _) => Ok(metadata),
            (None, Some(why)) => Err(why.clone()),
            (None, None) => Err(Unknown::Unreachable(Unreachable)),
        }
    }

    fn pages(&self) -> MutexGuard<'_, HashMap<usize, Page>> {
        self.pages.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Peer {
    fn known(&self, now: Timestamp) -> Known<'_> {
        Known {
            url: &self.url,
            role: self.role,
            country: self.country,
            signers: &self.signers,
            now,
        }
    }
}

/// Most peers in a book.
pub const MAX_PEERS: usize = 128;
const DAY: SignedDuration = SignedDuration::from_hours(24);
/// Somebody waits at a login page.
const PAUSE: SignedDuration = SignedDuration::from_secs(5);
const RETRY: SignedDuration = SignedDuration::from_mins(1);
