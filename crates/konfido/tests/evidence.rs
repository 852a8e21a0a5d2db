//! Evidence as an operator exports it: from what a node has on disk, by the command line.

mod left;

use std::collections::BTreeSet;
use std::path::Path;

use ihe::rem::{Evidence, Kind, Verdict};
use jiff::Timestamp;
use trust::certificate::{Anchors, Usage};

use left::{configure, konfido, printed};

/// (txid, side, transaction, countries) of the settled exchanges.
fn listed(config: &str) -> Vec<[String; 4]> {
    let text = printed(&konfido(&["evidence", "list", "--limit", "1000", "--config", config]));
    let rows = text.lines().map(|line| line.split('\t').collect::<Vec<_>>());
    rows.filter(|row| row[4] == "settled" && row[5] != "-")
        .map(|row| [0, 1, 2, 3].map(|at: usize| row[at].to_owned()))
        .collect()
}

/// The verified documents of an export: signed by a seal that leads to the root.
fn exported(config: &str, txid: &str, anchors: &Anchors) -> Vec<Evidence> {
    let arguments = ["evidence", "export", txid, "--format", "rem", "--config", config];
    let text = printed(&konfido(&arguments));
    let read = |line: &str| {
        let (evidence, signer) = Evidence::verify(line.as_bytes()).expect("signed evidence");
        let path = anchors.verify(&signer, &[], Usage::Seal, Timestamp::now());
        path.expect("a seal of the circle");
        assert_eq!(signer.country().map(|c| c.to_string()), evidence.issuer.names.first().cloned());
        evidence
    };
    text.lines().map(read).collect()
}

/// (kind, sender, recipient)
fn meaning(evidence: &Evidence) -> (Kind, String, String) {
    let name = |party: &ihe::rem::Party| party.names.concat();
    (evidence.kind, name(&evidence.sender), name(&evidence.recipients[0]))
}

#[test]
fn a_record_becomes_rem_evidence_in_both_countries() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let dir = dir.path();
    printed(&konfido(&["demo", "--once", "--dir", dir.to_str().expect("utf-8")]));
    let anchors = Anchors::from_pem(&std::fs::read(dir.join("pki/ca.pem")).unwrap()).unwrap();
    let (es, dk) = (configure(dir, "ES", "2.16.724"), configure(dir, "DK", "1.2.208"));
    let (in_es, in_dk) = (listed(&es), listed(&dk));
    let shared: Vec<&[String; 4]> = in_es.iter().filter(|row| row[3] == "ES>DK").collect();
    assert!(!shared.is_empty());
    let pair = |a: &str, b: &str| (a.to_owned(), b.to_owned());
    let ((b, a), (back, to)) = (pair("ES", "DK"), pair("DK", "ES"));
    let expected = [
        (Kind::Origin, b.clone(), a.clone()),
        (Kind::Receipt, b, a),
        (Kind::Origin, back.clone(), to.clone()),
        (Kind::Receipt, back, to),
    ];
    let mut refused = BTreeSet::new();
    for [txid, _, iti, _] in &shared {
        assert!(in_dk.iter().any(|row| row[0] == **txid), "{txid} is in one log only");
        let (ours, theirs) = (exported(&es, txid, &anchors), exported(&dk, txid, &anchors));
        for (country, documents) in [("ES", &ours), ("DK", &theirs)] {
            assert_eq!(documents.iter().map(meaning).collect::<Vec<_>>(), expected, "{iti}");
            assert!(documents.iter().all(|e| e.issuer.names == [country]));
        }
        for (one, other) in ours.iter().zip(&theirs) {
            let same = (&one.verdict, &one.message) == (&other.verdict, &other.message);
            assert!(same, "both countries say the same of {iti}");
            let (one, other) = (one.record.as_ref().unwrap(), other.record.as_ref().unwrap());
            assert_eq!(one.digest, other.digest, "and name the same record");
            assert_eq!((&*one.log, &*other.log), ("konfido.example/es", "konfido.example/dk"));
        }
        let message = ours[0].message.clone().unwrap();
        assert_eq!(message.number, **txid);
        assert!(
            message.digest.is_some() && message.digest != ours[2].message.clone().unwrap().digest
        );
        assert!([0, 2, 3].iter().all(|at: &usize| ours[*at].verdict == Verdict::Accepted));
        if let Verdict::Rejected(reasons) = &ours[1].verdict {
            refused.insert(reasons[0].code.clone());
        }
    }
    assert!(refused.contains("WARNING_PI_NO_CONSENT"), "{refused:?}");

    // a country without KONFIDO signed nothing, so nothing is said in its name
    let alone = in_es.iter().find(|row| row[3] == "ES>IT").expect("a plain exchange");
    let said = exported(&es, &alone[0], &anchors);
    let said: Vec<_> = said.iter().map(meaning).collect();
    let (es_it, it_es) = (pair("ES", "IT"), pair("IT", "ES"));
    assert_eq!(said, [(Kind::Origin, es_it.0, es_it.1), (Kind::Receipt, it_es.0, it_es.1)]);

    files_are_named_as_openncp_names_them(dir, &es, &shared[0][0]);
    events_are_listed(&es, &shared[0][0]);
    options_that_do_not_fit_are_refused(&es, &shared[0][0]);
}

fn files_are_named_as_openncp_names_them(dir: &Path, config: &str, txid: &str) {
    let folder = dir.join("rem");
    let out = folder.to_str().expect("utf-8");
    let text = printed(&konfido(&[
        "evidence", "export", txid, "--format", "rem", "--out", out, "--config", config,
    ]));
    let mut kinds = BTreeSet::new();
    for line in text.lines() {
        let file = Path::new(line);
        let name = file.file_name().expect("a file").to_str().expect("utf-8");
        let parts: Vec<&str> = name.strip_suffix(".xml").expect("xml").split('_').collect();
        let (evidence, _) = Evidence::verify(&std::fs::read(file).unwrap()).expect("evidence");
        assert_eq!(parts[0].parse::<Timestamp>().expect("an instant"), evidence.event_time);
        assert_eq!((parts[1], parts[2]), (evidence.kind.short(), &*evidence.id));
        kinds.insert(parts[3].to_owned() + parts[1]);
    }
    assert_eq!(kinds.len(), 4, "{text}");
    assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 4);
}

fn events_are_listed(config: &str, txid: &str) {
    let list = |extra: &[&str]| {
        let arguments = [&["events", "list", "--config", config][..], extra].concat();
        printed(&konfido(&arguments))
    };
    let all = list(&["--limit", "1000"]);
    let rows: Vec<Vec<&str>> = all.lines().map(|line| line.split('\t').collect()).collect();
    assert!(rows.iter().all(|row| row.len() == 13), "{all}");
    assert_eq!(rows.last().map(|row| row[1]), Some("node.started"), "the newest come first");
    let one = rows.iter().find(|row| row[6] == txid).expect("the exchange's event");
    assert_eq!((one[1], one[2], one[4]), ("exchange.answered", "B", "DK"), "{one:?}");
    assert!([8, 9, 10].iter().all(|at| one[*at].len() == 16), "pseudonyms: {one:?}");
    let refused = list(&["--limit", "1000", "--kind", "exchange.refused"]);
    let count = rows.iter().filter(|row| row[1] == "exchange.refused").count();
    assert_eq!(refused.lines().count(), count);
    assert!(count > 2 && refused.lines().any(|line| line.contains("\t4703\t")), "{refused}");
    let two = list(&["--limit", "2"]);
    assert_eq!(two.lines().collect::<Vec<_>>(), all.lines().take(2).collect::<Vec<_>>());
    let wrong = konfido(&["events", "list", "--kind", "nonsense", "--config", config]);
    let said = String::from_utf8_lossy(&wrong.stderr).into_owned();
    assert!(!wrong.status.success() && said.contains("there are exchange.answered"), "{said}");
}

fn options_that_do_not_fit_are_refused(config: &str, txid: &str) {
    for extra in [&["--out", "x"][..], &["--format", "rem", "--show", "patient"]] {
        let mut arguments = vec!["evidence", "export", txid, "--config", config];
        arguments.extend(extra);
        assert!(!konfido(&arguments).status.success(), "{extra:?}");
    }
    // the default is the receipt, as before
    let receipt = printed(&konfido(&["evidence", "export", txid, "--config", config]));
    assert!(receipt.contains("\"konfido-receipt/1\""), "{receipt}");
}
