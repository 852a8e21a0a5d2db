//! The road of one request, as the country of affiliation walks it; the mirror of
//! `outbound/journey.rs`.

use std::sync::Arc;

use enclave::{Delivery, Header, Opened, Piece, ReplyToken, VaultError};
use exchange::{Refusal, Transaction};
use identity::{Consent, Mandate, Recognised, permit};
use ihe::mtom::Package;
use ledger::crash;
use transport::Peer;

use super::against::Permitted;
use super::attached::Attached;
use super::evidence::{self, Claim, Proof};
use super::fulfil::{self, Fulfilled};
use super::way::Way;
use crate::message::{self, Facts, Message, Refused, read};
use crate::national::Connector;
use crate::node::{Node, Place, Sealing};
use crate::trace::Trace;
use crate::wire::{self, Inner};

/// A sealed request, opened: how to answer it, and what its sender claims.
pub struct SealedRequest {
    reply: ReplyToken,
    claim: Claim,
}

/// An answer, ready to leave.
pub struct Answered {
    /// The SOAP answer, sealed if the request was.
    pub package: Package,
    /// Which transaction.
    pub transaction: Transaction,
    /// Set when the answer is a refusal.
    pub refusal: Option<Refusal>,
}

/// A refusal when there is no evidence to answer under: the message, its claim, a replay.
pub struct Failed {
    /// Why, and in whose words.
    pub refused: Refused,
    /// The peer must fetch our key again.
    pub unknown_key: bool,
}

impl Failed {
    /// A refusal without more to say.
    pub fn early(refused: Refused) -> Self {
        Self { refused, unknown_key: false }
    }

    /// Of a sealed request, as it may be answered in the clear: it does not repeat what was sealed.
    #[must_use]
    pub fn in_the_clear(mut self) -> Self {
        self.refused.echo.query = String::new();
        self
    }
}

/// 6 (in B's count). open: once, in the vault only; the sender must be who TLS says.
pub fn open(
    sealing: &Sealing,
    peer: &Peer,
    package: &Package,
) -> Result<(Message, SealedRequest), VaultError> {
    let (place, ciphertext) = wire::split_package(package).map_err(|_| VaultError::Malformed)?;
    // whose session it would take a place in is settled before anything is opened
    let (header, _) = Header::decode(&ciphertext)?;
    if Some(header.address.from) != peer.country() {
        return Err(VaultError::Integrity);
    }
    let Opened { address, pieces, reply } =
        sealing.vault.open_request(&ciphertext, &wire::bound(&package.root, place.clone()))?;
    let inner = Inner::decode(pieces).map_err(|_| VaultError::Malformed)?;
    let claim = Claim::new(address, &inner).ok_or(VaultError::Malformed)?;
    let package = wire::restore(&package.root, place, &inner);
    Ok((Message { package }, SealedRequest { reply, claim }))
}

/// Answers a request; sealed if it came sealed.
pub async fn answer(
    node: &Arc<Node>,
    sealing: &Sealing,
    peer: &Peer,
    message: Message,
    sealed: Option<SealedRequest>,
    (trace, place): (&mut Trace, &mut Place<'_>),
) -> Result<Answered, Failed> {
    crash::point("inbound/received");
    // 1. recognise: who asks, for whom; issuer, seal and TLS certificate are of one country
    let (facts, who) = read(node, &message, peer.country()).map_err(Failed::early)?;
    let refuse = |refusal| Failed::early(facts.refuse(refusal));
    if let Ok(who) = &who {
        trace.asked(node, &facts, who, &message);
    }
    let (reply, claim) = sealed.map_or((None, None), |s| (Some(s.reply), Some(s.claim)));
    let who = match (who, &claim) {
        (Err(refusal), None) => return Err(refuse(refusal)),
        (who, _) => who,
    };

    // 4. record: the claim holds for the message that we see
    let mut recorded =
        evidence::record(node, peer, &facts, who.as_ref().ok(), &message, claim).map_err(refuse)?;
    trace.recorded(recorded.txid());

    // 2. permit: role x permission x transaction x consent
    let permitted = match who {
        Ok(who) => permitted(node, &facts, who).await,
        Err(refusal) => Err(refusal),
    };

    // 3. attest: the vault that asked, and which alone will open the answer
    let way = Way::back(node, peer, &facts, reply).await.map_err(refuse)?;

    // fulfil: from the store, or by the OpenNCP behind us; a refusal is an answer with evidence too
    let fulfilled = match permitted {
        Ok(mandate) => {
            evidence::before_it_acts(node, sealing, &facts, &mut recorded).await.map_err(refuse)?;
            let apart = way.delivery() != Delivery::Node;
            let fulfilled = fulfil::fulfil(node, sealing, &facts, &mandate, &message, apart).await;
            let fulfilled = fulfilled.and_then(|answer| way.permits(node, sealing, answer));
            let (txid, correlation) = (recorded.txid(), trace.correlation);
            let permitted =
                Permitted { node, sealing, facts: &facts, mandate: &mandate, txid, correlation };
            match fulfilled {
                Ok(answer) => permitted.against_receipt(&way, answer, place).await,
                Err(refusal) => Err(refusal),
            }
        }
        Err(refusal) => Err(refusal),
    };
    let (fulfilled, refusal) = match fulfilled {
        Ok(fulfilled) => (fulfilled, None),
        Err(refusal) => {
            let (package, _) =
                message::refuse(node, &facts.refuse(refusal.clone()), trace.correlation);
            (Fulfilled::refusing(package, &refusal), Some(refusal))
        }
    };

    trace.answered(&fulfilled.root, &fulfilled.outcome);

    // 7. settle: our signature under request and answer is durable before the answer leaves
    let settled =
        evidence::settle(node, sealing, &way, recorded, &fulfilled).await.map_err(refuse)?;

    // 8. note: by the caller; 9. deliver
    let transaction = facts.transaction;
    let package = deliver(node, sealing, settled, way, fulfilled).map_err(refuse)?;
    Ok(Answered { package, transaction, refusal })
}

/// Releases the answer. What it takes is the list of what must have happened; a [`Fulfilled`] that
/// is no refusal is made with a mandate only.
fn deliver(
    node: &Node,
    sealing: &Sealing,
    settled: Proof,
    way: Way,
    fulfilled: Fulfilled,
) -> Result<Package, Refusal> {
    let Way::Sealed { reply, asker, .. } = way else {
        return fulfilled.plain().ok_or_else(|| evidence::unsealed(VaultError::Keeps));
    };
    let root = &fulfilled.root;
    let inner = Inner {
        evidence: settled.evidence,
        secrets: settled.secrets,
        content: root.slice(fulfilled.content.clone()),
        parts: fulfilled.parts.iter().map(Attached::named).collect(),
    };
    let bound = wire::bound(root, fulfilled.content.clone());
    // the bound digest is over the envelope as it will travel, which has the same prefix and suffix
    let head = inner.head();
    let parts = fulfilled.parts.iter().map(Attached::piece);
    let pieces: Vec<Piece<'_>> = std::iter::once(Piece::Clear(&head)).chain(parts).collect();
    let ciphertext = sealing
        .vault
        .seal_response(reply, &asker, &bound, &pieces, node.clock.now())
        .map_err(evidence::unsealed)?;
    Ok(wire::seal_package(root, fulfilled.content, ciphertext))
}

async fn permitted(node: &Node, facts: &Facts, who: Recognised) -> Result<Mandate, Refusal> {
    let consent = consent(node, facts, who.patient()).await?;
    permit(who, facts.transaction, facts.class, consent, &node.policy)
}

/// What the patient said at home. An OpenNCP behind us knows by itself.
async fn consent(
    node: &Node,
    facts: &Facts,
    patient: Option<&exchange::PatientId>,
) -> Result<Consent, Refusal> {
    let Connector::Store(store) = &node.connector else { return Ok(Consent::ElsewhereDecided) };
    let patients = match patient {
        Some(patient) if facts.transaction != Transaction::PatientDiscovery => {
            vec![patient.clone()]
        }
        _ => facts.patients(),
    };
    store.consent(&patients).await
}
