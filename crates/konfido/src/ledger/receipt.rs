//! `konfido-receipt/2`: what a node has of an exchange, with what its validator has of the ledger.

use anyhow::Context as _;
use http::StatusCode;
use ledger::Field;
use ledger::bundle::{self, Bundle, Reader};
use ledger::entry::{Body, Entry};
use ledger::member::Kid;
use ledger::proof::Proof;
use ledger::timestamp::TimeStampToken;
use serde_json::Value;
use transport::plain::PlainClient;
use trust::chain::Chain;

use crate::evidence::archive::Record;

/// Makes the receipt, after it verified, showing these fields.
pub async fn shared(
    record: &Record<'_>,
    validator: &PlainClient,
    fields: &[Field],
) -> anyhow::Result<Vec<u8>> {
    let txid = record.row.txid;
    let exchange = get(validator, &format!("/v1/exchanges/{txid}")).await;
    let exchange = exchange.context("the exchange is not in the shared ledger yet")?;
    let exchange: Value = serde_json::from_slice(&exchange)?;
    let indices = exchange["entries"].as_array().context("the validator names no entry")?;
    let indices: Vec<u64> = indices.iter().filter_map(Value::as_u64).collect();
    let (index, entry, signers) = evidence(record, validator, &indices).await?;
    let path = format!("/v1/entries/{index}/proof");
    let proof = match get(validator, &format!("{path}?stamped")).await {
        Ok(stamped) => stamped,
        Err(_) => get(validator, &path)
            .await
            .context("no checkpoint covers it yet: try again in a moment")?,
    };
    let mut proof = Proof::parse(&proof)?;
    let stamp = proof.extra.take();
    let policy = String::from_utf8(get(validator, "/policy").await?)?;
    let leaves = signers.iter().map(|chain| chain.leaf());
    let above = signers.iter().flat_map(|chain| chain.intermediates());
    let certificates: Vec<_> = leaves.chain(above).collect();
    let mut receipt = Bundle::new(&entry, record.row.at, &certificates, &proof, &policy)
        .showing(&record.secrets, fields);
    if let Some(token) = stamp {
        receipt = receipt.stamped(&TimeStampToken::read(&token)?);
    }
    let json = receipt.to_json();
    let reader = Reader { anchors: Some(record.anchors()), ..Reader::default() };
    bundle::verify(&json, reader).context("the receipt would not verify")?;
    Ok(json)
}

/// The last entry that is evidence by who signed ours, its place and the signers: it closed what stood half
/// before. A deadline that passed is no evidence, and the other country's half shows none of our fields.
async fn evidence<'r>(
    record: &'r Record<'_>,
    validator: &PlainClient,
    indices: &[u64],
) -> anyhow::Result<(u64, Vec<u8>, Vec<&'r Chain>)> {
    for index in indices.iter().rev() {
        let entry = get(validator, &format!("/v1/entries/{index}")).await?;
        if let Some(signers) = signers(&Entry::decode(&entry)?, &record.chains) {
            return Ok((*index, entry, signers));
        }
    }
    anyhow::bail!("the shared ledger has no evidence of this exchange that we signed")
}

/// The chains of who signed an entry's record, in the order of their signatures; `None` of what is no
/// evidence, or is signed by somebody else.
fn signers<'r>(entry: &Entry, chains: &'r [Chain]) -> Option<Vec<&'r Chain>> {
    let signed = match entry.body() {
        Body::Whole(record) | Body::Close(record) => record.signed(),
        Body::Half(half) => half.record().signed(),
        _ => return None,
    };
    let by = |kid: Kid| chains.iter().find(|one| one.leaf().fingerprint().0 == kid);
    signed.signatures().iter().map(|signature| by(signature.kid)).collect()
}

async fn get(validator: &PlainClient, path: &str) -> anyhow::Result<Vec<u8>> {
    let (status, body) = validator.get(path).await?;
    anyhow::ensure!(status == StatusCode::OK, "the validator answers {status} for {path}");
    Ok(body.to_vec())
}

#[cfg(test)]
mod tests {
    use exchange::{Country, SystemEntropy, Transaction, TransactionId};
    use jiff::Timestamp;
    use ledger::entry::Half;
    use ledger::{JointStatement, RequestStatement, Secrets};
    use testbed::pki::{Pki, Role, SealKind};

    use super::*;

    #[test]
    fn a_half_whose_deadline_passed_is_shown_by_its_evidence_and_not_by_the_deadline() {
        let [es, dk, it] = ["ES", "DK", "IT"].map(|code| Country::parse(code).unwrap());
        let pki = Pki::new(&[es, dk, it], SealKind::P256, Timestamp::now());
        let seal = |of| pki.identity(of, Role::Seal).seal_key();
        let chains = [dk, es].map(|of| Chain::of(&seal(of)));
        let asked = Secrets::draw([(Field::Patient, "somebody".to_owned())], &SystemEntropy);
        let txid = TransactionId::random(&SystemEntropy);
        let request =
            RequestStatement::new(txid, Transaction::Retrieve, es, dk, asked.commitments());
        let half = |of| {
            let said = JointStatement::unanswered(&request.sign(&seal(es)).unwrap()).unwrap();
            Half::entry(&said.sign(&seal(of)).unwrap(), 20, &seal(of)).unwrap()
        };
        let of = |entry: &Entry| {
            let found = signers(entry, &chains);
            found.map(|all| all.iter().map(|one| one.leaf().clone()).collect::<Vec<_>>())
        };
        // who is looked at from behind comes to the half
        assert_eq!(of(&Entry::open(txid.0)), None);
        assert_eq!(of(&half(es)), Some(vec![chains[1].leaf().clone()]));
        assert_eq!(of(&half(it)), None, "somebody else's word");
    }
}
