use exchange::{SystemEntropy, TransactionId};
use jiff::Timestamp;
use ledger::journal::{Row, State};
use ledger::log::Log;
use ledger::sealed::Sealed;
use ledger::{Answered, RequestStatement, Secrets};
use testbed::pki::{Pki, Role, SealKind};
use trust::certificate::Anchors;

use super::super::archive::Archive;
use super::*;

/// Spain asked Denmark, and Denmark refused.
struct Exchange {
    dk: Arc<SealKey>,
    es: Arc<SealKey>,
    anchors: Anchors,
    asked: Secrets,
    answered: Secrets,
    request: RequestStatement,
    digest: [u8; 32],
    /// What Denmark signed.
    answer: Vec<u8>,
    row: Row,
}

fn digest_of(field: Field, byte: &str) -> Secrets {
    Secrets::draw([(field, byte.repeat(32))], &SystemEntropy)
}

fn exchange() -> Exchange {
    let (dk, es) = (Country::parse("DK").unwrap(), Country::parse("ES").unwrap());
    let now = Timestamp::now();
    let pki = Pki::new(&[dk, es], SealKind::P256, now);
    let seal = |country| pki.identity(country, Role::Seal).seal_key();
    let (txid, transaction) = (TransactionId([7; 16]), Transaction::Retrieve);
    let (asked, answered) = (digest_of(Field::Request, "ab"), digest_of(Field::Answer, "cd"));
    let request = RequestStatement::new(txid, transaction, es, dk, asked.commitments());
    let nro = request.sign(&seal(es)).unwrap();
    let (certificate, anchors) = (pki.identity(es, Role::Seal).certificate(), pki.anchors());
    let heard = RequestStatement::verify(&nro, certificate, &anchors, now).unwrap();
    let statement = JointStatement::answer(&heard, answered.commitments(), "ERROR_PS_NO_CONSENT");
    let answer = statement.sign(&seal(dk)).unwrap();
    let row = Row {
        txid,
        side: Side::A,
        transaction,
        requester: es,
        provider: dk,
        state: State::Settled,
        request: nro,
        statement: answer.clone(),
        secrets: Sealed::default(),
        peer_certificate: certificate.der().to_vec(),
        undelivered: false,
        at: now,
        index: Some(0),
    };
    let (dk, es) = (Arc::new(seal(dk)), Arc::new(seal(es)));
    Exchange { dk, es, anchors, asked, answered, request, digest: heard.digest, answer, row }
}

/// The documents of a row, as the node of its side exports them.
fn exported(exchange: &Exchange, row: &Row) -> anyhow::Result<Vec<Evidence>> {
    let secrets = [exchange.asked.encode(), exchange.answered.encode()].concat();
    exported_with(exchange, row, &secrets)
}

fn exported_with(exchange: &Exchange, row: &Row, secrets: &[u8]) -> anyhow::Result<Vec<Evidence>> {
    let folder = tempfile::tempdir()?;
    let data = folder.path();
    Log::open(&data.join("log"), ORIGIN, &data.join("log.key"))?;
    let seal = if row.side == Side::A { &exchange.dk } else { &exchange.es };
    let custody = &crate::custody::Custody::Here;
    let archive = Archive { data, origin: ORIGIN, seal, anchors: &exchange.anchors, custody };
    let documents =
        documents(&archive.record(row, Secrets::decode(secrets).unwrap())?, seal, &SystemEntropy)?;
    documents.iter().map(|(_, xml)| Ok(Evidence::verify(xml.as_bytes())?.0)).collect()
}

/// (kind, sender)
fn said(documents: &[Evidence]) -> Vec<(Kind, &str)> {
    documents.iter().map(|e| (e.kind, e.sender.names[0].as_str())).collect()
}

const ORIGIN: &str = "konfido.example/x";
const ALL: [(Kind, &str); 4] =
    [(Kind::Origin, "ES"), (Kind::Receipt, "ES"), (Kind::Origin, "DK"), (Kind::Receipt, "DK")];

#[test]
fn a_refusal_rejects_the_request_and_is_itself_sent_and_received() {
    let exchange = exchange();
    let (provider, at) = (exchange.dk.certificate(), exchange.row.at);
    let (request, digest, anchors) = (&exchange.request, exchange.digest, &exchange.anchors);
    let answered =
        Answered::verify(&exchange.answer, provider, request, digest, anchors, at).unwrap();
    let statement = answered.countersign(&exchange.es).unwrap().signed;
    let peer_certificate = provider.der().to_vec();
    let row = Row { side: Side::B, statement, peer_certificate, ..exchange.row.clone() };
    let documents = exported(&exchange, &row).unwrap();
    assert_eq!(said(&documents), ALL);
    let Verdict::Rejected(reasons) = &documents[1].verdict else { panic!("it was refused") };
    assert_eq!(reasons[0].code, "ERROR_PS_NO_CONSENT");
    assert!([0, 2, 3].iter().all(|at: &usize| documents[*at].verdict == Verdict::Accepted));
    let digests: Vec<_> =
        documents.iter().map(|e| e.message.as_ref().unwrap().digest.unwrap().0).collect();
    assert_eq!(digests, [[0xab; 32], [0xab; 32], [0xcd; 32], [0xcd; 32]]);
    assert_eq!(documents[0].record.as_ref().unwrap().digest.0, sha256(&row.statement));
}

#[test]
fn without_the_requesters_receipt_nobody_says_that_the_answer_arrived() {
    let exchange = exchange();
    let documents = exported(&exchange, &exchange.row).unwrap();
    assert_eq!(said(&documents), ALL[..3]);
    // and without its own statement, nobody says that it asked
    let row = Row { request: Vec::new(), ..exchange.row.clone() };
    assert_eq!(said(&exported(&exchange, &row).unwrap()), ALL[1..3]);
}

#[test]
fn a_request_that_was_never_answered_has_its_origin_only() {
    let exchange = exchange();
    let unanswered = JointStatement::unanswered(&exchange.row.request).unwrap();
    let statement = unanswered.sign(&exchange.es).unwrap();
    let row = Row {
        side: Side::B,
        state: State::Half,
        statement,
        peer_certificate: Vec::new(),
        ..exchange.row.clone()
    };
    let asked = exchange.asked.encode();
    assert_eq!(said(&exported_with(&exchange, &row, &asked).unwrap()), ALL[..1]);
}

#[test]
fn a_request_that_its_provider_left_without_an_answer_was_received_and_rejected() {
    let exchange = exchange();
    let unanswered = JointStatement::unanswered(&exchange.row.request).unwrap();
    let statement = unanswered.sign(&exchange.dk).unwrap();
    let secrets = exchange.asked.encode();
    let row = Row { state: State::Half, statement, ..exchange.row.clone() };
    let documents = exported_with(&exchange, &row, &secrets).unwrap();
    assert_eq!(said(&documents), ALL[..2]);
    let Verdict::Rejected(reasons) = &documents[1].verdict else { panic!("nothing was answered") };
    assert_eq!(
        (reasons[0].code.as_str(), reasons[0].details.as_str()),
        ("no-answer", NOT_ANSWERED)
    );
}

#[test]
fn digests_are_told_only_if_they_are_those_that_were_signed() {
    let exchange = exchange();
    let documents = exported_with(&exchange, &exchange.row, b"").unwrap();
    assert_eq!(documents.len(), 3, "deleted salts leave the evidence");
    assert!(documents.iter().all(|e| e.message.as_ref().unwrap().digest.is_none()));
    let other = [digest_of(Field::Request, "ef").encode(), exchange.answered.encode()].concat();
    let verdict = exported_with(&exchange, &exchange.row, &other);
    assert_eq!(verdict.err().unwrap().to_string(), "the salts are of another exchange");
}

#[test]
fn a_record_that_does_not_verify_becomes_no_evidence() {
    let (exchange, stranger) = (exchange(), exchange());
    let mut row = exchange.row.clone();
    *row.statement.last_mut().unwrap() ^= 1;
    assert!(exported(&exchange, &row).is_err());
    let row = Row { statement: stranger.row.statement, ..exchange.row.clone() };
    assert!(exported(&exchange, &row).is_err(), "sealed under another root");
}
