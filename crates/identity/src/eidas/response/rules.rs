//! What a response must be (eIDAS SAML Message Format 1.2 §2.3; identity.md §3), one row each.

use jiff::{SignedDuration, Timestamp};
use trust::xml::Element;

use super::{Expectation, Said};
use crate::assertion::SAML;
use crate::eidas::SAMLP;

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
pub static RULES: [Rule; 18] = [
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
            .is_some_and(|until| ours.now - SKEW < until && until <= ours.now + LIFE)
    }),
    row("response.address", |said, ours| {
        ours.address.is_none_or(|ours| said.address.is_none_or(|said| said == ours))
    }),
    row("response.window", |said, ours| match said.window {
        (Some(from), Some(until)) => {
            from <= ours.now + SKEW && ours.now - SKEW < until && until.duration_since(from) <= LIFE
        }
        _ => false,
    }),
    row("response.audience", |said, ours| said.audiences == [ours.audience]),
    row("response.statements", |said, _| said.statements == [1, 1]),
    row("response.authenticated", |said, ours| {
        said.authenticated.is_some_and(|at| near(at, ours.now))
    }),
    row("response.level-known", |said, ours| said.assurance(ours.levels).is_some()),
    row("response.level", |said, ours| {
        said.assurance(ours.levels).is_some_and(|level| level >= ours.assurance)
    }),
    row("response.level-certified", |said, ours| {
        said.assurance(ours.levels).is_some_and(|level| level <= ours.certified)
    }),
];

/// The rule that a refusal breaks, if any; it has no assertion.
pub(super) fn refusal(
    response: Element<'_, '_>,
    expected: &Expectation<'_>,
) -> Option<&'static str> {
    let value = |name: &str| response.attribute(name).unwrap_or("");
    let issuer = response.child(SAML, "Issuer").and_then(Element::plain_text).map(str::trim);
    let issued = value("IssueInstant").parse().is_ok_and(|at| near(at, expected.now));
    let held = [
        ("response.element", response.is(SAMLP, "Response")),
        ("response.version", value("Version") == "2.0"),
        ("response.in-response-to", value("InResponseTo") == expected.request_id),
        ("response.destination", value("Destination") == expected.endpoint),
        ("response.issuer", issuer == Some(expected.issuer)),
        ("response.issue-instant", issued),
    ];
    held.into_iter().find(|(_, held)| !held).map(|(rule, _)| rule)
}

/// Not older than an answer may be, and not ahead of our clock.
fn near(at: Timestamp, now: Timestamp) -> bool {
    at <= now + SKEW && now.duration_since(at) <= LIFE + SKEW
}

/// How far clocks may differ. Only our own clock is moved by it: a sender may name the last second of
/// the calendar, and beyond that there is nothing.
const SKEW: SignedDuration = SignedDuration::from_secs(60);
/// The reference node gives five minutes; a person at a login page may take some of them.
const LIFE: SignedDuration = SignedDuration::from_mins(10);
