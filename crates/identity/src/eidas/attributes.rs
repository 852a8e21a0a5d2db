//! The attributes of a natural person (eIDAS Attribute Profile 1.2 §2.2), one row each.

/// One attribute.
#[derive(Debug, PartialEq, Eq)]
pub struct Attribute {
    /// What the profile calls it, and its type without `Type`.
    pub name: &'static str,
    /// `FriendlyName`.
    pub friendly: &'static str,
    /// Part of the minimum data set that every country gives.
    pub mandatory: bool,
    /// May come a second time in another script.
    pub transliterated: bool,
}

const fn row(
    name: &'static str,
    friendly: &'static str,
    mandatory: bool,
    transliterated: bool,
) -> Attribute {
    Attribute { name, friendly, mandatory, transliterated }
}

/// All that we know; what is not here is ignored when it comes and never asked for.
pub static NATURAL_PERSON: [Attribute; 14] = [
    row("PersonIdentifier", "PersonIdentifier", true, false),
    row("CurrentFamilyName", "FamilyName", true, true),
    row("CurrentGivenName", "FirstName", true, true),
    row("DateOfBirth", "DateOfBirth", true, false),
    row("BirthName", "BirthName", false, true),
    row("PlaceOfBirth", "PlaceOfBirth", false, true),
    row("CurrentAddress", "CurrentAddress", false, false),
    row("Gender", "Gender", false, false),
    row("Nationality", "Nationality", false, false),
    row("CountryOfBirth", "CountryOfBirth", false, false),
    row("TownOfBirth", "TownOfBirth", false, false),
    row("CountryOfResidence", "CountryOfResidence", false, false),
    row("PhoneNumber", "PhoneNumber", false, false),
    row("EmailAddress", "EmailAddress", false, false),
];

/// Names begin with this.
pub const PREFIX: &str = "http://eidas.europa.eu/attributes/naturalperson/";
/// Names of a representative's attributes begin with this.
pub const REPRESENTATIVE: &str = "http://eidas.europa.eu/attributes/naturalperson/representative/";
/// `NameFormat` of all of them.
pub const NAME_FORMAT: &str = "urn:oasis:names:tc:SAML:2.0:attrname-format:uri";

impl Attribute {
    /// The row with this name.
    pub fn of(name: &str) -> Option<&'static Self> {
        NATURAL_PERSON.iter().find(|row| row.name == name)
    }

    /// Its URI.
    pub fn uri(&self) -> String {
        format!("{PREFIX}{}", self.name)
    }
}

/// The minimum data set.
pub fn mandatory() -> impl Iterator<Item = &'static Attribute> {
    NATURAL_PERSON.iter().filter(|row| row.mandatory)
}
