//! How long verification takes: `cargo run --release -p enclave --example attest_speed`.
//!
//! Uses the samples beside the repository (or in `KONFIDO_SAMPLES`); one core, by the wall clock, so
//! run it on a quiet machine. "First" is the first verification in a process that has verified other
//! evidence, median of 41 processes; "again" is the same once more, with Intel's signatures known.
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
    let samples: Vec<(&str, Sample)> = ROWS
        .iter()
        .map(|(what, kind, evidence, collateral, now)| {
            let evidence = Evidence::new(*kind, read(evidence));
            let brought: Vec<u8> = collateral.iter().flat_map(|path| read(path)).collect();
            let collateral = Collateral::parse(*kind, &brought).unwrap();
            (*what, Sample { evidence, collateral, now: now.parse().unwrap() })
        })
        .collect();
    if let Some(row) = std::env::args().nth(1) {
        let row: usize = row.parse().unwrap();
        for (other, (_, sample)) in samples.iter().enumerate() {
            // not one with the same signatures under it
            if other != row {
                for _ in 0..3 {
                    sample.verify();
                }
            }
        }
        println!("{}", samples[row].1.verify());
        return;
    }
    println!("one P-256 verification: {:.3} ms\n", p256());
    println!("{:<34} {:>9} {:>9} {:>9}", "ms", "first", "again", "least");
    for (row, (what, sample)) in samples.iter().enumerate() {
        let first = median((0..41).map(|_| {
            let program = std::env::current_exe().unwrap();
            let output = std::process::Command::new(program).arg(row.to_string()).output().unwrap();
            String::from_utf8(output.stdout).unwrap().trim().parse().unwrap()
        }));
        let rounds: Vec<f64> = (0..1_100).map(|_| sample.verify()).skip(100).collect();
        let least = rounds.iter().copied().fold(f64::MAX, f64::min);
        println!("{what:<34} {first:>9.3} {:>9.3} {least:>9.3}", median(rounds.into_iter()));
    }
}

struct Sample {
    evidence: Evidence,
    collateral: Collateral,
    now: Timestamp,
}

impl Sample {
    /// Milliseconds.
    fn verify(&self) -> f64 {
        let roots = Roots::pinned();
        let began = Instant::now();
        verify(&self.evidence, &self.collateral, &roots, self.now).unwrap();
        began.elapsed().as_secs_f64() * 1e3
    }
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// What a quote has nine of: the peer of the same run.
fn p256() -> f64 {
    use aws_lc_rs::signature as s;
    use aws_lc_rs::signature::KeyPair as _;
    let key = s::EcdsaKeyPair::generate(&s::ECDSA_P256_SHA256_ASN1_SIGNING).unwrap();
    let made = key.sign(&aws_lc_rs::rand::SystemRandom::new(), b"message").unwrap();
    let public = s::UnparsedPublicKey::new(&s::ECDSA_P256_SHA256_ASN1, key.public_key().as_ref());
    median((0..2_000).map(|_| {
        let began = Instant::now();
        public.verify(b"message", made.as_ref()).unwrap();
        began.elapsed().as_secs_f64() * 1e3
    }))
}
