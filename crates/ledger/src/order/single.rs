//! One member alone: what is put in line becomes a block at once.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TryRecvError, sync_channel};
use std::thread::JoinHandle;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;

use super::{Hear, Order, Taken};
use crate::block::MAX_ENTRY;
use crate::chain::Chain;

/// The engine that needs no peers.
pub struct Single {
    line: Option<SyncSender<Bytes>>,
    thread: Option<JoinHandle<()>>,
    hear: Arc<dyn Hear>,
    own: [u8; 32],
}

impl Single {
    /// Starts it; `own` is the member's consensus key, by which it hears itself.
    pub fn start(chain: Arc<Chain>, own: [u8; 32], hear: Arc<dyn Hear>) -> std::io::Result<Self> {
        let (line, entries) = sync_channel(LINE);
        let thread = std::thread::Builder::new()
            .name("ledger".to_owned())
            .spawn(move || order(&chain, &entries))?;
        Ok(Self { line: Some(line), thread: Some(thread), hear, own })
    }
}

impl Order for Single {
    fn submit(&self, entries: Vec<Vec<u8>>) -> Vec<Taken> {
        let put = |entry: Vec<u8>| {
            if entry.is_empty() || entry.len() > MAX_ENTRY {
                return Taken::Refused;
            }
            let sent = self.line.as_ref().is_some_and(|line| line.try_send(entry.into()).is_ok());
            if sent { Taken::Waits } else { Taken::Busy }
        };
        entries.into_iter().map(put).collect()
    }

    fn tell(&self, message: Vec<u8>) {
        self.hear.hear(self.own, &message);
    }

    fn online(&self) -> Vec<[u8; 32]> {
        vec![self.own]
    }

    fn failure(&self) -> Option<String> {
        let ended = self.thread.as_ref().is_none_or(JoinHandle::is_finished);
        ended.then(|| "a block could not be appended".to_owned())
    }
}

impl Drop for Single {
    fn drop(&mut self) {
        self.line = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Until nobody can put anything in line any more, and the line is empty. An idle ledger makes no
/// blocks; but of each second only the first block gets a checkpoint, and what came behind it must not
/// wait for one until somebody comes again: an empty block follows a second later.
fn order(chain: &Chain, line: &Receiver<Bytes>) {
    while let Ok(first) = line.recv() {
        let mut next = first;
        loop {
            if !append(chain, batch(next, line)) {
                return;
            }
            next = match line.recv_timeout(SECOND) {
                Ok(next) => next,
                Err(RecvTimeoutError::Timeout) => break,
                Err(RecvTimeoutError::Disconnected) => return,
            };
        }
        if !append(chain, Vec::new()) {
            return;
        }
    }
}

/// What is in line, up to a block's worth.
fn batch(first: Bytes, line: &Receiver<Bytes>) -> Vec<Bytes> {
    let mut entries = vec![first];
    while entries.len() < MOST {
        match line.try_recv() {
            Ok(entry) => entries.push(entry),
            Err(TryRecvError::Empty | TryRecvError::Disconnected) => break,
        }
    }
    entries
}

/// One more block. Where it fails, a disk that is full ends the process's engine, not the evidence:
/// the countries' own logs keep it and submit it again.
fn append(chain: &Chain, entries: Vec<Bytes>) -> bool {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let now = u64::try_from(now.as_millis()).unwrap_or(u64::MAX);
    let made = chain.propose(chain.tip().digest, &entries, LIMIT, now);
    made.and_then(|(block, _)| chain.finalise(&block)).is_ok()
}

/// Of each there is one checkpoint.
const SECOND: Duration = Duration::from_secs(1);
/// Entries in line.
const LINE: usize = 16 * 1024;
/// Entries in a block, and their bytes.
const MOST: usize = 1024;
const LIMIT: usize = MOST * MAX_ENTRY;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::shared::Shared;

    struct Deaf;
    impl Hear for Deaf {
        fn hear(&self, _: [u8; 32], _: &[u8]) {}
    }

    #[test]
    fn the_last_entry_of_a_second_is_followed_by_a_block_of_the_next_and_then_by_none() {
        let (folder, shared) = (tempfile::tempdir().unwrap(), Shared::fast());
        let chain = Arc::new(Chain::open(folder.path(), &shared.genesis).unwrap());
        let single = Single::start(Arc::clone(&chain), [1; 32], Arc::new(Deaf)).unwrap();
        single.submit(vec![shared.whole([1; 16], "ES", "DK").into_bytes()]);
        let from = std::time::Instant::now();
        while chain.tip().height < 2 {
            assert!(from.elapsed() < Duration::from_secs(30), "no block follows");
            std::thread::sleep(Duration::from_millis(20));
        }
        let [first, second] = [1, 2].map(|height| chain.block(height).unwrap().unwrap());
        assert!(second.leaves().is_empty() && first.leaves().len() == 1);
        assert!(
            first.header().time_ms / 1000 < second.header().time_ms / 1000,
            "of another second"
        );
        std::thread::sleep(SECOND * 2);
        assert_eq!(chain.tip().height, 2, "an idle ledger makes no blocks");
        drop(single);
    }

    #[test]
    fn what_is_put_in_line_becomes_final() {
        let (folder, shared) = (tempfile::tempdir().unwrap(), Shared::fast());
        let chain = Arc::new(Chain::open(folder.path(), &shared.genesis).unwrap());
        let single = Single::start(Arc::clone(&chain), [1; 32], Arc::new(Deaf)).unwrap();
        let whole = |txid| shared.whole([txid; 16], "ES", "DK").into_bytes();
        let taken = single.submit(vec![whole(1), Vec::new(), whole(2)]);
        assert_eq!(taken, [Taken::Waits, Taken::Refused, Taken::Waits]);
        drop(single);
        assert_eq!(chain.tip().size, 2);
        let first = chain.block(1).unwrap().unwrap();
        assert_eq!(first.header().parent, shared.genesis.digest());
        assert_eq!(first.entries().next().unwrap(), whole(1));
    }
}
