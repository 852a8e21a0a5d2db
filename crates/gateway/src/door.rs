//! What never became an exchange still leaves an event: connections that were given up, and
//! requests that were no message.
//!
//! Strangers need no certificate to cause the first kind, so [`Door`] bounds it: after a burst of
//! [`BURST`], one event a second, and the next event says for how many connections it stands.
//! Peers that our roots vouch for have an allowance of their own, so that a stranger's flood does
//! not hide them.

use std::sync::{Mutex, PoisonError};

use exchange::{CorrelationId, Country, Side};
use jiff::Timestamp;
use siem::{Event, Kind};
use transport::refused::Refused;

use crate::node::Node;

impl Node {
    /// Notes what is not an exchange: one event and one line in the log, under the id that the
    /// sender may quote.
    pub fn turned_away(
        &self,
        kind: Kind,
        side: Option<Side>,
        peer: Option<Country>,
        number: u64,
    ) -> CorrelationId {
        let correlation = CorrelationId::random(self.entropy.as_ref());
        let from = peer.as_ref().map_or("", Country::as_str);
        tracing::info!(%correlation, kind = kind.name(), number, peer = from, "turned away");
        let correlation_text = correlation.to_string();
        let event = Event::new(self.clock.now(), kind);
        self.notes.note(Event { side, peer, number, correlation: correlation_text, ..event });
        correlation
    }
}

/// Bounds the events of refused connections. One for each listener.
#[derive(Debug, Default)]
pub struct Door {
    strangers: Mutex<Allowance>,
    peers: Mutex<Allowance>,
}

/// Events that may come at once.
pub const BURST: u32 = 60;

impl Door {
    /// Notes a connection that was given up, or counts it for the next event.
    pub fn refused(&self, node: &Node, refused: &Refused) {
        let known = refused.peer.as_ref();
        let allowance = if known.is_some() { &self.peers } else { &self.strangers };
        let stands_for =
            allowance.lock().unwrap_or_else(PoisonError::into_inner).take(node.clock.now());
        let Some(number) = stands_for else { return };
        let country = known.and_then(transport::Peer::country);
        let correlation = node.turned_away(Kind::ConnectionRefused, None, country, number);
        let reason = refused.reason.name();
        tracing::info!(%correlation, reason, address = %refused.address, "connection refused");
    }
}

/// A token bucket that remembers what it refused.
#[derive(Debug, Default)]
struct Allowance {
    spent: u32,
    since: Option<Timestamp>,
    waiting: u64,
}

impl Allowance {
    /// How many connections an event now stands for; `None`: too soon, it waits for the next.
    fn take(&mut self, now: Timestamp) -> Option<u64> {
        let since = *self.since.get_or_insert(now);
        let passed = u32::try_from(now.duration_since(since).as_secs().max(0)).unwrap_or(u32::MAX);
        if passed > 0 {
            self.spent = self.spent.saturating_sub(passed);
            self.since = Some(now);
        }
        self.waiting += 1;
        if self.spent >= BURST {
            return None;
        }
        self.spent += 1;
        Some(std::mem::take(&mut self.waiting))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_becomes_few_events_and_none_is_forgotten() {
        let at = |second: i64| Timestamp::from_second(1_800_000_000 + second).unwrap();
        let mut allowance = Allowance::default();
        let flood: Vec<u64> = (0..1000).filter_map(|_| allowance.take(at(0))).collect();
        assert_eq!(flood, vec![1; BURST as usize]);
        assert_eq!(allowance.take(at(1)), Some(1000 - u64::from(BURST) + 1), "a second later");
        assert_eq!(allowance.take(at(1)), None);
        assert_eq!(allowance.take(at(3600)), Some(2));
        assert_eq!(allowance.spent, 1, "a quiet hour restores the whole burst and no more");
        assert_eq!(allowance.take(at(0)), Some(1), "a clock that steps back stops nothing");
    }
}
