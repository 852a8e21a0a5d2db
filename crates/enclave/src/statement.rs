//! The key statement: which key a country's vault has, for how long, and where it runs.

use aws_lc_rs::digest::{SHA256, SHA512, digest};
use ciborium::Value;
use exchange::Country;
use jiff::{SignedDuration, Timestamp};

use crate::VaultError;
use crate::header::SUITE;

/// What a vault says of its key: deterministic CBOR (RFC 8949 §4.2.1), a map of small numbers.
/// Whoever makes the evidence binds [`KeyStatement::report_data`] into it; the country's seal signs it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyStatement {
    /// Whose vault.
    pub country: Country,
    /// X-Wing public key, 1,216 bytes.
    pub key: Vec<u8>,
    /// From when, in whole seconds.
    pub not_before: Timestamp,
    /// Until when, in whole seconds: at most [`KeyStatement::LIFE`] later.
    pub not_after: Timestamp,
    /// How often this vault process was started by its node.
    pub starts: u64,
    /// The counter of the sealed store that its keys came from; 0 without one. It grows with each
    /// start, so a lower one than before is an older state.
    pub state: u64,
    /// Which memory, in words; empty where hardware says it.
    pub home: String,
    /// Which program, by its version.
    pub release: String,
}

impl KeyStatement {
    /// The longest that one statement holds.
    pub const LIFE: SignedDuration = SignedDuration::from_hours(24);

    /// The one encoding.
    pub fn encode(&self) -> Vec<u8> {
        let number = |n: i64| Value::Integer(n.into());
        let suite = SUITE.map(|id| number(id.into())).to_vec();
        let fields = [
            (VERSION_FIELD, number(VERSION)),
            (2, Value::Text(self.country.as_str().to_owned())),
            (3, Value::Array(suite)),
            (4, Value::Bytes(self.key.clone())),
            (5, number(self.not_before.as_second())),
            (6, number(self.not_after.as_second())),
            (7, Value::Integer(self.starts.into())),
            (8, Value::Text(self.home.clone())),
            (9, Value::Text(self.release.clone())),
            (10, Value::Integer(self.state.into())),
        ];
        let map = fields.map(|(key, value)| (number(key), value)).to_vec();
        let mut out = Vec::with_capacity(1400);
        ciborium::into_writer(&Value::Map(map), &mut out)
            .expect("because a vector takes all bytes");
        out
    }

    /// Reads [`KeyStatement::encode`], and nothing that is encoded otherwise.
    pub fn decode(bytes: &[u8]) -> Result<Self, VaultError> {
        let malformed = VaultError::Malformed;
        if bytes.len() > MAX {
            return Err(malformed);
        }
        let value: Value = ciborium::from_reader(bytes).map_err(|_| malformed)?;
        let Value::Map(fields) = value else { return Err(malformed) };
        let mut values = fields.into_iter().map(|(_, value)| value);
        let mut next = || values.next().ok_or(malformed);
        if next()?.as_integer() != Some(VERSION.into()) {
            return Err(VaultError::Key("statement is of another version"));
        }
        let text = |value: Value| value.into_text().map_err(|_| malformed);
        let whole =
            |value: Value| value.as_integer().and_then(|n| u64::try_from(n).ok()).ok_or(malformed);
        let second = |value: Value| {
            let second = value.as_integer().and_then(|n| i64::try_from(n).ok());
            second.and_then(|n| Timestamp::from_second(n).ok()).ok_or(malformed)
        };
        let country = Country::parse(&text(next()?)?).map_err(|_| malformed)?;
        let suite = next()?.into_array().map_err(|_| malformed)?;
        let ours = SUITE.map(|id| Value::Integer(id.into()));
        if suite != ours {
            return Err(VaultError::Key("suite is not one that we speak"));
        }
        let read = Self {
            country,
            key: next()?.into_bytes().map_err(|_| malformed)?,
            not_before: second(next()?)?,
            not_after: second(next()?)?,
            starts: whole(next()?)?,
            home: text(next()?)?,
            release: text(next()?)?,
            state: whole(next()?)?,
        };
        if read.encode() == bytes { Ok(read) } else { Err(malformed) }
    }

    /// First half of the SHA-256 of the key: how sealed messages name it.
    pub fn key_id(&self) -> [u8; 16] {
        crate::key::key_id(&self.key)
    }

    /// What evidence about this statement carries: SHA-512 of a context and of its SHA-256.
    pub fn report_data(&self) -> [u8; 64] {
        let hash = digest(&SHA256, &self.encode());
        let whole = [REPORT_DATA, hash.as_ref()].concat();
        digest(&SHA512, &whole).as_ref().try_into().expect("because SHA-512 has 64 bytes")
    }
}

const REPORT_DATA: &[u8] = b"konfido-tee/key-statement/v1";
const VERSION_FIELD: i64 = 1;
const VERSION: i64 = 2;
/// A statement has 1,300 bytes.
const MAX: usize = 4 << 10;

#[cfg(test)]
mod tests {
    use super::*;

    fn statement() -> KeyStatement {
        KeyStatement {
            country: Country::parse("DK").unwrap(),
            key: vec![7; 1216],
            not_before: "2026-11-21T00:00:00Z".parse().unwrap(),
            not_after: "2026-11-22T00:00:00Z".parse().unwrap(),
            starts: 3,
            state: 41,
            home: "software".into(),
            release: "0.1.0".into(),
        }
    }

    #[test]
    fn it_has_one_encoding_and_each_byte_of_it_counts() {
        let bytes = statement().encode();
        assert_eq!(KeyStatement::decode(&bytes).unwrap(), statement());
        for at in 0..bytes.len() {
            let mut changed = bytes.clone();
            changed[at] ^= 1;
            let read = KeyStatement::decode(&changed);
            let other = read.is_ok_and(|read| read.report_data() == statement().report_data());
            assert!(!other, "byte {at}");
            assert!(KeyStatement::decode(&bytes[..at]).is_err(), "cut at {at}");
        }
        // the same map, a number one byte longer than it needs
        let longer = [&bytes[..2], &[0x18, 0x01], &bytes[3..]].concat();
        assert!(KeyStatement::decode(&longer).is_err());
        assert!(KeyStatement::decode(&[bytes, vec![0]].concat()).is_err(), "something behind it");
    }
}
