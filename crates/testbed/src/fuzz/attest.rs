//! Evidence of hardware and the policy over it: what a stranger's vault, or whoever carries its
//! statement, may send.

use std::sync::LazyLock;

use aws_lc_rs::signature::Ed25519KeyPair;
use enclave::attest::{
    Collateral, Evidence, Kind, MAX_EVENTS, MAX_WORDS, Policy, Reason, ReleaseKeys, Roots, preview,
    verify,
};
use enclave::pouch::{Expected, Head, PouchKey, PouchOpener, Suite};

use crate::pki::{Pki, Role, SealKind};
use crate::seed;
use crate::vendors::intel::{self, Maker};

/// SGX and TDX quotes.
pub fn quote(data: &[u8]) -> bool {
    read(Kind::Sgx, data) | read(Kind::Tdx, data)
}

/// SNP reports, and the certificates and lists that come with them.
pub fn snp(data: &[u8]) -> bool {
    let _ = Collateral::parse(Kind::Snp, data);
    read(Kind::Snp, data)
}

/// Nitro documents, TPM quotes, and what software says of itself.
pub fn nitro(data: &[u8]) -> bool {
    read(Kind::Nitro, data) | read(Kind::Tpm, data) | read(Kind::Software, data)
}

/// Event logs: under a quote that nothing measured, which they must give registers of zeros for.
pub fn event_log(data: &[u8]) -> bool {
    static QUOTE: LazyLock<Vec<u8>> = LazyLock::new(|| Maker::new(intel::Kind::Tdx10).make().quote);
    let sent = Evidence { event_log: data.to_vec(), ..Evidence::new(Kind::Tdx, QUOTE.as_slice()) };
    match preview(&sent) {
        Ok(claims) => {
            let events = claims.events.unwrap_or_default();
            assert!(events.len() <= MAX_EVENTS, "a bound that is not held");
            assert!(events.iter().all(|event| event.says.chars().count() <= MAX_WORDS));
            // the invented quote's registers are no log's
            assert!(data.is_empty(), "a log gave registers that it cannot give");
            false
        }
        // a log that was read to its end
        Err(refusal) => refusal.reason == Reason::EventLogMismatch,
    }
}

/// Evidence as it travels, with its collateral.
pub fn attestation(data: &[u8]) -> bool {
    let Ok(evidence) = Evidence::decode(data) else { return false };
    assert_eq!(evidence.encode(), data, "evidence has one spelling");
    let _ = verify(&evidence, &Collateral::None, &Roots::pinned(), seed::written());
    true
}

/// Policies: as they came, and signed after they were damaged.
pub fn policy(data: &[u8]) -> bool {
    let (keys, now) = (release_keys(), seed::written());
    let _ = Policy::open(data, &keys, now, 0);
    let Ok(text) = std::str::from_utf8(data) else { return false };
    if let Err(fault) = Policy::draft(text) {
        assert!(fault.line(text) <= text.lines().count() + 1, "a fault is in the text");
    }
    if let Ok(signed) = keys.signed(text, &key())
        && let (Ok(before), Ok(after)) = (keys.gathered(text), keys.gathered(&signed))
    {
        assert_eq!(before.text, after.text, "a signature is added, and nothing is changed");
        assert_eq!(after.signers, [NAME]);
    }
    let body = text.split("\n\n\u{2014} ").next().unwrap_or_default();
    let body = format!("{}\n", body.trim_end_matches('\n'));
    let note = format!("{body}\n{}", signature_line(&body));
    let (opened, shown) =
        (Policy::open(note.as_bytes(), &keys, now, 0), Policy::danger_unsigned(note.as_bytes()));
    assert!(opened.is_err() || shown.is_ok(), "what is in force can be shown");
    opened.is_ok()
}

/// The line under a policy of the fuzz target's only release key.
pub fn signature_line(text: &str) -> String {
    ReleaseKeys::signature_line(text, NAME, &key())
}

fn read(kind: Kind, data: &[u8]) -> bool {
    let evidence = Evidence::new(kind, data);
    let verified = verify(&evidence, &Collateral::None, &Roots::pinned(), seed::written());
    assert!(verified.is_err() || kind == Kind::Software, "nothing here is genuine");
    preview(&evidence).is_ok()
}

fn release_keys() -> ReleaseKeys {
    use aws_lc_rs::signature::KeyPair as _;
    let public = key().public_key().as_ref().try_into().expect("because the key has 32 bytes");
    ReleaseKeys::new(1, vec![(NAME.into(), public)]).expect("because one of one is a quorum")
}

fn key() -> Ed25519KeyPair {
    Ed25519KeyPair::from_seed_unchecked(&[7; 32]).expect("because a seed has 32 bytes")
}

const NAME: &str = "fuzz";

/// Statements of vault keys, as another country publishes them.
pub fn statement(data: &[u8]) -> bool {
    let mut taken = false;
    if let Ok(said) = enclave::KeyStatement::decode(data) {
        assert_eq!(said.encode(), data, "one statement has one encoding");
        taken = true;
    }
    if let Ok(statement) = enclave::key::Statement::decode(data) {
        let _ = statement.said();
        taken = true;
    }
    taken
}

/// What a node that was taken over may send to its vault.
pub fn vault(data: &[u8]) -> bool {
    static VAULT: LazyLock<enclave::Vault> = LazyLock::new(|| {
        enclave::Vault::new(exchange::Country::parse("DK").expect("because Denmark is a country"))
    });
    VAULT.takes_lane(data) | VAULT.takes_frame(data)
}

/// What anybody may send to a TLS connection that a vault ends.
pub fn last_hop(data: &[u8]) -> bool {
    static VAULT: LazyLock<enclave::Vault> = LazyLock::new(|| {
        let country = exchange::Country::parse("ES").expect("because Spain is a country");
        let pki = Pki::new(&[country], SealKind::P256, jiff::Timestamp::now());
        let key = pki.identity(country, Role::ServiceProvider);
        enclave::Vault::signing(country, key.key_pem().as_bytes()).expect("because it is sound")
    });
    VAULT.takes_records(data)
}

/// Keys that a question may name, and pouches that a gateway may hand to a clinician's client.
pub fn pouch(data: &[u8]) -> bool {
    static OPENER: LazyLock<PouchOpener> = LazyLock::new(|| {
        PouchOpener::generate(Suite::P256).expect("because the system has random numbers")
    });
    let mut taken = false;
    if let Ok(key) = PouchKey::decode(data) {
        assert_eq!(key.encode(), data, "a key has one encoding");
        taken = true;
    }
    if let Ok((head, length)) = Head::decode(data) {
        assert_eq!(
            head.to_bytes().ok().as_deref(),
            Some(&data[..length]),
            "a head has one encoding"
        );
        let enclave::Address { from, to, transaction, txid } = head.context.address;
        let (part, content_id) = (head.context.part, head.context.content_id);
        let expected = Expected { from, to, transaction, part, content_id, txid: Some(txid) };
        assert!(OPENER.open(data, &expected).is_err(), "nothing here is sealed for it");
        taken = true;
    }
    taken
}

/// What a disk gives a vault as its store, and a person as a recovery share.
pub fn store(data: &[u8]) -> bool {
    enclave::store::fuzzing::takes(data)
}
