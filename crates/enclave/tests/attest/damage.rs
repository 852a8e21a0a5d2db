//! Genuine evidence, damaged at random with genuine collateral at hand: never a panic, and nothing
//! that verifies says anything else than before.

use enclave::attest::{Claims, Kind, Roots};

use crate::samples::{self, Cut, check, collateral};

/// A small generator, so that each run damages the same bytes (Steele and others, SplitMix64).
struct Chance(u64);

impl Chance {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) % bound as u64) as usize
    }
}

fn damaged(blob: &[u8], chance: &mut Chance) -> Vec<u8> {
    let mut out = blob.to_vec();
    for _ in 0..=chance.below(3) {
        let at = chance.below(out.len());
        match chance.below(4) {
            0 => out[at] ^= 1 << chance.below(8),
            1 => out[at] = [0, 0xff, 0x7f, 0x80][chance.below(4)],
            2 => out.truncate(at.max(1)),
            _ => {
                let from = chance.below(out.len());
                let piece = out[from..(from + chance.below(64)).min(out.len())].to_vec();
                out.splice(at..at, piece);
            }
        }
    }
    out
}

#[test]
fn damaged_evidence_never_says_anything_else() {
    let Some(_) = samples::folder() else { return };
    let ask = "snp/roots/milan-ask.pem";
    for (kind, path, brought, now) in [
        (
            Kind::Sgx,
            "intel/dcap-qvl/sgx_quote",
            &["intel/dcap-qvl/sgx_quote_collateral.json"][..],
            "2025-07-01T00:00:00Z",
        ),
        (
            Kind::Tdx,
            "intel/dcap-qvl/tdx_quote",
            &["intel/dcap-qvl/tdx_quote_collateral.json"],
            "2025-07-01T00:00:00Z",
        ),
        (
            Kind::Snp,
            "snp/extracted/dstack-report.bin",
            &["snp/extracted/dstack-vek.der", ask],
            "2026-11-21T00:00:00Z",
        ),
        (Kind::Nitro, "nitro/extracted/nitro_attestation.cose", &[], "2025-12-25T14:00:00Z"),
    ] {
        let (blob, roots) = (Cut::Whole.read(path), Roots::pinned());
        let brought = collateral(kind, brought).unwrap();
        let said: Claims = check(kind, &blob, &brought, &roots, now).unwrap().claims().clone();
        let (mut chance, mut still) = (Chance(kind as u64), 0);
        for _ in 0..1500 {
            let changed = damaged(&blob, &mut chance);
            if let Ok(verified) = check(kind, &changed, &brought, &roots, now) {
                assert_eq!(verified.claims(), &said, "{}", kind.name());
                still += 1;
            }
        }
        println!("{}: {still} of 1500 still said the same", kind.name());
    }
}
