//! What fetched metadata must be, one row each.

use jiff::SignedDuration;
use trust::certificate::Certificate;

use super::{Known, Metadata, Role};

/// One row.
pub struct Rule {
    /// Its name.
    pub name: &'static str,
    check: fn(&Metadata, &Known<'_>) -> bool,
}

impl Rule {
    pub(super) fn holds(&self, metadata: &Metadata, known: &Known<'_>) -> bool {
        (self.check)(metadata, known)
    }
}

const fn row(name: &'static str, check: fn(&Metadata, &Known<'_>) -> bool) -> Rule {
    Rule { name, check }
}

/// The table. The first row that does not hold refuses.
pub static RULES: [Rule; 10] = [
    row("metadata.entity", |found, known| found.entity == known.url),
    row("metadata.valid-until", |found, known| found.valid_until > known.now),
    // nobody can be believed for years without being asked again
    row("metadata.valid-too-long", |found, known| {
        found.valid_until.duration_since(known.now) <= LONGEST
    }),
    row("metadata.node-country", |found, known| found.country == Some(known.country)),
    row("metadata.version", |found, _| {
        found.versions.is_empty() || found.versions.iter().any(|v| SPOKEN.contains(&v.as_str()))
    }),
    row("metadata.level", |found, known| {
        known.role == Role::Connector || found.certified.is_some()
    }),
    row("metadata.signing-key", |found, known| {
        !found.signing.is_empty()
            && found.signing.iter().all(|key| strong(key) && current(key, known))
    }),
    row("metadata.encryption-key", |found, known| {
        // answers are sealed for a connector; a proxy service gets nothing sealed
        let needed = known.role == Role::Connector;
        (!needed || !found.encryption.is_empty()) && found.encryption.iter().all(strong)
    }),
    row("metadata.endpoint", |found, _| {
        !found.endpoints.is_empty()
            && found
                .endpoints
                .iter()
                .all(|(_, url)| url.starts_with("https://") && url.len() <= 1024)
    }),
    row("metadata.key-size", |found, _| {
        let weak = |(uri, least): &(String, usize)| {
            uri.contains("rsa-MGF1") && *least != 0 && *least < 3072
                || uri.contains("ecdsa") && *least != 0 && *least < 256
        };
        !found.methods.iter().any(weak)
    }),
];

fn strong(key: &Certificate) -> bool {
    key.key_bits().is_some_and(|(rsa, bits)| bits >= if rsa { 3072 } else { 256 })
}

fn current(key: &Certificate, known: &Known<'_>) -> bool {
    key.not_before() <= known.now && known.now <= key.not_after()
}

/// Versions of the profile that we speak.
const SPOKEN: [&str; 4] = ["1.1", "1.2", "1.3", "1.4"];
/// Metadata is fetched again each day; a month covers the slowest operator.
const LONGEST: SignedDuration = SignedDuration::from_hours(24 * 31);
