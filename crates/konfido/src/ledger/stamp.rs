//! Time-stamps of published checkpoints (RFC 3161): evidence that stands without trust in the members.
//!
//! One checkpoint in a while is stamped, and kept beside the newest one as it was stamped: a stamp is
//! over every signature line.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use exchange::SystemEntropy;
use http::StatusCode;
use ledger::timestamp::{Expected, TimeStampRequest, TimeStampToken, imprint};
use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;
use transport::plain::PlainClient;
use trust::certificate::Anchors;

use super::member::Member;
use crate::config::Stamps;

/// A checkpoint with its stamp.
#[derive(Serialize, Deserialize)]
pub struct Kept {
    /// The signed note.
    pub checkpoint: String,
    /// TimeStampToken, DER in base64.
    token: String,
}

impl Kept {
    /// What is kept in a folder of tiles.
    pub fn read(tiles: &Path) -> Option<Self> {
        serde_json::from_slice(&std::fs::read(place(tiles)).ok()?).ok()
    }

    /// The token.
    pub fn token(&self) -> Option<Vec<u8>> {
        STANDARD.decode(&self.token).ok()
    }

    fn write(&self, tiles: &Path) -> anyhow::Result<()> {
        let temporary = place(tiles).with_extension("tmp");
        std::fs::write(&temporary, serde_json::to_vec(self)?)?;
        Ok(std::fs::rename(temporary, place(tiles))?)
    }
}

/// Stamps the newest checkpoint, again and again, until the validator stops.
pub struct Stamper {
    member: Arc<Member>,
    authority: PlainClient,
    roots: Anchors,
    every: Duration,
}

impl Stamper {
    /// Of a configuration.
    pub fn new(member: Arc<Member>, stamps: &Stamps) -> anyhow::Result<Self> {
        let roots = &stamps.roots.value;
        let pem = std::fs::read(roots).with_context(|| roots.display().to_string())?;
        let roots = Anchors::from_pem(&pem).with_context(|| roots.display().to_string())?;
        let authority = PlainClient::of_url(&stamps.url, ANSWER)?;
        Ok(Self { member, authority, roots, every: stamps.every })
    }

    /// Runs until `stop`.
    pub async fn run(self, stop: CancellationToken) {
        let mut last = String::new();
        let mut pause = FIRST;
        while stop.run_until_cancelled(tokio::time::sleep(pause)).await.is_some() {
            pause = self.every;
            let Some(note) = self.member.published_brief() else {
                pause = FIRST;
                continue;
            };
            if note == last {
                continue;
            }
            match stop.run_until_cancelled(self.stamp(&note)).await {
                // an authority that does not answer holds up no stop
                None => return,
                Some(Ok(())) => last = note,
                Some(Err(error)) => {
                    tracing::warn!("a checkpoint is not stamped, and will be later: {error:#}");
                }
            }
        }
    }

    async fn stamp(&self, note: &str) -> anyhow::Result<()> {
        let request = TimeStampRequest::new(imprint(note), &SystemEntropy);
        let (status, body) =
            self.authority.post("", "application/timestamp-query", request.encode()).await?;
        ensure!(status == StatusCode::OK, "the authority answers {status}");
        let token: TimeStampToken = TimeStampRequest::token(&body)?;
        let expected = Expected { request: Some(&request), ..Expected::default() };
        let stamped = token.verify(imprint(note), &self.roots, expected)?;
        tracing::info!(time = %stamped.time, authority = stamped.authority, "checkpoint stamped");
        let kept = Kept { checkpoint: note.to_owned(), token: STANDARD.encode(token.der()) };
        let tiles = self.member.tiles.clone();
        tokio::task::spawn_blocking(move || kept.write(&tiles)).await?
    }
}

fn place(tiles: &Path) -> PathBuf {
    tiles.join("stamped.json")
}

/// The authority's answer.
const ANSWER: Duration = Duration::from_secs(20);
/// Until the first checkpoint is looked for.
const FIRST: Duration = Duration::from_secs(2);
