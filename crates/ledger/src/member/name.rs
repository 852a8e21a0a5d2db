//! Names and addresses of members: bounded, and of a bounded alphabet.

use std::fmt;

use exchange::Country;
use serde::{Deserialize, Serialize};

use crate::member::MemberError;

/// A member: a country (`DK`, `EU`), or an organisation that mirrors the ledger (`EDPS-1`).
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Name(String);

impl Name {
    /// Parses 2 to 16 of `A-Z`, `0-9` and `-`; a letter first, no hyphen last.
    pub fn parse(text: &str) -> Result<Self, MemberError> {
        let allowed = |b: u8| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'-';
        let fits = (2..=16).contains(&text.len())
            && text.bytes().all(allowed)
            && text.starts_with(|first: char| first.is_ascii_uppercase())
            && !text.ends_with('-');
        if fits { Ok(Self(text.to_owned())) } else { Err(MemberError::Name) }
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The country that it is, for whose exchanges it signs; none for an organisation.
    pub fn country(&self) -> Option<Country> {
        Country::parse(&self.0).ok()
    }
}

impl TryFrom<String> for Name {
    type Error = MemberError;
    fn try_from(text: String) -> Result<Self, MemberError> {
        Self::parse(&text)
    }
}

impl From<Name> for String {
    fn from(name: Name) -> Self {
        name.0
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Where a member's validator listens: `host:port`, an IP address or a name of the DNS.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Address(String);

impl Address {
    /// Parses `192.0.2.1:9000`, `[2001:db8::1]:9000` or `ledger.example:9000`, in its one spelling.
    pub fn parse(text: &str) -> Result<Self, MemberError> {
        if let Ok(socket) = text.parse::<std::net::SocketAddr>() {
            let exact = socket.port() != 0 && socket.to_string() == text;
            return if exact { Ok(Self(text.to_owned())) } else { Err(MemberError::Address) };
        }
        let (host, port) = text.rsplit_once(':').ok_or(MemberError::Address)?;
        let number: u16 = port.parse().map_err(|_| MemberError::Address)?;
        let fits = number != 0 && number.to_string() == port && is_dns(host, 100);
        if fits { Ok(Self(text.to_owned())) } else { Err(MemberError::Address) }
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for Address {
    type Error = MemberError;
    fn try_from(text: String) -> Result<Self, MemberError> {
        Self::parse(&text)
    }
}

impl From<Address> for String {
    fn from(address: Address) -> Self {
        address.0
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The ledger's name, as the origin of its checkpoints: a name of the DNS, perhaps with a path.
pub(crate) fn is_ledger(text: &str) -> bool {
    let (host, path) = text.split_once('/').unwrap_or((text, "x"));
    text.len() <= 100 && is_dns(host, 100) && path.split('/').all(is_label)
}

fn is_dns(host: &str, most: usize) -> bool {
    host.len() <= most && host.split('.').all(is_label)
}

fn is_label(label: &str) -> bool {
    let allowed = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    (1..=63).contains(&label.len())
        && label.bytes().all(allowed)
        && !label.starts_with('-')
        && !label.ends_with('-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_codes_and_no_sentences() {
        for good in ["DK", "EU", "EDPS-1", "A2345678901234BC"] {
            assert_eq!(Name::parse(good).unwrap().as_str(), good);
        }
        let bad = ["", "D", "dk", "D K", "DK-", "-DK", "1A", "Ærø", "A2345678901234BCD", "D\nK"];
        for bad in bad {
            assert!(Name::parse(bad).is_err(), "{bad:?}");
        }
        assert_eq!(Name::parse("DK").unwrap().country().unwrap().as_str(), "DK");
        assert!(Name::parse("EDPS").unwrap().country().is_none());
    }

    #[test]
    fn an_address_has_one_spelling() {
        for good in ["127.0.0.1:9000", "[2001:db8::1]:9000", "ledger.dk.example:443"] {
            assert_eq!(Address::parse(good).unwrap().as_str(), good);
        }
        for bad in [
            "",
            "ledger",
            "ledger:0",
            "ledger:09",
            "ledger:70000",
            "LEDGER:1",
            "agnete lund:1",
            "-a:1",
            "a..b:1",
            "127.0.0.1:0",
            "[2001:DB8::1]:9000",
            "a_b:1",
            ":1",
        ] {
            assert!(Address::parse(bad).is_err(), "{bad:?}");
        }
        assert!(Address::parse(&format!("{}:1", "a.".repeat(60) + "b")).is_err(), "too long");
    }

    #[test]
    fn a_ledger_is_named_like_the_origin_of_a_checkpoint() {
        for good in ["konfido.example", "konfido.example/shared", "a/b/c"] {
            assert!(is_ledger(good), "{good}");
        }
        for bad in ["", "/", "a/", "a b", "A", "a//b", "é"] {
            assert!(!is_ledger(bad), "{bad:?}");
        }
    }
}
