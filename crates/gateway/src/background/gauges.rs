//! What an operator watches and no request counts: evidence and audit records that wait, lost
//! events, certificates that end. Looked at every few seconds, never by a request.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use siem::{Event, Kind};

use crate::metrics::WaitsFor;
use crate::node::Node;

/// Looks once.
pub async fn look(node: &Node) {
    node.metrics.notes_dropped.inner().store(node.notes.lost(), Ordering::Relaxed);
    node.metrics.days(node.clock.now());
    look_at_the_vault(node);
    match node.journal.waiting(MOST).await {
        Ok(waiting) => {
            let logged = u64::try_from(node.metrics.log_size.get()).unwrap_or(0);
            // what has a place may still be on its way to the files
            let for_log = waiting.unplaced + waiting.places.saturating_sub(logged);
            node.metrics.waits(WaitsFor::OtherHalf, waiting.open);
            node.metrics.waits(WaitsFor::Log, for_log);
        }
        Err(error) => tracing::warn!(%error, "evidence that waits cannot be counted"),
    }
    let Some(trail) = node.trail.as_ref().map(Arc::clone) else { return };
    // the spool may block
    match tokio::task::spawn_blocking(move || trail.spool.waiting()).await {
        Ok(Ok(waiting)) => {
            node.metrics.audit_waiting.set(i64::try_from(waiting).unwrap_or(i64::MAX));
        }
        Ok(Err(error)) => tracing::warn!(%error, "audit records that wait cannot be counted"),
        Err(_) => {}
    }
}

/// A vault process that was started again leaves an event.
fn look_at_the_vault(node: &Node) {
    let Some(starts) = node.sealing().vault.process().map(enclave::Process::starts) else { return };
    let before = node.metrics.vault_starts.set(i64::try_from(starts).unwrap_or(i64::MAX));
    if starts > 1 && i64::try_from(starts).is_ok_and(|starts| starts > before) {
        tracing::warn!(starts, "the vault process died and was started again");
        node.notes
            .note(Event { number: starts, ..Event::new(node.clock.now(), Kind::VaultRestarted) });
    }
}

/// Rows of a kind that are counted.
const MOST: usize = 100_000;
