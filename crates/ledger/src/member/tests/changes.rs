use super::super::*;
use crate::fixtures::shared::{EPOCH, Shared, TERMS, ed25519, name, seal, voter};

fn address(text: &str) -> Address {
    Address::parse(text).unwrap()
}

#[test]
fn a_change_comes_into_force_with_the_next_epoch_and_both_can_be_asked() {
    let shared = Shared::fast();
    let before = shared.genesis.registry();
    let change = Change::Address(name("DK"), address("192.0.2.7:1"));
    let after = before.changed(EPOCH + 3, &change).unwrap();
    let of = |registry: &Registry, height: u64| {
        registry.at(height).member(&name("DK")).unwrap().address().as_str().to_owned()
    };
    assert_eq!(of(&after, EPOCH + 3), "dk.example:9000");
    assert_eq!(of(&after, 2 * EPOCH - 1), "dk.example:9000");
    assert_eq!(of(&after, 2 * EPOCH), "192.0.2.7:1");
    assert_eq!(after.pending(2 * EPOCH - 1).unwrap().from(), 2 * EPOCH);
    assert!(after.pending(2 * EPOCH).is_none());
    assert_eq!((before.sequence(), after.sequence()), (0, 1));
    // a second change of the same epoch builds on the first
    let second = Change::Address(name("ES"), address("192.0.2.8:1"));
    let both = after.changed(2 * EPOCH - 1, &second).unwrap();
    assert_eq!(of(&both, 2 * EPOCH), "192.0.2.7:1");
    assert_eq!(both.at(2 * EPOCH).member(&name("ES")).unwrap().address().as_str(), "192.0.2.8:1");
    // and one of a later epoch leaves the first in force
    let third = after.changed(2 * EPOCH, &second).unwrap();
    assert_eq!(of(&third, 2 * EPOCH), "192.0.2.7:1");
    assert_eq!(third.pending(2 * EPOCH).unwrap().from(), 3 * EPOCH);
}

#[test]
fn the_registry_of_any_height_follows_from_the_genesis_and_the_changes() {
    let shared = Shared::fast();
    let changes = [
        (5, Change::Address(name("DK"), address("192.0.2.7:1"))),
        (7, Change::Leave(name("IT"))),
        (EPOCH, Change::ConsensusKey(name("ES"), Raw32(ed25519()))),
    ];
    let mut registry = shared.genesis.registry();
    for (height, change) in &changes {
        registry = registry.changed(*height, change).unwrap();
        let bytes = registry.encode();
        assert_eq!(Registry::decode(&bytes).as_ref(), Some(&registry));
        assert!(Registry::decode(&bytes[1..]).is_none());
        assert!(Registry::decode(&[&bytes[..], &[0]].concat()).is_none());
    }
    let rows = || changes.iter().map(|(height, change)| (*height, change));
    let replayed = Registry::replay(&shared.genesis, rows()).unwrap();
    assert_eq!(replayed, registry);
    assert_eq!(replayed.digest(), registry.digest());
    let early = Registry::replay(&shared.genesis, rows().take(1)).unwrap();
    assert!(early.at(EPOCH).member(&name("IT")).is_some(), "as it was after the first change");
}

#[test]
fn every_change_does_what_it_says() {
    let shared = Shared::fast();
    let registry = shared.genesis.registry();
    let dk = || name("DK");
    let renewed = EvidenceKey::of(seal("DK", &rcgen::PKCS_ECDSA_P256_SHA256).certificate(), 0);
    let renewed = renewed.unwrap();
    let keys = (Raw32(ed25519()), Raw32(ed25519()));
    let joining = voter("FI", &seal("FI", &rcgen::PKCS_ED25519));
    let terms = Terms { key_blocks: 99, ..TERMS };
    let checks: Vec<(Change, Box<dyn Fn(&Roll) -> bool>)> = vec![
        (Change::Join(Box::new(joining.clone())), Box::new(|roll| roll.voting().count() == 5)),
        (Change::Leave(dk()), Box::new(|roll| roll.member(&name("DK")).is_none())),
        (
            Change::Observe(dk()),
            Box::new(|roll| {
                let dk = roll.member(&name("DK")).unwrap();
                !dk.is_voting() && roll.voting().count() == 3 && roll.quorum() == 3
            }),
        ),
        (Change::Terms(terms), Box::new(move |roll| *roll.terms() == terms)),
        (
            Change::ConsensusKey(dk(), keys.0),
            dk_has(move |dk| dk.consensus_key() == Some(keys.0.0)),
        ),
        (
            Change::EvidenceKey(dk(), renewed.clone()),
            dk_has({
                let renewed = renewed.kid();
                move |dk| {
                    let [old, new] = dk.evidence_keys() else { return false };
                    new.kid() == renewed
                        && !new.is_valid_at(EPOCH - 1)
                        && new.is_valid_at(EPOCH)
                        && old.is_valid_at(EPOCH)
                }
            }),
        ),
        (
            Change::Cosigner(dk(), keys.1, Some(Raw(vec![5; 1312]))),
            dk_has(move |dk| {
                dk.cosigner_ed25519() == Some(keys.1.0)
                    && dk.cosigner_ml_dsa_44().is_some_and(|key| key.len() == 1312)
            }),
        ),
        (
            Change::Measurement(dk(), Some(Raw(vec![5; 32]))),
            dk_has(|dk| dk.measurement() == Some(&[5; 32])),
        ),
        (
            Change::Address(dk(), address("[::1]:1")),
            dk_has(|dk| dk.address().as_str() == "[::1]:1"),
        ),
    ];
    for (change, check) in checks {
        let after = registry.changed(1, &change).unwrap();
        assert!(check(after.at(EPOCH)), "{change:?}");
        assert!(!check(after.at(EPOCH - 1)), "{change:?}: not before");
        let twice = after.changed(2, &change);
        assert!(twice.is_err(), "{change:?}: it is so already");
    }
}

fn dk_has(check: impl Fn(&Member) -> bool + 'static) -> Box<dyn Fn(&Roll) -> bool> {
    Box::new(move |roll| roll.member(&name("DK")).is_some_and(&check))
}

#[test]
fn an_observer_gets_a_vote_when_it_has_the_keys_for_one() {
    let shared = Shared::fast();
    let registry = shared.genesis.registry();
    let edps = Member::observer(name("EDPS"), address("192.0.2.9:1"));
    let registry = registry.changed(1, &Change::Join(Box::new(edps))).unwrap();
    assert_eq!(registry.at(EPOCH).voting().count(), 4);
    let vote = Change::Vote(name("EDPS"));
    assert_eq!(registry.changed(2, &vote).err(), Some(MemberError::Sealless));
    let seal = EvidenceKey::of(seal("EU", &rcgen::PKCS_ED25519).certificate(), 0).unwrap();
    let registry = [
        Change::ConsensusKey(name("EDPS"), Raw32(ed25519())),
        Change::Cosigner(name("EDPS"), Raw32(ed25519()), None),
        Change::EvidenceKey(name("EDPS"), seal),
        vote,
    ]
    .iter()
    .fold(registry, |registry, change| registry.changed(2, change).unwrap());
    assert_eq!(registry.at(EPOCH).voting().count(), 5);
    assert_eq!(registry.at(EPOCH).quorum(), 4);
}

#[test]
fn a_member_gives_its_vote_up_and_gets_it_back_with_its_keys() {
    let shared = Shared::fast();
    let registry = shared.genesis.registry();
    let (away, back) = (Change::Observe(name("DK")), Change::Vote(name("DK")));
    let observing = registry.changed(1, &away).unwrap();
    assert!(observing.at(EPOCH - 1).member(&name("DK")).unwrap().is_voting(), "not before");
    assert_eq!(observing.at(EPOCH).voting().count(), 3);
    let keys = |registry: &Registry, height| {
        let dk = registry.at(height).member(&name("DK")).unwrap().clone();
        (dk.consensus_key(), dk.cosigner_ed25519(), dk.evidence_keys().to_vec())
    };
    assert_eq!(keys(&observing, EPOCH), keys(&registry, 0));
    assert_eq!(Registry::decode(&observing.encode()).as_ref(), Some(&observing));
    let again = observing.changed(EPOCH, &back).unwrap();
    assert!(again.at(2 * EPOCH).member(&name("DK")).unwrap().is_voting());
    assert_eq!(again.at(2 * EPOCH).quorum(), 3);
    // before it came into force: as if nothing had been said
    let kept = observing.changed(2, &back).unwrap();
    assert_eq!(kept.at(EPOCH).members(), registry.at(0).members());
    // the last vote stays
    let alone = ["ES", "EU", "IT"].into_iter().fold(registry, |registry, country| {
        registry.changed(1, &Change::Observe(name(country))).unwrap()
    });
    assert_eq!(alone.at(EPOCH).quorum(), 1);
    assert_eq!(alone.changed(1, &away).err(), Some(MemberError::Count));
}

/// Members kept such a key, and could not read their registry any more when they started again.
#[test]
fn a_key_that_ends_before_it_begins_is_refused() {
    let shared = Shared::fast();
    let registry = shared.genesis.registry();
    let mut ended = EvidenceKey::of(seal("DK", &rcgen::PKCS_ED25519).certificate(), 0).unwrap();
    ended.retire(EPOCH);
    let late = EvidenceKey::of(seal("DK", &rcgen::PKCS_ED25519).certificate(), 5 * EPOCH).unwrap();
    let kid = Raw32(late.kid());
    let change = Change::EvidenceKey(name("DK"), ended);
    assert_eq!(registry.changed(1, &change).err(), Some(MemberError::Heights));
    let registry = registry.changed(1, &Change::EvidenceKey(name("DK"), late)).unwrap();
    let retire = |until| Change::RetireKey(name("DK"), kid, until);
    assert_eq!(registry.changed(2, &retire(3 * EPOCH)).err(), Some(MemberError::Heights));
    let retired = registry.changed(2, &retire(6 * EPOCH)).unwrap();
    assert_eq!(Registry::decode(&retired.encode()), Some(retired));
}

/// Without a seal it could neither sign evidence nor vote on a change, and would count in the quorum all the same.
#[test]
fn a_voting_member_keeps_a_seal_that_does_not_end() {
    let shared = Shared::fast();
    let registry = shared.genesis.registry();
    let first = Raw32(registry.at(0).member(&name("DK")).unwrap().evidence_keys()[0].kid());
    let retire = Change::RetireKey(name("DK"), first, 9 * EPOCH);
    assert_eq!(registry.changed(1, &retire).err(), Some(MemberError::Sealless));
    // the next one first, and then at its height or as early as may be; or without a vote
    let next = EvidenceKey::of(seal("DK", &rcgen::PKCS_ED25519).certificate(), 0).unwrap();
    let renewed = registry.changed(1, &Change::EvidenceKey(name("DK"), next)).unwrap();
    let later = EvidenceKey::of(seal("DK", &rcgen::PKCS_ED25519).certificate(), 9 * EPOCH + 1);
    let gap = registry.changed(1, &Change::EvidenceKey(name("DK"), later.unwrap())).unwrap();
    assert_eq!(gap.changed(1, &retire).err(), Some(MemberError::Sealless), "not a block without");
    let mut ended = voter("FI", &seal("FI", &rcgen::PKCS_ED25519));
    ended.evidence_keys[0].retire(9 * EPOCH);
    let join = Change::Join(Box::new(ended));
    assert_eq!(registry.changed(1, &join).err(), Some(MemberError::Sealless));
    for (until, end) in [(9 * EPOCH, 9 * EPOCH), (3, EPOCH)] {
        let change = Change::RetireKey(name("DK"), first, until);
        let retired = renewed.changed(1, &change).unwrap();
        assert!(retired.changed(2, &change).is_err(), "it is so already");
        let keys = retired.at(EPOCH).member(&name("DK")).unwrap().evidence_keys();
        assert_eq!((keys[0].until(), keys[1].until()), (end, u64::MAX));
        assert!(keys[0].is_valid_at(end - 1) && !keys[0].is_valid_at(end));
    }
    let observing = registry.changed(1, &Change::Observe(name("DK"))).unwrap();
    let keyless = observing.changed(1, &retire).unwrap();
    let vote = Change::Vote(name("DK"));
    assert_eq!(keyless.changed(2, &vote).err(), Some(MemberError::Sealless));
}

#[test]
fn changes_that_cannot_be_are_refused() {
    let shared = Shared::fast();
    let registry = shared.genesis.registry();
    let member = |country: &str| registry.at(0).member(&name(country)).unwrap().clone();
    let taken = Raw32(member("ES").consensus_key().unwrap());
    let kid = Raw32(member("ES").evidence_keys()[0].kid());
    for (change, error) in [
        (Change::Leave(name("FI")), MemberError::Unknown),
        (Change::Vote(name("DK")), MemberError::Same),
        (Change::Observe(name("FI")), MemberError::Unknown),
        (Change::Join(Box::new(member("DK"))), MemberError::Twice),
        (Change::ConsensusKey(name("DK"), taken), MemberError::Twice),
        (Change::ConsensusKey(name("DK"), Raw32([2; 32])), MemberError::Key),
        (Change::RetireKey(name("DK"), kid, 5), MemberError::Unknown),
        (Change::Measurement(name("DK"), Some(Raw(vec![1]))), MemberError::Measurement),
        (Change::Terms(Terms { key_blocks: 0, ..TERMS }), MemberError::Terms),
    ] {
        assert_eq!(registry.changed(1, &change).err(), Some(error), "{change:?}");
    }
    let mut alone = registry.clone();
    for country in ["DK", "ES", "EU"] {
        alone = alone.changed(1, &Change::Leave(name(country))).unwrap();
    }
    assert_eq!(alone.changed(1, &Change::Leave(name("IT"))).err(), Some(MemberError::Count));
}

#[test]
fn a_consensus_key_that_voted_before_never_votes_again() {
    let shared = Shared::fast();
    let registry = shared.genesis.registry();
    let dk = registry.at(0).member(&name("DK")).unwrap().clone();
    let old = Raw32(dk.consensus_key().unwrap());
    let moved = registry.changed(1, &Change::ConsensusKey(name("DK"), Raw32(ed25519()))).unwrap();
    let back = Change::ConsensusKey(name("DK"), old);
    assert_eq!(moved.changed(EPOCH + 1, &back).err(), Some(MemberError::Spent));
    let left = registry.changed(1, &Change::Leave(name("DK"))).unwrap();
    let rejoin = Change::Join(Box::new(dk.clone()));
    assert_eq!(left.changed(EPOCH + 1, &rejoin).err(), Some(MemberError::Spent));
    let again = Change::Join(Box::new(Member { consensus_key: Some(Raw32(ed25519())), ..dk }));
    assert!(left.changed(EPOCH + 1, &again).is_ok(), "with a new key it may");
}
