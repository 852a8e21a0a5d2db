//! Status lists of credentials: kept for a minute, and fetched by one presentation for all that wait.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex as Guarded, PoisonError};

use bytes::Bytes;
use jiff::{SignedDuration, Timestamp};
use tokio::sync::Mutex;

/// The lists, by address: a doctor's morning asks for the same one again and again.
#[derive(Default)]
pub struct StatusLists(Guarded<HashMap<String, Arc<Place>>>);

/// Where one list is, or will be.
#[derive(Default)]
struct Place {
    /// The list, and until when it is believed to be the newest; locked while it is fetched.
    kept: Mutex<Option<(Bytes, Timestamp)>>,
    /// How often it was fetched, or tried to be.
    fetched: AtomicU64,
}

impl StatusLists {
    /// The list at `uri`: the one that is kept, else what `fetch` brings. Who came while it was being
    /// fetched gets what that brought, be it nothing.
    pub(super) async fn find<F>(
        &self,
        uri: &str,
        now: Timestamp,
        fetch: impl FnOnce() -> F,
    ) -> Option<Bytes>
    where
        F: Future<Output = Option<Bytes>>,
    {
        let place = self.place(uri, now);
        let before = place.fetched.load(Ordering::SeqCst);
        let mut kept = place.kept.lock().await;
        if let Some((list, until)) = &*kept
            && now < *until
        {
            return Some(list.clone());
        }
        if place.fetched.load(Ordering::SeqCst) != before {
            return None;
        }
        let list = fetch().await;
        place.fetched.fetch_add(1, Ordering::SeqCst);
        *kept = list.clone().map(|list| (list, now + LIFE));
        list
    }

    /// One place an address. What nobody waits for and has ended makes room; what finds none is
    /// fetched for itself.
    fn place(&self, uri: &str, now: Timestamp) -> Arc<Place> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(place) = all.get(uri) {
            return Arc::clone(place);
        }
        let place = Arc::<Place>::default();
        all.retain(|_, place| {
            let fresh =
                |kept: &Option<(Bytes, Timestamp)>| kept.as_ref().is_some_and(|kept| now < kept.1);
            Arc::strong_count(place) > 1 || place.kept.try_lock().is_ok_and(|kept| fresh(&kept))
        });
        if all.len() < MOST {
            all.insert(uri.to_owned(), Arc::clone(&place));
        }
        place
    }
}

const LIFE: SignedDuration = SignedDuration::from_mins(1);
/// Lists at once.
const MOST: usize = 64;

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicU32;

    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + second).unwrap()
    }

    /// Eight presentations at once, while the server takes its time.
    async fn eight(lists: &Arc<StatusLists>, second: i64, found: Option<&'static [u8]>) -> u32 {
        let fetched = Arc::new(AtomicU32::new(0));
        let all: Vec<_> = (0..8)
            .map(|_| {
                let (lists, fetched) = (Arc::clone(lists), Arc::clone(&fetched));
                tokio::spawn(async move {
                    let slow = || async {
                        fetched.fetch_add(1, Ordering::SeqCst);
                        tokio::task::yield_now().await;
                        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
                        found.map(Bytes::from_static)
                    };
                    lists.find("https://pid.example/1", at(second), slow).await
                })
            })
            .collect();
        for one in all {
            assert_eq!(one.await.unwrap().as_deref(), found);
        }
        fetched.load(Ordering::SeqCst)
    }

    /// Seen: two wallets at the same counter, and the issuer's list was fetched twice.
    #[tokio::test]
    async fn presentations_at_the_same_time_fetch_a_status_list_once() {
        let lists = Arc::<StatusLists>::default();
        assert_eq!(eight(&lists, 0, None).await, 1, "all learn that it cannot be had");
        assert_eq!(eight(&lists, 0, Some(b"list")).await, 1, "and those after them try again");
        assert_eq!(eight(&lists, 59, Some(b"list")).await, 0, "it is kept for a minute");
        assert_eq!(eight(&lists, 60, Some(b"new")).await, 1);
    }

    #[tokio::test]
    async fn a_slow_server_delays_no_other_list_and_memory_is_bounded() {
        let lists = Arc::<StatusLists>::default();
        let slow = Arc::clone(&lists);
        let (asked, was_asked) = tokio::sync::oneshot::channel();
        let hanging = tokio::spawn(async move {
            let never = || async {
                asked.send(()).unwrap();
                std::future::pending().await
            };
            slow.find("https://slow.example/", at(0), never).await
        });
        was_asked.await.unwrap();
        for number in 0..2 * MOST {
            let list = || async { Some(Bytes::from_static(b"list")) };
            let found = lists.find(&format!("https://pid.example/{number}"), at(0), list).await;
            assert!(found.is_some());
        }
        assert_eq!(lists.0.lock().unwrap().len(), MOST);
        hanging.abort();
        let _ = hanging.await;
        let list = || async { Some(Bytes::from_static(b"list")) };
        assert!(lists.find("https://pid.example/new", at(60), list).await.is_some());
        assert_eq!(lists.0.lock().unwrap().len(), 1, "what has ended makes room");
    }
}
