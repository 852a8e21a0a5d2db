//! Brings our own log's records to the shared ledger, through our country's validator.
//!
//! The log is the queue: a cursor says how far it was brought. Nothing waits for this; a validator
//! that is away gets everything later, and what stands in the ledger already, brought by the other
//! country, is not brought again.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use exchange::{Side, TransactionId};
use http::StatusCode;
use ledger::entry::{Entry, Half, Record};
use ledger::line::{
    Answer, ENTRIES_PATH, LAPSES_PATH, LOOK_PATH, Lapses, Looked, Passed, Standing, put,
};
use ledger::log::Log;
use siem::{Event, Kind};
use transport::plain::PlainClient;

use super::cursor::Cursor;
use crate::node::Node;

/// Where a country's validator takes entries, and how long others have for their half.
#[derive(Debug, Clone)]
pub struct Shared {
    /// The validator's Unix socket.
    pub socket: PathBuf,
    /// Blocks until a half is open.
    pub deadline: u64,
}

/// Works until the node stops; then brings once more what there is.
pub async fn share(node: Arc<Node>, log: Log, shared: Shared, cursor: PathBuf) {
    let line = PlainClient::unix(&shared.socket, ANSWER);
    let mut sharing = Sharing { node, log, line, deadline: shared.deadline, cursor };
    let (mut pause, mut again) = (PAUSE, Instant::now());
    let stop = sharing.node.stop.clone();
    while stop.run_until_cancelled(tokio::time::sleep(pause)).await.is_some() {
        if again.elapsed() > AGAIN {
            again = Instant::now();
            let _ = sharing.refused_again().await;
        }
        if let Err(error) = sharing.look_for_lapses().await {
            tracing::debug!(%error, "passed deadlines are looked for later");
        }
        pause = match sharing.turn().await {
            Ok(BATCH) => Duration::from_millis(1),
            Ok(_) => PAUSE,
            Err(error) => {
                tracing::warn!(%error, "evidence waits for the shared ledger");
                (pause * 2).clamp(PAUSE, LONGEST_PAUSE)
            }
        };
    }
    let _ = tokio::time::timeout(LAST, sharing.turn()).await;
}

struct Sharing {
    node: Arc<Node>,
    log: Log,
    line: PlainClient,
    deadline: u64,
    cursor: PathBuf,
}

/// A record of our log on its way.
struct Leaf {
    index: u64,
    bytes: Vec<u8>,
    record: Record,
    doubt: Doubt,
}

/// How an exchange stood when the validator refused our entry of it.
#[derive(Default)]
struct Doubt(Option<Standing>);

impl Doubt {
    /// Whether a refusal is one of the record itself. An entry that became final between our look and
    /// our post, ours or the other country's, refuses ours too: then the next look finds another
    /// standing, and nothing is left to say or something else is.
    fn settled(&mut self, standing: Standing) -> bool {
        self.0.replace(standing) == Some(standing)
    }
}

impl Sharing {
    /// Brings the next batch; gives how many records it moved past.
    async fn turn(&mut self) -> Result<usize, String> {
        let mut cursor = tokio::task::block_in_place(|| Cursor::read(&self.cursor))?;
        let until = tokio::task::block_in_place(|| self.log.refresh()).map_err(|e| e.to_string());
        until?;
        let until = self.log.size().min(cursor.next + BATCH as u64);
        self.node.metrics.unshared.set(
            i64::try_from(self.log.size() - cursor.next.min(self.log.size())).unwrap_or(i64::MAX),
        );
        let indices: Vec<u64> = (cursor.next..until).collect();
        if indices.is_empty() {
            return Ok(0);
        }
        let refused = self.bring(&indices).await?;
        cursor.next = until;
        cursor.refuse(refused)?;
        tokio::task::block_in_place(|| cursor.write(&self.cursor))?;
        Ok(indices.len())
    }

    /// Tells whoever watches the node of exchanges of ours whose deadline passed: a half, a receipt or
    /// a key is missing, and all members see it.
    async fn look_for_lapses(&mut self) -> Result<(), String> {
        let mut cursor = tokio::task::block_in_place(|| Cursor::read(&self.cursor))?;
        let found: Lapses = self.ask(LAPSES_PATH, cursor.height.to_be_bytes().to_vec()).await?;
        if found.height == cursor.height {
            return Ok(());
        }
        let ours = self.node.country;
        for lapse in found.lapsed.iter().filter(|one| [one.requester, one.provider].contains(&ours))
        {
            let asked = lapse.requester == ours;
            let (side, country) =
                if asked { (Side::B, lapse.provider) } else { (Side::A, lapse.requester) };
            let kind = match lapse.passed {
                Passed::Half => Kind::EvidenceOpen,
                Passed::Receipt => Kind::OfferLapsed,
                Passed::Key => Kind::OfferDefaulted,
            };
            let event = Event::new(self.node.clock.now(), kind);
            let txid = TransactionId::parse(&lapse.txid).ok();
            self.node.notes.note(Event { side: Some(side), peer: Some(country), txid, ..event });
        }
        cursor.height = found.height;
        tokio::task::block_in_place(|| cursor.write(&self.cursor))
    }

    /// Tries once more what was refused: a new seal may be in the registry by now.
    async fn refused_again(&mut self) -> Result<(), String> {
        let mut cursor = tokio::task::block_in_place(|| Cursor::read(&self.cursor))?;
        let some: Vec<u64> = cursor.refused.iter().take(BATCH).copied().collect();
        if some.is_empty() {
            return Ok(());
        }
        let still = self.bring(&some).await?;
        cursor.refused.retain(|index| !some.contains(index));
        cursor.refuse(still)?;
        tokio::task::block_in_place(|| cursor.write(&self.cursor))
    }

    /// Brings records and waits until they are final; gives those that were refused.
    async fn bring(&self, indices: &[u64]) -> Result<Vec<u64>, String> {
        let mut waiting = tokio::task::block_in_place(|| self.leaves(indices))?;
        let mut refused = Vec::new();
        let started = Instant::now();
        loop {
            let looked = self.look(&waiting).await?;
            let mut entries = Vec::new();
            let mut still = Vec::new();
            for (leaf, standing) in waiting.into_iter().zip(&looked.standings) {
                if let Some(entry) = self.entry(&leaf, *standing, looked.height)? {
                    entries.push(entry.into_bytes());
                    still.push((leaf, *standing));
                }
            }
            if still.is_empty() {
                return Ok(refused);
            }
            if started.elapsed() > FINAL {
                return Err(format!("{} records are not final yet", still.len()));
            }
            let answers = self.put(&entries).await?;
            waiting = Vec::new();
            for ((mut leaf, standing), answer) in still.into_iter().zip(answers) {
                match answer {
                    Answer::Waits | Answer::Busy => waiting.push(leaf),
                    Answer::Refused(_) if !leaf.doubt.settled(standing) => waiting.push(leaf),
                    Answer::Refused(reason) => {
                        tracing::error!(index = leaf.index, %reason, "the shared ledger does not take a record");
                        let event = Event::new(self.node.clock.now(), Kind::EvidenceUnshared);
                        self.node.notes.note(Event { correlation: reason, ..event });
                        refused.push(leaf.index);
                    }
                }
            }
            if waiting.is_empty() {
                return Ok(refused);
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    fn leaves(&self, indices: &[u64]) -> Result<Vec<Leaf>, String> {
        let leaf = |index: &u64| {
            let bytes = self.log.entry(*index).map_err(|error| error.to_string())?;
            let record =
                Record::read(&bytes).ok_or_else(|| format!("leaf {index} is no record"))?;
            Ok(Leaf { index: *index, bytes, record, doubt: Doubt::default() })
        };
        indices.iter().map(leaf).collect()
    }

    /// What is still to be said of a record; nothing, when the ledger has it.
    fn entry(&self, leaf: &Leaf, standing: Standing, height: u64) -> Result<Option<Entry>, String> {
        let whole = leaf.record.signed().signatures().len() == 2;
        let entry = match standing {
            Standing::Whole | Standing::Strict => return Ok(None),
            Standing::Absent if whole => Entry::whole(&leaf.bytes),
            Standing::Half { .. } if whole => Entry::close(&leaf.bytes),
            Standing::Half { requester, provider, .. }
                if (if leaf.record.requester() == self.node.country {
                    requester
                } else {
                    provider
                }) =>
            {
                return Ok(None);
            }
            Standing::Absent | Standing::Half { .. } => {
                let deadline = if leaf.record.is_bilateral() { height + self.deadline } else { 0 };
                Half::entry(&leaf.bytes, deadline, &self.node.sealing().seal)
            }
        };
        entry.map(Some).map_err(|error| error.to_string())
    }

    async fn look(&self, leaves: &[Leaf]) -> Result<Looked, String> {
        let asked = leaves.iter().flat_map(|leaf| leaf.record.txid()).collect();
        let looked: Looked = self.ask(LOOK_PATH, asked).await?;
        let all = looked.standings.len() == leaves.len();
        all.then_some(looked).ok_or_else(|| "the validator answers something else".to_owned())
    }

    async fn put(&self, entries: &[Vec<u8>]) -> Result<Vec<Answer>, String> {
        let answers: Vec<Answer> = self.ask(ENTRIES_PATH, put(entries)).await?;
        let all = answers.len() == entries.len();
        all.then_some(answers).ok_or_else(|| "the validator answers something else".to_owned())
    }

    async fn ask<T: serde::de::DeserializeOwned>(
        &self,
        path: &str,
        body: Vec<u8>,
    ) -> Result<T, String> {
        let answer = self.line.post(path, "application/octet-stream", body).await;
        match answer.map_err(|error| error.to_string())? {
            (StatusCode::OK, body) => {
                serde_json::from_slice(&body).map_err(|error| error.to_string())
            }
            (status, _) => Err(format!("the validator answers {status}")),
        }
    }
}

/// Records at once.
const BATCH: usize = 256;
/// The log itself grows once a second.
const PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(60);
/// One question to the validator.
const ANSWER: Duration = Duration::from_secs(10);
/// Until entries in line are looked for; those that are not there are put in line again.
const LOOK: Duration = Duration::from_millis(250);
/// Until a batch that is not final is left for later.
const FINAL: Duration = Duration::from_secs(30);
/// Until what was refused is tried again.
const AGAIN: Duration = Duration::from_secs(600);
/// What the last turn may take when the node stops.
const LAST: Duration = Duration::from_secs(5);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_counts_when_the_exchange_stands_as_it_did() {
        let half = Standing::Half { requester: true, provider: false, open: false };
        let mut doubt = Doubt::default();
        assert!(!doubt.settled(Standing::Absent));
        assert!(!doubt.settled(half), "the other country was quicker");
        assert!(doubt.settled(half));
    }
}
