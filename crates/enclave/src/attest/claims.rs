//! What verified evidence says, as data.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::event_log::Event;
use super::evidence::Kind;

/// Proof that the evidence behind a value was verified to its vendor's root. Made by
/// [`verify`](super::verify) only. It says that the statement is genuine, not that it is acceptable:
/// that is [`Policy::appraise`](super::Policy::appraise)'s to say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified<T>(T);

impl<T> Verified<T> {
    pub(super) fn new(value: T) -> Self {
        Self(value)
    }

    /// What was verified.
    pub fn claims(&self) -> &T {
        &self.0
    }
}

/// What evidence says about a program and the machine under it (the claims of RFC 9334 §8.4).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claims {
    /// Who says it.
    pub kind: Kind,
    /// Measurements by name, as the vendor names them in lower case: `mrenclave`, `mrtd`, `rtmr0`,
    /// `measurement`, `pcr0` ...
    pub measurements: BTreeMap<&'static str, Vec<u8>>,
    /// What was measured one by one, where a log came along that gives the quote's registers.
    pub events: Option<Vec<Event>>,
    /// What the program bound into the evidence. 64 bytes for SGX, TDX and SNP; up to 512 for Nitro;
    /// up to 64 for a TPM.
    pub report_data: Vec<u8>,
    /// Whether the host can read or change the program. No policy takes that.
    pub debug: bool,
    /// Whether the host can move the guest to another machine. No policy takes that.
    pub migratable: bool,
    /// The state of the firmware.
    pub tcb: Tcb,
    /// Which machine.
    pub platform: Platform,
    /// Whether revocation lists were looked at.
    pub revocation: Revocation,
    /// From when what verifies it is valid.
    pub valid_from: Timestamp,
    /// Until when what verifies it is valid; the evidence must be verified anew then.
    pub valid_until: Timestamp,
}

impl Claims {
    /// Claims that claim nothing yet.
    pub(super) fn of(kind: Kind) -> Self {
        Self {
            kind,
            measurements: BTreeMap::new(),
            events: None,
            report_data: Vec::new(),
            debug: false,
            migratable: false,
            tcb: Tcb::default(),
            platform: Platform::default(),
            revocation: Revocation::NotApplicable,
            valid_from: Timestamp::MIN,
            valid_until: Timestamp::MAX,
        }
    }
}

/// The state of the firmware and microcode under a program.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Tcb {
    /// The vendor's word on it (Intel: `UpToDate` ...); `None` where the vendor publishes none.
    pub status: Option<String>,
    /// Intel: up to when this firmware had every fix that there was (`tcbDate` of the level that it
    /// matches, the oldest where several are out of date).
    pub date: Option<Timestamp>,
    /// Security advisories that are open on this machine.
    pub advisories: Vec<String>,
    /// Intel's number of the evaluation that the status is of.
    pub evaluation: Option<u32>,
    /// Security version numbers by name: `isvsvn`, `pcesvn`, `snp`, `committed.snp` ...
    pub svn: BTreeMap<&'static str, u64>,
}

/// Which machine the program runs on.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Platform {
    /// Its identity as `kind:hex`, for example an SNP chip id; `None` where the machine hides it.
    pub id: Option<String>,
    /// Further names of the same machine.
    pub others: Vec<String>,
    /// The processor's product: FMSPC for Intel, `milan`, `genoa` or `turin` for AMD.
    pub product: String,
    /// Whether processors may be added or exchanged (Intel multi-package platforms).
    pub dynamic: Option<bool>,
    /// Whether two threads of one core may belong to different owners.
    pub smt: Option<bool>,
}

/// Whether somebody asked if the certificates were withdrawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Revocation {
    /// All lists that the vendor publishes were looked at.
    Checked,
    /// No list was brought.
    NotChecked,
    /// The vendor publishes none; the certificates live for hours, or there is none.
    NotApplicable,
}

impl Revocation {
    /// In one word.
    pub fn name(self) -> &'static str {
        match self {
            Self::Checked => "checked",
            Self::NotChecked => "not checked",
            Self::NotApplicable => "not applicable",
        }
    }
}
