//! Receipts of the shared ledger: what holds, and who is told what when something does not.

use exchange::SystemEntropy;

use super::*;
use crate::fixtures::{Exchange, World};
use crate::policy::tests::{Member, ORIGIN, checkpoint, members, policy, signed_at};
use crate::proof::tests::Leaves;
use crate::timestamp::TimeStampRequest;
use crate::timestamp::tests::{Authority, Slip};
use crate::tree;

struct Desk {
    world: World,
    exchange: Exchange,
    members: Vec<Member>,
    policy: String,
    entry: Vec<u8>,
    proof: Proof,
}

fn entry(kind: u8, body: &[u8]) -> Vec<u8> {
    let length = u16::try_from(body.len()).unwrap().to_be_bytes();
    let mut entry = [&[1, kind], &length[..], body].concat();
    entry.resize(entry.len().next_multiple_of(256), 0);
    entry
}

impl Desk {
    fn new(lasting: bool) -> Self {
        let world = World::new();
        let exchange = world.exchange();
        let entry = entry(1, &world.settle(&exchange).signed);
        Self::of(world, exchange, entry, lasting)
    }

    fn of(world: World, exchange: Exchange, entry: Vec<u8>, lasting: bool) -> Self {
        let members = members(4);
        let policy = policy(&members, 3, lasting);
        let mut tree = Leaves(vec![vec![1], vec![2], entry.clone(), vec![4], vec![5]]);
        let Ok(root) = tree::root(&mut tree, 0, 5);
        let Ok(path) = tree::inclusion(&mut tree, 2, 5);
        let both = members[1..].iter().flat_map(|m| [&m.classic, &m.lasting]);
        let now = u64::try_from(world.now.as_second()).unwrap();
        let signed = signed_at(now, checkpoint(5, root), &members[2].log, both);
        let proof = Proof { extra: None, index: 2, path, checkpoint: signed.to_string() };
        Self { world, exchange, members, policy, entry, proof }
    }

    fn bundle(&self) -> Bundle {
        let signers = [self.world.dk.certificate(), self.world.es.certificate()];
        let bundle = Bundle::new(&self.entry, self.world.now, &signers, &self.proof, &self.policy);
        bundle.showing(&self.exchange.asked, &[Field::Patient, Field::Purpose])
    }

    fn reader(&self) -> Reader<'_> {
        Reader { anchors: Some(&self.world.anchors), ..Reader::default() }
    }
}

fn found<'r>(report: &'r Report, what: &str) -> Vec<&'r str> {
    report.findings.iter().filter(|row| row.0 == what).map(|row| row.1.as_str()).collect()
}

fn step(verdict: Result<Report, Unbelieved>) -> Option<Step> {
    verdict.err().map(|error| error.step)
}

#[test]
fn a_receipt_of_the_ledger_says_what_was_found_true() {
    let desk = Desk::new(false);
    let file = desk.bundle().to_json();
    assert!(Bundle::is_named_in(&file));
    let policy = Policy::parse(desk.policy.as_bytes()).unwrap();
    let reader = Reader { policy: Some(&policy), origin: Some(ORIGIN), ..desk.reader() };
    let report = verify(&[&file[..], b"\n"].concat(), reader).unwrap();
    assert_eq!(found(&report, "countries"), ["ES asked DK"]);
    assert_eq!(found(&report, "entry"), ["evidence that both countries signed"]);
    assert_eq!(found(&report, "in the ledger"), ["konfido.example/ledger, entry 2 of 5"]);
    assert_eq!(found(&report, "block"), ["9"]);
    assert_eq!(found(&report, "policy"), ["members (3 of 4), the reader's"]);
    assert_eq!(found(&report, "cosigned by").len(), 3);
    assert_eq!(found(&report, "patient"), ["patient of Agnete"]);
    assert!(found(&report, "professional").is_empty(), "only what was shown");
    assert!(!String::from_utf8(file.clone()).unwrap().contains("professional of Agnete"));
    // without a policy of the reader's it holds, and says how little that is
    let report = verify(&file, desk.reader()).unwrap();
    assert!(found(&report, "policy")[0].contains("the receipt's own"));
}

#[test]
fn the_step_that_fails_is_named() {
    let desk = Desk::new(false);
    let file = desk.bundle().to_json();
    let text = String::from_utf8(file.clone()).unwrap();
    let with = |bundle: Bundle| step(verify(&bundle.to_json(), desk.reader()));
    assert_eq!(step(verify(&file, Reader::default())), Some(Step::Statement), "no roots");
    let others = World::new();
    let reader = Reader { anchors: Some(&others.anchors), ..Reader::default() };
    assert_eq!(step(verify(&file, reader)), Some(Step::Statement), "other roots");
    assert_eq!(step(verify(text.replace(": 2", ":2").as_bytes(), desk.reader())), None);
    let edited = text.replace("\",\n", "\" ,\n");
    assert_eq!(step(verify(edited.as_bytes(), desk.reader())), Some(Step::File), "layout");
    assert_eq!(step(verify(b"{}", desk.reader())), Some(Step::File));
    assert_eq!(step(verify(&vec![b' '; LARGEST + 1], desk.reader())), Some(Step::File));
    let changed = |change: fn(&mut Bundle)| {
        let mut bundle = desk.bundle();
        change(&mut bundle);
        with(bundle)
    };
    assert_eq!(changed(|_| ()), None);
    assert_eq!(changed(|b| b.format = "konfido-receipt/3".into()), Some(Step::File));
    assert_eq!(changed(|b| b.entry = "?".into()), Some(Step::File));
    assert_eq!(changed(|b| drop(b.certificates.pop())), Some(Step::Statement));
    assert_eq!(changed(|b| b.time += SignedDuration::from_mins(6)), Some(Step::Statement));
    assert_eq!(changed(|b| b.policy = "quorum nobody".into()), Some(Step::Policy));
    assert_eq!(changed(|b| b.proof.push(' ')), Some(Step::Ledger));
    assert_eq!(changed(|b| b.disclosed[0].value.push('x')), Some(Step::Disclosed));
    assert_eq!(changed(|b| b.disclosed[0].field = "answer".into()), Some(Step::Disclosed));
    // another ledger than the reader knows, members whom he does not know, curves that he does not believe
    let reader = Reader { origin: Some("other.example"), ..desk.reader() };
    assert_eq!(step(verify(&file, reader)), Some(Step::Ledger));
    let strangers = Policy::parse(policy(&members(4), 3, false).as_bytes()).unwrap();
    let reader = Reader { policy: Some(&strangers), ..desk.reader() };
    assert_eq!(step(verify(&file, reader)), Some(Step::Ledger));
    let lasting = Policy::parse(policy(&desk.members, 3, true).as_bytes()).unwrap();
    let reader = Reader { policy: Some(&lasting), ..desk.reader() };
    assert_eq!(step(verify(&file, reader)), None);
    let four = Policy::parse(policy(&desk.members, 4, true).as_bytes()).unwrap();
    let error = verify(&file, Reader { policy: Some(&four), ..desk.reader() }).unwrap_err();
    assert!(error.to_string().starts_with("ledger: the quorum"), "{error}");
    assert!(error.to_string().ends_with("ask another member"), "{error}");
}

#[test]
fn no_byte_of_what_is_signed_can_change() {
    let desk = Desk::new(false);
    let file = desk.bundle().to_json();
    let policy = Policy::parse(desk.policy.as_bytes()).unwrap();
    let reader = Reader { policy: Some(&policy), ..desk.reader() };
    let genuine = |mut report: Report| {
        // stated by who exports, signed by nobody
        report.findings.retain(|row| row.0 != "time");
        report.findings
    };
    let before = genuine(verify(&file, reader).unwrap());
    for at in (0..file.len()).step_by(3) {
        let mut changed = file.clone();
        changed[at] ^= 1;
        let after = verify(&changed, reader).map(genuine);
        assert!(after.is_err() || after.as_ref().ok() == Some(&before), "byte {at}: {after:?}");
    }
}

#[test]
fn half_evidence_shows_its_deadline_and_other_entries_have_no_receipt() {
    let world = World::new();
    let exchange = world.exchange();
    let payload = [&77_u64.to_be_bytes(), &exchange.answer[..]].concat();
    let body = trust::cose::sign(&world.dk, &payload, b"konfido-half/1").unwrap();
    let desk = Desk::of(world, exchange, entry(2, &body), false);
    let alone = |desk: &Desk, signer: &Certificate| {
        let (now, proof) = (desk.world.now, &desk.proof);
        let bundle = Bundle::new(&desk.entry, now, &[signer], proof, &desk.policy);
        verify(&bundle.to_json(), desk.reader())
    };
    let report = alone(&desk, desk.world.dk.certificate()).unwrap();
    assert_eq!(found(&report, "deadline"), ["block 77"]);
    assert_eq!(found(&report, "note"), ["one-sided: the requester's receipt is missing"]);
    assert_eq!(step(alone(&desk, desk.world.es.certificate())), Some(Step::Statement));
    let Desk { world, exchange, .. } = desk;
    let desk = Desk::of(world, exchange, entry(4, &[7; 16]), false);
    let said = alone(&desk, desk.world.dk.certificate()).unwrap_err().to_string();
    assert!(said.contains("check its .tlog-proof instead"), "{said}");
    // which can be done with a policy, and without roots
    let policy = Policy::parse(desk.policy.as_bytes()).unwrap();
    let reader = Reader { policy: Some(&policy), ..Reader::default() };
    let proof = desk.proof.to_string();
    let report = verify_proof(proof.as_bytes(), &desk.entry, reader).unwrap();
    assert!(found(&report, "entry")[0].starts_with("a deadline that passed"));
    assert_eq!(step(verify_proof(proof.as_bytes(), b"other", reader)), Some(Step::Ledger));
    assert_eq!(step(verify_proof(b"nothing", &desk.entry, reader)), Some(Step::File));
    let verdict = verify_proof(proof.as_bytes(), &desk.entry, Reader::default());
    assert_eq!(step(verdict), Some(Step::Policy));
}

#[test]
fn a_time_stamp_is_over_this_very_checkpoint() {
    let desk = Desk::new(false);
    let authority = Authority::new();
    let roots = authority.anchors();
    let stamp = |over: [u8; 32]| {
        let request = TimeStampRequest::new(over, &SystemEntropy);
        TimeStampRequest::token(&authority.answer(&request, Slip::default())).unwrap()
    };
    let reader = Reader { authorities: Some(&roots), ..desk.reader() };
    let stamped = desk.bundle().stamped(&stamp(imprint(&desk.proof.checkpoint)));
    let report = verify(&stamped.to_json(), reader).unwrap();
    assert!(found(&report, "time-stamp")[0].contains("CN=stamps"));
    let unchecked = verify(&stamped.to_json(), desk.reader()).unwrap();
    assert!(found(&unchecked, "time-stamp")[0].contains("not checked"));
    let verdict = |bundle: Bundle| step(verify(&bundle.to_json(), reader));
    assert_eq!(verdict(desk.bundle()), Some(Step::TimeStamp), "none");
    assert_eq!(verdict(desk.bundle().stamped(&stamp([1; 32]))), Some(Step::TimeStamp));
    let both = stamped.stamped(&stamp([1; 32]));
    assert_eq!(verdict(both), Some(Step::TimeStamp), "each must hold");
}

#[test]
fn a_bare_proof_with_a_stamp_is_held_to_it_by_who_knows_authorities() {
    let desk = Desk::new(false);
    let (authority, policy) = (Authority::new(), Policy::parse(desk.policy.as_bytes()).unwrap());
    let stamp = |over: [u8; 32]| {
        let request = TimeStampRequest::new(over, &SystemEntropy);
        let token = TimeStampRequest::token(&authority.answer(&request, Slip::default())).unwrap();
        Some(token.der().to_vec())
    };
    let roots = authority.anchors();
    let with = |extra: Option<Vec<u8>>, authorities| {
        let proof = Proof { extra, ..desk.proof.clone() };
        let reader = Reader { policy: Some(&policy), authorities, ..Reader::default() };
        verify_proof(proof.to_string().as_bytes(), &desk.entry, reader)
    };
    let good = stamp(imprint(&desk.proof.checkpoint));
    assert!(
        found(&with(good.clone(), Some(&roots)).unwrap(), "time-stamp")[0].contains("CN=stamps")
    );
    assert!(found(&with(good.clone(), None).unwrap(), "time-stamp")[0].contains("not checked"));
    let strangers = Authority::new().anchors();
    for (extra, roots, what) in [
        (None, &roots, "no stamp"),
        (stamp([1; 32]), &roots, "of another checkpoint"),
        (Some(b"anything".to_vec()), &roots, "no stamp, but something else"),
        (good, &strangers, "of an authority that the reader does not know"),
    ] {
        assert_eq!(step(with(extra, Some(roots))), Some(Step::TimeStamp), "{what}");
    }
    // without roots, extra data of others is none of our business
    let report = with(Some(b"anything".to_vec()), None).unwrap();
    assert!(found(&report, "time-stamp").is_empty());
}
