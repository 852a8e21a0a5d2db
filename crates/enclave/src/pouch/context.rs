//! What a pouch is about, and what its opener knows of that.

use exchange::{Country, Transaction, TransactionId};

use super::{run, take};
use crate::VaultError;
use crate::header::{Address, country};

/// Which part of which answer a pouch is. Whoever carries a pouch can read it and cannot change it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PouchContext<'c> {
    /// Which exchange, and the way of the answer: from the country of affiliation.
    pub address: Address,
    /// Which of the answer's parts, from 0.
    pub part: u16,
    /// The Content-ID of that part, without angle brackets.
    pub content_id: &'c str,
    /// The media type of what is inside.
    pub media_type: &'c str,
}

impl<'c> PouchContext<'c> {
    /// Both countries, the transaction's place in [`Transaction::ALL`], exchange, part, and the two
    /// names with their lengths: one context, one spelling.
    pub(super) fn encode(&self) -> Result<Vec<u8>, VaultError> {
        let Address { from, to, transaction, txid } = self.address;
        let place = Transaction::ALL.iter().position(|known| *known == transaction);
        let place =
            place.and_then(|place| u8::try_from(place).ok()).ok_or(VaultError::Malformed)?;
        let mut out = Vec::with_capacity(64);
        out.extend_from_slice(from.as_str().as_bytes());
        out.extend_from_slice(to.as_str().as_bytes());
        out.push(place);
        out.extend_from_slice(&txid.0);
        out.extend_from_slice(&self.part.to_be_bytes());
        for name in [self.content_id, self.media_type] {
            if !is_name(name.as_bytes()) {
                return Err(VaultError::Malformed);
            }
            out.push(u8::try_from(name.len()).map_err(|_| VaultError::Malformed)?);
            out.extend_from_slice(name.as_bytes());
        }
        Ok(out)
    }

    pub(super) fn decode(mut rest: &'c [u8]) -> Result<Self, VaultError> {
        let rest = &mut rest;
        let from = country(*take(rest)?)?;
        let to = country(*take(rest)?)?;
        let [place] = *take(rest)?;
        let transaction = *Transaction::ALL.get(usize::from(place)).ok_or(VaultError::Malformed)?;
        let txid = TransactionId(*take(rest)?);
        let part = u16::from_be_bytes(*take(rest)?);
        let (content_id, media_type) = (name(rest)?, name(rest)?);
        if !rest.is_empty() {
            return Err(VaultError::Malformed);
        }
        let address = Address { from, to, transaction, txid };
        Ok(Self { address, part, content_id, media_type })
    }
}

/// What the opener knows by itself, from its own question and from the answer's envelope. A pouch
/// that says something else is another one, and is not opened.
#[derive(Debug, Clone, Copy)]
pub struct Expected<'e> {
    /// The country that was asked.
    pub from: Country,
    /// The country that asked.
    pub to: Country,
    /// What was asked.
    pub transaction: Transaction,
    /// Which of the answer's parts it came as, from 0.
    pub part: u16,
    /// The Content-ID it came under.
    pub content_id: &'e str,
    /// The exchange, for who has learnt it elsewhere: a key that is used for one question does not
    /// need it.
    pub txid: Option<TransactionId>,
}

impl Expected<'_> {
    pub(super) fn is(&self, found: &PouchContext<'_>) -> bool {
        let Address { from, to, transaction, txid } = found.address;
        (from, to, transaction) == (self.from, self.to, self.transaction)
            && (found.part, found.content_id) == (self.part, self.content_id)
            && self.txid.is_none_or(|known| known == txid)
    }
}

fn name<'c>(rest: &mut &'c [u8]) -> Result<&'c str, VaultError> {
    let [length] = *take(rest)?;
    let bytes = run(rest, usize::from(length))?;
    if !is_name(bytes) {
        return Err(VaultError::Malformed);
    }
    std::str::from_utf8(bytes).map_err(|_| VaultError::Malformed)
}

/// Printable ASCII: it stood in a header line.
fn is_name(bytes: &[u8]) -> bool {
    (1..=MAX_NAME).contains(&bytes.len()) && bytes.iter().all(|b| (b' '..=b'~').contains(b))
}

/// The longest Content-ID and media type.
pub const MAX_NAME: usize = 255;
