//! Receipts of the shared ledger, exported and taken away: they hold without any server, and nothing
//! in them can be changed.

use std::fs;
use std::process::Output;

use serde_json::Value;
use testbed::world::AGNETE;

use crate::container::unzipped;
use crate::left::{konfido, printed};
use crate::validator::Validator;
use crate::{Left, found, ledger, refused};

/// A reader: the roots of seals, and whom he believes about the ledger.
struct Reader {
    file: String,
    roots: String,
    policy: String,
}

impl Reader {
    fn of(left: &Left) -> Self {
        let file = |name: &str| left.dir().join(name).to_str().unwrap().to_owned();
        let genesis = file("ledger/genesis.toml");
        let policy = printed(&konfido(&["ledger", "policy", "--genesis", &genesis]));
        fs::write(file("reader.policy"), policy).unwrap();
        Self { file: file("read.json"), roots: file("pki/ca.pem"), policy: file("reader.policy") }
    }

    fn with_policy(&self, receipt: &str) -> Output {
        fs::write(&self.file, receipt).unwrap();
        konfido(&["verify", &self.file, "--roots", &self.roots, "--policy", &self.policy])
    }

    /// By the policy that the receipt itself brings.
    fn alone(&self, receipt: &str) -> Output {
        fs::write(&self.file, receipt).unwrap();
        konfido(&["verify", &self.file, "--roots", &self.roots])
    }
}

fn exported(left: &Left, config: &str, number: &str, more: &[&str]) -> String {
    let out = left.dir().join("receipt.json");
    let to = ["--out", out.to_str().unwrap()];
    let form = ["export", number, "--format", "receipt"];
    printed(&ledger(config, &[&form[..], more, &to].concat()));
    fs::read_to_string(out).unwrap()
}

/// Where to change a receipt: what is there, and its place in the text. JSON's own escapes are let be.
fn places(receipt: &str) -> Vec<(String, usize)> {
    let parsed: Value = serde_json::from_str(receipt).unwrap();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let mut all = Vec::new();
    let mut add = |what: String, part: &str| {
        let mut found = receipt.match_indices(part).map(|found| found.0).peekable();
        assert!(found.peek().is_some(), "{what} is not there: {part}");
        for at in found {
            all.extend(within(part.len()).map(|place| (format!("{what} {place}"), at + place)));
        }
    };
    add("format".to_owned(), "konfido-receipt/2");
    // what is behind the record is padding, which is base64 of zeros: one letter over and over
    let entry = text(&parsed["entry"]);
    add("entry".to_owned(), entry.trim_end_matches(['A', '=']));
    for (number, pem) in parsed["certificates"].as_array().unwrap().iter().enumerate() {
        for line in text(pem).lines().skip(1).filter(|line| !line.starts_with('-')) {
            add(format!("certificate {number}"), line);
        }
    }
    for shown in parsed["disclosed"].as_array().unwrap() {
        for part in ["salt", "value"] {
            add(format!("shown {part}"), text(&shown[part]).split('&').next().unwrap());
        }
    }
    let from = receipt.find("\"proof\": \"").unwrap() + "\"proof\": \"".len();
    let proof = &receipt[from..from + receipt[from..].find('"').unwrap()];
    for line in proof.split("\\n").filter(|line| !line.is_empty()) {
        let start = from + (line.as_ptr() as usize - proof.as_ptr() as usize);
        // a signature under another name, or by another key, is one less, which may be enough; a
        // wrong one is never borne with
        let behind = match line.rsplit_once(' ') {
            Some((head, signature)) if signature.len() > 80 => head.len() + 1 + "key id".len(),
            _ => 0,
        };
        let places = within(line.len() - behind).map(|place| start + behind + place);
        all.extend(places.map(|at| (format!("proof, {line} {at}"), at)));
    }
    all
}

/// Beginning, end, and between.
fn within(length: usize) -> impl Iterator<Item = usize> {
    let mut places = vec![0, length / 3, length / 2, length * 2 / 3, length - 1];
    places.dedup();
    places.into_iter()
}

fn changed(receipt: &str, at: usize) -> String {
    let mut bytes = receipt.as_bytes().to_vec();
    bytes[at] = if bytes[at] == b'Q' { b'R' } else { b'Q' };
    String::from_utf8(bytes).unwrap()
}

#[test]
fn an_exported_receipt_holds_without_any_server_and_no_part_of_it_can_change() {
    let left = Left::new();
    let validator = Validator::start(left.dir(), "DK", &left.dk);
    // the oldest: the validators may have stopped before a checkpoint stood over the newest
    let (number, _) = found(&left.dk, &AGNETE.id().cx()).swap_remove(0);
    let receipt = exported(&left, &left.dk, &number, &["--show", "patient,purpose"]);
    let reader = Reader::of(&left);
    a_court_gets_it_with_the_container(&left, &reader, &number, &receipt);
    drop(validator);
    let out = left.dir().join("late.json");
    let late = ["export", &number, "--format", "receipt", "--out", out.to_str().unwrap()];
    let said = refused(&ledger(&left.dk, &late));
    assert!(said.contains("nobody answers") && !out.exists(), "{said}");
    // the reader has nothing but the file, roots and a policy
    for country in ["ledger", "dk", "es", "it"] {
        fs::remove_dir_all(left.dir().join(country)).unwrap();
    }
    let told = printed(&reader.with_policy(&receipt));
    for says in ["ES asked DK", "ledger.konfido.example, entry", "3 of 4", AGNETE.number, &number] {
        assert!(told.contains(says), "{says} is not in {told}");
    }
    assert!(told.contains("TREATMENT") && !told.contains("professional"), "as chosen: {told}");
    assert!(printed(&reader.alone(&receipt)).contains("the receipt's own"));

    let places = places(&receipt);
    assert!(places.len() > 100, "{} places", places.len());
    for (what, at) in places {
        let other = changed(&receipt, at);
        assert!(!reader.with_policy(&other).status.success(), "{what} is changed, and it holds");
    }
    // whom it names as members counts where the reader names none himself
    let policy = receipt.find("\"policy\"").unwrap();
    let key = policy + receipt[policy..].find("witness ").unwrap() + "witness DK-0 x".len() + 40;
    assert!(!reader.alone(&changed(&receipt, key)).status.success(), "another member's key");
    // the time is its exporter's word; before any certificate and after the ledger it is none
    let time: Value = serde_json::from_str(&receipt).unwrap();
    let time = time["time"].as_str().unwrap();
    for other in ["2001-01-01T00:00:00Z", "2029-01-01T00:00:00Z"] {
        assert!(!reader.with_policy(&receipt.replace(time, other)).status.success(), "{other}");
    }
    for cut in [receipt.len() / 3, receipt.len() - 2] {
        assert!(!reader.with_policy(&receipt[..cut]).status.success(), "cut");
    }
}

/// The container has the same receipt, and without a validator it says that it has none.
fn a_court_gets_it_with_the_container(left: &Left, reader: &Reader, number: &str, receipt: &str) {
    let out = left.dir().join("evidence.asice");
    let export = ["export", number, "--show", "patient,purpose", "--out", out.to_str().unwrap()];
    let done = ledger(&left.dk, &export);
    printed(&done);
    assert!(!String::from_utf8_lossy(&done.stderr).contains("without the proof"));
    let folder = left.dir().join("container");
    if unzipped(&out, &folder).is_some() {
        let inside = fs::read_to_string(folder.join("ledger-receipt.json")).unwrap();
        printed(&reader.with_policy(&inside));
        let part =
            |text: &str, name: &str| serde_json::from_str::<Value>(text).unwrap()[name].clone();
        for name in ["entry", "certificates", "disclosed", "policy"] {
            assert_eq!(part(&inside, name), part(receipt, name), "{name}");
        }
        let manifest = fs::read_to_string(folder.join("META-INF/ASiCManifest001.xml")).unwrap();
        assert!(manifest.contains("ledger-receipt.json"), "{manifest}");
    }
}

#[test]
fn a_receipt_of_one_countrys_word_says_so_and_one_of_an_erased_exchange_shows_nothing() {
    let left = Left::new();
    let plain = ["export", "00000000000000000000000000000000", "--format", "receipt", "--out", "x"];
    assert!(refused(&ledger(&left.es, &plain)).contains("there is no exchange"));
    let list = printed(&konfido(&["evidence", "list", "--limit", "1000", "--config", &left.es]));
    let rows: Vec<Vec<&str>> = list.lines().map(|line| line.split('\t').collect()).collect();
    let of =
        |countries: &str| rows.iter().rfind(|row| row[3] == countries && row[5] != "-").unwrap();
    let (alone, both) = (of("ES>IT")[0], of("ES>DK")[0]);
    let out = left.dir().join("none.json");
    let export = ["export", alone, "--format", "receipt", "--out", out.to_str().unwrap()];
    let said = refused(&ledger(&left.es, &export));
    assert!(said.contains("names no validator") && !out.exists(), "{said}");

    let validator = Validator::start(left.dir(), "ES", &left.es);
    let reader = Reader::of(&left);
    let told =
        printed(&reader.with_policy(&exported(&left, &left.es, alone, &["--show", "purpose"])));
    assert!(told.contains("evidence that one country signed") && told.contains("ES asked IT"));
    printed(&ledger(&left.es, &["erase", "--txid", both, "--yes"]));
    let receipt = exported(&left, &left.es, both, &[]);
    let told = printed(&reader.with_policy(&receipt));
    assert!(told.contains("evidence that both countries signed"), "{told}");
    let show = ["export", both, "--format", "receipt", "--show", "patient", "--out"];
    let said = refused(&ledger(&left.es, &[&show[..], &[out.to_str().unwrap()]].concat()));
    assert!(said.contains("were erased"), "{said}");
    drop(validator);
}
