//! Members of a shared ledger with their keys, and evidence that they signed: for the engine's tests
//! and the benchmark.

use exchange::{Country, Entropy, SystemEntropy, Transaction, TransactionId};
use ledger::commitment::Bytes32;
use ledger::entry::Entry;
use ledger::evidence::JointStatement;
use ledger::member::{Address, EvidenceKey, Genesis, Member, Name, Terms};
use ledger::{Field, Secrets};
use rcgen::{CertificateParams, DnType, KeyPair};
use trust::cose;
use trust::seal::{SealKey, SigningKey};

/// The members of one ledger. All sign by Ed25519.
pub struct Members {
    /// What they began with; all have signed it.
    pub genesis: Genesis,
    seals: Vec<(Country, SealKey)>,
    seeds: Vec<[u8; 32]>,
}

impl Members {
    /// As many members as addresses, at most 27, with epochs of this many blocks.
    pub fn new(addresses: &[String], epoch: u64) -> Self {
        let (mut members, mut seals, mut seeds) = (Vec::new(), Vec::new(), Vec::new());
        for (address, code) in addresses.iter().zip(CODES) {
            let (seal, mut seed) = (seal(code), [0; 32]);
            SystemEntropy.fill(&mut seed);
            let evidence = EvidenceKey::of(seal.certificate(), 0).expect("because it is Ed25519");
            members.push(Member::voter(
                Name::parse(code).expect("because codes are names"),
                Address::parse(address).expect("because the caller gives addresses"),
                public(&seed),
                public(&random()),
                vec![evidence],
            ));
            seals.push((Country::parse(code).expect("because it is a code"), seal));
            seeds.push(seed);
        }
        let genesis = Genesis::new("ledger.konfido.example", epoch, TERMS, members);
        let mut genesis = genesis.expect("because these members fit");
        for (_, seal) in &seals {
            genesis = genesis.signed(seal).expect("because it is a member's seal");
        }
        Self { genesis, seals, seeds }
    }

    /// The seed of a member's consensus key.
    pub fn seed(&self, member: usize) -> [u8; 32] {
        self.seeds[member]
    }

    /// A member's seal.
    pub fn seal(&self, member: usize) -> &SealKey {
        &self.seals[member].1
    }

    /// A new exchange that both signed: an entry at least this long.
    pub fn exchange(&self, requester: usize, provider: usize, length: usize) -> Entry {
        let ((asking, requests), (asked, provides)) =
            (&self.seals[requester], &self.seals[provider]);
        let draw = |fields: &[Field]| {
            Secrets::draw(fields.iter().map(|f| (*f, f.name().to_owned())), &SystemEntropy)
                .commitments()
        };
        let statement = JointStatement {
            form: FORM.to_owned(),
            txid: TransactionId::random(&SystemEntropy).to_string(),
            transaction: Transaction::Retrieve.iti().to_owned(),
            requester: *asking,
            provider: *asked,
            request: Some(Bytes32(random())),
            asked: draw(&[
                Field::Patient,
                Field::Professional,
                Field::Purpose,
                Field::Assertions,
                Field::Request,
            ]),
            answered: draw(&[Field::Answer, Field::Delivery]),
            outcome: "answered".to_owned(),
        };
        let signed = statement.sign(provides).expect("because the key is here");
        let signed = cose::add_signature(&signed, requests, FORM.as_bytes());
        let entry = Entry::whole(&signed.expect("because the key is here"));
        let entry = entry.expect("because it is in form");
        if length > entry.encode().len() { entry.padded(length) } else { entry }
    }
}

fn seal(code: &str) -> SealKey {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CountryName, code);
    let key = KeyPair::generate_for(&rcgen::PKCS_ED25519).expect("because there is chance");
    let pem = params.self_signed(&key).expect("because it signs itself").pem();
    SealKey::from_pem(key.serialize_pem().as_bytes(), pem.as_bytes()).expect("because they fit")
}

/// The public half of an Ed25519 seed.
fn public(seed: &[u8; 32]) -> [u8; 32] {
    // PKCS#8 of RFC 8410 §7: a constant in front of the seed
    let pkcs8 = [PKCS8, seed].concat();
    let key = SigningKey::from_ed25519(&pkcs8).expect("because every seed is a key");
    key.public().try_into().expect("because it has 32 bytes")
}

fn random() -> [u8; 32] {
    let mut out = [0; 32];
    SystemEntropy.fill(&mut out);
    out
}

const PKCS8: &[u8] = &[
    0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20,
];
const FORM: &str = "konfido-exchange/1";
const TERMS: Terms = Terms {
    half_min: 1,
    half_max: 1_000_000,
    offer_min: 1,
    offer_max: 1_000_000,
    key_blocks: 1000,
};
/// The member states.
const CODES: [&str; 27] = [
    "DK", "ES", "IT", "AT", "BE", "BG", "CY", "CZ", "DE", "EE", "FI", "FR", "GR", "HR", "HU", "IE",
    "LT", "LU", "LV", "MT", "NL", "PL", "PT", "RO", "SE", "SI", "SK",
];

#[cfg(test)]
mod tests {
    use ledger::rules::verify_signatures;

    use super::*;

    #[test]
    fn their_evidence_is_valid_and_as_long_as_asked_for() {
        let addresses: Vec<String> = (1..=4).map(|n| format!("127.0.0.1:{n}")).collect();
        let members = Members::new(&addresses, 100);
        members.genesis.check_signed().unwrap();
        let entries = [members.exchange(0, 1, 1024), members.exchange(2, 3, 0)];
        assert_eq!(entries[0].encode().len(), 1024);
        assert!(entries[1].encode().len() < 1024);
        let registry = members.genesis.registry();
        assert!(
            verify_signatures(&registry, 1, &entries).into_iter().all(|verdict| verdict.is_ok())
        );
    }
}
