//! What every journal must do. An adapter's test calls [`run`] with an empty journal of its own.

mod erasure;

use exchange::{Country, Side, Transaction, TransactionId};
use jiff::Timestamp;

use super::{Journal, JournalError, Outcome, ReplayKey, Row, State, Step, Waiting};
use crate::sealed::Sealed;

/// Runs all of it; panics where the journal breaks a promise.
pub async fn run(journal: &dyn Journal) -> Result<(), JournalError> {
    replays_change_nothing(journal).await?;
    rows_advance_and_never_go_back(journal).await?;
    places_are_given_once(journal).await?;
    rows_of_a_batch_are_found_at_once(journal).await?;
    receipts_wait_until_delivered(journal).await?;
    an_exchange_number_is_taken_once(journal).await?;
    halves_are_found_after_their_deadline(journal).await?;
    a_half_keeps_its_place_when_it_is_completed(journal).await?;
    what_waits_is_counted(journal).await?;
    erasure::run(journal).await
}

async fn replays_change_nothing(journal: &dyn Journal) -> Result<(), JournalError> {
    let now = Timestamp::UNIX_EPOCH;
    let later = now + jiff::SignedDuration::from_secs(60);
    let step = |number, digest, expires| Step {
        replay: Some(ReplayKey { digest: [digest; 32], expires }),
        rows: vec![Row { state: State::Asked, ..settled_row(number) }],
    };
    assert_eq!(journal.commit(step(9000, 1, now)).await?, Outcome::Recorded);
    assert_eq!(journal.commit(step(9001, 1, later)).await?, Outcome::Replayed);
    assert!(journal.row(txid(9001), Side::B).await?.is_none(), "a replayed step leaves no row");
    assert_eq!(journal.commit(step(9001, 2, later)).await?, Outcome::Recorded);
    assert_eq!(journal.forget_replays(later).await?, 1, "the expired key goes, the other stays");
    assert_eq!(journal.commit(step(9002, 2, later)).await?, Outcome::Replayed);
    assert_eq!(journal.commit(step(9002, 1, later)).await?, Outcome::Recorded);
    Ok(())
}

async fn rows_of_a_batch_are_found_at_once(journal: &dyn Journal) -> Result<(), JournalError> {
    for number in [7001, 7002, 7003] {
        let row = Row { side: Side::A, ..settled_row(number) };
        journal.commit(Step { replay: None, rows: vec![row] }).await?;
    }
    let asked = [7003, 7001, 7999].map(txid).to_vec();
    let mut found = journal.rows(asked.clone(), Side::A).await?;
    found.sort_by_key(|row| row.txid.0);
    assert_eq!(found.iter().map(|row| row.txid).collect::<Vec<_>>(), [7001, 7003].map(txid));
    assert_eq!(found[0].statement, settled_row(7001).statement, "whole rows");
    assert!(journal.rows(asked, Side::B).await?.is_empty(), "of the side that was asked for");
    Ok(())
}

async fn rows_advance_and_never_go_back(journal: &dyn Journal) -> Result<(), JournalError> {
    let patient = journal.keep_patient([9; 32], b"sealed".to_vec()).await?.number;
    let settled = erasure::about(1, patient);
    let steps = [
        (State::Asked, b"".to_vec()),
        (State::Answered, b"half".to_vec()),
        (State::Settled, settled.statement.clone()),
    ];
    for (state, statement) in steps {
        let row = Row { state, statement, ..settled.clone() };
        journal.commit(Step { replay: None, rows: vec![row] }).await?;
        assert_eq!(journal.row(settled.txid, Side::B).await?.map(|row| row.state), Some(state));
    }
    let back = Row { state: State::Asked, statement: b"other".to_vec(), ..settled.clone() };
    let outcome = journal.commit(Step { replay: None, rows: vec![back] }).await?;
    assert_eq!(outcome, Outcome::Taken);
    let found = journal.row(settled.txid, Side::B).await?.expect("because it was committed");
    assert_eq!(
        (found.state, &found.statement),
        (State::Settled, &settled.statement),
        "settled stays"
    );
    let same = |a: &Row, b: &Row| {
        (a.txid, a.side, a.transaction, a.requester, a.provider, a.at)
            == (b.txid, b.side, b.transaction, b.requester, b.provider, b.at)
            && (&a.request, &a.secrets, &a.peer_certificate)
                == (&b.request, &b.secrets, &b.peer_certificate)
    };
    assert!(same(&found, &settled), "every column comes back");
    assert!(
        journal.row(settled.txid, Side::A).await?.is_none(),
        "the other side of the same exchange is another row"
    );
    assert_eq!(journal.newest(1).await?.len(), 1);
    Ok(())
}

async fn places_are_given_once(journal: &dyn Journal) -> Result<(), JournalError> {
    let first = journal.sequence(0, 100).await?;
    assert_eq!(first, [(0, settled_row(1).statement)], "only what is settled has a place");
    let mut rows: Vec<Row> = (2..12).map(settled_row).collect();
    rows.push(Row { state: State::Answered, ..settled_row(12) });
    journal.commit(Step { replay: None, rows }).await?;
    let some = journal.sequence(1, 4).await?;
    let indices: Vec<u64> = some.iter().map(|(index, _)| *index).collect();
    assert_eq!(indices, [1, 2, 3, 4], "at most the limit");
    let again = journal.sequence(1, 100).await?;
    assert_eq!(again[..4], some, "a place that was given stays");
    assert!(again.iter().map(|(index, _)| *index).eq(1..11), "and the rest follows without a gap");
    assert_eq!(journal.sequence(1, 100).await?, again);
    assert!(journal.sequence(11, 100).await?.is_empty());
    let found = journal.row(txid(2), Side::B).await?.and_then(|row| row.index);
    assert!(
        found.is_some_and(|index| again.contains(&(index, settled_row(2).statement))),
        "the row knows its place"
    );
    Ok(())
}

async fn receipts_wait_until_delivered(journal: &dyn Journal) -> Result<(), JournalError> {
    let rows = (20..23).map(|number| Row { undelivered: true, ..settled_row(number) }).collect();
    journal.commit(Step { replay: None, rows }).await?;
    let provider = settled_row(20).provider;
    assert!(
        journal.undelivered(settled_row(20).requester, 10).await?.is_empty(),
        "nothing for another country"
    );
    assert_eq!(journal.undelivered(provider, 2).await?.len(), 2);
    assert_eq!(journal.undelivered(provider, 10).await?.len(), 3);
    journal.delivered(vec![txid(20), txid(22)]).await?;
    let left: Vec<_> =
        journal.undelivered(provider, 10).await?.into_iter().map(|row| row.txid).collect();
    assert_eq!(left, [txid(21)]);
    journal.refused(vec![txid(21)]).await?;
    assert!(
        journal.undelivered(provider, 10).await?.is_empty(),
        "a refused one is not brought again"
    );
    let row = journal.row(txid(21), Side::B).await?;
    assert!(row.is_some_and(|row| row.undelivered), "but the peer does not have it");
    Ok(())
}

/// The requester chooses the number: with one that it used before it wipes out nothing.
async fn an_exchange_number_is_taken_once(journal: &dyn Journal) -> Result<(), JournalError> {
    let first = Row { side: Side::A, state: State::Answered, ..settled_row(30) };
    let step = |row: &Row| Step { replay: None, rows: vec![row.clone()] };
    assert_eq!(journal.commit(step(&first)).await?, Outcome::Recorded);
    let country = |text| Country::parse(text).expect("because it has two letters");
    let others = [
        Row { statement: b"another answer".to_vec(), ..first.clone() },
        Row { state: State::Asked, ..first.clone() },
        Row { state: State::Settled, request: b"another request".to_vec(), ..first.clone() },
        Row { state: State::Settled, requester: country("IT"), ..first.clone() },
        Row { state: State::Half, statement: b"no answer".to_vec(), ..first.clone() },
    ];
    for other in &others {
        let key = ReplayKey { digest: [30; 32], expires: Timestamp::MAX };
        let beside = Row { side: Side::A, ..settled_row(31) };
        let step = Step { replay: Some(key), rows: vec![beside, other.clone()] };
        assert_eq!(journal.commit(step).await?, Outcome::Taken, "{:?}", other.state);
    }
    let found = journal.row(first.txid, Side::A).await?.expect("because it was committed");
    assert_eq!((found.state, found.statement), (State::Answered, first.statement.clone()));
    assert!(journal.row(txid(31), Side::A).await?.is_none(), "nothing of the step is left");
    let key = ReplayKey { digest: [30; 32], expires: Timestamp::MAX };
    let step = Step { replay: Some(key), rows: Vec::new() };
    assert_eq!(journal.commit(step).await?, Outcome::Recorded, "nor its replay key");
    Ok(())
}

async fn halves_are_found_after_their_deadline(journal: &dyn Journal) -> Result<(), JournalError> {
    let rows = [(40, State::Asked), (41, State::Answered), (42, State::Half), (43, State::Settled)];
    let rows = rows.map(|(number, state)| Row { state, ..settled_row(number) });
    journal.commit(Step { replay: None, rows: rows.to_vec() }).await?;
    let at = |number| settled_row(number).at;
    let numbers = |rows: Vec<Row>| rows.into_iter().map(|row| row.txid).collect::<Vec<_>>();
    let from = |rows: Vec<Row>| rows.into_iter().filter(|row| row.at >= at(40)).collect();
    assert_eq!(numbers(from(journal.overdue(at(41), 100).await?)), [txid(40)], "not yet");
    assert_eq!(numbers(from(journal.overdue(at(44), 100).await?)), [txid(40), txid(41)]);
    let all = numbers(journal.overdue(at(44), 100).await?);
    assert_eq!(numbers(journal.overdue(at(44), 1).await?), all[..1], "the oldest first");
    Ok(())
}

async fn a_half_keeps_its_place_when_it_is_completed(
    journal: &dyn Journal,
) -> Result<(), JournalError> {
    let next = journal.sequence(0, 1000).await?.len() as u64;
    let half = |number| Row {
        state: State::Half,
        statement: format!("half {number}").into_bytes(),
        ..settled_row(number)
    };
    let put = |row| journal.commit(Step { replay: None, rows: vec![row] });
    assert_eq!(put(half(50)).await?, Outcome::Recorded);
    assert_eq!(put(half(50)).await?, Outcome::Taken, "one half an exchange");
    assert_eq!(journal.sequence(next, 100).await?, [(next, b"half 50".to_vec())]);
    let index = |row: Option<Row>| row.and_then(|row| row.index);
    assert_eq!(index(journal.row(txid(50), Side::B).await?), Some(next));
    // completed before the log saw it: the whole only
    assert_eq!(put(half(51)).await?, Outcome::Recorded);
    assert_eq!(put(settled_row(51)).await?, Outcome::Recorded);
    assert_eq!(put(settled_row(50)).await?, Outcome::Recorded);
    assert_eq!(index(journal.row(txid(50), Side::B).await?), None, "the whole has no place yet");
    let mut leaves = journal.sequence(next, 100).await?;
    assert_eq!(leaves.remove(0), (next, b"half 50".to_vec()), "what is in the log stays");
    assert!(leaves.iter().map(|(index, _)| *index).eq(next + 1..next + 3), "no gap, nothing twice");
    let mut whole: Vec<_> = leaves.into_iter().map(|(_, leaf)| leaf).collect();
    whole.sort();
    assert_eq!(whole, [settled_row(50).statement, settled_row(51).statement]);
    assert_eq!(put(half(50)).await?, Outcome::Taken, "settled stays");
    Ok(())
}

async fn what_waits_is_counted(journal: &dyn Journal) -> Result<(), JournalError> {
    let places = journal.sequence(0, 1000).await?.len() as u64;
    let before = journal.waiting(1000).await?;
    assert_eq!((before.unplaced, before.places), (0, places), "all that can has its place");
    let states = [State::Asked, State::Answered, State::Half, State::Settled, State::Settled];
    let rows = (60..).zip(states).map(|(n, state)| Row { state, ..settled_row(n) }).collect();
    journal.commit(Step { replay: None, rows }).await?;
    let now = journal.waiting(1000).await?;
    assert_eq!(now, Waiting { open: before.open + 2, unplaced: 3, places });
    let few = journal.waiting(2).await?;
    assert_eq!((few.open, few.unplaced), (2, 2), "up to the limit");
    journal.sequence(0, 1000).await?;
    assert_eq!(journal.waiting(1000).await?, Waiting { unplaced: 0, places: places + 3, ..now });
    Ok(())
}

/// A settled row of ours as requester, different for each number.
pub fn settled_row(number: u16) -> Row {
    let country = |text| Country::parse(text).expect("because it has two letters");
    Row {
        txid: txid(number),
        side: Side::B,
        transaction: Transaction::Retrieve,
        requester: country("ES"),
        provider: country("DK"),
        state: State::Settled,
        request: b"request".to_vec(),
        statement: format!("statement {number}").into_bytes(),
        secrets: Sealed::default(),
        peer_certificate: b"certificate".to_vec(),
        undelivered: false,
        at: Timestamp::UNIX_EPOCH + jiff::SignedDuration::from_secs(i64::from(number)),
        index: None,
    }
}

fn txid(number: u16) -> TransactionId {
    let mut bytes = [0; 16];
    bytes[..2].copy_from_slice(&number.to_be_bytes());
    TransactionId(bytes)
}
