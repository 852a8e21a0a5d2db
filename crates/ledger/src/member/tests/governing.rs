use std::collections::BTreeMap;

use trust::cose;
use trust::seal::SealKey;

use super::super::*;
use crate::entry::{Entry, EntryError, Kind};
use crate::evidence::encode;
use crate::fixtures::shared::{EPOCH, Memory, Shared, ed25519, name, seal, voter};
use crate::member::govern::{GOVERN, Statement};
use crate::rules::{Reason, Refusal, Rejected, verify_signatures};

const T: [u8; 16] = [9; 16];

/// The entry for a change, signed by these.
fn entry(registry: &Registry, height: u64, change: Change, by: &[&SealKey]) -> Entry {
    let statement = Statement::new(registry, height, change).unwrap();
    let signatures: Vec<_> = by.iter().map(|seal| statement.sign(seal).unwrap()).collect();
    Govern::entry(&signatures).unwrap()
}

/// What both judges say.
fn judge(facts: &mut Memory, height: u64, entry: &Entry) -> Result<(), Reason> {
    let registry = facts.registry.clone();
    verify_signatures(&registry, height, std::slice::from_ref(entry)).remove(0)?;
    match facts.block(height, std::slice::from_ref(entry)) {
        Ok(_) => Ok(()),
        Err(Refusal::Entry { reason, .. }) => Err(reason),
        Err(other) => panic!("{other}"),
    }
}

fn seals<'s>(shared: &'s Shared, names: &[&'static str]) -> Vec<&'s SealKey> {
    names.iter().map(|name| &shared.seals[name]).collect()
}

#[test]
fn a_quorum_of_the_members_before_the_change_decides() {
    let shared = Shared::new();
    let leave = || Change::Leave(name("IT"));
    for (names, expected) in [
        (&["DK", "ES", "EU"][..], Ok(())),
        (&["DK", "ES", "EU", "IT"], Ok(())),
        (&["EU", "DK", "ES"], Ok(())),
        (&["DK", "ES"], Err(Reason::Quorum)),
        (&["DK", "ES", "ES"], Err(Reason::Quorum)),
    ] {
        let mut facts = shared.facts();
        let made = entry(&facts.registry, 3, leave(), &seals(&shared, names));
        assert_eq!(Entry::decode(made.encode()).as_ref(), Ok(&made));
        assert_eq!(judge(&mut facts, 3, &made), expected, "{names:?}");
        let left = facts.registry.at(EPOCH).member(&name("IT")).is_none();
        assert_eq!(left, expected.is_ok(), "{names:?}");
    }
}

#[test]
fn who_has_no_vote_has_no_say() {
    let mut shared = Shared::new();
    let observer = seal("FI", &rcgen::PKCS_ED25519);
    let member = Member { voting: false, ..voter("FI", &observer) };
    let mut members = shared.genesis.roll().members().to_vec();
    members.push(member);
    let terms = *shared.genesis.roll().terms();
    shared.genesis = Genesis::new("ledger.konfido.example", EPOCH, terms, members).unwrap();
    let stranger = seal("SE", &rcgen::PKCS_ED25519);
    let mut facts = shared.facts();
    for (what, other) in [("an observer", &observer), ("a stranger", &stranger)] {
        for names in [&["DK", "ES"][..], &["DK", "ES", "EU"]] {
            let mut by = seals(&shared, names);
            by.push(other);
            let made = entry(&facts.registry, 3, Change::Leave(name("IT")), &by);
            assert_eq!(judge(&mut facts, 3, &made), Err(Reason::Signer), "{what}");
        }
    }
}

#[test]
fn a_wrong_signature_spoils_the_change() {
    let shared = Shared::new();
    let mut facts = shared.facts();
    let by = seals(&shared, &["DK", "ES", "EU"]);
    let made = entry(&facts.registry, 3, Change::Leave(name("IT")), &by);
    let mut judged = 0;
    for at in 0..made.encode().len() {
        let mut bytes = made.encode().to_vec();
        bytes[at] ^= 1;
        let Ok(damaged) = Entry::decode(&bytes) else { continue };
        assert!(judge(&mut facts, 3, &damaged).is_err(), "byte {at}");
        judged += 1;
    }
    assert!(judged > 100, "{judged}");
    // signed for another purpose
    let statement = Statement::new(&facts.registry, 3, Change::Leave(name("IT"))).unwrap();
    let payload = encode(&statement).unwrap();
    let other: Vec<_> =
        by.iter().map(|seal| cose::sign(seal, &payload, b"konfido-exchange/1").unwrap()).collect();
    let other = Govern::entry(&other).unwrap();
    assert_eq!(judge(&mut facts, 3, &other), Err(Reason::Signature));
}

#[test]
fn a_change_is_made_once_and_in_its_ledger() {
    let shared = Shared::new();
    let mut facts = shared.facts();
    let by = seals(&shared, &["DK", "ES", "EU"]);
    let address = |n: u8| Address::parse(&format!("192.0.2.{n}:1")).unwrap();
    let first = entry(&facts.registry, 3, Change::Address(name("DK"), address(1)), &by);
    let rival = entry(&facts.registry, 3, Change::Address(name("DK"), address(2)), &by);
    assert_eq!(judge(&mut facts, 3, &first), Ok(()));
    assert_eq!(judge(&mut facts, 4, &first), Err(Reason::Sequence), "played again");
    assert_eq!(judge(&mut facts, 4, &rival), Err(Reason::Sequence), "signed before the other");
    let second = entry(&facts.registry, 4, Change::Address(name("DK"), address(2)), &by);
    assert_eq!(judge(&mut facts, 2 * EPOCH, &second), Ok(()));
    assert_eq!(judge(&mut facts, 3 * EPOCH, &first), Err(Reason::Sequence), "played back");
    // two in one block, in their order and not in the other
    let mut facts = shared.facts();
    let later = facts.registry.changed(3, &Change::Address(name("DK"), address(1))).unwrap();
    let second = entry(&later, 3, Change::Address(name("ES"), address(2)), &by);
    assert_eq!(judge(&mut facts.clone(), 3, &second), Err(Reason::Early));
    assert!(Rejected::from(Reason::Early).may_pass_later());
    assert!(
        !Rejected::from(Reason::Sequence).may_pass_later(),
        "a line is not full of it for ever"
    );
    assert!(facts.clone().block(3, &[second.clone(), first.clone()]).is_err());
    facts.block(3, &[first.clone(), second]).unwrap();
    assert_eq!(facts.registry.sequence(), 2);
    // the same members in another ledger
    let members = shared.genesis.roll().members().to_vec();
    let terms = *shared.genesis.roll().terms();
    let other = Genesis::new("other.example", EPOCH, terms, members).unwrap();
    let mut facts = Memory { registry: other.registry().into(), txs: BTreeMap::new() };
    assert_eq!(judge(&mut facts, 3, &first), Err(Reason::Ledger));
}

#[test]
fn an_evicted_members_signature_counts_until_the_epoch_ends_and_not_after() {
    let shared = Shared::new();
    let mut facts = shared.facts();
    let by = seals(&shared, &["DK", "ES", "EU"]);
    let made = entry(&facts.registry, 3, Change::Leave(name("IT")), &by);
    judge(&mut facts, 3, &made).unwrap();
    let record = shared.whole(T, "IT", "DK");
    let half = |deadline| shared.answered([8; 16], ("DK", "IT"), deadline);
    assert_eq!(judge(&mut facts.clone(), EPOCH - 1, &record), Ok(()));
    assert_eq!(judge(&mut facts.clone(), EPOCH - 1, &half(EPOCH + 9)), Ok(()));
    assert_eq!(judge(&mut facts.clone(), EPOCH, &record), Err(Reason::Signer));
    assert_eq!(judge(&mut facts.clone(), EPOCH, &half(EPOCH + 9)), Err(Reason::Signer));
    // nor does it govern; and the three that are left need all three
    let with = |names: &[&'static str]| {
        let change = Change::Address(name("DK"), Address::parse("192.0.2.1:1").unwrap());
        entry(&facts.registry, EPOCH, change, &seals(&shared, names))
    };
    let mut later = facts.clone();
    assert_eq!(judge(&mut later, EPOCH, &with(&["DK", "ES", "IT"])), Err(Reason::Signer));
    assert_eq!(judge(&mut later, EPOCH, &with(&["DK", "ES"])), Err(Reason::Quorum));
    assert_eq!(judge(&mut later, EPOCH, &with(&["DK", "ES", "EU"])), Ok(()));
    // what stands in the ledger stays
    let mut closed = shared.facts();
    judge(&mut closed, 3, &made).unwrap();
    judge(&mut closed, EPOCH - 1, &half(EPOCH + 9)).unwrap();
    closed.block(EPOCH + 10, &[Entry::open([8; 16])]).unwrap();
}

#[test]
fn an_observer_no_longer_governs_and_its_evidence_still_counts() {
    let shared = Shared::new();
    let mut facts = shared.facts();
    let by = seals(&shared, &["DK", "ES", "EU"]);
    let made = entry(&facts.registry, 3, Change::Observe(name("IT")), &by);
    judge(&mut facts, 3, &made).unwrap();
    let vote = || Change::Vote(name("IT"));
    let with =
        |names: &[&'static str]| entry(&facts.registry, EPOCH, vote(), &seals(&shared, names));
    let (spoilt, good) = (with(&["DK", "ES", "EU", "IT"]), with(&["DK", "ES", "EU"]));
    let mut later = facts.clone();
    assert_eq!(judge(&mut later, EPOCH, &spoilt), Err(Reason::Signer));
    assert_eq!(
        judge(&mut later, EPOCH, &with(&["DK", "ES"])),
        Err(Reason::Quorum),
        "three of three"
    );
    let record = shared.whole(T, "IT", "DK");
    assert_eq!(judge(&mut later.clone(), EPOCH, &record), Ok(()));
    assert_eq!(judge(&mut later, EPOCH, &good), Ok(()));
    assert_eq!(later.registry.at(2 * EPOCH).quorum(), 3);
    assert!(later.registry.at(2 * EPOCH).member(&name("IT")).unwrap().is_voting());
}

#[test]
fn a_renewed_seal_counts_from_its_epoch_and_the_old_one_as_long_as_it_is_said() {
    let mut shared = Shared::new();
    let mut facts = shared.facts();
    let renewed = seal("DK", &rcgen::PKCS_ECDSA_P256_SHA256);
    let key = EvidenceKey::of(renewed.certificate(), 0).unwrap();
    let old = Raw32(shared.seals["DK"].certificate().fingerprint().0);
    let by = seals(&shared, &["DK", "ES", "EU"]);
    for change in
        [Change::EvidenceKey(name("DK"), key), Change::RetireKey(name("DK"), old, EPOCH + 50)]
    {
        let made = entry(&facts.registry, 3, change, &by);
        judge(&mut facts, 3, &made).unwrap();
    }
    let by_old = shared.whole(T, "ES", "DK");
    shared.seals.insert("DK", renewed);
    let by_new = shared.whole(T, "ES", "DK");
    for (height, old, new) in [
        (EPOCH - 1, Ok(()), Err(Reason::Signer)),
        (EPOCH, Ok(()), Ok(())),
        (EPOCH + 49, Ok(()), Ok(())),
        (EPOCH + 50, Err(Reason::Signer), Ok(())),
    ] {
        assert_eq!(judge(&mut facts.clone(), height, &by_old), old, "{height}");
        assert_eq!(judge(&mut facts.clone(), height, &by_new), new, "{height}");
    }
}

#[test]
fn a_country_that_joins_takes_part_from_the_next_epoch() {
    let mut shared = Shared::new();
    let mut facts = shared.facts();
    let finland = seal("FI", &rcgen::PKCS_ED25519);
    let join = Change::Join(Box::new(voter("FI", &finland)));
    let made = entry(&facts.registry, 3, join, &seals(&shared, &["DK", "ES", "EU"]));
    judge(&mut facts, 3, &made).unwrap();
    shared.seals.insert("FI", finland);
    let record = shared.whole(T, "FI", "DK");
    assert_eq!(judge(&mut facts.clone(), EPOCH - 1, &record), Err(Reason::Signer));
    assert_eq!(judge(&mut facts, EPOCH, &record), Ok(()));
}

#[test]
fn nobody_signs_a_change_in_vain() {
    let shared = Shared::new();
    let registry = shared.genesis.registry();
    let error = Statement::new(&registry, 3, Change::Leave(name("FI"))).unwrap_err();
    assert_eq!(error, MemberError::Unknown);
    let good = Statement::new(&registry, 3, Change::Leave(name("IT"))).unwrap();
    let read = Statement::of(&good.sign(&shared.seals["DK"]).unwrap()).unwrap();
    assert_eq!((read.sequence(), read.ledger()), (1, registry.genesis()));
    assert_eq!(read.change(), &Change::Leave(name("IT")));
    // signatures of two statements do not make one entry
    let other = Statement::new(&registry, 3, Change::Leave(name("ES"))).unwrap();
    let mixed = [good.sign(&shared.seals["DK"]), other.sign(&shared.seals["ES"])];
    let mixed: Vec<_> = mixed.into_iter().map(Result::unwrap).collect();
    assert_eq!(Govern::entry(&mixed), Err(EntryError::Form(Kind::Govern)));
    assert_eq!(Govern::entry(&[]), Err(EntryError::Form(Kind::Govern)));
}

#[test]
fn a_quorum_of_27_fits_in_an_entry_with_the_largest_change() {
    let seals: Vec<_> = (0..27).map(|_| seal("DK", &rcgen::PKCS_ECDSA_P384_SHA384)).collect();
    let members = seals
        .iter()
        .enumerate()
        .map(|(n, seal)| Member { name: name(&format!("M{n}")), ..voter("DK", seal) });
    let terms = *Shared::fast().genesis.roll().terms();
    let genesis = Genesis::new("ledger.example", EPOCH, terms, members.collect()).unwrap();
    let registry = genesis.registry();
    let keys = Raw32(ed25519());
    let change = Change::Cosigner(name("M0"), keys, Some(Raw(vec![1; 1312])));
    let by: Vec<_> = seals.iter().take(19).collect();
    let made = entry(&registry, 3, change, &by);
    let mut facts = Memory { registry: registry.into(), txs: BTreeMap::new() };
    assert_eq!(judge(&mut facts, 3, &made), Ok(()));
    assert!(GOVERN.len() < made.encode().len() && made.encode().len() < 5000);
}
