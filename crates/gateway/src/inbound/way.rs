//! How an answer goes back: sealed for the attested vault that asked, or plainly as it came.

use std::sync::Arc;

use enclave::pouch::PouchKey;
use enclave::{Delivery, Recipient, ReplyToken};
use exchange::{Code, Refusal, Side};
use transport::Peer;

use super::fulfil::{Documents, Fulfilled};
use crate::message::Facts;
use crate::node::{Node, PeerCountry, Sealing};
use crate::outbound::shared::mismatch;
use crate::recipient::{self, unacceptable};

/// Proof of step 3.
pub(super) enum Way {
    /// Sealed for this vault, which asked.
    Sealed {
        /// The right to answer.
        reply: ReplyToken,
        /// Whose vault asked; checked.
        asker: Box<Recipient>,
        /// Its row of the policy.
        peer: Arc<PeerCountry>,
    },
    /// Plain IHE over mutual TLS: the request came so, and the policy row allows it.
    Plain(()),
}

impl Way {
    /// The way back of a request.
    pub(super) async fn back(
        node: &Node,
        peer: &Peer,
        facts: &Facts,
        reply: Option<ReplyToken>,
    ) -> Result<Self, Refusal> {
        let Some(reply) = reply else {
            let hint = "a pouch is filled by a vault; send the request sealed";
            let refusal = Refusal::new(Code::ErrorPolicyViolation, hint);
            return facts.pouch.as_ref().map_or(Ok(Self::Plain(())), |_| Err(refusal));
        };
        let pouch = facts.pouch.as_ref().map(PouchKey::digest);
        let agreed = match reply.delivery() {
            Delivery::Pouch(key) => pouch == Some(key),
            Delivery::Node | Delivery::Tls(_) => pouch.is_none(),
        };
        if !agreed {
            return Err(mismatch("the message names another pouch than its seal"));
        }
        let country = peer.country().unwrap_or(node.country);
        let peer = Arc::clone(node.peer(country)?);
        let asker = Box::new(recipient::of_asker(node, &peer, &reply).await?);
        Ok(Self::Sealed { reply, asker, peer })
    }

    /// For whom the asking country's vault hands the documents out.
    pub(super) fn delivery(&self) -> Delivery {
        match self {
            Self::Sealed { reply, .. } => reply.delivery(),
            Self::Plain(()) => Delivery::Node,
        }
    }

    /// The answer as it may go this way: sealed for that vault, if our policy lets these documents be;
    /// plainly, if our own vault hands them out.
    pub(super) fn permits(
        &self,
        node: &Node,
        sealing: &Sealing,
        answer: Fulfilled,
    ) -> Result<Fulfilled, Refusal> {
        let Self::Sealed { asker, peer, .. } = self else {
            return answer.handed_out(node, &sealing.vault);
        };
        let now = node.clock.now();
        let permitted = match &answer.documents {
            Documents::Of(classes) => {
                classes.iter().try_for_each(|class| asker.permits(*class, now))
            }
            Documents::Unknown => asker.permits_all(now),
        };
        permitted.map_err(|error| unacceptable(node, peer, Side::A, error))?;
        Ok(answer)
    }
}
