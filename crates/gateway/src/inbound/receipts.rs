//! The requester's receipts (NRR of the answer): each completes a record of ours.

use std::collections::BTreeMap;

use bytes::{Buf, BufMut, Bytes, BytesMut};
use exchange::{Malformed, Side, TransactionId};
use ledger::journal::{JournalError, Outcome, Row, State, Step};
use ledger::{Settled, crash};
use siem::Kind;
use transport::Peer;
use trust::chain::Chain;

use crate::node::Node;

/// Where a KONFIDO node takes receipts.
pub const RECEIPTS_PATH: &str = "/konfido/v1/receipts";

/// Writes a batch: exchange number, length, `COSE_Sign` with both signatures.
pub fn encode(rows: &[Row]) -> Bytes {
    let mut out = BytesMut::new();
    for row in rows {
        out.put_slice(&row.txid.0);
        out.put_u32(u32::try_from(row.statement.len()).unwrap_or(0));
        out.put_slice(&row.statement);
    }
    out.freeze()
}

/// Reads [`encode`].
pub fn decode(mut from: Bytes) -> Result<Vec<(TransactionId, Bytes)>, Malformed> {
    let malformed = Malformed { what: "receipts" };
    let mut all = Vec::new();
    while from.has_remaining() {
        if from.remaining() < 20 || all.len() >= MAX_RECEIPTS {
            return Err(malformed);
        }
        let mut txid = [0; 16];
        from.copy_to_slice(&mut txid);
        let length = from.get_u32() as usize;
        if from.remaining() < length {
            return Err(malformed);
        }
        all.push((TransactionId(txid), from.split_to(length)));
    }
    Ok(all)
}

/// Why a batch cannot be taken now; the peer brings it again.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BatchError {
    /// Not a batch.
    #[error(transparent)]
    Malformed(#[from] Malformed),
    /// Our journal failed, or another batch with the same receipts came first.
    #[error("receipts cannot be kept now: {0}")]
    Unavailable(String),
}

impl From<JournalError> for BatchError {
    fn from(error: JournalError) -> Self {
        Self::Unavailable(error.to_string())
    }
}

/// The answer to a batch: the exchange numbers of the receipts that were left out.
pub fn encode_refused(refused: &[TransactionId]) -> Bytes {
    refused.iter().flat_map(|txid| txid.0).collect::<Vec<u8>>().into()
}

/// Reads [`encode_refused`].
pub fn decode_refused(body: &[u8]) -> Result<Vec<TransactionId>, Malformed> {
    let (numbers, rest) = body.as_chunks::<16>();
    if rest.is_empty() && numbers.len() <= MAX_RECEIPTS {
        Ok(numbers.iter().map(|number| TransactionId(*number)).collect())
    } else {
        Err(Malformed { what: "answer to receipts" })
    }
}

/// Takes a batch. What is valid becomes durable; the numbers of those that are not come back.
pub async fn take(node: &Node, peer: &Peer, body: Bytes) -> Result<Vec<TransactionId>, BatchError> {
    let receipts = decode(body)?;
    let asked = receipts.iter().map(|(txid, _)| *txid).collect();
    let known = node.journal.rows(asked, Side::A).await?.into_iter();
    let known: BTreeMap<[u8; 16], Row> = known.map(|row| (row.txid.0, row)).collect();
    let (mut rows, mut refused): (Vec<Row>, _) = (Vec::new(), Vec::new());
    let mut closed = 0;
    for (txid, signed) in receipts {
        // a signature is verified for each: let requests go in between
        tokio::task::yield_now().await;
        match known.get(&txid.0).filter(|row| Some(row.requester) == peer.country()) {
            Some(row) if row.state == State::Settled => {}
            Some(_) if rows.iter().any(|row| row.txid == txid) => {}
            Some(row) if matches!(row.state, State::Answered | State::Half) => {
                let half = u64::from(row.state == State::Half);
                match completed(node, row.clone(), &signed) {
                    Some(row) => {
                        rows.push(row);
                        closed += half;
                    }
                    None => refused.push(txid),
                }
            }
            _ => refused.push(txid),
        }
    }
    if !refused.is_empty() {
        tracing::warn!(txids = ?refused, "receipts refused");
        let number = refused.len() as u64;
        node.turned_away(Kind::ReceiptsRefused, Some(Side::A), peer.country(), number);
    }
    if !rows.is_empty() {
        crash::point("receipts/verified");
        // by slices: requests that wait for the same disk go in between. What is kept when one fails is
        // settled when the batch comes again
        for slice in rows.chunks(SLICE) {
            match node.journal.commit(Step { replay: None, rows: slice.to_vec() }).await? {
                Outcome::Recorded => {}
                other => return Err(BatchError::Unavailable(format!("{other:?}"))),
            }
        }
        crash::point("receipts/taken");
    }
    node.metrics.halves_closed.inc_by(closed);
    Ok(refused)
}

/// The record with both signatures, if the receipt is for the statement that we signed.
///
/// The certificates are judged at the time of the exchange: a receipt that waited for us is not
/// lost because a seal was renewed meanwhile.
fn completed(node: &Node, mut row: Row, signed: &[u8]) -> Option<Row> {
    let requester = Chain::from_der(&row.peer_certificate).ok()?;
    let settled =
        Settled::complete(&row.statement, signed, &requester, &node.seal_anchors, row.at).ok()?;
    if settled.statement.txid != row.txid.to_string() {
        return None;
    }
    row.statement = settled.signed;
    row.state = State::Settled;
    Some(row)
}

/// Receipts that become durable in one step: about half a millisecond of the journal's writer.
const SLICE: usize = 16;
/// Receipts in one delivery: about 5 ms of signatures for the receiver.
pub const MAX_RECEIPTS: usize = 64;
