//! Changes of the registry, signed by a quorum of the voting members before the change.
//!
//! Each member signs the same [`Statement`] with its evidence key, wherever that key is kept;
//! [`Govern::entry`] puts their signatures together. The statement names the ledger and the number of
//! the change, so that no signature counts in another ledger, or a second time.

use coset::{CborSerializable as _, CoseSign};
use serde::{Deserialize, Serialize};
use trust::cose;
use trust::seal::SealKey;

use crate::block::MAX_ENTRY;
use crate::entry::{Entry, EntryError, Kind, Signed};
use crate::evidence::{decode, encode, sha256};
use crate::member::key::EvidenceKey;
use crate::member::name::{Address, Name};
use crate::member::raw::{Raw, Raw32};
use crate::member::{MAX_MEMBERS, Member, MemberError, Registry, Terms};
use crate::tree::Hash;

/// What changes. Keys and members come into force with the next epoch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Change {
    /// A member joins.
    Join(Box<Member>),
    /// A member leaves, or is made to.
    Leave(Name),
    /// An observer gets a vote.
    Vote(Name),
    /// A member gives its vote up, or loses it, and mirrors on. What it signs as evidence counts as before.
    Observe(Name),
    /// A new key for votes; none that stood in this ledger before.
    ConsensusKey(Name, Raw32),
    /// The key of a new seal certificate, beside the others.
    EvidenceKey(Name, EvidenceKey),
    /// The key of this fingerprint no longer counts from a height on, or from the next epoch.
    RetireKey(Name, Raw32, u64),
    /// New keys for checkpoints: Ed25519, ML-DSA-44.
    Cosigner(Name, Raw32, Option<Raw>),
    /// The vault that holds its seal is another program now.
    Measurement(Name, Option<Raw>),
    /// Its validator listens elsewhere.
    Address(Name, Address),
    /// Other bounds of deadlines.
    Terms(Terms),
}

/// What the members sign.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Statement {
    form: String,
    ledger: Raw32,
    sequence: u64,
    change: Change,
}

/// A change with the signatures for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Govern {
    signed: Signed,
    statement: Statement,
}

impl Statement {
    /// The next change of this registry. Refused if it could not be made at this height, so that nobody
    /// signs it in vain.
    pub fn new(registry: &Registry, height: u64, change: Change) -> Result<Self, MemberError> {
        registry.changed(height, &change)?;
        Ok(Self::written(registry.genesis(), registry.sequence() + 1, change))
    }

    /// As a file has it; whether it can be made is for the registry to say.
    pub(super) fn written(ledger: Hash, sequence: u64, change: Change) -> Self {
        Self { form: GOVERN.to_owned(), ledger: Raw32(ledger), sequence, change }
    }

    /// What is signed.
    pub(super) fn payload(&self) -> Result<Vec<u8>, EntryError> {
        encode(self).map_err(|_| EntryError::Form(Kind::Govern))
    }

    /// SHA-256 of what is signed: what members compare before they sign.
    pub fn digest(&self) -> Hash {
        sha256(&encode(self).expect("because it was made from what CBOR has"))
    }

    /// One member's signature for it.
    pub fn sign(&self, key: &SealKey) -> Result<Vec<u8>, EntryError> {
        cose::sign(key, &self.payload()?, GOVERN.as_bytes()).map_err(|_| EntryError::Signing)
    }

    /// The statement in a [`Statement::sign`] of somebody else, to be looked at before one signs too.
    pub fn of(signed: &[u8]) -> Option<Self> {
        Govern::read(signed).map(|govern| govern.statement)
    }

    /// Which ledger: digest of its genesis.
    pub fn ledger(&self) -> Hash {
        self.ledger.0
    }

    /// The number of the change; the first is 1.
    pub fn sequence(&self) -> u64 {
        self.sequence
    }

    /// What changes.
    pub fn change(&self) -> &Change {
        &self.change
    }
}

impl Govern {
    /// The entry that carries all these signatures of one statement.
    ///
    /// 8 KiB hold the statement and more than 40 signatures by elliptic curves, or 12 by RSA-4096.
    pub fn entry(signatures: &[Vec<u8>]) -> Result<Entry, EntryError> {
        let read = |bytes: &Vec<u8>| {
            CoseSign::from_slice(bytes).map_err(|_| EntryError::Form(Kind::Govern))
        };
        let mut all = signatures.iter().map(read);
        let mut message = all.next().ok_or(EntryError::Form(Kind::Govern))??;
        for other in all {
            let other = other?;
            if other.payload != message.payload {
                return Err(EntryError::Form(Kind::Govern));
            }
            message.signatures.extend(other.signatures);
        }
        let kid = |signature: &coset::CoseSignature| signature.protected.header.key_id.clone();
        message.signatures.sort_by_key(kid);
        message.signatures.dedup_by_key(|signature| kid(signature));
        let body = message.to_vec().map_err(|_| EntryError::Form(Kind::Govern))?;
        Entry::of(Kind::Govern, &body)
    }

    /// In form: signatures in the order of their fingerprints.
    pub(crate) fn read(bytes: &[u8]) -> Option<Self> {
        let signed = Signed::read(bytes, MAX_ENTRY, MAX_MEMBERS)?;
        let statement: Statement = decode(signed.payload()).ok()?;
        let ordered = signed.signatures().is_sorted_by(|one, other| one.kid < other.kid);
        (ordered && statement.form == GOVERN).then_some(Self { signed, statement })
    }

    /// The `COSE_Sign`.
    pub fn signed(&self) -> &Signed {
        &self.signed
    }

    /// What they signed.
    pub fn statement(&self) -> &Statement {
        &self.statement
    }
}

/// Form of a [`Statement`], and what is signed with it.
pub(crate) const GOVERN: &str = "konfido-govern/1";
