//! What every session store must do. An adapter's test calls [`run`] with an empty store of its own.

use jiff::{SignedDuration, Timestamp};

use super::{Row, SessionError, Sessions};

/// Runs all of it; panics where the store breaks a promise.
pub async fn run(store: &dyn Sessions) -> Result<(), SessionError> {
    let row = |n: u8, expires| Row { key: [n; 32], expires, sealed: vec![n; 100] };
    let at = |seconds| Timestamp::UNIX_EPOCH + SignedDuration::from_millis(seconds * 1000 + 7);
    assert_eq!(store.find([1; 32]).await?, None);
    assert_eq!(store.take([1; 32]).await?, None);
    assert!(!store.replace(row(1, at(10))).await?, "what is not there is not replaced");
    assert_eq!(store.find([1; 32]).await?, None, "and does not appear by it");

    assert!(store.put_new(row(1, at(10))).await?);
    assert!(!store.put_new(Row { sealed: vec![], ..row(1, at(20)) }).await?, "a second is refused");
    assert_eq!(store.find([1; 32]).await?, Some(row(1, at(10))), "and changes nothing");
    let changed = Row { sealed: vec![9], ..row(1, at(30)) };
    assert!(store.replace(changed.clone()).await?);
    assert_eq!(store.find([1; 32]).await?, Some(changed.clone()), "every field comes back");
    assert_eq!(store.take([1; 32]).await?, Some(changed.clone()));
    assert_eq!(store.take([1; 32]).await?, None, "a row is taken once");
    assert!(!store.replace(changed).await?, "and not revived");

    for n in 1..=5 {
        store.put_new(row(n, at(i64::from(n)))).await?;
    }
    assert_eq!(store.sweep(at(3)).await?, 3, "what expires now has expired");
    assert_eq!(store.sweep(at(3)).await?, 0);
    assert_eq!(store.find([3; 32]).await?, None);
    assert_eq!(store.find([4; 32]).await?, Some(row(4, at(4))));
    store.sweep(Timestamp::MAX).await?;
    Ok(())
}
