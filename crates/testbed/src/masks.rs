//! The search masks that the invented countries publish, and how their citizens become patients.

use exchange::{Country, Oid};
use identity::mask::SearchMask;
use identity::matching::{Rule, Table, Way};

use crate::world::{LANDS, Land};

/// The mask of a country of the world, as its file.
pub fn text(country: Country) -> Option<&'static str> {
    match country.as_str() {
        "DK" => Some(include_str!("../masks/DK.xml")),
        "ES" => Some(include_str!("../masks/ES.xml")),
        "IT" => Some(include_str!("../masks/IT.xml")),
        _ => None,
    }
}

/// The rows of all three. Denmark's eID does not hold the number of the civil registration, so the
/// patient says it; Spain's and Italy's identifiers are the numbers of their patients.
pub fn table() -> Table {
    let row = |land: &Land| {
        let root = Oid::parse(land.patient_root).expect("because the table holds identifiers");
        let way = if land.code == "DK" { Way::Stated { root } } else { Way::Identifier { root } };
        let mask =
            text(land.country()).map(|text| SearchMask::parse(text).expect("because it is one"));
        Rule { country: land.country(), ways: vec![way, Way::Demographics], mask }
    };
    Table::new(LANDS.iter().map(row).collect()).expect("because each land stands once")
}

#[cfg(test)]
mod tests {
    use identity::eidas::person::{Person, PersonIdentifier};

    use super::*;
    use crate::world::CITIZENS;

    #[test]
    fn every_citizen_is_asked_for_by_the_number_of_the_world() {
        for citizen in CITIZENS {
            let identifier = format!("{}/ES/{}", citizen.country, citizen.number);
            let birth = citizen.birth.parse().unwrap();
            let identifier = PersonIdentifier::parse(&identifier).unwrap();
            let person = Person::new(identifier, citizen.family, citizen.given, birth);
            let found = table().candidate(&person, Some(citizen.number));
            let found = found.unwrap_or_else(|refusal| panic!("{refusal} {}", refusal.detail));
            assert!(found.traits.ids == [citizen.id()], "{}", citizen.country);
        }
    }
}
