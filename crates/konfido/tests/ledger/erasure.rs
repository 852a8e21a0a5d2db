//! Erasure, and the attack on what it leaves.

use std::path::{Path, PathBuf};

use ledger::journal::{Erase, Patients as _};
use sqlite::Journal;
use testbed::world::{AGNETE, MOGENS};
use trust::certificate::Anchors;

use crate::left::{configure, konfido, printed};
use crate::marks::{NAME, PSEUDONYM, marks, search};
use crate::{Left, found, ledger, refused};

fn copied(from: &Path, to: &Path) -> PathBuf {
    std::fs::create_dir_all(to).unwrap();
    for file in std::fs::read_dir(from).unwrap() {
        let path = file.unwrap().path();
        let name = to.join(path.file_name().unwrap());
        if path.is_dir() {
            copied(&path, &name);
        } else {
            std::fs::copy(&path, &name).unwrap();
        }
    }
    to.to_owned()
}

#[test]
fn nobody_confirms_a_guess_after_an_erasure_though_he_has_every_file_and_every_key() {
    let left = Left::new();
    let cx = AGNETE.id().cx();
    for (config, country) in [(&left.dk, "DK"), (&left.es, "ES")] {
        let data = left.dir().join(country.to_lowercase());
        let marks = marks(&AGNETE, country, &data);
        let before = search(&data, &marks);
        let stood = |what: &str, file: &str| before.contains(&(what.to_owned(), file.to_owned()));
        assert!(stood(NAME, "journal.db") && stood(PSEUDONYM, "events.db"), "{before:?}");
        let mogens = crate::marks::marks(&MOGENS, country, &data);
        let others = search(&data, &mogens);

        // it says what would be lost, and does nothing
        let arguments = ["erase", "--patient", &cx];
        let said = printed(&ledger(config, &arguments));
        assert!(said.contains("nothing was erased") && said.contains("lost for ever"), "{said}");
        assert!(!said.contains(AGNETE.number) && search(&data, &marks) == before);

        let said = printed(&ledger(config, &[&arguments[..], &["--yes"]].concat()));
        assert!(said.contains("exchanges erased"), "{said}");
        let after = search(&data, &marks);
        assert!(after.is_empty(), "{after:?}");
        let kept = search(&data, &mogens);
        for what in [(NAME, "journal.db"), (PSEUDONYM, "events.db")] {
            let what = (what.0.to_owned(), what.1.to_owned());
            assert_eq!(kept.contains(&what), others.contains(&what), "the others stay");
        }
        let events = printed(&konfido(&["events", "list", "--limit", "1", "--config", config]));
        assert!(events.contains("evidence.erased") && !events.contains(AGNETE.number), "{events}");
        let said = printed(&ledger(config, &[&arguments[..], &["--yes"]].concat()));
        assert!(said.contains("nothing here is left to erase"), "{said}");
        what_is_left_proves(&left, config);
    }
    let said = refused(&ledger(&left.dk, &["accesses", "--patient", &cx]));
    assert!(said.contains("nothing is known"), "{said}");
}

/// The tree verifies, the erased records as well, and the other patients' fields are still shown.
fn what_is_left_proves(left: &Left, config: &str) {
    let anchors =
        Anchors::from_pem(&std::fs::read(left.dir().join("pki/ca.pem")).unwrap()).unwrap();
    let list = printed(&konfido(&["evidence", "list", "--limit", "1000", "--config", config]));
    let (mut shown, mut erased) = (0, 0);
    for line in list.lines() {
        let row: Vec<&str> = line.split('\t').collect();
        if row[5] == "-" {
            continue;
        }
        let export = |extra: &[&str]| {
            let arguments = ["evidence", "export", row[0], "--config", config];
            konfido(&[&arguments[..], extra].concat())
        };
        let with = export(&["--show", "request"]);
        if with.status.success() {
            ledger::receipt::verify(&with.stdout, &anchors).unwrap();
            shown += 1;
        } else {
            assert!(refused(&with).contains("were erased"));
            let receipt = printed(&export(&[]));
            ledger::receipt::verify(receipt.as_bytes(), &anchors).unwrap();
            erased += 1;
        }
    }
    assert!(shown > 0 && erased > 3, "{shown} are shown, {erased} were erased");
}

/// The process is gone after the key was deleted: the rest is done when it is repeated.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_erasure_that_was_killed_is_completed() {
    let left = Left::new();
    let (cx, data) = (AGNETE.id().cx(), left.dir().join("dk"));
    let marks = marks(&AGNETE, "DK", &data);
    let name = &marks.iter().find(|mark| mark.0 == NAME).unwrap().1;
    // every moment of it: nothing overwritten, some, all but the log
    for slices in 0..3 {
        let other = tempfile::tempdir().unwrap();
        let copy = copied(left.dir(), &other.path().join("copy"));
        let journal = Journal::open(&copy.join("dk/journal.db")).unwrap();
        let named = journal.patient_named(name.as_slice().try_into().unwrap()).await.unwrap();
        assert!(journal.erase(Erase::Patient(named.unwrap().number)).await.unwrap());
        for _ in 0..slices {
            journal.sweep(8).await.unwrap();
        }
        // as a kill leaves it: the write-ahead log is not moved
        std::mem::forget(journal);
        let config = configure(&copy, "DK", "1.2.208");
        let said = printed(&ledger(&config, &["erase", "--patient", &cx]));
        assert!(said.contains("was interrupted"), "{said}");
        printed(&ledger(&config, &["erase", "--patient", &cx, "--yes"]));
        let after = search(&copy.join("dk"), &marks);
        assert!(after.is_empty(), "after {slices}: {after:?}");
    }
}

#[test]
fn one_exchange_is_erased_and_the_patients_others_stay() {
    let left = Left::new();
    let cx = AGNETE.id().cx();
    let before = found(&left.dk, &cx);
    let (number, _) = &before[1];
    let arguments = ["erase", "--txid", number, "--side", "a"];
    assert!(printed(&ledger(&left.dk, &arguments)).contains("1 exchanges, ES>DK"));
    printed(&ledger(&left.dk, &[&arguments[..], &["--yes"]].concat()));
    let after = found(&left.dk, &cx);
    assert!(after.len() == before.len() - 1 && !after.contains(&before[1]));
    let show = |number: &str| {
        let out = left.dir().join("x.asice");
        ledger(&left.dk, &["export", number, "--show", "patient", "--out", out.to_str().unwrap()])
    };
    assert!(refused(&show(number)).contains("were erased"));
    assert!(show(&after[0].0).status.success());
    let events = printed(&konfido(&["events", "list", "--limit", "1", "--config", &left.dk]));
    assert!(events.contains(number.as_str()) && events.contains("evidence.erased"), "{events}");
    let wrong = ledger(&left.dk, &["erase", "--txid", number, "--side", "b"]);
    assert!(refused(&wrong).contains("not on that side"));
}

/// As strict mode leaves them at who asked: a document whose key did not fit, and one that is open.
#[test]
fn what_strict_mode_set_aside_goes_with_its_exchange() {
    let left = Left::new();
    let cx = AGNETE.id().cx();
    let before = found(&left.dk, &cx);
    let strict = left.dir().join("es/strict");
    std::fs::create_dir_all(&strict).expect("a folder");
    let kept = |number: &str, kind: &str| {
        let name = number.trim_start_matches("urn:uuid:").replace('-', "");
        let file = strict.join(name).with_extension(kind);
        std::fs::write(&file, "sealed").expect("written");
        file
    };
    let (one, two, other) = (&before[0].0, &before[1].0, &before[2].0);
    let gone = ["sealed", "broken"].map(|kind| kept(one, kind));
    let stays = ["sealed", "broken"].map(|kind| kept(other, kind));
    let open = ["sealed", "taken"].map(|kind| kept(two, kind));
    let erase = |number: &str| {
        let done = ledger(&left.es, &["erase", "--txid", number, "--yes"]);
        assert!(done.status.success(), "{done:?}");
        String::from_utf8(done.stderr).expect("text")
    };
    assert!(!erase(one).contains("strict"));
    assert!(gone.iter().all(|file| !file.exists()) && stays.iter().all(|file| file.exists()));
    assert!(erase(two).contains("1 erased exchanges are open in strict mode"));
    assert!(open.iter().all(|file| file.exists()), "its key is still owed");
    // its key did not fit, either
    std::fs::rename(&open[1], open[1].with_extension("broken")).expect("renamed");
    assert!(!erase(two).contains("strict"));
    assert!(!open[0].exists() && !open[1].with_extension("broken").exists());
    assert!(stays.iter().all(|file| file.exists()), "it is not erased");
}
