//! The shared ledger that the demo left: all four members hold the same tiles, byte for byte, nothing
//! personal stands in any byte of them, and a copy is verified without any of them.

#[path = "left/program.rs"]
mod program;

use std::collections::BTreeMap;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use ledger::block::Block;
use ledger::evidence::sha256;
use ledger::member::Genesis;
use ledger::store::Store;
use testbed::world::{CITIZENS, CLINICIANS};

use program::{konfido, printed};

#[test]
fn four_members_hold_the_same_and_nothing_personal() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let dir = folder.path();
    printed(&konfido(&["demo", "--once", "--dir", dir.to_str().expect("utf-8")]));
    let ledger = dir.join("ledger");
    the_same(&ledger);
    nobody(&ledger);
    verified(&ledger, dir);
}

/// The same entries in the same blocks, as each member's own files have them.
fn the_same(ledger: &Path) {
    let text = std::fs::read_to_string(ledger.join("genesis.toml")).expect("a genesis");
    let genesis = Genesis::parse(&text).expect("a genesis");
    let held = |member: &str| {
        let store = Store::open(&ledger.join(member).join("data/log"), &genesis).expect("a store");
        let (tip, reader) = (store.tip(), store.reader());
        let blocks: Vec<Vec<u8>> = (1..=tip.height)
            .map(|height| {
                reader.block(height).expect("reads").expect("is there").encoded().to_vec()
            })
            .collect();
        (tip.size, blocks)
    };
    let (size, blocks) = held("DK");
    assert!(size > 10, "{size} entries");
    for member in ["ES", "IT", "EU"] {
        let (_, theirs) = held(member);
        // who stopped last has a few empty blocks more
        let both = blocks.len().min(theirs.len());
        assert!(blocks[..both] == theirs[..both], "{member} holds something else");
        let empty = |of: &[Vec<u8>]| {
            of.iter().all(|block| Block::decode(block).is_ok_and(|b| b.leaves().is_empty()))
        };
        assert!(empty(&blocks[both..]) && empty(&theirs[both..]), "{member} lacks entries");
    }
}

/// Of every name and number: plain, in base64, in hexadecimal, and hashed without salt.
fn nobody(ledger: &Path) {
    let mut texts: Vec<String> = Vec::new();
    for citizen in CITIZENS {
        let own =
            [citizen.given, citizen.family, citizen.number, citizen.birth, citizen.address[0]];
        texts.extend(own.map(str::to_owned));
        texts.push(citizen.id().cx());
        texts.push(format!("{} {}", citizen.given, citizen.family));
    }
    for clinician in CLINICIANS {
        let own = [clinician.number, clinician.given, clinician.family, clinician.organization];
        texts.extend(own.map(str::to_owned));
    }
    let needles: Vec<(String, Vec<u8>)> = texts
        .iter()
        // what is shorter stands in random bytes by chance
        .filter(|text| text.len() >= 5)
        .flat_map(|text| forms(text).into_iter().map(move |form| (text.clone(), form)))
        .collect();
    let all = files(ledger);
    assert!(all.keys().any(|name| name.contains("tile/entries")), "there is something to search");
    for (name, bytes) in all.iter().filter(|(name, _)| name.contains("/data/")) {
        for (text, form) in &needles {
            assert!(!holds(bytes, form), "{name} has {text}");
        }
    }
    // the same search finds them where they are
    let planted = |form: &[u8]| [&[7; 100], form, &[9; 100]].concat();
    assert!(needles.iter().all(|(_, form)| holds(&planted(form), form)));
    let agnete = STANDARD_NO_PAD.encode(format!("xx{}xx", CITIZENS[0].family));
    assert!(
        forms(CITIZENS[0].family).iter().any(|form| holds(agnete.as_bytes(), form)),
        "in base64, within"
    );
}

fn verified(ledger: &Path, dir: &Path) {
    let policy = dir.join("members.policy");
    let genesis = ledger.join("genesis.toml");
    let text = |path: &Path| path.to_str().expect("utf-8").to_owned();
    let lasting = ["ledger", "policy", "--lasting", "--genesis", &text(&genesis)];
    std::fs::write(&policy, printed(&konfido(&lasting))).expect("policy");
    let (copy, file) = (text(&ledger.join("DK/data/log")), text(&policy));
    let said = printed(&konfido(&["ledger", "verify", &copy, "--policy", &file]));
    assert!(said.contains("the copy holds") && said.contains("Whole"), "{said}");

    // the bundle of this checkpoint; that of the one before may stand beside it, and none needs it
    let log = ledger.join("DK/data/log");
    let checkpoint = std::fs::read_to_string(log.join("checkpoint")).expect("a checkpoint");
    let size = checkpoint.lines().nth(1).expect("a size");
    let path = log.join("tile/entries/000.p").join(size);
    let mut other = std::fs::read(&path).expect("a demo has fewer than 256 entries: one bundle");
    let middle = other.len() / 2;
    other[middle] ^= 1;
    std::fs::write(path, other).expect("written");
    assert!(!konfido(&["ledger", "verify", &copy, "--policy", &file]).status.success());

    // the receipt that the demo left holds under both kinds of signatures only if it has both
    let receipt = text(&dir.join("es/shared-receipt.json"));
    let roots = text(&dir.join("pki/ca.pem"));
    let check =
        |policy: &str| konfido(&["verify", &receipt, "--roots", &roots, "--policy", policy]);
    printed(&check(&text(&dir.join("es/ledger.policy"))));
    let refused = check(&file);
    assert!(!refused.status.success(), "this policy asks for ML-DSA-44, too");
}

/// The forms in which a text may hide.
fn forms(text: &str) -> Vec<Vec<u8>> {
    let digest = sha256(text.as_bytes());
    let mut all = vec![
        text.as_bytes().to_vec(),
        hex::encode(text).into_bytes(),
        digest.to_vec(),
        hex::encode(digest).into_bytes(),
        STANDARD_NO_PAD.encode(digest).into_bytes(),
        URL_SAFE_NO_PAD.encode(digest).into_bytes(),
    ];
    // at each of the three places that it may have within a longer text; its edges depend on the rest
    for before in 0..3 {
        for engine in [&STANDARD_NO_PAD, &URL_SAFE_NO_PAD] {
            let encoded = engine.encode([&vec![b'x'; before], text.as_bytes()].concat());
            let (from, to) = ((before * 4).div_ceil(3), (before + text.len()) * 4 / 3);
            all.push(encoded.as_bytes()[from..to.min(encoded.len())].to_vec());
        }
    }
    all
}

fn holds(bytes: &[u8], form: &[u8]) -> bool {
    memchr::memmem::find(bytes, form).is_some()
}

/// All files below a folder, by their names within it.
fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut all = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in std::fs::read_dir(next).expect("a folder") {
            let path = entry.expect("an entry").path();
            let kind = std::fs::symlink_metadata(&path).expect("metadata").file_type();
            if kind.is_dir() {
                folders.push(path);
            } else if kind.is_file() {
                let name = path.to_string_lossy()[folder.to_string_lossy().len()..].to_owned();
                all.insert(name, std::fs::read(&path).expect("a file"));
            }
        }
    }
    all
}
