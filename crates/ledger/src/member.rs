//! Who takes part in the shared ledger: from a [`Genesis`] file, changed by [`govern`] entries.
//!
//! A change becomes effective with the first block of the next epoch, so that an engine keeps one set
//! of voters for a whole epoch. A [`Registry`] holds what is in force and what comes next: both can be
//! asked for any height from the last change on.

pub mod genesis;
pub mod govern;
pub mod key;
pub mod motion;
pub mod name;
pub mod raw;
mod registry;
mod roll;
mod text;

use serde::{Deserialize, Serialize};

pub use genesis::Genesis;
pub use govern::{Change, Govern};
pub use key::{Algorithm, EvidenceKey, Kid};
pub use motion::{Motion, MotionError};
pub use name::{Address, Name};
pub use raw::{Raw, Raw32};
pub use registry::Registry;
pub use roll::Roll;

/// Why a member, a registry or a change of it is not possible. The fault of who wrote it down.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MemberError {
    /// Not of the alphabet of names.
    #[error("member's name is not 2 to 16 of A-Z, 0-9 and hyphen")]
    Name,
    /// Not `host:port`.
    #[error("member's address is not host:port in its one spelling")]
    Address,
    /// Of a kind that signs nothing here, or for which everybody can sign.
    #[error("key is malformed, or of a kind or strength that is not used here")]
    Key,
    /// It ends before it begins.
    #[error("key ends at or before the height at which it begins")]
    Heights,
    /// More evidence keys than [`MAX_EVIDENCE_KEYS`].
    #[error("member has more than {MAX_EVIDENCE_KEYS} evidence keys")]
    ManyKeys,
    /// A voting member needs keys for votes, checkpoints and evidence.
    #[error("voting member lacks a consensus, cosigner or evidence key")]
    Incomplete,
    /// Its last seal would end: it could sign neither evidence nor changes.
    #[error("voting member needs an evidence key that has begun by then and does not end")]
    Sealless,
    /// Neither 32 nor 48 bytes.
    #[error("measurement is neither 32 nor 48 bytes long")]
    Measurement,
    /// One name or one key stands for two members, or for two purposes.
    #[error("a name or key is used twice")]
    Twice,
    /// No voting member, or more members than [`MAX_MEMBERS`].
    #[error("a ledger has 1 to {MAX_MEMBERS} members, at least one of them voting")]
    Count,
    /// Terms that no entry could keep.
    #[error("terms are out of bounds")]
    Terms,
    /// There is no such member or key.
    #[error("no such member or key")]
    Unknown,
    /// It is so already.
    #[error("the change changes nothing")]
    Same,
    /// A consensus key that stood in the ledger before: its old votes could be counted again.
    #[error("consensus key was used in this ledger before")]
    Spent,
    /// The ledger's name, the epoch's length or the file's form.
    #[error("genesis is malformed")]
    Genesis,
}

/// One member.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Member {
    name: Name,
    voting: bool,
    address: Address,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    consensus_key: Option<Raw32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    cosigner_ed25519: Option<Raw32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    cosigner_ml_dsa_44: Option<Raw>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    measurement: Option<Raw>,
    #[serde(default, skip_serializing_if = "Vec::is_empty", rename = "evidence_key")]
    evidence_keys: Vec<EvidenceKey>,
}

impl Member {
    /// A member that mirrors the ledger and has no vote.
    pub fn observer(name: Name, address: Address) -> Self {
        Self {
            name,
            voting: false,
            address,
            consensus_key: None,
            cosigner_ed25519: None,
            cosigner_ml_dsa_44: None,
            measurement: None,
            evidence_keys: Vec::new(),
        }
    }

    /// A member that votes: its Ed25519 key for votes, that for checkpoints, and those of its seals.
    pub fn voter(
        name: Name,
        address: Address,
        consensus: [u8; 32],
        cosigner: [u8; 32],
        evidence: Vec<EvidenceKey>,
    ) -> Self {
        Self {
            voting: true,
            consensus_key: Some(Raw32(consensus)),
            cosigner_ed25519: Some(Raw32(cosigner)),
            evidence_keys: evidence,
            ..Self::observer(name, address)
        }
    }

    /// With an ML-DSA-44 key for checkpoints (C2SP cosignature v1.1), 1,312 bytes.
    #[must_use]
    pub fn with_ml_dsa_44(mut self, key: Vec<u8>) -> Self {
        self.cosigner_ml_dsa_44 = Some(Raw(key));
        self
    }

    /// With the measurement of the vault that holds its seal, 32 or 48 bytes.
    #[must_use]
    pub fn with_measurement(mut self, measurement: Vec<u8>) -> Self {
        self.measurement = Some(Raw(measurement));
        self
    }

    /// Without a vote, with the same keys.
    #[must_use]
    pub fn observing(mut self) -> Self {
        self.voting = false;
        self
    }

    /// Its name.
    pub fn name(&self) -> &Name {
        &self.name
    }

    /// Whether it votes; an observer mirrors.
    pub fn is_voting(&self) -> bool {
        self.voting
    }

    /// Where its validator listens.
    pub fn address(&self) -> &Address {
        &self.address
    }

    /// Its Ed25519 key for votes.
    pub fn consensus_key(&self) -> Option<[u8; 32]> {
        self.consensus_key.map(|key| key.0)
    }

    /// Its Ed25519 key for checkpoints.
    pub fn cosigner_ed25519(&self) -> Option<[u8; 32]> {
        self.cosigner_ed25519.map(|key| key.0)
    }

    /// Its ML-DSA-44 key for checkpoints.
    pub fn cosigner_ml_dsa_44(&self) -> Option<&[u8]> {
        self.cosigner_ml_dsa_44.as_ref().map(|key| key.0.as_slice())
    }

    /// The measurement of the vault that holds its seal.
    pub fn measurement(&self) -> Option<&[u8]> {
        self.measurement.as_ref().map(|measurement| measurement.0.as_slice())
    }

    /// Its evidence keys, also those of other heights.
    pub fn evidence_keys(&self) -> &[EvidenceKey] {
        &self.evidence_keys
    }
}

/// The bounds within which members choose deadlines, in blocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Terms {
    /// A half's deadline lies at least this far ahead.
    pub half_min: u64,
    /// And at most this far.
    pub half_max: u64,
    /// The same for the receipt of an offer.
    pub offer_min: u64,
    /// And at most this far.
    pub offer_max: u64,
    /// How many blocks after the receipt the key is due.
    pub key_blocks: u64,
}

impl Terms {
    fn check(&self) -> Result<(), MemberError> {
        let fits = |least: u64, most: u64| 1 <= least && least <= most && most <= MAX_BLOCKS;
        let fit = fits(self.half_min, self.half_max)
            && fits(self.offer_min, self.offer_max)
            && fits(self.key_blocks, MAX_BLOCKS);
        if fit { Ok(()) } else { Err(MemberError::Terms) }
    }
}

/// Members at most: an engine ends when it is given more than it has room for.
pub const MAX_MEMBERS: usize = 64;
/// Evidence keys of one member at most.
pub const MAX_EVIDENCE_KEYS: usize = 8;
/// The longest deadline and the longest epoch, in blocks.
pub(crate) const MAX_BLOCKS: u64 = 1 << 32;

#[cfg(test)]
mod tests;
