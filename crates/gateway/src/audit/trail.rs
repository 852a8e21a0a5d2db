//! The bounded queue between requests and the spool on disk.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use exchange::Side;
use ihe::atna::access::Access;
use ihe::atna::occurrence::End;
use jiff::Timestamp;
use tokio::sync::Notify;

use super::draft::Draft;
use super::{Spool, SpoolError};

/// How we call ourselves in audit records.
#[derive(Debug, Clone)]
pub struct Names {
    /// Common name of our service consumer certificate.
    pub consumer: String,
    /// Common name of our service provider certificate.
    pub provider: String,
    /// `AuditSourceID`: `DK-1`.
    pub source: String,
    /// Our home community, with its `urn:oid:`.
    pub community: String,
}

/// Where requests leave their drafts. Never waits and never fails; what does not fit is counted.
pub struct Trail {
    names: Names,
    sender: Mutex<Option<SyncSender<Left>>>,
    shared: Arc<Shared>,
    worker: Mutex<Option<JoinHandle<()>>>,
    reached: Mutex<Option<bool>>,
    /// Where the records wait.
    pub spool: Arc<dyn Spool>,
}

/// What was left: a record in the making.
enum Left {
    Exchange(Box<Draft>),
    Access(Box<Access>),
}

impl Left {
    fn size(&self) -> usize {
        match self {
            Self::Exchange(draft) => draft.size(),
            Self::Access(_) => ACCESS,
        }
    }

    fn render(self) -> String {
        match self {
            Self::Exchange(draft) => draft.render(),
            Self::Access(access) => access.record().render(),
        }
    }
}

struct Shared {
    waiting: AtomicUsize,
    lost: AtomicU64,
    arrived: Notify,
}

/// Drafts in memory, in bytes: some thousand requests.
pub const QUEUE_BYTES: usize = 64 << 20;
/// About what a step of a login takes, in bytes.
const ACCESS: usize = 1024;
const QUEUE: usize = 16_384;
const BATCH: usize = 256;
/// How long a draft waits for company: one step of the spool for many costs as much as for one.
const LINGER: Duration = Duration::from_millis(50);

impl Trail {
    /// Starts the thread that makes records and keeps them in `spool`.
    pub fn start(names: Names, spool: Arc<dyn Spool>) -> Self {
        let (sender, receiver) = sync_channel(QUEUE);
        let shared = Arc::new(Shared {
            waiting: AtomicUsize::new(0),
            lost: AtomicU64::new(0),
            arrived: Notify::new(),
        });
        let (theirs, kept) = (Arc::clone(&shared), Arc::clone(&spool));
        let worker = std::thread::Builder::new()
            .name("audit".into())
            .spawn(move || keep_all(&receiver, kept.as_ref(), &theirs))
            .ok();
        Self {
            names,
            sender: Mutex::new(Some(sender)),
            shared,
            worker: Mutex::new(worker),
            reached: Mutex::default(),
            spool,
        }
    }

    /// Begins a draft; `far` is the country that a request of ours goes to, and its host.
    pub fn draft(&self, side: Side, far: (&str, &str), at: Timestamp) -> Draft {
        Draft::new(&self.names, side, far, at)
    }

    /// Leaves a draft.
    pub fn leave(&self, draft: impl Into<Box<Draft>>) {
        self.put(Left::Exchange(draft.into()));
    }

    /// Leaves a step of a login; who writes and who was asked is us.
    pub fn leave_access(&self, mut access: Access) {
        access.source.clone_from(&self.names.source);
        access.provider = End { name: self.names.provider.clone(), address: String::new() };
        self.put(Left::Access(Box::new(access)));
    }

    fn put(&self, left: Left) {
        let size = left.size();
        let before = self.shared.waiting.fetch_add(size, Ordering::Relaxed);
        let sender = self.sender.lock().unwrap_or_else(PoisonError::into_inner);
        let taken = before + size <= QUEUE_BYTES
            && sender.as_ref().is_some_and(|sender| sender.try_send(left).is_ok());
        if !taken {
            self.shared.waiting.fetch_sub(size, Ordering::Relaxed);
            self.shared.lost.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Records lost since this was asked last.
    pub fn lost(&self) -> u64 {
        self.shared.lost.swap(0, Ordering::Relaxed)
    }

    /// Whether the repository took what it was brought last; `None` before anything was.
    pub fn reached(&self) -> Option<bool> {
        *self.reached.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn tell_reached(&self, reached: bool) {
        *self.reached.lock().unwrap_or_else(PoisonError::into_inner) = Some(reached);
    }

    /// Resolves when records have arrived in the spool.
    pub(super) async fn arrived(&self) {
        self.shared.arrived.notified().await;
    }

    /// Keeps what waits, and stops.
    pub fn close(&self) {
        self.sender.lock().unwrap_or_else(PoisonError::into_inner).take();
        let worker = self.worker.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(worker) = worker {
            let _ = worker.join();
        }
    }
}

fn keep_all(receiver: &Receiver<Left>, spool: &dyn Spool, shared: &Shared) {
    let mut more = false;
    while let Ok(first) = receiver.recv() {
        // asleep, not waiting on the queue: there each draft would wake us
        if !more {
            std::thread::sleep(LINGER);
        }
        let drafts: Vec<Left> =
            std::iter::once(first).chain(receiver.try_iter()).take(BATCH).collect();
        more = drafts.len() == BATCH;
        let (count, size) = (drafts.len(), drafts.iter().map(Left::size).sum());
        let records = drafts.into_iter().map(Left::render).collect();
        if let Err(error) = spool.append(records) {
            shared.lost.fetch_add(count as u64, Ordering::Relaxed);
            if !matches!(error, SpoolError::Full) {
                tracing::error!(%error, "audit records are lost");
            }
        }
        shared.waiting.fetch_sub(size, Ordering::Relaxed);
        shared.arrived.notify_one();
    }
}
