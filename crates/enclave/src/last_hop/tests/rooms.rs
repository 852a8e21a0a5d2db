//! Many connections at once.

use super::*;

#[test]
fn garbage_ends_one_connection_and_no_other() {
    let (host, person) = (Host::new(), Person::new());
    let mut client = person.client(&TLS13);
    let (number, _) = host.shaken(&mut client);
    for garbage in [&b"GET / HTTP/1.1\r\n\r\n"[..], &[0x16; 40], &vec![0xff; 70_000], &[0x80; 5]] {
        let (other, fed) = host.open(garbage).unwrap();
        assert!(fed.failed, "{:?}", &garbage[..5]);
        assert_eq!(host.feed(other, b"").err(), Some(VaultError::Connection));
    }
    // a handshake that never ends, and too much at once
    let (slow, fed) = host.open(&[0x16, 3, 1, 0x40, 0, 1, 0, 0xff, 0xff]).unwrap();
    assert!(!fed.failed);
    let ended = (0..40).any(|_| host.feed(slow, &[0; 4096]).is_ok_and(|fed| fed.failed));
    assert!(ended);
    let too_much = host.feed(number, &vec![0; MAX_FED + 1]);
    assert_eq!(too_much.err(), Some(VaultError::Malformed));
    // a record that was changed
    client.writer().write_all(b"x").unwrap();
    let mut record = said(&mut client);
    host.hold(number, &[b"a summary"]);
    assert!(host.write(number, &[document(0, 0, 1)]).is_ok(), "until then it lives");
    *record.last_mut().unwrap() ^= 1;
    assert!(host.feed(number, &record).unwrap().failed);
    assert_eq!(host.write(number, &[document(0, 1, 1)]).err(), Some(VaultError::Connection));
}

#[test]
fn connections_do_not_mix() {
    let host = Arc::new(Host::new());
    let threads: Vec<_> = (0..8_u8)
        .map(|of| {
            let host = Arc::clone(&host);
            std::thread::spawn(move || {
                let mut client = Person::new().client(if of % 2 == 0 { &TLS13 } else { &TLS12 });
                let (number, _) = host.shaken(&mut client);
                for _ in 0..50 {
                    host.hold(number, &[&[of; 5000]]);
                    let answer = [document(0, 0, 2500), document(0, 2500, 2500)];
                    let records = host.write(number, &answer).unwrap();
                    assert!(heard(&mut client, &records).unwrap() == [of; 5000]);
                }
            })
        })
        .collect();
    threads.into_iter().for_each(|thread| thread.join().unwrap());
}

#[test]
fn there_is_room_for_so_many_and_idle_ones_make_some() {
    let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap();
    let (host, person) = (Host::of(&key, 3), Person::new());
    let mut clients = [(); 3].map(|()| person.client(&TLS13));
    let numbers = clients.each_mut().map(|client| host.shaken(client).0);
    let hello = said(&mut person.client(&TLS13));
    assert_eq!(host.open(&hello).err(), Some(VaultError::Connection));
    // a while later, the second one still speaks
    let later = now() + IDLE;
    let bytes = host.lines.write(numbers[1], &[], b"", later - SignedDuration::from_secs(1));
    assert!(bytes.is_ok());
    let chain = [&host.chain[..]];
    let greeting = Greeting { key: 0, chain: &chain, hints: &[] };
    for more in [true, true, false] {
        let opened = host.lines.open(&host.ring, &greeting, &mut hello.clone(), later);
        assert_eq!(opened.is_ok(), more);
    }
    assert!(host.lines.peer(numbers[0]).is_err() && host.lines.peer(numbers[1]).is_ok());
}

#[test]
fn handshakes_have_places_of_their_own_and_give_them_back() {
    let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap();
    let (mut host, person) = (Host::of(&key, 100), Person::new());
    host.lines = Lines::new(Room { connections: 100, handshakes: 2 });
    let mut clients = [(); 3].map(|()| person.client(&TLS13));
    let hellos = clients.each_mut().map(said);
    let (first, fed) = host.open(&hellos[0]).unwrap();
    host.open(&hellos[1]).unwrap();
    assert_eq!(host.open(&hellos[2]).err(), Some(VaultError::Connection));
    heard(&mut clients[0], &fed.ciphertext).unwrap();
    let finished = said(&mut clients[0]);
    assert!(host.feed(first, &finished).unwrap().shaken.is_some());
    let (third, _) = host.open(&hellos[2]).unwrap();
    assert!(host.open(&hellos[2]).is_err());
    assert!(host.feed(third, b"no record").unwrap().failed);
    assert!(host.open(&hellos[2]).is_ok());
}

#[test]
fn as_many_as_there_is_secret_memory_for() {
    for (secret, connections, handshakes) in
        [(0, 2048, 256), (4 << 20, 384, 91), (16 << 20, 1689, 256), (1 << 20, 97, 22), (1, 1, 1)]
    {
        assert_eq!(Room::of(secret), Room { connections, handshakes }, "{secret}");
    }
}
