//! What members say to each other beside the engine: entries for the next leaders, and small messages
//! for all (their cosignatures).

use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use commonware_cryptography::ed25519::PublicKey;
use commonware_macros::select;
use commonware_p2p::{Blocker, Receiver, Recipients, Sender};
use commonware_runtime::{Clock, IoBuf};
use ledger::order::{Hear, MAX_TOLD};
use tokio::sync::mpsc;

use crate::frame::{self, MAX_FRAME};
use crate::pool::{Origin, Pool};
use crate::view::{Standing, bytes};

/// Takes what other members send for our next block. Who sends what is no message is blocked.
pub(crate) async fn take_entries(
    clock: impl Clock,
    pool: Arc<Pool>,
    mut from: impl Receiver<PublicKey = PublicKey>,
    mut blocker: impl Blocker<PublicKey = PublicKey>,
) {
    while let Ok((peer, message)) = from.recv().await {
        let Some(entries) = frame::entries(message.as_ref()) else {
            commonware_p2p::block!(blocker, peer, "its entries are malformed");
            continue;
        };
        let (origin, now) = (Origin::Peer(bytes(&peer)), millis(&clock));
        for entry in entries {
            // a full share is nobody's fault: the sender sends again
            pool.put(entry, origin, now);
        }
    }
}

/// Sends own entries to whoever leads now and next, again until they are final.
pub(crate) async fn forward_entries(
    clock: impl Clock,
    pool: Arc<Pool>,
    standing: Standing,
    own: PublicKey,
    (resend, batch): (Duration, usize),
    mut to: impl Sender<PublicKey = PublicKey>,
) {
    let resend = u64::try_from(resend.as_millis()).unwrap_or(u64::MAX);
    let mut expired = 0;
    loop {
        let changed = pool.changed();
        let now = millis(&clock);
        if now > expired + EXPIRY / 4 {
            pool.expire(now.saturating_sub(EXPIRY));
            expired = now;
        }
        // more than a block waits here: the others' blocks are full as well, and our turn comes
        let full = standing.votes(&own) && pool.own_bytes() > batch;
        let entries = if full { Vec::new() } else { pool.to_send(now, resend, MAX_FRAME) };
        if full {
            clock.sleep(FULL).await;
            continue;
        }
        if entries.is_empty() {
            select! {
                () = changed => {},
                () = clock.sleep(TICK) => {},
            }
            continue;
        }
        let mut leaders = standing.leaders(&own, clock.current());
        leaders.retain(|key| *key != own);
        for frame in frame::frames(&entries) {
            // who cannot be reached is sent it again later
            let _ = to.send(Recipients::Some(leaders.clone()), IoBuf::from(frame), false);
        }
        // what comes in one burst goes in few messages
        clock.sleep(PACE).await;
    }
}

/// Sends what this member tells all, and hears it itself.
pub(crate) async fn tell(
    mut messages: mpsc::Receiver<Vec<u8>>,
    hear: Arc<dyn Hear>,
    own: [u8; 32],
    mut to: impl Sender<PublicKey = PublicKey>,
) {
    while let Some(message) = messages.recv().await {
        if message.is_empty() || message.len() > MAX_TOLD {
            continue;
        }
        hear.hear(own, &message);
        let _ = to.send(Recipients::All, IoBuf::from(message), false);
    }
}

/// Hears what others tell. Who says more than may be said is blocked.
pub(crate) async fn listen(
    hear: Arc<dyn Hear>,
    mut from: impl Receiver<PublicKey = PublicKey>,
    mut blocker: impl Blocker<PublicKey = PublicKey>,
) {
    while let Ok((peer, message)) = from.recv().await {
        let said: &[u8] = message.as_ref();
        if said.is_empty() || said.len() > MAX_TOLD {
            commonware_p2p::block!(blocker, peer, "what it tells has no fitting length");
            continue;
        }
        hear.hear(bytes(&peer), said);
    }
}

/// The engine's clock in milliseconds since 1970.
pub(crate) fn millis(clock: &impl Clock) -> u64 {
    let since = clock.current().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

const TICK: Duration = Duration::from_millis(250);
const FULL: Duration = Duration::from_millis(20);
const PACE: Duration = Duration::from_millis(2);
/// How long another member's entry is kept without becoming final, milliseconds.
const EXPIRY: u64 = 20_000;
