//! Step 8 of the road: what is noted of an exchange, gathered as the journey goes.

use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use exchange::{Code, CorrelationId, Country, Refusal, Side, Transaction, TransactionId};
use identity::Recognised;
use siem::{Event, Kind};
use transport::Peer;

use crate::audit::Draft;
use crate::message::{Facts, Message};
use crate::node::Node;

/// One event and one audit record in the making; both tell the same. One that is dropped before
/// [`Node::note`] tells that its exchange was given up.
pub struct Trace {
    /// What the peer may quote.
    pub correlation: CorrelationId,
    side: Side,
    started: Instant,
    /// The other country.
    peer: Option<Country>,
    transaction: Option<Transaction>,
    txid: Option<TransactionId>,
    /// The code with which the other side refused, under evidence.
    refused_by_peer: Option<Code>,
    event: Event,
    draft: Option<Box<Draft>>,
    /// Who is told; nobody once it was noted.
    open: Option<Arc<Node>>,
}

impl Node {
    /// Begins the trace of one exchange.
    pub fn trace(self: &Arc<Self>, side: Side, peer: Option<Country>) -> Trace {
        let now = self.clock.now();
        let row = peer.and_then(|peer| self.peers.get(&peer));
        let far = row.map_or(("", ""), |row| (row.country.as_str(), row.client.host()));
        Trace {
            correlation: CorrelationId::random(self.entropy.as_ref()),
            side,
            started: Instant::now(),
            peer,
            transaction: None,
            txid: None,
            refused_by_peer: None,
            event: Event::new(now, Kind::ExchangeAnswered),
            draft: self.trail.as_ref().map(|trail| Box::new(trail.draft(side, far, now))),
            open: Some(Arc::clone(self)),
        }
    }

    /// One event, one audit record, one count; never waits, never fails.
    pub fn note(
        &self,
        mut trace: Trace,
        transaction: Option<Transaction>,
        refusal: Option<&Refusal>,
    ) {
        trace.open = None;
        trace.transaction = transaction;
        if let Some(refusal) = refusal {
            tracing::info!(
                correlation = %trace.correlation, code = refusal.code.wire(), detail = refusal.detail,
                peer = trace.peer.as_ref().map_or("", Country::as_str), "refused"
            );
        }
        let code = refusal.map(|refusal| refusal.code).or(trace.refused_by_peer);
        let kind = if code.is_some() { Kind::ExchangeRefused } else { Kind::ExchangeAnswered };
        self.leave(&mut trace, kind, refusal, code);
    }

    fn leave(&self, trace: &mut Trace, kind: Kind, refusal: Option<&Refusal>, code: Option<Code>) {
        let elapsed = trace.started.elapsed();
        if let (Some(transaction), Some(peer)) = (trace.transaction, trace.peer) {
            let outcome = match kind {
                Kind::ExchangeAbandoned => "abandoned",
                _ => code.map_or("answered", Code::wire),
            };
            self.metrics.exchange(trace.side, transaction, peer, outcome, elapsed.as_secs_f64());
        }
        if let (Some(trail), Some(mut draft)) = (&self.trail, trace.draft.take()) {
            draft.end(trace.transaction, trace.txid, refusal, code);
            trail.leave(draft);
        }
        self.notes.note(Event {
            kind,
            side: Some(trace.side),
            transaction: trace.transaction,
            peer: trace.peer,
            code,
            txid: trace.txid,
            correlation: trace.correlation.to_string(),
            micros: u64::try_from(elapsed.as_micros()).unwrap_or(u64::MAX),
            ..trace.event.clone()
        });
    }
}

/// The request took longer than it may, the node stopped, or it failed.
impl Drop for Trace {
    fn drop(&mut self) {
        let Some(node) = self.open.take() else { return };
        let peer = self.peer.as_ref().map_or("", Country::as_str);
        tracing::warn!(correlation = %self.correlation, peer, "an exchange was given up before its end");
        let why = Refusal::new(Code::ErrorGeneric, "given up before its end");
        node.leave(self, Kind::ExchangeAbandoned, Some(&why), Some(why.code));
    }
}

impl Trace {
    /// Who is at the other end of the border.
    pub fn connected(&mut self, peer: &Peer) {
        if let Some(draft) = &mut self.draft {
            draft.connected(peer);
        }
    }

    /// Who asks for what; in the event as pseudonyms.
    pub fn asked(&mut self, node: &Node, facts: &Facts, who: &Recognised, message: &Message) {
        let key = &node.pseudonyms;
        self.transaction = Some(facts.transaction);
        self.event.patient = who.patient().map(|p| key.of("patient", &p.cx()));
        self.event.professional = Some(key.of("professional", &who.professional()));
        self.event.point_of_care = Some(key.of("point of care", who.point_of_care()));
        if let Some(draft) = &mut self.draft {
            draft.asked(facts, who, message);
        }
    }

    /// The number under which it is recorded.
    pub fn recorded(&mut self, txid: TransactionId) {
        self.txid = Some(txid);
    }

    /// What was answered: `answered`, or the code with which the other side refused.
    pub fn answered(&mut self, envelope: &Bytes, outcome: &str) {
        self.refused_by_peer = match outcome {
            "answered" => None,
            code => Some(Code::of_wire(code).unwrap_or(Code::ErrorGeneric)),
        };
        if let Some(draft) = &mut self.draft {
            draft.answered(envelope);
        }
    }
}
