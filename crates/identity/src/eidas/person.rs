//! The minimum data set of a natural person, read from and written to an AttributeStatement.

use std::collections::BTreeMap;

use exchange::Country;
use jiff::civil::Date;
use trust::xml::{Element, Writer};

use super::EidasError;
use super::attributes::{Attribute, NAME_FORMAT, NATURAL_PERSON, PREFIX, REPRESENTATIVE};
use crate::assertion::SAML;

/// `CC/CC/value`: of which country a person is, for which country the identifier was made.
#[derive(Clone, PartialEq, Eq)]
pub struct PersonIdentifier {
    /// The country that identifies.
    pub of: Country,
    /// The country that it identifies to.
    pub to: Country,
    /// Unique within that pair. Personal.
    pub value: String,
}

impl PersonIdentifier {
    /// Reads `ES/DK/02635542Y`.
    pub fn parse(text: &str) -> Result<Self, EidasError> {
        let malformed = EidasError::Malformed("person identifier");
        let mut parts = text.splitn(3, '/');
        let mut country = || {
            let code = parts.next().filter(|code| code.bytes().all(|b| b.is_ascii_uppercase()));
            code.and_then(|code| Country::parse(code).ok())
        };
        let (of, to) = (country(), country());
        let value = parts.next().filter(|v| !v.trim().is_empty() && v.len() <= MAX_VALUE);
        match (of, to, value) {
            (Some(of), Some(to), Some(value)) => Ok(Self { of, to, value: value.to_owned() }),
            _ => Err(malformed),
        }
    }

    /// As it travels.
    pub fn text(&self) -> String {
        format!("{}/{}/{}", self.of, self.to, self.value)
    }
}

/// A text with, where its script is not Latin, what it was transliterated from. Personal.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Scripted {
    /// In Latin letters.
    pub latin: String,
    /// `LatinScript="false"`.
    pub original: Option<String>,
}

impl Scripted {
    /// A text that was Latin from the first.
    pub fn latin(text: &str) -> Self {
        Self { latin: text.to_owned(), original: None }
    }
}

/// A person, as their country says. Personal: no `Debug`.
#[derive(Clone, PartialEq, Eq)]
pub struct Person {
    /// Who.
    pub identifier: PersonIdentifier,
    /// Family name.
    pub family: Scripted,
    /// Given names.
    pub given: Scripted,
    /// Date of birth.
    pub birth: Date,
    /// The optional attributes that came, by their names in the profile.
    pub more: BTreeMap<&'static str, Scripted>,
    /// Who acts for this person, with a mandate.
    pub representative: Option<Box<Self>>,
}

impl Person {
    /// A person of whom nothing but the minimum is known.
    pub fn new(identifier: PersonIdentifier, family: &str, given: &str, birth: Date) -> Self {
        let (family, given) = (Scripted::latin(family), Scripted::latin(given));
        Self { identifier, family, given, birth, more: BTreeMap::new(), representative: None }
    }

    /// Reads a `saml2:AttributeStatement`.
    pub fn read(statement: Element<'_, '_>) -> Result<Self, EidasError> {
        let mut values = Values::new();
        for attribute in statement.children_named(SAML, "Attribute") {
            let uri = attribute.demand_attribute("Name")?;
            let (represents, name) = match uri.strip_prefix(REPRESENTATIVE) {
                Some(name) => (true, name),
                None => match uri.strip_prefix(PREFIX) {
                    Some(name) => (false, name),
                    None => continue,
                },
            };
            let Some(row) = Attribute::of(name) else { continue };
            let format = attribute.attribute("NameFormat");
            if format.is_some_and(|format| format != NAME_FORMAT) {
                return Err(EidasError::Malformed("attribute name format"));
            }
            let before = values.insert((represents, row.name), scripted(attribute, row)?);
            if before.is_some() {
                return Err(EidasError::Malformed("attribute: it comes twice"));
            }
        }
        Self::gathered(values)
    }

    /// A person of the values that came, and who represents them (`true`).
    pub(super) fn gathered(mut values: Values) -> Result<Self, EidasError> {
        let mut person = Self::of(&mut values, false)?;
        if values.keys().any(|(represents, _)| *represents) {
            person.representative = Some(Box::new(Self::of(&mut values, true)?));
        }
        Ok(person)
    }

    fn of(values: &mut Values, represents: bool) -> Result<Self, EidasError> {
        let mut take =
            |name| values.remove(&(represents, name)).ok_or(EidasError::Rule("minimum data set"));
        let identifier = PersonIdentifier::parse(&take("PersonIdentifier")?.latin)?;
        let (family, given) = (take("CurrentFamilyName")?, take("CurrentGivenName")?);
        let birth = take("DateOfBirth")?.latin;
        let birth = birth.parse().map_err(|_| EidasError::Malformed("date of birth"))?;
        let optional = NATURAL_PERSON.iter().filter(|row| !row.mandatory);
        let more = optional
            .filter_map(|row| Some((row.name, values.remove(&(represents, row.name))?)))
            .collect();
        Ok(Self { identifier, family, given, birth, more, representative: None })
    }

    /// Writes a `saml2:AttributeStatement`.
    pub fn write(&self, w: &mut Writer) {
        w.open("saml2:AttributeStatement", &[]);
        self.write_attributes(w, PREFIX);
        if let Some(representative) = &self.representative {
            representative.write_attributes(w, REPRESENTATIVE);
        }
        w.close();
    }

    /// What is known of one attribute.
    pub(super) fn value(&self, row: &Attribute) -> Option<Scripted> {
        match row.name {
            "PersonIdentifier" => Some(Scripted::latin(&self.identifier.text())),
            "CurrentFamilyName" => Some(self.family.clone()),
            "CurrentGivenName" => Some(self.given.clone()),
            "DateOfBirth" => Some(Scripted::latin(&self.birth.to_string())),
            name => self.more.get(name).cloned(),
        }
    }

    fn write_attributes(&self, w: &mut Writer, prefix: &str) {
        for row in &NATURAL_PERSON {
            let Some(value) = self.value(row) else { continue };
            let uri = format!("{prefix}{}", row.name);
            w.open(
                "saml2:Attribute",
                &[("FriendlyName", row.friendly), ("Name", &uri), ("NameFormat", NAME_FORMAT)],
            );
            let kind = format!("eidas-natural:{}Type", row.name);
            w.leaf("saml2:AttributeValue", &[("xsi:type", &kind)], &value.latin);
            if let Some(original) = &value.original {
                w.leaf(
                    "saml2:AttributeValue",
                    &[("eidas-natural:LatinScript", "false"), ("xsi:type", &kind)],
                    original,
                );
            }
            w.close();
        }
    }
}

/// Values by the names of the profile; `true` for who represents the person.
pub(super) type Values = BTreeMap<(bool, &'static str), Scripted>;

/// The one Latin value, and the one in another script if the attribute may have it.
fn scripted(attribute: Element<'_, '_>, row: &Attribute) -> Result<Scripted, EidasError> {
    let (mut latin, mut original) = (None, None);
    for value in attribute.children_named(SAML, "AttributeValue") {
        let text = value.demand_text("AttributeValue")?;
        if text.len() > MAX_VALUE {
            return Err(EidasError::Malformed("attribute: it is too long"));
        }
        let script = value.attribute_ns(NATURAL, "LatinScript");
        let place = match script.unwrap_or("true") {
            "true" | "1" => &mut latin,
            "false" | "0" if row.transliterated => &mut original,
            _ => return Err(EidasError::Malformed("LatinScript")),
        };
        if place.replace(text.to_owned()).is_some() {
            return Err(EidasError::Malformed("attribute: it has two values"));
        }
    }
    let latin = latin.filter(|text| !text.is_empty());
    let latin = latin.ok_or(EidasError::Malformed("attribute: it has no value in Latin script"))?;
    Ok(Scripted { latin, original })
}

/// Namespace of the attributes' types.
pub(crate) const NATURAL: &str = "http://eidas.europa.eu/attributes/naturalperson";
/// Longest value, in bytes; an address in base64 is the longest in the field.
pub(super) const MAX_VALUE: usize = 4096;
