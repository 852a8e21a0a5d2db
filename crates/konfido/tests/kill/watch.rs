//! Looks into a process's memory again and again while something else happens.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context as _, ensure};
use testbed::memory::{finds, memory};

/// A thread that dumps a child's memory until it is told to end, or this is dropped.
pub struct Watch {
    over: Over,
    dumping: tokio::task::JoinHandle<anyhow::Result<Seen>>,
}

struct Over(Arc<AtomicBool>);

impl Drop for Over {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Release);
    }
}

/// What was seen.
#[derive(Debug, Clone, Copy)]
pub struct Seen {
    /// How often the memory was read.
    pub dumps: usize,
    /// In how many of these one of the markers was.
    pub found: usize,
}

impl Watch {
    /// Begins to look for these bytes.
    pub fn start(pid: u32, markers: Vec<Vec<u8>>) -> Self {
        let over = Over(Arc::default());
        let ends = Arc::clone(&over.0);
        let dumping = tokio::task::spawn_blocking(move || {
            let mut seen = Seen { dumps: 0, found: 0 };
            loop {
                let last = ends.load(Ordering::Acquire);
                let read = memory(pid).context("/proc/PID/mem of our own child")?;
                ensure!(read.iter().any(|(m, _)| m.name == "[heap]"), "its memory is read");
                seen.found += usize::from(read.iter().any(|(_, bytes)| finds(bytes, &markers)));
                seen.dumps += 1;
                if last {
                    return Ok(seen);
                }
            }
        });
        Self { over, dumping }
    }

    /// Looks once more, when all is over, and ends.
    pub async fn end(self) -> anyhow::Result<Seen> {
        drop(self.over);
        let seen = self.dumping.await??;
        ensure!(seen.dumps > 1, "it was dumped when all was over only");
        Ok(seen)
    }
}

/// Three windows of a document which no other message has.
pub fn windows(document: &[u8]) -> Vec<Vec<u8>> {
    (1..4).map(|at| document[at * document.len() / 5..][..80].to_vec()).collect()
}
