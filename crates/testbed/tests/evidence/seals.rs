//! Countries whose seal certificates are issued under an intermediate CA.

use std::sync::Arc;

use exchange::Side;
use gateway::node::Sealing;
use ledger::Settled;
use ledger::journal::State;
use trust::chain::Chain;

use crate::circle::{Circle, dk, es};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn seals_of_three_levels_are_verified_by_the_root_alone() {
    let circle = Circle::with_seals(true);
    let (mut spain, denmark) = (circle.start(es()).await, circle.start(dk()).await);
    assert_eq!(circle.ask().await.unwrap(), 2);
    spain.work();
    let row = spain.newest(Side::B).await.unwrap();
    let theirs = denmark.until(&row, |row| row.state == State::Settled).await;
    assert_eq!(theirs.statement, row.statement);
    // each journal holds what verifies the other country
    let (provider, requester) = (
        Chain::from_der(&row.peer_certificate).unwrap(),
        Chain::from_der(&theirs.peer_certificate).unwrap(),
    );
    assert_eq!((provider.intermediates().len(), requester.intermediates().len()), (1, 1));
    let anchors = circle.pki.anchors();
    let signers = [provider.leaf(), requester.leaf()];
    assert!(Settled::verify(&row.statement, &signers, &anchors, row.at).is_err(), "no path");
    let between = [provider.intermediates(), requester.intermediates()].concat();
    Settled::verify_chained(&row.statement, &signers, &between, &anchors, row.at).unwrap();
    spain.stop().await;
    denmark.stop().await;
}

/// Both operators renew their seals between two exchanges, and before the receipt of the first.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn renewed_seals_are_believed_and_orphan_no_receipt() {
    let circle = Circle::new();
    let (mut spain, denmark) = (circle.start(es()).await, circle.start(dk()).await);
    circle.ask().await.unwrap();
    let before = spain.newest(Side::B).await.unwrap();
    for (post, country) in [(&spain, es()), (&denmark, dk())] {
        let renewed = Sealing::new(circle.pki.seal_below(country), crate::circle::vault(country));
        post.node.sealing.store(Arc::new(renewed));
    }
    assert_eq!(circle.ask().await.unwrap(), 2);
    let after = spain.newest(Side::B).await.unwrap();
    let leaf = |der: &[u8]| Chain::from_der(der).unwrap().leaf().fingerprint();
    assert_ne!(leaf(&before.peer_certificate), leaf(&after.peer_certificate));
    spain.work();
    for row in [before, after] {
        let theirs = denmark.until(&row, |row| row.state == State::Settled).await;
        assert_eq!(theirs.statement, row.statement);
    }
    spain.stop().await;
    denmark.stop().await;
}
