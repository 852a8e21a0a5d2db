//! `[attestation]`: what we ask of other countries' vaults, and how ours answers the same question.

use std::path::{Path, PathBuf};

use super::keys::{file, optional_file};
use super::one_of;
use super::reader::{At, Faults, Section};
use super::vault::{TCTI, tpm_is_built_in};

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
    /// A TPM makes it.
    pub quotes: Option<Quoting>,
}

/// How a TPM quotes.
#[derive(Debug, Clone)]
#[cfg_attr(not(feature = "tpm"), expect(dead_code, reason = "no TPM in this build"))]
pub struct Quoting {
    /// How libtss2 finds it.
    pub tcti: String,
    /// Which registers.
    pub pcrs: Vec<u8>,
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
    let tcti = section.or("tcti", TCTI.to_owned());
    let pcrs = section.or("pcrs", (0..8).collect());
    section.end();
    let which = one_of(attester.as_ref(), &["none", "tsm", "tpm"], faults);
    let quotes = (which == 2).then_some(Quoting { tcti, pcrs });
    if let Some(at) = attester.as_ref().filter(|_| quotes.is_some()) {
        tpm_is_built_in(&at.span, faults);
    }
    let (policy, release_keys) = (policy?, release_keys?);
    Some(Attestation { policy, release_keys, collateral, tsm: which == 1, quotes })
}
