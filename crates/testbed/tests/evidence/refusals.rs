//! A refusal is an answer: both countries sign it.

use exchange::Side;
use ledger::Settled;
use ledger::journal::State;
use testbed::pki::Role;
use testbed::world::MOGENS;

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
