//! Evidence that two invented countries signed, for tests: an entry for each label.

use std::collections::HashMap;
use std::path::Path;
use std::sync::{LazyLock, Mutex};

use exchange::{Country, Transaction, TransactionId};
use ledger::JointStatement;
use ledger::chain::Chain;
use ledger::commitment::{Bytes32, Commitments};
use ledger::entry::Entry;
use ledger::member::{Address, EvidenceKey, Genesis, Member, Name, Terms};
use rcgen::{CertificateParams, DnType, KeyPair};
use trust::cose;
use trust::seal::SealKey;

/// The countries' seals, and the genesis that names them. One for all tests of the process, so that the
/// same seed gives the same run.
static COUNTRIES: LazyLock<Countries> = LazyLock::new(Countries::new);

struct Countries {
    es: SealKey,
    dk: SealKey,
    genesis: Genesis,
    labels: Mutex<HashMap<[u8; 16], String>>,
}

impl Countries {
    fn new() -> Self {
        let (es, dk) = (seal("ES"), seal("DK"));
        let terms =
            Terms { half_min: 5, half_max: 50, offer_min: 5, offer_max: 50, key_blocks: 10 };
        let members = vec![voter("ES", &es, 1), voter("DK", &dk, 2)];
        let genesis = Genesis::new("ledger.example", 1000, terms, members).unwrap();
        Self { es, dk, genesis, labels: Mutex::default() }
    }
}

/// A chain in this folder.
pub(crate) fn chain(folder: &Path) -> Chain {
    Chain::open(folder, &COUNTRIES.genesis).unwrap()
}

/// What all chains here begin with.
pub(crate) fn genesis() -> [u8; 32] {
    COUNTRIES.genesis.digest()
}

/// The entry of this label: both countries signed it. At least that long.
pub(crate) fn entry(label: &str, length: usize) -> Vec<u8> {
    let txid = *ledger::tree::leaf_hash(label.as_bytes()).first_chunk::<16>().unwrap();
    COUNTRIES.labels.lock().unwrap().insert(txid, label.to_owned());
    let committed =
        |field: &str| Commitments([(field.to_owned(), Bytes32([0x99; 32]))].into_iter().collect());
    let statement = JointStatement {
        form: EXCHANGE.to_owned(),
        txid: TransactionId(txid).to_string(),
        transaction: Transaction::Retrieve.iti().to_owned(),
        requester: Country::parse("ES").unwrap(),
        provider: Country::parse("DK").unwrap(),
        request: Some(Bytes32([0x99; 32])),
        asked: committed("patient"),
        answered: committed("answer"),
        outcome: "answered".to_owned(),
    };
    let signed = statement.sign(&COUNTRIES.dk).unwrap();
    let signed = cose::add_signature(&signed, &COUNTRIES.es, EXCHANGE.as_bytes()).unwrap();
    Entry::whole(&signed).unwrap().padded(length).into_bytes()
}

/// The label of an entry that was made here.
pub(crate) fn label(entry: &[u8]) -> String {
    let txid = Entry::decode(entry).unwrap().txid().unwrap();
    COUNTRIES.labels.lock().unwrap()[&txid].clone()
}

fn seal(country: &str) -> SealKey {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CountryName, country);
    let key = KeyPair::generate_for(&rcgen::PKCS_ED25519).unwrap();
    let pem = params.self_signed(&key).unwrap().pem();
    SealKey::from_pem(key.serialize_pem().as_bytes(), pem.as_bytes()).unwrap()
}

/// Its consensus key is the registry's concern; the tests of the engine have members of their own.
fn voter(name: &str, seal: &SealKey, nth: u64) -> Member {
    use commonware_cryptography::Signer as _;
    let key = |seed| {
        crate::view::bytes(
            &commonware_cryptography::ed25519::PrivateKey::from_seed(seed).public_key(),
        )
    };
    let evidence = vec![EvidenceKey::of(seal.certificate(), 0).unwrap()];
    let address = Address::parse("127.0.0.1:9000").unwrap();
    Member::voter(Name::parse(name).unwrap(), address, key(1000 + nth), key(2000 + nth), evidence)
}

const EXCHANGE: &str = "konfido-exchange/1";
