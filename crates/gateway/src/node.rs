//! What a node knows: its keys, its peers, its stores. Made once, shared by all requests.

mod slots;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arc_swap::ArcSwap;
use enclave::{Acceptance, Recipient, ReplyToken, Vault};
use exchange::{Clock, Code, Country, Entropy, Oid, Refusal, Side};
use identity::{AssertionCache, Policy};
use jiff::SignedDuration;
use ledger::Secrets;
use ledger::journal::{Journal, Row};
use siem::{Event, Kind, Notes, PseudonymKey};
use tokio_util::sync::CancellationToken;
use transport::client::Client;
use trust::certificate::Anchors;
use trust::seal::SealKey;

use crate::audit::Trail;
use crate::eid::Eid;
use crate::metrics::Metrics;
use crate::national::Connector;
use crate::recipient::Newest;
use crate::secrets::{self, PatientKeys, SecretsError};
use crate::strict::{Against, Strict};
use crate::witness::Witness;
pub use slots::{Line, Place, Slots};

/// One country's node.
pub struct Node {
    /// Which country.
    pub country: Country,
    /// Its home community.
    pub community: Oid,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Chance.
    pub entropy: Arc<dyn Entropy>,
    /// Our seal, with the vault whose key it vouches for.
    pub sealing: ArcSwap<Sealing>,
    /// Roots of seal certificates.
    pub seal_anchors: Arc<Anchors>,
    /// Evidence and replay keys.
    pub journal: Arc<dyn Journal>,
    /// Events.
    pub notes: Arc<Notes>,
    /// Our own audit records; `None` when no repository is configured.
    pub trail: Option<Arc<Trail>>,
    /// Sealed keys of patients, as they were used lately.
    pub patient_keys: PatientKeys,
    /// Pseudonyms for events.
    pub pseudonyms: Arc<PseudonymKey>,
    /// Assertions that verified before.
    pub assertions: AssertionCache,
    /// What this country decides by itself.
    pub policy: Policy,
    /// The countries that we exchange with.
    pub peers: BTreeMap<Country, Arc<PeerCountry>>,
    /// Our own country.
    pub connector: Connector,
    /// Logins by eID and wallet; `None` when not configured. SIGHUP replaces it.
    pub eid: Option<ArcSwap<Eid>>,
    /// Documents against receipts; `None` without a validator.
    pub strict: Option<Strict>,
    /// Counters.
    pub metrics: Metrics,
    /// Limits.
    pub limits: NodeLimits,
    /// Tells the tasks in the background to end.
    pub stop: CancellationToken,
}

/// A seal and a vault. They are replaced together: peers verify our answers by the seal that came
/// with the vault's key, so a new seal comes with a new key, and they ask for it.
pub struct Sealing {
    /// Signs evidence and the vault's key.
    pub seal: Arc<SealKey>,
    /// Seals and opens.
    pub vault: Vault,
}

impl Sealing {
    /// The two of them.
    pub fn new(seal: SealKey, vault: Vault) -> Self {
        Self { seal: Arc::new(seal), vault }
    }
}

/// What a message may cost.
#[derive(Debug, Clone, Copy)]
pub struct NodeLimits {
    /// Longest SOAP envelope without attachments, in bytes.
    pub message: usize,
    /// How long evidence waits for its other half; longer than any request takes.
    pub receipt_deadline: SignedDuration,
}

impl Default for NodeLimits {
    fn default() -> Self {
        Self { message: 24 << 20, receipt_deadline: SignedDuration::from_mins(15) }
    }
}

/// A row of the policy: one country that we exchange with.
pub struct PeerCountry {
    /// Which.
    pub country: Country,
    /// Speaks sealed.
    pub konfido: bool,
    /// May be spoken to plainly.
    pub allow_plain: bool,
    /// What we accept of its vault. SIGHUP replaces it.
    pub accepted: ArcSwap<Acceptance>,
    /// Its border listener.
    pub client: Client,
    /// Its vault keys, checked: the one before, whose last requests may still be on their way, and
    /// the newest.
    pub recipients: Mutex<Recipients>,
    /// Held by who fetches its key; when that failed last, and why.
    pub fetching: tokio::sync::Mutex<Option<(jiff::Timestamp, Refusal)>>,
    /// The newest statement that we saw of it.
    pub newest: Newest,
    /// How much of us it may take.
    pub slots: Slots,
    /// What it gets against its receipt only.
    pub against: Against,
}

/// The vault keys of a country that were checked, the newest last.
#[derive(Default)]
pub struct Recipients {
    known: Vec<Recipient>,
    /// How often all were forgotten: what was checked before that is not kept after it.
    forgotten: u64,
}

impl PeerCountry {
    fn recipients(&self) -> MutexGuard<'_, Recipients> {
        self.recipients.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The checked vault key, while it holds.
    pub fn known_recipient(&self, now: jiff::Timestamp) -> Option<Recipient> {
        let known = self.recipients();
        known.known.last().filter(|recipient| recipient.not_after() > now).cloned()
    }

    /// The checked vault key that a request came from, while it holds.
    pub fn known_asker(&self, reply: &ReplyToken, now: jiff::Timestamp) -> Option<Recipient> {
        let known = self.recipients();
        known.known.iter().find(|key| reply.is_for(key) && key.not_after() > now).cloned()
    }

    /// Of now: to be taken before a key is checked, and given to [`PeerCountry::keep_recipient`].
    pub fn forgotten(&self) -> u64 {
        self.recipients().forgotten
    }

    /// Keeps a checked key as the newest, unless all were forgotten since its check began: it was
    /// held against the policy and the roots of before.
    pub fn keep_recipient(&self, recipient: Recipient, forgotten: u64) {
        let mut known = self.recipients();
        if known.forgotten != forgotten {
            return;
        }
        if known.known.len() > 1 {
            known.known.remove(0);
        }
        known.known.push(recipient);
    }

    /// Forgets its keys: they are fetched and checked anew.
    pub fn forget_recipients(&self) {
        let mut known = self.recipients();
        known.forgotten += 1;
        known.known.clear();
    }
}

impl Node {
    /// The seal and the vault of this moment; a request keeps to one of them.
    pub fn sealing(&self) -> Arc<Sealing> {
        self.sealing.load_full()
    }

    /// The salts and values of a row; `None` when they were erased.
    pub async fn secrets(&self, row: &Row) -> Result<Option<Secrets>, SecretsError> {
        secrets::open(self.journal.as_ref(), &self.sealing().vault, row).await
    }

    /// Logins, as they are configured at this moment.
    pub fn eid(&self) -> Option<Arc<Eid>> {
        self.eid.as_ref().map(ArcSwap::load_full)
    }

    /// What logins and assertions leave behind.
    pub fn witness(&self) -> Witness {
        let (notes, pseudonyms) = (Arc::clone(&self.notes), Arc::clone(&self.pseudonyms));
        Witness { notes, pseudonyms, trail: self.trail.clone() }
    }

    /// The policy row of a country.
    pub fn peer(&self, country: Country) -> Result<&Arc<PeerCountry>, Refusal> {
        self.peers.get(&country).ok_or_else(|| {
            Refusal::new(
                Code::ErrorGenericServiceSignifierUnknown,
                "this node has no agreement with that country",
            )
        })
    }

    /// One event and one count for evidence that became half.
    pub fn note_half(&self, row: &Row) {
        let peer = if row.side == Side::A { row.requester } else { row.provider };
        self.metrics.half(row.side, row.transaction, peer);
        self.notes.note(Event {
            side: Some(row.side),
            transaction: Some(row.transaction),
            peer: Some(peer),
            txid: Some(row.txid),
            ..Event::new(self.clock.now(), Kind::EvidenceHalf)
        });
    }
}
