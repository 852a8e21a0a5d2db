//! We are the country of treatment (B): our own OpenNCP asks, another country answers.

mod evidence;
pub mod journey;
mod way;

pub use way::SEALED_PATH;

/// What both ends compute or say alike.
pub(crate) mod shared {
    pub(crate) use super::evidence::{mismatch, recorded, request_values, unavailable, unsigned};
}

use std::sync::Arc;

use exchange::{CorrelationId, Country, Side, Transaction};
use ledger::crash;
use transport::Peer;

use crate::last_hop::{Released, VaultLine};
use crate::message::{self, Message, Refused};
use crate::node::Node;
use crate::trace::Trace;

/// Carries one request of our own OpenNCP to `target`. The answer is always a SOAP message; the
/// flag says whether it is in the words of an IHE transaction (else it is a fault). `line` is the connection
/// that the request came by, if our vault ends it.
pub async fn handle(
    node: &Arc<Node>,
    own: &Peer,
    target: Country,
    message: Message,
    line: Option<&VaultLine>,
) -> (Released, bool, CorrelationId) {
    crash::point("outbound/received");
    let mut trace = node.trace(Side::B, Some(target));
    let correlation = trace.correlation;
    match in_turn(node, own, target, message, line, &mut trace).await {
        Ok((answer, transaction)) => {
            node.note(trace, Some(transaction), None);
            crash::point("outbound/delivered");
            (answer, true, correlation)
        }
        Err(refused) => {
            let (answer, in_words) = message::refuse(node, &refused, correlation);
            node.note(trace, refused.transaction, Some(&refused.refusal));
            (answer.into(), in_words, correlation)
        }
    }
}

/// The road, in one of the country's places.
async fn in_turn(
    node: &Arc<Node>,
    own: &Peer,
    target: Country,
    message: Message,
    line: Option<&VaultLine>,
    trace: &mut Trace,
) -> Result<(Released, Transaction), Refused> {
    // the places are our own OpenNCP's; whom the road refuses anyway takes none
    let ours = own.country() == Some(node.country);
    let mut place = match node.peers.get(&target).filter(|_| ours) {
        Some(peer) => Some(peer.slots.asking.place().await?),
        None => None,
    };
    journey::ask(node, own, target, message, line, (trace, &mut place)).await
}
