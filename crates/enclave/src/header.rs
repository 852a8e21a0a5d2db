//! The clear header of a sealed message. All of it is bound to the ciphertext.
//!
//! Behind it stand the pieces, each with its tag: first what the receiving node reads, then one for
//! each document, so that a vault can hand out the first and keep the others to itself.

use std::ops::Range;

use exchange::{Country, Transaction, TransactionId};
use hpke::Kem;
use hpke::aead::{Aead, AesGcm256};
use hpke::kdf::{HkdfSha256, Kdf};

use crate::VaultError;
use crate::key::XWing;

/// Between whom, about what: agreed by both ends and checked on opening.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Address {
    /// Who seals.
    pub from: Country,
    /// Who opens.
    pub to: Country,
    /// Which transaction.
    pub transaction: Transaction,
    /// Which exchange.
    pub txid: TransactionId,
}

impl Address {
    /// Of the answer.
    pub(crate) fn answered(self) -> Self {
        Self { from: self.to, to: self.from, ..self }
    }
}

/// Request or answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// B to A.
    Request,
    /// A to B.
    Response,
}

/// For whom the documents of an answer leave the asking country's vault. Both countries' evidence says it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Delivery {
    /// For its node.
    #[default]
    Node,
    /// For a clinician, in a [pouch](crate::pouch): the digest of her key.
    Pouch([u8; 32]),
    /// For a client whose TLS connection the vault itself ends ([`crate::last_hop`]): SHA-256 of its certificate.
    Tls([u8; 32]),
}

impl Delivery {
    /// As evidence says it.
    pub fn in_words(self) -> String {
        match self {
            Self::Node => "node".to_owned(),
            Self::Pouch(key) => format!("pouch {}", hex::encode(key)),
            Self::Tls(certificate) => format!("vault-tls {}", hex::encode(certificate)),
        }
    }

    /// As it is written: a number, and what it is about.
    pub(crate) fn parts(&self) -> (u8, &[u8]) {
        match self {
            Self::Node => (0, &[]),
            Self::Pouch(key) => (1, key),
            Self::Tls(certificate) => (2, certificate),
        }
    }
}

/// HPKE suite (RFC 9180 §7): X-Wing, HKDF-SHA256, AES-256-GCM.
pub const SUITE: [u16; 3] = [XWing::KEM_ID, HkdfSha256::KDF_ID, AesGcm256::AEAD_ID];

/// What stands before the ciphertext.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    /// Request or answer.
    pub direction: Direction,
    /// Between whom, about what.
    pub address: Address,
    /// First half of the SHA-256 of the recipient's public key.
    pub key_id: [u8; 16],
    /// The same of the sender's, which an answer is sealed for.
    pub sender: [u8; 16],
    /// First half of the SHA-256 of the request's `encapsulated`.
    pub session: [u8; 16],
    /// Sequence number within the session, part of the nonces.
    pub sequence: u64,
    /// HPKE `enc` of a request; of an answer its salt (32 bytes) and the `enc` of the session back.
    pub encapsulated: Vec<u8>,
    /// For whom the documents of the answer are.
    pub delivery: Delivery,
    /// How long the pieces are, in bytes without their tags.
    pub pieces: Vec<u32>,
}

const MAGIC: &[u8; 4] = b"KSB2";
/// X-Wing's `enc` is 1,120 bytes.
const MAX_ENCAPSULATED: usize = 2048;
/// What the node reads, and at most 64 documents.
const MAX_PIECES: usize = 65;
/// Bytes of a tag.
pub(crate) const TAG: usize = 16;

impl Header {
    /// Writes the header.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(160 + self.encapsulated.len() + 4 * self.pieces.len());
        out.extend_from_slice(MAGIC);
        for id in SUITE {
            out.extend_from_slice(&id.to_be_bytes());
        }
        out.push(u8::from(self.direction == Direction::Response));
        out.extend_from_slice(self.address.from.as_str().as_bytes());
        out.extend_from_slice(self.address.to.as_str().as_bytes());
        let transaction = Transaction::ALL.iter().position(|t| *t == self.address.transaction);
        out.push(u8::try_from(transaction.unwrap_or(0)).unwrap_or(0));
        out.extend_from_slice(&self.address.txid.0);
        out.extend_from_slice(&self.key_id);
        out.extend_from_slice(&self.sender);
        out.extend_from_slice(&self.session);
        out.extend_from_slice(&self.sequence.to_be_bytes());
        let length = u16::try_from(self.encapsulated.len()).unwrap_or(0);
        out.extend_from_slice(&length.to_be_bytes());
        out.extend_from_slice(&self.encapsulated);
        let (number, about) = self.delivery.parts();
        out.push(number);
        out.extend_from_slice(about);
        out.push(u8::try_from(self.pieces.len()).unwrap_or(0));
        for length in &self.pieces {
            out.extend_from_slice(&length.to_be_bytes());
        }
        out
    }

    /// Where the pieces stand behind a header that ends at `at`, without their tags; together they
    /// are exactly what is there.
    pub(crate) fn places(&self, at: usize, total: usize) -> Result<Vec<Range<usize>>, VaultError> {
        let places = places(at, self.pieces.iter().map(|length| *length as usize));
        let end = places.last().map(|last| last.end + TAG);
        if end == Some(total) { Ok(places) } else { Err(VaultError::Malformed) }
    }

    /// Reads the header and gives its length in bytes.
    pub fn decode(bytes: &[u8]) -> Result<(Self, usize), VaultError> {
        let mut cursor = Cursor { bytes, at: 0 };
        if cursor.take::<4>()? != *MAGIC {
            return Err(VaultError::Malformed);
        }
        for id in SUITE {
            if u16::from_be_bytes(cursor.take()?) != id {
                return Err(VaultError::Malformed);
            }
        }
        let direction = match cursor.take::<1>()? {
            [0] => Direction::Request,
            [1] => Direction::Response,
            _ => return Err(VaultError::Malformed),
        };
        let from = country(cursor.take()?)?;
        let to = country(cursor.take()?)?;
        let [transaction] = cursor.take()?;
        let transaction =
            *Transaction::ALL.get(usize::from(transaction)).ok_or(VaultError::Malformed)?;
        let txid = TransactionId(cursor.take()?);
        let (key_id, sender, session) = (cursor.take()?, cursor.take()?, cursor.take()?);
        let sequence = u64::from_be_bytes(cursor.take()?);
        let length = usize::from(u16::from_be_bytes(cursor.take()?));
        if length > MAX_ENCAPSULATED {
            return Err(VaultError::Malformed);
        }
        let end = cursor.at + length;
        let encapsulated = bytes.get(cursor.at..end).ok_or(VaultError::Malformed)?.to_vec();
        cursor.at = end;
        let delivery = match cursor.take::<1>()? {
            [0] => Delivery::Node,
            [1] => Delivery::Pouch(cursor.take()?),
            [2] => Delivery::Tls(cursor.take()?),
            _ => return Err(VaultError::Malformed),
        };
        let [count] = cursor.take()?;
        if count == 0 || usize::from(count) > MAX_PIECES {
            return Err(VaultError::Malformed);
        }
        let pieces = (0..count).map(|_| cursor.take().map(u32::from_be_bytes));
        let pieces = pieces.collect::<Result<_, _>>()?;
        let address = Address { from, to, transaction, txid };
        let header = Self {
            direction,
            address,
            key_id,
            sender,
            session,
            sequence,
            encapsulated,
            delivery,
            pieces,
        };
        Ok((header, cursor.at))
    }
}

/// Where pieces of these lengths stand from `at` on, each with room for its tag behind it.
pub(crate) fn places(mut at: usize, lengths: impl Iterator<Item = usize>) -> Vec<Range<usize>> {
    let place = |length| {
        let place = at..at + length;
        at = place.end + TAG;
        place
    };
    lengths.map(place).collect()
}

pub(crate) fn country(bytes: [u8; 2]) -> Result<Country, VaultError> {
    let text = std::str::from_utf8(&bytes).map_err(|_| VaultError::Malformed)?;
    let country = Country::parse(text).map_err(|_| VaultError::Malformed)?;
    if country.as_str() == text { Ok(country) } else { Err(VaultError::Malformed) }
}

struct Cursor<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Cursor<'_> {
    fn take<const N: usize>(&mut self) -> Result<[u8; N], VaultError> {
        let slice = self.bytes.get(self.at..self.at + N).ok_or(VaultError::Malformed)?;
        self.at += N;
        slice.try_into().map_err(|_| VaultError::Malformed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn header(transaction: usize, sequence: u64, encapsulated: Vec<u8>) -> Header {
        let (from, to) = (Country::parse("ES").unwrap(), Country::parse("DK").unwrap());
        let address = Address {
            from,
            to,
            transaction: Transaction::ALL[transaction],
            txid: TransactionId([3; 16]),
        };
        let direction =
            if sequence.is_multiple_of(2) { Direction::Request } else { Direction::Response };
        let delivery = match sequence % 3 {
            0 => Delivery::Pouch([5; 32]),
            1 => Delivery::Tls([6; 32]),
            _ => Delivery::Node,
        };
        let pieces = vec![7; 1 + transaction];
        let (key_id, sender, session) = ([1; 16], [4; 16], [2; 16]);
        Header {
            direction,
            address,
            key_id,
            sender,
            session,
            sequence,
            encapsulated,
            delivery,
            pieces,
        }
    }

    #[test]
    fn the_suite_is_the_one_that_iana_registered() {
        assert_eq!(SUITE, [0x647a, 0x0001, 0x0002]);
    }

    #[test]
    fn other_versions_suites_and_shapes_are_refused() {
        let good = header(0, 2, vec![9; 40]).encode();
        assert!(Header::decode(&good).is_ok());
        // magic, suite, direction, lower-case country, transaction, length of enc, delivery, pieces
        for (at, value) in [
            (0, b'X'),
            (5, 0x20),
            (7, 2),
            (9, 1),
            (10, 2),
            (11, b'e'),
            (15, 9),
            (88, 0xff),
            (good.len() - 6, 3),
            (good.len() - 5, 0),
            (good.len() - 5, 66),
        ] {
            let mut bad = good.clone();
            bad[at] = value;
            assert_eq!(Header::decode(&bad), Err(VaultError::Malformed), "byte {at}");
        }
        for length in 0..good.len() {
            assert_eq!(Header::decode(&good[..length]), Err(VaultError::Malformed), "{length}");
        }
    }

    proptest! {
        #[test]
        fn headers_round_trip(transaction in 0..4_usize, sequence: u64, enc in proptest::collection::vec(any::<u8>(), 0..1200), rest in proptest::collection::vec(any::<u8>(), 0..50)) {
            let header = header(transaction, sequence, enc);
            let mut bytes = header.encode();
            let length = bytes.len();
            bytes.extend_from_slice(&rest);
            prop_assert_eq!(Header::decode(&bytes), Ok((header, length)));
        }

        #[test]
        fn foreign_bytes_do_not_panic_and_what_decodes_is_canonical(bytes in proptest::collection::vec(any::<u8>(), 0..200), at in 0..100_usize, value: u8) {
            let _ = Header::decode(&bytes);
            let mut near = header(1, 7, vec![0; 32]).encode();
            near[at % 90] = value;
            if let Ok((header, length)) = Header::decode(&near) {
                prop_assert_eq!(header.encode(), &near[..length]);
            }
        }
    }
}
