//! TPMs: registered by a policy, and never more than a TPM.

use std::sync::OnceLock;

use aws_lc_rs::digest::{SHA256, digest};
use enclave::attest::{
    AssuranceClass, Collateral, Evidence, Kind, Policy, Question, Reason, Refusal, Roots, verify,
};
use exchange::{Country, DocumentClass};
use testbed::vendors::key::Key;
use testbed::vendors::now;
use testbed::vendors::tpm::Maker;

use super::{POLICY, Row, hold};

fn ours() -> &'static Key {
    static KEY: OnceLock<Key> = OnceLock::new();
    KEY.get_or_init(Key::p256)
}

/// The vendors' policy, with this TPM registered and documents of a class at this floor.
fn policy(floor: &str) -> Policy {
    let name = hex::encode(digest(&SHA256, ours().public()).as_ref());
    let row = format!(
        "[[program]]\nname = 'measured boot'\nkind = 'tpm'\n\
         registers = {{ pcrselection = '00000001000b03ff0000', pcrdigest = '{}' }}\n\
         [[firmware]]\nkind = 'tpm'\nsvn = {{ firmware = 9 }}\n\n[[partner]]",
        "6c".repeat(32)
    );
    let text = POLICY.replacen("[[partner]]", &row, 1);
    let text = text.replace("platforms = [", &format!("platforms = [\"tpm-key:{name}\","));
    let text = text.replace("floor = \"cvm\"", &format!("floor = \"{floor}\""));
    Policy::danger_unsigned(text.as_bytes()).unwrap()
}

fn judge(maker: &Maker) -> Result<String, Refusal> {
    let policy = policy("tpm");
    let roots = Roots::pinned().registered(&policy);
    let verified =
        verify(&Evidence::new(Kind::Tpm, maker.make()), &Collateral::None, &roots, now())?;
    let country = Country::parse("DK").unwrap();
    let question = Question { country, report_data: &[0xda; 64], now: now() };
    policy.appraise(verified, &question).map(|taken| taken.release().to_owned())
}

#[test]
fn each_change_is_refused_for_its_own_reason() {
    assert_eq!(judge(&Maker::new(ours())).as_deref(), Ok("measured boot"));
    hold(&rows(), |change| {
        let mut maker = Maker::new(ours());
        change(&mut maker);
        judge(&maker)
    });
}

#[rustfmt::skip]
pub fn rows() -> Vec<Row<fn(&mut Maker)>> {
    use Reason::{Chain, Malformed, Measurement, ReportData, Signature, TcbFloor};
    let row = |name, reason, detail, change: fn(&mut Maker)| Row { name, reason, detail, change };
    vec![
        row("a TPM that nobody registered", Chain, "registered", |m| (m.key, m.signer) = (Key::stranger(), Key::stranger())),
        row("signed by another TPM", Signature, "", |m| m.signer = Key::stranger()),
        row("not made by a TPM", Malformed, "", |m| m.head[0] = 0),
        row("of another kind of attestation", Malformed, "", |m| m.head[5] = 0x17),
        row("bytes behind the quote", Malformed, "", |m| m.behind = vec![0]),
        row("another boot", Measurement, "", |m| m.digest[0] ^= 1),
        row("other registers", Measurement, "", |m| m.selection[7] = 0x0f),
        row("about another key", ReportData, "", |m| m.extra[0] ^= 1),
        row("about too little", ReportData, "", |m| m.extra.truncate(31)),
        row("firmware below the floor", TcbFloor, "firmware is 8", |m| m.firmware = 8),
    ]
}

/// A rule that asks for a TPM takes a TPM and all hardware; software does not reach it, and a TPM
/// reaches nothing above it.
#[test]
fn a_tpm_is_a_tpm_and_never_more() {
    let summary = DocumentClass::PatientSummary;
    let country = Country::parse("DK").unwrap();
    for (floor, enough) in [("software", true), ("tpm", true), ("sgx", false), ("cvm", false)] {
        let policy = policy(floor);
        let roots = Roots::pinned().registered(&policy);
        let evidence = Evidence::new(Kind::Tpm, Maker::new(ours()).make());
        let verified = verify(&evidence, &Collateral::None, &roots, now()).unwrap();
        let question = Question { country, report_data: &[0xda; 64], now: now() };
        let taken = policy.appraise(verified, &question).unwrap();
        assert_eq!(taken.class(), AssuranceClass::Tpm);
        assert!(taken.hardware().is_none(), "a TPM has no such value");
        let said = policy.permit(summary, &taken, now());
        assert_eq!(said.is_ok(), enough, "{floor}: {said:?}");
        if let Err(refusal) = said {
            assert_eq!(refusal.reason, Reason::Assurance);
        }
    }
}

#[test]
fn a_floor_of_a_tpm_takes_every_hardware_and_no_software() {
    let software = Evidence::software(&[9; 32], &[0xda; 64]);
    let binary = hex::encode([9; 32]);
    let more = format!(
        "[[program]]\nname = 'a process'\nkind = 'software'\nregisters = {{ binary = '{binary}' }}\n\
         [[firmware]]\nkind = 'software'\n\n[[partner]]"
    );
    let any = POLICY.find("platforms = [").unwrap();
    let end = POLICY[any..].find("]\n").unwrap() + any + 1;
    let text = format!("{}danger_any_platform = true{}", &POLICY[..any], &POLICY[end..]);
    let text = text.replacen("[[partner]]", &more, 1).replace("\"cvm\"", "\"tpm\"");
    let policy = Policy::danger_unsigned(text.as_bytes()).unwrap();
    let country = Country::parse("DK").unwrap();
    let question = Question { country, report_data: &[0xda; 64], now: now() };
    let summary = DocumentClass::PatientSummary;
    let permitted = |evidence: &Evidence, collateral: &Collateral, roots: &Roots| {
        let verified = verify(evidence, collateral, roots, now()).unwrap();
        let taken = policy.appraise(verified, &question).unwrap();
        (taken.class(), policy.permit(summary, &taken, now()).is_ok())
    };
    let said = permitted(&software, &Collateral::None, &Roots::pinned());
    assert_eq!(said, (AssuranceClass::Software, false));
    for kind in testbed::vendors::intel::Kind::ALL {
        let maker = testbed::vendors::intel::Maker::new(kind);
        let roots = Roots { intel: maker.root.der(), ..Roots::pinned() };
        let made = maker.make();
        let claimed = if kind.is_tdx() { Kind::Tdx } else { Kind::Sgx };
        let brought = made.collateral.json();
        let brought = Collateral::parse(claimed, brought.as_bytes()).unwrap();
        let (class, enough) = permitted(&Evidence::new(claimed, made.quote), &brought, &roots);
        assert!(enough && class > AssuranceClass::Tpm, "{kind:?}: {class:?}");
    }
}
