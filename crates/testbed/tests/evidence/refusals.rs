//! A refusal is an answer: both countries sign it.

use std::time::Duration;

use exchange::{DocumentClass, Side, Transaction};
use ihe::xca::QueryRequest;
use ledger::Settled;
use ledger::journal::State;
use testbed::pki::Role;
use testbed::portal::envelope;
use testbed::world::{AGNETE, MOGENS};

use crate::circle::{Circle, dk, es};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_patient_who_withheld_consent_finds_the_attempt_signed_by_both() {
    let circle = Circle::new();
    let (mut spain, denmark) = (circle.start(es()).await, circle.start(dk()).await);
    let refused = circle.ask_for(&MOGENS).await.unwrap_err();
    spain.work();
    let row = spain.newest(Side::B).await.unwrap();
    assert_eq!(row.state, State::Settled);
    let theirs = denmark.until(&row, |row| row.state == State::Settled).await;
    assert_eq!(theirs.statement, row.statement);
    let seals = [dk(), es()].map(|c| circle.pki.identity(c, Role::Seal).certificate().clone());
    let signers: Vec<_> = seals.iter().collect();
    let anchors = circle.pki.anchors();
    let settled = Settled::verify(&row.statement, &signers, &anchors, row.at).unwrap();
    assert_eq!((settled.signatures, settled.statement.outcome.as_str()), (2, refused.code()));
    spain.stop().await;
    denmark.stop().await;
}

/// Denmark's certificate opens Spain's national listener, but Spain asks for its own people only.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stranger_at_the_national_listener_takes_no_place_of_our_own_people() {
    let circle = Circle::new();
    let spain = circle.start(es()).await;
    let peer = spain.node.peer(dk()).unwrap();
    let mut places = Vec::new();
    for _ in 0..64 {
        places.push(peer.slots.asking.place().await.unwrap());
    }
    let classes = vec![DocumentClass::PatientSummary];
    let body = QueryRequest { patient: AGNETE.id(), classes }.render();
    let message = envelope(Transaction::Query, &circle.visit(), &body, Vec::new());
    let (kind, bytes) = message.write(Transaction::Query.request_action());
    let path = format!("/dk{}", Transaction::Query.service_path());
    let stranger = circle.national_client(dk());
    let answer =
        tokio::time::timeout(Duration::from_secs(30), stranger.post(&path, &kind, bytes)).await;
    let answer = answer.expect("it does not wait in the line").unwrap();
    assert!(String::from_utf8_lossy(&answer.body).contains("1001"), "refused by the rules");
    assert!(spain.newest(Side::B).await.is_none(), "nothing is recorded in its name");
    drop(places);
    spain.stop().await;
}
