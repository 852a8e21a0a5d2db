//! What a journal must do with keys of patients, and when they are deleted.

use exchange::Side;

use super::super::{Erase, Journal, JournalError, Outcome, Row, State, Step};
use super::{settled_row, txid};
use crate::sealed::{ERASED, Sealed};

pub(super) async fn run(journal: &dyn Journal) -> Result<(), JournalError> {
    a_patients_key_is_kept_once(journal).await?;
    one_exchange_is_erased(journal).await?;
    a_patient_is_erased_and_others_stay(journal).await?;
    nothing_new_is_locked_under_a_deleted_key(journal).await
}

/// A settled row about a patient.
pub(super) fn about(number: u16, patient: i64) -> Row {
    let row = settled_row(number);
    let secrets = Sealed {
        patient,
        key: vec![u8::try_from(number % 251).unwrap_or(0); 40],
        asked: format!("asked {number}").into_bytes(),
        answered: format!("answered {number}").into_bytes(),
    };
    Row { secrets, ..row }
}

async fn put(journal: &dyn Journal, rows: Vec<Row>) -> Result<Outcome, JournalError> {
    journal.commit(Step { replay: None, rows }).await
}

async fn a_patients_key_is_kept_once(journal: &dyn Journal) -> Result<(), JournalError> {
    assert!(journal.patient_named([10; 32]).await?.is_none());
    let first = journal.keep_patient([10; 32], vec![1; 60]).await?;
    let again = journal.keep_patient([10; 32], vec![2; 60]).await?;
    assert!(first == again, "of two keys the first");
    assert!(journal.patient_named([10; 32]).await? == Some(first.clone()));
    assert!(journal.patient(first.number).await? == Some(first.clone()));
    assert!(journal.patient(first.number + 1).await?.is_none());
    let other = journal.keep_patient([11; 32], vec![3; 60]).await?;
    assert!(other.number != first.number && other.sealed == [3; 60]);
    Ok(())
}

async fn one_exchange_is_erased(journal: &dyn Journal) -> Result<(), JournalError> {
    let patient = journal.keep_patient([12; 32], vec![4; 60]).await?.number;
    put(journal, (200..203).map(|number| about(number, patient)).collect()).await?;
    let erase = Erase::Exchange(txid(201), Side::B);
    assert!(journal.erase(erase).await?);
    assert!(!journal.erase(erase).await?, "once");
    assert!(!journal.erase(Erase::Exchange(txid(201), Side::A)).await?, "not the other side's");
    while journal.sweep(1).await? > 0 {}
    assert!(journal.is_erasing().await?, "not at its end");
    assert!(journal.scrub().await?);
    assert!(!journal.is_erasing().await?, "at its end");
    let row = journal.row(txid(201), Side::B).await?.expect("because it was committed");
    assert!(row.secrets.is_erased(), "{:?}", row.secrets);
    assert_eq!(row.statement, settled_row(201).statement, "what is in the log stays");
    let left = journal.about(patient, None, 10).await?;
    assert!(left.iter().map(|row| row.txid).eq([txid(200), txid(202)]), "and the others do");
    assert!(left.iter().all(|row| row.secrets == about(200 + left_number(row), patient).secrets));
    let next = journal.about(patient, Some((txid(200), Side::B)), 1).await?;
    assert!(next.iter().map(|row| row.txid).eq([txid(202)]), "from one on, up to the limit");
    Ok(())
}

/// 0 or 2.
fn left_number(row: &Row) -> u16 {
    if row.txid == txid(200) { 0 } else { 2 }
}

async fn a_patient_is_erased_and_others_stay(journal: &dyn Journal) -> Result<(), JournalError> {
    let (gone, stays) = (
        journal.keep_patient([13; 32], vec![5; 60]).await?.number,
        journal.keep_patient([14; 32], vec![6; 60]).await?.number,
    );
    let open = Row { state: State::Answered, ..about(215, gone) };
    let rows = (210..215).map(|n| about(n, gone)).chain([open, about(216, stays)]).collect();
    put(journal, rows).await?;
    assert!(journal.erase(Erase::Patient(gone)).await?);
    assert!(
        journal.patient(gone).await?.is_none() && journal.patient_named([13; 32]).await?.is_none()
    );
    assert!(!journal.erase(Erase::Patient(gone)).await?, "once");
    assert_eq!(journal.sweep(4).await?, 4, "a slice");
    assert_eq!(journal.sweep(4).await?, 2, "and the rest");
    assert_eq!(journal.sweep(4).await?, 0);
    assert!(journal.scrub().await?);
    assert!(journal.about(gone, None, 10).await?.is_empty(), "nothing says that they were one's");
    for number in 210..216 {
        let row = journal.row(txid(number), Side::B).await?.expect("because it was committed");
        assert_eq!(row.secrets.patient, ERASED);
        assert_eq!(row.statement, settled_row(number).statement);
    }
    assert_eq!(journal.about(stays, None, 10).await?.len(), 1);
    // its other half comes after the erasure
    put(journal, vec![about(215, gone)]).await?;
    let row = journal.row(txid(215), Side::B).await?.expect("because it was committed");
    assert_eq!((row.state, row.secrets.is_erased()), (State::Settled, true));
    // the same person comes again: another number, another key
    let again = journal.keep_patient([13; 32], vec![7; 60]).await?;
    assert!(again.number > stays, "a number is never given twice");
    Ok(())
}

async fn nothing_new_is_locked_under_a_deleted_key(
    journal: &dyn Journal,
) -> Result<(), JournalError> {
    let gone = journal.keep_patient([15; 32], vec![8; 60]).await?.number;
    assert!(journal.erase(Erase::Patient(gone)).await?);
    let key = super::ReplayKey { digest: [77; 32], expires: jiff::Timestamp::MAX };
    let step = |state| Step { replay: Some(key), rows: vec![Row { state, ..about(220, gone) }] };
    for state in [State::Asked, State::Settled] {
        assert_eq!(journal.commit(step(state)).await?, Outcome::Erased);
    }
    assert!(journal.row(txid(220), Side::B).await?.is_none());
    let free = Step { replay: Some(key), rows: Vec::new() };
    assert_eq!(journal.commit(free).await?, Outcome::Recorded, "nor is its replay key kept");
    while journal.sweep(8).await? > 0 {}
    Ok(())
}
