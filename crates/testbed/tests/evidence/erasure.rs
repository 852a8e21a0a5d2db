//! What a running node does when somebody is erased beside it.

use exchange::Side;
use ledger::Field;
use ledger::journal::{Erase, Journal as _, Patients as _, Row, State};
use testbed::world::{AGNETE, MOGENS};

use crate::circle::{Circle, Post, dk, es};

async fn shown(post: &Post, row: &Row) -> Option<String> {
    let row = post.journal.row(row.txid, row.side).await.unwrap().unwrap();
    let secrets = post.node.secrets(&row).await.unwrap()?;
    secrets.disclose(Field::Patient).map(|(_, patient)| patient.to_owned())
}

/// The node knows his key, and another process deletes it: what comes next is not lost with it, and
/// does not bring the old back.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_patient_who_was_erased_and_comes_again_has_another_key() {
    let circle = Circle::new();
    let (spain, denmark) = (circle.start(es()).await, circle.start(dk()).await);
    circle.ask().await.unwrap();
    let _refused = circle.ask_for(&MOGENS).await;
    circle.ask().await.unwrap();
    for (post, side) in [(&spain, Side::B), (&denmark, Side::A)] {
        let rows = post.journal.newest(10).await.unwrap();
        let ours: Vec<&Row> = rows.iter().filter(|row| row.side == side).collect();
        let [second, other, first] = ours[..] else { panic!("three exchanges: {}", ours.len()) };
        let cx = Some(AGNETE.id().cx());
        assert_eq!((shown(post, first).await, shown(post, second).await), (cx.clone(), cx));
        let number = first.secrets.patient;
        assert!(second.secrets.patient == number && other.secrets.patient != number);
        assert!(post.journal.erase(Erase::Patient(number)).await.unwrap());
        assert_eq!(shown(post, first).await, None, "before anything is overwritten");
        assert_eq!(shown(post, other).await, Some(MOGENS.id().cx()));
    }
    circle.ask().await.unwrap();
    for (post, side) in [(&spain, Side::B), (&denmark, Side::A)] {
        let row = post.newest(side).await.unwrap();
        assert_eq!(shown(post, &row).await, Some(AGNETE.id().cx()));
        let known = post.journal.about(row.secrets.patient, None, 10).await.unwrap();
        assert_eq!(known.len(), 1, "what was erased is not hers any more");
    }
    spain.stop().await;
    denmark.stop().await;
}

/// B erases between its question and the receipt that A waits for; A erases its answered row.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_erased_exchange_is_still_settled_and_logged_in_both_countries() {
    let circle = Circle::new();
    let (mut spain, mut denmark) = (circle.start(es()).await, circle.start(dk()).await);
    circle.ask().await.unwrap();
    let (asked, answered) =
        (spain.newest(Side::B).await.unwrap(), denmark.newest(Side::A).await.unwrap());
    assert_eq!(answered.state, State::Answered, "the receipt is not there yet");
    for (post, row) in [(&spain, &asked), (&denmark, &answered)] {
        assert!(post.journal.erase(Erase::Exchange(row.txid, row.side)).await.unwrap());
    }
    spain.work();
    denmark.work();
    let mut leaves = Vec::new();
    for (post, row) in [(&spain, &asked), (&denmark, &answered)] {
        let row = post.until(row, |row| row.index.is_some()).await;
        assert_eq!(row.state, State::Settled);
        assert!(row.secrets.is_erased() && shown(post, &row).await.is_none());
        leaves.push(row.statement);
    }
    assert_eq!(leaves[0], leaves[1], "the same record in both logs");
    spain.stop().await;
    denmark.stop().await;
}
