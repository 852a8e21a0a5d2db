//! What a gateway and its country's validator say to each other: entries to put in line, and how
//! exchanges stand. Bytes in, values out; the transport is a Unix socket of one machine.

use exchange::Country;
use serde::{Deserialize, Serialize};

use crate::block::MAX_ENTRY;
use crate::entry::Kind;
use crate::rules::{Slot, State, Tx};

/// Where entries are posted: [`put`] asks, a JSON list of [`Answer`] answers.
pub const ENTRIES_PATH: &str = "/v1/entries";
/// Where exchanges are looked up: 16 bytes each ask, JSON of [`Looked`] answers.
pub const LOOK_PATH: &str = "/v1/look";
/// Where passed deadlines are asked for: a height as u64 asks, JSON of [`Lapses`] answers.
pub const LAPSES_PATH: &str = "/v1/lapses";
/// Where changes of the members are asked for: a height as u64 asks, JSON of [`Changes`] answers.
pub const CHANGES_PATH: &str = "/v1/changes";
/// At most so many at once, of either.
pub const MOST: usize = 1024;

/// What became of an entry that was posted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Answer {
    /// In line: look later whether it is there.
    Waits,
    /// No room: post it again later.
    Busy,
    /// It will never be in the ledger, for this reason.
    Refused(String),
}

/// How an exchange stands in the ledger.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Standing {
    /// Not there.
    Absent,
    /// One country's evidence, or that of each for itself.
    Half {
        /// The requester's is there.
        requester: bool,
        /// The provider's is there.
        provider: bool,
        /// The deadline passed.
        open: bool,
    },
    /// Both signatures are there.
    Whole,
    /// It is a strict exchange.
    Strict,
}

impl Standing {
    /// In a word, what the ledger records.
    pub fn of(tx: &Tx) -> Self {
        match tx.state() {
            State::Whole | State::Closed | State::ClosedLate => Self::Whole,
            State::Half | State::Open | State::Alone => Self::Half {
                requester: tx.index(Slot::Requester).is_some(),
                provider: tx.index(Slot::Provider).is_some(),
                open: tx.state() == State::Open,
            },
            _ => Self::Strict,
        }
    }
}

/// The answer to a look.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Looked {
    /// Height of the ledger.
    pub height: u64,
    /// In the order of the question.
    pub standings: Vec<Standing>,
}

/// Exchanges whose deadline passed, in some blocks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lapses {
    /// The last block that was looked at: where to ask on.
    pub height: u64,
    /// In the order of the ledger.
    pub lapsed: Vec<Lapse>,
}

/// Which deadline passed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Passed {
    /// For the other country's half.
    #[default]
    Half,
    /// For the receipt of an offer: it lapsed.
    Receipt,
    /// For the key, after the receipt: the provider is, or was, in default.
    Key,
}

impl Passed {
    /// What such an entry says of its exchange; nothing, when it is no word of a deadline.
    pub fn of(kind: Kind, tx: &Tx) -> Option<Self> {
        match kind {
            Kind::Open => Some(Self::Half),
            Kind::Default if tx.index(Slot::Requester).is_some() => Some(Self::Key),
            Kind::Default => Some(Self::Receipt),
            // late, and nobody had recorded the default before
            Kind::Key if tx.state() == State::ReleasedLate && tx.index(Slot::Lapse).is_none() => {
                Some(Self::Key)
            }
            _ => None,
        }
    }
}

/// One of them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lapse {
    /// Which deadline.
    #[serde(default)]
    pub passed: Passed,
    /// Exchange number, hexadecimal.
    pub txid: String,
    /// Country of treatment.
    pub requester: Country,
    /// Country of affiliation.
    pub provider: Country,
}

/// Changes of the members, in some blocks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Changes {
    /// The last block that was looked at: where to ask on.
    pub height: u64,
    /// In the order of the ledger.
    pub changes: Vec<Made>,
}

/// One of them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Made {
    /// Height of the block that it stands in.
    pub height: u64,
    /// Its number.
    pub sequence: u64,
    /// SHA-256 of what was signed, hexadecimal.
    pub digest: String,
}

/// Entries on the line: `(u32 length ‖ entry)*`.
pub fn put(entries: &[Vec<u8>]) -> Vec<u8> {
    let mut out = Vec::with_capacity(entries.iter().map(|entry| entry.len() + 4).sum());
    for entry in entries {
        out.extend_from_slice(&u32::try_from(entry.len()).unwrap_or(u32::MAX).to_be_bytes());
        out.extend_from_slice(entry);
    }
    out
}

/// Reads [`put`]: at most [`MOST`] entries, none longer than [`MAX_ENTRY`].
pub fn take(mut from: &[u8]) -> Option<Vec<Vec<u8>>> {
    let mut entries = Vec::new();
    while let Some((length, rest)) = from.split_first_chunk() {
        let length = u32::from_be_bytes(*length) as usize;
        let (entry, rest) = rest.split_at_checked(length)?;
        if length > MAX_ENTRY || entries.len() == MOST {
            return None;
        }
        entries.push(entry.to_vec());
        from = rest;
    }
    from.is_empty().then_some(entries)
}

/// Reads the question of a look.
pub fn asked(from: &[u8]) -> Option<&[[u8; 16]]> {
    let (txids, rest) = from.as_chunks();
    (rest.is_empty() && txids.len() <= MOST).then_some(txids)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_put_is_taken_and_nothing_else() {
        let entries = vec![b"one".to_vec(), Vec::new(), vec![7; MAX_ENTRY]];
        let line = put(&entries);
        assert_eq!(take(&line), Some(entries));
        assert_eq!(take(&line[..line.len() - 1]), None, "cut off");
        assert_eq!(take(&put(&[vec![0; MAX_ENTRY + 1]])), None, "too long");
        assert_eq!(take(&put(&vec![Vec::new(); MOST + 1])), None, "too many");
        assert_eq!(take(&[]), Some(Vec::new()));
        assert_eq!(asked(&[1; 32]).map(<[_]>::len), Some(2));
        assert_eq!(asked(&[1; 17]), None);
    }

    #[test]
    fn words_are_as_the_gateway_of_another_version_reads_them() {
        let half = Standing::Half { requester: true, provider: false, open: true };
        let looked = Looked { height: 3, standings: vec![Standing::Absent, half, Standing::Whole] };
        let text = serde_json::to_string(&looked).unwrap();
        assert_eq!(
            text,
            r#"{"height":3,"standings":["absent",{"half":{"requester":true,"provider":false,"open":true}},"whole"]}"#
        );
        assert_eq!(
            serde_json::to_string(&Answer::Refused("why".into())).unwrap(),
            r#"{"refused":"why"}"#
        );
    }
}
