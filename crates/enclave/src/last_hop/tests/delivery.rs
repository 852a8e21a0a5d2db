//! Documents on their way to a connection.

use super::*;

#[test]
fn what_is_not_there_is_not_written() {
    let (host, person) = (Host::new(), Person::new());
    let mut client = person.client(&TLS13);
    let (waiting, _) = host.open(&said(&mut client)).unwrap();
    host.hold(waiting, &[b"a summary"]);
    let refused = host.write(waiting, &[document(0, 0, 9)]);
    assert_eq!(refused.err(), Some(VaultError::Malformed), "nobody is there yet");
    let mut client = person.client(&TLS13);
    let (number, _) = host.shaken(&mut client);
    host.hold(number, &[b"a summary", b"its pdf"]);
    for wrong in [
        document(2, 0, 1),
        document(0, 9, 1),
        document(0, 0, 10),
        document(0, usize::MAX, 1),
        text(0, 0, 13),
        text(0, usize::MAX, 1),
        document(0, 0, MAX_WRITTEN + 1),
    ] {
        assert!(host.write(number, &[wrong]).is_err(), "{wrong:?}");
    }
    let lines = &host.lines;
    assert!(lines.write(number, &[Place::given(4)], b"abc", now()).is_err());
    assert!(lines.write(number, &[Place::given(usize::MAX)], b"abc", now()).is_err());
    assert!(lines.write(number, &[Place::given(2)], b"abc", now()).is_err());
    let records = host.write(number, &[document(1, 0, 7)]).unwrap();
    assert_eq!(heard(&mut client, &records).unwrap(), b"its pdf");
}

/// An answer with one document, sealed for this delivery.
fn exchange(es: &Core, dk: &Core, delivery: Delivery) -> (crate::Pending, Vec<u8>) {
    let [spain, denmark] = [es, dk].map(Core::public);
    let [from, to] = ["ES", "DK"].map(|code| Country::parse(code).unwrap());
    let not_after = now() + SignedDuration::from_hours(1);
    let target = |country, key| Target { country, key, not_after };
    let (transaction, txid) = (Transaction::Retrieve, TransactionId([1; 16]));
    let address = Address { from, to, transaction, txid };
    let (given, mut text) = buffer(&[Piece::Clear(b"ask")]).unwrap();
    let (what, into) = ((address, delivery), (&*given, &mut *text));
    let asked = es.seal_request(&target(to, &denmark), what, &[0; 32], into, now()).unwrap();
    let mut asked_bytes = [asked.0, text].concat();
    let reply = dk.open_request(&mut asked_bytes, &[0; 32]).unwrap().reply;
    let (given, mut text) = buffer(&[Piece::Clear(b"head"), Piece::Clear(b"a summary")]).unwrap();
    let into = (&*given, &mut *text);
    let header = dk.seal_response(&reply, &target(from, &spain), &[0; 32], into, now()).unwrap();
    (asked.1, [header, text].concat())
}

/// What another country sealed for the holder of a certificate leaves on his connection, and nowhere else.
#[test]
fn a_document_goes_to_whom_it_was_sealed_for() {
    let countries = ["ES", "DK"].map(|code| Country::parse(code).unwrap());
    let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap();
    let host = Host::of(&key, 9);
    let mut ring = Ring::default();
    ring.add(Use::Sign, key.serialize_pem().as_bytes()).unwrap();
    let [es, dk] = [Core::new(countries[0], ring), Core::new(countries[1], Ring::default())];
    let host = Host { ring: Arc::clone(es.ring()), ..host };
    let (openncp, other) = (Person::new(), Person::new());
    let lines = [&openncp, &other].map(|person| {
        let mut client = person.client(&TLS13);
        let chain = [&host.chain[..]];
        let greeting = Greeting { key: 0, chain: &chain, hints: &[] };
        let hello = &mut said(&mut client);
        let (number, fed) = es.lines().open(es.ring(), &greeting, hello, now()).unwrap();
        heard(&mut client, &fed.ciphertext).unwrap();
        es.lines().feed(number, &mut said(&mut client), now()).unwrap();
        (number, client)
    });
    let [(right, mut client), (wrong, _other)] = lines;
    let exchange = |delivery| exchange(&es, &dk, delivery);
    let asked = Delivery::Tls(sha256(&openncp.1));
    let refused = Err(VaultError::Key("is not for whom it was asked"));
    for (delivery, outlet) in [
        (asked, Outlet::Line(wrong)),
        (asked, Outlet::Node),
        (Delivery::Node, Outlet::Line(right)),
        (Delivery::Tls(sha256(&other.1)), Outlet::Line(right)),
    ] {
        let (pending, mut answer) = exchange(delivery);
        let opened = es.open_response(&pending, &mut answer, &[0; 32], outlet).map(|_| ());
        assert_eq!(opened, refused);
    }
    let (pending, mut answer) = exchange(asked);
    let gone = es.open_response(&pending, &mut answer, &[0; 32], Outlet::Line(right ^ 1 << 60));
    assert_eq!(gone.err(), Some(VaultError::Connection));
    let opened = es.open_response(&pending, &mut answer, &[0; 32], Outlet::Line(right));
    let Ok(DeliveredAt::Held { first, lengths, digests }) = opened else {
        panic!("it is held");
    };
    assert_eq!(
        (&answer[first], lengths, digests),
        (&b"head"[..], vec![9], vec![sha256(b"a summary")])
    );
    let place = Place { document: Some(0), base64: false, start: 0, length: 9 };
    assert!(es.lines().write(wrong, &[place], &[], now()).is_err(), "on another connection");
    let records = es.lines().write(right, &[place], &[], now()).unwrap();
    assert_eq!(heard(&mut client, &records).unwrap(), b"a summary");
}
