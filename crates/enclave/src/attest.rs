//! Remote attestation: what a vendor's hardware says about a program, and whether we take it.
//!
//! What this is: verifiers of Intel's, AMD's and AWS' evidence and the policy over what they say;
//! bytes and a time in, values out. What it is not: it makes no evidence, opens no socket and no
//! file, and asks no clock.
//!
//! [`Evidence`] -> [`verify`] -> [`Verified`]`<`[`Claims`]`>` -> [`Policy::appraise`] ->
//! [`Appraised`]. Each arrow is the only constructor of what it leads to (RFC 9334 §3: verifier, then
//! relying party). Start reading at [`verify`], then [`Reason`] and [`Policy`].

mod claims;
mod collateral;
mod event_log;
mod evidence;
mod intel;
mod nitro;
mod policy;
mod reason;
mod roots;
mod snp;
mod software;
mod tpm;

use jiff::Timestamp;

pub use claims::{Claims, Platform, Revocation, Tcb, Verified};
pub use collateral::{Amd, Collateral};
pub use event_log::{Event, MAX_EVENT_LOG, MAX_EVENTS, MAX_WORDS};
pub use evidence::{AssuranceClass, Evidence, Kind, MAX_BLOB, MAX_COLLATERAL};
pub use policy::{
    Appraised, Floor, Gathered, Hardware, HardwareClass, Policy, PolicyFault, Question, ReleaseKeys,
};
pub use reason::{Reason, Refusal};
pub use roots::Roots;
pub use snp::Product;

/// Verifies evidence with the verifier's collateral, or, where it has none, with what the sender
/// brought. The verifier's comes first: a sender could keep older collateral, from before its
/// firmware was found wanting. AMD's is joined: a verifier may hold lists and the sender certificates.
pub fn verify(
    evidence: &Evidence,
    collateral: &Collateral,
    roots: &Roots,
    now: Timestamp,
) -> Result<Verified<Claims>, Refusal> {
    if evidence.blob.len() > MAX_BLOB {
        return Err(Refusal::new(Reason::TooLarge, format!("{} bytes", evidence.blob.len())));
    }
    if evidence.event_log.len() > MAX_EVENT_LOG {
        let detail = format!("{} bytes", evidence.event_log.len());
        return Err(Refusal::new(Reason::EventLogTooLarge, detail));
    }
    let joined = collateral.joined(evidence)?;
    let collateral = joined.as_ref().unwrap_or(collateral);
    let mut claims = match evidence.kind {
        Kind::Software => software::verify(&evidence.blob),
        Kind::Tpm => tpm::verify(&evidence.blob, roots),
        kind @ (Kind::Sgx | Kind::Tdx) => {
            intel::verify(kind, &evidence.blob, collateral, roots, now)
        }
        Kind::Snp => snp::verify(&evidence.blob, collateral, roots, now),
        Kind::Nitro => nitro::verify(&evidence.blob, roots, now),
    }?;
    event_log::attach(evidence, &mut claims)?;
    Ok(Verified::new(claims))
}

/// The log in an area of the firmware's, if it is the one of this quote; else nothing.
pub(crate) fn fitting_log(quote: &[u8], area: &[u8]) -> Vec<u8> {
    let Ok(log) = event_log::trimmed(area) else { return Vec::new() };
    let evidence = Evidence { event_log: log.to_vec(), ..Evidence::new(Kind::Tdx, quote) };
    let fits = preview(&evidence).is_ok();
    if fits { evidence.event_log } else { Vec::new() }
}

/// Forgets which signatures under quotes were found good, as if the process had just been started:
/// for measuring the first verification more than once.
pub fn forget(roots: &Roots) {
    intel::forget(roots);
}

/// What evidence says, with nothing verified but that an event log fits its quote: to be shown to people, and to nobody else.
pub fn preview(evidence: &Evidence) -> Result<Claims, Refusal> {
    if evidence.blob.len() > MAX_BLOB {
        return Err(Reason::TooLarge.into());
    }
    let mut claims = match evidence.kind {
        Kind::Software => software::verify(&evidence.blob),
        Kind::Tpm => tpm::preview(&evidence.blob),
        kind @ (Kind::Sgx | Kind::Tdx) => intel::preview(kind, &evidence.blob),
        Kind::Snp => snp::preview(&evidence.blob),
        Kind::Nitro => nitro::preview(&evidence.blob),
    }?;
    event_log::attach(evidence, &mut claims)?;
    Ok(claims)
}
