//! We are the country of affiliation (A): another country asks, we answer.

mod against;
mod attached;
mod evidence;
mod fulfil;
pub mod journey;
pub mod receipts;
mod way;

use std::sync::Arc;

use enclave::VaultError;
use exchange::{Code, CorrelationId, Refusal, Side};
use ihe::mtom::Package;
use ledger::crash;
use transport::Peer;

use crate::message::{self, Message, Refused};
use crate::node::Node;
use crate::trace::Trace;

/// What a message of another country gets.
pub struct Reply {
    /// The SOAP answer.
    pub package: Package,
    /// Whether it is in the words of an IHE transaction; else it is a fault.
    pub in_words: bool,
    /// What the peer may quote.
    pub correlation: CorrelationId,
    /// Sealed for a key that we do not hold: the peer must fetch ours again.
    pub unknown_key: bool,
}

/// Answers a message that came in plain IHE.
pub async fn handle_plain(node: &Arc<Node>, peer: &Peer, message: Message) -> Reply {
    let mut trace = begin(node, peer);
    let row = peer.country().and_then(|country| node.peers.get(&country));
    let outcome = if let Some(row) = row.filter(|row| row.allow_plain) {
        match row.slots.answering.place().await {
            Ok(mut place) => {
                let trace = (&mut trace, &mut place);
                journey::answer(node, &node.sealing(), peer, message, None, trace).await
            }
            Err(full) => Err(journey::Failed::early(full.into())),
        }
    } else {
        let hint = "policy does not allow plain exchange with your country";
        Err(journey::Failed::early(Refusal::new(Code::ErrorPolicyViolation, hint).into()))
    };
    finish(node, trace, outcome)
}

/// Answers a sealed message.
pub async fn handle_sealed(node: &Arc<Node>, peer: &Peer, package: Package) -> Reply {
    let mut trace = begin(node, peer);
    // a certificate of the circle of trust is no agreement; nothing of a stranger's is opened
    let Some(row) = peer.country().and_then(|country| node.peers.get(&country)) else {
        let hint = "policy does not allow exchange with your country";
        let refused = Refusal::new(Code::ErrorPolicyViolation, hint).into();
        return finish(node, trace, Err(journey::Failed::early(refused)));
    };
    let mut place = match row.slots.answering.place().await {
        Ok(place) => place,
        Err(full) => return finish(node, trace, Err(journey::Failed::early(full.into()))),
    };
    let sealing = node.sealing();
    let outcome = match journey::open(&sealing, peer, &package) {
        Ok((message, opened)) => {
            let trace = (&mut trace, &mut place);
            let answered =
                journey::answer(node, &sealing, peer, message, Some(opened), trace).await;
            answered.map_err(journey::Failed::in_the_clear)
        }
        Err(error) => {
            let unknown_key = error == VaultError::UnknownKey;
            let code = if error == VaultError::Replay {
                Code::ErrorSecGeneric
            } else {
                Code::ErrorSecDataIntegrityNotEnsured
            };
            let refusal = Refusal::new(code, "the sealed message does not open")
                .with_detail(error.to_string());
            let mut failed = journey::Failed::early(Refused::from(refusal));
            failed.unknown_key = unknown_key;
            Err(failed)
        }
    };
    drop(place);
    finish(node, trace, outcome)
}

fn begin(node: &Arc<Node>, peer: &Peer) -> Trace {
    let mut trace = node.trace(Side::A, peer.country());
    trace.connected(peer);
    trace
}

fn finish(node: &Node, trace: Trace, outcome: Result<journey::Answered, journey::Failed>) -> Reply {
    let correlation = trace.correlation;
    match outcome {
        Ok(answered) => {
            node.note(trace, Some(answered.transaction), answered.refusal.as_ref());
            crash::point("inbound/replied");
            Reply { package: answered.package, in_words: true, correlation, unknown_key: false }
        }
        Err(failed) => {
            let (package, in_words) = message::refuse(node, &failed.refused, correlation);
            node.note(trace, failed.refused.transaction, Some(&failed.refused.refusal));
            Reply { package, in_words, correlation, unknown_key: failed.unknown_key }
        }
    }
}
