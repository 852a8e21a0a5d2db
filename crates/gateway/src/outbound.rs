//! We are the country of treatment (B): our own OpenNCP asks, another country answers.

mod evidence;
pub mod journey;
mod way;

pub use way::{SEALED_PATH, VAULT_KEY_PATH};

/// What both ends compute or say alike.
pub(crate) mod shared {
    pub(crate) use super::evidence::{
        mismatch, replayed, request_values, taken, unavailable, unsigned,
    };
}

use std::sync::Arc;

use exchange::{CorrelationId, Country, Side};
use ihe::mtom::Package;
use ledger::crash;
use transport::Peer;

use crate::message::{self, Message};
use crate::node::Node;

/// Carries one request of our own OpenNCP to `target`. The answer is always a SOAP message; the
/// flag says whether it is in the words of an IHE transaction (else it is a fault).
pub async fn handle(
    node: &Arc<Node>,
    own: &Peer,
    target: Country,
    message: Message,
) -> (Package, bool, CorrelationId) {
    crash::point("outbound/received");
    let mut trace = node.trace(Side::B, Some(target));
    let correlation = trace.correlation;
    let slot = match node.peers.get(&target) {
        Some(peer) => peer.slots.asking.acquire().await.ok(),
        None => None,
    };
    let outcome = journey::ask(node, own, target, message, &mut trace).await;
    drop(slot);
    match outcome {
        Ok((answer, transaction)) => {
            node.note(trace, Some(transaction), None);
            crash::point("outbound/delivered");
            (answer, true, correlation)
        }
        Err(refused) => {
            let (answer, in_words) = message::refuse(node, &refused, correlation);
            node.note(trace, refused.transaction, Some(&refused.refusal));
            (answer, in_words, correlation)
        }
    }
}
