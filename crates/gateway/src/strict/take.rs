//! The country of treatment's part: a receipt for an offer, and the document when its key is there.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use enclave::VaultError;
use enclave::strict::{Expected, Release};
use exchange::{Code, Country, Purpose, Refusal, Side, Transaction, TransactionId};
use identity::Mandate;
use ihe::mtom::Package;
use ledger::entry::strict::{Offer, Terms};
use ledger::evidence::sha256;
use siem::Kind;

use super::book::{self, Taken};
use super::work::{Turn, turn};
use super::{DOCUMENT_CID, LOOK, OFFER_CID, Strict, later, note};
use crate::last_hop::Released;
use crate::message::{Facts, Message, digest, read_answer};
use crate::node::{Node, Place, Sealing};
use crate::outbound::shared::mismatch;
use crate::wire::Inner;

/// A permitted request for documents, which may be answered with an offer.
pub(crate) struct Wanted<'a> {
    pub(crate) node: &'a Node,
    pub(crate) sealing: &'a Sealing,
    pub(crate) target: Country,
    pub(crate) facts: &'a Facts,
    pub(crate) mandate: &'a Mandate,
    pub(crate) message: &'a Message,
}

impl Wanted<'_> {
    /// The document, or what is to be said, of an exchange that is open since the same was asked before.
    pub(crate) async fn open(
        &self,
        place: &mut Option<Place<'_>>,
    ) -> Result<Option<(TransactionId, Released)>, Refusal> {
        let urgent = self.mandate.recognised().purpose() == Purpose::Emergency;
        let asked = self.facts.is_retrieve() && self.facts.pouch.is_none() && !urgent;
        let Some(strict) = self.node.strict.as_ref().filter(|_| asked) else { return Ok(None) };
        let mut open = strict.book.taken();
        if open.is_empty() {
            return Ok(None);
        }
        let name = self.name()?;
        open.retain(|(_, taken)| taken.wanted == name);
        let Some((txid, taken)) = open.pop() else { return Ok(None) };
        let released = self.wait(strict, (txid, &taken), place).await?;
        Ok(Some((txid, released)))
    }

    /// An answer that is an offer becomes the document that is offered; any other one stays what it is.
    pub(crate) async fn receive(
        &self,
        txid: TransactionId,
        answer: Released,
        place: &mut Option<Place<'_>>,
    ) -> Result<Released, Refusal> {
        let [entry, document] = answer.package.parts.as_slice() else { return Ok(answer) };
        if (entry.cid.as_str(), document.cid.as_str()) != (OFFER_CID, DOCUMENT_CID) {
            return Ok(answer);
        }
        let Some(strict) = &self.node.strict else {
            let hint =
                "that country gives the document against a receipt, and this one has no validator";
            return Err(Refusal::new(Code::ErrorPolicyViolation, hint));
        };
        let (node, sealing) = (self.node, self.sealing);
        let offer = book::offer(&entry.bytes).filter(|offer| self.is_ours(txid, offer));
        let offer = offer.ok_or_else(|| mismatch("the offer is another than was asked for"))?;
        let published = sealing.vault.publish(&sealing.seal, node.clock.now());
        let published = published.map_err(|e| later(e.to_string()))?;
        let public = published.said().map(|said| said.key).unwrap_or_default();
        let receipt = offer.receipt(&document.bytes, &public, &sealing.seal);
        let receipt = receipt.ok_or_else(|| mismatch("the offer is for another vault or document"));
        let Terms { key: promise, recipient, .. } = offer.terms();
        let expected = Expected { txid: &txid.0, promise, recipient };
        let opener = sealing.vault.expect(&expected, &document.bytes);
        let taken = Taken {
            offer: entry.bytes.to_vec(),
            receipt: receipt?.map_err(|e| later(e.to_string()))?.into_bytes(),
            opener: opener.map_err(|e| later(e.to_string()))?.to_vec(),
            wanted: self.name()?,
            message_id: self.facts.message_id.clone(),
            at: node.clock.now(),
        };
        // before the receipt is posted: what we received for we have
        let taken = strict.book.take(txid, taken, &document.bytes).map_err(later)?;
        self.wait(strict, (txid, &taken), place).await
    }

    fn is_ours(&self, txid: TransactionId, offer: &Offer) -> bool {
        let parties = (self.node.country, self.target);
        is_about(offer.terms(), (txid, self.facts.transaction), parties)
    }

    /// Who asks for what, under a name that only our vault can make.
    fn name(&self) -> Result<Vec<u8>, Refusal> {
        let (who, root) = (self.mandate.recognised(), &self.message.package.root);
        let asked = digest(&root[self.facts.content.clone()], &self.message.package.parts);
        let patient = who.patient().map(exchange::PatientId::cx).unwrap_or_default();
        let (professional, purpose) = (who.professional(), who.purpose().code());
        let text = format!("{}\n{professional}\n{purpose}\n{patient}\n{asked}", self.target);
        let name = self.sealing.vault.name(&hex::encode(sha256(text.as_bytes())));
        name.map(|name| name.to_vec()).map_err(|e| later(e.to_string()))
    }

    async fn wait(
        &self,
        strict: &Strict,
        (txid, taken): (TransactionId, &Arc<Taken>),
        place: &mut Option<Place<'_>>,
    ) -> Result<Released, Refusal> {
        // care does not wait for the ledger; where too many wait already, this one looks once
        let room = place.as_mut().is_none_or(|place| place.step_aside().is_ok());
        let until = Instant::now() + if room { strict.terms.wait } else { Duration::ZERO };
        loop {
            let why = match turn(self.node, strict, txid, taken).await {
                Ok(Turn::Ready(key)) => return self.opened(strict, txid, taken, &key),
                Ok(Turn::Over(refusal)) => return Err(refusal),
                Ok(Turn::Waits) => "the key is not published yet".to_owned(),
                Err(error) => error,
            };
            if Instant::now() > until {
                return Err(later(why));
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    /// By the key that was published; in the vault only.
    fn opened(
        &self,
        strict: &Strict,
        txid: TransactionId,
        taken: &Taken,
        key: &[u8],
    ) -> Result<Released, Refusal> {
        let sealed = strict.book.sealed(txid).map_err(later)?;
        let offer = book::offer(&taken.offer).ok_or_else(|| later("a damaged file"))?;
        let promise = &offer.terms().key;
        let release = Release { txid: &txid.0, promise, key, opener: &taken.opener };
        let broken = |detail: String| {
            note(self.node, Kind::OfferBroken, (Side::B, offer.terms().provider), txid);
            strict.book.set_aside(txid);
            let hint =
                "that country published another key, or offered another thing, than promised";
            Refusal::new(Code::ErrorSecDataIntegrityNotEnsured, hint).with_detail(detail)
        };
        let pieces = match self.sealing.vault.take_up(&release, &sealed) {
            Ok(pieces) => pieces,
            Err(error @ (VaultError::Promise | VaultError::Malformed)) => {
                return Err(broken(error.to_string()));
            }
            Err(error) => {
                // what we kept is of another key of ours: it never opens, and is asked for anew
                if error == VaultError::Integrity {
                    strict.book.forget(txid);
                }
                return Err(later(error.to_string()));
            }
        };
        let package = self.package(pieces, &taken.message_id);
        let package = package.map_err(broken)?;
        strict.book.forget(txid);
        Ok(package.into())
    }

    /// The answer as the other country wrote it, in reply to this message.
    fn package(&self, pieces: Vec<Bytes>, asked: &str) -> Result<Package, String> {
        let inner = Inner::decode(pieces).map_err(|error| error.to_string())?;
        let Inner { content: root, parts, .. } = inner;
        let package = Package { root: in_reply(root, asked, &self.facts.message_id), parts };
        read_answer(&package).map_err(|error| error.to_string())?;
        Ok(package)
    }
}

/// Whether an offer is of this exchange: an earlier one, or another country's, is not.
fn is_about(
    terms: &Terms,
    exchange: (TransactionId, Transaction),
    parties: (Country, Country),
) -> bool {
    (terms.txid, terms.transaction) == exchange && (terms.requester, terms.provider) == parties
}

/// The envelope names the message that was answered; a repetition has another name.
fn in_reply(root: Bytes, asked: &str, now: &str) -> Bytes {
    let places: Vec<usize> = memchr::memmem::find_iter(&root, asked).take(2).collect();
    match places.as_slice() {
        [at] if asked != now && !asked.is_empty() => {
            [&root[..*at], now.as_bytes(), &root[at + asked.len()..]].concat().into()
        }
        _ => root,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_offer_of_another_exchange_is_not_taken() {
        let country = |code| Country::parse(code).unwrap();
        let (es, dk, it) = (country("ES"), country("DK"), country("IT"));
        let (txid, transaction) = (TransactionId([1; 16]), Transaction::Retrieve);
        let (ciphertext, key, recipient) = ([2; 32], [3; 32], [4; 32]);
        let (requester, provider, deadline) = (es, dk, 9);
        let terms =
            Terms { txid, transaction, requester, provider, ciphertext, key, recipient, deadline };
        assert!(is_about(&terms, (txid, transaction), (es, dk)));
        assert!(!is_about(&terms, (TransactionId([2; 16]), transaction), (es, dk)), "replayed");
        assert!(!is_about(&terms, (txid, Transaction::Query), (es, dk)));
        assert!(!is_about(&terms, (txid, transaction), (it, dk)), "another's");
        assert!(!is_about(&terms, (txid, transaction), (es, it)), "by another");
    }

    #[test]
    fn a_repetition_is_answered_by_its_own_name() {
        let root = Bytes::from_static(b"<RelatesTo>urn:uuid:1</RelatesTo>");
        let told = |asked: &str, now: &str| in_reply(root.clone(), asked, now);
        assert_eq!(told("urn:uuid:1", "urn:uuid:22"), "<RelatesTo>urn:uuid:22</RelatesTo>");
        assert_eq!(told("urn:uuid:1", "urn:uuid:1"), root);
        assert_eq!(told("", "urn:uuid:22"), root);
        assert_eq!(told("u", "urn:uuid:22"), root, "twice: which one is meant?");
    }
}
