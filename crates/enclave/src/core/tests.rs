mod binding;
mod kept;
mod sessions;
mod vectors;

use super::*;
use crate::key::{Recipient, Statement};
use crate::pouch::{Expected, PouchOpener, Suite};
use crate::{Acceptance, Addressee, Attestation, Label, Piece, Vault};
use bytes::Bytes;
use exchange::{Transaction, TransactionId};
use trust::certificate::Anchors;
use trust::seal::SealKey;

fn country(code: &str) -> Country {
    Country::parse(code).unwrap()
}

fn seal_key(of: Country) -> (SealKey, Anchors) {
    let key = rcgen::KeyPair::generate().unwrap();
    let mut params = rcgen::CertificateParams::new(Vec::<String>::new()).unwrap();
    params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let root = params.self_signed(&key).unwrap();
    let ca = rcgen::Issuer::new(params, key);
    let key = rcgen::KeyPair::generate().unwrap();
    let mut params = rcgen::CertificateParams::new(Vec::<String>::new()).unwrap();
    params.distinguished_name.push(rcgen::DnType::CountryName, of.as_str());
    let leaf = params.signed_by(&key, &ca).unwrap();
    let seal = SealKey::from_pem(key.serialize_pem().as_bytes(), leaf.pem().as_bytes()).unwrap();
    (seal, Anchors::from_pem(root.pem().as_bytes()).unwrap())
}

fn recipient(vault: &Vault, now: Timestamp) -> Recipient {
    let of = vault.core().country;
    let (seal, anchors) = seal_key(of);
    let statement = Statement::decode(&vault.publish(&seal, now).unwrap().encode()).unwrap();
    let accepted = Acceptance::software(&[Attestation::SimulatedInProcess]);
    let verify = |country, now, accepted: &Acceptance| {
        Recipient::verify(&statement, &anchors, country, now, accepted)
    };
    assert!(verify(country("IT"), now, &accepted).is_err(), "another country");
    assert!(verify(of, now + SignedDuration::from_hours(25), &accepted).is_err(), "expired");
    assert!(verify(of, now, &Acceptance::software(&[])).is_err(), "policy");
    let (_, others) = seal_key(of);
    assert!(Recipient::verify(&statement, &others, of, now, &accepted).is_err(), "unknown root");
    verify(of, now, &accepted).unwrap()
}

fn ask(
    from: &Vault,
    to: &Recipient,
    bound: &[u8; 32],
    text: &[u8],
    now: Timestamp,
) -> Result<(Bytes, Pending), VaultError> {
    from.seal_request(to, address(), Delivery::Node, bound, &[Piece::Clear(text)], now)
}

fn answer(
    from: &Vault,
    reply: ReplyToken,
    to: &Recipient,
    bound: &[u8; 32],
    text: &[u8],
) -> Result<Bytes, VaultError> {
    from.seal_response(reply, to, bound, &[Piece::Clear(text)], Timestamp::now())
}

fn address() -> Address {
    let (from, to) = (country("ES"), country("DK"));
    Address { from, to, transaction: Transaction::Retrieve, txid: TransactionId([1; 16]) }
}

#[test]
fn requests_and_answers_open_once_and_only_unchanged() {
    let now = Timestamp::now();
    let (es, dk) = (Vault::new(country("ES")), Vault::new(country("DK")));
    let to = recipient(&dk, now);
    let bound = [7; 32];
    let (sealed, pending) = ask(&es, &to, &bound, b"hello", now).unwrap();
    for at in 0..sealed.len() {
        let mut tampered = sealed.to_vec();
        tampered[at] ^= 1;
        assert!(dk.open_request(&tampered.into(), &bound).is_err(), "byte {at}");
    }
    assert_eq!(
        dk.open_request(&sealed, &[8; 32]).err(),
        Some(VaultError::Integrity),
        "other header"
    );
    let opened = dk.open_request(&sealed, &bound).unwrap();
    assert_eq!(opened.pieces, [&b"hello"[..]]);
    assert_eq!(opened.address, address());
    assert_eq!(dk.open_request(&sealed, &bound).err(), Some(VaultError::Replay));
    let back = recipient(&es, now);
    let answer = answer(&dk, opened.reply, &back, &bound, b"answer").unwrap();
    let (_, other) = ask(&es, &to, &bound, b"next", now).unwrap();
    assert!(
        es.open_response(other, &answer, &bound, Addressee::Node).is_err(),
        "answer to another request"
    );
    let delivered = es.open_response(pending, &answer, &bound, Addressee::Node).unwrap();
    assert_eq!(delivered.pieces, [&b"answer"[..]]);
}

#[test]
fn a_restarted_vault_says_that_the_key_is_unknown() {
    let now = Timestamp::now();
    let (es, dk) = (Vault::new(country("ES")), Vault::new(country("DK")));
    let (sealed, _) = ask(&es, &recipient(&dk, now), &[0; 32], b"x", now).unwrap();
    let restarted = Vault::new(country("DK"));
    assert_eq!(restarted.open_request(&sealed, &[0; 32]).err(), Some(VaultError::UnknownKey));
}

#[test]
fn a_country_that_renews_its_vault_under_load_still_answers_what_it_was_asked() {
    let now = Timestamp::now();
    let (es, dk) = (Vault::new(country("ES")), Vault::new(country("DK")));
    let (spain, denmark) = (recipient(&es, now), recipient(&dk, now));
    let renewed = Vault::new(country("ES"));
    let both = [(&es, spain.clone()), (&renewed, recipient(&renewed, now))];
    // Denmark asks Spain, and meanwhile answers requests of both of Spain's vaults in turn
    let asking = Address { from: country("DK"), to: country("ES"), ..address() };
    let text = [Piece::Clear(b"ask")];
    let (sealed, pending) =
        dk.seal_request(&spain, asking, Delivery::Node, &[0; 32], &text, now).unwrap();
    for (vault, to) in both.iter().cycle().take(2 * KEPT) {
        let (sealed, _) = ask(vault, &denmark, &[0; 32], b"ask", now).unwrap();
        let reply = dk.open_request(&sealed, &[0; 32]).unwrap().reply;
        answer(&dk, reply, to, &[0; 32], b"document").unwrap();
    }
    let reply = es.open_request(&sealed, &[0; 32]).unwrap().reply;
    let sealed = answer(&es, reply, &denmark, &[0; 32], b"document").unwrap();
    assert!(dk.open_response(pending, &sealed, &[0; 32], Addressee::Node).is_ok());
}

/// Anybody may open a session to us. What is asked in it is answered for the key that was attested.
#[test]
fn an_answer_opens_in_the_attested_vault_of_the_one_who_asked_only() {
    let now = Timestamp::now();
    let (es, dk, thief) =
        (Vault::new(country("ES")), Vault::new(country("DK")), Vault::new(country("ES")));
    let (to, spain) = (recipient(&dk, now), recipient(&es, now));
    let open = |from: &Vault| {
        let (sealed, pending) = ask(from, &to, &[0; 32], b"ask", now).unwrap();
        (dk.open_request(&sealed, &[0; 32]).unwrap().reply, pending)
    };
    let (reply, _) = open(&thief);
    assert!(!reply.is_for(&spain));
    let refused = answer(&dk, reply, &spain, &[0; 32], b"document").err();
    assert_eq!(refused, Some(VaultError::Key("is not the one that asked")));
    let (reply, _) = open(&es);
    let denmark = recipient(&Vault::new(country("DK")), now);
    assert!(answer(&dk, reply, &denmark, &[0; 32], b"document").is_err(), "another country's");
    // the thief names Spain's key as his own, and holds the session that he asked in
    let (mut reply, pending) = open(&thief);
    reply.sender = key_id(spain.target().key);
    let sealed = answer(&dk, reply, &spain, &[0; 32], b"document").unwrap();
    assert_eq!(
        thief.open_response(pending, &sealed, &[0; 32], Addressee::Node).err(),
        Some(VaultError::UnknownKey),
        "he has a part of the key only"
    );
    let (reply, _) = open(&es);
    assert!(reply.is_for(&spain));
    let late = now + SignedDuration::from_hours(25);
    let late = dk.seal_response(reply, &spain, &[0; 32], &[Piece::Clear(b"document")], late);
    assert_eq!(late.err(), Some(VaultError::Key("statement has expired")));
}

#[test]
fn messages_are_of_pieces_and_none_is_moved_or_left_out() {
    let now = Timestamp::now();
    let (es, dk) = (Vault::new(country("ES")), Vault::new(country("DK")));
    let to = recipient(&dk, now);
    let pieces: [&[u8]; 4] = [b"read by the node", b"one document", b"", b"one documenu"];
    let seal = || {
        let pieces = pieces.map(Piece::Clear);
        es.seal_request(&to, address(), Delivery::Node, &[0; 32], &pieces, now).unwrap().0
    };
    assert_eq!(dk.open_request(&seal(), &[0; 32]).unwrap().pieces, pieces);
    let sealed = seal();
    let (header, at) = Header::decode(&sealed).unwrap();
    let places = header.places(at, sealed.len()).unwrap();
    let mut swapped = sealed.to_vec();
    for (one, other) in (places[1].start..places[1].end + TAG).zip(places[3].start..) {
        swapped.swap(one, other);
    }
    assert!(dk.open_request(&swapped.into(), &[0; 32]).is_err(), "two pieces swapped");
    let shorter = sealed.slice(..places[3].start);
    assert!(dk.open_request(&shorter, &[0; 32]).is_err(), "the last one left out");
    assert!(dk.open_request(&sealed, &[0; 32]).is_ok());
    let none = es.seal_request(&to, address(), Delivery::Node, &[0; 32], &[], now);
    assert_eq!(none.err(), Some(VaultError::Malformed), "no piece");
}

#[test]
fn documents_that_were_asked_for_in_a_pouch_leave_the_vault_in_no_other_way() {
    let now = Timestamp::now();
    let (es, dk) = (Vault::new(country("ES")), Vault::new(country("DK")));
    let (to, back) = (recipient(&dk, now), recipient(&es, now));
    let [doctor, nosy] = [(); 2].map(|()| PouchOpener::generate(Suite::P256).unwrap());
    let labels = [("1@x", "text/xml"), ("2@x", "application/pdf")];
    let labels = labels.map(|(content_id, media_type)| Label { content_id, media_type });
    let mut head = Vec::new();
    Label::write(&labels, &mut head);
    head.extend_from_slice(b"what the node reads");
    let documents: [&[u8]; 2] = [b"a summary", b"its pdf"];
    let exchange = |delivery| {
        let (sealed, pending) = es
            .seal_request(&to, address(), delivery, &[0; 32], &[Piece::Clear(b"ask")], now)
            .unwrap();
        let reply = dk.open_request(&sealed, &[0; 32]).unwrap().reply;
        assert_eq!(reply.delivery(), delivery);
        let pieces = [&head[..], documents[0], documents[1]].map(Piece::Clear);
        (pending, dk.seal_response(reply, &back, &[0; 32], &pieces, now).unwrap())
    };
    let other = Some(VaultError::Key("is not for whom it was asked"));
    let pouch = doctor.public();
    for wrong in [Addressee::Node, Addressee::Pouch(nosy.public())] {
        let (pending, answer) = exchange(Delivery::Pouch(pouch.digest()));
        assert_eq!(es.open_response(pending, &answer, &[0; 32], wrong).err(), other);
    }
    let (pending, answer) = exchange(Delivery::Node);
    assert_eq!(es.open_response(pending, &answer, &[0; 32], Addressee::Pouch(pouch)).err(), other);
    let (pending, answer) = exchange(Delivery::Pouch(pouch.digest()));
    let delivered = es.open_response(pending, &answer, &[0; 32], Addressee::Pouch(pouch)).unwrap();
    assert_eq!(delivered.pieces[0], head, "the node reads what is its own");
    for (part, document) in documents.into_iter().enumerate() {
        let sha256 = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, document);
        assert_eq!(delivered.digests[part], sha256.as_ref());
        let packed = &delivered.pieces[part + 1];
        assert!(!packed.windows(document.len()).any(|window| window == document));
        let expected = Expected {
            from: country("DK"),
            to: country("ES"),
            transaction: Transaction::Retrieve,
            part: u16::try_from(part).unwrap(),
            content_id: labels[part].content_id,
            txid: Some(address().txid),
        };
        assert!(nosy.open(packed, &expected).is_err());
        let opened = doctor.open(packed, &expected).unwrap();
        assert_eq!((&*opened.text, opened.context.media_type), (document, labels[part].media_type));
    }
}
