//! The sum of many points of edwards25519, each times a coefficient of its own: what verifying a
//! batch of Ed25519 signatures spends its time on. Eight lanes at a time, by AVX-512 IFMA.
//!
//! For public values only: where it looks and how long it takes depends on them. A leaf that knows
//! nothing of signatures; who uses it keeps a way without it, since most processors lack the
//! instructions (docs/decisions/0031).

// the names of the papers; and vectors that stay in registers, since what takes them is inlined
#![allow(clippy::many_single_char_names, clippy::large_types_passed_by_value)]

#[cfg(target_arch = "x86_64")]
mod buckets;
#[cfg(target_arch = "x86_64")]
mod field;
#[cfg(target_arch = "x86_64")]
mod point;

/// Digits of a coefficient.
pub const DIGITS: usize = 16;

/// A point, and how often it counts.
#[derive(Debug, Clone, Copy)]
pub struct Term {
    /// Encoding of a point, as ZIP-215 takes it: the coordinate may be p or above, and the sign of zero
    /// may be negative.
    pub point: [u8; 32],
    /// To the base of 256, the lowest first, signed.
    pub digits: [i8; DIGITS],
}

/// An encoding is not that of a point.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NoPoint;

/// Proof that this processor has the instructions.
#[derive(Debug, Clone, Copy)]
pub struct Lanes(());

impl Lanes {
    /// Asks the processor.
    pub fn detect() -> Option<Self> {
        #[cfg(target_arch = "x86_64")]
        let has = is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512ifma");
        #[cfg(not(target_arch = "x86_64"))]
        let has = false;
        has.then_some(Self(()))
    }

    /// The encoding of the sum of all points, each times its coefficient.
    #[cfg_attr(
        target_arch = "x86_64",
        expect(unsafe_code, reason = "instructions that were asked for")
    )]
    pub fn sum(self, terms: &[Term]) -> Result<[u8; 32], NoPoint> {
        #[cfg(target_arch = "x86_64")]
        // SAFETY: `detect` is the only maker of this value, and it found the instructions.
        return unsafe { buckets::sum(terms) };
        #[cfg(not(target_arch = "x86_64"))]
        unreachable!("because there is no such value here, not for {} terms", terms.len())
    }
}

#[cfg(test)]
mod tests;
