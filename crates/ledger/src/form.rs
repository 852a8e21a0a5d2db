//! The one form of a statement: whatever else a peer writes is refused before it is signed or kept.
//!
//! Why so strict: a peer that could write freely into a statement could put a name into our log
//! for ever, or a leaf that the log cannot take and so stop it.

use coset::{CborSerializable, CoseSign, CoseSign1};
use exchange::{Country, Transaction, TransactionId};

use crate::commitment::{Commitments, Field};
use crate::evidence::{JointStatement, NO_ANSWER, RequestStatement};

/// The largest signed statement: two RSA-4096 signatures over all fields leave half of it free.
pub(crate) const MAX_SIGNED: usize = 4096;

impl RequestStatement {
    pub(crate) fn is_in_form(&self) -> bool {
        about(&self.txid, &self.transaction, self.requester, self.provider)
            && fields(&self.commitments, ASKED)
    }
}

impl JointStatement {
    pub(crate) fn is_in_form(&self) -> bool {
        about(&self.txid, &self.transaction, self.requester, self.provider)
            && fields(&self.asked, ASKED)
            && fields(&self.answered, ANSWERED)
            && is_word(&self.outcome)
            && self.is_unanswered() == self.answered.0.is_empty()
    }
}

/// `answered` or a code; anything else, such as a plain peer's own words, becomes `refused`. So does
/// [`NO_ANSWER`] as the word of an answer.
pub(crate) fn outcome(text: &str) -> String {
    let known = text == ANSWERED_WORD || exchange::Code::of_wire(text).is_some();
    if known { text.to_owned() } else { REFUSED.to_owned() }
}

/// Reads a `COSE_Sign1` whose bytes are its one encoding, without unsigned additions.
pub(crate) fn exact_sign1(signed: &[u8]) -> Option<CoseSign1> {
    let message = read(signed, CoseSign1::from_slice)?;
    let exact = message.unprotected.is_empty() && is_encoding(message.clone(), signed);
    exact.then_some(message)
}

/// The same for a `COSE_Sign`.
pub(crate) fn exact_sign(signed: &[u8]) -> Option<CoseSign> {
    let message = read(signed, CoseSign::from_slice)?;
    let bare = message.unprotected.is_empty()
        && message.protected.header.is_empty()
        && message.signatures.iter().all(|signature| signature.unprotected.is_empty());
    (bare && is_encoding(message.clone(), signed)).then_some(message)
}

/// How many signatures a `COSE_Sign` of that form has.
pub(crate) fn signatures(signed: &[u8]) -> Option<usize> {
    exact_sign(signed).map(|message| message.signatures.len())
}

fn read<T>(signed: &[u8], parse: impl FnOnce(&[u8]) -> coset::Result<T>) -> Option<T> {
    if signed.len() > MAX_SIGNED { None } else { parse(signed).ok() }
}

fn is_encoding(message: impl CborSerializable, signed: &[u8]) -> bool {
    message.to_vec().is_ok_and(|again| again == signed)
}

fn about(txid: &str, transaction: &str, requester: Country, provider: Country) -> bool {
    TransactionId::parse(txid).is_ok_and(|id| id.to_string() == txid)
        && Transaction::of_iti(transaction).is_some()
        && requester != provider
}

fn fields(commitments: &Commitments, allowed: &[Field]) -> bool {
    commitments.0.keys().all(|name| Field::of(name).is_some_and(|field| allowed.contains(&field)))
}

/// A code may be of a later version than ours, but it looks like a code.
pub(crate) fn is_word(text: &str) -> bool {
    let allowed = |b: u8| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_';
    let code = !text.is_empty() && text.len() <= 96 && text.bytes().all(allowed);
    code || [ANSWERED_WORD, REFUSED, NO_ANSWER].contains(&text)
}

const ANSWERED_WORD: &str = "answered";
const REFUSED: &str = "refused";

pub(crate) const ASKED: &[Field] =
    &[Field::Patient, Field::Professional, Field::Purpose, Field::Assertions, Field::Request];
pub(crate) const ANSWERED: &[Field] = &[Field::Answer, Field::Delivery];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_is_a_word_and_no_sentence_is() {
        for code in exchange::Code::all() {
            assert!(is_word(code.wire()), "{}", code.wire());
        }
        for text in ["", NO_ANSWER, "Agnete Lund 1958", "a\nb", "Ærø", "AGNETE", &"X".repeat(97)]
        {
            assert_eq!(outcome(text), "refused");
        }
        for text in ["", "Agnete", "Agnete-Lund", "a\nb", "1.2.208", &"X".repeat(97)] {
            assert!(!is_word(text), "{text}");
        }
    }
}
