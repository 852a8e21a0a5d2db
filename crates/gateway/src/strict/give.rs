//! The country of affiliation's part: an offer in the place of a document.

use std::time::Instant;

use bytes::Bytes;
use enclave::strict::Offered;
use enclave::{Piece, Recipient};
use exchange::{Refusal, Transaction, TransactionId};
use ihe::mtom::Part;
use ledger::entry::strict::{Offer, Terms};
use ledger::evidence::sha256;

use super::book::Given;
use super::line::State;
use super::{DOCUMENT_CID, LOOK, OFFER_CID, Strict, later};
use crate::node::{Node, Sealing};
use crate::wire::Inner;

/// Who asked, in which exchange.
pub(crate) struct Asked<'a> {
    pub(crate) sealing: &'a Sealing,
    pub(crate) asker: &'a Recipient,
    pub(crate) txid: TransactionId,
    pub(crate) transaction: Transaction,
}

/// Offers an answer: `root` is its envelope, `named` its parts without their bytes, `pieces` the bytes.
/// Gives the parts of the answer that is given in its place: the offer, which stands in the ledger by
/// now, and the ciphertext.
pub(crate) async fn give(
    node: &Node,
    asked: &Asked<'_>,
    root: Bytes,
    named: Vec<Part>,
    pieces: Vec<Piece<'_>>,
) -> Result<Vec<Part>, Refusal> {
    let strict = node.strict.as_ref().ok_or_else(|| later("no validator is configured"))?;
    let Asked { sealing, asker, txid, transaction } = asked;
    let height = strict.line.height().await.map_err(later)?;
    let inner =
        Inner { evidence: Bytes::new(), secrets: Bytes::new(), content: root, parts: named };
    let head = inner.head();
    let pieces: Vec<Piece<'_>> = std::iter::once(Piece::Clear(&head)).chain(pieces).collect();
    let offered = sealing.vault.offer(asker, &txid.0, &pieces, node.clock.now());
    let Offered { ciphertext, promise, key } = offered.map_err(|e| later(e.to_string()))?;
    let terms = Terms {
        txid: *txid,
        transaction: *transaction,
        requester: asker.country(),
        provider: node.country,
        ciphertext: sha256(&ciphertext),
        key: promise,
        recipient: sha256(&asker.said().key),
        deadline: height + strict.terms.blocks,
    };
    let offer = Offer::entry(&terms, &sealing.seal).map_err(|e| later(e.to_string()))?;
    let offer = offer.into_bytes();
    // before anybody can post a receipt, so that no restart makes us owe a key that we do not have
    let given = Given { offer: offer.clone(), key: key.to_vec() };
    strict.book.give(*txid, given).map_err(later)?;
    stands(strict, *txid, &offer).await.map_err(later)?;
    let part = |cid: &str, bytes| {
        let mime = "application/octet-stream".to_owned();
        Part { cid: cid.to_owned(), mime, bytes }
    };
    Ok(vec![part(OFFER_CID, offer.into()), part(DOCUMENT_CID, ciphertext)])
}

/// Returns when the offer is final.
async fn stands(strict: &Strict, txid: TransactionId, offer: &[u8]) -> Result<(), String> {
    let (until, mut put) = (Instant::now() + strict.terms.wait, Ok(()));
    while strict.line.standing(txid).await?.map(|found| found.state) != Some(State::Offered) {
        // what is final already is refused, too: so an error counts when it is not there afterwards
        put?;
        if Instant::now() > until {
            return Err("the offer is not final".to_owned());
        }
        put = strict.line.put(offer).await;
        tokio::time::sleep(LOOK).await;
    }
    Ok(())
}
