//! How a ledger begins: a TOML file that its first members exchange, read and sign.
//!
//! What they sign is the [`Genesis::digest`], over an encoding of its own and not over the text: a
//! comment or a blank may change, a key or a number may not. The digest is the parent of block 1, so
//! that every block, vote and governance entry belongs to this genesis and no other.

use serde::{Deserialize, Serialize};
use trust::cose;
use trust::seal::SealKey;

use crate::entry::{EntryError, Signed};
use crate::evidence::{encode, sha256};
use crate::form::MAX_SIGNED;
use crate::member::name::{Name, is_ledger};
use crate::member::raw::Raw;
use crate::member::{MAX_BLOCKS, Member, MemberError, Registry, Roll, Terms};
use crate::tree::Hash;

/// The first members and terms of a ledger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Genesis {
    ledger: String,
    epoch_length: u64,
    roll: Roll,
    signatures: Vec<Raw>,
}

/// Why a genesis file cannot be used. The fault of who wrote it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum GenesisError {
    /// Not TOML of this form. The text names the place.
    #[error("genesis file: {0}")]
    File(String),
    /// A member, key or number that is not possible.
    #[error("genesis file: {0}")]
    Member(#[from] MemberError),
    /// A signature in it is no signature of this genesis by a key in it.
    #[error("genesis file: signature {0} is none of this genesis by one of its members")]
    Signature(usize),
    /// A voting member has not signed.
    #[error("genesis file: {0} has not signed it")]
    Unsigned(Name),
}

impl Genesis {
    /// A genesis that nobody has signed yet. `ledger` is the origin of its checkpoints, such as
    /// `ledger.konfido.example`.
    pub fn new(
        ledger: &str,
        epoch_length: u64,
        terms: Terms,
        members: Vec<Member>,
    ) -> Result<Self, MemberError> {
        if !is_ledger(ledger) || !(1..=MAX_BLOCKS).contains(&epoch_length) {
            return Err(MemberError::Genesis);
        }
        let roll = Roll::new(0, terms, members)?;
        Ok(Self { ledger: ledger.to_owned(), epoch_length, roll, signatures: Vec::new() })
    }

    /// Reads the file. The signatures that are in it must be good; whether all are there is for
    /// [`Genesis::check_signed`] to say.
    pub fn parse(text: &str) -> Result<Self, GenesisError> {
        if text.len() > MAX_FILE {
            return Err(GenesisError::File("it is too long".into()));
        }
        let file: File = toml::from_str(text).map_err(|e| GenesisError::File(e.to_string()))?;
        if file.format != FORMAT {
            return Err(GenesisError::File(format!("its format is not {FORMAT}")));
        }
        let mut genesis = Self::new(&file.ledger, file.epoch_length, file.terms, file.members)?;
        for (nth, SignatureRow { by, cose }) in file.signatures.into_iter().enumerate() {
            genesis.signatures.push(cose);
            if genesis.signer(nth) != Some(&by) {
                return Err(GenesisError::Signature(nth + 1));
            }
        }
        Ok(genesis)
    }

    /// The file as an operator reads it.
    pub fn to_toml(&self) -> String {
        file::write(self)
    }

    /// What the members sign, and the parent of block 1.
    pub fn digest(&self) -> Hash {
        let content = Content {
            format: FORMAT,
            ledger: &self.ledger,
            epoch_length: self.epoch_length,
            roll: &self.roll,
        };
        sha256(&encode(&content).expect("because it was made from what CBOR has"))
    }

    /// With the signature of one member's seal, behind those that are there.
    pub fn signed(mut self, key: &SealKey) -> Result<Self, EntryError> {
        let made = cose::sign(key, &self.digest(), SIGNATURE).map_err(|_| EntryError::Signing)?;
        self.signatures.push(Raw(made));
        let nth = self.signatures.len() - 1;
        if self.signer(nth).is_none() {
            return Err(EntryError::Signing);
        }
        Ok(self)
    }

    /// Whose signatures are there.
    pub fn signers(&self) -> Vec<&Name> {
        (0..self.signatures.len()).filter_map(|nth| self.signer(nth)).collect()
    }

    /// Whether every voting member has signed.
    pub fn check_signed(&self) -> Result<(), GenesisError> {
        let signers = self.signers();
        let missing = self.roll.voting().find(|member| !signers.contains(&member.name()));
        missing.map_or(Ok(()), |member| Err(GenesisError::Unsigned(member.name().clone())))
    }

    /// The ledger's name.
    pub fn ledger(&self) -> &str {
        &self.ledger
    }

    /// Blocks of an epoch.
    pub fn epoch_length(&self) -> u64 {
        self.epoch_length
    }

    /// The first members.
    pub fn roll(&self) -> &Roll {
        &self.roll
    }

    /// The registry that it begins with.
    pub fn registry(&self) -> Registry {
        Registry::new(self)
    }

    /// Who made a signature in the file, if it is good.
    fn signer(&self, nth: usize) -> Option<&Name> {
        let signed = Signed::read(&self.signatures.get(nth)?.0, MAX_SIGNED, 1)?;
        let signature = signed.signatures().first()?;
        let (member, key) = self.roll.signer(&signature.kid)?;
        let mut message = Vec::new();
        signed.signed_bytes(signature, SIGNATURE, &mut message);
        let good = signed.payload() == self.digest()
            && signature.algorithm == key.algorithm()
            && key.key().verifies(&message, signed.value(signature));
        good.then_some(member.name())
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    format: String,
    ledger: String,
    epoch_length: u64,
    terms: Terms,
    #[serde(rename = "member")]
    members: Vec<Member>,
    #[serde(default, rename = "signature")]
    signatures: Vec<SignatureRow>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SignatureRow {
    by: Name,
    cose: Raw,
}

#[derive(Serialize)]
struct Content<'g> {
    format: &'static str,
    ledger: &'g str,
    epoch_length: u64,
    roll: &'g Roll,
}

mod file;

const FORMAT: &str = "konfido-ledger-genesis/1";
const SIGNATURE: &[u8] = b"konfido-ledger-genesis/1";
/// All members with ML-DSA-44 keys.
const MAX_FILE: usize = 1 << 20;
