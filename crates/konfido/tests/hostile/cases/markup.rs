//! XML that attacks its reader, at the border and at home.

use exchange::Transaction;
use testbed::attacks::forgery::replaced;
use testbed::attacks::markup;
use testbed::world::{MONTSERRAT, ORNELLA};

use crate::case::{Case, Want, case};
use crate::circle::Place;
use crate::stage::{self, HOME, ITALY, OPENNCP, SPAIN, service, shot};

const UNREADABLE: Want = Want::Fault(400, "ERROR_GENERIC");

type Attack = fn(&str) -> String;

static ATTACKS: [(&str, Attack); 12] = [
    ("a document type", |e| markup::doctype(e)),
    ("an internal entity", |e| markup::internal_entity(e)),
    ("an external entity: a file", |e| markup::external_entity(e, "file:///etc/hostname")),
    ("an external entity: an address", |e| markup::external_entity(e, "http://127.0.0.1:9/x")),
    ("an external parameter entity", |e| markup::parameter_entity(e, "file:///etc/hostname")),
    ("billion laughs", |e| markup::laughs(e, markup::in_body)),
    ("10,000 attributes", |e| markup::attributes(e, 10_000)),
    ("100,000 levels", |e| markup::levels(e, 100_000)),
    ("a relative namespace", |e| replaced(e, "<env:Body>", "<env:Body xmlns:r=\"r\">")),
    ("a processing instruction", |e| markup::in_body(e, "<?xml-stylesheet href='x'?>")),
    ("cut in the middle", |e| e[..e.len() / 2].to_owned()),
    ("two Bodies", |e| replaced(e, "<env:Body>", "<env:Body/><env:Body>")),
];

pub fn all() -> Vec<Case> {
    let mut cases = Vec::new();
    for (name, attack) in ATTACKS {
        cases.push(case(name, ITALY, UNREADABLE, move |stage| {
            shot(SPAIN, service(Transaction::Query), attack(&stage.good_query()))
        }));
    }
    for (name, attack) in &ATTACKS[5..8] {
        let path = format!("/dk{}", service(Transaction::Query));
        cases.push(case(format!("at home: {name}"), HOME, UNREADABLE, move |stage| {
            shot(OPENNCP, &path, attack(&stage.good_query()))
        }));
    }
    cases.push(case("not UTF-8", ITALY, UNREADABLE, |stage| {
        let mut bytes = stage.good_query().into_bytes();
        let at = bytes.len() - 40;
        bytes[at] = 0xff;
        shot(SPAIN, service(Transaction::Query), bytes)
    }));
    cases.push(relative_in_assertion(ITALY));
    cases
}

/// "Void canonicalization" needs the namespace inside what is signed.
fn relative_in_assertion(at: Place) -> Case {
    case("a relative namespace in the HCP assertion", at, UNREADABLE, |stage| {
        let visit = stage.visit(&MONTSERRAT, &ORNELLA);
        let hcp = replaced(&visit.hcp, "<saml2:Assertion ", "<saml2:Assertion xmlns:r=\"r\" ");
        let text = stage::query(&[&hcp, visit.trc.as_deref().unwrap()], &ORNELLA);
        shot(SPAIN, service(Transaction::Query), text)
    })
}
