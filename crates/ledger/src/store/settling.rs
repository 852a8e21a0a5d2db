//! What may take its time: making tiles durable and then letting their write-ahead file go.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;

use super::StoreError;
use super::disk::{Disk, at};
use crate::crash;

/// One write-ahead file that is no longer appended to.
pub(super) struct Period {
    /// Files that hold what its blocks brought.
    pub(super) placed: BTreeSet<PathBuf>,
    /// The file itself.
    pub(super) wal: PathBuf,
}

enum Job {
    Settle(Period),
    Answer(SyncSender<()>),
}

/// The thread that settles. When it falls behind, the writer waits: at most four files exist.
pub(super) struct Settler {
    jobs: Option<SyncSender<Job>>,
    failed: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Settler {
    pub(super) fn start(disk: &Disk) -> Result<Self, StoreError> {
        let (jobs, queue) = sync_channel(1);
        let failed = Arc::new(AtomicBool::new(false));
        let (disk, flag) = (disk.clone(), failed.clone());
        let thread = std::thread::Builder::new().name("ledger-settle".to_owned());
        let thread = thread.spawn(move || run(&disk, &queue, &flag));
        let thread = thread.map_err(|source| at("wal".as_ref(), source))?;
        Ok(Self { jobs: Some(jobs), failed, thread: Some(thread) })
    }

    /// Hands over a period.
    pub(super) fn settle(&self, period: Period) {
        self.send(Job::Settle(period));
    }

    /// Whether a period could not be settled: its write-ahead file stays until the store recovers.
    pub(super) fn has_failed(&self) -> bool {
        self.failed.load(Ordering::SeqCst)
    }

    /// Waits until nothing is under way, and forgets failures.
    pub(super) fn calm(&self) {
        let (answer, answered) = sync_channel(1);
        self.send(Job::Answer(answer));
        let _ = answered.recv();
        self.failed.store(false, Ordering::SeqCst);
    }

    fn send(&self, job: Job) {
        let sent = self.jobs.as_ref().map(|jobs| jobs.send(job));
        if sent.is_none_or(|sent| sent.is_err()) {
            self.failed.store(true, Ordering::SeqCst);
        }
    }
}

impl Drop for Settler {
    fn drop(&mut self) {
        self.jobs = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn run(disk: &Disk, queue: &Receiver<Job>, failed: &AtomicBool) {
    for job in queue {
        match job {
            Job::Answer(answer) => _ = answer.send(()),
            // files are let go in their order only: what follows a failure waits for recovery
            Job::Settle(_) if failed.load(Ordering::SeqCst) => {}
            Job::Settle(period) => {
                let settled = disk.settle(&period.placed).and_then(|()| {
                    crash::point("store/settled");
                    disk.remove(&period.wal)
                });
                failed.store(settled.is_err(), Ordering::SeqCst);
            }
        }
    }
}
