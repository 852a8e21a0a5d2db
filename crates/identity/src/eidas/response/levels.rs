//! How an answer states its level of assurance.

use trust::xml::Element;

use crate::Assurance;
use crate::assertion::SAML;
use crate::eidas::EidasError;

/// In which words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Levels {
    /// The URIs of eIDAS, as authentication context.
    Eidas,
    /// The quality levels of STORK (1 to 4), which national identity providers state since before eIDAS:
    /// as attribute, as authentication context, or both alike.
    Stork,
}

impl Levels {
    /// The level; none where it is missing, unknown, or said in two ways that differ.
    pub(super) fn read(self, context: &str, quality: &[&str]) -> Option<Assurance> {
        if self == Self::Eidas {
            return Assurance::of_uri(context);
        }
        let in_context = CONTEXTS.iter().find_map(|prefix| context.strip_prefix(prefix));
        let in_context = in_context.map(stork);
        let in_attribute = match quality {
            [] => None,
            [one] => Some(stork(one)),
            _ => return None,
        };
        let said = match (in_attribute, in_context) {
            (Some(said), None) | (None, Some(said)) => said,
            (Some(attribute), Some(context)) => attribute.filter(|_| attribute == context),
            (None, None) => None,
        };
        // beside it the level of eIDAS may stand, and no other
        said.filter(|said| Assurance::of_uri(context).is_none_or(|other| other == *said))
    }
}

fn stork(digit: &str) -> Option<Assurance> {
    let one = digit.len() == 1;
    digit.parse().ok().filter(|_| one).and_then(Assurance::of_stork)
}

/// The values of the attribute with which STORK states a level, wherever it stands.
pub(super) fn quality<'d>(assertion: Element<'d, '_>) -> Result<Vec<&'d str>, EidasError> {
    assertion
        .children_named(SAML, "AttributeStatement")
        .flat_map(|statement| statement.children_named(SAML, "Attribute"))
        .filter(|attribute| attribute.attribute("Name") == Some(ATTRIBUTE))
        .flat_map(|attribute| attribute.children_named(SAML, "AttributeValue"))
        .map(|value| Ok(value.demand_text("AttributeValue")?))
        .collect()
}

/// STORK D5.8.3b.
const ATTRIBUTE: &str = "http://www.stork.gov.eu/1.0/citizenQAALevel";
/// A digit follows: as Austria's and as Germany's federal identity providers write it.
const CONTEXTS: [&str; 2] = ["http://www.stork.gov.eu/1.0/citizenQAALevel/", "STORK-QAA-Level-"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_of_stork_are_said_once_or_alike() {
        use Assurance::{High, Low, Substantial};
        let austria = "http://www.stork.gov.eu/1.0/citizenQAALevel/";
        let none = "urn:oasis:names:tc:SAML:2.0:ac:classes:unspecified";
        for (context, quality, expected) in [
            (format!("{austria}4"), &[][..], Some(High)),
            ("STORK-QAA-Level-3".to_owned(), &[], Some(Substantial)),
            (none.to_owned(), &["2"], Some(Low)),
            (format!("{austria}3"), &["3"], Some(Substantial)),
            (Substantial.uri().to_owned(), &["3"], Some(Substantial)),
            (format!("{austria}4"), &["3"], None),
            (High.uri().to_owned(), &["3"], None),
            (High.uri().to_owned(), &[], None),
            (format!("{austria}4"), &["5"], None),
            (none.to_owned(), &["4", "4"], None),
            (none.to_owned(), &["1"], None),
            (none.to_owned(), &["+4"], None),
            (none.to_owned(), &["04"], None),
            (none.to_owned(), &[], None),
            (format!("{austria}44"), &[], None),
        ] {
            assert_eq!(Levels::Stork.read(&context, quality), expected, "{context} {quality:?}");
        }
        assert_eq!(Levels::Eidas.read(none, &["4"]), None);
        assert_eq!(Levels::Eidas.read(High.uri(), &["2"]), Some(High), "nobody asked for STORK");
    }
}
