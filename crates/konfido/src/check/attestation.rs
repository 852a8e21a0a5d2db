//! The files of `[attestation]`.

use std::path::Path;
use std::sync::Arc;

use enclave::Acceptance;
use enclave::attest::{Collateral, Kind, Policy, ReleaseKeys, Roots};
use jiff::Timestamp;

use super::bytes;
use crate::config::{At, Attestation, Faults};

/// What we accept of every peer's vault.
pub(super) fn attestation(
    found: &Attestation,
    data: &Path,
    now: Timestamp,
    faults: &Faults,
) -> Option<Acceptance> {
    let text = |at: &At<std::path::PathBuf>| {
        String::from_utf8(bytes(at, faults)?)
            .map_err(|_| faults.add(&at.span, "is not text", None))
            .ok()
    };
    let (policy, keys) = (bytes(&found.policy, faults), text(&found.release_keys));
    let (policy, keys) = (policy?, keys?);
    let Some(keys) = ReleaseKeys::parse(&keys) else {
        let help = "\"threshold K\", then \"NAME BASE64\" a line";
        faults.add(&found.release_keys.span, "no release keys", Some(help));
        return None;
    };
    let policy = Policy::open(&policy, &keys, now, newest(data))
        .map_err(|e| {
            let said = format!("policy is refused: {e}");
            faults.add_coded(&found.policy.span, said, e.reason.code());
        })
        .ok()?;
    let collateral = match &found.collateral {
        None => Collateral::None,
        Some(at) => Collateral::parse(Kind::Snp, &bytes(at, faults)?)
            .map_err(|e| faults.add(&at.span, format!("no collateral: {e}"), None))
            .ok()?,
    };
    let roots = Arc::new(Roots::pinned());
    Some(Acceptance::policy(Arc::new(policy), Arc::new(collateral), roots))
}

/// The newest policy that was in force here; an older one is refused.
fn newest(data: &Path) -> u64 {
    let text = std::fs::read_to_string(data.join(NEWEST)).unwrap_or_default();
    text.trim().parse().unwrap_or(0)
}

/// Remembers that this policy is in force.
pub fn remember(data: &Path, accepted: &Acceptance) -> std::io::Result<()> {
    match accepted.policy_version() {
        Some(version) if version > newest(data) => {
            std::fs::write(data.join(NEWEST), format!("{version}\n"))
        }
        _ => Ok(()),
    }
}

const NEWEST: &str = "attestation-policy.version";
