//! How long sealing takes: `cargo run --release -p enclave --example seal_speed`.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "an example")]

use std::time::Instant;

use enclave::key::Statement;
use enclave::{
    Acceptance, Address, Addressee, Attestation, Delivery, Piece, Recipient, Use, Vault,
};
use exchange::{Country, Transaction, TransactionId};
use jiff::Timestamp;
use trust::certificate::Anchors;
use trust::seal::SealKey;

fn main() {
    let now = Timestamp::now();
    let (from, to) = (Country::parse("ES").unwrap(), Country::parse("DK").unwrap());
    let address =
        Address { from, to, transaction: Transaction::Retrieve, txid: TransactionId([1; 16]) };
    let (key, anchors) = seal_key("DK");
    let (back_key, back_anchors) = seal_key("ES");
    let bound = [0; 32];

    let rounds = 200;
    let mut first = 0;
    for _ in 0..rounds {
        let (es, dk) = (Vault::new(from), Vault::new(to));
        let to = recipient(&dk, &key, &anchors, now);
        let began = Instant::now();
        let (sealed, _) = seal(&es, &to, address, b"first", now);
        dk.open_request(&sealed, &bound).unwrap();
        first += began.elapsed().as_micros();
    }
    println!(
        "first message, seal + open (X-Wing encapsulation and decapsulation): {} us",
        first / rounds
    );

    let (es, dk) = (Vault::new(from), Vault::new(to));
    let to = recipient(&dk, &key, &anchors, now);
    for size in [1_000, 100_000, 1_000_000] {
        let rounds = 2000;
        let mut spent = 0;
        for _ in 0..rounds {
            let text = vec![7; size];
            let began = Instant::now();
            let (sealed, _) = seal(&es, &to, address, &text, now);
            let opened = dk.open_request(&sealed, &bound).unwrap();
            spent += began.elapsed().as_nanos();
            assert_eq!(opened.pieces[0].len(), size);
        }
        println!(
            "{size} bytes in an established session, seal + open: {:.1} us",
            spent as f64 / 1e3 / f64::from(rounds)
        );
    }

    let keeper = Vault::holding(from, &[(Use::Keep, &[7; 32])]).unwrap();
    let text = vec![7; 100_000];
    let kept = keeper.keep(b"label", &text).unwrap();
    for (what, piece) in
        [("given", Piece::Clear(&text)), ("kept", Piece::Kept { label: b"label", sealed: &kept })]
    {
        let rounds = 2000;
        let began = Instant::now();
        for _ in 0..rounds {
            keeper.seal_request(&to, address, Delivery::Node, &bound, &[piece], now).unwrap();
        }
        let spent = began.elapsed().as_nanos() as f64 / 1e3 / f64::from(rounds);
        println!("100000 bytes that are {what}, sealed: {spent:.1} us");
    }

    let back = recipient(&es, &back_key, &back_anchors, now);
    let rounds = 2000;
    let mut spent = 0;
    for _ in 0..rounds {
        let (sealed, pending) = seal(&es, &to, address, &[7; 2_000], now);
        let reply = dk.open_request(&sealed, &bound).unwrap().reply;
        let text = vec![7; 100_000];
        let began = Instant::now();
        let answer = dk.seal_response(reply, &back, &bound, &[Piece::Clear(&text)], now).unwrap();
        es.open_response(pending, &answer, &bound, Addressee::Node).unwrap();
        spent += began.elapsed().as_nanos();
    }
    println!(
        "100000 bytes as an answer, seal + open: {:.1} us",
        spent as f64 / 1e3 / f64::from(rounds)
    );
}

fn seal(
    from: &Vault,
    to: &Recipient,
    address: Address,
    text: &[u8],
    now: Timestamp,
) -> (bytes::Bytes, enclave::Pending) {
    from.seal_request(to, address, Delivery::Node, &[0; 32], &[Piece::Clear(text)], now).unwrap()
}

fn recipient(vault: &Vault, seal: &SealKey, anchors: &Anchors, now: Timestamp) -> Recipient {
    let statement = Statement::decode(&vault.publish(seal, now).unwrap().encode()).unwrap();
    let country = seal.certificate().country().unwrap();
    Recipient::verify(
        &statement,
        anchors,
        country,
        now,
        &Acceptance::software(&[Attestation::SimulatedInProcess]),
    )
    .unwrap()
}

fn seal_key(country: &str) -> (SealKey, Anchors) {
    let key = rcgen::KeyPair::generate().unwrap();
    let mut params = rcgen::CertificateParams::new(Vec::<String>::new()).unwrap();
    params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let root = params.self_signed(&key).unwrap();
    let issuer = rcgen::Issuer::new(params, key);
    let key = rcgen::KeyPair::generate().unwrap();
    let mut params = rcgen::CertificateParams::new(Vec::<String>::new()).unwrap();
    params.distinguished_name.push(rcgen::DnType::CountryName, country);
    let leaf = params.signed_by(&key, &issuer).unwrap();
    let seal = SealKey::from_pem(key.serialize_pem().as_bytes(), leaf.pem().as_bytes()).unwrap();
    (seal, Anchors::from_pem(root.pem().as_bytes()).unwrap())
}
