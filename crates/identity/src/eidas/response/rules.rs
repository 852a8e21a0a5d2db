//! What a response must be (eIDAS SAML Message Format 1.2 §2.3; identity.md §3), one row each.

use jiff::{SignedDuration, Timestamp};

use super::{Expectation, Said};
use crate::Assurance;

/// One row.
pub struct Rule {
    /// Its name: what the operator is told.
    pub name: &'static str,
    check: fn(&Said<'_>, &Expectation<'_>) -> bool,
}

impl Rule {
    pub(super) fn holds(&self, said: &Said<'_>, expected: &Expectation<'_>) -> bool {
        (self.check)(said, expected)
    }
}

const fn row(name: &'static str, check: fn(&Said<'_>, &Expectation<'_>) -> bool) -> Rule {
    Rule { name, check }
}

/// The table. The first row that does not hold refuses.
pub static RULES: [Rule; 16] = [
    row("response.element", |said, _| said.response == "Response"),
    row("response.version", |said, _| said.versions == ["2.0"; 2]),
    row("response.in-response-to", |said, ours| said.in_response_to == [ours.request_id; 2]),
    row("response.destination", |said, ours| said.destination == ours.endpoint),
    row("response.recipient", |said, ours| said.recipient == ours.endpoint),
    row("response.issuer", |said, ours| said.issuers == [ours.issuer; 2]),
    row("response.issue-instant", |said, ours| {
        said.issued.iter().all(|at| at.is_some_and(|at| near(at, ours.now)))
    }),
    row("response.assertion-id", |said, _| {
        !said.assertion_id.is_empty() && said.assertion_id.len() <= 256
    }),
    row("response.bearer", |said, _| said.method == "urn:oasis:names:tc:SAML:2.0:cm:bearer"),
    row("response.confirmed-until", |said, ours| {
        said.confirmed_until
            .is_some_and(|until| ours.now < until + SKEW && until <= ours.now + LIFE)
    }),
    row("response.address", |said, ours| {
        ours.address.is_none_or(|ours| said.address.is_none_or(|said| said == ours))
    }),
    row("response.window", |said, ours| match said.window {
        (Some(from), Some(until)) => {
            from - SKEW <= ours.now && ours.now < until + SKEW && until.duration_since(from) <= LIFE
        }
        _ => false,
    }),
    row("response.audience", |said, ours| said.audiences == [ours.audience]),
    row("response.statements", |said, _| said.statements == [1, 1]),
    row("response.authenticated", |said, ours| {
        said.authenticated.is_some_and(|at| near(at, ours.now))
    }),
    row("response.level", |said, ours| {
        Assurance::of_uri(said.level).is_some_and(|level| level >= ours.assurance)
    }),
];

/// Not older than an answer may be, and not ahead of our clock.
fn near(at: Timestamp, now: Timestamp) -> bool {
    at - SKEW <= now && now.duration_since(at) <= LIFE + SKEW
}

/// How far clocks may differ.
const SKEW: SignedDuration = SignedDuration::from_secs(60);
/// The reference node gives five minutes; a person at a login page may take some of them.
const LIFE: SignedDuration = SignedDuration::from_mins(10);
