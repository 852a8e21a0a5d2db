//! What the members are not let do: too few of them, one that was removed, all of them elsewhere.

use std::fs;
use std::path::Path;

use ledger::line::Answer;
use ledger::member::govern::Statement;
use ledger::member::{Change, Genesis, Govern, Motion, Name};
use ledger::policy::PolicyError;

use super::circle::{Circle, refused};
use super::left::{konfido, printed};
use super::{policy, read};

/// A fifth member's draft, with two signatures of three.
pub fn too_few(circle: &Circle) {
    let (dk, fi) = (circle.member("DK"), circle.member("FI"));
    fs::write(fi.path("fi.toml"), fi.keygen("keys")).expect("written");
    let draft = circle.passed("join.toml");
    let made = dk.ledger(&["govern", "draft", "join", &fi.path("fi.toml"), "--out", &draft]);
    assert!(printed(&made).contains("1, FI joins with a vote"));
    let other = circle.passed("other.toml");
    let said = refused(&dk.ledger(&["govern", "draft", "leave", "SE", "--out", &other]));
    assert!(said.contains("no such member") && !Path::new(&other).exists(), "{said}");
    let said = refused(&dk.ledger(&["govern", "draft", "leave", "IT", "--out", &draft]));
    assert!(said.contains("is there already"), "a draft that others signed stays: {said}");
    for name in ["DK", "IT"] {
        printed(&circle.member(name).sign(&draft));
    }
    let said = refused(&dk.sign(&draft));
    assert!(said.contains("DK has signed it already"), "{said}");
    let said = refused(&fi.sign_at(&draft, dk));
    assert!(said.contains("is no key of any member"), "{said}");
    let said = refused(&circle.member("ES").sign_at(&draft, dk));
    assert!(said.contains("this is the seal of ES, and the validator is DK's"), "{said}");
    let shown = printed(&dk.ledger(&["govern", "show", &draft]));
    assert!(
        shown.contains("DK, IT (2 of 3 that are needed; 4 vote)") && shown.contains("4 of 5"),
        "{shown}"
    );
    let alone = ["ledger", "govern", "show", &draft, "--config", "nowhere.toml"];
    let shown = printed(&konfido(&alone));
    assert!(shown.contains("FI joins") && shown.contains("DK, IT (not checked)"), "{shown}");
    let said = refused(&dk.ledger(&["govern", "submit", &draft]));
    assert!(said.contains("2 of 3 signatures are there (DK, IT); 1 more of ES, EU"), "{said}");
    // and whoever does not ask the command is refused by the validator
    let entry = read(&draft).entry().expect("an entry").into_bytes();
    let answer = dk.bring(entry);
    assert_eq!(answer, Answer::Refused("signed by fewer than a quorum".to_owned()));
}

/// What it signs then is refused: changes, and checkpoints.
pub fn evicted(circle: &Circle, five: &str) {
    let (dk, it) = (circle.member("DK"), circle.member("IT"));
    let draft = circle.passed("address.toml");
    let asked = ["govern", "draft", "address", "ES", "--address", "ledger.example.es:7950"];
    printed(&dk.ledger(&[&asked[..], &["--out", &draft]].concat()));
    let said = refused(&it.sign_at(&draft, dk));
    assert!(said.contains("is no key of any member"), "{said}");
    let answer = dk.bring(entry(circle, read(&draft).statement(), ["DK", "ES", "IT"]));
    assert_eq!(answer, Answer::Refused("signed by a key that does not count here".to_owned()));
    // under the policy of those who are left, three cosignatures are enough, and its own is none
    let policy = policy(dk);
    let with = |names: &[&str]| {
        let counts = |line: &&str| {
            let cosigner = line.strip_prefix("— ledger.konfido.example/");
            cosigner.is_none_or(|rest| names.iter().any(|n| rest.starts_with(&format!("{n} "))))
        };
        let lines: Vec<_> = five.lines().filter(counts).collect();
        policy.verify(&format!("{}\n", lines.join("\n")), None)
    };
    assert!(with(&["DK", "ES", "FI"]).is_ok());
    let refused = with(&["DK", "ES", "IT"]);
    assert!(matches!(refused, Err(PolicyError::Quorum { signed: 2, .. })), "{refused:?}");
}

/// A change of another ledger with the same members.
pub fn elsewhere(circle: &Circle) {
    let dk = circle.member("DK");
    let genesis = fs::read_to_string(circle.genesis()).expect("a genesis");
    let other = genesis.replace("ledger.konfido.example", "other.example");
    let other = other.split("\n[[signature]]").next().expect("members");
    let other = Genesis::parse(other).expect("a genesis").registry();
    let change = Change::Leave(Name::parse("EU").expect("a name"));
    let draft = Motion::new(&other, 1, change).expect("a draft");
    let answer = dk.bring(entry(circle, draft.statement(), ["DK", "ES", "FI"]));
    assert_eq!(answer, Answer::Refused("it governs another ledger".to_owned()));
    let file = circle.passed("foreign.toml");
    fs::write(&file, draft.to_toml()).expect("written");
    let said = refused(&dk.sign(&file));
    assert!(said.contains("the draft is for the ledger with genesis"), "{said}");
}

/// What three seals sign, whatever the commands would say.
fn entry(circle: &Circle, statement: &Statement, by: [&str; 3]) -> Vec<u8> {
    let by = by.map(|name| statement.sign(&circle.member(name).seal()).expect("signed"));
    Govern::entry(&by).expect("an entry").into_bytes()
}
