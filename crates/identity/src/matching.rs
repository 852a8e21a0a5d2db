//! From a citizen who logged in to the patient whom their country is asked for (ITI-55).
//!
//! An eID and a patient register need not share a number: the Danish eID has none of the civil
//! registration. So each country has a row that says how it is asked, and what comes of it is held
//! against the mask that the country publishes before anything leaves.

use std::collections::BTreeMap;

use exchange::{Code, Country, Oid, PatientId, Refusal};

use crate::eidas::person::{Person, PersonIdentifier};
use crate::mask::{SearchMask, Traits};
use crate::nok::NextOfKin;
use crate::professional::names::{same_family, same_given};

/// How a citizen of a country becomes a patient there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Way {
    /// The value of the eIDAS identifier is the national patient number, of this authority.
    Identifier {
        /// The authority.
        root: Oid,
    },
    /// The patient says their number, of this authority; the login confirms who they are.
    Stated {
        /// The authority.
        root: Oid,
    },
    /// By name, sex and day of birth.
    Demographics,
}

/// One country's row.
#[derive(Debug, Clone)]
pub struct Rule {
    /// Which country.
    pub country: Country,
    /// What is tried, in this order; the first that its mask admits is asked.
    pub ways: Vec<Way>,
    /// What the country publishes; without it only numbers are asked for, unchecked.
    pub mask: Option<SearchMask>,
}

/// The rows of all countries.
#[derive(Debug, Clone, Default)]
pub struct Table(BTreeMap<Country, Rule>);

/// Who acts for the patient, with a mandate: never the patient. Personal: no `Debug`.
#[derive(Clone, PartialEq, Eq)]
pub struct Acting {
    /// Who they are.
    pub identifier: PersonIdentifier,
    /// As a next-of-kin assertion names them.
    pub kin: NextOfKin,
}

/// Whom to ask a country for. Personal: no `Debug`.
#[derive(Clone)]
pub struct Candidate {
    /// The country of affiliation.
    pub country: Country,
    /// What it is asked by; it fits the country's mask.
    pub traits: Traits,
    /// Who acts for the patient.
    pub acting: Option<Acting>,
}

impl Table {
    /// A table of these rows; a mask must be of its row's country, and no country stands twice.
    pub fn new(rules: Vec<Rule>) -> Result<Self, exchange::Malformed> {
        let mut table = BTreeMap::new();
        for rule in rules {
            let foreign = rule.mask.as_ref().is_some_and(|mask| mask.country() != rule.country);
            if foreign || rule.ways.is_empty() || table.insert(rule.country, rule).is_some() {
                return Err(exchange::Malformed { what: "patient matching table" });
            }
        }
        Ok(Self(table))
    }

    /// Whom to ask for. `stated` is the number that the patient said, if any.
    pub fn candidate(&self, person: &Person, stated: Option<&str>) -> Result<Candidate, Refusal> {
        let country = person.identifier.of;
        let rule = self.0.get(&country).ok_or_else(|| {
            let hint = "citizens of that country cannot be looked for yet";
            Refusal::new(Code::ErrorGenericServiceSignifierUnknown, hint)
        })?;
        let acting = acting(person)?;
        let mut why = None;
        for way in &rule.ways {
            match rule.ask(way, person, stated) {
                Ok(traits) => return Ok(Candidate { country, traits, acting }),
                Err(refusal) => why = why.or(Some(refusal)),
            }
        }
        Err(why.unwrap_or_else(missing))
    }
}

impl Rule {
    fn ask(&self, way: &Way, person: &Person, stated: Option<&str>) -> Result<Traits, Refusal> {
        let number = |root: &Oid, value: &str| {
            PatientId::new(root.clone(), value.trim()).map(Traits::number).map_err(|_| {
                Refusal::new(Code::ErrorPiIncorrectFormatting, "check the patient's number")
            })
        };
        let traits = match way {
            Way::Identifier { root } => number(root, &person.identifier.value)?,
            Way::Stated { root } => number(root, stated.ok_or_else(missing)?)?,
            Way::Demographics => demographics(person),
        };
        match &self.mask {
            Some(mask) => {
                traits.ids.iter().try_for_each(|id| mask.check_id(id))?;
                let numbered = !traits.ids.is_empty();
                let fit = mask.fit(&Traits { ids: traits.ids, ..demographics(person) })?;
                if numbered && fit.ids.is_empty() { Err(missing()) } else { Ok(fit) }
            }
            None if traits.ids.is_empty() => {
                let hint = "that country has published no way to look for a patient by name";
                Err(Refusal::new(Code::ErrorPiMissingRequiredFields, hint))
            }
            None => Ok(traits),
        }
    }
}

/// Whether the patient that a country answered with is the person who logged in: names as
/// [`crate::professional::names`] compares them, and the same day of birth.
pub fn same_patient(person: &Person, family: &str, given: &str, birth: &str) -> bool {
    let either = |latin: &str, original: Option<&str>, fits: &dyn Fn(&str) -> bool| {
        fits(latin) || original.is_some_and(fits)
    };
    let (f, g) = (&person.family, &person.given);
    let born = person.birth.strftime("%Y%m%d").to_string();
    either(&f.latin, f.original.as_deref(), &|name| same_family(name, family))
        && either(&g.latin, g.original.as_deref(), &|name| same_given(name, given))
        && birth.get(..8) == Some(born.as_str())
}

fn missing() -> Refusal {
    let hint = "ask the patient for the number that the country demands";
    Refusal::new(Code::ErrorPiMissingRequiredFields, hint)
}

fn demographics(person: &Person) -> Traits {
    Traits {
        ids: Vec::new(),
        family: person.family.latin.clone(),
        given: person.given.latin.clone(),
        sex: sex(person).unwrap_or_default().to_owned(),
        birth: Some(person.birth),
    }
}

/// HL7 code of the eIDAS gender (eIDAS Attribute Profile §2.2.3.4).
fn sex(person: &Person) -> Option<&'static str> {
    match person.more.get("Gender")?.latin.as_str() {
        "Male" => Some("M"),
        "Female" => Some("F"),
        "Unspecified" => Some("UN"),
        _ => None,
    }
}

/// Who acts. A person who acts for themselves, or a mandate of a mandate, is no mandate.
fn acting(person: &Person) -> Result<Option<Acting>, Refusal> {
    let Some(acts) = &person.representative else { return Ok(None) };
    let same = acts.identifier.of == person.identifier.of
        && acts.identifier.value == person.identifier.value;
    if same || acts.representative.is_some() {
        let hint = "log in again: the mandate does not say who acts for whom";
        return Err(Refusal::new(Code::ErrorPolicyViolation, hint));
    }
    let kin = NextOfKin {
        id: acts.identifier.text(),
        given: acts.given.latin.clone(),
        family: acts.family.latin.clone(),
        gender: sex(acts).unwrap_or_default().to_owned(),
        birth: Some(acts.birth),
        country: acts.identifier.of.to_string(),
        ..NextOfKin::default()
    };
    Ok(Some(Acting { identifier: acts.identifier.clone(), kin }))
}

#[cfg(test)]
#[path = "matching/tests.rs"]
mod tests;
