//! Countries of the circle of trust that do not keep to the protocol, against real nodes.

use exchange::{Code, Country, DocumentClass};
use testbed::world::{AGNETE, clinician};

use super::Circle;

fn country(code: &str) -> Country {
    Country::parse(code).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_country_without_an_agreement_reads_nothing_by_sealing_its_question() {
    let dir = tempfile::tempdir().unwrap();
    let (it, dk) = (country("IT"), country("DK"));
    let circle =
        Circle::start_among(dir.path(), |own, other| (own, other) != ("DK", "IT")).await.unwrap();
    let doctor = clinician(it, exchange::RoleCode::DOCTOR).unwrap();
    let visit = circle.visit(doctor, Some(&AGNETE));
    let portal = circle.portal(it, dk).unwrap();
    let answer = portal.query(&visit, &AGNETE.id(), DocumentClass::PatientSummary).await;
    let refused = answer.err().map(|error| error.code().to_owned());
    assert_eq!(refused.as_deref(), Some(Code::ErrorSecGeneric.wire()), "refused before it is open");
    let rows = circle.node(dk).node.journal.newest(9).await.unwrap();
    assert!(rows.is_empty(), "nothing was answered");
    circle.stop().await;
}
