//! What a message is bound to.

use super::*;

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
        ("delivery", |h| h.delivery = Delivery::Tls([0; 32])),
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
        ("delivery", |h| h.delivery = Delivery::Tls([0; 32])),
    ];
    for (name, change) in changes {
        let (pending, reply) = ask();
        let answer = answer(&dk, reply, &back, &[1; 32], b"answer").unwrap();
        let (mut header, at) = Header::decode(&answer).unwrap();
        change(&mut header);
        let bytes = [header.encode(), answer[at..].to_vec()].concat();
        assert!(
            es.open_response(pending, &bytes.into(), &[1; 32], Addressee::Node).is_err(),
            "{name}"
        );
    }
    let (pending, reply) = ask();
    let answer = answer(&dk, reply, &back, &[1; 32], b"answer").unwrap();
    assert_eq!(
        es.open_response(pending, &answer, &[2; 32], Addressee::Node).err(),
        Some(VaultError::Integrity),
        "what stands beside it"
    );
}
