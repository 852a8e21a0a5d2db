//! A patient's accesses.

use std::collections::BTreeSet;

use testbed::world::{AGNETE, MOGENS};
use trust::certificate::Anchors;

use crate::left::printed;
use crate::{Left, found, ledger, refused};

#[test]
fn a_patient_sees_who_had_access_with_a_proof_of_each() {
    let left = Left::new();
    let (cx, out) = (AGNETE.id().cx(), left.dir().join("accesses"));
    let said = ["accesses", "--patient", &cx, "--out", out.to_str().unwrap()];
    let text = printed(&ledger(&left.dk, &said));
    let anchors =
        Anchors::from_pem(&std::fs::read(left.dir().join("pki/ca.pem")).unwrap()).unwrap();
    let mut numbers = BTreeSet::new();
    for line in text.lines() {
        let row: Vec<&str> = line.split('\t').collect();
        let [_, country, professional, iti, purpose, outcome, number, index, proof] = row[..]
        else {
            panic!("{line}")
        };
        assert_eq!((country, purpose), ("ES", "TREATMENT"), "{line}");
        assert!(professional.contains("@urn:idp:ES") && index.parse::<u64>().is_ok(), "{line}");
        let report = ledger::receipt::verify(&std::fs::read(proof).unwrap(), &anchors).unwrap();
        let says = |what: &str| {
            let found = report.findings.iter().find(|finding| finding.0 == what);
            found.map(|finding| finding.1.clone()).unwrap_or_default()
        };
        assert_eq!((says("exchange"), says("transaction")), (number.to_owned(), iti.to_owned()));
        assert_eq!((says("patient"), says("outcome")), (cx.clone(), outcome.to_owned()));
        assert_eq!(says("professional"), professional);
        numbers.insert(number.to_owned());
    }
    let known: BTreeSet<String> = found(&left.dk, &cx).into_iter().map(|row| row.0).collect();
    assert!(numbers.len() > 3 && numbers == known, "all of them");
    assert_ne!(found(&left.dk, &MOGENS.id().cx()).len(), 0, "another patient has his own list");
    assert!(found(&left.dk, &MOGENS.id().cx()).iter().all(|row| !known.contains(&row.0)));
    let said = refused(&ledger(&left.es, &["find", "--patient", &cx]));
    assert!(said.contains("patient of another country"), "{said}");
    let said = refused(&ledger(&left.dk, &["find", "--patient", "1^^^&1.2.3&ISO"]));
    assert!(said.contains("nothing is known"), "{said}");
    // by number, on both sides
    let one = numbers.first().unwrap();
    for config in [&left.dk, &left.es] {
        assert!(printed(&ledger(config, &["find", "--txid", one])).starts_with(one.as_str()));
    }
}
