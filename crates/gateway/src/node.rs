//! What a node knows: its keys, its peers, its stores. Made once, shared by all requests.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use enclave::{Attestation, Recipient, Vault};
use exchange::{
    Clock, Code, CorrelationId, Country, Entropy, Oid, Refusal, Side, Transaction, TransactionId,
};
use identity::{AssertionCache, Policy, Recognised};
use jiff::SignedDuration;
use ledger::journal::{Journal, Row};
use siem::{Event, Kind, Notes, PseudonymKey};
use tokio_util::sync::CancellationToken;
use transport::client::Client;
use trust::certificate::Anchors;
use trust::seal::SealKey;

use crate::metrics::Metrics;
use crate::national::Connector;

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
    /// Signs evidence and the vault's key.
    pub seal: Arc<SealKey>,
    /// Roots of seal certificates.
    pub seal_anchors: Arc<Anchors>,
    /// Seals and opens.
    pub vault: Arc<Vault>,
    /// Evidence and replay keys.
    pub journal: Arc<dyn Journal>,
    /// Events.
    pub notes: Arc<Notes>,
    /// Pseudonyms for events.
    pub pseudonyms: PseudonymKey,
    /// Assertions that verified before.
    pub assertions: AssertionCache,
    /// What this country decides by itself.
    pub policy: Policy,
    /// The countries that we exchange with.
    pub peers: BTreeMap<Country, Arc<PeerCountry>>,
    /// Our own country.
    pub connector: Connector,
    /// Counters.
    pub metrics: Metrics,
    /// Limits.
    pub limits: NodeLimits,
    /// Tells the tasks in the background to end.
    pub stop: CancellationToken,
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
    /// Attestations of its vault that we accept.
    pub accepted: Vec<Attestation>,
    /// Its border listener.
    pub client: Client,
    /// Its vault key, checked.
    pub recipient: Mutex<Option<Recipient>>,
}

impl PeerCountry {
    /// The checked vault key, while it holds.
    pub fn known_recipient(&self, now: jiff::Timestamp) -> Option<Recipient> {
        let known = self.recipient.lock().unwrap_or_else(PoisonError::into_inner).clone();
        known.filter(|recipient| recipient.not_after() > now)
    }

    /// Keeps a checked key, or forgets it.
    pub fn keep_recipient(&self, recipient: Option<Recipient>) {
        *self.recipient.lock().unwrap_or_else(PoisonError::into_inner) = recipient;
    }
}

/// What an event will say of an exchange; filled as the journey goes.
pub struct Trace {
    /// What the peer may quote.
    pub correlation: CorrelationId,
    side: Side,
    started: Instant,
    /// The other country.
    pub peer: Option<Country>,
    /// Exchange number.
    pub txid: Option<TransactionId>,
    event: Event,
}

impl Node {
    /// The policy row of a country.
    pub fn peer(&self, country: Country) -> Result<&Arc<PeerCountry>, Refusal> {
        self.peers.get(&country).ok_or_else(|| {
            Refusal::new(
                Code::ErrorGenericServiceSignifierUnknown,
                "this node has no agreement with that country",
            )
        })
    }

    /// Begins the trace of one exchange.
    pub fn trace(&self, side: Side, peer: Option<Country>) -> Trace {
        let event = Event::new(self.clock.now(), Kind::ExchangeAnswered);
        let correlation = CorrelationId::random(self.entropy.as_ref());
        Trace { correlation, side, started: Instant::now(), peer, txid: None, event }
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

    /// Step 8 of the road: one event, one count; never waits, never fails.
    pub fn note(&self, trace: Trace, transaction: Option<Transaction>, refusal: Option<&Refusal>) {
        let elapsed = trace.started.elapsed();
        if let Some(refusal) = refusal {
            tracing::info!(
                correlation = %trace.correlation, code = refusal.code.wire(), detail = refusal.detail,
                peer = trace.peer.as_ref().map_or("", Country::as_str), "refused"
            );
        }
        if let (Some(transaction), Some(peer)) = (transaction, trace.peer) {
            self.metrics.exchange(
                trace.side,
                transaction,
                peer,
                refusal.map(|r| r.code),
                elapsed.as_secs_f64(),
            );
        }
        let kind = if refusal.is_some() { Kind::ExchangeRefused } else { Kind::ExchangeAnswered };
        self.notes.note(Event {
            kind,
            side: Some(trace.side),
            transaction,
            peer: trace.peer,
            code: refusal.map(|r| r.code),
            txid: trace.txid,
            correlation: trace.correlation.to_string(),
            micros: u64::try_from(elapsed.as_micros()).unwrap_or(u64::MAX),
            ..trace.event
        });
    }
}

impl Trace {
    /// Remembers who asks for whom, as pseudonyms.
    pub fn recognised(&mut self, node: &Node, who: &Recognised) {
        let key = &node.pseudonyms;
        self.event.patient = who.patient().map(|p| key.of("patient", &p.cx()));
        self.event.professional = Some(key.of("professional", &who.professional()));
        self.event.point_of_care = Some(key.of("point of care", who.point_of_care()));
    }
}
