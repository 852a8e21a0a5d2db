//! What messages of the other part must be, one row each.

use exchange::Country;
use jiff::Timestamp;

use super::message::{LightRequest, LightResponse};
use super::person::{known, person};
use crate::Assurance;
use crate::eidas::EidasError;
use crate::eidas::attributes::{Attribute, PREFIX, mandatory};
use crate::eidas::request::{SpType, Wanted};
use crate::eidas::response::{Identified, SUCCESS};

/// One row about a message of type `M`, held against `H`.
pub struct Rule<M, H> {
    /// Its name: what the operator is told.
    pub name: &'static str,
    check: fn(&M, &H) -> bool,
}

const fn row<M, H>(name: &'static str, check: fn(&M, &H) -> bool) -> Rule<M, H> {
    Rule { name, check }
}

fn broken<M, H>(rules: &[Rule<M, H>], message: &M, held: &H) -> Result<(), EidasError> {
    match rules.iter().find(|rule| !(rule.check)(message, held)) {
        Some(rule) => Err(EidasError::Rule(rule.name)),
        None => Ok(()),
    }
}

/// Of a request. The first row that does not hold refuses.
pub static REQUEST_RULES: [Rule<LightRequest, ()>; 7] = [
    row("light.request-id", |said, ()| (1..=256).contains(&said.id.len())),
    row("light.relay-state", |said, ()| said.relay_state.as_ref().is_none_or(|r| r.len() <= 1024)),
    // notified levels, of which the least would do; beside them others that are not ours to give
    row("light.level", |said, ()| {
        let known = |uri: &str| Assurance::of_uri(uri).is_some();
        let fits = |(uri, notified): &(String, bool)| match notified {
            true => known(uri),
            false => !uri.starts_with(LEVELS),
        };
        let once = |at: usize| said.levels[..at].iter().all(|(uri, _)| *uri != said.levels[at].0);
        said.levels.len() <= 8
            && said.levels.iter().any(|(uri, _)| known(uri))
            && said.levels.iter().all(fits)
            && (0..said.levels.len()).all(once)
    }),
    row("light.sector", |said, ()| {
        said.sector.as_ref().is_none_or(|word| SpType::of(word).is_some())
    }),
    row("light.requester", |said, ()| {
        let private = said.sector.as_deref() == Some(SpType::Private.word());
        said.requester.as_ref().map_or(!private, |id| (1..=1024).contains(&id.len()))
    }),
    // attributes of legal persons may be asked beside those of the person who acts; they are not given
    row("light.attribute", |said, ()| {
        let once = |at: usize| !said.attributes[..at].contains(&said.attributes[at]);
        said.attributes.len() <= MAX_ATTRIBUTES
            && said.attributes.iter().all(|uri| uri.starts_with(ATTRIBUTES))
            && (0..said.attributes.len()).all(once)
    }),
    row("light.minimum-data-set", |said, ()| {
        mandatory().all(|row| said.attributes.contains(&row.uri()))
    }),
];

impl LightRequest {
    /// What is asked, when every rule holds.
    pub fn wanted(&self) -> Result<Wanted, EidasError> {
        broken(&REQUEST_RULES, self, &())?;
        let level = self.levels.iter().filter_map(|(uri, _)| Assurance::of_uri(uri)).min();
        let own = self.attributes.iter().filter_map(|uri| Attribute::of(uri.strip_prefix(PREFIX)?));
        let sector = self.sector.as_deref().and_then(SpType::of).unwrap_or(SpType::Public);
        Ok(Wanted {
            assurance: level.ok_or(EidasError::Rule("light.level"))?,
            optional: own.filter(|row| !row.mandatory).collect(),
            sector,
            requester: self.requester.clone().filter(|_| sector == SpType::Private),
        })
    }
}

/// What we asked, and of whom.
#[derive(Debug, Clone)]
pub struct Hoped {
    /// `id` of our request.
    pub request_id: String,
    /// Whose person it is.
    pub country: Country,
    /// The country that asks.
    pub asker: Country,
    /// Identifiers may come without these countries in front.
    pub bare: bool,
    /// The least level that we asked for.
    pub assurance: Assurance,
    /// What we asked for beside the minimum data set.
    pub optional: Vec<&'static Attribute>,
    /// Now.
    pub now: Timestamp,
}

/// Of a response that says that somebody was identified.
pub static RESPONSE_RULES: [Rule<LightResponse, Hoped>; 4] = [
    row("light.response-id", |said, _| (1..=256).contains(&said.id.len())),
    row("light.status", |said, _| said.status.code.as_ref().is_none_or(|code| code == SUCCESS)),
    row("light.level", |said, ours| {
        let level = said.level.as_deref().and_then(Assurance::of_uri);
        level.is_some_and(|level| level >= ours.assurance)
    }),
    // what nobody asked for is nobody's business
    row("light.attribute", |said, ours| {
        let asked = |row: &Attribute| row.mandatory || ours.optional.contains(&row);
        said.attributes.iter().all(|(uri, _)| known(uri).is_some_and(|(_, row)| asked(row)))
    }),
];

/// Who was identified, when every rule holds. That the request is answered once is the caller's care:
/// it forgets what it asked.
pub fn answered(said: &LightResponse, hoped: &Hoped) -> Result<Identified, EidasError> {
    if said.in_response_to != hoped.request_id {
        return Err(EidasError::Rule("light.in-response-to"));
    }
    if said.status.failure {
        let code = said.status.sub_code.as_ref().or(said.status.code.as_ref());
        let word = code.and_then(|code| code.rsplit(':').next()).unwrap_or("other");
        return Err(EidasError::NotIdentified(word.to_owned()));
    }
    broken(&RESPONSE_RULES, said, hoped)?;
    let person = person(said, hoped.bare.then_some((hoped.country, hoped.asker)))?;
    let all = std::iter::once(&person).chain(person.representative.as_deref());
    if all.into_iter().any(|person| person.identifier.of != hoped.country) {
        return Err(EidasError::Rule("light.person-country"));
    }
    let level = said.level.as_deref().and_then(Assurance::of_uri);
    Ok(Identified {
        assurance: level.ok_or(EidasError::Rule("light.level"))?,
        assertion_id: said.id.clone(),
        authenticated: hoped.now,
        person,
    })
}

/// All attributes of the profile begin with this.
const ATTRIBUTES: &str = "http://eidas.europa.eu/attributes/";
/// Levels of notified schemes begin with this.
const LEVELS: &str = "http://eidas.europa.eu/LoA/";
/// More than all attributes of natural and legal persons with their representatives.
const MAX_ATTRIBUTES: usize = 128;
