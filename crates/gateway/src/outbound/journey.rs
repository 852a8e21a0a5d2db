//! The road of one request, as the country of treatment walks it. Each step gives a value that
//! only the room behind it can make; `deliver` takes them all.

use std::sync::Arc;

use exchange::{Country, Transaction};
use identity::{Consent, Mandate, permit};
use ledger::crash;
use transport::Peer;

use super::evidence::{self, Proof, Recorded};
use super::way::{self, Asking, Way};
use crate::last_hop::{Released, VaultLine};
use crate::message::{Message, Refused, read};
use crate::node::{Node, Place};
use crate::strict::Wanted;
use crate::trace::Trace;

/// Asks `target` for what our own OpenNCP wants.
pub async fn ask(
    node: &Arc<Node>,
    own: &Peer,
    target: Country,
    message: Message,
    line: Option<&VaultLine>,
    (trace, place): (&mut Trace, &mut Option<Place<'_>>),
) -> Result<(Released, Transaction), Refused> {
    // one seal from here to the end, even if the operator renews it meanwhile
    let sealing = node.sealing();

    // 1. recognise: who asks, for whom; the assertions must be our own country's
    let ours = own.country().filter(|country| *country == node.country);
    let (facts, recognised) = read(node, &message, ours)?;
    let refuse = |refusal| facts.refuse(refusal);
    let recognised = recognised.map_err(refuse)?;
    trace.asked(node, &facts, &recognised, &message);
    crash::point("outbound/recognised");

    // 2. permit: role x permission x transaction; consent is the other country's to know
    let mandate =
        permit(recognised, facts.transaction, facts.class, Consent::ElsewhereDecided, &node.policy)
            .map_err(refuse)?;

    // strict mode: what is open since the same was asked before is not asked again
    let wanted = Wanted {
        node,
        sealing: &sealing,
        target,
        facts: &facts,
        mandate: &mandate,
        message: &message,
    };
    if let Some((txid, released)) = wanted.open(place).await.map_err(refuse)? {
        trace.recorded(txid);
        trace.answered(&released.package.root, "answered");
        return Ok((released, facts.transaction));
    }

    // 3. attest: whose vault we seal for, or plainly if the policy row says so
    let peer = node.peer(target).map_err(refuse)?;
    let way = way::attest(node, peer, &facts).await.map_err(refuse)?;

    // 4. record: the request's evidence is durable before anything leaves
    let recorded = evidence::record(node, &sealing, target, &facts, &mandate, &message, &way)
        .await
        .map_err(refuse)?;
    trace.recorded(recorded.txid());

    // 5. and 6. ask, and open the answer: once, in the vault only
    let asking = Asking { node, sealing: &sealing, peer, facts: &facts, recorded: &recorded };
    let to = way.addressee(&asking, line);
    let answer = asking.ask_and_open(&way, to, &message).await.map_err(refuse)?;

    answer.from.iter().for_each(|peer| trace.connected(peer));

    // 7. settle: the answer's evidence, and our receipt for it, durable before anyone reads it
    let proof = evidence::settle(node, &sealing, &recorded, &answer).await.map_err(refuse)?;

    // strict mode: an offer becomes the document, once its key is in the ledger
    let released = wanted.receive(recorded.txid(), answer.released, place).await;
    let released = released.map_err(refuse)?;

    trace.answered(&released.package.root, proof.outcome());

    // 8. note: by the caller, whatever came of it
    // 9. deliver
    Ok((deliver(&mandate, &way, &recorded, &proof, released), facts.transaction))
}

/// Releases the answer to our own OpenNCP. What it takes is the list of what must have happened.
fn deliver(
    _permitted: &Mandate,
    _attested: &Way,
    _recorded: &Recorded,
    _settled: &Proof,
    answer: Released,
) -> Released {
    answer
}
