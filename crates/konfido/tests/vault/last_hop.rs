//! Connections that a vault process ends: clients of rustls, and a node that carries records.

use std::io::{Read as _, Write as _};
use std::sync::Arc;

use enclave::key::Statement;
use enclave::last_hop::{Connection, Door, Fed, Place, Segment};
use enclave::process::Source;
use enclave::{
    Acceptance, Address, Addressee, Attestation, Delivery, Piece, Process, Recipient, Use, Vault,
    VaultError,
};
use exchange::{Country, Transaction, TransactionId};
use jiff::Timestamp;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use testbed::pki::{Pki, Role, SealKind};
use transport::tls::ClientTls;
use zeroize::Zeroizing;

use super::spec;

/// Two countries; the vault of the one that asks is a process.
struct Stage {
    pki: Pki,
    es: Vault,
    dk: Vault,
    door: Door,
    spain: Recipient,
    denmark: Recipient,
}

fn country(code: &str) -> Country {
    Country::parse(code).unwrap()
}

impl Stage {
    fn set() -> Self {
        let now = Timestamp::now();
        let pki = Pki::new(&[country("ES"), country("DK")], SealKind::P256, now);
        let own = pki.tls(country("ES"), Role::ServiceProvider);
        let key = own.key.pem().unwrap().to_vec();
        let key = Source::Bytes(Arc::new(Zeroizing::new(key)));
        let of = enclave::process::Spec { country: country("ES"), ..spec(vec![(Use::Sign, key)]) };
        let es = Vault::of(Process::start(of).unwrap());
        let dk = Vault::new(country("DK"));
        let chain: Vec<_> =
            CertificateDer::pem_slice_iter(&own.chain).map(Result::unwrap).collect();
        let chain = chain.iter().map(|der| der.to_vec()).collect();
        let door = Door::new(&es, chain).unwrap();
        let met = |vault: &Vault, of: &str| {
            let seal = pki.identity(country(of), Role::Seal).seal_key();
            let said = Statement::decode(&vault.publish(&seal, now).unwrap().encode()).unwrap();
            let accepted = Acceptance::software(&Attestation::ALL);
            Recipient::verify(&said, &pki.anchors(), country(of), now, &accepted).unwrap()
        };
        let (spain, denmark) = (met(&es, "ES"), met(&dk, "DK"));
        Self { pki, es, dk, door, spain, denmark }
    }

    /// The OpenNCP of Spain, connected.
    fn connect(&self) -> Result<(rustls::ClientConnection, Connection), VaultError> {
        let own = self.pki.tls(country("ES"), Role::OpenncpClient);
        let config = ClientTls::new(&own).unwrap().current();
        let name = ServerName::try_from("localhost").unwrap();
        let mut client = rustls::ClientConnection::new(config, name).unwrap();
        let (line, mut fed) = self.door.open(&[], &said(&mut client), Timestamp::now())?;
        while fed.shaken.is_none() {
            assert!(!fed.failed);
            heard(&mut client, &fed);
            fed = line.feed(&said(&mut client), Timestamp::now())?;
        }
        heard(&mut client, &fed);
        Ok((client, line))
    }

    /// A document of Denmark's on its way to this connection.
    fn bring(&self, line: &Connection, document: &[u8]) -> Result<(), VaultError> {
        let (now, bound) = (Timestamp::now(), [0; 32]);
        let (from, to) = (country("ES"), country("DK"));
        let (transaction, txid) = (Transaction::Retrieve, TransactionId([1; 16]));
        let address = Address { from, to, transaction, txid };
        let delivery = Addressee::Tls(line).delivery();
        assert!(matches!(delivery, Delivery::Tls(_)));
        let ask = [Piece::Clear(b"ask")];
        let (asked, pending) =
            self.es.seal_request(&self.denmark, address, delivery, &bound, &ask, now)?;
        let reply = self.dk.open_request(&asked, &bound)?.reply;
        let pieces = [Piece::Clear(b"head"), Piece::Clear(document)];
        let answer = self.dk.seal_response(reply, &self.spain, &bound, &pieces, now)?;
        let delivered = self.es.open_response(pending, &answer, &bound, Addressee::Tls(line))?;
        assert_eq!(
            (&delivered.pieces[..], &delivered.held[..]),
            (&[bytes::Bytes::from_static(b"head")][..], &[document.len()][..])
        );
        Ok(())
    }
}

fn said(client: &mut rustls::ClientConnection) -> Vec<u8> {
    let mut out = Vec::new();
    while client.wants_write() {
        client.write_tls(&mut out).unwrap();
    }
    out
}

fn heard(client: &mut rustls::ClientConnection, fed: &Fed) {
    read(client, &fed.ciphertext);
}

fn read(client: &mut rustls::ClientConnection, mut records: &[u8]) -> Vec<u8> {
    let mut text = Vec::new();
    while !records.is_empty() {
        client.read_tls(&mut records).unwrap();
        client.process_new_packets().unwrap();
        let _ = client.reader().read_to_end(&mut text);
    }
    text
}

fn all_of(length: usize) -> Segment<'static> {
    Segment::Document(Place { document: Some(0), base64: false, start: 0, length })
}

/// It opened a file when a thread gave memory back, which killed it.
#[test]
fn a_vault_lives_through_documents_of_all_sizes_on_many_connections() {
    let stage = Stage::set();
    std::thread::scope(|scope| {
        for of in 0..16_u8 {
            let stage = &stage;
            scope.spawn(move || {
                let (mut client, line) = stage.connect().unwrap();
                for round in 0..40_usize {
                    let document = vec![of; 1 + 9_973 * (usize::from(of) + round) % 400_000];
                    stage.bring(&line, &document).unwrap();
                    client.writer().write_all(&document[..document.len().min(30_000)]).unwrap();
                    let fed = line.feed(&said(&mut client), Timestamp::now()).unwrap();
                    assert_eq!(fed.plaintext.len(), document.len().min(30_000));
                    let segments = [Segment::Bytes(b"<"), all_of(document.len())];
                    let records = line.write(&segments, Timestamp::now()).unwrap();
                    assert!(read(&mut client, &records)[1..] == document);
                }
            });
        }
    });
    assert_eq!(stage.es.process().unwrap().starts(), 1);
}

/// As many as it says, at once, all in their handshake as far as it says, and then some.
#[test]
fn a_vault_has_secret_memory_for_as_many_connections_as_it_says() {
    let stage = Stage::set();
    let room = stage.door.room();
    let own = stage.pki.tls(country("ES"), Role::OpenncpClient);
    let config = ClientTls::new(&own).unwrap().current();
    let mut lines = Vec::new();
    for _ in 0..(room.connections - room.handshakes).min(600) {
        lines.push(stage.connect().unwrap());
    }
    let mut halves = Vec::new();
    let refused = loop {
        let name = ServerName::try_from("localhost").unwrap();
        let mut client = rustls::ClientConnection::new(Arc::clone(&config), name).unwrap();
        match stage.door.open(&[], &said(&mut client), Timestamp::now()) {
            Ok((line, _)) => halves.push(line),
            Err(error) => break error,
        }
        assert!(halves.len() <= room.handshakes);
    };
    assert_eq!((refused, halves.len()), (VaultError::Connection, room.handshakes));
    // and those that are there go on
    for (client, line) in lines.iter_mut().step_by(50) {
        stage.bring(line, b"a summary").unwrap();
        let records = line.write(&[all_of(9)], Timestamp::now()).unwrap();
        assert_eq!(read(client, &records), b"a summary");
    }
    assert_eq!(stage.es.process().unwrap().starts(), 1);
}

#[test]
fn a_connection_of_a_vault_that_died_is_over_and_the_next_is_answered() {
    let stage = Stage::set();
    let (_client, line) = stage.connect().unwrap();
    let vault = stage.es.process().unwrap();
    let pid = rustix::process::Pid::from_raw(i32::try_from(vault.id()).unwrap()).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
    let over = Some(VaultError::Connection);
    assert_eq!(line.write(&[Segment::Bytes(b"late")], Timestamp::now()).err(), over);
    assert_eq!(line.feed(b"records", Timestamp::now()).err(), over);
    assert_eq!(vault.starts(), 2);
    stage.connect().unwrap();
}

#[test]
fn the_vault_speaks_tls_as_the_nodes_other_listeners_do() {
    assert_eq!(enclave::last_hop::groups(), transport::tls::groups());
}
