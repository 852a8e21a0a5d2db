//! A person as the values of light attributes, and back.

use exchange::Country;

use super::message::LightResponse;
use crate::eidas::EidasError;
use crate::eidas::attributes::{Attribute, NATURAL_PERSON, PREFIX, REPRESENTATIVE};
use crate::eidas::person::{MAX_VALUE, Person, PersonIdentifier, Scripted, Values};

/// The attributes of a light response. `bare`: without the two countries in front of the identifier,
/// which the generic part of a proxy service puts there.
pub fn attributes_of(person: &Person, bare: bool) -> Vec<(String, Vec<String>)> {
    let own = of_one(person, PREFIX, bare);
    let other = person.representative.as_deref();
    own.into_iter().chain(other.into_iter().flat_map(|p| of_one(p, REPRESENTATIVE, bare))).collect()
}

fn of_one(person: &Person, prefix: &str, bare: bool) -> Vec<(String, Vec<String>)> {
    let values = |row: &Attribute| {
        let Scripted { latin, original } = person.value(row)?;
        let identifier = bare && row.name == "PersonIdentifier";
        let latin = if identifier { person.identifier.value.clone() } else { latin };
        let values = std::iter::once(latin).chain(original).collect();
        Some((format!("{prefix}{}", row.name), values))
    };
    NATURAL_PERSON.iter().filter_map(values).collect()
}

/// Whose attribute it is (`true`: the representative's), and which.
pub(super) fn known(definition: &str) -> Option<(bool, &'static Attribute)> {
    let (represents, name) = match definition.strip_prefix(REPRESENTATIVE) {
        Some(name) => (true, name),
        None => (false, definition.strip_prefix(PREFIX)?),
    };
    Attribute::of(name).map(|row| (represents, row))
}

/// The person of a response whose attributes are all known. `bare`: `(of, to)` for identifiers
/// without countries in front.
pub(super) fn person(
    response: &LightResponse,
    bare: Option<(Country, Country)>,
) -> Result<Person, EidasError> {
    let mut values = Values::new();
    for (definition, found) in &response.attributes {
        let (represents, row) = known(definition).ok_or(EidasError::Rule("light.attribute"))?;
        let mut scripted = scripted(row, found)?;
        if let (Some((of, to)), "PersonIdentifier") = (bare, row.name)
            && PersonIdentifier::parse(&scripted.latin).is_err()
        {
            scripted.latin = PersonIdentifier { of, to, value: scripted.latin }.text();
        }
        if values.insert((represents, row.name), scripted).is_some() {
            return Err(EidasError::Malformed("attribute: it comes twice"));
        }
    }
    Person::gathered(values)
}

/// The Latin value first; a second one, in another script, if the attribute may have it.
fn scripted(row: &Attribute, found: &[String]) -> Result<Scripted, EidasError> {
    let fits = |text: &String| !text.is_empty() && text.len() <= MAX_VALUE;
    match found {
        [latin] if fits(latin) => Ok(Scripted::latin(latin)),
        [latin, original] if row.transliterated && fits(latin) && fits(original) => {
            Ok(Scripted { latin: latin.clone(), original: Some(original.clone()) })
        }
        _ => Err(EidasError::Malformed("attribute: its values")),
    }
}
