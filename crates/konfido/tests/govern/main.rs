//! A ledger from its first key on, as docs/ledger.md tells an operator: four members begin it, a fifth
//! joins, changes its key after its log was lost, one is removed. Each is a process of its own.

mod circle;
#[path = "../left/mod.rs"]
mod left;
mod refusals;

use std::cell::RefCell;
use std::fs;
use std::path::Path;
use std::process::Command;

use ledger::entry::Entry;
use ledger::line::Answer;
use ledger::member::{Genesis, Motion};
use ledger::policy::Policy;
use ledger::store::Store;

use circle::{Circle, Member, refused};
use left::{configure, konfido, printed};
use refusals::{elsewhere, evicted, too_few};

const FIRST: [&str; 4] = ["DK", "ES", "IT", "EU"];
const ALL: [&str; 5] = ["DK", "ES", "IT", "EU", "FI"];
/// Blocks of an epoch here: some seconds.
const EPOCH: u64 = 8;

#[test]
fn members_join_change_keys_and_leave() {
    let mut circle = begun();
    too_few(&circle);
    joined(&mut circle);
    let five = cosigned(&circle);
    set_back(&mut circle);
    renewed(&mut circle);
    observed(&circle);
    removed(&circle);
    evicted(&circle, &five);
    elsewhere(&circle);
    ended(&mut circle);
}

/// "Starting a ledger".
fn begun() -> Circle {
    let mut circle = Circle::new(&ALL);
    circle.member("DK").certify_node();
    let parts: Vec<_> = FIRST.map(|name| circle.member(name).keygen("keys")).into();
    // the first member's file, with the others' parts behind it
    let mut genesis = parts[0].replace("epoch_length = 4096", &format!("epoch_length = {EPOCH}"));
    for part in &parts[1..] {
        genesis.push_str(&part[part.find("[[member]]").expect("a part")..]);
    }
    let file = circle.genesis();
    fs::write(&file, genesis).expect("written");
    for name in FIRST {
        let member = circle.member(name);
        let (key, seal) = (member.path("seal.key"), member.path("seal.pem"));
        let signed = ["ledger", "genesis", &file, "--key", &key, "--seal", &seal];
        let said = printed(&konfido(&signed));
        assert!(said.contains("quorum   3 of 4"), "{said}");
    }
    let said = printed(&konfido(&["ledger", "genesis", &file]));
    assert!(!said.contains("not signed"), "{said}");
    for name in FIRST {
        circle.member(name).configure(&file, "keys");
        circle.member_mut(name).start();
    }
    circle.until(&FIRST, "the others", |status| {
        status["height"].as_u64() >= Some(2) && status["online"].as_array().map(Vec::len) == Some(4)
    });
    let said = printed(&circle.member("DK").ledger(&["status"]));
    assert!(said.contains("ledger.konfido.example") && said.contains("DK, ES, EU, IT"), "{said}");
    let policy = printed(&konfido(&["ledger", "policy", "--genesis", &file]));
    assert_eq!(policy, printed(&circle.member("ES").ledger(&["policy"])));
    assert!(policy.contains("group members 3 DK ES EU IT"), "{policy}");
    circle
}

/// The quorum signs; the fifth starts, and holds what all hold.
fn joined(circle: &mut Circle) {
    let draft = circle.passed("join.toml");
    printed(&circle.member("ES").sign(&draft));
    let socket = circle.member("EU").socket();
    let said = printed(&konfido(&["ledger", "govern", "submit", &draft, "--validator", &socket]));
    assert!(said.contains("final") && said.contains("quorum     4 of 5"), "{said}");
    let height = force(&said);
    let file = circle.genesis();
    circle.member("FI").configure(&file, "keys");
    circle.member_mut("FI").start();
    circle.until_height(&ALL, height + 1);
    let root = |name: &str| circle.member(name).status().expect("a status")["root"].clone();
    assert_eq!(root("FI"), root("DK"));
    let members = printed(&circle.member("FI").ledger(&["members"]));
    assert!(members.contains("FI\tvotes"), "{members}");
}

/// The fifth signs a change, and its cosignature stands under the next checkpoint.
fn cosigned(circle: &Circle) -> String {
    let draft = circle.passed("vault.toml");
    let measurement = "5a".repeat(32);
    let asked = ["govern", "draft", "measurement", "FI", "--measurement", &measurement];
    let fi = circle.member("FI");
    printed(&fi.ledger(&[&asked[..], &["--out", &draft]].concat()));
    // each signs a copy of its own
    let copies = ["FI", "DK", "ES", "EU"].map(|name| {
        let copy = circle.passed(&format!("vault-{name}.toml"));
        fs::copy(&draft, &copy).expect("copied");
        let member = circle.member(name);
        if name == "DK" {
            // by the seal of its node, wherever that is kept
            let node = configure(&member.folder, "DK", "1.2.208");
            let said = member.ledger(&["govern", "sign", &copy, "--node", &node]);
            assert!(String::from_utf8_lossy(&said.stderr).contains("signed as DK"), "{said:?}");
        } else {
            printed(&member.sign(&copy));
        }
        copy
    });
    let all: Vec<_> = copies.iter().map(String::as_str).collect();
    let said = refused(&fi.ledger(&[&["govern", "submit"], &all[1..]].concat()));
    assert!(said.contains("3 of 4 signatures are there (DK, ES, EU); 1 more"), "{said}");
    printed(&fi.ledger(&[&["govern", "submit"], &all[..]].concat()));
    // also the last of the five comes under it
    let seen = RefCell::new(String::new());
    circle.until(&["DK"], "five cosignatures", |_| {
        let note = circle.member("DK").checkpoint();
        let five =
            ALL.iter().all(|name| note.contains(&format!("— ledger.konfido.example/{name} ")));
        *seen.borrow_mut() = note;
        five
    });
    // the one that was seen: the next one has fewer until all have signed it
    let note = seen.into_inner();
    assert_eq!(witnesses(&policy(circle.member("DK")), &note), ["DK", "ES", "EU", "FI", "IT"]);
    note
}

/// The fifth stops, and its log is set back to an older copy.
fn set_back(circle: &mut Circle) {
    let fi = circle.member_mut("FI");
    fi.stop();
    let (log, old) = (fi.path("data/log"), fi.path("old"));
    copied(&log, &old);
    fi.start();
    let height = circle.member("DK").status().expect("a status")["height"].as_u64();
    circle.until_height(&["FI"], height.expect("a height") + 2);
    let fi = circle.member_mut("FI");
    fi.stop();
    fs::remove_dir_all(&log).expect("removed");
    copied(&old, &log);
    let said = refused(&fi.ledger(&["run"]));
    assert!(said.contains("an old copy?") && said.contains("Put the newest copy"), "{said}");
    // nor from nothing, with a key that voted
    fs::remove_dir_all(&log).expect("removed");
    let said = refused(&fi.ledger(&["run"]));
    assert!(said.contains("ends at block 0") && said.contains("new consensus key"), "{said}");
}

/// What it is told to do then: a new key for votes, and the log from the others.
fn renewed(circle: &mut Circle) {
    let fi = circle.member("FI");
    fs::remove_dir_all(fi.path("data/log")).expect("removed");
    fs::write(fi.path("fi2.toml"), fi.keygen("keys2")).expect("written");
    let draft = circle.passed("key.toml");
    let asked = ["govern", "draft", "key", "consensus", &fi.path("fi2.toml"), "--out", &draft];
    printed(&circle.member("ES").ledger(&asked));
    let said = governed(circle, &draft, &["DK", "ES", "IT", "EU"], "ES");
    let height = force(&said);
    circle.until_height(&FIRST, height);
    let file = circle.genesis();
    circle.member("FI").configure(&file, "keys2");
    circle.member_mut("FI").start();
    circle.until_height(&ALL, height + 2);
}

/// The Commission gives its vote up.
fn observed(circle: &Circle) {
    let draft = circle.passed("observe.toml");
    printed(&circle.member("EU").ledger(&["govern", "draft", "observe", "EU", "--out", &draft]));
    let said = governed(circle, &draft, &["DK", "ES", "IT", "FI"], "FI");
    assert!(said.contains("EU\tobserves") && said.contains("quorum     3 of 4"), "{said}");
    circle.until_height(&ALL, force(&said));
    let members = printed(&circle.member("EU").ledger(&["members"]));
    assert!(members.contains("EU\tobserves"), "{members}");
}

/// One is removed by the others; who observes publishes what they cosigned.
fn removed(circle: &Circle) {
    let draft = circle.passed("leave.toml");
    let dk = circle.member("DK");
    printed(&dk.ledger(&["govern", "draft", "leave", "IT", "--out", &draft]));
    let said = refused(&circle.member("EU").sign(&draft));
    assert!(said.contains("EU has no vote"), "{said}");
    let policy = policy(dk);
    let said = governed(circle, &draft, &["DK", "ES", "FI"], "DK");
    assert!(said.contains("quorum     3 of 3") && !said.contains("member     IT"), "{said}");
    circle.until(&["EU"], "a checkpoint of five entries", |status| status["published"] == 5);
    let voting = ["DK", "ES", "FI", "IT"];
    let names = witnesses(&policy, &circle.member("EU").checkpoint());
    assert!(
        names.len() >= 3 && names.iter().all(|name| voting.contains(&name.as_str())),
        "{names:?}"
    );
    circle.until_height(&["DK", "ES", "EU", "FI"], force(&said));
    // once is enough
    let said = refused(&dk.ledger(&["govern", "submit", &draft]));
    assert!(said.contains("has made its change 5 already"), "{said}");
    let made = read(&draft).entry().expect("an entry").into_bytes();
    let Answer::Refused(why) = dk.bring(made) else { panic!("it is taken twice") };
    assert!(why.contains("is made already"), "{why}");
}

/// SIGTERM: all end well, and hold the same.
fn ended(circle: &mut Circle) {
    for name in ALL {
        circle.member_mut(name).stop();
    }
    let genesis = Genesis::parse(&fs::read_to_string(circle.genesis()).expect("a genesis"));
    let genesis = genesis.expect("a genesis");
    let held = |name: &str| {
        let log = circle.member(name).path("data/log");
        let store = Store::open(Path::new(&log), &genesis).expect("a store");
        let (tip, reader) = (store.tip(), store.reader());
        let block = |height| reader.block(height).expect("reads").expect("is there");
        (1..=tip.height).map(block).collect::<Vec<_>>()
    };
    let blocks = held("DK");
    let entries: Vec<_> = blocks.iter().flat_map(ledger::block::Block::entries).collect();
    assert_eq!(entries.len(), 5, "join, vault, key, observe, leave");
    assert!(entries.iter().all(|bytes| Entry::decode(bytes).is_ok_and(|e| e.txid().is_none())));
    for name in ["ES", "EU", "FI", "IT"] {
        let theirs = held(name);
        let both = blocks.len().min(theirs.len());
        assert!(blocks[..both] == theirs[..both], "{name} holds something else");
        let left = theirs.iter().map(|block| block.entries().len()).sum::<usize>();
        assert_eq!(left, 5, "{name}");
    }
}

/// A draft that these sign one after the other, and that one of them brings.
fn governed(circle: &Circle, draft: &str, by: &[&str], at: &str) -> String {
    for name in by {
        printed(&circle.member(name).sign(draft));
    }
    printed(&circle.member(at).ledger(&["govern", "submit", draft]))
}

/// The height from which a change is in force.
fn force(said: &str) -> u64 {
    let from = said.split("in force   from height ").nth(1).and_then(|rest| rest.split(',').next());
    from.and_then(|height| height.parse().ok()).unwrap_or_else(|| panic!("{said}"))
}

fn read(draft: &str) -> Motion {
    Motion::parse(&fs::read_to_string(draft).expect("a draft")).expect("a draft")
}

/// Whose cosignatures count under a checkpoint.
fn witnesses(policy: &Policy, note: &str) -> Vec<String> {
    let agreed = policy.verify(note, None).unwrap_or_else(|e| panic!("{e}: {note}"));
    let mut names: Vec<_> = agreed.cosigned().iter().map(|one| one.witness.clone()).collect();
    names.sort();
    names
}

fn policy(member: &Member) -> Policy {
    let text = printed(&member.ledger(&["policy"]));
    Policy::parse(text.as_bytes()).expect("a policy")
}

fn copied(from: &str, to: &str) {
    let done = Command::new("cp").args(["-a", from, to]).status().expect("cp runs");
    assert!(done.success());
}
