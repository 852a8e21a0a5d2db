//! A change on its way through the members: a TOML file that they pass on, read and sign.
//!
//! What they sign is the [`Statement`] that the file's words make, and no text: whoever changes a word
//! spoils every signature. When a quorum has signed, [`Motion::entry`] is what a validator takes.

mod file;

use std::cmp::Ordering;

use trust::seal::SealKey;

use crate::block::MAX_ENTRY;
use crate::entry::{Entry, EntryError, Signed};
use crate::member::govern::GOVERN;
use crate::member::raw::{Raw, hex};
use crate::member::{
    Change, EvidenceKey, Govern, Member, MemberError, Name, Registry, Roll, govern::Statement,
};

/// A change with the signatures that it has so far.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Motion {
    statement: Statement,
    signatures: Vec<Signature>,
}

/// One member's `COSE_Sign` of the statement, and who it says it is of.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Signature {
    by: Name,
    cose: Raw,
}

/// How many of those who are asked have signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// Whose signatures are there and good.
    pub signed: Vec<Name>,
    /// Voting members whose signatures are not there.
    pub missing: Vec<Name>,
    /// How many are needed.
    pub quorum: usize,
}

impl Standing {
    /// How many more must sign.
    pub fn lacks(&self) -> usize {
        self.quorum.saturating_sub(self.signed.len())
    }
}

/// Why a motion cannot be read, signed or brought in. The fault of who does, or of time that passed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MotionError {
    /// Not TOML of this form. The text names the place.
    #[error("draft: {0}")]
    File(String),
    /// Two files that are no copies of each other.
    #[error("the files are not copies of one draft")]
    Copy,
    /// A signature in it is over something else.
    #[error("the signature of {0} is not of this draft: it was changed after {0} signed it")]
    Altered(Name),
    /// A signature in it is wrong, or by another than it says.
    #[error("the signature of {0} is wrong, or not by a key of {0}")]
    Signature(Name),
    /// Of another ledger.
    #[error("the draft is for the ledger with genesis {theirs}, and this is the one with {ours}")]
    Ledger {
        /// Digest of its genesis.
        theirs: String,
        /// Digest of ours.
        ours: String,
    },
    /// Its number is taken.
    #[error(
        "it is change {0}, and this ledger has made its change {0} already, by this draft or another"
    )]
    Made(u64),
    /// Its number is too high.
    #[error(
        "it is change {asked}, and the next one of this ledger, as this member has it, is {next}"
    )]
    Early {
        /// Its number.
        asked: u64,
        /// The next one.
        next: u64,
    },
    /// The change itself.
    #[error("the change cannot be made: {0}")]
    Change(#[from] MemberError),
    /// A seal that is no member's at this height.
    #[error("the seal with fingerprint {0} is no key of any member at this height")]
    Stranger(String),
    /// An observer's.
    #[error("{0} has no vote, and so does not sign")]
    Voteless(Name),
    /// A member's key of another time.
    #[error(
        "this key of {name} counts from height {from} to before {until}, and the next block is {height}"
    )]
    Expired {
        /// Whose.
        name: Name,
        /// The first height at which it counts.
        from: u64,
        /// The first at which it does not.
        until: u64,
        /// Of the next block.
        height: u64,
    },
    /// One member signs once.
    #[error("{0} has signed it already")]
    Twice(Name),
    /// It cannot be encoded, or its signatures do not fit.
    #[error(transparent)]
    Entry(#[from] EntryError),
}

impl Motion {
    /// The next change of this registry, unsigned. `height` is that of the next block.
    pub fn new(registry: &Registry, height: u64, change: Change) -> Result<Self, MotionError> {
        Ok(Self::of(Statement::new(registry, height, change)?))
    }

    /// A statement that nobody has signed.
    pub fn of(statement: Statement) -> Self {
        Self { statement, signatures: Vec::new() }
    }

    /// Reads the file. Signatures in it are of these very words; by whom is for
    /// [`Motion::standing`] to say.
    pub fn parse(text: &str) -> Result<Self, MotionError> {
        let motion = file::read(text)?;
        let payload = motion.statement.payload()?;
        for Signature { by, cose } in &motion.signatures {
            let signed = Signed::read(&cose.0, MAX_ENTRY, 1);
            let signed = signed.ok_or_else(|| MotionError::Signature(by.clone()))?;
            if signed.payload() != payload {
                return Err(MotionError::Altered(by.clone()));
            }
        }
        Ok(motion)
    }

    /// The file as an operator reads it.
    pub fn to_toml(&self) -> String {
        file::write(self)
    }

    /// What the members sign.
    pub fn statement(&self) -> &Statement {
        &self.statement
    }

    /// Who has signed, as the file says.
    pub fn names(&self) -> impl Iterator<Item = &Name> {
        self.signatures.iter().map(|signature| &signature.by)
    }

    /// This registry after it, if it is the next change and can be made in the block of this height.
    pub fn applied(&self, registry: &Registry, height: u64) -> Result<Registry, MotionError> {
        let (theirs, ours) = (self.statement.ledger(), registry.genesis());
        if theirs != ours {
            return Err(MotionError::Ledger { theirs: hex(&theirs), ours: hex(&ours) });
        }
        let (asked, next) = (self.statement.sequence(), registry.sequence() + 1);
        match asked.cmp(&next) {
            Ordering::Less => return Err(MotionError::Made(asked)),
            Ordering::Greater => return Err(MotionError::Early { asked, next }),
            Ordering::Equal => {}
        }
        Ok(registry.changed(height, self.statement.change())?)
    }

    /// With the signatures of a copy that others signed.
    pub fn joined(mut self, copy: Self) -> Result<Self, MotionError> {
        if copy.statement != self.statement {
            return Err(MotionError::Copy);
        }
        for signature in copy.signatures {
            if self.names().all(|name| *name != signature.by) {
                self.signatures.push(signature);
            }
        }
        Ok(self)
    }

    /// With the signature of one member's seal, behind those that are there; and whose it is.
    pub fn signed(
        mut self,
        seal: &SealKey,
        registry: &Registry,
        height: u64,
    ) -> Result<(Self, Name), MotionError> {
        self.applied(registry, height)?;
        let kid = seal.certificate().fingerprint().0;
        let (member, _) = voter(registry.at(height), height, &kid)?;
        let by = member.name().clone();
        if self.names().any(|name| *name == by) {
            return Err(MotionError::Twice(by));
        }
        let cose = Raw(self.statement.sign(seal)?);
        self.signatures.push(Signature { by: by.clone(), cose });
        self.standing(registry, height)?;
        Ok((self, by))
    }

    /// Whose signatures count in the block of this height, and whose are missing. Any that does not
    /// count would spoil the entry, and is an error.
    pub fn standing(&self, registry: &Registry, height: u64) -> Result<Standing, MotionError> {
        let roll = registry.at(height);
        for signature in &self.signatures {
            signature.check(roll, height)?;
        }
        let signed: Vec<_> = self.names().cloned().collect();
        if let Some(twice) =
            signed.iter().enumerate().find(|(at, name)| signed[..*at].contains(name))
        {
            return Err(MotionError::Twice(twice.1.clone()));
        }
        let missing = roll.voting().map(Member::name).filter(|name| !signed.contains(name));
        Ok(Standing { missing: missing.cloned().collect(), quorum: roll.quorum(), signed })
    }

    /// The entry that carries the signatures, however many they are.
    pub fn entry(&self) -> Result<Entry, EntryError> {
        let all: Vec<_> =
            self.signatures.iter().map(|signature| signature.cose.0.clone()).collect();
        Govern::entry(&all)
    }
}

impl Signature {
    fn check(&self, roll: &Roll, height: u64) -> Result<(), MotionError> {
        let wrong = || MotionError::Signature(self.by.clone());
        let signed = Signed::read(&self.cose.0, MAX_ENTRY, 1).ok_or_else(wrong)?;
        let signature = signed.signatures().first().ok_or_else(wrong)?;
        let (member, key) = voter(roll, height, &signature.kid)?;
        let mut message = Vec::new();
        signed.signed_bytes(signature, GOVERN.as_bytes(), &mut message);
        let good = *member.name() == self.by
            && signature.algorithm == key.algorithm()
            && key.key().verifies(&message, signed.value(signature));
        if good { Ok(()) } else { Err(wrong()) }
    }
}

/// Whose vote a key with this fingerprint makes at this height.
fn voter<'r>(
    roll: &'r Roll,
    height: u64,
    kid: &[u8; 32],
) -> Result<(&'r Member, &'r EvidenceKey), MotionError> {
    let (member, key) = roll.signer(kid).ok_or_else(|| MotionError::Stranger(hex(kid)))?;
    let name = member.name();
    if !member.is_voting() {
        return Err(MotionError::Voteless(name.clone()));
    }
    if !key.is_valid_at(height) {
        let (name, from, until) = (name.clone(), key.from(), key.until());
        return Err(MotionError::Expired { name, from, until, height });
    }
    Ok((member, key))
}
