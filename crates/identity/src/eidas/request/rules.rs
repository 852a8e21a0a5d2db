//! What a request must be (`EidasAuthnRequestValidator` of eIDAS-Node 2.9; identity.md §3), one row
//! each.

use jiff::SignedDuration;

use super::{Asked, ENTITY, PERSISTENT, Said, SpType};
use crate::Assurance;
use crate::eidas::attributes::{NAME_FORMAT, mandatory};

/// One row.
pub struct Rule {
    /// Its name: what the peer's operator is told.
    pub name: &'static str,
    check: fn(&Said<'_>, &Asked<'_>) -> bool,
}

impl Rule {
    pub(super) fn holds(&self, said: &Said<'_>, asked: &Asked<'_>) -> bool {
        (self.check)(said, asked)
    }
}

const fn row(name: &'static str, check: fn(&Said<'_>, &Asked<'_>) -> bool) -> Rule {
    Rule { name, check }
}

/// The table. The first row that does not hold refuses.
pub static RULES: [Rule; 17] = [
    row("request.element", |said, _| said.root == "AuthnRequest"),
    row("request.id", |said, _| !said.id.is_empty() && said.id.len() <= 256),
    row("request.version", |said, _| said.version == "2.0"),
    row("request.issue-instant", |said, asked| {
        said.issued.is_some_and(|at| asked.now.duration_since(at).abs() <= LIFE)
    }),
    row("request.destination", |said, asked| said.destination == asked.destination),
    row("request.force-authn", |said, _| said.force == "true"),
    row("request.is-passive", |said, _| said.passive == "false"),
    row("request.protocol-binding", |said, _| said.binding.is_none_or(|b| BINDINGS.contains(&b))),
    row("request.issuer-format", |said, _| said.issuer_format.is_none_or(|f| f == ENTITY)),
    row("request.sector", |said, asked| {
        let said = said.sector.map(SpType::of);
        // in the request or in the metadata, and never one thing here and another there
        match (said, asked.sector) {
            (Some(None), _) | (None, None) => false,
            (Some(Some(here)), Some(there)) => here == there,
            (Some(Some(_)), None) | (None, Some(_)) => true,
        }
    }),
    row("request.requester", |said, asked| {
        let sector = said.sector.and_then(SpType::of).or(asked.sector);
        let needed = asked.requester_needed && sector == Some(SpType::Private);
        said.requester.map_or(!needed, |r| !r.is_empty() && r.len() <= 1024)
    }),
    row("request.attribute-scheme", |said, _| {
        let names_once =
            |at: usize| said.attributes[..at].iter().all(|a| a.0 != said.attributes[at].0);
        said.attributes.iter().all(|a| a.1 == NAME_FORMAT && !a.0.is_empty())
            && (0..said.attributes.len().min(MAX_ATTRIBUTES)).all(names_once)
            && said.attributes.len() <= MAX_ATTRIBUTES
    }),
    row("request.minimum-data-set", |said, _| {
        mandatory().all(|row| {
            let uri = row.uri();
            said.attributes.iter().any(|(name, _, required)| *name == uri && *required)
        })
    }),
    row("request.name-id-format", |said, _| said.name_format.is_none_or(|f| FORMATS.contains(&f))),
    row("request.level-known", |said, _| {
        let prefix = "http://eidas.europa.eu/LoA/";
        !said.levels.is_empty()
            && said.levels.iter().all(|l| !l.starts_with(prefix) || Assurance::of_uri(l).is_some())
    }),
    row("request.level-once", |said, _| {
        said.levels.len() <= 8
            && (0..said.levels.len()).all(|at| !said.levels[..at].contains(&said.levels[at]))
    }),
    // a notified level alone is a minimum; beside others all that would do are listed
    row("request.level-comparison", |said, _| {
        let notified: Vec<_> = said.levels.iter().filter_map(|l| Assurance::of_uri(l)).collect();
        match (notified.iter().min(), notified.len() == said.levels.len()) {
            (None, _) => false,
            (Some(_), true) => said.comparison == "minimum" && said.levels.len() == 1,
            (Some(least), false) => {
                let higher = Assurance::ALL.into_iter().filter(|level| level >= least);
                said.comparison == "exact" && higher.into_iter().all(|l| notified.contains(&l))
            }
        }
    }),
];

/// How old a request may be, and how far ahead of our clock.
const LIFE: SignedDuration = SignedDuration::from_mins(5);
/// More than all attributes of natural and legal persons with their representatives.
const MAX_ATTRIBUTES: usize = 128;
const BINDINGS: [&str; 3] = [
    "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST",
    "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect",
    "urn:oasis:names:tc:SAML:2.0:bindings:SOAP",
];
const FORMATS: [&str; 3] = [
    PERSISTENT,
    "urn:oasis:names:tc:SAML:2.0:nameid-format:transient",
    "urn:oasis:names:tc:SAML:1.1:nameid-format:unspecified",
];
