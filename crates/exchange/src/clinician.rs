//! What a health professional is, may do and wants, in the codes of the eHDSI assertions.

use crate::{DocumentClass, Malformed, Transaction};

/// An ISCO role code of the eHDSI value set (`2.16.840.1.113883.2.9.6.2.7`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct RoleCode(&'static str);

/// (ISCO code, name), openncp-protocol §1.7.
static ROLES: [(&str, &str); 13] = [
    ("221", "Medical doctors"),
    ("2221", "Nursing professionals"),
    ("2222", "Midwifery professionals"),
    ("2261", "Dentists"),
    ("2262", "Pharmacists"),
    ("2264", "Physiotherapists"),
    ("2265", "Dieticians and nutritionists"),
    ("2266", "Audiologists and speech therapists"),
    ("2267", "Optometrists and ophthalmic opticians"),
    ("2269", "Health professionals not elsewhere classified"),
    ("3211", "Medical imaging and therapeutic equipment technicians"),
    ("3213", "Pharmaceutical technicians and assistants"),
    ("44", "Other clerical support workers"),
];

impl RoleCode {
    /// Medical doctor, ISCO 221.
    pub const DOCTOR: Self = Self("221");
    /// Pharmacist, ISCO 2262.
    pub const PHARMACIST: Self = Self("2262");

    /// The role with this ISCO code.
    pub fn parse(code: &str) -> Result<Self, Malformed> {
        ROLES
            .iter()
            .find(|row| row.0 == code)
            .map(|row| Self(row.0))
            .ok_or(Malformed { what: "role code" })
    }

    /// The ISCO code.
    pub fn code(self) -> &'static str {
        self.0
    }

    /// The role's name.
    pub fn name(self) -> &'static str {
        ROLES.iter().find(|row| row.0 == self.0).map_or("", |row| row.1)
    }
}

/// Why the data are asked for (eHDSI XSPA PurposeOfUse).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Purpose {
    /// Treatment of the patient.
    Treatment,
    /// Emergency.
    Emergency,
}

impl Purpose {
    /// `TREATMENT` or `EMERGENCY`.
    pub fn code(self) -> &'static str {
        match self {
            Self::Treatment => "TREATMENT",
            Self::Emergency => "EMERGENCY",
        }
    }

    /// The purpose with this code.
    pub fn parse(code: &str) -> Result<Self, Malformed> {
        match code {
            "TREATMENT" => Ok(Self::Treatment),
            "EMERGENCY" => Ok(Self::Emergency),
            _ => Err(Malformed { what: "purpose of use" }),
        }
    }
}

/// An HL7 permission of an HCP assertion, the part behind `…:hl7:permission:`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Permission(&'static str);

static PERMISSIONS: [&str; 7] =
    ["PRD-003", "PRD-004", "PRD-005", "PRD-006", "PRD-010", "PRD-016", "PPD-046"];

impl Permission {
    /// The prefix of a permission in the assertion.
    pub const PREFIX: &'static str = "urn:oasis:names:tc:xspa:1.0:subject:hl7:permission:";

    /// Parses `PRD-006` or the full URN; `None` for a permission that no rule here asks for.
    pub fn of(text: &str) -> Option<Self> {
        let bare = text.trim();
        let bare = bare.strip_prefix(Self::PREFIX).unwrap_or(bare);
        PERMISSIONS.iter().find(|known| **known == bare).map(|known| Self(known))
    }

    /// The short code.
    pub fn code(self) -> &'static str {
        self.0
    }

    /// The permissions that a transaction needs (eHDSI policy manager, openncp-protocol §1.7).
    ///
    /// `class` is the document class asked for; ITI-55 has none. An unknown combination needs a
    /// permission that nobody has, so it is refused.
    pub fn required(
        transaction: Transaction,
        class: Option<DocumentClass>,
    ) -> Option<&'static [Permission]> {
        use DocumentClass as C;
        use Transaction as T;
        const DISCOVERY: &[Permission] = &[Permission("PRD-006")];
        const SUMMARY: &[Permission] = &[
            Permission("PRD-003"),
            Permission("PRD-005"),
            Permission("PRD-010"),
            Permission("PRD-016"),
        ];
        const PRESCRIPTION: &[Permission] = &[Permission("PRD-004"), Permission("PRD-010")];
        const DISPENSATION: &[Permission] = &[Permission("PPD-046")];
        match (transaction, class) {
            (T::PatientDiscovery, None) => Some(DISCOVERY),
            (
                T::Query | T::Retrieve,
                Some(
                    C::PatientSummary
                    | C::DischargeReport
                    | C::LaboratoryReport
                    | C::ImagingReport
                    | C::Images,
                ),
            ) => Some(SUMMARY),
            (T::Query | T::Retrieve, Some(C::EPrescription)) => Some(PRESCRIPTION),
            (T::Submit, Some(C::EDispensation | C::Discard)) => Some(DISPENSATION),
            _ => None,
        }
    }
}
