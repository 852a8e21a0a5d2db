//! Attestation, seen from outside the crate.

#[path = "attest/amd.rs"]
mod amd;
#[path = "attest/amd_vendor.rs"]
mod amd_vendor;
#[path = "attest/damage.rs"]
mod damage;
#[path = "attest/event_log.rs"]
mod event_log;
#[path = "attest/held.rs"]
mod held;
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
