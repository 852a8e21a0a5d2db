//! A record as ETSI REM documents, for archives that hold OpenNCP's.
//!
//! A node signs as itself only: each document is this node's statement about what the record of both
//! countries proves, and names that record. The proof by the other country is in the receipt.

use std::sync::Arc;

use anyhow::ensure;
use exchange::{Country, Digest, Entropy, Side, Transaction};
use ihe::rem::{self, Evidence, Kind, Message, Party, Reason, Verdict};
use ledger::evidence::sha256;
use ledger::{Field, JointStatement};
use trust::certificate::Certificate;
use trust::chain::Chain;
use trust::seal::SealKey;

use super::archive::Record;

/// Which document follows from whose signature.
struct Proof {
    kind: Kind,
    message: Field,
    signer: Side,
}

/// The vocabulary of `ledger::evidence`, in the order of an exchange.
static PROOFS: [Proof; 4] = [
    Proof { kind: Kind::Origin, message: Field::Request, signer: Side::B },
    Proof { kind: Kind::Receipt, message: Field::Request, signer: Side::A },
    Proof { kind: Kind::Origin, message: Field::Answer, signer: Side::A },
    Proof { kind: Kind::Receipt, message: Field::Answer, signer: Side::B },
];

/// The signed documents of a record, each with its file name.
pub fn documents(
    record: &Record<'_>,
    seal: &Arc<SealKey>,
    entropy: &dyn Entropy,
) -> anyhow::Result<Vec<(String, String)>> {
    let (settled, signers) = record.settled()?;
    let statement = settled.statement;
    let mut documents = Vec::new();
    for proof in &PROOFS {
        let country = country_of(&statement, proof.signer);
        let signed = signers.iter().any(|signer| signer.leaf().country() == Some(country))
            || (matches!((proof.kind, proof.message), (Kind::Origin, Field::Request))
                && record.request_is_signed(&statement));
        if !signed || !committed(&statement).any(|name| name == proof.message.name()) {
            continue;
        }
        let evidence = Evidence {
            id: ihe::uuid(entropy),
            issuer: party(country_of(&statement, record.row.side), Some(seal.certificate())),
            ..evidence(record, &statement, proof)?
        };
        let title = format!("{}-{}", statement.transaction, proof.message.name());
        documents.push((evidence.file_name(&title), evidence.sign(seal)?));
    }
    ensure!(!documents.is_empty(), "the record proves nothing that REM has a word for");
    Ok(documents)
}

/// What the record says by this proof; identifier and issuer are still empty.
fn evidence(
    record: &Record<'_>,
    statement: &JointStatement,
    proof: &Proof,
) -> anyhow::Result<Evidence> {
    let request = proof.message == Field::Request;
    let (from, to) = if request { (Side::B, Side::A) } else { (Side::A, Side::B) };
    let known = |side| {
        let country = country_of(statement, side);
        party(country, record.chain(country).map(Chain::leaf))
    };
    Ok(Evidence {
        kind: proof.kind,
        verdict: verdict(statement, proof),
        id: String::new(),
        policies: Vec::new(),
        issuer: Party::default(),
        authentication: None,
        event_time: record.row.at,
        submission_time: None,
        sender: known(from),
        recipients: vec![known(to)],
        message: Some(Message {
            subject: subject(record.row.transaction, request).to_owned(),
            // the journal does not keep the wsa:MessageID
            sender_id: Some(statement.txid.clone()),
            number: statement.txid.clone(),
            digest: digest(record, statement, proof.message)?,
        }),
        record: Some(rem::Record {
            log: record.log.origin().to_owned(),
            index: record.index,
            digest: Digest(sha256(&record.row.statement)),
        }),
    })
}

/// The recipient of a request rejected it when the answer was a refusal; a refusal is itself a
/// message that was sent and received.
fn verdict(statement: &JointStatement, proof: &Proof) -> Verdict {
    let request_received = proof.kind == Kind::Receipt && proof.message == Field::Request;
    if !request_received || statement.outcome == ANSWERED {
        return Verdict::Accepted;
    }
    let details = if statement.is_unanswered() { NOT_ANSWERED } else { REFUSED };
    Verdict::Rejected(vec![Reason { code: statement.outcome.clone(), details: details.to_owned() }])
}

/// The digest of the message, if its salt is still kept and fits what was signed.
fn digest(
    record: &Record<'_>,
    statement: &JointStatement,
    field: Field,
) -> anyhow::Result<Option<Digest>> {
    let Some((salt, value)) = record.secrets.disclose(field) else { return Ok(None) };
    let committed = [&statement.asked, &statement.answered]
        .into_iter()
        .find_map(|commitments| commitments.0.get(field.name()));
    let found = ledger::commitment::commitment(field, &salt, value);
    ensure!(committed.is_some_and(|c| c.0 == found), "the salts are of another exchange");
    let mut bytes = [0; 32];
    hex::decode_to_slice(value, &mut bytes)?;
    Ok(Some(Digest(bytes)))
}

fn party(country: Country, certificate: Option<&Certificate>) -> Party {
    Party {
        names: vec![country.to_string()],
        certificate: certificate.map(|c| c.der().to_vec()),
        ..Party::default()
    }
}

fn committed(statement: &JointStatement) -> impl Iterator<Item = &str> {
    statement.asked.0.keys().chain(statement.answered.0.keys()).map(String::as_str)
}

fn country_of(statement: &JointStatement, side: Side) -> Country {
    match side {
        Side::A => statement.provider,
        Side::B => statement.requester,
    }
}

fn subject(transaction: Transaction, request: bool) -> &'static str {
    if request { transaction.request_action() } else { transaction.response_action() }
}

#[cfg(test)]
mod tests;

const ANSWERED: &str = "answered";
const REFUSED: &str = "the request was refused with this code";
const NOT_ANSWERED: &str = "no answer was released by the deadline";
