//! Whom a command asks: our own validator on its socket, or anybody's public pages.

use std::time::Duration;

use http::StatusCode;
use ledger::member::Registry;
use miette::{IntoDiagnostic as _, WrapErr as _, miette};
use serde::de::DeserializeOwned;
use serde_json::Value;
use transport::plain::PlainClient;

use super::Asked;
use super::run::validator;

/// A validator that can be asked.
pub struct Asking {
    client: PlainClient,
    /// On its socket: it is ours.
    own: bool,
}

/// The members as a validator has them.
pub struct Seen {
    /// Who takes part, now and from the next epoch on.
    pub registry: Registry,
    /// Of its last block.
    pub height: u64,
    /// Whose validator it is, if it is ours.
    pub own: Option<String>,
}

impl Asking {
    /// Of a command's arguments.
    pub fn of(asked: &Asked) -> miette::Result<Self> {
        let (client, own) = match (&asked.validator, &asked.url) {
            (Some(socket), _) => (PlainClient::unix(socket, TIME), true),
            (None, Some(url)) => (PlainClient::of_url(url, TIME).into_diagnostic()?, false),
            (None, None) => {
                (PlainClient::unix(&validator(&asked.config.config)?.socket, TIME), true)
            }
        };
        Ok(Self { client, own })
    }

    /// A resource's bytes.
    pub async fn bytes(&self, path: &str) -> miette::Result<Vec<u8>> {
        let answer = self.client.get(path).await;
        read(path, answer.into_diagnostic().wrap_err(RUNNING)?)
    }

    /// A resource in JSON.
    pub async fn json(&self, path: &str) -> miette::Result<Value> {
        serde_json::from_slice(&self.bytes(path).await?).into_diagnostic()
    }

    /// What the line to our own validator answers.
    pub async fn told<T: DeserializeOwned>(&self, path: &str, body: Vec<u8>) -> miette::Result<T> {
        if !self.own {
            return Err(miette!(
                "only our own validator takes this: --config FILE or --validator SOCKET"
            ));
        }
        let answer = self.client.post(path, "application/octet-stream", body).await;
        let body = read(path, answer.into_diagnostic().wrap_err(RUNNING)?)?;
        serde_json::from_slice(&body).into_diagnostic()
    }

    /// The members, and where the ledger stands.
    pub async fn seen(&self) -> miette::Result<Seen> {
        let status = self.json("/v1/status").await?;
        let registry = Registry::decode(&self.bytes("/v1/registry").await?).ok_or_else(|| {
            miette!("the validator's registry does not read: is it of this version?")
        })?;
        let own = status["member"].as_str().filter(|_| self.own).map(str::to_owned);
        Ok(Seen { registry, height: status["height"].as_u64().unwrap_or_default(), own })
    }
}

impl Seen {
    /// The height at which an entry could stand.
    pub fn next(&self) -> u64 {
        self.height + 1
    }
}

fn read<B: Into<Vec<u8>>>(path: &str, (status, body): (StatusCode, B)) -> miette::Result<Vec<u8>> {
    let body: Vec<u8> = body.into();
    if status == StatusCode::OK {
        return Ok(body);
    }
    let problem: Value = serde_json::from_slice(&body).unwrap_or_default();
    Err(miette!("{path}: {}", problem["title"].as_str().unwrap_or(status.as_str())))
}

const RUNNING: &str =
    "is the validator running? konfido ledger run --config FILE; another's is asked with --url";
const TIME: Duration = Duration::from_secs(10);
