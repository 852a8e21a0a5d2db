//! Evidence of the invented vendors against the verifiers and a policy: the good is taken, and each
//! change of one thing is refused for its own reason.

mod amd;
mod bytes;
mod intel;
mod kernel;
mod nitro;
mod reasons;
mod tpm;

use std::collections::BTreeSet;

use enclave::attest::{Collateral, Evidence, Policy, Question, Reason, Refusal, Roots, verify};
use exchange::Country;
use testbed::vendors::now;

/// Whether evidence is taken: verified to the invented vendors' roots, then appraised.
fn judge(evidence: &Evidence, collateral: &Collateral, roots: &Roots) -> Result<String, Refusal> {
    let policy = Policy::danger_unsigned(POLICY.as_bytes()).expect("the policy can be read");
    let verified = verify(evidence, collateral, roots, now())?;
    let country = Country::parse("DK").expect("Denmark is a country");
    let question = Question { country, report_data: &[0xda; 64], now: now() };
    policy.appraise(verified, &question).map(|appraised| appraised.release().to_owned())
}

/// One negative: its name, the reason for which it is refused, and what the detail must say.
struct Row<C> {
    name: &'static str,
    reason: Reason,
    detail: &'static str,
    change: C,
}

/// Reads the rows' verdicts, and reports all that are wrong at once.
fn hold<C>(rows: &[Row<C>], verdict: impl Fn(&C) -> Result<String, Refusal>) {
    let mut names = BTreeSet::new();
    let mut wrong = vec![];
    for row in rows {
        assert!(names.insert(row.name), "{} comes twice", row.name);
        match verdict(&row.change) {
            Ok(release) => wrong.push(format!("{}: taken as {release}", row.name)),
            Err(refusal) => {
                if refusal.reason != row.reason || !refusal.detail.contains(row.detail) {
                    let (reason, detail) = (row.reason, row.detail);
                    wrong.push(format!("{}: {refusal}\n   not {reason}: {detail}", row.name));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), rows.len(), wrong.join("\n"));
}

#[test]
fn there_are_at_least_sixty_negatives_and_their_reasons_are_many() {
    let rows = || {
        let intel = intel::rows().into_iter().map(|row| row.reason);
        let amd = amd::rows().into_iter().map(|row| row.reason);
        let nitro = nitro::rows().into_iter().map(|row| row.reason);
        let logs = intel::event_log::rows().into_iter().map(|row| row.reason);
        let tpm = tpm::rows().into_iter().map(|row| row.reason);
        intel.chain(amd).chain(nitro).chain(logs).chain(tpm)
    };
    let reasons: BTreeSet<Reason> = rows().collect();
    println!("{} negatives, {} reasons", rows().count(), reasons.len());
    assert!(rows().count() >= 60 && reasons.len() >= 25);
}

/// Takes what the makers make, and nothing else.
const POLICY: &str = r#"# konfido attestation policy v1
version = 1
valid_from = "2026-01-01T00:00:00Z"
valid_until = "2027-01-01T00:00:00Z"

[[program]]
name = "vault in an enclave"
kind = "sgx"
registers = { mrenclave = "3e3e3e3e3e3e3e3e3e3e3e3e3e3e3e3e3e3e3e3e3e3e3e3e3e3e3e3e3e3e3e3e" }
svn = { isvsvn = 2 }

[[program]]
name = "vault in a trust domain"
kind = "tdx"
[program.registers]
mrtd = "3e3e3e3e3e3e3e3e3e3e3e3e3e3e3e3e3e3e3e3e3e3e3e3e3e3e3e3e3e3e3e3e3e3e3e3e3e3e3e3e3e3e3e3e3e3e3e3e"
rtmr0 = "404040404040404040404040404040404040404040404040404040404040404040404040404040404040404040404040"
rtmr1 = "414141414141414141414141414141414141414141414141414141414141414141414141414141414141414141414141"
rtmr2 = "424242424242424242424242424242424242424242424242424242424242424242424242424242424242424242424242"
rtmr3 = "000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000"

[[program]]
name = "vault in a guest"
kind = "snp"
registers = { measurement = "3e3e3e3e3e3e3e3e3e3e3e3e3e3e3e3e3e3e3e3e3e3e3e3e3e3e3e3e3e3e3e3e3e3e3e3e3e3e3e3e3e3e3e3e3e3e3e3e" }

[[program]]
name = "vault beside an instance"
kind = "nitro"
[program.registers]
pcr0 = "505050505050505050505050505050505050505050505050505050505050505050505050505050505050505050505050"
pcr1 = "515151515151515151515151515151515151515151515151515151515151515151515151515151515151515151515151"
pcr2 = "525252525252525252525252525252525252525252525252525252525252525252525252525252525252525252525252"

[[firmware]]
kind = "sgx"
statuses = ["UpToDate"]
evaluation = 17
refused_advisories = ["INTEL-SA-00837"]

[[firmware]]
kind = "tdx"
statuses = ["UpToDate"]
evaluation = 17
refused_advisories = ["INTEL-SA-00837"]

[[firmware]]
kind = "snp"
product = "milan"
svn = { bootloader = 10, tee = 1, snp = 25, microcode = 84 }

[[firmware]]
kind = "snp"
product = "genoa"
svn = { bootloader = 10, tee = 1, snp = 25, microcode = 84 }

[[firmware]]
kind = "snp"
product = "turin"
svn = { fmc = 1, bootloader = 10, tee = 1, snp = 25, microcode = 84 }

[[firmware]]
kind = "nitro"

[[partner]]
country = "DK"
platforms = [
    "intel-ppid:696e76656e7465642070706964203031",
    "snp-chip:c4c4c4c4c4c4c4c4c4c4c4c4c4c4c4c4c4c4c4c4c4c4c4c4c4c4c4c4c4c4c4c4c4c4c4c4c4c4c4c4c4c4c4c4c4c4c4c4c4c4c4c4c4c4c4c4c4c4c4c4c4c4c4c4",
    "snp-chip:c4c4c4c4c4c4c4c4",
    "snp-provider:Invented Cloud",
    "nitro-instance:i-0123456789abcdef0",
]

[[document]]
class = "60591-5"
floor = "cvm"
"#;
