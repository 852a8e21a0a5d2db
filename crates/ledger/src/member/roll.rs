//! The members and terms of some heights.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use trust::seal::Scheme;
use trust::verifying::VerifyingKey;

use crate::member::govern::Change;
use crate::member::key::{EvidenceKey, Kid};
use crate::member::name::Name;
use crate::member::raw::Raw32;
use crate::member::{MAX_EVIDENCE_KEYS, MAX_MEMBERS, Member, MemberError, Terms};

/// Who takes part from some height on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Written", into = "Written")]
pub struct Roll {
    from: u64,
    terms: Terms,
    /// By name.
    members: Vec<Member>,
    /// Where the evidence key with this fingerprint is: member, key.
    kids: BTreeMap<Kid, (usize, usize)>,
}

impl Roll {
    pub(super) fn new(
        from: u64,
        terms: Terms,
        mut members: Vec<Member>,
    ) -> Result<Self, MemberError> {
        terms.check()?;
        members.sort_by(|one, other| one.name.cmp(&other.name));
        let voting = members.iter().filter(|member| member.voting).count();
        if voting == 0 || members.len() > MAX_MEMBERS {
            return Err(MemberError::Count);
        }
        members.iter().try_for_each(check)?;
        check_uses(&members)?;
        let mut kids = BTreeMap::new();
        for (at, member) in members.iter().enumerate() {
            for (nth, key) in member.evidence_keys.iter().enumerate() {
                if kids.insert(key.kid(), (at, nth)).is_some() {
                    return Err(MemberError::Twice);
                }
            }
        }
        Ok(Self { from, terms, members, kids })
    }

    /// The first height at which it is in force.
    pub fn from(&self) -> u64 {
        self.from
    }

    /// The bounds of deadlines.
    pub fn terms(&self) -> &Terms {
        &self.terms
    }

    /// All members, by name.
    pub fn members(&self) -> &[Member] {
        &self.members
    }

    /// The member of this name.
    pub fn member(&self, name: &Name) -> Option<&Member> {
        self.members.iter().find(|member| member.name == *name)
    }

    /// The members that vote, by name.
    pub fn voting(&self) -> impl Iterator<Item = &Member> {
        self.members.iter().filter(|member| member.voting)
    }

    /// How many members' votes decide: n - f, where f = (n - 1) / 3. With n = 3f + 1 these are 2f + 1,
    /// and with any n two quorums have an honest member in common: 3 of 4, 4 of 5, 19 of 27.
    pub fn quorum(&self) -> usize {
        let voting = self.voting().count();
        voting - (voting - 1) / 3
    }

    /// Whose evidence key has this fingerprint, and which it is.
    pub fn signer(&self, kid: &Kid) -> Option<(&Member, &EvidenceKey)> {
        let (member, key) = self.kids.get(kid)?;
        let member = &self.members[*member];
        Some((member, &member.evidence_keys[*key]))
    }

    pub(super) fn consensus_keys(&self) -> impl Iterator<Item = [u8; 32]> {
        self.members.iter().filter_map(Member::consensus_key)
    }

    /// The roll after a change, from a height on.
    pub(super) fn changed(&self, from: u64, change: &Change) -> Result<Self, MemberError> {
        let (mut terms, mut members) = (self.terms, self.members.clone());
        match change {
            Change::Join(member) => {
                lasts(member, from)?;
                members.push((**member).clone());
            }
            Change::Leave(name) => {
                let at = position(&members, name)?;
                members.remove(at);
            }
            Change::Terms(new) => terms = *new,
            Change::Vote(name) => {
                let member = of(&mut members, name)?;
                member.voting = true;
                lasts(member, from)?;
            }
            Change::Observe(name) => of(&mut members, name)?.voting = false,
            Change::ConsensusKey(name, key) => {
                of(&mut members, name)?.consensus_key = Some(*key);
            }
            Change::EvidenceKey(name, key) => {
                let keys = &mut of(&mut members, name)?.evidence_keys;
                // makes room: no block to come can be signed with these
                keys.retain(|key| key.until() > from);
                keys.push(key.clone().starting(from));
            }
            Change::RetireKey(name, kid, until) => {
                let member = of(&mut members, name)?;
                let key = member.evidence_keys.iter_mut().find(|key| key.kid() == kid.0);
                let until = (*until).max(from);
                key.ok_or(MemberError::Unknown)?.retire(until);
                lasts(member, until)?;
            }
            Change::Cosigner(name, ed25519, ml_dsa_44) => {
                let member = of(&mut members, name)?;
                member.cosigner_ed25519 = Some(*ed25519);
                member.cosigner_ml_dsa_44.clone_from(ml_dsa_44);
            }
            Change::Measurement(name, measurement) => {
                of(&mut members, name)?.measurement.clone_from(measurement);
            }
            Change::Address(name, address) => {
                of(&mut members, name)?.address = address.clone();
            }
        }
        let next = Self::new(from, terms, members)?;
        let same = (next.terms, &next.members) == (self.terms, &self.members);
        if same { Err(MemberError::Same) } else { Ok(next) }
    }
}

fn position(members: &[Member], name: &Name) -> Result<usize, MemberError> {
    members.iter().position(|member| member.name == *name).ok_or(MemberError::Unknown)
}

fn of<'m>(members: &'m mut [Member], name: &Name) -> Result<&'m mut Member, MemberError> {
    let at = position(members, name)?;
    Ok(&mut members[at])
}

/// A voting member has a seal from this height on that does not end: without one it would count in the
/// quorum and could sign nothing.
fn lasts(member: &Member, from: u64) -> Result<(), MemberError> {
    let lasting = |key: &EvidenceKey| key.from() <= from && key.until() == u64::MAX;
    let lasting = member.evidence_keys.iter().any(lasting);
    if member.voting && !lasting { Err(MemberError::Sealless) } else { Ok(()) }
}

fn check(member: &Member) -> Result<(), MemberError> {
    let strong = |key: &Option<Raw32>| {
        key.is_none_or(|key| VerifyingKey::from_raw(Scheme::Ed25519, &key.0).is_some())
    };
    let post_quantum = member.cosigner_ml_dsa_44().is_none_or(|key| key.len() == ML_DSA_44);
    if !strong(&member.consensus_key) || !strong(&member.cosigner_ed25519) || !post_quantum {
        return Err(MemberError::Key);
    }
    if member.measurement().is_some_and(|bytes| ![32, 48].contains(&bytes.len())) {
        return Err(MemberError::Measurement);
    }
    if member.evidence_keys.len() > MAX_EVIDENCE_KEYS {
        return Err(MemberError::ManyKeys);
    }
    // such a key could be stored and never be read again
    if member.evidence_keys.iter().any(|key| key.from() >= key.until()) {
        return Err(MemberError::Heights);
    }
    let complete = member.consensus_key.is_some()
        && member.cosigner_ed25519.is_some()
        && !member.evidence_keys.is_empty();
    if member.voting && !complete { Err(MemberError::Incomplete) } else { Ok(()) }
}

/// No name stands twice, and no key for two members or two purposes.
fn check_uses(members: &[Member]) -> Result<(), MemberError> {
    let mut keys = BTreeSet::new();
    for pair in members.windows(2) {
        if pair[0].name == pair[1].name {
            return Err(MemberError::Twice);
        }
    }
    for member in members {
        // a renewed certificate may keep its key
        let evidence: BTreeSet<&[u8]> =
            member.evidence_keys.iter().map(EvidenceKey::public).collect();
        let consensus = member.consensus_key.iter().map(|key| &key.0[..]);
        let cosigner = member.cosigner_ed25519.iter().map(|key| &key.0[..]);
        let mut all = evidence.into_iter().chain(consensus).chain(cosigner);
        let mut all = all.by_ref().chain(member.cosigner_ml_dsa_44());
        if !all.all(|key| keys.insert(key)) {
            return Err(MemberError::Twice);
        }
    }
    Ok(())
}

#[derive(Clone, Serialize, Deserialize)]
struct Written {
    from: u64,
    terms: Terms,
    members: Vec<Member>,
}

impl TryFrom<Written> for Roll {
    type Error = MemberError;
    fn try_from(written: Written) -> Result<Self, MemberError> {
        Self::new(written.from, written.terms, written.members)
    }
}

impl From<Roll> for Written {
    fn from(roll: Roll) -> Self {
        Self { from: roll.from, terms: roll.terms, members: roll.members }
    }
}

/// Bytes of an ML-DSA-44 public key (FIPS 204 table 2).
const ML_DSA_44: usize = 1312;
