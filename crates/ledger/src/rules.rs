//! What may stand in the shared ledger: the same blocks, the same verdicts, at every member.
//!
//! [`apply`] says what entries change, after [the table](table); [`verify_signatures`] says whether
//! those who signed could. Both depend on their arguments alone: no clock, no chance, no order of a
//! hash map. A block is valid when both agree.

mod refusal;
mod signatures;
mod table;
mod tx;

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::sync::Arc;

use exchange::Country;

use crate::entry::strict::About;
use crate::entry::{Body, Entry, Half, Record, TxId};
use crate::member::{Govern, Registry, Roll};

pub use refusal::{Reason, Refusal, Rejected};
pub use signatures::verify_signatures;
pub use table::{Row, TABLE, When};
pub use tx::{Slot, State, TX, Tx};

/// What the ledger knows before a block.
pub trait Facts {
    /// What is recorded of an exchange.
    fn tx(&self, txid: TxId) -> Result<Option<Tx>, FactsError>;

    /// Exchanges whose deadline has passed at this height ([`Tx::due_from`] is at most `height`) and
    /// that no entry says so of yet, in any order.
    fn due(&self, height: u64, limit: usize) -> Result<Vec<TxId>, FactsError>;

    /// The registry after the last block.
    fn registry(&self) -> Arc<Registry>;
}

/// The index could not be read. The disk's fault: no verdict about any block.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("ledger index cannot be read: {0}")]
pub struct FactsError(pub String);

/// What a block changes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Effects {
    /// Each exchange that changed, as it is afterwards, by number.
    pub txs: Vec<(TxId, Tx)>,
    /// The registry afterwards, if it changed.
    pub registry: Option<Arc<Registry>>,
}

/// What these entries change in the block of this height, whose first entry is leaf `first_index`.
/// Signatures are not looked at, only who they say they are of.
pub fn apply(
    facts: &dyn Facts,
    height: u64,
    first_index: u64,
    entries: &[Entry],
) -> Result<Effects, Refusal> {
    let mut draft = Draft::new(facts, height, first_index);
    for (position, entry) in entries.iter().enumerate() {
        draft.push(entry).map_err(|rejected| match rejected {
            Rejected::Rule(reason) => Refusal::Entry { position, reason },
            Rejected::Facts(error) => Refusal::Facts(error),
        })?;
    }
    Ok(draft.effects())
}

/// The entry that says that an exchange's deadline has passed, if it has at this height: what a proposer
/// adds for each of [`Facts::due`].
pub fn lapse(txid: TxId, tx: &Tx, height: u64) -> Option<Entry> {
    tx.due_from().filter(|from| *from <= height)?;
    let strict = matches!(tx.state(), State::Offered | State::Receipted);
    Some(if strict { Entry::default_of(txid) } else { Entry::open(txid) })
}

/// A block in the making: entries go on it one by one, as far as the rules allow.
pub struct Draft<'f> {
    facts: &'f dyn Facts,
    height: u64,
    next_index: u64,
    /// In force at this height: a change in this block comes into force later.
    registry: Arc<Registry>,
    latest: Option<Arc<Registry>>,
    txs: BTreeMap<TxId, Tx>,
}

impl<'f> Draft<'f> {
    /// An empty block of this height, whose first entry will be leaf `first_index`.
    pub fn new(facts: &'f dyn Facts, height: u64, first_index: u64) -> Self {
        let registry = facts.registry();
        let (latest, txs) = (None, BTreeMap::new());
        Self { facts, height, next_index: first_index, registry, latest, txs }
    }

    /// Puts an entry behind the others. On error the draft is as before.
    pub fn push(&mut self, entry: &Entry) -> Result<(), Rejected> {
        match (entry.body(), entry.txid()) {
            (Body::Govern(govern), _) => self.govern(govern)?,
            (body, Some(txid)) => {
                let before = match self.txs.get(&txid) {
                    Some(tx) => Some(*tx),
                    None => self.facts.tx(txid)?,
                };
                let after = self.follow(before, body)?;
                self.txs.insert(txid, after);
            }
            (_, None) => return Err(Reason::Signer.into()),
        }
        self.next_index += 1;
        Ok(())
    }

    /// What the entries on it change.
    pub fn effects(self) -> Effects {
        Effects { txs: self.txs.into_iter().collect(), registry: self.latest }
    }

    fn govern(&mut self, govern: &Govern) -> Result<(), Reason> {
        signatures::govern_signers(self.roll(), self.height, govern)?;
        let latest = self.latest.as_ref().unwrap_or(&self.registry);
        let statement = govern.statement();
        if statement.ledger() != latest.genesis() {
            return Err(Reason::Ledger);
        }
        match statement.sequence().cmp(&(latest.sequence() + 1)) {
            Ordering::Less => return Err(Reason::Sequence),
            Ordering::Greater => return Err(Reason::Early),
            Ordering::Equal => {}
        }
        self.latest = Some(Arc::new(latest.changed(self.height, statement.change())?));
        Ok(())
    }

    fn roll(&self) -> &Roll {
        self.registry.at(self.height)
    }

    /// What is recorded of an exchange after this entry.
    fn follow(&self, before: Option<Tx>, body: &Body) -> Result<Tx, Reason> {
        let row = table::row_of(before.as_ref(), body, self.height)?;
        signatures::exchange_signers(self.roll(), self.height, body)?;
        let tx = match body {
            Body::Whole(record) | Body::Close(record) => {
                let tx = between(before, record.requester(), record.provider())?;
                tx.with(Slot::End, self.next_index)
            }
            Body::Half(half) => self.half(before, half)?,
            Body::Offer(offer) => {
                let terms = offer.terms();
                let bounds = self.roll().terms();
                self.ahead(terms.deadline, bounds.offer_min, bounds.offer_max)?;
                Tx::new(row.to, terms.requester, terms.provider)
                    .with(Slot::Provider, self.next_index)
                    .until(terms.deadline)
                    .about(&offer.digest())
            }
            Body::Receipt(receipt) => {
                let due = self.height.saturating_add(self.roll().terms().key_blocks);
                of_offer(before, receipt.about())?.with(Slot::Requester, self.next_index).until(due)
            }
            Body::Key(key) => of_offer(before, key.about())?.with(Slot::End, self.next_index),
            Body::Open(_) | Body::Default(_) => before
                .ok_or(Reason::Transition { state: None, kind: body.kind() })?
                .with(Slot::Lapse, self.next_index),
            Body::Govern(_) => return Err(Reason::Signer),
        };
        Ok(tx.in_state(row.to))
    }

    fn half(&self, before: Option<Tx>, half: &Half) -> Result<Tx, Reason> {
        let record: &Record = half.record();
        let tx = between(before, record.requester(), record.provider())?;
        let slot = match signatures::half_side(self.roll(), self.height, half)? {
            side if side == record.provider() => Slot::Provider,
            _ => Slot::Requester,
        };
        if tx.index(slot).is_some() {
            return Err(Reason::Side);
        }
        let tx = tx.with(slot, self.next_index);
        if !record.is_bilateral() {
            return Ok(tx);
        }
        let bounds = self.roll().terms();
        self.ahead(half.deadline(), bounds.half_min, bounds.half_max)?;
        // the first half's deadline stands: the second may not put it off
        Ok(if before.is_some() { tx } else { tx.until(half.deadline()) })
    }

    /// Whether a deadline lies so many blocks ahead.
    fn ahead(&self, deadline: u64, least: u64, most: u64) -> Result<(), Reason> {
        let ahead = deadline.checked_sub(self.height).ok_or(Reason::Deadline)?;
        if (least..=most).contains(&ahead) { Ok(()) } else { Err(Reason::Deadline) }
    }
}

/// What is recorded, or a new record; between these countries either way.
fn between(before: Option<Tx>, requester: Country, provider: Country) -> Result<Tx, Reason> {
    let tx = before.unwrap_or_else(|| Tx::new(State::Half, requester, provider));
    if tx.parties() == (requester, provider) { Ok(tx) } else { Err(Reason::Parties) }
}

fn of_offer(before: Option<Tx>, about: &About) -> Result<Tx, Reason> {
    let tx = between(before, about.requester, about.provider)?;
    if tx.is_about(&about.offer) { Ok(tx) } else { Err(Reason::Offer) }
}

#[cfg(test)]
mod tests;
