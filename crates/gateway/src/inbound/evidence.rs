//! The country of affiliation's half of the evidence.

use bytes::Bytes;
use enclave::{Address, VaultError};
use exchange::{Code, Country, Refusal, Side, TransactionId};
use identity::Recognised;
use identity::replay::message_key;
use ledger::evidence::{Asked, JointStatement, RequestStatement};
use ledger::journal::{ReplayKey, Row, State, Step};
use ledger::sealed::{EvidenceKey, Part, Sealed};
use ledger::{Field, Secrets, crash};
use transport::Peer;
use trust::chain::Chain;
use trust::seal::SealKey;

use super::attached::Attached;
use super::fulfil::Fulfilled;
use super::way::Way;
use crate::message::{Facts, Message, digest, digest_of};
use crate::node::{Node, Sealing};
use crate::outbound::shared::{self, mismatch, request_values, unavailable, unsigned};
use crate::secrets::{self, LockedKey, Put};
use crate::wire::{self, Inner};

/// What the sender of a sealed request claims; believed by [`record`] only.
pub(super) struct Claim {
    address: Address,
    signed: Bytes,
    /// DER, leaf first.
    certificates: Bytes,
    secrets: Bytes,
}

impl Claim {
    pub(super) fn new(address: Address, inner: &Inner) -> Option<Self> {
        let (signed, certificates) = wire::unpair(inner.evidence.clone()).ok()?;
        Some(Self { address, signed, certificates, secrets: inner.secrets.clone() })
    }
}

/// The request's evidence, checked against the message that we see.
pub(super) struct Recorded {
    txid: TransactionId,
    kind: RecordedKind,
    row: Row,
    asked: Secrets,
    /// Of the row's secrets, once they are put away.
    key: Option<EvidenceKey>,
    replay: Option<ReplayKey>,
}

enum RecordedKind {
    /// Signed by the other country.
    Bilateral(Asked),
    /// Ours alone: the other country has no KONFIDO.
    OneSided(RequestStatement),
}

/// Proof of step 7: our signature is on disk.
pub(super) struct Proof {
    pub(super) evidence: Bytes,
    pub(super) secrets: Bytes,
}

impl Recorded {
    pub(super) fn txid(&self) -> TransactionId {
        self.txid
    }
}

/// Takes down what is asked, under the other country's claim where it made one.
pub(super) fn record(
    node: &Node,
    peer: &Peer,
    facts: &Facts,
    who: Option<&Recognised>,
    message: &Message,
    claim: Option<Claim>,
) -> Result<Recorded, Refusal> {
    let now = node.clock.now();
    let requester = peer.country().ok_or_else(|| mismatch("a peer of no country"))?;
    let content = &message.package.root[facts.content.clone()];
    let parts = &message.package.parts;
    let (txid, kind, secrets, request, certificate) = match claim {
        Some(claim) => {
            let (asked, secrets) = believe(node, requester, facts, who, message, &claim)?;
            let (request, certificate) = (claim.signed.to_vec(), claim.certificates.to_vec());
            (claim.address.txid, RecordedKind::Bilateral(asked), secrets, request, certificate)
        }
        None => {
            let values = who.map_or_else(Vec::new, |who| request_values(who, content, parts));
            let (txid, entropy) = (TransactionId::random(node.entropy.as_ref()), &node.entropy);
            let secrets = Secrets::draw(values, entropy.as_ref());
            let (kind, asked) = (facts.transaction, secrets.commitments());
            let said = RequestStatement::new(txid, kind, requester, node.country, asked);
            (txid, RecordedKind::OneSided(said), secrets, Vec::new(), Vec::new())
        }
    };
    let key = message_key(requester, facts.transaction, &facts.message_id, now);
    let row = Row {
        txid,
        side: Side::A,
        transaction: facts.transaction,
        requester,
        provider: node.country,
        state: State::Asked,
        request,
        statement: Vec::new(),
        secrets: Sealed::default(),
        peer_certificate: certificate,
        undelivered: false,
        at: now,
        index: None,
    };
    let replay = Some(ReplayKey { digest: key.digest, expires: key.expires });
    Ok(Recorded { txid, kind, row, asked: secrets, key: None, replay })
}

/// Checks the claim: signed by the asking country, about this very message. When nobody was
/// recognised, what the claim says of people is the other country's word, under its signature: we
/// keep no name that we could not verify, and could show none.
fn believe(
    node: &Node,
    requester: Country,
    facts: &Facts,
    who: Option<&Recognised>,
    message: &Message,
    claim: &Claim,
) -> Result<(Asked, Secrets), Refusal> {
    let broken = |e: &dyn std::fmt::Display| mismatch(&e.to_string());
    let content = &message.package.root[facts.content.clone()];
    let parts = &message.package.parts;
    let chain = Chain::from_der(&claim.certificates).map_err(|e| broken(&e))?;
    let (anchors, now) = (&node.seal_anchors, node.clock.now());
    let asked = RequestStatement::verify_chained(&claim.signed, &chain, anchors, now)
        .map_err(|e| broken(&e))?;
    let secrets = Secrets::decode(&claim.secrets).ok_or_else(|| mismatch("salts"))?;
    let said = &asked.statement;
    let fits = said.txid == claim.address.txid.to_string()
        && said.transaction == facts.transaction.iti()
        && claim.address.transaction == facts.transaction
        && (said.requester, said.provider) == (requester, node.country)
        && match who {
            Some(who) => {
                who.country() == requester
                    && secrets.agree_with(&request_values(who, content, parts))
            }
            None => {
                secrets.has(Field::Request, &digest(content, parts))
                    && names_its_patient(facts, &secrets)
            }
        }
        && secrets.commitments() == said.commitments;
    if !fits {
        return Err(mismatch("the request is not what its evidence is about"));
    }
    let secrets = if who.is_some() { secrets } else { secrets.only(Field::Request) };
    Ok((asked, secrets))
}

/// Whether the patient of the claim is one of the Body's, where the Body names any.
fn names_its_patient(facts: &Facts, secrets: &Secrets) -> bool {
    let patients = facts.patients();
    secrets.disclose(Field::Patient).is_none_or(|(_, said)| {
        patients.is_empty() || patients.iter().any(|patient| patient.cx() == said)
    })
}

/// A query is released, and a replay refused, by the one durable step of [`settle`]; a submission
/// changes something here, so it is durable before it acts.
pub(super) async fn before_it_acts(
    node: &Node,
    sealing: &Sealing,
    facts: &Facts,
    recorded: &mut Recorded,
) -> Result<(), Refusal> {
    if facts.transaction.is_submission() {
        let patient = secrets::patient(&recorded.asked);
        let key = EvidenceKey::draw(recorded.txid, Side::A, node.entropy.as_ref());
        let locked = secrets::lock(node, &sealing.vault, patient, key).await;
        put(node, sealing, recorded, locked.map_err(|e| e.refusal())?, None).await?;
    }
    crash::point("inbound/recorded");
    Ok(())
}

/// Signs what was asked and answered, and makes it durable.
pub(super) async fn settle(
    node: &Node,
    sealing: &Sealing,
    way: &Way,
    recorded: Recorded,
    fulfilled: &Fulfilled,
) -> Result<Proof, Refusal> {
    let mut recorded = recorded;
    let content = &fulfilled.root[fulfilled.content.clone()];
    let answer = digest_of(content, fulfilled.parts.iter().map(Attached::digest));
    let values = [(Field::Answer, answer), (Field::Delivery, way.delivery().in_words())];
    let secrets = Secrets::draw(values, node.entropy.as_ref());
    let statement = match &recorded.kind {
        RecordedKind::Bilateral(asked) => {
            JointStatement::answer(asked, secrets.commitments(), &fulfilled.outcome)
        }
        RecordedKind::OneSided(said) => {
            JointStatement::one_sided(said, secrets.commitments(), &fulfilled.outcome)
        }
    };
    let alone = matches!(recorded.kind, RecordedKind::OneSided(_));
    let state = if alone { State::Settled } else { State::Answered };
    let sign = |seal: &SealKey| statement.sign(seal);
    let signed = match &recorded.key {
        None => {
            let about = (recorded.txid, Side::A, &recorded.asked);
            let (signed, locked) = secrets::lock_signing(node, sealing, about, sign).await;
            let locked = locked.map_err(|e| e.refusal())?;
            let signed = signed.map_err(|e| unsigned(&e))?;
            (recorded.row.state, recorded.row.statement) = (state, signed.clone());
            put(node, sealing, &mut recorded, locked, Some(&secrets)).await?;
            signed
        }
        Some(key) => {
            let signed = sign(&sealing.seal).map_err(|e| unsigned(&e))?;
            (recorded.row.state, recorded.row.statement) = (state, signed.clone());
            recorded.row.secrets.answered = key.seal(Part::Answered, &secrets);
            let step = Step { replay: recorded.replay, rows: vec![recorded.row] };
            let kept = node.journal.commit(step).await;
            shared::recorded(kept.map_err(|e| unavailable(&e))?)?;
            signed
        }
    };
    crash::point("inbound/settled");
    Ok(Proof { evidence: signed.into(), secrets: secrets.encode().into() })
}

/// Makes the row durable for the first time.
async fn put(
    node: &Node,
    sealing: &Sealing,
    recorded: &mut Recorded,
    locked: LockedKey,
    answered: Option<&Secrets>,
) -> Result<(), Refusal> {
    let (replay, row) = (recorded.replay.take(), recorded.row.clone());
    let salts = (&recorded.asked, answered);
    let put = secrets::put(node, &sealing.vault, replay, row, locked, salts).await;
    let Put { outcome, row, key } = put.map_err(|e| e.refusal())?;
    shared::recorded(outcome)?;
    (recorded.row, recorded.key) = (row, Some(key));
    Ok(())
}

/// The refusal when an answer cannot be sealed.
pub(super) fn unsealed(error: VaultError) -> Refusal {
    Refusal::new(Code::ErrorSecGeneric, "the answer could not be sealed")
        .with_detail(error.to_string())
}
