//! Firmware that fell behind is taken for some days, where a policy says so, and to the second.

use enclave::attest::{
    Appraised, Collateral, Evidence, Kind as Claimed, Policy, Question, Reason, Refusal, verify,
};
use exchange::{Country, DocumentClass};
use jiff::{SignedDuration, Timestamp};
use testbed::vendors::intel::{Field, Kind, Maker};
use testbed::vendors::now;

use super::roots;
use crate::POLICY;

/// Appraises at `now`, by a policy that gives an out-of-date machine so many days.
fn appraise(maker: Maker, days: u32, at: Timestamp) -> Result<(Appraised, Policy), Refusal> {
    let claimed = if maker.kind.is_tdx() { Claimed::Tdx } else { Claimed::Sgx };
    let made = maker.make();
    let brought = made.collateral.json();
    let brought = Collateral::parse(claimed, brought.as_bytes())?;
    let verified = verify(&Evidence::new(claimed, made.quote), &brought, roots(), at)?;
    let text = POLICY.replace("refused_advisories = [\"INTEL-SA-00837\"]", "").replace(
        "statuses = [\"UpToDate\"]",
        &format!("statuses = ['UpToDate']\ngrace_days = {{ OutOfDate = {days} }}"),
    );
    let policy = Policy::danger_unsigned(text.as_bytes())?;
    let country = Country::parse("DK").unwrap();
    let question = Question { country, report_data: &[0xda; 64], now: at };
    policy.appraise(verified, &question).map(|taken| (taken, policy))
}

fn out_of_date(kind: Kind) -> Maker {
    let mut maker = Maker::new(kind);
    maker.svn(2);
    maker
}

/// The level's `tcbDate` in the invented TCB info.
const LEVEL: &str = "2023-08-09T00:00:00Z";

#[test]
fn a_machine_out_of_date_is_taken_to_the_last_second_of_its_grace() {
    for kind in Kind::ALL {
        let days = 1_180;
        let end = LEVEL.parse::<Timestamp>().unwrap() + SignedDuration::from_hours(24 * 1_180);
        assert!(end.duration_since(now()).abs() < SignedDuration::from_hours(24 * 5));
        let second = SignedDuration::from_secs(1);
        let (taken, policy) = appraise(out_of_date(kind), days, end - second).unwrap();
        assert_eq!(taken.valid_until(), end, "what is cached ends with the grace");
        // and the key is of no use from then on, without being appraised again
        let summary = DocumentClass::PatientSummary;
        if kind.is_tdx() {
            policy.permit(summary, &taken, end - second).unwrap();
        }
        assert_eq!(policy.permit(summary, &taken, end).unwrap_err().reason, Reason::Expired);
        for late in [end, end + second] {
            let refusal = appraise(out_of_date(kind), days, late).unwrap_err();
            assert_eq!(refusal.reason, Reason::Grace, "{refusal}");
            assert!(refusal.detail.contains("2026-11-01"), "{refusal}");
        }
    }
}

#[test]
fn grace_is_counted_from_the_part_that_is_out_of_date_and_for_no_other_status() {
    // the quoting enclave fell behind in 2023, the platform did not
    let mut maker = Maker::new(Kind::Sgx);
    maker.set_qe(Field::IsvSvn, &[5, 0]);
    let refusal = appraise(maker.clone(), 30, now()).unwrap_err();
    assert_eq!(refusal.reason, Reason::Grace, "{refusal}");
    let taken = appraise(maker, 40_000, now());
    assert!(taken.is_ok(), "{:?}", taken.err());

    let mut maker = Maker::new(Kind::Sgx);
    maker.platform_status("ConfigurationNeeded");
    let refusal = appraise(maker, 40_000, now()).unwrap_err();
    assert_eq!(refusal.reason, Reason::TcbStatus, "{refusal}");
    let mut revoked = Maker::new(Kind::Sgx);
    revoked.svn(1);
    let refusal = appraise(revoked, 40_000, now()).unwrap_err();
    assert_eq!(refusal.reason, Reason::TcbRevoked, "{refusal}");
}
