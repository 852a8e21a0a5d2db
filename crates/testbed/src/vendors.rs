//! Makers of processors, invented: certificate authorities and quotes in the shape of Intel's,
//! AMD's and AWS' Nitro's, with keys of our own.
//!
//! What this is: the material of negative tests of attestation. Each maker starts from evidence
//! that a verifier with *our* root accepts; a test changes exactly one thing and signs again, so
//! that nothing but the check in question can refuse it. What it is not: no verifier with a
//! vendor's own root accepts anything of it.
//!
//! Start reading at [`intel::Maker`], then [`amd::Maker`] and [`nitro::Maker`].

pub mod amd;
pub mod der;
pub mod intel;
pub mod kernel;
pub mod key;
pub mod libos;
pub mod nitro;
pub mod tpm;
pub mod x509;

use jiff::Timestamp;

/// The moment at which everything that the makers make is valid: 2026-11-01T00:00:00Z.
pub fn now() -> Timestamp {
    Timestamp::from_second(NOW).expect("because 2026 is a year that jiff knows")
}

/// So many days after [`now`] (before it, when negative).
pub fn in_days(days: i64) -> Timestamp {
    in_seconds(days * 86_400)
}

/// So many seconds after [`now`] (before it, when negative).
pub fn in_seconds(seconds: i64) -> Timestamp {
    Timestamp::from_second(NOW + seconds).expect("because tests stay within a few decades")
}

const NOW: i64 = 1_793_491_200;
