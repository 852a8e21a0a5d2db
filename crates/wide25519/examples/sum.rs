//! What a point costs, beside `curve25519-dalek`'s own decompression and multiplication in the same
//! run. `cargo run --release -p wide25519 --example sum`

use std::hint::black_box;
use std::time::{Duration, Instant};

use curve25519_dalek::constants::ED25519_BASEPOINT_POINT as B;
use curve25519_dalek::edwards::{CompressedEdwardsY, EdwardsPoint};
use curve25519_dalek::scalar::Scalar;
use curve25519_dalek::traits::VartimeMultiscalarMul as _;
use wide25519::{DIGITS, Lanes, Term};

fn main() {
    let Some(lanes) = Lanes::detect() else { return println!("no AVX-512 IFMA here") };
    println!(
        "points     eight lanes     decompressed      multiplied      ratio   (a point; medians of {ROUNDS})"
    );
    for count in [16, 64, 256, 1024, 2048, 4096] {
        let terms: Vec<Term> = (0..count).map(term).collect();
        let points: Vec<EdwardsPoint> = terms.iter().map(decompress).collect();
        let scalars: Vec<Scalar> = (0..count).map(|seed| scalar(seed as u64)).collect();
        let ours = median(|| lanes.sum(&terms));
        let roots = median(|| terms.iter().map(decompress).collect::<Vec<_>>());
        let product = median(|| EdwardsPoint::vartime_multiscalar_mul(&scalars, &points));
        let each = |time: Duration| time.as_secs_f64() * 1e6 / count as f64;
        let ratio = (each(roots) + each(product)) / each(ours);
        println!(
            "{count:>6} {:>12.2} µs {:>13.2} µs {:>12.2} µs {ratio:>9.1}x",
            each(ours),
            each(roots),
            each(product),
        );
    }
}

fn term(seed: usize) -> Term {
    let point = (Scalar::from(seed as u64 + 1) * B).compress().to_bytes();
    let mixed = (seed as u128 + 1).wrapping_mul(MIX).to_le_bytes();
    Term { point, digits: std::array::from_fn::<_, DIGITS, _>(|at| mixed[at].cast_signed()) }
}

fn scalar(seed: u64) -> Scalar {
    Scalar::from((u128::from(seed) + 1).wrapping_mul(MIX))
}

fn decompress(term: &Term) -> EdwardsPoint {
    CompressedEdwardsY(term.point).decompress().expect("because it was compressed")
}

fn median<T>(work: impl Fn() -> T) -> Duration {
    let mut times: Vec<Duration> = (0..ROUNDS)
        .map(|_| {
            let started = Instant::now();
            black_box(work());
            started.elapsed()
        })
        .collect();
    times.sort();
    times[ROUNDS / 2]
}

const ROUNDS: usize = 31;
const MIX: u128 = 0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835;
