//! Identifiers that carry no personal data.

use std::fmt;

use crate::Malformed;

/// An ISO object identifier in dotted form, without the `urn:oid:` prefix.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Oid(String);

impl Oid {
    /// Parses `1.2.208.176`, with or without a leading `urn:oid:`.
    pub fn parse(text: &str) -> Result<Self, Malformed> {
        let dotted = text.trim().strip_prefix("urn:oid:").unwrap_or(text.trim());
        let ok = !dotted.is_empty()
            && dotted.len() <= 128
            && dotted
                .split('.')
                .all(|arc| !arc.is_empty() && arc.bytes().all(|b| b.is_ascii_digit()));
        if ok { Ok(Self(dotted.to_owned())) } else { Err(Malformed { what: "object identifier" }) }
    }

    /// The dotted form.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The `urn:oid:` form that XCA uses for home community ids.
    pub fn urn(&self) -> String {
        format!("urn:oid:{}", self.0)
    }
}

impl fmt::Display for Oid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Oid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl serde::Serialize for Oid {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> serde::Deserialize<'de> for Oid {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        Self::parse(&text).map_err(serde::de::Error::custom)
    }
}

/// The 128-bit number of one exchange; both countries' evidence carries it. Whoever begins the
/// exchange chooses it, and nobody may read anything from it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TransactionId(pub [u8; 16]);

impl TransactionId {
    /// Draws a new number.
    pub fn random(entropy: &dyn crate::Entropy) -> Self {
        let mut bytes = [0; 16];
        entropy.fill(&mut bytes);
        Self(bytes)
    }

    /// Draws a number that is greater than those drawn in earlier seconds: an index over the
    /// numbers grows at one end. The second is no news to who sees the log, which grows once in each.
    pub fn ordered(at: jiff::Timestamp, entropy: &dyn crate::Entropy) -> Self {
        let mut bytes = [0; 16];
        entropy.fill(&mut bytes);
        let second = u32::try_from(at.as_second()).unwrap_or(u32::MAX);
        bytes[..4].copy_from_slice(&second.to_be_bytes());
        Self(bytes)
    }

    /// Parses 32 hexadecimal digits.
    pub fn parse(text: &str) -> Result<Self, Malformed> {
        uuid::Uuid::try_parse(text)
            .map(|id| Self(*id.as_bytes()))
            .map_err(|_| Malformed { what: "transaction id" })
    }
}

impl fmt::Display for TransactionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", uuid::Uuid::from_bytes(self.0).simple())
    }
}

impl fmt::Debug for TransactionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// What an operator searches for in the log when a peer reports a refusal.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct CorrelationId(uuid::Uuid);

impl CorrelationId {
    /// Draws a new random id.
    pub fn random(entropy: &dyn crate::Entropy) -> Self {
        let mut bytes = [0; 16];
        entropy.fill(&mut bytes);
        Self(uuid::Builder::from_random_bytes(bytes).into_uuid())
    }
}

impl fmt::Display for CorrelationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl fmt::Debug for CorrelationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn oids_lose_their_urn_prefix() {
        assert_eq!(Oid::parse("urn:oid:2.16.17").unwrap().as_str(), "2.16.17");
        assert!(Oid::parse("2.16.").is_err());
        assert!(Oid::parse("a.b").is_err());
    }

    #[test]
    fn later_transaction_ids_are_greater_and_two_of_one_moment_differ() {
        let at = |second| jiff::Timestamp::from_second(second).unwrap();
        let draw = |second| TransactionId::ordered(at(second), &crate::SystemEntropy);
        assert!(draw(1_790_000_000) < draw(1_790_000_001));
        assert_ne!(draw(1_790_000_000), draw(1_790_000_000));
    }

    #[test]
    fn transaction_ids_round_trip() {
        let id = TransactionId([7; 16]);
        assert_eq!(TransactionId::parse(&id.to_string()), Ok(id));
    }
}
