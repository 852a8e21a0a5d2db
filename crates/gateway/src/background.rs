//! What goes on beside the requests: receipts to other countries, evidence into the log, halves
//! after their deadline, old replay keys out. None of it ever delays a request.

mod cursor;
pub mod deadline;
pub mod gauges;
pub mod share;

use std::sync::Arc;
use std::time::Duration;

use ledger::crash;
use ledger::journal::JournalError;
use ledger::log::{BATCH, Log, sequence_once};
use siem::{Event, Kind};

use crate::inbound::receipts::{MAX_RECEIPTS, RECEIPTS_PATH, decode_refused, encode};
use crate::node::{Node, PeerCountry};
use deadline::{Deadline, TURN};

/// Starts the tasks; they end with the node's stop token.
pub fn start(node: &Arc<Node>, log: Log) -> Vec<tokio::task::JoinHandle<()>> {
    let mut tasks = vec![
        tokio::spawn(sequence(Arc::clone(node), log)),
        tokio::spawn(close_halves(Arc::clone(node))),
        tokio::spawn(forget(Arc::clone(node))),
        tokio::spawn(complete_erasures(Arc::clone(node))),
        tokio::spawn(watch(Arc::clone(node))),
    ];
    for peer in node.peers.values().filter(|peer| peer.konfido) {
        tasks.push(tokio::spawn(deliver_receipts(Arc::clone(node), Arc::clone(peer))));
    }
    tasks
}

/// Moves settled evidence into the log, until the node stops; then once more.
async fn sequence(node: Arc<Node>, mut log: Log) {
    node.metrics.log_size.set(i64::try_from(log.size()).unwrap_or(i64::MAX));
    loop {
        let ended = node.stop.run_until_cancelled(tokio::time::sleep(LOG_PAUSE)).await.is_none();
        loop {
            // tiles are files: not on the async threads
            let journal = Arc::clone(&node.journal);
            let handle = tokio::runtime::Handle::current();
            let moved = tokio::task::spawn_blocking(move || {
                let result = handle.block_on(sequence_once(journal.as_ref(), &mut log));
                (result, log)
            })
            .await;
            let Ok((result, back)) = moved else { return };
            log = back;
            node.metrics.log_size.set(i64::try_from(log.size()).unwrap_or(i64::MAX));
            match result {
                Ok(count) if count == BATCH => {}
                Ok(_) => break,
                Err(error) => {
                    tracing::error!(%error, "evidence waits: the log cannot be written");
                    break;
                }
            }
        }
        if ended {
            return;
        }
    }
}

/// Brings our receipts to a country; what it does not take now it gets later.
async fn deliver_receipts(node: Arc<Node>, peer: Arc<PeerCountry>) {
    let mut pause = PAUSE;
    while node.stop.run_until_cancelled(tokio::time::sleep(pause)).await.is_some() {
        pause = match deliver_batch(&node, &peer).await {
            Ok(MAX_RECEIPTS) => Duration::from_millis(1),
            Ok(_) => PAUSE,
            Err(error) => {
                tracing::warn!(peer = %peer.country, %error, "receipts wait");
                (pause * 2).clamp(PAUSE, LONGEST_PAUSE)
            }
        };
    }
    let _ = deliver_batch(&node, &peer).await;
}

async fn deliver_batch(node: &Node, peer: &PeerCountry) -> Result<usize, String> {
    let rows =
        node.journal.undelivered(peer.country, MAX_RECEIPTS).await.map_err(|e| e.to_string())?;
    if rows.is_empty() {
        return Ok(0);
    }
    crash::point("receipts/unsent");
    let answer = peer.client.post(RECEIPTS_PATH, "application/octet-stream", encode(&rows)).await;
    let answer = answer.map_err(|e| e.to_string())?;
    if !answer.status.is_success() {
        return Err(format!("status {}", answer.status));
    }
    crash::point("receipts/unmarked");
    // what the country left out it does not have: it is not marked as if it had, and as it was
    // left out for what it says, it is not brought again before all the others
    let refused = decode_refused(&answer.body).map_err(|e| e.to_string())?;
    let count = rows.len();
    let (refused, taken): (Vec<_>, Vec<_>) =
        rows.into_iter().map(|row| row.txid).partition(|txid| refused.contains(txid));
    if !refused.is_empty() {
        tracing::error!(peer = %peer.country, txids = ?refused, "receipts refused");
        node.metrics.receipts_refused.inc_by(refused.len() as u64);
        node.journal.refused(refused).await.map_err(|e| e.to_string())?;
    }
    node.journal.delivered(taken).await.map_err(|e| e.to_string())?;
    Ok(count)
}

/// Turns what is past its deadline into halves, a few at a time.
async fn close_halves(node: Arc<Node>) {
    let (mut deadline, mut pause) = (Deadline::default(), DEADLINE_PAUSE);
    while node.stop.run_until_cancelled(tokio::time::sleep(pause)).await.is_some() {
        pause = match deadline.turn(&node).await {
            Ok(TURN) => Duration::from_millis(10),
            Ok(_) => DEADLINE_PAUSE,
            Err(error) => {
                tracing::warn!(%error, "evidence stays open for now");
                LONGEST_PAUSE
            }
        };
    }
}

async fn forget(node: Arc<Node>) {
    while node.stop.run_until_cancelled(tokio::time::sleep(FORGET_PAUSE)).await.is_some() {
        node.patient_keys.expire(node.clock.now());
        while node.journal.forget_replays(node.clock.now()).await.is_ok_and(|count| count > 0) {}
        if let Some(eid) = node.eid()
            && let Err(error) = eid.keeper.sweep(node.clock.now()).await
        {
            tracing::error!(%error, "expired sessions stay");
        }
    }
}

/// Overwrites what an erasure that was interrupted left, once. It is noted, whatever was left of it:
/// where it was killed before its own note, nobody else says that there was an erasure.
async fn complete_erasures(node: Arc<Node>) {
    match complete(&node).await {
        Ok(true) => {}
        Ok(false) => {
            tracing::warn!("what was erased is overwritten, but not in the log of the database");
        }
        Err(error) => tracing::error!(%error, "an interrupted erasure is not completed"),
    }
}

async fn complete(node: &Node) -> Result<bool, JournalError> {
    let mut number = 0;
    loop {
        match node.journal.sweep(ERASED).await? {
            0 => break,
            more => number += more as u64,
        }
    }
    if number > 0 || node.journal.is_erasing().await? {
        node.notes.note(Event { number, ..Event::new(node.clock.now(), Kind::EvidenceErased) });
    }
    node.journal.scrub().await
}

/// Keeps the gauges fresh.
async fn watch(node: Arc<Node>) {
    gauges::look(&node).await;
    while node.stop.run_until_cancelled(tokio::time::sleep(LOOK_PAUSE)).await.is_some() {
        gauges::look(&node).await;
    }
}

/// A checkpoint a second at the most: each costs a dozen fsyncs that requests would feel.
const LOG_PAUSE: Duration = Duration::from_secs(1);
const PAUSE: Duration = Duration::from_millis(200);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
const DEADLINE_PAUSE: Duration = Duration::from_secs(1);
/// Rows that are overwritten in one step: requests go in between.
const ERASED: usize = 64;
const LOOK_PAUSE: Duration = Duration::from_secs(5);
const FORGET_PAUSE: Duration = Duration::from_secs(60);
