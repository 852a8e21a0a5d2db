//! Every reason is reached: those of the tables, and those that only a policy or its text has.

use std::collections::BTreeSet;

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use enclave::attest::{
    Appraised, Collateral, Evidence, Kind, MAX_BLOB, Policy, Question, Reason, Refusal,
    ReleaseKeys, Roots, verify,
};
use exchange::{Country, DocumentClass};
use jiff::Timestamp;
use testbed::vendors::{in_days, intel, now};

use super::{POLICY, amd, nitro, tpm};

/// Reasons that the tables of changes hold: [`super::hold`] proves each row.
fn of_tables() -> BTreeSet<Reason> {
    let intel = super::intel::rows().into_iter().map(|row| row.reason);
    let logs = super::intel::event_log::rows().into_iter().map(|row| row.reason);
    let amd = amd::rows().into_iter().map(|row| row.reason);
    let nitro = nitro::rows().into_iter().map(|row| row.reason);
    let tpm = tpm::rows().into_iter().map(|row| row.reason);
    intel.chain(logs).chain(amd).chain(nitro).chain(tpm).collect()
}

fn signer() -> Ed25519KeyPair {
    Ed25519KeyPair::from_seed_unchecked(&[5; 32]).unwrap()
}

/// Opens a text that one of one release keys signed.
fn open(text: &str, at: Timestamp, seen: u64) -> Result<Policy, Refusal> {
    let public = signer().public_key().as_ref().try_into().unwrap();
    let keys = ReleaseKeys::new(1, vec![("release".into(), public)]).unwrap();
    let line = ReleaseKeys::signature_line(text, "release", &signer());
    Policy::open(format!("{text}\n{line}").as_bytes(), &keys, at, seen)
}

/// A trust domain in order, held to this policy.
fn appraise(policy: &str, country: &str) -> Result<(Appraised, Policy), Refusal> {
    let maker = intel::Maker::new(intel::Kind::Tdx10);
    let roots = Roots { intel: maker.root.der(), ..Roots::pinned() };
    let made = maker.make();
    let brought = Collateral::parse(Kind::Tdx, made.collateral.json().as_bytes())?;
    let verified = verify(&Evidence::new(Kind::Tdx, made.quote), &brought, &roots, now())?;
    let policy = open(policy, now(), 0)?;
    let country = Country::parse(country).unwrap();
    let question = Question { country, report_data: &[0xda; 64], now: now() };
    policy.appraise(verified, &question).map(|taken| (taken, policy))
}

/// POLICY with the trust domain named by what a boot measures.
fn by_events() -> String {
    let zero = "0".repeat(96);
    let from = POLICY.find("rtmr2 = ").unwrap();
    let end = POLICY[from..].find('\n').unwrap() + from;
    format!("{}events.rtmr2 = ['{zero}']{}", &POLICY[..from], &POLICY[end..])
        .replace("[program.registers]\nmrtd", "registers.mrtd")
        .replace("\nrtmr0", "\nregisters.rtmr0")
        .replace("\nrtmr1", "\nregisters.rtmr1")
        .replace("\nrtmr3", "\nregisters.rtmr3")
}

type Case = (Reason, fn() -> Option<Refusal>);

static CASES: &[Case] = &[
    (Reason::TooLarge, || {
        let long = Evidence::new(Kind::Nitro, vec![0; MAX_BLOB + 1]);
        verify(&long, &Collateral::None, &Roots::pinned(), now()).err()
    }),
    (Reason::CollateralMissing, || {
        let quote = intel::Maker::new(intel::Kind::Sgx).make().quote;
        let sent = Evidence::new(Kind::Sgx, quote);
        verify(&sent, &Collateral::None, &Roots::pinned(), now()).err()
    }),
    (Reason::PolicyMalformed, || open("anything\n", now(), 0).err()),
    (Reason::PolicyQuorum, || {
        let keys = ReleaseKeys::new(1, vec![("other".into(), [3; 32])]).unwrap();
        let line = ReleaseKeys::signature_line(POLICY, "release", &signer());
        Policy::open(format!("{POLICY}\n{line}").as_bytes(), &keys, now(), 0).err()
    }),
    (Reason::PolicyTime, || open(POLICY, in_days(400), 0).err()),
    (Reason::PolicyRollback, || open(POLICY, now(), 2).err()),
    (Reason::Kind, || {
        let without = POLICY.replace(
            "[[firmware]]\nkind = \"tdx\"",
            "[[firmware]]\nkind = \"sgx\"\nproduct = \"none\"",
        );
        appraise(&without, "DK").err()
    }),
    (Reason::Country, || appraise(POLICY, "FR").err()),
    (Reason::EventLogMissing, || appraise(&by_events(), "DK").err()),
    (Reason::DocumentClass, || {
        let (taken, policy) = appraise(POLICY, "DK").unwrap();
        policy.permit(DocumentClass::Images, &taken, now()).err()
    }),
    (Reason::Expired, || {
        let (taken, policy) = appraise(POLICY, "DK").unwrap();
        policy.permit(DocumentClass::PatientSummary, &taken, in_days(300)).err()
    }),
];

/// Reached by tests of their own: what was started (`intel::event_log`), how much a document asks
/// for (`tpm`), days of grace (`intel::grace`).
static ELSEWHERE: [Reason; 3] = [Reason::Events, Reason::Assurance, Reason::Grace];

#[test]
fn every_reason_is_reached() {
    let mut reached = of_tables();
    for (reason, case) in CASES {
        let refusal = case().unwrap_or_else(|| panic!("{reason} was taken"));
        assert_eq!(refusal.reason, *reason, "{refusal}");
        reached.insert(*reason);
    }
    reached.extend(ELSEWHERE);
    let missed: Vec<_> = Reason::all().filter(|reason| !reached.contains(reason)).collect();
    assert!(missed.is_empty(), "no test reaches {missed:?}");
}
