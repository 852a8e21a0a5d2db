//! What the reader trusts decides: roots, revocation lists, log keys.

use std::path::PathBuf;
use std::time::Duration;

use exchange::{Country, DocumentClass};
use ledger::Secrets;
use ledger::journal::State;
use testbed::pki::Role;
use testbed::world::{AGNETE, MONTSERRAT};

use super::*;
use crate::custody::Custody;
use crate::demo::Circle;
use crate::evidence::archive::Archive;

/// A receipt of Spain's about an exchange with Denmark.
async fn receipt(circle: &Circle, es: Country, dk: Country) -> Vec<u8> {
    let visit = circle.visit(&MONTSERRAT, Some(&AGNETE));
    let portal = circle.portal(es, dk).unwrap();
    portal.query(&visit, &AGNETE.id(), DocumentClass::PatientSummary).await.unwrap();
    let node = &circle.node(es).node;
    let anchors = circle.pki.anchors();
    let origin = crate::demo::origin(es);
    let data = circle.data(es);
    let seal = &node.sealing().seal;
    let custody = &Custody::Here;
    let archive = Archive { data: &data, origin: &origin, seal, anchors: &anchors, custody };
    for _ in 0..1200 {
        let row = node.journal.newest(1).await.unwrap().remove(0);
        let record = (row.state == State::Settled)
            .then(|| archive.record(&row, Secrets::default()).ok())
            .flatten();
        if let Some(receipt) = record.and_then(|record| record.receipt(&[]).ok()) {
            return receipt;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("no receipt in time");
}

fn said(args: &Verify) -> String {
    run(args).map_or_else(|error| format!("{error:#}"), |()| "holds".to_owned())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_receipt_of_a_revoked_seal_or_an_unexpected_log_does_not_hold() {
    let dir = tempfile::tempdir().unwrap();
    let circle = Circle::start(dir.path()).await.unwrap();
    let [es, dk, it] = ["ES", "DK", "IT"].map(|code| Country::parse(code).unwrap());
    let json = receipt(&circle, es, dk).await;
    let text: serde_json::Value = serde_json::from_slice(&json).unwrap();
    let key = text["log_key"].as_str().unwrap().to_owned();
    let other = STANDARD.encode([7; 32]);
    let file = |name: &str, bytes: &[u8]| -> PathBuf {
        let path = dir.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        path
    };
    let revoked = |country| circle.pki.revocation_list(circle.pki.identity(country, Role::Seal));
    let base = Verify {
        file: file("receipt.json", &json),
        roots: Some(dir.path().join("pki/ca.pem")),
        crls: None,
        log_keys: Vec::new(),
        policy: None,
        origin: None,
        entry: None,
        tsa_roots: None,
        json: false,
    };
    assert_eq!(said(&base), "holds");
    let by_key = |keys: &[&str]| {
        said(&Verify { log_keys: keys.iter().map(|k| (*k).to_owned()).collect(), ..base.clone() })
    };
    assert_eq!(by_key(&[&other, &key]), "holds");
    let keys = file("keys", format!("{other}\n\n{key}\n").as_bytes());
    assert_eq!(by_key(&[keys.to_str().unwrap()]), "holds");
    assert!(by_key(&[&other]).contains("log's key is not an expected one"));
    assert!(by_key(&["nonsense"]).contains("neither the base64"), "{}", by_key(&["nonsense"]));
    let empty = file("empty", b"\n");
    assert!(by_key(&[empty.to_str().unwrap()]).contains("without a key"));
    let broken = file("broken", format!("{key}\nnonsense\n").as_bytes());
    assert!(by_key(&[broken.to_str().unwrap()]).contains("a line that is not"));
    let by_list = |path: PathBuf| said(&Verify { crls: Some(path), ..base.clone() });
    for signer in [es, dk] {
        let list = file("crl.pem", revoked(signer).as_bytes());
        let said = by_list(list);
        assert!(said.starts_with("the receipt does not hold"), "{said}");
        assert!(said.contains("or was revoked"), "{said}");
    }
    assert_eq!(by_list(file("crl.pem", revoked(it).as_bytes())), "holds", "it did not sign");
    let said = by_list(file("crl.pem", b"nothing"));
    assert!(said.contains("--crls") && said.contains("no certificate revocation list"), "{said}");
    circle.stop().await;
}

/// What `fuzz/ledger-seeds` wrote: a receipt of the shared ledger, a proof, and whom they are signed by.
#[test]
fn a_receipt_of_the_ledger_is_held_to_the_readers_policy() {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..");
    let trusted = |name: &str| root.join("crates/testbed/src/fuzz/ledger").join(name);
    let seeds = |name: &str| root.join("fuzz/seeds").join(name);
    let base = Verify {
        file: seeds("bundle/receipt.json"),
        roots: Some(trusted("roots.pem")),
        crls: None,
        log_keys: Vec::new(),
        policy: Some(trusted("lasting.policy")),
        origin: None,
        entry: None,
        tsa_roots: None,
        json: false,
    };
    assert_eq!(said(&base), "holds");
    assert_eq!(said(&Verify { json: true, ..base.clone() }), "holds");
    assert_eq!(said(&Verify { policy: None, ..base.clone() }), "holds", "and says how little");
    let many = Some(seeds("witnesses/many.policy"));
    let why = said(&Verify { policy: many.clone(), ..base.clone() });
    assert!(why.contains("ledger: ") && why.contains("ask for a new proof"), "{why}");
    let why = said(&Verify { tsa_roots: Some(trusted("tsa.pem")), ..base.clone() });
    assert!(why.contains("time-stamp: there is none"), "{why}");
    let why = said(&Verify { log_keys: vec![STANDARD.encode([7; 32])], ..base.clone() });
    assert!(why.contains("takes --policy, not --log-key"), "{why}");
    let why = said(&Verify { policy: Some(trusted("entry")), ..base.clone() });
    assert!(why.contains("--policy") && why.contains("line 1"), "{why}");
    let proof = Verify {
        file: seeds("proof/lasting"),
        roots: None,
        entry: Some(trusted("entry")),
        ..base.clone()
    };
    assert_eq!(said(&proof), "holds");
    let why = said(&Verify { entry: Some(trusted("roots.pem")), ..proof.clone() });
    assert!(why.contains("does not stand at 537"), "{why}");
    let why = said(&Verify { policy: many, ..proof.clone() });
    assert!(why.starts_with("the proof does not hold: ledger: "), "{why}");
    let own = Verify { file: seeds("receipt/receipt.json"), ..base };
    assert!(said(&own).contains("of a country's own log"), "{}", said(&own));
}
