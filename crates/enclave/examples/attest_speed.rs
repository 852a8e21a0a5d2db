//! How long verification takes: `cargo run --release -p enclave --example attest_speed`.
//!
//! Uses the samples beside the repository (or in `KONFIDO_SAMPLES`); one core, CPU time of one
//! thread by the wall clock, so run it on a quiet machine.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "an example")]

use std::path::PathBuf;
use std::time::Instant;

use enclave::attest::{Collateral, Evidence, Kind, Roots, verify};
use jiff::Timestamp;

/// (what, kind, evidence, collateral, when)
static ROWS: &[(&str, Kind, &str, &[&str], &str)] = &[
    (
        "SGX quote v3",
        Kind::Sgx,
        "intel/dcap-qvl/sgx_quote",
        &["intel/dcap-qvl/sgx_quote_collateral.json"],
        "2025-07-01T00:00:00Z",
    ),
    (
        "TDX quote v4",
        Kind::Tdx,
        "intel/dcap-qvl/tdx_quote",
        &["intel/dcap-qvl/tdx_quote_collateral.json"],
        "2025-07-01T00:00:00Z",
    ),
    (
        "TDX quote v5 (TD 1.5)",
        Kind::Tdx,
        "intel/dcap-qvl-0.7.1/tdx_quote_td15ex",
        &["intel/dcap-qvl-0.7.1/tdx_quote_td15ex_collateral.json"],
        "2026-10-20T00:00:00Z",
    ),
    (
        "SNP report v3 Milan, full chain",
        Kind::Snp,
        "snp/extracted/dstack-report.bin",
        &["snp/extracted/dstack-vek.der", "snp/roots/milan-ask.der"],
        "2026-11-21T00:00:00Z",
    ),
    (
        "SNP report v5 Genoa, full chain",
        Kind::Snp,
        "snp/extracted/oak-genoa-report.bin",
        &["snp/extracted/oak-genoa-vek.der", "snp/roots/genoa-ask.der"],
        "2026-11-21T00:00:00Z",
    ),
    (
        "Nitro document",
        Kind::Nitro,
        "nitro/extracted/nitro_attestation.cose",
        &[],
        "2025-12-25T14:00:00Z",
    ),
];

fn main() {
    let root = std::env::var_os("KONFIDO_SAMPLES").map_or_else(
        || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/samples"),
        PathBuf::from,
    );
    let folder = root.join("attestation");
    if !folder.is_dir() {
        println!("skipped: no samples at {}", folder.display());
        return;
    }
    let read = |path: &str| match path.strip_suffix(".der") {
        // intermediates lie there as PEM, and are wanted as DER
        Some(stem) if !folder.join(path).exists() => {
            use rustls_pki_types::pem::PemObject as _;
            let file = folder.join(format!("{stem}.pem"));
            rustls_pki_types::CertificateDer::from_pem_file(file).unwrap().to_vec()
        }
        _ => std::fs::read(folder.join(path)).unwrap(),
    };
    let roots = Roots::pinned();
    println!("{:<34} {:>9} {:>9} {:>9} {:>9}", "", "ms mean", "ms median", "ms least", "per s");
    for (what, kind, evidence, collateral, now) in ROWS {
        let evidence = Evidence::new(*kind, read(evidence));
        let brought: Vec<u8> = collateral.iter().flat_map(|path| read(path)).collect();
        let collateral = Collateral::parse(*kind, &brought).unwrap();
        let now: Timestamp = now.parse().unwrap();
        let mut spent = Vec::new();
        for round in 0..1_100 {
            let began = Instant::now();
            verify(&evidence, &collateral, &roots, now).unwrap();
            // the first hundred warm the caches
            if round >= 100 {
                spent.push(began.elapsed().as_secs_f64() * 1e3);
            }
        }
        spent.sort_by(f64::total_cmp);
        let mean = spent.iter().sum::<f64>() / spent.len() as f64;
        println!(
            "{what:<34} {mean:>9.3} {:>9.3} {:>9.3} {:>9.0}",
            spent[spent.len() / 2],
            spent[0],
            1e3 / mean
        );
    }
}
