//! Key statements: a country's seal says who, evidence says what, our policy says whether.

use std::sync::Arc;

use enclave::attest::{
    AssuranceClass, Collateral, Evidence, Kind as Claimed, Policy, Reason, Roots,
};
use enclave::key::{Recipient, Statement};
use enclave::{Acceptance, Attestation, Attester, KeyStatement, Vault, VaultError};
use exchange::{Country, DocumentClass};
use jiff::SignedDuration;
use testbed::pki::{Pki, Role, SealKind};
use testbed::vendors::intel::{Field, Kind, Maker};
use testbed::vendors::{in_seconds, now};
use trust::seal::SealKey;

struct World {
    pki: Pki,
    dk: Country,
    es: Country,
}

/// A machine of Denmark: an invented TDX guest, with one thing changed.
struct Guest(fn(&mut Maker));

impl Attester for Guest {
    fn attest(&self, report_data: &[u8; 64]) -> Result<Evidence, String> {
        let mut maker = Maker::new(Kind::Tdx15);
        maker.set(Field::ReportData, report_data);
        (self.0)(&mut maker);
        let made = maker.make();
        let collateral = made.collateral.json().into_bytes();
        Ok(Evidence { collateral, ..Evidence::new(Claimed::Tdx, made.quote) })
    }
}

impl World {
    fn new() -> Self {
        let (dk, es) = (Country::parse("DK").unwrap(), Country::parse("ES").unwrap());
        Self { pki: Pki::new(&[dk, es], SealKind::P256, now()), dk, es }
    }

    fn seal(&self, of: Country) -> SealKey {
        self.pki.identity(of, Role::Seal).seal_key()
    }

    fn published(&self, change: fn(&mut Maker)) -> Statement {
        let vault = Vault::new(self.dk).attested(Box::new(Guest(change)));
        (*vault.publish(&self.seal(self.dk), now()).unwrap()).clone()
    }

    fn checked(
        &self,
        statement: &Statement,
        after: SignedDuration,
        accepted: &Acceptance,
    ) -> Result<Recipient, VaultError> {
        let sent = Statement::decode(&statement.encode()).unwrap();
        assert!(sent == *statement, "it travels whole");
        Recipient::verify(&sent, &self.pki.anchors(), self.dk, now() + after, accepted)
    }
}

/// Takes the invented guest, Denmark's machine, and asks for it where a Patient Summary is sent.
fn policy() -> Acceptance {
    accepting(&POLICY.replace("PROGRAM", &"3e".repeat(48)))
}

fn accepting(text: &str) -> Acceptance {
    let policy = Policy::danger_unsigned(text.as_bytes()).unwrap();
    let roots = Roots { intel: Maker::new(Kind::Tdx15).root.der(), ..Roots::pinned() };
    Acceptance::policy(Arc::new(policy), Arc::new(Collateral::None), Arc::new(roots))
}

const AT_ONCE: SignedDuration = SignedDuration::ZERO;

#[test]
fn hardware_that_the_policy_names_is_taken_and_satisfies_its_rule() {
    let world = World::new();
    let taken = world.checked(&world.published(|_| {}), AT_ONCE, &policy()).unwrap();
    assert_eq!(taken.class(), AssuranceClass::Cvm);
    assert_eq!(taken.permits(DocumentClass::PatientSummary, now()), Ok(()));
    let unnamed = taken.permits(DocumentClass::ImagingReport, now());
    assert_eq!(unnamed, Err(VaultError::Evidence(Reason::DocumentClass)), "no rule, no document");
}

#[test]
fn a_document_of_no_known_class_does_not_pass_a_policy_that_leaves_a_class_out() {
    let world = World::new();
    let taken = world.checked(&world.published(|_| {}), AT_ONCE, &policy()).unwrap();
    let unknown = taken.permits_all(now());
    assert_eq!(unknown, Err(VaultError::Evidence(Reason::DocumentClass)), "it may be an image");
}

#[test]
fn what_the_policy_does_not_name_is_refused_for_its_own_reason() {
    let world = World::new();
    let rows: [(&str, fn(&mut Maker), Reason); 4] = [
        ("another program", |m| m.set(Field::Measurement, &[1; 48]), Reason::Measurement),
        ("another key", |m| m.set(Field::ReportData, &[1; 64]), Reason::ReportData),
        ("debug", Maker::debug, Reason::Debug),
        ("changed afterwards", |m| m.tamper = |made| made.quote[600] ^= 1, Reason::Signature),
    ];
    for (name, change, reason) in rows {
        let found = world.checked(&world.published(change), AT_ONCE, &policy()).err();
        assert_eq!(found, Some(VaultError::Evidence(reason)), "{name}");
    }
    // the policy of a vault's own word takes no hardware: nothing says which
    let software = Acceptance::software(&Attestation::ALL);
    assert!(world.checked(&world.published(|_| {}), AT_ONCE, &software).is_err());
}

#[test]
fn software_satisfies_no_rule_that_asks_for_hardware() {
    let world = World::new();
    let vault = Vault::new(world.dk);
    let said = vault.publish(&world.seal(world.dk), now()).unwrap();
    let refused = world.checked(&said, AT_ONCE, &policy()).err();
    assert_eq!(refused, Some(VaultError::Evidence(Reason::Kind)), "no program of that kind");
    // even where the policy names the software
    let named = "[[program]]\nname = \"vault\"\nkind = \"software\"\nregisters = { binary = \"ZERO\" }\n\n\
                 [[firmware]]\nkind = \"software\"\n\n[[partner]]";
    let named = named.replace("ZERO", &"00".repeat(32));
    let text = POLICY.replace("PROGRAM", &"3e".repeat(48)).replacen("[[partner]]", &named, 1);
    let taken = world.checked(&said, AT_ONCE, &accepting(&text)).unwrap();
    assert_eq!(taken.class(), AssuranceClass::Software);
    let permitted = taken.permits(DocumentClass::PatientSummary, now());
    assert_eq!(permitted, Err(VaultError::Evidence(Reason::Assurance)));
}

#[test]
fn a_statement_is_its_countrys_and_of_its_time() {
    let world = World::new();
    let said = world.published(|_| {});
    let day = SignedDuration::from_hours(24);
    let second = SignedDuration::from_secs(1);
    // it begins five minutes before, for clocks that are behind
    let end = day - SignedDuration::from_mins(5);
    assert!(world.checked(&said, end - second, &policy()).is_ok());
    let expired = Some(VaultError::Key("statement has expired"));
    assert_eq!(world.checked(&said, end, &policy()).err(), expired);
    let early = world.checked(&said, -SignedDuration::from_mins(6), &policy()).err();
    assert_eq!(early, Some(VaultError::Key("statement is of the future")));

    let sealed = |by: Country, said: &KeyStatement| {
        let signed =
            trust::cose::sign1(&world.seal(by), &said.encode(), b"konfido vault key 2").unwrap();
        let certificates = trust::chain::Chain::of(&world.seal(by)).der();
        let evidence = Guest(|_| {}).attest(&said.report_data()).unwrap();
        Statement { signed, certificates, evidence }
    };
    let own = KeyStatement {
        country: world.dk,
        key: taken_key(&world),
        not_before: now(),
        not_after: now() + day,
        starts: 1,
        state: 0,
        home: String::new(),
        release: "0.1.0".into(),
    };
    assert!(world.checked(&sealed(world.dk, &own), AT_ONCE, &policy()).is_ok());
    let by_spain = world.checked(&sealed(world.es, &own), AT_ONCE, &policy()).err();
    assert_eq!(by_spain, Some(VaultError::Key("seal certificate is of another country")));
    let of_spain = KeyStatement { country: world.es, ..own.clone() };
    let of_spain = world.checked(&sealed(world.dk, &of_spain), AT_ONCE, &policy()).err();
    assert_eq!(of_spain, Some(VaultError::Key("statement is of another country")));
    let long = KeyStatement { not_after: now() + day + second, ..own.clone() };
    let long = world.checked(&sealed(world.dk, &long), AT_ONCE, &policy()).err();
    assert_eq!(long, Some(VaultError::Key("statement holds for too long")));
    // signed by nobody: the evidence alone does not say whose machine it is
    let mut unsigned = sealed(world.dk, &own);
    let last = unsigned.signed.len() - 1;
    unsigned.signed[last] ^= 1;
    let unsigned = world.checked(&unsigned, AT_ONCE, &policy()).err();
    assert_eq!(unsigned, Some(VaultError::Key("statement is not signed by the seal certificate")));
    // evidence of another statement of the same vault
    let mut other = sealed(world.dk, &own);
    other.evidence = sealed(world.dk, &KeyStatement { starts: 2, ..own }).evidence;
    let other = world.checked(&other, AT_ONCE, &policy()).err();
    assert_eq!(other, Some(VaultError::Evidence(Reason::ReportData)));
}

fn taken_key(world: &World) -> Vec<u8> {
    let said = world.checked(&world.published(|_| {}), AT_ONCE, &policy()).unwrap();
    said.said().key.clone()
}

/// Evidence is made once for each key, not for each question.
#[test]
fn a_statement_is_made_once_and_again_when_half_its_life_is_over() {
    let world = World::new();
    let vault = Vault::new(world.dk).attested(Box::new(Guest(|_| {})));
    let seal = world.seal(world.dk);
    let first = vault.publish(&seal, now()).unwrap();
    assert!(Arc::ptr_eq(&first, &vault.publish(&seal, in_seconds(12 * 3600 - 1)).unwrap()));
    assert!(*first != *vault.publish(&seal, in_seconds(12 * 3600)).unwrap());
    let renewed = world.seal(world.es);
    assert!(*first != *vault.publish(&renewed, now()).unwrap(), "another seal");
}

const POLICY: &str = r#"# konfido attestation policy v1
version = 1
valid_from = "2026-01-01T00:00:00Z"
valid_until = "2027-01-01T00:00:00Z"

[[program]]
name = "vault in a trust domain"
kind = "tdx"
[program.registers]
mrtd = "PROGRAM"
rtmr0 = "404040404040404040404040404040404040404040404040404040404040404040404040404040404040404040404040"
rtmr1 = "414141414141414141414141414141414141414141414141414141414141414141414141414141414141414141414141"
rtmr2 = "424242424242424242424242424242424242424242424242424242424242424242424242424242424242424242424242"
rtmr3 = "000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000"

[[firmware]]
kind = "tdx"
statuses = ["UpToDate"]
evaluation = 17
refused_advisories = []

[[partner]]
country = "DK"
danger_any_platform = true
dynamic_platform = true

[[document]]
class = "60591-5"
floor = "cvm"
"#;
