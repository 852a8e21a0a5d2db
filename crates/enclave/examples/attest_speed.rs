//! How long verification takes: `cargo run --release -p enclave --example attest_speed`.
//!
//! Uses the samples beside the repository (or in `KONFIDO_SAMPLES`); one core, by the wall clock, so
//! run it on a quiet machine; medians. "First" is without memory of a signature but those on Intel's
//! authorities, which are verified when a process starts; "cold" is the first in a new process, 41 of
//! them; "again" is the same once more, with all signatures known.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "an example")]

use std::path::PathBuf;
use std::sync::LazyLock;
use std::time::Instant;

use enclave::attest::{Collateral, Evidence, Kind, Roots, forget, verify};
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
        // for a profiler: this one and nothing else
        if let Some(rounds) = std::env::args().nth(2) {
            let rounds: usize = rounds.parse().unwrap();
            let _: f64 = (0..rounds).map(|_| samples[row].1.verify()).sum();
            return;
        }
        println!("{}", samples[row].1.verify());
        return;
    }
    let p256 = p256();
    println!("one P-256 verification: {p256:.3} ms, before\n");
    println!("{:<34} {:>9} {:>9} {:>9} {:>9}", "ms", "first", "P-256", "cold", "again");
    for (row, (what, sample)) in samples.iter().enumerate() {
        let first = median((0..ROUNDS).map(|_| sample.first()));
        let again = median((0..ROUNDS).map(|_| sample.verify()));
        let cold = median((0..41).map(|_| {
            let program = std::env::current_exe().unwrap();
            let output = std::process::Command::new(program).arg(row.to_string()).output().unwrap();
            String::from_utf8(output.stdout).unwrap().trim().parse().unwrap()
        }));
        let ratio = first / p256;
        println!("{what:<34} {first:>9.3} {ratio:>9.1} {cold:>9.3} {again:>9.3}");
    }
    println!("\none P-256 verification: {:.3} ms, after", self::p256());
}

const ROUNDS: usize = 1_000;

struct Sample {
    evidence: Evidence,
    collateral: Collateral,
    now: Timestamp,
}

impl Sample {
    /// Milliseconds, of one that nobody verified before.
    fn first(&self) -> f64 {
        forget(&Roots::pinned());
        self.verify()
    }

    /// Milliseconds.
    fn verify(&self) -> f64 {
        static ROOTS: LazyLock<Roots> = LazyLock::new(Roots::pinned);
        let roots = &*ROOTS;
        let began = Instant::now();
        verify(&self.evidence, &self.collateral, roots, self.now).unwrap();
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
