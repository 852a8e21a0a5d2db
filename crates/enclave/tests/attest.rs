//! Attestation, seen from outside the crate.

#[path = "attest/amd.rs"]
mod amd;
#[path = "attest/damage.rs"]
mod damage;
#[path = "attest/manifest.rs"]
mod manifest;
#[path = "attest/negatives.rs"]
mod negatives;
#[path = "attest/policy.rs"]
mod policy;
#[path = "attest/samples.rs"]
mod samples;
#[path = "attest/tpm.rs"]
mod tpm;
