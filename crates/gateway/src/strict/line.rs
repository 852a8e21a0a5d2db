//! What strict mode asks its country's validator, over the line that evidence is brought by.

use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use http::StatusCode;
use ledger::entry::{Body, Entry};
use ledger::line::{Answer, ENTRIES_PATH, LOOK_PATH, Looked, put};
use serde::Deserialize;
use transport::plain::PlainClient;

use exchange::TransactionId;

/// The line.
pub(super) struct Line(PlainClient);

/// How an exchange stands, as the validator's pages tell it.
#[derive(Deserialize)]
pub(super) struct Standing {
    pub(super) state: State,
    entries: Vec<u64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum State {
    /// The receipt's deadline runs.
    Offered,
    /// The key's deadline runs.
    Receipted,
    /// The key is there.
    Released,
    /// It is there, after its deadline.
    ReleasedLate,
    /// No receipt came.
    Lapsed,
    /// No key came.
    Defaulted,
    /// It is no strict exchange.
    #[serde(other)]
    Other,
}

impl Line {
    pub(super) fn new(socket: &Path) -> Self {
        Self(PlainClient::unix(socket, ANSWER))
    }

    /// Of the last block.
    pub(super) async fn height(&self) -> Result<u64, String> {
        let answer = self.0.post(LOOK_PATH, OCTETS, Vec::new()).await;
        read::<Looked>(answer.map_err(|e| e.to_string())?).map(|looked| looked.height)
    }

    /// `None`: the ledger does not know it (yet).
    pub(super) async fn standing(&self, txid: TransactionId) -> Result<Option<Standing>, String> {
        let path = format!("/v1/exchanges/{}", hex::encode(txid.0));
        match self.0.get(&path).await.map_err(|e| e.to_string())? {
            (StatusCode::NOT_FOUND, _) => Ok(None),
            answer => read(answer).map(Some),
        }
    }

    /// The document key of an exchange where it is there, as it was published.
    pub(super) async fn key(&self, standing: &Standing) -> Result<Vec<u8>, String> {
        for index in standing.entries.iter().rev() {
            let found = self.0.get(&format!("/v1/entries/{index}")).await;
            let (status, bytes) = found.map_err(|e| e.to_string())?;
            let entry = Entry::decode(&bytes).map_err(|e| format!("{status}: {e}"))?;
            if let Body::Key(release) = entry.body() {
                return Ok(release.sealed().to_vec());
            }
        }
        Err("the ledger shows no key".to_owned())
    }

    /// Puts an entry in line. What became of it is to be seen in the ledger.
    pub(super) async fn put(&self, entry: &[u8]) -> Result<(), String> {
        let answer = self.0.post(ENTRIES_PATH, OCTETS, put(&[entry.to_vec()])).await;
        let answers: Vec<Answer> = read(answer.map_err(|e| e.to_string())?)?;
        match answers.as_slice() {
            [Answer::Waits] => Ok(()),
            [Answer::Busy] => Err("the validator has no room".to_owned()),
            [Answer::Refused(reason)] => Err(format!("the ledger does not take it: {reason}")),
            _ => Err("the validator answers something else".to_owned()),
        }
    }
}

fn read<T: serde::de::DeserializeOwned>((status, body): (StatusCode, Bytes)) -> Result<T, String> {
    if status != StatusCode::OK {
        return Err(format!("the validator answers {status}"));
    }
    serde_json::from_slice(&body).map_err(|error| error.to_string())
}

const OCTETS: &str = "application/octet-stream";
const ANSWER: Duration = Duration::from_secs(5);
