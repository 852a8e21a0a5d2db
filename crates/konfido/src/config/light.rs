//! `[eid.light]`: the other part of an eIDAS node.

use std::path::{Path, PathBuf};

use exchange::Country;
use gateway::eid::Part;
use identity::eidas::light::Place;
use toml::de::DeTable;

use super::eid::{Party, address};
use super::keys::file;
use super::one_of;
use super::reader::{At, Faults, Section};

/// `[eid.light]`.
#[derive(Debug)]
pub struct Light {
    /// Common name of the TLS certificate with which the other part comes.
    pub client: String,
    /// How old tokens may be, in seconds.
    pub token_seconds: i64,
    /// `[eid.light.connector]`, `[eid.light.proxy]`.
    pub ends: Vec<End>,
}

/// One end.
#[derive(Debug)]
pub struct End {
    /// Which.
    pub place: Place,
    /// Which part we are.
    pub part: Part,
    /// Where browsers take our tokens.
    pub url: String,
    /// Whose people are asked for here.
    pub countries: Vec<Country>,
    /// Tokens of requests.
    pub request: Stamp,
    /// Tokens of responses.
    pub response: Stamp,
}

/// How tokens of a direction are made.
#[derive(Debug)]
pub struct Stamp {
    /// Who writes them.
    pub issuer: String,
    /// A file with what goes into their digest.
    pub secret: At<PathBuf>,
}

/// What the rows are held against.
pub(super) struct Around<'a> {
    pub folder: &'a Path,
    pub country: Option<Country>,
    pub providers: &'a [Party],
}

pub(super) fn read(
    section: Section<'_, '_>,
    around: &Around<'_>,
    empty: &DeTable<'_>,
    faults: &Faults,
) -> Option<Light> {
    let client = section.required::<String>("client");
    let seconds = section.optional::<u64>("token_seconds");
    if let Some(long) = seconds.as_ref().filter(|at| at.value > MOST_SECONDS) {
        faults.add(&long.span, format!("token_seconds is above {MOST_SECONDS}"), None);
    }
    let seconds = seconds.map_or(SECONDS, |at| at.value.min(MOST_SECONDS));
    let mut ends = Vec::new();
    for (place, key, full) in [
        (Place::Connector, "connector", "[eid.light.connector]"),
        (Place::Proxy, "proxy", "[eid.light.proxy]"),
    ] {
        if section.place(key).is_some() {
            ends.push(end(place, section.section(key, full, empty), around, empty, faults));
        }
    }
    if ends.is_empty() {
        let help = "add [eid.light.connector] or [eid.light.proxy]";
        faults.add(section.span(), "[eid.light] shares no end of the border", Some(help));
    }
    section.end();
    let ends = ends.into_iter().collect::<Option<_>>()?;
    Some(Light {
        client: client?.value,
        token_seconds: i64::try_from(seconds).unwrap_or(i64::MAX),
        ends,
    })
}

fn end(
    place: Place,
    section: Section<'_, '_>,
    around: &Around<'_>,
    empty: &DeTable<'_>,
    faults: &Faults,
) -> Option<End> {
    let part = section.required::<String>("part");
    let parts = [Part::Specific, Part::Generic];
    let part = part.map(|at| parts[one_of(Some(&at), &["specific", "generic"], faults)]);
    let url = address(&section, "url", faults);
    let countries = part.and_then(|part| countries(place, part, &section, around, faults));
    let request = stamp(&section, "request", "request of [eid.light]", around, empty, faults);
    let response = stamp(&section, "response", "response of [eid.light]", around, empty, faults);
    if let (Some((request, _)), Some((response, span))) = (&request, &response)
        && request.issuer == response.issuer
    {
        let help = "tokens of one direction would pass in the other";
        faults.add(span, "request and response have the same issuer", Some(help));
    }
    section.end();
    Some(End {
        place,
        part: part?,
        url: url?,
        countries: countries?,
        request: request?.0,
        response: response?.0,
    })
}

/// Whose people are asked for at this end, and who asks for them already.
fn countries(
    place: Place,
    part: Part,
    section: &Section<'_, '_>,
    around: &Around<'_>,
    faults: &Faults,
) -> Option<Vec<Country>> {
    let own = around.country?;
    let provided = |country: Country| around.providers.iter().any(|p| p.country == country);
    let named = match (place, part) {
        (Place::Connector, Part::Specific) => {
            let named = section.required::<Vec<String>>("countries")?;
            let parsed: Option<Vec<_>> =
                named.value.iter().map(|code| Country::parse(code).ok()).collect();
            if parsed.as_ref().is_none_or(Vec::is_empty) {
                faults.add(&named.span, "countries are two letters each, at least one", None);
            }
            At { value: parsed?, span: named.span }
        }
        (Place::Proxy, Part::Generic) => At { value: vec![own], span: section.span().clone() },
        (Place::Proxy, Part::Specific) if !provided(own) => {
            let help = "add [[eid.provider]] of our own country";
            faults.add(section.span(), "nobody identifies our own people", Some(help));
            return None;
        }
        _ => return Some(Vec::new()),
    };
    for country in named.value.iter().filter(|country| provided(**country)) {
        let help = "keep the row or the light interface";
        faults.add(&named.span, format!("{country} has an [[eid.provider]] already"), Some(help));
    }
    Some(named.value)
}

fn stamp<'i>(
    section: &Section<'_, 'i>,
    key: &'static str,
    full: &str,
    around: &Around<'_>,
    empty: &DeTable<'i>,
    faults: &Faults,
) -> Option<(Stamp, super::reader::Span)> {
    let span = section.place(key).unwrap_or_else(|| section.span().clone());
    let inner = section.section(key, full, empty);
    let issuer = inner.required::<String>("issuer");
    let secret = file(&inner, "secret_file", around.folder);
    inner.end();
    let issuer = issuer?;
    // the token's fields are parted by it
    if issuer.value.is_empty() || issuer.value.len() > 256 || issuer.value.contains('|') {
        faults.add(&issuer.span, "issuer is empty, too long or has a |", None);
    }
    Some((Stamp { issuer: issuer.value, secret: secret? }, span))
}

const SECONDS: u64 = 300;
/// Tokens are remembered for an hour.
const MOST_SECONDS: u64 = 900;
