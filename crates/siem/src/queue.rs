//! The bounded queue between requests and the store.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use exchange::Clock;

use crate::{Event, EventStore, Kind};

/// Where requests leave their events. Never waits and never fails; what does not fit is counted
/// and recorded as one event later.
pub struct Notes {
    sender: Mutex<Option<SyncSender<Event>>>,
    losses: Arc<Losses>,
    worker: Mutex<Option<JoinHandle<()>>>,
}

/// Events that did not reach the store.
#[derive(Default)]
struct Losses {
    /// Not told by an event yet.
    untold: AtomicU64,
    /// Since the start.
    all: AtomicU64,
}

impl Losses {
    fn add(&self, count: u64) {
        self.untold.fetch_add(count, Ordering::Relaxed);
        self.all.fetch_add(count, Ordering::Relaxed);
    }
}

/// Events that wait for the store: about 4 MB.
pub const CAPACITY: usize = 16_384;
/// Events written at once.
const BATCH: usize = 1024;
/// How long an event waits for company: one step of the store for many costs as much as for one.
const LINGER: Duration = Duration::from_millis(50);
/// How often losses are looked for while nothing comes.
const LOOK: Duration = Duration::from_millis(200);

impl Notes {
    /// Starts the thread that writes to `store`.
    pub fn start(store: Arc<dyn EventStore>, clock: Arc<dyn Clock>) -> Self {
        let (sender, receiver) = sync_channel(CAPACITY);
        let losses = Arc::new(Losses::default());
        let counted = Arc::clone(&losses);
        let worker = std::thread::Builder::new()
            .name("notes".into())
            .spawn(move || write_all(&receiver, store.as_ref(), clock.as_ref(), &counted))
            .ok();
        Self { sender: Mutex::new(Some(sender)), losses, worker: Mutex::new(worker) }
    }

    /// Leaves an event.
    pub fn note(&self, event: Event) {
        let sender = self.sender.lock().unwrap_or_else(PoisonError::into_inner);
        if sender.as_ref().is_none_or(|sender| sender.try_send(event).is_err()) {
            self.losses.add(1);
        }
    }

    /// Events lost since the start.
    pub fn lost(&self) -> u64 {
        self.losses.all.load(Ordering::Relaxed)
    }

    /// Writes what waits, and stops.
    pub fn close(&self) {
        self.sender.lock().unwrap_or_else(PoisonError::into_inner).take();
        let worker = self.worker.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(worker) = worker {
            let _ = worker.join();
        }
    }
}

fn write_all(
    receiver: &Receiver<Event>,
    store: &dyn EventStore,
    clock: &dyn Clock,
    losses: &Losses,
) {
    let mut batch = Vec::with_capacity(BATCH);
    let mut more = false;
    loop {
        let first = receiver.recv_timeout(LOOK);
        let ended = first == Err(RecvTimeoutError::Disconnected);
        if let Ok(first) = first {
            // asleep, not waiting on the queue: there each event would wake us
            if !more {
                std::thread::sleep(LINGER);
            }
            batch.extend(std::iter::once(first).chain(receiver.try_iter()).take(BATCH));
        }
        more = batch.len() == BATCH;
        let count = batch.len() as u64;
        let lost = losses.untold.swap(0, Ordering::Relaxed);
        if lost > 0 {
            batch.push(Event { number: lost, ..Event::new(clock.now(), Kind::NotesDropped) });
        }
        if !batch.is_empty() && store.append(&batch).is_err() {
            losses.add(count);
            // what this batch was to tell is still to be told
            losses.untold.fetch_add(lost, Ordering::Relaxed);
        }
        batch.clear();
        if ended {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicBool;

    use exchange::FixedClock;
    use jiff::Timestamp;

    use super::*;
    use crate::StoreError;

    /// Fails until it is told not to.
    #[derive(Default)]
    struct Flaky {
        works: AtomicBool,
        tried: AtomicU64,
        kept: Mutex<Vec<Event>>,
    }

    impl EventStore for Flaky {
        fn append(&self, events: &[Event]) -> Result<(), StoreError> {
            self.tried.fetch_add(1, Ordering::SeqCst);
            if !self.works.load(Ordering::SeqCst) {
                return Err(StoreError("disk".into()));
            }
            self.kept.lock().unwrap().extend_from_slice(events);
            Ok(())
        }

        fn count(&self, _: Kind) -> Result<u64, StoreError> {
            Ok(0)
        }

        fn newest(&self, _: usize) -> Result<Vec<Event>, StoreError> {
            Ok(self.kept.lock().unwrap().clone())
        }

        fn newest_of(&self, _: Kind, limit: usize) -> Result<Vec<Event>, StoreError> {
            self.newest(limit)
        }
    }

    #[test]
    fn what_a_failing_disk_lost_is_counted_once_and_told_when_it_works_again() {
        let store = Arc::new(Flaky::default());
        let at = Timestamp::UNIX_EPOCH;
        let notes =
            Notes::start(Arc::clone(&store) as Arc<dyn EventStore>, Arc::new(FixedClock(at)));
        (0..3).for_each(|_| notes.note(Event::new(at, Kind::ExchangeAnswered)));
        // the loss is told again and again, and the disk loses that, too
        while store.tried.load(Ordering::SeqCst) < 3 {
            std::thread::sleep(Duration::from_millis(10));
        }
        assert_eq!(notes.lost(), 3, "what tells of a loss is no loss");
        store.works.store(true, Ordering::SeqCst);
        notes.note(Event::new(at, Kind::NodeStarted));
        notes.close();
        let told = store.newest(9).unwrap();
        let told = told.iter().filter(|e| e.kind == Kind::NotesDropped).map(|e| e.number);
        assert_eq!(told.sum::<u64>(), 3);
        assert_eq!(notes.lost(), 3);
    }
}
