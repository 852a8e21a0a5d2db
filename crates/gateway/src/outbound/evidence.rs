//! Steps 4 and 7: the request's evidence before it leaves, the answer's before it is read.

use bytes::Bytes;
use enclave::Delivery;
use exchange::{Code, Country, Refusal, Side, TransactionId};
use identity::replay::message_key;
use identity::{Mandate, Recognised};
use ledger::evidence::{Answered, JointStatement, RequestStatement, Settled, sha256};
use ledger::journal::{Outcome, ReplayKey, Row, State, Step};
use ledger::sealed::{EvidenceKey, Part, Sealed};
use ledger::{Field, Secrets, crash};
use trust::chain::Chain;

use super::way::{Answer, Way};
use crate::message::{Facts, Message, digest, digest_of};
use crate::node::{Node, Sealing};
use crate::secrets::{self, Put};
use crate::wire;

/// Proof of step 4: the request's evidence is on disk.
pub(super) struct Recorded {
    txid: TransactionId,
    statement: RequestStatement,
    row: Row,
    key: EvidenceKey,
    secrets: Bytes,
}

/// Proof of step 7: both countries' evidence, or our own alone, is on disk.
pub(super) struct Proof {
    outcome: String,
}

impl Proof {
    /// `answered`, or the eHDSI code of the other country's refusal.
    pub(super) fn outcome(&self) -> &str {
        &self.outcome
    }
}

impl Recorded {
    pub(super) fn txid(&self) -> TransactionId {
        self.txid
    }

    /// What the peer gets: the signed statement and our seal certificate with its intermediates.
    pub(super) fn evidence(&self, sealing: &Sealing) -> Bytes {
        wire::pair(&self.row.request, &Chain::of(&sealing.seal).der())
    }

    /// The salts, for the peer's own check.
    pub(super) fn secrets(&self) -> Bytes {
        self.secrets.clone()
    }
}

/// The values that a request's commitments are about; both countries compute them.
pub(crate) fn request_values(
    who: &Recognised,
    content: &[u8],
    parts: &[ihe::mtom::Part],
) -> Vec<(Field, String)> {
    let mut values = vec![
        (Field::Professional, who.professional()),
        (Field::Purpose, who.purpose().code().to_owned()),
        (Field::Assertions, who.assertion_ids()),
        (Field::Request, digest(content, parts)),
    ];
    values.extend(who.patient().map(|patient| (Field::Patient, patient.cx())));
    values
}

/// Signs the request statement and makes it durable, with the message's replay key.
pub(super) async fn record(
    node: &Node,
    sealing: &Sealing,
    target: Country,
    facts: &Facts,
    mandate: &Mandate,
    message: &Message,
    _way: &Way,
) -> Result<Recorded, Refusal> {
    let now = node.clock.now();
    let txid = TransactionId::ordered(now, node.entropy.as_ref());
    let content = &message.package.root[facts.content.clone()];
    let values = request_values(mandate.recognised(), content, &message.package.parts);
    let salts = Secrets::draw(values, node.entropy.as_ref());
    let statement =
        RequestStatement::new(txid, facts.transaction, node.country, target, salts.commitments());
    let about = (txid, Side::B, &salts);
    let (request, locked) =
        secrets::lock_signing(node, sealing, about, |seal| statement.sign(seal)).await;
    let locked = locked.map_err(|e| e.refusal())?;
    let request = request.map_err(|e| unsigned(&e))?;
    let key = message_key(node.country, facts.transaction, &facts.message_id, now);
    let row = Row {
        txid,
        side: Side::B,
        transaction: facts.transaction,
        requester: node.country,
        provider: target,
        state: State::Asked,
        request,
        statement: Vec::new(),
        secrets: Sealed::default(),
        peer_certificate: Vec::new(),
        undelivered: false,
        at: now,
        index: None,
    };
    let replay = Some(ReplayKey { digest: key.digest, expires: key.expires });
    let put = secrets::put(node, &sealing.vault, replay, row, locked, (&salts, None)).await;
    let Put { outcome, row, key } = put.map_err(|e| e.refusal())?;
    recorded(outcome)?;
    crash::point("outbound/recorded");
    Ok(Recorded { txid, statement, row, key, secrets: salts.encode().into() })
}

/// Checks the answer's evidence, adds our signature, makes it durable.
pub(super) async fn settle(
    node: &Node,
    sealing: &Sealing,
    recorded: &Recorded,
    answer: &Answer,
) -> Result<Proof, Refusal> {
    crash::point("outbound/answered");
    let now = node.clock.now();
    let package = &answer.released.package;
    let (content, parts) = (&package.root[answer.content.clone()], &package.parts);
    let found = if answer.delivery == Delivery::Node {
        digest(content, parts)
    } else {
        let names = parts.iter().map(|part| part.cid.as_str());
        digest_of(content, names.zip(answer.digests.iter().copied()))
    };
    let values = [(Field::Answer, found), (Field::Delivery, answer.delivery.in_words())];
    let mut row = recorded.row.clone();
    let settled: Settled = match &answer.provider {
        Some(provider) => {
            let secrets = Secrets::decode(&answer.secrets).ok_or_else(|| mismatch("salts"))?;
            let answered = Answered::verify_chained(
                &answer.evidence,
                provider,
                &recorded.statement,
                sha256(&recorded.row.request),
                &node.seal_anchors,
                now,
            )
            .map_err(|e| mismatch(&e.to_string()))?;
            let fits = secrets.agree_with(&values)
                && secrets.commitments() == answered.statement().answered;
            if !fits {
                return Err(mismatch("the answer is not what its evidence is about"));
            }
            row.secrets.answered = recorded.key.seal(Part::Answered, &secrets);
            row.peer_certificate = provider.der();
            row.undelivered = true;
            answered.countersign(&sealing.seal).map_err(|e| unsigned(&e))?
        }
        None => {
            let secrets = Secrets::draw(values, node.entropy.as_ref());
            row.secrets.answered = recorded.key.seal(Part::Answered, &secrets);
            let outcome = answer.refused.as_deref().unwrap_or("answered");
            JointStatement::one_sided(&recorded.statement, secrets.commitments(), outcome)
                .settle_alone(&sealing.seal)
                .map_err(|e| unsigned(&e))?
        }
    };
    row.statement = settled.signed;
    row.state = State::Settled;
    let kept = node.journal.commit(Step { replay: None, rows: vec![row] }).await;
    self::recorded(kept.map_err(|e| unavailable(&e))?)?;
    crash::point("outbound/settled");
    Ok(Proof { outcome: settled.statement.outcome })
}

/// What a step met, for who asks.
pub(crate) fn recorded(outcome: Outcome) -> Result<(), Refusal> {
    match outcome {
        Outcome::Recorded => Ok(()),
        Outcome::Replayed => Err(replayed()),
        // a row that is there is never met by an erasure
        Outcome::Taken | Outcome::Erased => Err(taken()),
    }
}

/// The answer to a message that was seen before.
pub(crate) fn replayed() -> Refusal {
    Refusal::new(Code::ErrorSecGeneric, "this message was sent before; send a new MessageID")
        .with_detail("replay")
}

/// The exchange number was used before, or its evidence has been closed.
pub(crate) fn taken() -> Refusal {
    Refusal::new(Code::ErrorSecGeneric, "this exchange is closed; send the request anew")
        .with_detail("exchange number is taken")
}

/// Without evidence nothing is exchanged.
pub(crate) fn unavailable(error: &ledger::journal::JournalError) -> Refusal {
    Refusal::new(Code::ErrorGeneric, "the evidence cannot be kept just now; try again")
        .with_detail(error.to_string())
}

pub(crate) fn unsigned(error: &ledger::EvidenceError) -> Refusal {
    Refusal::new(Code::ErrorGeneric, "the evidence cannot be signed just now; try again")
        .with_detail(error.to_string())
}

/// Evidence and message disagree.
pub(crate) fn mismatch(detail: &str) -> Refusal {
    let hint = "message and evidence do not agree; nothing was released";
    Refusal::new(Code::ErrorSecDataIntegrityNotEnsured, hint).with_detail(detail)
}
