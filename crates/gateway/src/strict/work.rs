//! What is open goes on: offers get their keys, receipts are posted, and what is over is forgotten.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use exchange::{Code, Refusal, Side, TransactionId};
use jiff::SignedDuration;
use siem::Kind;

use super::book::{self, Given, Taken};
use super::line::State;
use super::{LOOK, Strict, note};
use crate::node::Node;

/// Where an exchange stands that we took up.
pub(super) enum Turn {
    /// Nothing to do but to wait.
    Waits,
    /// The key is published.
    Ready(Vec<u8>),
    /// It is over, and this is to be said.
    Over(Refusal),
}

/// Works until the node stops.
pub async fn work(node: Arc<Node>) {
    let Some(strict) = &node.strict else { return };
    let (mut pause, mut pace) = (LOOK, Pace::default());
    while node.stop.run_until_cancelled(tokio::time::sleep(pause)).await.is_some() {
        pause = match round(&node, strict, &mut pace).await {
            Ok(()) => LOOK,
            Err(error) => {
                tracing::warn!(%error, "open exchanges wait for the shared ledger");
                (pause * 2).clamp(LOOK, LONGEST)
            }
        };
    }
}

/// Everything that is open, once. One that fails does not keep the others.
async fn round(node: &Node, strict: &Strict, pace: &mut Pace) -> Result<(), String> {
    let (given, taken) = (strict.book.given(), strict.book.taken());
    pace.next(given.iter().map(|row| row.0).chain(taken.iter().map(|row| row.0)).collect());
    let mut failed = Ok(());
    for (txid, given) in given.iter().filter(|row| pace.looks_at(row.0)) {
        if let Err(error) = owed(node, strict, *txid, given).await {
            failed = Err(error);
        }
    }
    for (txid, taken) in taken.iter().filter(|row| pace.looks_at(row.0)) {
        match turn(node, strict, *txid, taken).await {
            // nobody came back for it
            Ok(Turn::Ready(_)) if node.clock.now().duration_since(taken.at) > KEPT => {
                strict.book.forget(*txid);
            }
            Ok(_) => {}
            Err(error) => failed = Err(error),
        }
    }
    failed
}

/// How often each exchange is looked at: every round at first, then seldom, as the other country has
/// hours for its part.
#[derive(Default)]
struct Pace {
    round: u64,
    since: BTreeMap<TransactionId, u64>,
}

impl Pace {
    /// The next round, in which these are open.
    fn next(&mut self, open: BTreeSet<TransactionId>) {
        self.round += 1;
        self.since.retain(|txid, _| open.contains(txid));
        for txid in open {
            self.since.entry(txid).or_insert(self.round);
        }
    }

    fn looks_at(&self, txid: TransactionId) -> bool {
        let age = self.round - self.since.get(&txid).copied().unwrap_or(self.round);
        age < OFTEN || age.is_multiple_of(SELDOM)
    }
}

/// The key of an offer that was received for.
async fn owed(
    node: &Node,
    strict: &Strict,
    txid: TransactionId,
    given: &Given,
) -> Result<(), String> {
    let offer = book::offer(&given.offer).ok_or("a file of an offer is damaged")?;
    match strict.line.standing(txid).await?.map(|found| found.state) {
        // after the deadline, too: late is better than never, and is recorded as late
        Some(State::Receipted | State::Defaulted) => {
            let release = offer.release(&given.key, &node.sealing().seal);
            strict.line.put(release.map_err(|e| e.to_string())?.encode()).await?;
        }
        Some(State::Released | State::ReleasedLate | State::Lapsed | State::Other) => {
            strict.book.forget(txid);
        }
        // it did not get there; nobody can have answered it
        None if strict.line.height().await? > offer.terms().deadline => strict.book.forget(txid),
        Some(State::Offered) | None => {}
    }
    Ok(())
}

/// Posts our receipt where it is missing, and looks for the key.
pub(super) async fn turn(
    node: &Node,
    strict: &Strict,
    txid: TransactionId,
    taken: &Taken,
) -> Result<Turn, String> {
    let offer = book::offer(&taken.offer).ok_or("a file of an offer is damaged")?;
    let over = |code: Code, hint: &'static str| {
        strict.book.forget(txid);
        Ok(Turn::Over(Refusal::new(code, hint)))
    };
    let Some(standing) = strict.line.standing(txid).await? else {
        if strict.line.height().await? <= offer.terms().deadline {
            return Ok(Turn::Waits);
        }
        // the ledger cannot tell of what it never had
        note(node, Kind::OfferLapsed, (Side::B, offer.terms().provider), txid);
        return over(Code::ErrorGeneric, LAPSED);
    };
    match standing.state {
        State::Offered => strict.line.put(&taken.receipt).await.map(|()| Turn::Waits),
        State::Receipted => Ok(Turn::Waits),
        State::Released | State::ReleasedLate => strict.line.key(&standing).await.map(Turn::Ready),
        State::Lapsed | State::Other => over(Code::ErrorGeneric, LAPSED),
        State::Defaulted => over(Code::ErrorSecGeneric, DEFAULTED),
    }
}

const LAPSED: &str = "our receipt did not reach the ledger in time; send the request anew";
const DEFAULTED: &str = "that country took our receipt and gave no key: it is in default";
/// How long a document waits for who asked for it.
const KEPT: SignedDuration = SignedDuration::from_hours(24);
/// Between two rounds while the validator is away.
const LONGEST: Duration = Duration::from_secs(10);
/// Rounds in which an exchange is looked at each time: half a minute.
const OFTEN: u64 = 150;
/// Then one in so many: two seconds.
const SELDOM: u64 = 10;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_open_for_long_is_looked_at_seldom_but_never_forgotten() {
        let (old, new) = (TransactionId([1; 16]), TransactionId([2; 16]));
        let mut pace = Pace::default();
        let mut looks = 0;
        for _ in 0..OFTEN + 10 * SELDOM {
            pace.next([old].into());
            looks += u64::from(pace.looks_at(old));
        }
        assert_eq!(looks, OFTEN + 10);
        pace.next([old, new].into());
        pace.next([old, new].into());
        assert!(!pace.looks_at(old) && pace.looks_at(new));
        pace.next([new].into());
        assert_eq!(pace.since.len(), 1, "what is over takes no room");
    }
}
