//! The protocol between two countries, and what an attacker or a careless peer would bring.

use coset::{CborSerializable, CoseSign, CoseSign1};
use exchange::SystemEntropy;

use super::*;
use crate::commitment::{Field, Secrets};
use crate::fixtures::{World, country};

fn hear(world: &World, signed: &[u8]) -> Result<Asked, EvidenceError> {
    RequestStatement::verify(signed, world.es.certificate(), &world.anchors, world.now)
}

fn settled(world: &World, signed: &[u8]) -> Result<Settled, EvidenceError> {
    let signers = [world.dk.certificate(), world.es.certificate()];
    Settled::verify(signed, &signers, &world.anchors, world.now)
}

#[test]
fn both_countries_hold_the_same_bytes() {
    let world = World::new();
    let exchange = world.exchange();
    let asked = hear(&world, &exchange.nro).unwrap();
    assert_eq!(asked.statement, exchange.request);
    let record = world.settle(&exchange);
    let found = settled(&world, &record.signed).unwrap();
    assert_eq!((found.signatures, &found.statement), (2, &record.statement));
    assert_eq!(found.statement.request, Some(Bytes32(sha256(&exchange.nro))));
    assert_eq!(found.statement.asked, exchange.asked.commitments());
    assert_eq!(payload(&record.signed), payload(&exchange.answer));
    let printed = format!("{:?}", record.statement);
    assert!(
        !printed.contains("Agnete") && !String::from_utf8_lossy(&record.signed).contains("Agnete")
    );
}

#[test]
fn a_request_is_believed_by_the_seal_of_its_own_country_only() {
    let world = World::new();
    let exchange = world.exchange();
    let by = |key: &SealKey| {
        let signed = exchange.request.sign(key).unwrap();
        RequestStatement::verify(&signed, key.certificate(), &world.anchors, world.now).map(|_| ())
    };
    assert_eq!(by(&world.es), Ok(()));
    assert_eq!(by(&world.dk), Err(EvidenceError::Signer), "Denmark speaks for Spain");
    assert_eq!(by(&world.stranger), Err(EvidenceError::Signer), "another root");
    let forged = RequestStatement {
        requester: country("DK"),
        provider: country("ES"),
        ..exchange.request.clone()
    };
    let signed = forged.sign(&world.stranger).unwrap();
    let stranger = world.stranger.certificate();
    let verdict = RequestStatement::verify(&signed, stranger, &world.anchors, world.now);
    assert!(matches!(verdict, Err(EvidenceError::Signer)), "the right country of another root");
    let later = world.es.certificate().not_after() + jiff::SignedDuration::from_secs(1);
    let verdict =
        RequestStatement::verify(&exchange.nro, world.es.certificate(), &world.anchors, later);
    assert!(matches!(verdict, Err(EvidenceError::Signer)), "an expired seal");
}

#[test]
fn no_byte_of_a_signed_message_can_change() {
    let world = World::new();
    let exchange = world.exchange();
    let record = world.settle(&exchange).signed;
    for at in 0..exchange.nro.len() {
        let mut changed = exchange.nro.clone();
        changed[at] ^= 1;
        assert!(hear(&world, &changed).is_err(), "request, byte {at}");
    }
    for at in 0..record.len() {
        let mut changed = record.clone();
        changed[at] ^= 1;
        assert!(settled(&world, &changed).is_err(), "record, byte {at}");
    }
    assert!(settled(&world, &[record.as_slice(), b"\0"].concat()).is_err(), "a byte behind");
}

/// An answer that Denmark signs, but that is not the answer to this request.
#[test]
fn an_answer_to_something_else_is_not_countersigned() {
    type Change = fn(&mut JointStatement);
    let changes: [(&str, Change, EvidenceError); 12] = [
        ("another exchange", |s| s.txid = "0".repeat(32), EvidenceError::Mismatch),
        ("another transaction", |s| s.transaction = "ITI-38".into(), EvidenceError::Mismatch),
        ("another requester", |s| s.requester = country("IT"), EvidenceError::Mismatch),
        ("another provider", |s| s.provider = country("IT"), EvidenceError::Mismatch),
        ("another request", |s| s.request = Some(Bytes32([0; 32])), EvidenceError::Mismatch),
        ("no request", |s| s.request = None, EvidenceError::Mismatch),
        (
            "altered commitment",
            |s| s.asked.0.get_mut("patient").unwrap().0[0] ^= 1,
            EvidenceError::Mismatch,
        ),
        (
            "dropped commitment",
            |s| s.asked.0.retain(|name, _| name != "patient"),
            EvidenceError::Mismatch,
        ),
        (
            "free text as a field",
            |s| s.answered.0.extend([("Agnete Lund".into(), Bytes32([0; 32]))]),
            EvidenceError::Malformed,
        ),
        (
            "free text as outcome",
            |s| s.outcome = "Agnete Lund has COPD".into(),
            EvidenceError::Malformed,
        ),
        ("a leaf that no log takes", |s| s.outcome = "x".repeat(70_000), EvidenceError::Malformed),
        ("another form", |s| s.form = "konfido-exchange/2".into(), EvidenceError::Malformed),
    ];
    let world = World::new();
    let exchange = world.exchange();
    let good: JointStatement = decode(&payload(&exchange.answer).unwrap()).unwrap();
    let (digest, provider) = (sha256(&exchange.nro), world.dk.certificate());
    for (what, change, expected) in changes {
        let mut statement = good.clone();
        change(&mut statement);
        let signed = statement.sign(&world.dk).unwrap();
        let verdict = Answered::verify(
            &signed,
            provider,
            &exchange.request,
            digest,
            &world.anchors,
            world.now,
        );
        assert_eq!(verdict.err(), Some(expected), "{what}");
    }
    let by_us = good.sign(&world.es).unwrap();
    let us = world.es.certificate();
    let verdict =
        Answered::verify(&by_us, us, &exchange.request, digest, &world.anchors, world.now);
    assert_eq!(verdict.err(), Some(EvidenceError::Signer), "the requester answers itself");
}

#[test]
fn yesterdays_answer_does_not_settle_todays_request() {
    let world = World::new();
    let (yesterday, today) = (world.exchange(), world.exchange());
    let (provider, digest) = (world.dk.certificate(), sha256(&today.nro));
    let verdict = Answered::verify(
        &yesterday.answer,
        provider,
        &today.request,
        digest,
        &world.anchors,
        world.now,
    );
    assert_eq!(verdict.err(), Some(EvidenceError::Mismatch));
}

#[test]
fn signatures_cannot_be_swapped_doubled_dropped_or_joined() {
    let world = World::new();
    let record = world.settle(&world.exchange()).signed;
    let other = world.settle(&world.exchange()).signed;
    let parsed = CoseSign::from_slice(&record).unwrap();
    let change = |change: &dyn Fn(&mut CoseSign)| {
        let mut message = parsed.clone();
        change(&mut message);
        settled(&world, &message.to_vec().unwrap()).err()
    };
    let foreign = CoseSign::from_slice(&other).unwrap().signatures;
    assert_eq!(change(&|_| ()), None);
    assert!(
        change(&|m| m.signatures[1] = m.signatures[0].clone()).is_some(),
        "the provider signs twice"
    );
    assert!(change(&|m| m.signatures.push(m.signatures[0].clone())).is_some(), "a third signature");
    assert!(change(&|m| drop(m.signatures.pop())).is_some(), "the requester's is missing");
    assert!(change(&|m| m.signatures[1] = foreign[1].clone()).is_some(), "from another record");
    assert!(
        change(&|m| {
            let (first, second) = m.signatures.split_at_mut(1);
            std::mem::swap(&mut first[0].signature, &mut second[0].signature);
        })
        .is_some(),
        "swapped between the signers"
    );
    assert!(change(&|m| m.unprotected.key_id = b"note".to_vec()).is_some(), "an unsigned addition");
    assert!(
        change(&|m| m.signatures[0].unprotected.key_id = b"note".to_vec()).is_some(),
        "an unsigned addition"
    );
    let reversed = [world.es.certificate(), world.dk.certificate()];
    let verdict = Settled::verify(&record, &reversed, &world.anchors, world.now);
    assert!(matches!(verdict, Err(EvidenceError::Signer)), "roles exchanged");
    let twice = [world.dk.certificate(), world.dk.certificate()];
    assert!(
        Settled::verify(&record, &twice, &world.anchors, world.now).is_err(),
        "one country for both"
    );
}

#[test]
fn an_unsigned_addition_to_a_request_is_refused() {
    let world = World::new();
    let mut message = CoseSign1::from_slice(&world.exchange().nro).unwrap();
    message.unprotected.key_id = b"note".to_vec();
    assert!(matches!(hear(&world, &message.to_vec().unwrap()), Err(EvidenceError::Malformed)));
}

#[test]
fn one_sided_evidence_is_what_it_says() {
    let world = World::new();
    let exchange = world.exchange();
    let alone = |key: &SealKey, statement: &JointStatement| {
        let signed = statement.sign(key).unwrap();
        Settled::verify(&signed, &[key.certificate()], &world.anchors, world.now)
            .map(|s| s.signatures)
    };
    let one_sided = JointStatement::one_sided(
        &exchange.request,
        exchange.answered.commitments(),
        "Agnete is ill",
    );
    assert_eq!(one_sided.outcome, "refused", "a plain peer's words stay out of the log");
    assert_eq!(alone(&world.es, &one_sided), Ok(1));
    assert_eq!(alone(&world.dk, &one_sided), Ok(1));
    assert_eq!(alone(&world.stranger, &one_sided), Err(EvidenceError::Signer));
    let joint: JointStatement = decode(&payload(&exchange.answer).unwrap()).unwrap();
    assert_eq!(alone(&world.dk, &joint), Ok(1), "the requester's receipt was lost");
    assert_eq!(
        alone(&world.es, &joint),
        Err(EvidenceError::Signer),
        "the answer without its provider"
    );
    let signed = one_sided.sign(&world.dk).unwrap();
    let both = cose::add_signature(&signed, &world.es, EXCHANGE.as_bytes()).unwrap();
    assert!(settled(&world, &both).is_err(), "one-sided, yet signed by two");
}

#[test]
fn a_country_gives_no_evidence_to_itself() {
    let world = World::new();
    let request = RequestStatement { provider: country("ES"), ..world.exchange().request };
    let signed = request.sign(&world.es).unwrap();
    assert!(matches!(hear(&world, &signed), Err(EvidenceError::Malformed)));
}

#[test]
fn the_record_is_small() {
    let world = World::new();
    let size = world.settle(&world.exchange()).signed.len();
    assert!(size <= 900, "{size} bytes");
}

#[test]
fn other_salts_do_not_open_a_statement() {
    let world = World::new();
    let exchange = world.exchange();
    let other = Secrets::draw([(Field::Answer, "answer of Agnete".to_owned())], &SystemEntropy);
    assert_ne!(other.commitments(), exchange.answered.commitments());
}
