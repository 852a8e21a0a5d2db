//! Every row of the samples' MANIFEST: its verdict, at its time, for its reason.

use std::collections::BTreeSet;

use enclave::attest::{Kind, Roots};

use crate::samples::{self, Cut, check, collateral, verdict};

struct Row {
    path: &'static str,
    kind: Kind,
    cut: Cut,
    collateral: &'static [&'static str],
    now: &'static str,
    verdict: &'static str,
}

const fn row(
    path: &'static str,
    kind: Kind,
    cut: Cut,
    collateral: &'static [&'static str],
    now: &'static str,
    verdict: &'static str,
) -> Row {
    Row { path, kind, cut, collateral, now, verdict }
}

use Cut::{At, Hex, Whole};
use Kind::{Nitro, Sgx, Snp, Tdx};

static MILAN: &str = "snp/roots/milan-ask.pem";
static GENOA: &str = "snp/roots/genoa-ask.pem";
static TURIN: &str = "snp/roots/turin-ask.pem";

#[rustfmt::skip]
static ROWS: &[Row] = &[
    row("intel/dcap-qvl/sgx_quote", Sgx, Whole, &["intel/dcap-qvl/sgx_quote_collateral.json"], "2025-07-01T00:00:00Z", "ok ConfigurationAndSWHardeningNeeded INTEL-SA-00289 INTEL-SA-00615"),
    row("intel/dcap-qvl/tdx_quote", Tdx, Whole, &["intel/dcap-qvl/tdx_quote_collateral.json"], "2025-07-01T00:00:00Z", "ok UpToDate dynamic"),
    row("intel/dcap-qvl/tdx_quote_outdated", Tdx, Whole, &["intel/dcap-qvl/tdx_quote_outdated_collateral.json"], "2026-03-01T00:00:00Z", "tcb.unknown"),
    row("intel/dcap-qvl/near-quote_hex.txt", Tdx, Hex, &["intel/dcap-qvl/near-quote_collateral.json"], "2025-09-15T00:00:00Z", "ok UpToDate dynamic"),
    row("intel/go-tdx-guest/ccel-cos-113-tdx-quote.dat", Tdx, Whole, &["derived/dcap-rs-tdx-2025-02_collateral.json"], "2025-02-15T06:13:20Z", "ok UpToDate dynamic"),
    row("intel/go-tdx-guest/quote_v5_sample.dat", Tdx, Whole, &["intel/dcap-qvl/tdx_quote_outdated_collateral.json"], "2026-02-19T11:20:00Z", "ok UpToDate dynamic"),
    row("intel/go-tdx-guest/tdx_prod_quote_SPR_E4.dat", Tdx, Whole, &["derived/go-tdx-guest-2023-07_collateral.json"], "2023-07-01T01:00:00Z", "tcb.unknown"),
    row("intel/dcap-rs/quote_tdx_00806f050000.dat", Tdx, Whole, &["derived/dcap-rs-tdx-2025-02_collateral.json"], "2025-02-15T06:13:20Z", "ok OutOfDate INTEL-SA-00960 INTEL-SA-00982 INTEL-SA-00986 dynamic"),
    row("intel/dcap-qvl-0.7.1/tdx_quote_td15ex", Tdx, Whole, &["intel/dcap-qvl-0.7.1/tdx_quote_td15ex_collateral.json"], "2026-10-20T00:00:00Z", "ok UpToDate dynamic"),
    row("intel/mobilecoin/hw_quote.dat", Sgx, Whole, &["derived/mobilecoin-2023-07_collateral.json"], "2023-07-13T00:00:00Z", "crl.time"),
    row("intel/mobilecoin/hw_quote.dat", Sgx, Whole, &["derived/mobilecoin-2023-07_collateral.json"], "2023-05-19T00:00:00Z", "collateral.early"),
    row("intel/fortanix-dcap-ql/quote_pck_cert_chain_corrupted.bin", Sgx, Whole, &["derived/fortanix-2020-05_collateral.json"], "2020-05-20T00:00:00Z", "collateral.malformed"),
    row("intel/fortanix-dcap-ql/quote_pck_cert_chain.bin", Sgx, Whole, &["derived/fortanix-2020-05_collateral.json"], "2020-05-20T00:00:00Z", "collateral.malformed"),
    row("intel/fortanix-pcs/quote.bin", Sgx, Whole, &["derived/fortanix-2020-05_collateral.json"], "2020-05-20T00:00:00Z", "collateral.malformed"),
    row("intel/fortanix-pcs/quote.bin", Sgx, Whole, &["derived/dcap-rs-sgx-2025-02_collateral.json"], "2025-02-15T00:00:00Z", "collateral.malformed"),
    row("intel/intel-qvl/quote.dat", Sgx, Whole, &["derived/fortanix-2020-05_collateral.json"], "2020-05-20T00:00:00Z", "collateral.malformed"),
    row("intel/intel-qvl/tdx-quote.dat", Tdx, Whole, &["derived/dcap-rs-tdx-2025-02_collateral.json"], "2025-02-15T00:00:00Z", "chain.untrusted"),
    row("snp/virtee-sev/report_milan.hex", Snp, Hex, &["snp/virtee-sev/vcek_milan.der", MILAN], "2026-11-21T00:00:00Z", "ok"),
    row("snp/go-sev-guest/attestation.bin", Snp, Whole, &["snp/go-sev-guest/vcek.testcer", MILAN], "2026-11-21T00:00:00Z", "ok debug"),
    row("snp/dstack/sev_snp_attestation.bin", Snp, At(4, 1184), &["snp/dstack/sev_snp_vcek.pem", MILAN], "2026-11-21T00:00:00Z", "ok"),
    row("snp/extracted/dstack-report.bin", Snp, Whole, &["snp/extracted/dstack-vek.der", MILAN], "2026-11-21T00:00:00Z", "ok"),
    row("snp/extracted/oak-genoa-report.bin", Snp, Whole, &["snp/extracted/oak-genoa-vek.der", GENOA], "2026-11-21T00:00:00Z", "ok"),
    row("snp/extracted/oak-milan-rk-report.bin", Snp, Whole, &["snp/extracted/oak-milan-rk-vek.der", MILAN], "2026-11-21T00:00:00Z", "ok"),
    row("oak/genoa_oc_evidence.binarypb", Snp, At(8, 1184), &["snp/extracted/oak-genoa-vek.der", GENOA], "2026-11-21T00:00:00Z", "ok"),
    row("oak/milan_rk_release_evidence.binarypb", Snp, At(8, 1184), &["snp/extracted/oak-milan-rk-vek.der", MILAN], "2026-11-21T00:00:00Z", "ok"),
    row("nitro/fortanix/request_proper.bin", Nitro, Whole, &[], "2021-09-09T11:00:00Z", "ok debug"),
    row("nitro/fortanix/tampered_certificate.bin", Nitro, Whole, &[], "2021-09-09T11:00:00Z", "chain.untrusted"),
    row("nitro/fortanix/tampered_signature.bin", Nitro, Whole, &[], "2021-09-09T11:00:00Z", "attest.signature"),
    row("nitro/extracted/dstack_attest_nitro_attestation.cose", Nitro, Whole, &[], "2025-12-25T17:00:00Z", "ok"),
    row("nitro/extracted/dstack_attest_nitro_attestation_dbg.cose", Nitro, Whole, &[], "2025-12-25T10:00:00Z", "ok debug"),
    row("nitro/extracted/nitro_attestation.cose", Nitro, Whole, &[], "2025-12-25T14:00:00Z", "ok"),
    // a genuine chain of a Turin chip, under which no Milan report verifies
    row("snp/virtee-sev/report_milan.hex", Snp, Hex, &["snp/virtee-sev/vcek_turin.der", TURIN], "2026-11-21T00:00:00Z", "attest.signature"),
    row("nitro/dstack/dstack_attest_nitro_attestation.bin", Nitro, At(4, 4526), &[], "2025-12-25T17:00:00Z", "ok"),
    row("nitro/dstack/dstack_attest_nitro_attestation_dbg.bin", Nitro, At(4, 4529), &[], "2025-12-25T10:00:00Z", "ok debug"),
    row("nitro/dstack/nitro_attestation.bin", Nitro, At(4, 4527), &[], "2025-12-25T14:00:00Z", "ok"),
];

#[test]
fn every_sample_has_its_verdict_at_its_time() {
    let Some(_) = samples::folder() else { return };
    let mut wrong = Vec::new();
    for row in ROWS {
        let blob = row.cut.read(row.path);
        let collateral = collateral(row.kind, row.collateral).unwrap();
        let result = check(row.kind, &blob, &collateral, &Roots::pinned(), row.now);
        let found = verdict(&result);
        if found != row.verdict {
            wrong.push(format!(
                "{} at {}: {found}, not {} {:?}",
                row.path,
                row.now,
                row.verdict,
                result.err()
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The synthetic quotes by reason. Their authority issues the TCB signer through an intermediate,
/// which dcap-qvl refuses since 0.7; the testbed's mock vendors have cases of the right shape.
#[rustfmt::skip]
static GENERATED: &[(&str, &[&str])] = &[
    ("attest.malformed", &["truncated_quote"]),
    ("attest.version", &["invalid_quote_format", "invalid_quote_v5", "invalid_sgx_v4", "unsupported_version_1", "unsupported_version_2", "unsupported_version_255", "unsupported_version_6"]),
    ("attest.algorithm", &["unsupported_key_type_0", "unsupported_key_type_1", "unsupported_key_type_255", "unsupported_key_type_3"]),
    ("collateral.malformed", &["invalid_cert_format", "invalid_tcb_json", "short_tcb_chain"]),
    ("collateral.expired", &["tcb_expired"]),
    ("collateral.early", &["tcb_issue_date_future"]),
];

#[test]
fn every_generated_quote_is_refused_for_its_reason_or_its_authoritys_shape() {
    let Some(folder) = samples::folder() else { return };
    let mut roots = Roots::pinned();
    roots.intel = samples::read("generated/root_ca.der");
    let mut seen = 0;
    for entry in std::fs::read_dir(folder.join("generated")).unwrap() {
        let path = entry.unwrap().path();
        if !path.is_dir() {
            continue;
        }
        let name = path.file_name().unwrap().to_str().unwrap();
        let blob = samples::read(&format!("generated/{name}/quote.bin"));
        let kind = if blob.get(4) == Some(&0x81) { Tdx } else { Sgx };
        let found = collateral(kind, &[&format!("generated/{name}/collateral.json")])
            .and_then(|brought| check(kind, &blob, &brought, &roots, "2026-11-21T00:00:00Z"));
        let expected = GENERATED.iter().find(|row| row.1.contains(&name));
        assert_eq!(verdict(&found), expected.map_or("chain.untrusted", |row| row.0), "{name}");
        seen += 1;
    }
    assert_eq!(seen, 54);
}

#[test]
fn no_row_of_the_manifest_is_left_out() {
    let Some(_) = samples::folder() else { return };
    let manifest = String::from_utf8(samples::read("MANIFEST.tsv")).unwrap();
    let mut verified = BTreeSet::new();
    for row in ROWS {
        verified.insert(row.path);
        verified.extend(row.collateral);
    }
    let mut left_out = Vec::new();
    for line in manifest.lines().skip(1) {
        let fields: Vec<&str> = line.split('\t').collect();
        let (path, verdict) = (fields[0], fields[5]);
        let data = ["supporting data", "collateral", "trust anchor", "parse only"];
        let said = data.iter().any(|word| verdict.contains(word) && !verdict.contains("OK "));
        if !path.starts_with("generated/") && !said && !verified.contains(path) {
            left_out.push(format!("{path}: {verdict}"));
        }
    }
    assert!(left_out.is_empty(), "{}", left_out.join("\n"));
}
