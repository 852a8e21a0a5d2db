//! Evidence of one exchange, as an entry carries it.

use exchange::{Country, Transaction};
use trust::cose;
use trust::seal::SealKey;

use crate::commitment::Field;
use crate::entry::cbor::Cursor;
use crate::entry::signed::Signed;
use crate::entry::strict::reads_as_text;
use crate::entry::{Entry, EntryError, Kind, TxId};
use crate::evidence::{EXCHANGE, NO_ANSWER};
use crate::form::{self, ANSWERED, ASKED, MAX_SIGNED};
use crate::member::raw;

/// A signed joint statement in form ([`crate::JointStatement`]).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    signed: Signed,
    about: About,
}

/// What the rules need of a joint statement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct About {
    txid: TxId,
    requester: Country,
    provider: Country,
    bilateral: bool,
    unanswered: bool,
}

impl Record {
    /// With the provider's signature first and the requester's behind it: an answer that both confirm.
    pub(super) fn read_whole(bytes: &[u8]) -> Option<Self> {
        let record = Self::read(bytes)?;
        let About { bilateral, unanswered, .. } = record.about;
        let whole = record.signed.signatures().len() == 2 && bilateral && !unanswered;
        whole.then_some(record)
    }

    /// A record in form, with one signature or two; they are still to be verified.
    pub fn read(bytes: &[u8]) -> Option<Self> {
        let signed = Signed::read(bytes, MAX_SIGNED, 2)?;
        let about = About::read(signed.payload())?;
        Some(Self { signed, about })
    }

    /// The `COSE_Sign`.
    pub fn signed(&self) -> &Signed {
        &self.signed
    }

    /// Number of the exchange.
    pub fn txid(&self) -> TxId {
        self.about.txid
    }

    /// Country of treatment.
    pub fn requester(&self) -> Country {
        self.about.requester
    }

    /// Country of affiliation.
    pub fn provider(&self) -> Country {
        self.about.provider
    }

    /// Whether the requester made a signed request; one without KONFIDO makes none.
    pub fn is_bilateral(&self) -> bool {
        self.about.bilateral
    }

    /// Whether it says that there was no answer.
    pub fn is_unanswered(&self) -> bool {
        self.about.unanswered
    }
}

impl About {
    /// Reads a statement that is in form, as [`crate::evidence::read_joint`] does in many times the
    /// time: each member reads 20,000 a second. A commitment that can be read is none.
    fn read(payload: &[u8]) -> Option<Self> {
        let mut cursor = Cursor::new(payload);
        cursor.map().filter(|fields| *fields == 9)?;
        let form = cursor.field("form")?.text()?;
        let txid = number(cursor.field("txid")?.text()?)?;
        let transaction = cursor.field("transaction")?.text()?;
        let requester = country(cursor.field("requester")?.text()?)?;
        let provider = country(cursor.field("provider")?.text()?)?;
        cursor.field("request")?;
        let bilateral = !cursor.null();
        if bilateral && reads_as_text(&cursor.hash()?) {
            return None;
        }
        commitments(cursor.field("asked")?, ASKED)?;
        let answers = commitments(cursor.field("answered")?, ANSWERED)?;
        let outcome = cursor.field("outcome")?.text()?;
        let unanswered = outcome == NO_ANSWER;
        let fits = cursor.is_done()
            && form == EXCHANGE
            && Transaction::of_iti(transaction).is_some()
            && requester != provider
            && form::is_word(outcome)
            && unanswered == (answers == 0);
        fits.then_some(Self { txid, requester, provider, bilateral, unanswered })
    }
}

/// How many commitments to these fields follow, each once and in their order.
fn commitments(cursor: &mut Cursor<'_>, allowed: &[Field]) -> Option<usize> {
    let count = cursor.map()?;
    let mut last = "";
    for _ in 0..count {
        let name = cursor.text()?;
        let known = Field::of(name).is_some_and(|field| allowed.contains(&field));
        if !known || name <= last || reads_as_text(&cursor.hash()?) {
            return None;
        }
        last = name;
    }
    Some(count)
}

/// 32 lower-case digits.
fn number(text: &str) -> Option<TxId> {
    raw::from_hex(text)?.try_into().ok()
}

fn country(text: &str) -> Option<Country> {
    Country::parse(text).ok().filter(|country| country.as_str() == text)
}

/// A record with one signature, and the height by which it is to be closed, signed by the same country.
///
/// Why the deadline is signed: a proposer could otherwise shorten it, and make the other country look
/// as if it kept its signature back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Half {
    record: Record,
    deadline: u64,
    signed: Signed,
}

impl Half {
    /// Puts a record that one country signed in an entry, with its deadline, signed again.
    ///
    /// The deadline is a height; 0, and nothing else, for a record of an exchange with a country
    /// without KONFIDO: nobody could close it.
    pub fn entry(record: &[u8], deadline: u64, key: &SealKey) -> Result<Entry, EntryError> {
        let payload = [&deadline.to_be_bytes(), record].concat();
        let signed = cose::sign(key, &payload, HALF).map_err(|_| EntryError::Signing)?;
        Entry::of(Kind::Half, &signed)
    }

    pub(super) fn read(bytes: &[u8]) -> Option<Self> {
        let signed = Signed::read(bytes, MAX_HALF, 1)?;
        let (deadline, record) = signed.payload().split_first_chunk::<8>()?;
        let (deadline, record) = (u64::from_be_bytes(*deadline), Record::read(record)?);
        let half =
            record.signed.signatures().len() == 1 && record.is_bilateral() == (deadline != 0);
        half.then_some(Self { record, deadline, signed })
    }

    /// What the country says.
    pub fn record(&self) -> &Record {
        &self.record
    }

    /// The last height at which it is closed in time.
    pub fn deadline(&self) -> u64 {
        self.deadline
    }

    /// The `COSE_Sign` over deadline and record.
    pub fn signed(&self) -> &Signed {
        &self.signed
    }
}

/// What is signed with a half.
pub(crate) const HALF: &[u8] = b"konfido-half/1";
/// A record, its deadline and one RSA-4096 signature.
const MAX_HALF: usize = MAX_SIGNED + 1024;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::commitment::{Bytes32, Commitments};
    use crate::evidence::{JointStatement, encode, read_joint};
    use crate::fixtures::shared::statement;

    /// The reader that every other part of this crate uses is the judge of this one.
    fn agree(payload: &[u8]) -> bool {
        let judge = read_joint(payload).map(|read| About {
            txid: number(&read.txid).unwrap(),
            requester: read.requester,
            provider: read.provider,
            bilateral: read.request.is_some(),
            unanswered: read.is_unanswered(),
        });
        assert_eq!(About::read(payload), judge, "{payload:02x?}");
        judge.is_some()
    }

    fn full() -> JointStatement {
        let all = |names: &[Field]| {
            let row = |field: &Field| (field.name().to_owned(), Bytes32([0xa5; 32]));
            Commitments(names.iter().map(row).collect())
        };
        let (asked, answered) = (all(ASKED), all(ANSWERED));
        JointStatement { asked, answered, ..statement([0x5e; 16], "ES", "DK", "answered") }
    }

    #[test]
    fn both_readers_take_what_we_write() {
        assert!(agree(&encode(&full()).unwrap()));
        for outcome in ["answered", "refused", NO_ANSWER, "ERROR_PS_NOT_FOUND"] {
            let one = statement([1; 16], "DK", "ES", outcome);
            assert!(agree(&encode(&one).unwrap()), "{outcome}");
            assert!(agree(&encode(&JointStatement { request: None, ..one }).unwrap()));
        }
    }

    #[test]
    fn both_readers_refuse_the_same_words() {
        let one = statement([1; 16], "ES", "DK", "answered");
        let country = one.requester;
        let named = |name: &str| Commitments([(name.to_owned(), Bytes32([1; 32]))].into());
        for bad in [
            JointStatement { form: "konfido-exchange/2".into(), ..one.clone() },
            JointStatement { txid: "Agnete Lund".into(), ..one.clone() },
            JointStatement { txid: "A".repeat(32), ..one.clone() },
            JointStatement { transaction: "Agnete Lund".into(), ..one.clone() },
            JointStatement { provider: country, ..one.clone() },
            JointStatement { asked: named("Agnete Lund"), ..one.clone() },
            JointStatement { asked: named("answer"), ..one.clone() },
            JointStatement { answered: named("patient"), ..one.clone() },
            JointStatement { answered: Commitments::default(), ..one.clone() },
            JointStatement { outcome: "Agnete Lund 1958".into(), ..one.clone() },
            JointStatement { outcome: NO_ANSWER.into(), ..one },
        ] {
            assert!(!agree(&encode(&bad).unwrap()), "{bad:?}");
        }
    }

    proptest! {
        #[test]
        fn both_readers_judge_damage_alike(at in any::<usize>(), to in any::<u8>(), cut in any::<bool>(), insert in any::<bool>()) {
            let mut payload = encode(&full()).unwrap();
            let at = at % payload.len();
            if insert {
                payload.insert(at, to);
            } else {
                payload[at] = to;
            }
            if cut {
                payload.truncate(at + 1);
            }
            agree(&payload);
        }
    }
}
