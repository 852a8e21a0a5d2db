//! `[attestation]`: what we ask of other countries' vaults, and how ours answers the same question.

use std::path::{Path, PathBuf};

use super::keys::{file, optional_file};
use super::one_of;
use super::reader::{At, Faults, Section};

/// `[attestation]`.
#[derive(Debug)]
pub struct Attestation {
    /// The policy, signed by a quorum of release keys.
    pub policy: At<PathBuf>,
    /// These keys.
    pub release_keys: At<PathBuf>,
    /// AMD's certificates and lists, for reports that bring none.
    pub collateral: Option<At<PathBuf>>,
    /// Linux' configfs-tsm makes evidence about our own vault.
    pub tsm: bool,
}

pub(super) fn read(
    section: Section<'_, '_>,
    folder: &Path,
    faults: &Faults,
) -> Option<Attestation> {
    let (policy, release_keys) =
        (file(&section, "policy", folder), file(&section, "release_keys", folder));
    let collateral = optional_file(&section, "collateral", folder);
    let attester = section.optional::<String>("attester");
    section.end();
    let tsm = one_of(attester.as_ref(), &["none", "tsm"], faults) == 1;
    Some(Attestation { policy: policy?, release_keys: release_keys?, collateral, tsm })
}
