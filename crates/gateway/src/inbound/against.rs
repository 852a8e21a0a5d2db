//! Documents that our policy gives against a receipt only: an offer takes their place in the answer.

use bytes::Bytes;
use exchange::{Code, CorrelationId, Purpose, Refusal, TransactionId};
use identity::Mandate;
use ihe::mtom::Part;

use enclave::Delivery;

use super::attached::Attached;
use super::fulfil::{Documents, Fulfilled};
use super::way::Way;
use crate::message::{self, Facts, read_answer};
use crate::node::{Node, Place, Sealing};
use crate::strict::{Asked, give};

/// A request that was permitted.
pub(super) struct Permitted<'a> {
    pub(super) node: &'a Node,
    pub(super) sealing: &'a Sealing,
    pub(super) facts: &'a Facts,
    pub(super) mandate: &'a Mandate,
    pub(super) txid: TransactionId,
    pub(super) correlation: CorrelationId,
}

impl Permitted<'_> {
    /// The answer, or an offer of it. An emergency never waits, and neither does an answer without
    /// documents.
    pub(super) async fn against_receipt(
        &self,
        way: &Way,
        answer: Fulfilled,
        place: &mut Place<'_>,
    ) -> Result<Fulfilled, Refusal> {
        let Self { node, sealing, facts, mandate, txid, .. } = *self;
        let Way::Sealed { asker, peer, .. } = way else { return Ok(answer) };
        let waits = facts.is_retrieve()
            && mandate.recognised().purpose() != Purpose::Emergency
            && match &answer.documents {
                Documents::Of(classes) => peer.against.names(classes),
                Documents::Unknown => peer.against.names_all(),
            };
        if !waits {
            return Ok(answer);
        }
        if way.delivery() != Delivery::Node {
            let hint =
                "this document is given against a receipt, and not in a pouch; ask without one";
            return Err(Refusal::new(Code::ErrorPolicyViolation, hint));
        }
        // the ledger is waited for, and care is not to wait for that
        place.step_aside()?;
        let asked = Asked { sealing, asker, txid, transaction: facts.transaction };
        let named: Vec<Part> = answer.parts.iter().map(Attached::named).collect();
        let pieces = answer.parts.iter().map(Attached::piece).collect();
        let parts = give(node, &asked, answer.root.clone(), named, pieces).await?;
        Ok(self.in_its_place(parts))
    }

    /// In the words of its transaction: a gateway without strict mode sees a refusal.
    fn in_its_place(&self, parts: Vec<Part>) -> Fulfilled {
        let hint = "the document is given against a receipt in the shared ledger";
        let refused = self.facts.refuse(Refusal::new(Code::ErrorGeneric, hint));
        let (package, _) = message::refuse(self.node, &refused, self.correlation);
        let content = read_answer(&package).map_or(0..0, |(content, _)| content);
        let root: Bytes = package.root;
        let parts = parts.into_iter().map(Attached::clear).collect();
        let (outcome, documents) = ("answered".to_owned(), Documents::Of(Vec::new()));
        Fulfilled { root, parts, content, outcome, documents }
    }
}
