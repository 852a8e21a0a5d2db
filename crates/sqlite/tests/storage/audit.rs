//! The audit spool: memory answers first, the disk has it all.

use gateway::audit::{Spool, SpoolError};
use sqlite::Audit;

fn records(numbers: std::ops::Range<u64>) -> Vec<String> {
    numbers.map(|n| format!("<record n=\"{n}\"/>")).collect()
}

fn expected(numbers: std::ops::Range<u64>) -> Vec<(u64, String)> {
    numbers.clone().zip(records(numbers)).collect()
}

#[test]
fn a_batch_that_could_not_be_sent_comes_again_in_its_order() {
    let dir = tempfile::tempdir().unwrap();
    let spool = Audit::open(&dir.path().join("audit.db"), 100).unwrap();
    spool.append(records(1..4)).unwrap();
    assert_eq!(spool.oldest(2).unwrap(), expected(1..3));
    spool.remove(2).unwrap();
    spool.append(records(4..9)).unwrap();
    for _ in 0..2 {
        // given, and not removed: the repository was away
        assert_eq!(spool.oldest(4).unwrap(), expected(3..7));
    }
    spool.append(records(9..11)).unwrap();
    assert_eq!(spool.oldest(4).unwrap(), expected(3..7));
    spool.remove(6).unwrap();
    assert_eq!(spool.oldest(9).unwrap(), expected(7..11));
    assert_eq!(spool.waiting().unwrap(), 4);
}

#[test]
fn what_memory_gave_is_on_disk_until_it_is_removed() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("audit.db");
    let spool = Audit::open(&path, 10).unwrap();
    spool.append(records(1..6)).unwrap();
    spool.remove(1).unwrap();
    assert_eq!(spool.oldest(9).unwrap(), expected(2..6));
    assert!(matches!(spool.append(records(6..20)), Err(SpoolError::Full)));
    spool.close();
    let again = Audit::open(&path, 10).unwrap();
    assert_eq!(again.oldest(9).unwrap(), expected(2..6));
}

#[test]
fn records_too_large_for_memory_come_from_the_disk() {
    let dir = tempfile::tempdir().unwrap();
    let spool = Audit::open(&dir.path().join("audit.db"), 100).unwrap();
    let large = |n: u64| format!("{n}{}", "x".repeat(5 << 20));
    spool.append(records(1..2)).unwrap();
    spool.remove(1).unwrap();
    for n in 2..5 {
        spool.append(vec![large(n)]).unwrap();
    }
    let sent: Vec<u64> = std::iter::from_fn(|| {
        let (number, xml) = spool.oldest(1).unwrap().pop()?;
        assert!(xml == large(number));
        spool.remove(number).unwrap();
        Some(number)
    })
    .collect();
    assert_eq!(sent, [2, 3, 4]);
}
