//! Policies as files, and checkpoints under them.

use std::sync::Arc;

use trust::seal::SigningKey;

use super::*;
use crate::cosign::{Cosigner, HeldEd25519, MlDsaKey};

pub(crate) const ORIGIN: &str = "konfido.example/ledger";
pub(crate) const NOW: u64 = 1_795_000_000;

/// A member of the ledger with both its keys; its Ed25519 key may sign as the log.
pub(crate) struct Member {
    pub name: String,
    pub log: Cosigner,
    pub classic: Cosigner,
    pub lasting: Cosigner,
}

pub(crate) fn members(count: u8) -> Vec<Member> {
    (0..count)
        .map(|n| {
            let signing = SigningKey::from_ed25519(&SigningKey::new_ed25519().unwrap()).unwrap();
            let signing = Arc::new(signing);
            let lasting = MlDsaKey::from_seed(&[n; 32]).unwrap();
            let name = format!("m{n}.example/konfido");
            let key = |name, kind| VerifierKey::new(name, kind, signing.public()).unwrap();
            let held = || Arc::new(HeldEd25519(Arc::clone(&signing) as _));
            let log = Cosigner::new(key(ORIGIN, Kind::Log), held()).unwrap();
            let classic = Cosigner::new(key(&name, Kind::Ed25519), held()).unwrap();
            let key = VerifierKey::new(&name, Kind::MlDsa44, lasting.public()).unwrap();
            let lasting = Cosigner::new(key, Arc::new(lasting)).unwrap();
            Member { name: format!("m{n}"), log, classic, lasting }
        })
        .collect()
}

pub(crate) fn policy(members: &[Member], threshold: usize, lasting: bool) -> String {
    let keys = members.iter().map(|member| {
        let both = [Some(&member.classic), lasting.then_some(&member.lasting)];
        (member.name.clone(), both.into_iter().flatten().map(|c| c.key().clone()).collect())
    });
    let logs = members.iter().map(|member| member.log.key().clone()).collect();
    Policy::of_members(&Members { logs, keys: keys.collect(), threshold })
}

pub(crate) fn checkpoint(size: u64, root: [u8; 32]) -> Checkpoint {
    let lines = vec![crate::checkpoint::BlockLine { height: 9, digest: [9; 32] }.to_string()];
    Checkpoint { origin: ORIGIN.into(), size, root, lines }
}

/// Signed by the first member as the log, and by these cosigners.
pub(crate) fn signed<'c>(
    checkpoint: Checkpoint,
    log: &Cosigner,
    cosigners: impl IntoIterator<Item = &'c Cosigner>,
) -> SignedCheckpoint {
    signed_at(NOW, checkpoint, log, cosigners)
}

/// The same at another time.
pub(crate) fn signed_at<'c>(
    time: u64,
    checkpoint: Checkpoint,
    log: &Cosigner,
    cosigners: impl IntoIterator<Item = &'c Cosigner>,
) -> SignedCheckpoint {
    let mut signed = SignedCheckpoint::new(checkpoint.clone());
    assert!(signed.add(log.sign(&checkpoint, time).unwrap()));
    for cosigner in cosigners {
        assert!(signed.add(cosigner.sign(&checkpoint, time).unwrap()));
    }
    signed
}

#[test]
fn three_of_four_are_a_quorum_and_two_are_not() {
    let four = members(4);
    let policy = Policy::parse(policy(&four, 3, false).as_bytes()).unwrap();
    assert_eq!(policy.quorum(), "members (3 of 4)");
    for present in 0..16_u32 {
        let who = (0..4).filter(|n| present & (1 << n) != 0).map(|n| &four[n].classic);
        let note = signed(checkpoint(5, [5; 32]), &four[0].log, who).to_string();
        let verdict = policy.verify(&note, None);
        if present.count_ones() >= 3 {
            let agreed = verdict.unwrap();
            assert_eq!(agreed.checkpoint(), &checkpoint(5, [5; 32]));
            assert_eq!(agreed.log(), Some(four[0].log.key()));
            assert_eq!(agreed.cosigned().len(), present.count_ones() as usize);
            assert!(agreed.cosigned().iter().all(|c| c.time == Some(NOW)));
        } else {
            let signed = present.count_ones() as usize;
            let quorum = "members (3 of 4)".to_owned();
            assert_eq!(verdict, Err(PolicyError::Quorum { quorum, signed, known: 4 }));
        }
    }
}

#[test]
fn a_policy_can_ask_for_signatures_that_outlive_the_curves() {
    let four = members(4);
    let text = policy(&four, 3, true);
    let lasting = Policy::parse(text.as_bytes()).unwrap();
    let classic = || four.iter().map(|m| &m.classic);
    let only_classic = signed(checkpoint(5, [5; 32]), &four[0].log, classic()).to_string();
    let verdict = lasting.verify(&only_classic, None);
    assert!(matches!(verdict, Err(PolicyError::Quorum { signed: 4, known: 8, .. })));
    let two = signed(
        checkpoint(5, [5; 32]),
        &four[0].log,
        classic().chain(four[..2].iter().map(|m| &m.lasting)),
    );
    assert!(lasting.verify(&two.to_string(), None).is_err());
    let three = four[1..].iter().flat_map(|m| [&m.classic, &m.lasting]);
    let note = signed(checkpoint(5, [5; 32]), &four[3].log, three).to_string();
    let agreed = lasting.verify(&note, None).unwrap();
    let count = agreed.cosigned().iter().filter(|c| c.kind == Kind::MlDsa44).count();
    assert_eq!((count, agreed.log()), (3, Some(four[3].log.key())));
    // who asks for the classic ones only accepts the same note
    let plain = Policy::parse(policy(&four, 3, false).as_bytes()).unwrap();
    assert!(plain.verify(&note, None).is_ok());
}

#[test]
fn who_signed_what_is_not_mixed_up() {
    let four = members(4);
    let text = policy(&four, 3, false);
    let read = Policy::parse(text.as_bytes()).unwrap();
    let all = || four.iter().map(|m| &m.classic);
    let good = signed(checkpoint(5, [5; 32]), &four[0].log, all());
    assert!(read.verify(&good.to_string(), Some(ORIGIN)).is_ok());
    let other = Err(PolicyError::Origin { found: ORIGIN.into() });
    assert_eq!(read.verify(&good.to_string(), Some("other.example")), other);
    // strangers are ignored, whatever they say
    let strangers = members(5);
    let mut crowd = good.clone();
    assert!(crowd.add(strangers[4].classic.sign(&checkpoint(6, [6; 32]), NOW).unwrap()));
    assert!(read.verify(&crowd.to_string(), None).is_ok());
    // no log
    let nobody = signed(checkpoint(5, [5; 32]), &strangers[0].log, all());
    assert_eq!(read.verify(&nobody.to_string(), None), Err(PolicyError::Log));
    // without log lines the reader must know the name
    let bare: String =
        text.lines().filter(|l| !l.starts_with("log ")).map(|l| format!("{l}\n")).collect();
    let bare = Policy::parse(bare.as_bytes()).unwrap();
    assert_eq!(bare.verify(&good.to_string(), None), Err(PolicyError::NoOrigin));
    assert_eq!(bare.verify(&good.to_string(), Some(ORIGIN)).unwrap().log(), None);
    assert!(bare.verify(&good.to_string(), Some("other.example")).is_err());
    // a member's signature of another checkpoint spoils it, even if there are enough others
    let mut spoilt =
        signed(checkpoint(5, [5; 32]), &four[0].log, four[..3].iter().map(|m| &m.classic));
    assert!(spoilt.add(four[3].classic.sign(&checkpoint(6, [6; 32]), NOW).unwrap()));
    let verdict = read.verify(&spoilt.to_string(), None);
    let (name, why) = ("m3.example/konfido".to_owned(), KeyError::Signature);
    assert_eq!(verdict, Err(PolicyError::Signature { name, why }));
}

#[test]
fn groups_of_groups_count_as_the_specification_says() {
    let m = members(6);
    let witness = |n: usize| format!("witness w{n} {}\n", m[n].classic.key());
    let text = format!(
        "# three and three\n\nlog {} https://log.example/\n{}\tgroup X  2 w0 w1 w2\ngroup Y any w3 w4 w5 \n group both all X Y\nquorum both\n",
        m[0].log.key(),
        (0..6).map(witness).collect::<String>()
    );
    let policy = Policy::parse(text.as_bytes()).unwrap();
    for present in 0..64_u32 {
        let has = |n: u32| present & (1 << n) != 0;
        let who = (0..6).filter(|n| has(*n)).map(|n| &m[n as usize].classic);
        let note = signed(checkpoint(1, [1; 32]), &m[0].log, who).to_string();
        let expected = (present & 7).count_ones() >= 2 && present >> 3 != 0;
        assert_eq!(policy.verify(&note, None).is_ok(), expected, "{present:06b}");
    }
    let single = format!("{}quorum w0\n", witness(0));
    let single = Policy::parse(single.as_bytes()).unwrap();
    let note = signed(checkpoint(1, [1; 32]), &m[0].log, [&m[0].classic]).to_string();
    assert!(single.verify(&note, Some(ORIGIN)).is_ok());
    let none = Policy::parse(format!("log {}\nquorum none", m[0].log.key()).as_bytes()).unwrap();
    let note = signed(checkpoint(1, [1; 32]), &m[0].log, []).to_string();
    assert!(none.verify(&note, None).is_ok());
}

#[test]
fn a_faulty_policy_is_refused_at_its_line() {
    let m = members(2);
    let (w0, w1) = (m[0].classic.key().to_string(), m[1].classic.key().to_string());
    let log = m[0].log.key().to_string();
    let renamed = VerifierKey::new("other", Kind::Ed25519, m[0].classic.key().public()).unwrap();
    let many: String = (0..=128)
        .map(|n: u32| {
            let key = [&n.to_be_bytes()[..], &[1; 28]].concat();
            format!("log {}\n", VerifierKey::new("x", Kind::Log, &key).unwrap())
        })
        .collect();
    for (text, line, what) in [
        (String::new(), 1, "no quorum"),
        ("quorum a\n".into(), 1, "not defined"),
        ("quorum none\nquorum none\n".into(), 2, "quorum line above"),
        ("\n\nquorum\n".into(), 3, "words"),
        ("witnes a b\n".into(), 1, "no kind of line"),
        (format!("witness a {w0} u v\n"), 1, "words"),
        (format!("witness a {w0}\nwitness a {w1}\n"), 2, "taken"),
        (format!("witness none {w0}\n"), 1, "taken"),
        (format!("witness a {w0}\nwitness b {w0}\n"), 2, "with this key"),
        (format!("witness a {w0}\nwitness b {renamed}\n"), 2, "with this key"),
        (format!("log {log}\nlog {log}\n"), 2, "with this key"),
        (format!("log {w0}\n"), 1, "cannot stand here"),
        (format!("witness a {log}\n"), 1, "cannot stand here"),
        ("witness a a+00000000+AAAA\n".into(), 1, "kind"),
        (format!("witness a {w0}\ngroup g 2 a\n"), 2, "2 of 1"),
        (format!("witness a {w0}\ngroup g 0 a\n"), 2, "0 of 1"),
        (format!("witness a {w0}\ngroup g 01 a\n"), 2, "no number"),
        (format!("witness a {w0}\ngroup g all\n"), 2, "0 of 0"),
        (format!("witness a {w0}\ngroup g all b\n"), 2, "not defined"),
        (format!("witness a {w0}\ngroup g any a a\n"), 2, "in a group already"),
        (format!("witness a {w0}\ngroup g any a\ngroup h any a\n"), 3, "in a group already"),
        (format!("witness a {w0}\ngroup a any a\n"), 2, "taken"),
        ("group g any none\n".into(), 1, "not defined"),
        ("# \u{1}\n".into(), 1, "control"),
        ("quorum none\r\n".into(), 1, "control"),
        (many, 129, "more than 128"),
        ("#".repeat(600_000), 1, "too large"),
    ] {
        let fault = Policy::parse(text.as_bytes()).unwrap_err();
        assert_eq!(fault.line, line, "{text}: {fault}");
        assert!(fault.what.contains(what), "{text}: {fault}");
    }
    assert!(Policy::parse(b"# \xff\nquorum none\n").is_err());
}
