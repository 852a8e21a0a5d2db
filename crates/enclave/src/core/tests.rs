mod kept;

use super::*;
use crate::key::{Recipient, Statement};
use crate::pouch::{Expected, PouchOpener, Suite};
use crate::sessions::MAX_SESSIONS;
use crate::{Acceptance, Attestation, Label, Piece, Vault};
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
    from.seal_request(to, address(), None, bound, &[Piece::Clear(text)], now)
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
    assert!(es.open_response(other, &answer, &bound, None).is_err(), "answer to another request");
    let delivered = es.open_response(pending, &answer, &bound, None).unwrap();
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
    let (sealed, pending) = dk.seal_request(&spain, asking, None, &[0; 32], &text, now).unwrap();
    for (vault, to) in both.iter().cycle().take(2 * KEPT) {
        let (sealed, _) = ask(vault, &denmark, &[0; 32], b"ask", now).unwrap();
        let reply = dk.open_request(&sealed, &[0; 32]).unwrap().reply;
        answer(&dk, reply, to, &[0; 32], b"document").unwrap();
    }
    let reply = es.open_request(&sealed, &[0; 32]).unwrap().reply;
    let sealed = answer(&es, reply, &denmark, &[0; 32], b"document").unwrap();
    assert!(dk.open_response(pending, &sealed, &[0; 32], None).is_ok());
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
        thief.open_response(pending, &sealed, &[0; 32], None).err(),
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
        es.seal_request(&to, address(), None, &[0; 32], &pieces, now).unwrap().0
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
    let none = es.seal_request(&to, address(), None, &[0; 32], &[], now);
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
    let other = Some(VaultError::Key("is not of the pouch that was asked for"));
    let pouch = doctor.public();
    for wrong in [None, Some(nosy.public())] {
        let (pending, answer) = exchange(Some(pouch.digest()));
        assert_eq!(es.open_response(pending, &answer, &[0; 32], wrong).err(), other);
    }
    let (pending, answer) = exchange(None);
    assert_eq!(es.open_response(pending, &answer, &[0; 32], Some(pouch)).err(), other);
    let (pending, answer) = exchange(Some(pouch.digest()));
    let delivered = es.open_response(pending, &answer, &[0; 32], Some(pouch)).unwrap();
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

type Change = fn(&mut Header);

#[test]
fn each_field_of_the_header_is_bound() {
    let now = Timestamp::now();
    let (es, dk) = (Vault::new(country("ES")), Vault::new(country("DK")));
    let (sealed, _) = ask(&es, &recipient(&dk, now), &[7; 32], b"hello", now).unwrap();
    let changes: [(&str, Change); 13] = [
        ("direction", |h| h.direction = Direction::Response),
        ("from", |h| h.address.from = country("IT")),
        ("to", |h| h.address.to = country("IT")),
        ("transaction", |h| h.address.transaction = Transaction::Submit),
        ("txid", |h| h.address.txid = TransactionId([2; 16])),
        ("key id", |h| h.key_id[0] ^= 1),
        ("sender", |h| h.sender[0] ^= 1),
        ("session", |h| h.session[0] ^= 1),
        ("sequence", |h| h.sequence += 1),
        ("enc", |h| h.encapsulated[1119] ^= 1),
        ("delivery", |h| h.delivery = Some([0; 32])),
        ("length of a piece", |h| h.pieces[0] += 1),
        ("number of pieces", |h| h.pieces.push(0)),
    ];
    let (header, at) = Header::decode(&sealed).unwrap();
    for (name, change) in changes {
        let mut changed = header.clone();
        change(&mut changed);
        let mut bytes = changed.encode();
        bytes.extend_from_slice(&sealed[at..]);
        assert!(dk.open_request(&bytes.into(), &[7; 32]).is_err(), "{name}");
    }
    // another enc that is well named: an own session of an attacker, which this is not sealed with
    let mut changed = header.clone();
    changed.encapsulated[0] ^= 1;
    changed.session = key_id(&changed.encapsulated);
    let bytes = [changed.encode(), sealed[at..].to_vec()].concat();
    assert_eq!(dk.open_request(&bytes.into(), &[7; 32]).err(), Some(VaultError::Integrity));
    for length in 0..sealed.len() {
        assert!(
            dk.open_request(&Bytes::copy_from_slice(&sealed[..length]), &[7; 32]).is_err(),
            "cut at {length}"
        );
    }
    assert_eq!(dk.core().receiving().count(), 0, "what does not open takes no place");
    assert!(dk.open_request(&sealed, &[7; 32]).is_ok());
}

#[test]
fn answers_are_bound_to_their_request() {
    let now = Timestamp::now();
    let (es, dk) = (Vault::new(country("ES")), Vault::new(country("DK")));
    let to = recipient(&dk, now);
    let back = recipient(&es, now);
    let ask = || {
        let (sealed, pending) = ask(&es, &to, &[0; 32], b"ask", now).unwrap();
        (pending, dk.open_request(&sealed, &[0; 32]).unwrap().reply)
    };
    let changes: [(&str, Change); 11] = [
        ("direction", |h| h.direction = Direction::Request),
        ("from", |h| h.address.from = country("IT")),
        ("transaction", |h| h.address.transaction = Transaction::Submit),
        ("txid", |h| h.address.txid = TransactionId([2; 16])),
        ("session", |h| h.session[0] ^= 1),
        ("sequence", |h| h.sequence += 1),
        ("salt", |h| h.encapsulated[0] ^= 1),
        ("shorter salt", |h| h.encapsulated.truncate(31)),
        ("session back", |h| h.encapsulated[40] ^= 1),
        ("key id", |h| h.key_id[0] ^= 1),
        ("delivery", |h| h.delivery = Some([0; 32])),
    ];
    for (name, change) in changes {
        let (pending, reply) = ask();
        let answer = answer(&dk, reply, &back, &[1; 32], b"answer").unwrap();
        let (mut header, at) = Header::decode(&answer).unwrap();
        change(&mut header);
        let bytes = [header.encode(), answer[at..].to_vec()].concat();
        assert!(es.open_response(pending, &bytes.into(), &[1; 32], None).is_err(), "{name}");
    }
    let (pending, reply) = ask();
    let answer = answer(&dk, reply, &back, &[1; 32], b"answer").unwrap();
    assert_eq!(
        es.open_response(pending, &answer, &[2; 32], None).err(),
        Some(VaultError::Integrity),
        "what stands beside it"
    );
}

#[test]
fn requests_may_overtake_each_other_within_the_window() {
    let now = Timestamp::now();
    let (es, dk) = (Vault::new(country("ES")), Vault::new(country("DK")));
    let to = recipient(&dk, now);
    let seal = || ask(&es, &to, &[0; 32], b"", now).unwrap().0;
    let early: Vec<Bytes> = (0..3).map(|_| seal()).collect();
    for at in [2, 0] {
        dk.open_request(&early[at], &[0; 32]).unwrap();
    }
    for _ in 3..4096 {
        drop(seal());
    }
    let newest = seal();
    assert!(dk.open_request(&newest, &[0; 32]).is_ok(), "number 4096");
    assert_eq!(
        dk.open_request(&early[0], &[0; 32]).err(),
        Some(VaultError::Replay),
        "left the window"
    );
    assert!(dk.open_request(&early[1], &[0; 32]).is_ok(), "number 1 is the oldest in the window");
    assert_eq!(dk.open_request(&newest, &[0; 32]).err(), Some(VaultError::Replay));
}

#[test]
fn threads_share_a_session_and_each_message_opens_once() {
    let now = Timestamp::now();
    let (es, dk) = (Vault::new(country("ES")), Vault::new(country("DK")));
    let to = recipient(&dk, now);
    let sealed = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..200 {
                    let message = ask(&es, &to, &[0; 32], b"x", now).unwrap().0;
                    sealed.lock().unwrap().push(message);
                }
            });
        }
    });
    let sealed = sealed.into_inner().unwrap();
    let opened = AtomicU64::new(0);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for message in &sealed {
                    match dk.open_request(message, &[0; 32]) {
                        Ok(_) => opened.fetch_add(1, Ordering::Relaxed),
                        Err(error) => {
                            assert_eq!(error, VaultError::Replay);
                            0
                        }
                    };
                }
            });
        }
    });
    assert_eq!(opened.into_inner(), 800, "the first messages race for one window");
    assert_eq!(dk.core().receiving().count(), 1);
}

#[test]
fn a_session_ends_by_age_by_count_and_with_the_key() {
    let now = Timestamp::now();
    let (es, dk) = (Vault::new(country("ES")), Vault::new(country("DK")));
    let to = recipient(&dk, now);
    let session = |to: &Recipient, now| {
        let sealed = ask(&es, to, &[0; 32], b"", now).unwrap().0;
        Header::decode(&sealed).unwrap().0.session
    };
    let first = session(&to, now);
    assert_eq!(first, session(&to, now + MAX_AGE - SignedDuration::from_secs(1)));
    let second = session(&to, now + MAX_AGE);
    assert_ne!(first, second, "age");
    es.core().sending()[&country("DK")].last().unwrap().next.store(MAX_MESSAGES, Ordering::Relaxed);
    let third = session(&to, now + MAX_AGE);
    assert_ne!(second, third, "count");
    let renewed = recipient(&Vault::new(country("DK")), now);
    assert_ne!(third, session(&renewed, now + MAX_AGE), "key");
    for _ in 0..KEPT {
        session(&recipient(&Vault::new(country("DK")), now), now);
    }
    assert_eq!(es.core().sending()[&country("DK")].len(), KEPT, "bounded");
    let late = ask(&es, &to, &[0; 32], b"", now + SignedDuration::from_hours(24));
    assert_eq!(late.err(), Some(VaultError::Key("statement has expired")));
}

#[test]
fn a_forgotten_session_never_answers_twice_under_one_key() {
    let now = Timestamp::now();
    let dk = Vault::new(country("DK"));
    let to = recipient(&dk, now);
    let send = |es: &Vault| ask(es, &to, &[0; 32], b"", now).unwrap().0;
    let es = Vault::new(country("ES"));
    let first = send(&es);
    let reply = dk.open_request(&first, &[0; 32]).unwrap().reply;
    for _ in 0..MAX_SESSIONS {
        dk.open_request(&send(&Vault::new(country("ES"))), &[0; 32]).unwrap();
    }
    assert_eq!(dk.core().receiving().count(), MAX_SESSIONS, "bounded");
    let again = dk.open_request(&first, &[0; 32]).unwrap().reply;
    let back = recipient(&es, now);
    let answer = |reply| {
        let sealed = answer(&dk, reply, &back, &[0; 32], &[0; 64]).unwrap();
        let (header, at) = Header::decode(&sealed).unwrap();
        (header.sequence, sealed[at..].to_vec())
    };
    let (one, two) = (answer(reply), answer(again));
    assert_eq!(one.0, two.0);
    assert_ne!(one.1, two.1, "the same key stream would show");
}

#[test]
fn a_hundred_thousand_messages_leave_nothing_behind() {
    let now = Timestamp::now();
    let (es, dk) = (Vault::new(country("ES")), Vault::new(country("DK")));
    let to = recipient(&dk, now);
    let resident = || {
        let pages = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
        let pages: Vec<u64> = pages.split(' ').filter_map(|pages| pages.parse().ok()).collect();
        // without what is shared: regions of lanes, in tests beside this one
        (pages[1] - pages[2]) * 4096
    };
    let back = recipient(&es, now);
    let mut before = 0;
    for count in 0..100_000 {
        if count == 10_000 {
            before = resident();
        }
        let (sealed, pending) = ask(&es, &to, &[0; 32], &[0; 64], now).unwrap();
        let opened = dk.open_request(&sealed, &[0; 32]).unwrap();
        let answer = answer(&dk, opened.reply, &back, &[0; 32], &opened.pieces[0]).unwrap();
        es.open_response(pending, &answer, &[0; 32], None).unwrap();
    }
    // other tests are in this process, too; a kilobyte a message would be ninety megabytes
    assert!(resident() < before + (64 << 20), "{before} grew to {}", resident());
    assert_eq!((dk.core().receiving().count(), es.core().sending()[&country("DK")].len()), (1, 1));
}

/// The crate's own receiver is the judge: what we seal opens with keys that it exports.
#[test]
fn the_hpke_crate_exports_the_same_request_key() {
    let now = Timestamp::now();
    let (es, dk) = (Vault::new(country("ES")), Vault::new(country("DK")));
    let (sealed, _) = ask(&es, &recipient(&dk, now), &[7; 32], b"hello", now).unwrap();
    let (header, at) = Header::decode(&sealed).unwrap();
    let enc = <XWing as Kem>::EncappedKey::from_bytes(&header.encapsulated).unwrap();
    let context: Receiver =
        hpke::setup_receiver(&OpModeR::Base, &dk.core().private, &enc, INFO).unwrap();
    let mut key = [0; 32];
    context.export(b"konfido request key 1", &mut key).unwrap();
    let key = aws_lc_rs::aead::UnboundKey::new(&aws_lc_rs::aead::AES_256_GCM, &key).unwrap();
    let nonce = aws_lc_rs::aead::Nonce::assume_unique_for_key([0; 12]);
    let mut text = sealed[at..].to_vec();
    let bound = aws_lc_rs::aead::Aad::from([&sealed[..at], &[7; 32]].concat());
    let text = LessSafeKey::new(key).open_in_place(nonce, bound, &mut text).unwrap();
    assert_eq!(text, b"hello");
}

/// The first test vector of draft-connolly-cfrg-xwing-kem.
#[test]
fn x_wing_gives_the_drafts_answers() {
    let lines: Vec<Vec<u8>> =
        include_str!("x-wing-vector.txt").lines().map(|line| hex::decode(line).unwrap()).collect();
    let [seed, public, encapsulated, shared] = lines.as_slice() else { panic!("four lines") };
    let private = <XWing as Kem>::PrivateKey::from_bytes(seed).unwrap();
    assert_eq!(XWing::sk_to_pk(&private).to_bytes().as_slice(), public);
    let enc = <XWing as Kem>::EncappedKey::from_bytes(encapsulated).unwrap();
    assert_eq!(XWing::decap(&private, None, &enc).unwrap().0.as_slice(), shared);
}
