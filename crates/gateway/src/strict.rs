//! Strict mode: documents that can wait are given against a receipt, with the shared ledger as the judge
//! (docs/decisions/0027-strict-mode.md).
//!
//! A seals the document under a key of its own, posts an offer and answers with the ciphertext
//! ([`give`]); B posts its receipt, waits for the key and opens ([`take`]). What is open on either side
//! is on disk ([`book`]) and goes on in the background ([`work`]), whatever is restarted meanwhile.

mod book;
mod give;
mod line;
mod policy;
mod take;
mod work;

use std::path::{Path, PathBuf};
use std::time::Duration;

use exchange::{Code, Country, Refusal, Side, TransactionId};
use siem::{Event, Kind};

use crate::node::Node;
use book::Book;
pub(crate) use give::{Asked, give};
use line::Line;
pub use policy::Against;
pub(crate) use take::Wanted;
pub use work::work;

/// What a node needs for strict mode.
pub struct Strict {
    line: Line,
    book: Book,
    terms: Terms,
}

/// What a node chooses by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Terms {
    /// How long a request waits for its key before it is told to come again.
    pub wait: Duration,
    /// How many blocks another country has to post its receipt of an offer.
    pub blocks: u64,
}

impl Default for Terms {
    fn default() -> Self {
        Self { wait: Duration::from_secs(20), blocks: 10_000 }
    }
}

impl Strict {
    /// Reads what is open in this folder, which is made where it is missing; `socket` is our country's
    /// validator.
    pub fn open(socket: &Path, folder: PathBuf, terms: Terms) -> Result<Self, String> {
        Ok(Self { line: Line::new(socket), book: Book::open(folder)?, terms })
    }
}

/// Leaves an event about an open exchange.
fn note(node: &Node, kind: Kind, (side, peer): (Side, Country), txid: TransactionId) {
    node.notes.note(Event {
        side: Some(side),
        peer: Some(peer),
        txid: Some(txid),
        ..Event::new(node.clock.now(), kind)
    });
}

/// Something that passes: the ledger, a disk, the other country.
fn later(detail: impl Into<String>) -> Refusal {
    let hint =
        "the document is given against a receipt in the shared ledger; ask again in a moment";
    Refusal::new(Code::ErrorGeneric, hint).with_detail(detail)
}

/// Content-ID of an offer in an answer.
const OFFER_CID: &str = "offer@konfido";
/// Content-ID of what is offered.
const DOCUMENT_CID: &str = "offered@konfido";
/// Between two looks at an exchange that somebody waits for.
const LOOK: Duration = Duration::from_millis(200);

#[cfg(test)]
mod tests {
    use ledger::entry::strict::{SEALED_KEY, key_commitment, sealed_form};

    #[test]
    fn the_vault_promises_what_the_ledger_holds_it_to() {
        let (salt, key) = ([1; 32], [2; 32]);
        let promised = enclave::strict::promise(&sealed_form(&salt, &key));
        assert_eq!(promised, key_commitment(&salt, &key));
        assert_eq!(enclave::strict::SEALED_KEY, SEALED_KEY);
    }
}
