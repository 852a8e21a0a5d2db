//! The country's professional register: who is a doctor, where, and may still be one.
//!
//! A port: the register is the country's. [`file`] reads a CSV file, `sqlite::Professionals` a
//! database; [`conformance`] holds what both promise.

pub mod conformance;
pub mod file;
pub mod roll;

use std::fmt;

use exchange::{Country, Permission, RoleCode};
use jiff::civil::Date;

use crate::eidas::person::PersonIdentifier;

/// Whom a register is asked for: a country and the person's number or identifier there. For which
/// country the identifier was made does not count. Personal: `Debug` hides it.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PersonKey {
    /// The country that identifies the person.
    pub country: Country,
    /// What it calls them.
    pub value: String,
}

impl PersonKey {
    /// Of an eIDAS identifier.
    pub fn of(identifier: &PersonIdentifier) -> Self {
        Self { country: identifier.of, value: identifier.value.clone() }
    }

    /// Reads `ES/02635542Y`.
    pub fn parse(text: &str) -> Option<Self> {
        let (country, value) = text.split_once('/')?;
        let upper = country.bytes().all(|b| b.is_ascii_uppercase());
        let country = Country::parse(country).ok().filter(|_| upper)?;
        let value = value.trim();
        (!value.is_empty()).then(|| Self { country, value: value.to_owned() })
    }

    /// As a register writes it: `ES/02635542Y`.
    pub fn text(&self) -> String {
        format!("{}/{}", self.country, self.value)
    }
}

impl fmt::Debug for PersonKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PersonKey({}/…)", self.country)
    }
}

/// Facility type of the eHDSI value set (openncp-protocol §1.7).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Facility {
    /// A hospital.
    Hospital,
    /// A practice.
    ResidentPhysician,
    /// A pharmacy.
    Pharmacy,
    /// Any other.
    Other,
}

impl Facility {
    /// All of them.
    pub const ALL: [Self; 4] =
        [Self::Hospital, Self::ResidentPhysician, Self::Pharmacy, Self::Other];

    /// As assertions and registers write it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Hospital => "Hospital",
            Self::ResidentPhysician => "Resident Physician",
            Self::Pharmacy => "Pharmacy",
            Self::Other => "Other",
        }
    }

    /// The type with this name.
    pub fn of_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|facility| facility.name() == name)
    }
}

/// What the register says of one professional. Personal: no `Debug`.
#[derive(Clone, PartialEq, Eq)]
pub struct Entry {
    /// The person.
    pub person: PersonKey,
    /// Number of the licence: what assertions call the professional.
    pub number: String,
    /// Family name.
    pub family: String,
    /// Given names.
    pub given: String,
    /// Date of birth, where the register knows it.
    pub birth: Option<Date>,
    /// Role.
    pub role: RoleCode,
    /// Where they work.
    pub organization: String,
    /// `urn:oid:…` or `urn:hl7ii:…` of that organisation; a discard demands it.
    pub organization_id: String,
    /// The place of the organisation where patients are seen.
    pub locality: String,
    /// What kind of place it is.
    pub facility: Facility,
    /// The first day of the licence, if it has one.
    pub from: Option<Date>,
    /// The last day of the licence, if it has one.
    pub until: Option<Date>,
    /// The licence rests.
    pub suspended: bool,
}

impl Entry {
    /// What the role permits, by [`permissions`].
    pub fn permissions(&self) -> Vec<Permission> {
        permissions(self.role)
    }
}

/// Where professionals are looked up. Called outside the async threads: it may read a disk.
pub trait Register: Send + Sync {
    /// The entry of this person; `None` when they are no professional.
    fn find(&self, who: &PersonKey) -> Result<Option<Entry>, RegisterError>;
}

/// Why the register cannot be asked. Usually the operator's file or disk; never holds its values.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RegisterError {
    /// A line of the file is not an entry.
    #[error("register line {line}: {column} {problem}")]
    Line {
        /// From 1; the header is line 1.
        line: usize,
        /// Which column, by its header.
        column: &'static str,
        /// What is wrong there.
        problem: &'static str,
    },
    /// What the register says of the person asked for is not an entry.
    #[error("register entry: {column} {problem}")]
    Entry {
        /// Which column, by its name in [`roll::COLUMNS`].
        column: &'static str,
        /// What is wrong there.
        problem: &'static str,
    },
    /// The file, database or directory does not answer.
    #[error("register cannot be read: {0}")]
    Unreadable(String),
}

/// What a role may ask for: HL7 permissions of the eHDSI policy manager (openncp-protocol §1.7).
pub fn permissions(role: RoleCode) -> Vec<Permission> {
    let row = PERMISSIONS.iter().find(|row| row.0.contains(&role.code()));
    row.map_or(&[][..], |row| row.1).iter().filter_map(|code| Permission::of(code)).collect()
}

/// Doctors read everything; who dispenses sees prescriptions and dispenses; who treats reads
/// summaries and reports; a clerk finds a patient.
static PERMISSIONS: [(&[&str], &[&str]); 4] = [
    (&["221"], &["PRD-003", "PRD-004", "PRD-005", "PRD-006", "PRD-010", "PRD-016"]),
    (&["2262", "3213"], &["PRD-004", "PRD-006", "PRD-010", "PPD-046"]),
    (
        &["2221", "2222", "2261", "2264", "2265", "2266", "2267", "2269", "3211"],
        &["PRD-003", "PRD-005", "PRD-006", "PRD-010", "PRD-016"],
    ),
    (&["44"], &["PRD-006"]),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_role_of_the_table_is_one_and_stands_once() {
        let mut roles: Vec<&str> = PERMISSIONS.iter().flat_map(|row| row.0).copied().collect();
        assert_eq!(roles.len(), 13, "as many as the value set has");
        for (roles, codes) in &PERMISSIONS {
            assert!(roles.iter().all(|role| RoleCode::parse(role).is_ok()));
            assert!(codes.iter().all(|code| Permission::of(code).is_some()));
        }
        roles.sort_unstable();
        roles.dedup();
        assert_eq!(roles.len(), 13);
    }

    #[test]
    fn keys_are_read_as_they_are_written_and_hidden() {
        let key = PersonKey::parse("ES/02635542Y").unwrap();
        assert_eq!(
            (key.text().as_str(), format!("{key:?}").as_str()),
            ("ES/02635542Y", "PersonKey(ES/…)")
        );
        let identifier = PersonIdentifier::parse("ES/DK/02635542Y").unwrap();
        assert!(PersonKey::of(&identifier) == key, "for whom it was made does not count");
        for bad in ["", "ES", "ES/", "ES/ ", "es/1", "ESP/1", "/1"] {
            assert!(PersonKey::parse(bad).is_none(), "{bad}");
        }
    }
}
