//! The requester's receipts (NRR of the answer): each completes a record of ours.

use bytes::{Buf, BufMut, Bytes, BytesMut};
use exchange::{Malformed, Side, TransactionId};
use ledger::Settled;
use ledger::journal::{Row, State, Step};
use siem::Kind;
use transport::Peer;
use trust::certificate::Certificate;

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

fn decode(mut from: Bytes) -> Result<Vec<(TransactionId, Bytes)>, Malformed> {
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

/// Takes a batch. What is valid becomes durable; a receipt that is not is left out and said so.
pub async fn take(node: &Node, peer: &Peer, body: Bytes) -> Result<usize, String> {
    let now = node.clock.now();
    let mut rows = Vec::new();
    let mut refused = 0_u64;
    for (txid, signed) in decode(body).map_err(|e| e.to_string())? {
        // two signatures are verified for each: let requests go in between
        tokio::task::yield_now().await;
        let known = node.journal.row(txid, Side::A).await.map_err(|e| e.to_string())?;
        match known {
            Some(row) if row.state == State::Settled => {}
            Some(row) if row.state == State::Answered && Some(row.requester) == peer.country() => {
                match completed(node, row, &signed, now) {
                    Some(row) => rows.push(row),
                    None => refused += 1,
                }
            }
            _ => refused += 1,
        }
    }
    if refused > 0 {
        node.turned_away(Kind::ReceiptsRefused, Some(Side::A), peer.country(), refused);
    }
    let count = rows.len();
    if count > 0 {
        node.journal.commit(Step { replay: None, rows }).await.map_err(|e| e.to_string())?;
    }
    Ok(count)
}

/// The record with both signatures, if the receipt is for the statement that we signed.
fn completed(node: &Node, mut row: Row, signed: &[u8], now: jiff::Timestamp) -> Option<Row> {
    let requester = Certificate::from_der(&row.peer_certificate).ok()?;
    let provider = node.seal.certificate();
    let settled = Settled::verify(signed, &[provider, &requester], &node.seal_anchors, now).ok()?;
    let ours = ledger::evidence::payload(&row.statement)?;
    if ledger::evidence::payload(signed)? != ours || settled.statement.txid != row.txid.to_string()
    {
        return None;
    }
    row.statement = settled.signed;
    row.state = State::Settled;
    Some(row)
}

/// Receipts in one delivery: about 10 ms of signatures for the receiver.
pub const MAX_RECEIPTS: usize = 64;
