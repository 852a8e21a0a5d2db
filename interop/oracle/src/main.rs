//! Foreign oracles for our verifiers of hardware evidence: AMD's reports by the `sev` crate, Intel's
//! quotes by dcap-qvl on ring. Genuine samples, and each damaged in 400 places.
//!
//! `cargo run --release --manifest-path interop/oracle/Cargo.toml`; 0 only if they agree on what is
//! genuine, and if we refuse whatever one of them refuses.

use std::path::PathBuf;
use std::process::ExitCode;

use dcap_qvl::QuoteCollateralV3;
use enclave::attest::{Collateral, Evidence, Kind, Roots, verify};
use jiff::Timestamp;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;
use sev::certs::snp::{Certificate, Chain, Verifiable, ca};
use sev::firmware::guest::AttestationReport;
use sev::parser::ByteParser;

/// (report, certificate of the chip, product)
static SNP: &[(&str, &str, &str)] = &[
    ("snp/extracted/dstack-report.bin", "snp/extracted/dstack-vek.der", "milan"),
    ("snp/extracted/oak-milan-rk-report.bin", "snp/extracted/oak-milan-rk-vek.der", "milan"),
    ("snp/extracted/oak-genoa-report.bin", "snp/extracted/oak-genoa-vek.der", "genoa"),
    ("snp/go-sev-guest/attestation.bin", "snp/go-sev-guest/vcek.testcer", "milan"),
];

/// (kind, quote, collateral, when)
static INTEL: &[(Kind, &str, &str, &str)] = &[
    (
        Kind::Sgx,
        "intel/dcap-qvl/sgx_quote",
        "intel/dcap-qvl/sgx_quote_collateral.json",
        "2025-07-01T00:00:00Z",
    ),
    (
        Kind::Tdx,
        "intel/dcap-qvl/tdx_quote",
        "intel/dcap-qvl/tdx_quote_collateral.json",
        "2025-07-01T00:00:00Z",
    ),
    (
        Kind::Tdx,
        "intel/dcap-qvl/tdx_quote_outdated",
        "intel/dcap-qvl/tdx_quote_outdated_collateral.json",
        "2026-03-01T00:00:00Z",
    ),
];

fn main() -> ExitCode {
    let root = std::env::var_os("KONFIDO_SAMPLES").map_or_else(
        || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/samples"),
        PathBuf::from,
    );
    let folder = root.join("attestation");
    if !folder.is_dir() {
        println!("skipped: no samples at {}", folder.display());
        return ExitCode::SUCCESS;
    }
    let read = |path: &str| std::fs::read(folder.join(path)).expect(path);
    let mut faults = 0;
    for (path, vek, product) in SNP {
        let der = |name: &str| {
            let file = folder.join(format!("snp/roots/{product}-{name}.pem"));
            CertificateDer::from_pem_file(file).expect(name).to_vec()
        };
        let (ark, ask, vek) = (der("ark"), der("ask"), read(vek));
        let collateral = Collateral::parse(Kind::Snp, &[vek.clone(), ask.clone()].concat());
        let collateral = collateral.expect("because the samples are sound");
        let chain = Chain {
            ca: ca::Chain {
                ark: Certificate::from_der(&ark).expect("ark"),
                ask: Certificate::from_der(&ask).expect("ask"),
            },
            vek: Certificate::from_der(&vek).expect("vek"),
        };
        let theirs = |blob: &[u8]| {
            let blob = blob.to_vec();
            let chain = &chain;
            let run = std::panic::AssertUnwindSafe(move || {
                AttestationReport::from_bytes(&blob)
                    .is_ok_and(|report| (chain, &report).verify().is_ok())
            });
            std::panic::catch_unwind(run).unwrap_or(false)
        };
        faults +=
            compare(path, Kind::Snp, &read(path), &collateral, "2026-11-21T00:00:00Z", theirs);
    }
    for (kind, path, collateral, now) in INTEL {
        let json = read(collateral);
        let ours = Collateral::parse(*kind, &json).expect("because the samples are sound");
        let parsed: QuoteCollateralV3 = serde_json::from_slice(&json).expect("because it is JSON");
        let at: Timestamp = now.parse().expect("because it is a time");
        let seconds = u64::try_from(at.as_second()).expect("because it is after 1970");
        let theirs = |blob: &[u8]| dcap_qvl::verify::ring::verify(blob, &parsed, seconds).is_ok();
        faults += compare(path, *kind, &read(path), &ours, now, theirs);
    }
    if faults == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn compare(
    path: &str,
    kind: Kind,
    blob: &[u8],
    collateral: &Collateral,
    now: &str,
    theirs: impl Fn(&[u8]) -> bool,
) -> u32 {
    let (roots, now) = (Roots::pinned(), now.parse().expect("because it is a time"));
    let (mut both, mut neither, mut ours_alone, mut faults) = (0, 0, 0, 0);
    let mut state = 0x9e37_79b9_u64;
    for round in 0..=400 {
        let mut changed = blob.to_vec();
        if round > 0 {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let at = (state >> 33) as usize % changed.len();
            changed[at] ^= 1 << (state >> 29 & 7);
        }
        let ours = verify(&Evidence::new(kind, changed.as_slice()), collateral, &roots, now);
        match (ours, theirs(&changed)) {
            (Ok(_), true) => both += 1,
            (Err(_), false) => neither += 1,
            // `sev` verifies what it writes anew of what it read, without bits that it does not know,
            // and looks at no date, chip, firmware or reserved field
            (Err(_), true) if kind == Kind::Snp && round > 0 => ours_alone += 1,
            (ours, theirs) => {
                let ours = ours.err().map(|refusal| refusal.to_string());
                println!("{path}, round {round}: ours {ours:?}, theirs {theirs}");
                faults += 1;
            }
        }
    }
    println!(
        "{path}: {both} taken and {neither} refused by both, {ours_alone} by us alone, {faults} faults"
    );
    faults
}
