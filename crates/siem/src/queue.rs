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
    dropped: Arc<AtomicU64>,
    worker: Mutex<Option<JoinHandle<()>>>,
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
        let dropped = Arc::new(AtomicU64::new(0));
        let counter = Arc::clone(&dropped);
        let worker = std::thread::Builder::new()
            .name("notes".into())
            .spawn(move || write_all(&receiver, store.as_ref(), clock.as_ref(), &counter))
            .ok();
        Self { sender: Mutex::new(Some(sender)), dropped, worker: Mutex::new(worker) }
    }

    /// Leaves an event.
    pub fn note(&self, event: Event) {
        let sender = self.sender.lock().unwrap_or_else(PoisonError::into_inner);
        if sender.as_ref().is_none_or(|sender| sender.try_send(event).is_err()) {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Events lost since the last record of it.
    pub fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
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
    dropped: &AtomicU64,
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
        let lost = dropped.swap(0, Ordering::Relaxed);
        if lost > 0 {
            batch.push(Event { number: lost, ..Event::new(clock.now(), Kind::NotesDropped) });
        }
        if !batch.is_empty() && store.append(&batch).is_err() {
            dropped.fetch_add(batch.len() as u64, Ordering::Relaxed);
        }
        batch.clear();
        if ended {
            return;
        }
    }
}
