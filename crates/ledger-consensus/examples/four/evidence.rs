//! Double-signed evidence of two invented countries, 1 KiB each.

use std::path::Path;

use commonware_cryptography::Signer as _;
use commonware_cryptography::ed25519::PrivateKey;
use exchange::{Country, Transaction, TransactionId};
use ledger::JointStatement;
use ledger::commitment::{Bytes32, Commitments};
use ledger::entry::Entry;
use ledger::member::{Address, EvidenceKey, Genesis, Member, Name, Terms};
use rcgen::{CertificateParams, DnType, KeyPair};
use trust::cose;
use trust::seal::SealKey;

use crate::Failure;

/// Writes two seals and a genesis into a folder.
pub fn prepare(folder: &Path) -> Result<(), Failure> {
    let mut members = Vec::new();
    for (nth, country) in ["DK", "ES"].into_iter().enumerate() {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CountryName, country);
        let key = KeyPair::generate_for(&rcgen::PKCS_ED25519)?;
        std::fs::write(folder.join(format!("{country}.key")), key.serialize_pem())?;
        std::fs::write(folder.join(format!("{country}.pem")), params.self_signed(&key)?.pem())?;
        let seal = seal(folder, country)?;
        let evidence = vec![EvidenceKey::of(seal.certificate(), 0)?];
        let key = |seed: u64| -> [u8; 32] {
            let key = PrivateKey::from_seed(seed).public_key();
            key.as_ref().try_into().expect("because a key has 32 bytes")
        };
        let (nth, address) = (nth as u64, Address::parse("127.0.0.1:9000")?);
        let name = Name::parse(country)?;
        members.push(Member::voter(name, address, key(1000 + nth), key(2000 + nth), evidence));
    }
    let terms = Terms { half_min: 5, half_max: 50, offer_min: 5, offer_max: 50, key_blocks: 10 };
    let genesis = Genesis::new("ledger.example", 4096, terms, members)?;
    Ok(std::fs::write(folder.join("genesis.toml"), genesis.to_toml())?)
}

/// What [`prepare`] wrote.
pub fn genesis(folder: &Path) -> Result<Genesis, Failure> {
    Ok(Genesis::parse(&std::fs::read_to_string(folder.join("genesis.toml"))?)?)
}

fn seal(folder: &Path, country: &str) -> Result<SealKey, Failure> {
    let read = |end: &str| std::fs::read(folder.join(format!("{country}.{end}")));
    Ok(SealKey::from_pem(&read("key")?, &read("pem")?)?)
}

/// Signs that many for one node, each number once.
pub fn entries(
    folder: &Path,
    node: u8,
    numbers: std::ops::Range<u64>,
) -> Result<Vec<Vec<u8>>, Failure> {
    let (dk, es) = (seal(folder, "DK")?, seal(folder, "ES")?);
    let workers: u64 = 2;
    let share = (numbers.end - numbers.start).div_ceil(workers).max(1);
    std::thread::scope(|scope| {
        let work = |worker: u64| {
            let from = numbers.start + worker * share;
            let (dk, es) = (&dk, &es);
            let to = (from + share).min(numbers.end);
            scope.spawn(move || (from..to).map(|number| one(node, number, dk, es)).collect())
        };
        let running: Vec<_> = (0..workers).map(work).collect();
        let mut all = Vec::new();
        for worker in running {
            let made: Result<Vec<_>, String> = worker.join().map_err(|_| "a worker failed")?;
            all.extend(made?);
        }
        Ok(all)
    })
}

fn one(node: u8, number: u64, dk: &SealKey, es: &SealKey) -> Result<Vec<u8>, String> {
    let mut txid = [node; 16];
    txid[8..].copy_from_slice(&number.to_be_bytes());
    let hash = |byte: u8| Bytes32([0x80 | byte; 32]);
    let committed = |fields: &[&str]| {
        Commitments(fields.iter().map(|field| ((*field).to_owned(), hash(node))).collect())
    };
    let country = |name: &str| Country::parse(name).map_err(|error| error.to_string());
    let statement = JointStatement {
        form: FORM.to_owned(),
        txid: TransactionId(txid).to_string(),
        transaction: Transaction::Retrieve.iti().to_owned(),
        requester: country("ES")?,
        provider: country("DK")?,
        request: Some(hash(1)),
        asked: committed(&["patient", "professional", "purpose"]),
        answered: committed(&["answer"]),
        outcome: "answered".to_owned(),
    };
    let signed = statement.sign(dk).map_err(|error| error.to_string())?;
    let signed =
        cose::add_signature(&signed, es, FORM.as_bytes()).map_err(|error| error.to_string())?;
    let entry = Entry::whole(&signed).map_err(|error| error.to_string())?;
    Ok(entry.padded(1024).into_bytes())
}

const FORM: &str = "konfido-exchange/1";
