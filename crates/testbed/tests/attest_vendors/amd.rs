//! SEV-SNP.

mod chip;

use std::sync::OnceLock;

use enclave::attest::{
    Amd, Collateral, Evidence, Kind, Product as Root, Reason, Refusal, Roots, Verified, verify,
};
use testbed::vendors::amd::{Endorsement, Evidence as Made, Field, Keys, Maker, Product, Tcb};
use testbed::vendors::key::Key;
use testbed::vendors::now;

use super::{Row, hold, judge};

type Start = (Product, Endorsement, u32);
/// What it starts from, and what is changed.
pub type Change = (Start, fn(&mut Maker));

const MILAN: Start = (Product::Milan, Endorsement::Vcek, 3);
const MILAN_2: Start = (Product::Milan, Endorsement::Vcek, 2);
const GENOA: Start = (Product::Genoa, Endorsement::Vcek, 5);
const TURIN: Start = (Product::Turin, Endorsement::Vcek, 5);
const CLOUD: Start = (Product::Milan, Endorsement::Vlek, 3);

fn roots() -> &'static Roots {
    static ROOTS: OnceLock<Roots> = OnceLock::new();
    ROOTS.get_or_init(|| {
        let ark = |product| Maker::new(product, Endorsement::Vcek, 3).ark.der();
        let amd = vec![
            (Root::Milan, ark(Product::Milan)),
            (Root::Genoa, ark(Product::Genoa)),
            (Root::Turin, ark(Product::Turin)),
        ];
        Roots { amd, ..Roots::pinned() }
    })
}

fn maker((product, endorsement, version): Start) -> Maker {
    Maker::new(product, endorsement, version)
}

pub fn verdict(made: &Made) -> Result<String, Refusal> {
    let crls = if made.crl.is_empty() { vec![] } else { vec![made.crl.clone()] };
    let collateral = Amd { certificates: vec![made.vek.clone(), made.ask.clone()], crls };
    let evidence = Evidence::new(Kind::Snp, made.report.clone());
    judge(&evidence, &Collateral::Amd(collateral), roots())
}

#[test]
fn good_reports_are_taken() {
    for product in Product::ALL {
        for endorsement in [Endorsement::Vcek, Endorsement::Vlek] {
            for version in [2, 3, 5] {
                let made = Maker::new(product, endorsement, version).make();
                let release = verdict(&made);
                assert_eq!(
                    release.as_deref(),
                    Ok("vault in a guest"),
                    "{product:?} {endorsement:?} {version}"
                );
            }
        }
    }
}

#[test]
fn good_reports_are_refused_under_amds_own_root() {
    let made = maker(GENOA).make();
    let collateral = Amd { certificates: vec![made.vek, made.ask], crls: vec![made.crl] };
    let evidence = Evidence::new(Kind::Snp, made.report);
    let refusal = judge(&evidence, &Collateral::Amd(collateral), &Roots::pinned()).unwrap_err();
    assert_eq!(refusal.reason, Reason::Chain, "{refusal}");
}

/// A root that the sender brings along is not looked at.
#[test]
fn a_root_that_comes_with_the_evidence_changes_nothing() {
    let made = Maker::with(Product::Milan, Endorsement::Vcek, 3, Keys::other()).make();
    let certificates = vec![made.vek, made.ask, made.ark];
    let evidence = Evidence::new(Kind::Snp, made.report);
    let collateral = Collateral::Amd(Amd { certificates, crls: vec![made.crl] });
    let refusal: Result<Verified<_>, _> = verify(&evidence, &collateral, roots(), now());
    assert_eq!(refusal.unwrap_err().reason, Reason::Chain);
}

#[test]
fn each_change_is_refused_for_its_own_reason() {
    hold(&rows(), |(start, change)| {
        let mut maker = maker(*start);
        change(&mut maker);
        verdict(&maker.make())
    });
}

pub fn rows() -> Vec<Row<Change>> {
    let mut rows = report();
    rows.extend(chain());
    rows.extend(chip::rows());
    rows.extend(chip::lists());
    rows.extend(policy());
    rows
}

fn row(
    name: &'static str,
    reason: Reason,
    detail: &'static str,
    start: Start,
    change: fn(&mut Maker),
) -> Row<Change> {
    Row { name, reason, detail, change: (start, change) }
}

fn report() -> Vec<Row<Change>> {
    use Reason::{Algorithm, Malformed, ProductMismatch, Reserved, Signature, Version, Vmpl};
    vec![
        row("measurement changed after signing", Signature, "", MILAN, |m| {
            m.tamper = |e| e.report[0x90] ^= 1;
        }),
        row("report data changed after signing", Signature, "", GENOA, |m| {
            m.tamper = |e| e.report[0x50] ^= 1;
        }),
        row("signature changed", Signature, "", TURIN, |m| m.tamper = |e| e.report[0x2a0] ^= 1),
        row("report by a stranger", Signature, "", MILAN, |m| {
            m.report_signer = Key::stranger_p384();
        }),
        row("signature longer than the curve", Reserved, "signature", MILAN, |m| {
            m.tamper = |e| e.report[0x2a0 + 60] = 1;
        }),
        row("bytes behind the signature", Reserved, "0x330", MILAN, |m| {
            m.tamper = |e| e.report[0x400] = 1;
        }),
        row("version 1", Version, "1", MILAN, |m| m.set(Field::Version, &[1])),
        row("version 6", Version, "6", MILAN, |m| m.set(Field::Version, &[6])),
        row("another algorithm", Algorithm, "", MILAN, |m| m.set(Field::Algorithm, &[2])),
        row("signed by no key", Algorithm, "signing key", MILAN, |m| {
            m.set(Field::KeyInfo, &[7 << 2]);
        }),
        row("a reserved field", Reserved, "0x4c", MILAN, |m| m.set(Field::Reserved, &[1])),
        row("reserved bytes at the end", Reserved, "0x1f8", MILAN, |m| m.set(Field::Tail, &[1])),
        row("a reserved flag", Reserved, "flags", MILAN, |m| m.set(Field::KeyInfo, &[0x20])),
        row("a processor's name before version 3", Reserved, "0x188", MILAN_2, |m| {
            m.set(Field::Cpuid, &[0x19]);
        }),
        row("policy without the bit that is one", Reserved, "policy", MILAN, |m| {
            m.set(Field::Policy, &[0, 0, 1]);
        }),
        row("policy of bits that mean nothing", Reserved, "policy", MILAN, |m| m.policy_bit(30)),
        row("an unknown processor", ProductMismatch, "0x17", MILAN, |m| {
            m.set(Field::Cpuid, &[0x17, 1]);
        }),
        row("cut off", Malformed, "1183", MILAN, |m| m.tamper = |e| e.report.truncate(1183)),
        row("a byte more", Malformed, "1185", MILAN, |m| m.tamper = |e| e.report.push(0)),
        row("asked for below the kernel", Vmpl, "1", GENOA, |m| m.set(Field::Vmpl, &[1])),
        row("asked for by nobody knows whom", Vmpl, "", GENOA, |m| {
            m.set(Field::Vmpl, &[0xff; 4]);
        }),
    ]
}

fn chain() -> Vec<Row<Change>> {
    use Reason::{Algorithm, CertificateTime, Chain, CollateralMalformed, CollateralMissing};
    vec![
        row("all of another AMD", Chain, "not signed", MILAN, |m| {
            *m = Maker::with(Product::Milan, Endorsement::Vcek, 3, Keys::other());
        }),
        row("signer by another root", Chain, "not signed", MILAN, |m| {
            m.ask.signer = &Keys::other().ark;
        }),
        row("chip's certificate by another signer", Chain, "not signed", MILAN, |m| {
            m.vek.signer = &Keys::other().ask;
        }),
        row("chip's certificate by the root itself", Chain, "no intermediate", MILAN, |m| {
            (m.vek.issuer, m.vek.signer) = (m.ark.subject.clone(), m.ark.key);
        }),
        row("chip's certificate signed with ECDSA", Chain, "another way", MILAN, |m| {
            m.vek.signer = Key::stranger_p384();
        }),
        row("signer of clouds above a chip", Chain, "not CN=SEV-Milan", MILAN, |m| {
            m.ask.subject = "SEV-VLEK-Milan".into();
            m.vek.issuer.clone_from(&m.ask.subject);
        }),
        row("signer that is no authority", Chain, "authority", MILAN, |m| m.ask.authority = None),
        row("signer that may not certify", Chain, "authority", MILAN, |m| {
            m.ask.usage = Some(0x80);
        }),
        row("chip's certificate expired a second ago", CertificateTime, "VCEK", MILAN, |m| {
            m.vek.expired();
        }),
        row("chip's certificate begins in a second", CertificateTime, "VCEK", GENOA, |m| {
            m.vek.not_yet_valid();
        }),
        row("cloud's certificate expired", CertificateTime, "VLEK", CLOUD, |m| m.vek.expired()),
        row("signer expired a second ago", CertificateTime, "SEV-Milan", MILAN, |m| {
            m.ask.expired();
        }),
        row("chip's key on P-256", Algorithm, "P-384", MILAN, |m| m.vek.key = Key::stranger()),
        row("no chip's certificate", CollateralMissing, "VCEK", MILAN, |m| {
            m.tamper = |e| e.vek.clone_from(&e.ask);
        }),
        row("a cloud's certificate for a chip's report", CollateralMissing, "VCEK", CLOUD, |m| {
            m.set(Field::KeyInfo, &[0]);
        }),
        row("a chip's certificate for a cloud's report", CollateralMissing, "VLEK", MILAN, |m| {
            m.set(Field::KeyInfo, &[1 << 2]);
        }),
        row("chip's certificate that is none", CollateralMalformed, "", MILAN, |m| {
            m.tamper = |e| e.vek.truncate(100);
        }),
        row("unknown critical extension", CollateralMalformed, "critical", MILAN, |m| {
            m.vek.extensions.push(("1.3.6.1.4.1.99999.1".into(), true, vec![5, 0]));
        }),
    ]
}

fn policy() -> Vec<Row<Change>> {
    use Reason::{Debug, Measurement, Migration, Platform, ReportData, TcbFloor};
    vec![
        row("debug", Debug, "", GENOA, Maker::debug),
        row("migration agent", Migration, "", GENOA, |m| m.policy_bit(18)),
        row("another guest", Measurement, "", GENOA, |m| m.set(Field::Measurement, &[1])),
        row("about another key", ReportData, "", GENOA, |m| m.set(Field::ReportData, &[1])),
        row("another country's chip", Platform, "snp-chip", GENOA, |m| {
            m.chip.as_mut().unwrap().hardware_id = Some(vec![0xc5; 64]);
            m.set(Field::ChipId, &[0xc5; 64]);
        }),
        row("another country's cloud", Platform, "hides", CLOUD, |m| {
            m.chip.as_mut().unwrap().cloud = Some("Other Cloud".into());
        }),
        row("firmware below the floor, certified", TcbFloor, "snp is 24", GENOA, |m| {
            let tcb = Tcb { snp: 24, ..Tcb::default() };
            m.svn(tcb);
            m.chip.as_mut().unwrap().tcb = tcb;
        }),
        row("FMC below the floor", TcbFloor, "fmc is 0", TURIN, |m| {
            let tcb = Tcb { fmc: 0, ..Tcb::default() };
            m.svn(tcb);
            m.chip.as_mut().unwrap().tcb = tcb;
        }),
        row("firmware that can go back below the floor", TcbFloor, "committed.snp", GENOA, |m| {
            m.tcb(Field::Committed, Tcb { snp: 24, ..Tcb::default() });
        }),
    ]
}
