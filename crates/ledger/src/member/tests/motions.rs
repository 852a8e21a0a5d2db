//! A draft that goes from member to member.

use super::super::*;
use crate::entry::Entry;
use crate::fixtures::shared::{EPOCH, Shared, TERMS, ed25519, name, seal, voter};
use crate::member::motion::{Motion, MotionError};
use crate::rules::verify_signatures;

fn motion(shared: &Shared, change: Change) -> Motion {
    Motion::new(&shared.genesis.registry(), 3, change).unwrap()
}

/// The draft with the signatures of these, each of whom reads the file that the last one wrote.
fn passed(shared: &Shared, motion: &Motion, names: &[&str]) -> Motion {
    let registry = shared.genesis.registry();
    names.iter().fold(motion.clone(), |motion, country| {
        let read = Motion::parse(&motion.to_toml()).unwrap();
        let (signed, by) = read.signed(&shared.seals[country], &registry, 3).unwrap();
        assert_eq!(by, name(country));
        signed
    })
}

#[test]
fn every_change_is_read_as_it_was_written() {
    let shared = Shared::new();
    let dk = || name("DK");
    let old = Raw32(shared.seals["DK"].certificate().fingerprint().0);
    let renewed = EvidenceKey::of(seal("DK", &rcgen::PKCS_ECDSA_P384_SHA384).certificate(), 0);
    let joining = voter("FI", &seal("FI", &rcgen::PKCS_ED25519))
        .with_ml_dsa_44(vec![5; 1312])
        .with_measurement(vec![6; 48]);
    let address = Address::parse("[::1]:1").unwrap();
    for change in [
        Change::Join(Box::new(joining.clone())),
        Change::Join(Box::new(joining.observing())),
        Change::Leave(dk()),
        Change::Observe(dk()),
        Change::ConsensusKey(dk(), Raw32(ed25519())),
        Change::EvidenceKey(dk(), renewed.unwrap()),
        Change::Cosigner(dk(), Raw32(ed25519()), None),
        Change::Cosigner(dk(), Raw32(ed25519()), Some(Raw(vec![7; 1312]))),
        Change::Measurement(dk(), Some(Raw(vec![8; 32]))),
        Change::Address(dk(), address),
        Change::Terms(Terms { key_blocks: 99, ..TERMS }),
    ] {
        let motion = motion(&shared, change);
        let text = motion.to_toml();
        assert_eq!(Motion::parse(&text).as_ref(), Ok(&motion), "{text}");
        let digest = raw::hex(&motion.statement().digest());
        assert!(text.contains(&format!("# digest: {digest}")), "{text}");
    }
    // of an observer, none where there was one, and the old seal after the new one
    let statement = |change| govern::Statement::written([9; 32], 7, change);
    let retire = Change::RetireKey(dk(), old, 0);
    for change in [Change::Vote(dk()), Change::Measurement(dk(), None), retire] {
        let motion = Motion::of(statement(change));
        assert_eq!(Motion::parse(&motion.to_toml()), Ok(motion));
    }
}

#[test]
fn a_draft_goes_from_member_to_member_and_a_quorum_makes_it_an_entry() {
    let shared = Shared::new();
    let registry = shared.genesis.registry();
    let draft = motion(&shared, Change::Leave(name("IT")));
    for (by, lacks) in [(&[][..], 3), (&["ES"], 2), (&["ES", "DK"], 1), (&["ES", "DK", "EU"], 0)] {
        let standing = passed(&shared, &draft, by).standing(&registry, 3).unwrap();
        assert_eq!((standing.lacks(), standing.quorum), (lacks, 3));
        assert_eq!(standing.missing.len(), 4 - by.len());
        assert!(standing.missing.contains(&name("IT")), "who leaves may sign too");
    }
    let signed = passed(&shared, &draft, &["ES", "DK", "EU"]);
    let entry = signed.entry().unwrap();
    assert_eq!(Entry::decode(entry.encode()).as_ref(), Ok(&entry));
    assert_eq!(verify_signatures(&registry, 3, &[entry]), [Ok(())]);
    // signed apart, and put together
    let apart = ["EU", "DK", "ES"].map(|country| passed(&shared, &draft, &[country]));
    let joined = apart.into_iter().reduce(|one, other| one.joined(other).unwrap()).unwrap();
    assert_eq!(joined.clone().joined(signed).unwrap(), joined, "each once");
    // P-256 signs with chance: not the same bytes, and the same members
    let entry = joined.entry().unwrap();
    assert_eq!(verify_signatures(&registry, 3, &[entry]), [Ok(())]);
    let other = motion(&shared, Change::Leave(name("ES")));
    assert_eq!(joined.joined(other), Err(MotionError::Copy));
}

#[test]
fn whoever_changes_a_word_spoils_the_signatures() {
    let shared = Shared::fast();
    let registry = shared.genesis.registry();
    let change = Change::Join(Box::new(voter("FI", &seal("FI", &rcgen::PKCS_ED25519))));
    let signed = passed(&shared, &motion(&shared, change), &["DK"]);
    let text = signed.to_toml();
    let altered = |from: &str, to: &str| {
        let changed = text.replacen(from, to, 1);
        assert_ne!(changed, text, "{from}");
        Motion::parse(&changed)
    };
    for (from, to) in [
        ("fi.example:9000", "evil.example:9000"),
        ("voting = true", "voting = false"),
        ("sequence = 1", "sequence = 2"),
        ("from = 0", "from = 1"),
    ] {
        assert_eq!(altered(from, to), Err(MotionError::Altered(name("DK"))), "{from}");
    }
    for (from, to) in [
        ("voting = true", "voting = true\ncontact = \"Agnete\""),
        ("[change.join]", "[change.joins]"),
        ("konfido-ledger-motion/1", "konfido-ledger-motion/2"),
    ] {
        assert!(matches!(altered(from, to), Err(MotionError::File(_))), "{from}");
    }
    // a comment is not signed, and somebody else's name does not help
    assert_eq!(altered("# Compare", "# Do not compare"), Ok(signed));
    let renamed = altered("by = \"DK\"", "by = \"ES\"").unwrap();
    let wrong = renamed.standing(&registry, 3);
    assert_eq!(wrong, Err(MotionError::Signature(name("ES"))));
}

#[test]
fn who_may_not_sign_is_told_why() {
    let shared = Shared::new();
    let registry = shared.genesis.registry();
    let draft = motion(&shared, Change::Leave(name("IT")));
    let stranger = seal("SE", &rcgen::PKCS_ED25519);
    let fingerprint = raw::hex(&stranger.certificate().fingerprint().0);
    let sign = |seal, registry: &Registry, height| draft.clone().signed(seal, registry, height);
    assert_eq!(sign(&stranger, &registry, 3), Err(MotionError::Stranger(fingerprint)));
    let twice = passed(&shared, &draft, &["DK"]).signed(&shared.seals["DK"], &registry, 3);
    assert_eq!(twice.err(), Some(MotionError::Twice(name("DK"))));
    // in a ledger that went on
    let after = draft.applied(&registry, 3).unwrap();
    assert_eq!(sign(&shared.seals["DK"], &after, 4).err(), Some(MotionError::Made(1)));
    let second = Motion::new(&after, 4, Change::Leave(name("EU"))).unwrap();
    let early = second.signed(&shared.seals["DK"], &registry, 4);
    assert_eq!(early.err(), Some(MotionError::Early { asked: 2, next: 1 }));
    let members = shared.genesis.roll().members().to_vec();
    let other = Genesis::new("other.example", EPOCH, TERMS, members).unwrap().registry();
    assert!(matches!(sign(&shared.seals["DK"], &other, 3), Err(MotionError::Ledger { .. })));
    // an observer, one that was made to leave, and a key whose time is over
    let observing = registry.changed(3, &Change::Observe(name("ES"))).unwrap();
    let left = observing.changed(3, &Change::Leave(name("IT"))).unwrap();
    let old = Raw32(shared.seals["DK"].certificate().fingerprint().0);
    let renewed = seal("DK", &rcgen::PKCS_ED25519);
    let key = EvidenceKey::of(renewed.certificate(), 0).unwrap();
    let after = left.changed(3, &Change::EvidenceKey(name("DK"), key)).unwrap();
    let after = after.changed(3, &Change::RetireKey(name("DK"), old, EPOCH + 5)).unwrap();
    let third = Motion::new(&after, EPOCH, Change::Vote(name("ES"))).unwrap();
    let sign = |seal, height| third.clone().signed(seal, &after, height).err();
    assert_eq!(sign(&shared.seals["ES"], EPOCH), Some(MotionError::Voteless(name("ES"))));
    let evicted = sign(&shared.seals["IT"], EPOCH);
    assert!(matches!(evicted, Some(MotionError::Stranger(_))), "{evicted:?}");
    assert_eq!(sign(&shared.seals["DK"], EPOCH + 4), None);
    let expired = sign(&shared.seals["DK"], EPOCH + 5);
    assert!(matches!(expired, Some(MotionError::Expired { until, .. }) if until == EPOCH + 5));
    assert_eq!(sign(&renewed, EPOCH + 5), None);
    // a signature that was good when it was made, and is not any more
    let by_it = passed(&shared, &draft, &["IT"]);
    assert!(matches!(by_it.standing(&after, EPOCH), Err(MotionError::Stranger(_))));
}
