//! Clients of rustls against a vault; the node between them is honest, or not.

mod anybody;
mod delivery;
mod rooms;

use std::io::{Read as _, Write as _};
use std::sync::Arc;

use exchange::{Country, Transaction, TransactionId};
use rcgen::{CertificateParams, KeyPair, PKCS_ECDSA_P256_SHA256, PKCS_ECDSA_P384_SHA384};
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::{PrivateKeyDer, ServerName};
use rustls::version::{TLS12, TLS13};
use rustls::{ClientConfig, ClientConnection, Error, SupportedProtocolVersion};

use super::*;
use crate::core::{Core, DeliveredAt, Outlet, Target};
use crate::piece::{buffer, sha256};
use crate::ring::Use;
use crate::{Address, Delivery, Piece};
use anybody::Anybody;

fn room(connections: usize) -> Room {
    Room { connections, handshakes: 100 }
}

/// A vault with a TLS key, and its certificate.
struct Host {
    ring: Arc<Ring>,
    chain: Vec<u8>,
    lines: Lines,
}

impl Host {
    fn new() -> Self {
        Self::of(&KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap(), 100)
    }

    fn of(key: &KeyPair, most: usize) -> Self {
        let mut ring = Ring::default();
        ring.add(Use::Sign, key.serialize_pem().as_bytes()).unwrap();
        Self { ring: Arc::new(ring), chain: certificate(key), lines: Lines::new(room(most)) }
    }

    fn open(&self, bytes: &[u8]) -> Result<(u64, Fed), VaultError> {
        let chain = [&self.chain[..]];
        let greeting = Greeting { key: 0, chain: &chain, hints: &[] };
        self.lines.open(&self.ring, &greeting, &mut bytes.to_vec(), now())
    }

    /// A client whose handshake is done.
    fn shaken(&self, client: &mut ClientConnection) -> (u64, Shaken) {
        let (number, fed) = self.open(&said(client)).unwrap();
        heard(client, &fed.ciphertext).unwrap();
        let mut shaken = fed.shaken;
        while shaken.is_none() {
            let fed = self.lines.feed(number, &mut said(client), now()).unwrap();
            heard(client, &fed.ciphertext).unwrap();
            shaken = fed.shaken;
        }
        (number, shaken.unwrap())
    }

    fn feed(&self, number: u64, bytes: &[u8]) -> Result<Fed, VaultError> {
        self.lines.feed(number, &mut bytes.to_vec(), now())
    }

    fn write(&self, number: u64, segments: &[Segment<'_>]) -> Result<Vec<u8>, VaultError> {
        let mut given = Vec::new();
        let places = segments.iter().map(|segment| match segment {
            Segment::Bytes(bytes) => {
                given.extend_from_slice(bytes);
                Place::given(bytes.len())
            }
            Segment::Document(place) => *place,
        });
        let places: Vec<Place> = places.collect();
        self.lines.write(number, &places, &given, now())
    }

    fn hold(&self, number: u64, documents: &[&[u8]]) {
        let mut at = 0;
        let place = |document: &&[u8]| {
            at += document.len();
            at - document.len()..at
        };
        let places: Vec<_> = documents.iter().map(place).collect();
        self.lines.hold(number, Held::of(&documents.concat(), &places)).unwrap();
    }
}

/// A client's key and certificate.
struct Person(KeyPair, Vec<u8>);

impl Person {
    fn new() -> Self {
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap();
        let certificate = certificate(&key);
        Self(key, certificate)
    }

    fn client(&self, version: &'static SupportedProtocolVersion) -> ClientConnection {
        let key = PrivateKeyDer::try_from(self.0.serialize_der()).unwrap();
        connect(version, Some((self.1.clone(), key)))
    }
}

fn connect(
    version: &'static SupportedProtocolVersion,
    own: Option<(Vec<u8>, PrivateKeyDer<'static>)>,
) -> ClientConnection {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[version])
        .unwrap()
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Anybody));
    let config = match own {
        Some((certificate, key)) => {
            config.with_client_auth_cert(vec![certificate.into()], key).unwrap()
        }
        None => config.with_no_client_auth(),
    };
    ClientConnection::new(config.into(), ServerName::try_from("vault.example").unwrap()).unwrap()
}

fn certificate(key: &KeyPair) -> Vec<u8> {
    let params = CertificateParams::new(vec!["vault.example".into()]).unwrap();
    params.self_signed(key).unwrap().der().to_vec()
}

fn now() -> Timestamp {
    Timestamp::now()
}

fn said(client: &mut ClientConnection) -> Vec<u8> {
    let mut out = Vec::new();
    while client.wants_write() {
        client.write_tls(&mut out).unwrap();
    }
    out
}

/// What the client reads.
fn heard(client: &mut ClientConnection, mut bytes: &[u8]) -> Result<Vec<u8>, Error> {
    let mut text = Vec::new();
    while !bytes.is_empty() {
        client.read_tls(&mut bytes).unwrap();
        client.process_new_packets()?;
        let _ = client.reader().read_to_end(&mut text);
    }
    Ok(text)
}

fn document(number: u8, start: usize, length: usize) -> Segment<'static> {
    Segment::Document(Place { document: Some(number), base64: false, start, length })
}

fn text(number: u8, start: usize, length: usize) -> Segment<'static> {
    Segment::Document(Place { document: Some(number), base64: true, start, length })
}

#[test]
fn an_answer_has_its_documents_in_both_versions_of_tls_and_with_each_kind_of_key() {
    let rsa = KeyPair::generate_rsa_for(&rcgen::PKCS_RSA_SHA256, rcgen::RsaKeySize::_2048);
    let keys = [
        KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap(),
        KeyPair::generate_for(&PKCS_ECDSA_P384_SHA384).unwrap(),
        rsa.unwrap(),
    ];
    for (key, version) in keys.iter().flat_map(|key| [(key, &TLS13), (key, &TLS12)]) {
        let (host, person) = (Host::of(key, 1), Person::new());
        let mut client = person.client(version);
        let (number, shaken) = host.shaken(&mut client);
        assert_eq!(shaken.chain, std::slice::from_ref(&person.1));
        assert_eq!(host.lines.peer(number), Ok(sha256(&person.1)));
        client.writer().write_all(b"GET").unwrap();
        let fed = host.feed(number, &said(&mut client)).unwrap();
        assert_eq!((&fed.plaintext[..], fed.shaken, fed.closed), (&b"GET"[..], None, false));
        let summary: Vec<u8> = (0..100_000_u32).map(|n| n.to_be_bytes()[3]).collect();
        host.hold(number, &[&summary, b"its pdf", b""]);
        let answer = [
            Segment::Bytes(b"200 OK "),
            text(1, 0, 5),
            text(1, 5, 7),
            Segment::Bytes(b" and "),
            document(0, 0, 60_000),
            document(0, 60_000, 40_000),
        ];
        let records = host.write(number, &answer).unwrap();
        let expected = [b"200 OK aXRzIHBkZg== and ", &summary[..]].concat();
        assert!(heard(&mut client, &records).unwrap() == expected);
        // all are gone
        assert!(host.write(number, &[document(0, 0, 1)]).is_err());
        client.send_close_notify();
        assert!(host.feed(number, &said(&mut client)).unwrap().closed);
        heard(&mut client, &host.lines.close(number).unwrap()).unwrap();
        assert_eq!(host.feed(number, b"more").err(), Some(VaultError::Connection));
    }
}

#[test]
fn records_that_come_byte_by_byte_are_the_same() {
    let (host, person) = (Host::new(), Person::new());
    let mut client = person.client(&TLS13);
    let hello = said(&mut client);
    let (number, _) = host.open(&hello[..1]).unwrap();
    let mut shaken = None;
    let mut give = |client: &mut ClientConnection, bytes: &[u8]| {
        let mut text = Vec::new();
        for byte in bytes {
            let fed = host.feed(number, &[*byte]).unwrap();
            heard(client, &fed.ciphertext).unwrap();
            text.extend_from_slice(&fed.plaintext);
            shaken = shaken.take().or(fed.shaken);
        }
        text
    };
    give(&mut client, &hello[1..]);
    let finished = said(&mut client);
    give(&mut client, &finished);
    client.writer().write_all(&vec![7; 20_000]).unwrap();
    let asked = said(&mut client);
    assert!(give(&mut client, &asked) == vec![7; 20_000]);
    assert!(shaken.is_some());
}

#[test]
fn who_has_not_the_key_of_his_certificate_or_has_none_is_nobody() {
    let (host, person, thief) = (Host::new(), Person::new(), Person::new());
    for version in [&TLS13, &TLS12] {
        let key = || PrivateKeyDer::try_from(thief.0.serialize_der()).unwrap();
        // rustls notices by itself that they do not fit, so that the resolver says they do
        let provider = aws_lc_rs::default_provider();
        let signing = provider.key_provider.load_private_key(key()).unwrap();
        let stolen = rustls::sign::CertifiedKey::new(vec![person.1.clone().into()], signing);
        let config = ClientConfig::builder_with_provider(provider.into())
            .with_protocol_versions(&[version])
            .unwrap()
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(Anybody))
            .with_client_cert_resolver(Arc::new(rustls::sign::SingleCertAndKey::from(stolen)));
        let name = ServerName::try_from("vault.example").unwrap();
        let with = ClientConnection::new(config.into(), name).unwrap();
        for mut client in [with, connect(version, None)] {
            let (number, fed) = host.open(&said(&mut client)).unwrap();
            heard(&mut client, &fed.ciphertext).unwrap();
            let fed = host.feed(number, &said(&mut client)).unwrap();
            assert!(fed.failed && fed.shaken.is_none());
            assert!(heard(&mut client, &fed.ciphertext).is_err(), "an alert");
            assert_eq!(host.lines.peer(number), Err(VaultError::Connection));
        }
    }
}

#[test]
fn a_key_that_does_not_sign_for_tls_greets_nobody() {
    let mut host = Host::new();
    let greets = |host: &Host, key| {
        let chain = [&host.chain[..]];
        let greeting = Greeting { key, chain: &chain, hints: &[] };
        host.lines.open(&host.ring, &greeting, &mut [], now()).is_ok()
    };
    assert!(greets(&host, 0) && !greets(&host, 1));
    let mut ring = Ring::default();
    ring.add(Use::Derive, &[1; 32]).unwrap();
    (host.ring, host.lines) = (Arc::new(ring), Lines::new(room(1)));
    assert!(!greets(&host, 0));
}
