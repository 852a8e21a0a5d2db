//! Step 8 of the road: what is noted of an exchange, gathered as the journey goes.

use std::time::Instant;

use bytes::Bytes;
use exchange::{Code, CorrelationId, Country, Refusal, Side, Transaction, TransactionId};
use identity::Recognised;
use siem::{Event, Kind};
use transport::Peer;

use crate::audit::Draft;
use crate::message::{Facts, Message};
use crate::node::Node;

/// One event and one audit record in the making; both tell the same.
pub struct Trace {
    /// What the peer may quote.
    pub correlation: CorrelationId,
    side: Side,
    started: Instant,
    /// The other country.
    peer: Option<Country>,
    txid: Option<TransactionId>,
    /// The code with which the other side refused, under evidence.
    refused_by_peer: Option<Code>,
    event: Event,
    draft: Option<Box<Draft>>,
}

impl Node {
    /// Begins the trace of one exchange.
    pub fn trace(&self, side: Side, peer: Option<Country>) -> Trace {
        let now = self.clock.now();
        let row = peer.and_then(|peer| self.peers.get(&peer));
        let far = row.map_or(("", ""), |row| (row.country.as_str(), row.client.host()));
        Trace {
            correlation: CorrelationId::random(self.entropy.as_ref()),
            side,
            started: Instant::now(),
            peer,
            txid: None,
            refused_by_peer: None,
            event: Event::new(now, Kind::ExchangeAnswered),
            draft: self.trail.as_ref().map(|trail| Box::new(trail.draft(side, far, now))),
        }
    }

    /// One event, one audit record, one count; never waits, never fails.
    pub fn note(&self, trace: Trace, transaction: Option<Transaction>, refusal: Option<&Refusal>) {
        let elapsed = trace.started.elapsed();
        if let Some(refusal) = refusal {
            tracing::info!(
                correlation = %trace.correlation, code = refusal.code.wire(), detail = refusal.detail,
                peer = trace.peer.as_ref().map_or("", Country::as_str), "refused"
            );
        }
        let code = refusal.map(|refusal| refusal.code).or(trace.refused_by_peer);
        if let (Some(transaction), Some(peer)) = (transaction, trace.peer) {
            self.metrics.exchange(trace.side, transaction, peer, code, elapsed.as_secs_f64());
        }
        if let (Some(trail), Some(mut draft)) = (&self.trail, trace.draft) {
            draft.end(transaction, trace.txid, refusal, code);
            trail.leave(*draft);
        }
        self.notes.note(Event {
            kind: if code.is_some() { Kind::ExchangeRefused } else { Kind::ExchangeAnswered },
            side: Some(trace.side),
            transaction,
            peer: trace.peer,
            code,
            txid: trace.txid,
            correlation: trace.correlation.to_string(),
            micros: u64::try_from(elapsed.as_micros()).unwrap_or(u64::MAX),
            ..trace.event
        });
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
