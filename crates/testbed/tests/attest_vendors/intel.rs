//! SGX and TDX.

mod collateral;
pub mod event_log;
mod firmware;
mod grace;

use std::sync::OnceLock;

use enclave::attest::{Collateral, Evidence, Kind as Claimed, Reason, Refusal, Roots};
use serde_json::json;
use testbed::vendors::in_days;
use testbed::vendors::intel::{Evidence as Made, Field, Keys, Kind, Maker};
use testbed::vendors::key::Key;

use super::{Row, hold, judge};

/// The kind of quote that it starts from, and what is changed.
pub type Change = (Kind, fn(&mut Maker));

fn roots() -> &'static Roots {
    static ROOTS: OnceLock<Roots> = OnceLock::new();
    ROOTS.get_or_init(|| Roots { intel: Maker::new(Kind::Sgx).root.der(), ..Roots::pinned() })
}

pub fn verdict(kind: Kind, made: &Made) -> Result<String, Refusal> {
    let claimed = if kind.is_tdx() { Claimed::Tdx } else { Claimed::Sgx };
    let collateral = Collateral::parse(claimed, made.collateral.json().as_bytes())?;
    judge(&Evidence::new(claimed, made.quote.clone()), &collateral, roots())
}

#[test]
fn good_quotes_are_taken() {
    let processor: fn(&mut Maker) = Maker::processor;
    for kind in Kind::ALL {
        for change in [|_: &mut Maker| {}, processor] {
            let mut maker = Maker::new(kind);
            change(&mut maker);
            let release = verdict(kind, &maker.make()).unwrap();
            assert_eq!(release.contains("trust domain"), kind.is_tdx());
        }
    }
}

/// What the tables below do not change is good: the same evidence under another root is refused.
#[test]
fn good_quotes_are_refused_under_intels_own_root() {
    for kind in Kind::ALL {
        let made = Maker::new(kind).make();
        let claimed = if kind.is_tdx() { Claimed::Tdx } else { Claimed::Sgx };
        let collateral =
            Collateral::parse(claimed, made.collateral.json().as_bytes()).expect("it is JSON");
        let evidence = Evidence::new(claimed, made.quote);
        let refusal = judge(&evidence, &collateral, &Roots::pinned()).unwrap_err();
        assert_eq!(refusal.reason, Reason::RevocationList, "{refusal}");
    }
}

#[test]
fn each_change_is_refused_for_its_own_reason() {
    hold(&rows(), |(kind, change)| {
        let mut maker = Maker::new(*kind);
        change(&mut maker);
        verdict(*kind, &maker.make())
    });
}

pub fn rows() -> Vec<Row<Change>> {
    let mut rows = quote();
    rows.extend(chain());
    rows.extend(collateral::rows());
    rows.extend(firmware::platform());
    rows.extend(firmware::trust_domain());
    rows.extend(policy());
    rows
}

fn sgx(
    name: &'static str,
    reason: Reason,
    detail: &'static str,
    change: fn(&mut Maker),
) -> Row<Change> {
    Row { name, reason, detail, change: (Kind::Sgx, change) }
}

fn tdx(
    name: &'static str,
    reason: Reason,
    detail: &'static str,
    change: fn(&mut Maker),
) -> Row<Change> {
    Row { name, reason, detail, change: (Kind::Tdx10, change) }
}

fn tdx15(
    name: &'static str,
    reason: Reason,
    detail: &'static str,
    change: fn(&mut Maker),
) -> Row<Change> {
    Row { name, reason, detail, change: (Kind::Tdx15, change) }
}

fn quote() -> Vec<Row<Change>> {
    use Reason::{Algorithm, CollateralMissing, Malformed, QuotingEnclave, Signature, Version};
    vec![
        sgx("enclave changed after signing", Signature, "ISV enclave report", |m| {
            m.tamper = |e| e.quote[48 + 64] ^= 1;
        }),
        tdx("trust domain changed after signing", Signature, "ISV enclave report", |m| {
            m.tamper = |e| e.quote[48 + 136] ^= 1;
        }),
        tdx15("trust domain 1.5 changed after signing", Signature, "ISV enclave report", |m| {
            m.tamper = |e| e.quote[54 + 600] ^= 1;
        }),
        sgx("debug bit set after signing", Signature, "ISV enclave report", |m| {
            m.tamper = |e| e.quote[48 + 48] ^= 2;
        }),
        sgx("signature changed", Signature, "ISV enclave report", |m| {
            m.tamper = |e| e.quote[48 + 384 + 4] ^= 1;
        }),
        sgx("quote signed by a stranger", Signature, "ISV enclave report", |m| {
            m.quote_signer = Key::stranger();
        }),
        sgx("attestation key of a stranger", Signature, "QE report hash mismatch", |m| {
            (m.attestation, m.quote_signer) = (Key::stranger(), Key::stranger());
            m.bound = false;
        }),
        sgx("quoting enclave signed by a stranger", Signature, "qe_report", |m| {
            m.qe_signer = Key::stranger();
        }),
        sgx("quoting enclave names another key", Signature, "QE report hash mismatch", |m| {
            m.bound = false;
        }),
        sgx("quoting enclave's data too short", Malformed, "QE auth data length", |m| {
            m.qe_auth.truncate(31);
        }),
        sgx("quote of version 2", Version, "version", |m| m.header[0] = 2),
        tdx("quote of version 6", Version, "version", |m| m.header[0] = 6),
        sgx("attestation key on P-384", Algorithm, "key type", |m| m.header[2] = 3),
        sgx("of no known kind", Version, "TEE", |m| m.header[4] = 0x82),
        sgx("another maker's quoting enclave", QuotingEnclave, "vendor", |m| m.header[12] ^= 1),
        tdx("an SGX quote sent as one of TDX", Malformed, "sent as", |m| {
            *m = Maker::new(Kind::Sgx);
        }),
        sgx("a TDX quote sent as one of SGX", Malformed, "sent as", |m| {
            *m = Maker::new(Kind::Tdx10);
        }),
        sgx("only the processor's id in the quote", CollateralMissing, "cert format", |m| {
            m.certification = 3;
        }),
        sgx("cut off", Malformed, "decode", |m| m.tamper = |e| e.quote.truncate(1000)),
        sgx("empty", Malformed, "", |m| m.tamper = |e| e.quote.clear()),
        sgx("longer than any quote", Reason::TooLarge, "", |m| {
            m.tamper = |e| e.quote.resize(64 << 10, 0);
        }),
        sgx("quoting enclave of another signer", QuotingEnclave, "MRSIGNER", |m| {
            m.set_qe(Field::MrSigner, &[1; 32]);
        }),
        sgx("another product of the signer", QuotingEnclave, "ISVPRODID", |m| {
            m.set_qe(Field::IsvProdId, &[9, 0]);
        }),
        sgx("quoting enclave with debug", QuotingEnclave, "Debug mode", |m| {
            m.set_qe(Field::Attributes, &[0x13]);
        }),
        sgx("quoting enclave with other misc", QuotingEnclave, "MISCSELECT", |m| {
            m.set_qe(Field::MiscSelect, &[1]);
        }),
    ]
}

fn chain() -> Vec<Row<Change>> {
    use Reason::{CertificateTime, Chain, Malformed, Revoked};
    vec![
        sgx("all of another Intel", Reason::RevocationList, "root CA CRL", |m| {
            *m = Maker::with(Kind::Sgx, Keys::other());
        }),
        sgx("another Intel with our Intel's lists", Chain, "InvalidSignature", |m| {
            let lists = (m.root_crl.clone(), m.pck_crl.clone());
            *m = Maker::with(Kind::Sgx, Keys::other());
            (m.root_crl, m.pck_crl) = lists;
        }),
        sgx("collateral's signer expired a second ago", CertificateTime, "CertExpired", |m| {
            m.signer.expired();
        }),
        sgx("collateral's signer begins in a second", CertificateTime, "CertNotValidYet", |m| {
            m.signer.not_yet_valid();
        }),
        sgx("collateral's signer by a stranger", Chain, "InvalidSignature", |m| {
            m.signer.signer = Key::stranger();
        }),
        sgx("collateral's signer below the PCK authority", Chain, "UnknownIssuer", |m| {
            m.signer.issuer.clone_from(&m.authority.subject);
            m.signer.signer = m.authority.key;
        }),
        sgx("collateral's signer is an authority", Chain, "CaUsedAsEndEntity", |m| {
            m.signer = m.signer.clone().authority(None);
        }),
        sgx("processor's certificate expired", CertificateTime, "CertExpired", |m| m.pck.expired()),
        sgx("processor's certificate begins soon", CertificateTime, "CertNotValidYet", |m| {
            m.pck.not_yet_valid();
        }),
        sgx("authority above the processor expired", CertificateTime, "CertExpired", |m| {
            m.authority.expired();
        }),
        sgx("processor's certificate by a stranger", Chain, "InvalidSignature", |m| {
            m.pck.signer = Key::stranger();
        }),
        sgx("authority by a stranger", Chain, "InvalidSignature", |m| {
            m.authority.signer = Key::stranger();
        }),
        sgx("authority that is none", Chain, "EndEntityUsedAsCa", |m| m.authority.authority = None),
        sgx("authority that may not certify", Chain, "IssuerNotCrlSigner", |m| {
            m.authority.usage = Some(0x80);
        }),
        sgx("processor that is an authority", Chain, "CaUsedAsEndEntity", |m| {
            m.pck = m.pck.clone().authority(None);
        }),
        sgx("processor revoked", Revoked, "", |m| m.pck_crl.revoked.push(m.pck.serial.clone())),
        sgx("authority revoked", Revoked, "", |m| {
            m.root_crl.revoked.push(m.authority.serial.clone());
        }),
        sgx("collateral's signer revoked", Revoked, "", |m| {
            m.root_crl.revoked.push(m.signer.serial.clone());
        }),
        sgx("root revoked", Revoked, "", |m| m.root_crl.revoked.push(m.root.serial.clone())),
        sgx("processor without Intel's extension", Malformed, "not found", |m| m.sgx = None),
        sgx("processor with two of Intel's extensions", Malformed, "more than once", |m| {
            m.pck.extensions.push(("1.2.840.113741.1.13.1".into(), false, vec![0x30, 0]));
        }),
        sgx("processor's family of five bytes", Malformed, "Fmspc length", |m| {
            m.sgx.as_mut().unwrap().fmspc.truncate(5);
        }),
        sgx("a chain of many certificates", Chain, "Too many", |m| {
            m.tamper = |e| {
                e.collateral.tcb_info_issuer_chain = e.collateral.tcb_info_issuer_chain.repeat(4);
            };
        }),
    ]
}

fn policy() -> Vec<Row<Change>> {
    use Reason::{Advisory, Debug, DynamicPlatform, Evaluation, Measurement, Platform, ReportData};
    vec![
        sgx("debug enclave", Debug, "", Maker::debug),
        sgx("another enclave", Measurement, "", |m| m.set(Field::Measurement, &[1])),
        sgx("the enclave, before its version", Measurement, "", |m| m.set(Field::IsvSvn, &[1, 0])),
        tdx("another firmware volume", Measurement, "", |m| m.set(Field::Measurement, &[1])),
        tdx("another machine configuration", Measurement, "", |m| m.set(Field::Rtmr(0), &[1])),
        tdx("another kernel", Measurement, "", |m| m.set(Field::Rtmr(1), &[1])),
        tdx("another command line", Measurement, "", |m| m.set(Field::Rtmr(2), &[1])),
        tdx("something ran before us", Measurement, "", |m| m.set(Field::Rtmr(3), &[1])),
        sgx("about another key", ReportData, "", |m| m.set(Field::ReportData, &[1])),
        tdx("a trust domain about another key", ReportData, "", |m| {
            m.set(Field::ReportData, &[1]);
        }),
        sgx("another country's machine", Platform, "intel-ppid", |m| {
            m.sgx.as_mut().unwrap().ppid = b"another ppid 001".to_vec();
        }),
        sgx("processors may be exchanged", DynamicPlatform, "", |m| {
            m.sgx.as_mut().unwrap().configuration = Some([true, false, false]);
        }),
        sgx("collateral of an evaluation before", Evaluation, "16", |m| {
            m.tcb_info["tcbEvaluationDataNumber"] = 16.into();
        }),
        sgx("QE identity of an evaluation before", Evaluation, "16", |m| {
            m.qe_identity["tcbEvaluationDataNumber"] = 16.into();
        }),
        sgx("up to date, with an advisory that is refused", Advisory, "INTEL-SA-00837", |m| {
            m.tcb_info["tcbLevels"][0]["advisoryIDs"] = json!(["INTEL-SA-00837"]);
        }),
    ]
}

#[test]
fn a_quote_without_collateral_is_refused() {
    let evidence = Evidence::new(Claimed::Sgx, Maker::new(Kind::Sgx).make().quote);
    let refusal = judge(&evidence, &Collateral::None, roots()).unwrap_err();
    assert_eq!(refusal.reason, Reason::CollateralMissing);
}

/// Not a refusal of the evidence, but of its age: a list that ends today binds the verdict to today.
#[test]
fn a_verdict_ends_with_the_first_thing_that_ends() {
    let mut maker = Maker::new(Kind::Sgx);
    maker.root_crl.next_update = Some(in_days(3));
    let made = maker.make();
    let collateral = Collateral::parse(Claimed::Sgx, made.collateral.json().as_bytes()).unwrap();
    let evidence = Evidence::new(Claimed::Sgx, made.quote);
    let now = testbed::vendors::now();
    let verified = enclave::attest::verify(&evidence, &collateral, roots(), now).unwrap();
    assert_eq!(verified.claims().valid_until, in_days(3));
}
