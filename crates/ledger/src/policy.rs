//! Whom a reader believes (c2sp.org/tlog-policy): which logs, which cosigners, how many of them.
//!
//! "19 of 27" is a group. That evidence must outlive today's curves is one, too: of the members'
//! ML-DSA-44 keys, each of which is a witness of its own, and both groups together are the quorum.

mod text;

use crate::checkpoint::{Checkpoint, SignedCheckpoint};
use crate::cosign::{KeyError, Kind, VerifierKey};
use crate::note::NoteError;

pub use text::{Faulty, Members};

/// A policy, read and found sound.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    logs: Vec<VerifierKey>,
    witnesses: Vec<Witness>,
    groups: Vec<Group>,
    quorum: Option<Place>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Witness {
    name: String,
    key: VerifierKey,
}

/// At least `threshold` of `members`, all of which stand before it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Group {
    name: String,
    threshold: usize,
    members: Vec<Place>,
}

/// Where a name leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Witness(usize),
    Group(usize),
}

/// A checkpoint that a policy's quorum signed: only [`Policy::verify`] makes one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Agreed {
    checkpoint: Checkpoint,
    log: Option<VerifierKey>,
    cosigned: Vec<Cosigned>,
}

/// One cosignature that holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cosigned {
    /// Name of the witness in the policy.
    pub witness: String,
    /// Name of its key.
    pub key: String,
    /// How it signed.
    pub kind: Kind,
    /// When, in seconds since 1970, as it says.
    pub time: Option<u64>,
}

/// Why a checkpoint is not believed under a policy.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PolicyError {
    /// Not a checkpoint.
    #[error("checkpoint: {0}")]
    Note(#[from] NoteError),
    /// Neither the policy nor the reader says whose checkpoint it should be.
    #[error("the policy names no log: say which origin is expected")]
    NoOrigin,
    /// Another log's.
    #[error("the checkpoint is of the log {found:?}, which the reader does not expect")]
    Origin {
        /// Whose it is.
        found: String,
    },
    /// None of the policy's logs signed.
    #[error("no log of the policy signed the checkpoint")]
    Log,
    /// Somebody whom the policy names did not make the signature that bears his name.
    #[error("the signature of {name}: {why}")]
    Signature {
        /// Name of the key.
        name: String,
        /// Why.
        why: KeyError,
    },
    /// Too few.
    #[error("the quorum {quorum:?} is missed: {signed} of {known} cosigners of the policy signed")]
    Quorum {
        /// Name of the quorum's group or witness.
        quorum: String,
        /// Cosigners of the policy that signed.
        signed: usize,
        /// Cosigners of the policy.
        known: usize,
    },
}

impl Policy {
    /// Verifies a checkpoint: its log, every cosignature of a witness of the policy, the quorum.
    /// `origin` is the log's name as the reader knows it; a policy without logs needs it. Signatures
    /// by others are ignored; one that bears a known key's name and is wrong spoils the checkpoint.
    pub fn verify(&self, note: &str, origin: Option<&str>) -> Result<Agreed, PolicyError> {
        let signed = SignedCheckpoint::read(note)?;
        let checkpoint = signed.checkpoint();
        let found = &checkpoint.origin;
        let expected = match (origin, &self.logs[..]) {
            (None, []) => return Err(PolicyError::NoOrigin),
            (None, logs) => logs.iter().any(|log| log.name() == found),
            (Some(origin), _) => origin == found,
        };
        if !expected {
            return Err(PolicyError::Origin { found: found.clone() });
        }
        let log = self.verify_log(&signed)?;
        let mut has = vec![false; self.witnesses.len()];
        let mut cosigned = Vec::new();
        for (witness, has) in self.witnesses.iter().zip(&mut has) {
            let key = &witness.key;
            if let Some(time) = signature(key, &signed)? {
                *has = true;
                let (witness, name) = (witness.name.clone(), key.name().to_owned());
                cosigned.push(Cosigned { witness, key: name, kind: key.kind(), time });
            }
        }
        self.check_quorum(&has)?;
        Ok(Agreed { checkpoint: checkpoint.clone(), log, cosigned })
    }

    /// The names of the logs, as their checkpoints bear them.
    pub fn origins(&self) -> impl Iterator<Item = &str> {
        self.logs.iter().map(VerifierKey::name)
    }

    /// The quorum in words: `konfido 3 of 4`.
    pub fn quorum(&self) -> String {
        match self.quorum {
            None => "none".to_owned(),
            Some(place) => self.describe(place),
        }
    }

    fn verify_log(&self, signed: &SignedCheckpoint) -> Result<Option<VerifierKey>, PolicyError> {
        let mut by = None;
        for log in self.logs.iter().filter(|log| log.name() == signed.checkpoint().origin) {
            if signature(log, signed)?.is_some() {
                by = by.or(Some(log));
            }
        }
        match by {
            None if !self.logs.is_empty() => Err(PolicyError::Log),
            by => Ok(by.cloned()),
        }
    }

    fn check_quorum(&self, signed: &[bool]) -> Result<(), PolicyError> {
        let Some(quorum) = self.quorum else { return Ok(()) };
        let mut groups: Vec<bool> = Vec::with_capacity(self.groups.len());
        let holds = |place: &Place, groups: &[bool]| match *place {
            Place::Witness(index) => signed[index],
            // a group's members stand before it
            Place::Group(index) => groups[index],
        };
        for group in &self.groups {
            let count = group.members.iter().filter(|place| holds(place, &groups)).count();
            groups.push(count >= group.threshold);
        }
        if holds(&quorum, &groups) {
            return Ok(());
        }
        let count = signed.iter().filter(|has| **has).count();
        let quorum = self.describe(quorum);
        Err(PolicyError::Quorum { quorum, signed: count, known: signed.len() })
    }

    fn describe(&self, place: Place) -> String {
        match place {
            Place::Witness(index) => self.witnesses[index].name.clone(),
            Place::Group(index) => {
                let group = &self.groups[index];
                format!("{} ({} of {})", group.name, group.threshold, group.members.len())
            }
        }
    }
}

/// The time of the key's signature, `None` when it did not sign.
#[expect(clippy::option_option, reason = "signed or not, and with a time or without one")]
fn signature(
    key: &VerifierKey,
    signed: &SignedCheckpoint,
) -> Result<Option<Option<u64>>, PolicyError> {
    let Some(line) = signed.lines().iter().find(|line| key.is_named_by(line)) else {
        return Ok(None);
    };
    let wrong = |why| PolicyError::Signature { name: key.name().to_owned(), why };
    key.verify(signed.checkpoint(), line).map(Some).map_err(wrong)
}

impl Agreed {
    /// What was agreed on.
    pub fn checkpoint(&self) -> &Checkpoint {
        &self.checkpoint
    }

    /// The log's key that signed; `None` when the policy names no log.
    pub fn log(&self) -> Option<&VerifierKey> {
        self.log.as_ref()
    }

    /// The cosignatures of the policy's witnesses.
    pub fn cosigned(&self) -> &[Cosigned] {
        &self.cosigned
    }
}

#[cfg(test)]
pub(crate) mod tests;
