//! The invented people of Denmark, Spain and Italy.
//!
//! Nobody here exists. Danish numbers carry a day of birth above 60, which the civil registration
//! system never issues to a person with a residence; Spanish and Italian numbers have letters
//! that their check digits forbid. Even so the types have no `Debug`, so that the rule "personal
//! data are never printed" can be tested with them.

use exchange::{Country, DocumentClass, Oid, PatientId, Permission, RoleCode};

/// A country of the world.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Land {
    /// `DK`.
    pub code: &'static str,
    /// English name.
    pub name: &'static str,
    /// Home community id, as the eHDSI participants use it (dk_pn-oid.xml).
    pub community: &'static str,
    /// Assigning authority of the national patient number.
    pub patient_root: &'static str,
    /// Language of its documents.
    pub language: &'static str,
    /// Operator of the national contact point, as certificates name it.
    pub operator: &'static str,
    /// Where the country's documents are kept (`repositoryUniqueId`, root of document ids).
    pub repository: &'static str,
}

/// The countries, in the order of the demo.
pub static LANDS: [Land; 3] = [
    Land {
        code: "DK",
        name: "Denmark",
        community: "1.2.208",
        patient_root: "1.2.208.176.1.2",
        language: "da-DK",
        operator: "Invented Danish Contact Point",
        repository: "2.999.208.1",
    },
    Land {
        code: "ES",
        name: "Spain",
        community: "2.16.724.4",
        patient_root: "1.3.6.1.4.1.19126.3",
        language: "es-ES",
        operator: "Invented Spanish Contact Point",
        repository: "2.999.724.1",
    },
    Land {
        code: "IT",
        name: "Italy",
        community: "2.16.840.1.113883.2.9.2.380",
        patient_root: "2.16.840.1.113883.2.9.4.3.2",
        language: "it-IT",
        operator: "Invented Italian Contact Point",
        repository: "2.999.380.1",
    },
];

impl Land {
    /// The land with this code.
    pub fn of(country: Country) -> Option<&'static Self> {
        LANDS.iter().find(|land| land.code == country.as_str())
    }

    /// The country.
    pub fn country(&self) -> Country {
        Country::parse(self.code).expect("because the table holds country codes")
    }

    /// The home community id.
    pub fn community(&self) -> Oid {
        Oid::parse(self.community).expect("because the table holds object identifiers")
    }
}

/// An invented citizen. No `Debug`, on purpose.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Citizen {
    /// Country of affiliation.
    pub country: &'static str,
    /// National patient number.
    pub number: &'static str,
    /// Given names.
    pub given: &'static str,
    /// Family name.
    pub family: &'static str,
    /// `M` or `F`.
    pub gender: &'static str,
    /// `yyyyMMdd`.
    pub birth: &'static str,
    /// Street, city, postal code, country.
    pub address: [&'static str; 4],
    /// Whether the citizen agreed to cross-border exchange.
    pub consent: bool,
}

/// The Danish patient of the pilot's story, with COPD; falls ill in Barcelona.
pub static AGNETE: Citizen = Citizen {
    country: "DK",
    number: "7402539902",
    given: "Agnete",
    family: "Havgaard-Test",
    gender: "F",
    birth: "19530214",
    address: ["Opdigtet Allé 14", "Aarhus", "8000", "DK"],
    consent: true,
};

/// A Danish patient who withheld consent: asked for, refused, recorded.
pub static MOGENS: Citizen = Citizen {
    country: "DK",
    number: "6909619917",
    given: "Mogens",
    family: "Tavsgaard-Test",
    gender: "M",
    birth: "19610909",
    address: ["Lukket Stræde 3", "Odense", "5000", "DK"],
    consent: false,
};

/// A second Danish patient, to be confused with nobody: the "patient of another TRC" of attacks.
pub static SIGNE: Citizen = Citizen {
    country: "DK",
    number: "8512849926",
    given: "Signe",
    family: "Fjordby-Test",
    gender: "F",
    birth: "19841225",
    address: ["Påfundsvej 27", "Aalborg", "9000", "DK"],
    consent: true,
};

/// A Spanish patient.
pub static BARTOMEU: Citizen = Citizen {
    country: "ES",
    number: "BBBBBBBBXX000017",
    given: "Bartomeu",
    family: "Ficció Prova",
    gender: "M",
    birth: "19710323",
    address: ["Carrer Inventat 41", "Barcelona", "08001", "ES"],
    consent: true,
};

/// An Italian patient.
pub static ORNELLA: Citizen = Citizen {
    country: "IT",
    number: "FNTRLL48E54H501Q",
    given: "Ornella",
    family: "Finta Prova",
    gender: "F",
    birth: "19480514",
    address: ["Via Immaginaria 9", "Torino", "10121", "IT"],
    consent: true,
};

/// Everybody who lives in the world.
pub static CITIZENS: [&Citizen; 5] = [&AGNETE, &MOGENS, &SIGNE, &BARTOMEU, &ORNELLA];

impl Citizen {
    /// The patient identifier in the country's own root.
    pub fn id(&self) -> PatientId {
        let root = Oid::parse(self.land().patient_root).expect("because the table holds OIDs");
        PatientId::new(root, self.number).expect("because the table holds well-formed numbers")
    }

    /// The country of affiliation.
    pub fn land(&self) -> &'static Land {
        LANDS
            .iter()
            .find(|land| land.code == self.country)
            .expect("because citizens live in the countries of the table")
    }
}

/// The citizens of one country.
pub fn citizens(country: Country) -> impl Iterator<Item = &'static Citizen> {
    CITIZENS.into_iter().filter(move |citizen| citizen.country == country.as_str())
}

/// An invented clinician, or an employee who is none. No `Debug`, on purpose.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Clinician {
    /// Country of treatment.
    pub country: &'static str,
    /// SAML NameID and national professional number.
    pub number: &'static str,
    /// Given name.
    pub given: &'static str,
    /// Family name.
    pub family: &'static str,
    /// ISCO code.
    pub role: &'static str,
    /// Employer.
    pub organization: &'static str,
    /// Employer's identifier: the extension within the country's repository root.
    pub organization_number: &'static str,
    /// `Hospital`, `Resident Physician`, `Pharmacy` or `Other`.
    pub facility: &'static str,
    /// Point of care.
    pub locality: &'static str,
    /// HL7 permissions, the short codes.
    pub permissions: &'static [&'static str],
    /// National identity number, with which the clinician logs in as everybody does.
    pub identity: &'static str,
    /// `yyyyMMdd`.
    pub birth: &'static str,
}

/// What a doctor may do (openncp-protocol §1.7).
pub const DOCTOR_PERMISSIONS: &[&str] =
    &["PRD-003", "PRD-004", "PRD-005", "PRD-006", "PRD-010", "PRD-016"];
/// What a pharmacist may do.
pub const PHARMACIST_PERMISSIONS: &[&str] = &["PRD-004", "PRD-006", "PRD-010", "PPD-046"];
/// What a nurse may do.
pub const NURSE_PERMISSIONS: &[&str] = &["PRD-003", "PRD-005", "PRD-006", "PRD-010", "PRD-016"];
/// What an administrative employee may do: find out whether a patient is insured.
pub const CLERK_PERMISSIONS: &[&str] = &["PRD-006"];

const HOSPITAL_ES: &str = "Hospital Inventat del Mar";
const HOSPITAL_DK: &str = "Opdigtet Universitetshospital";
const HOSPITAL_IT: &str = "Ospedale Immaginario";

/// The doctor in Barcelona who treats the Danish patient.
pub static MONTSERRAT: Clinician = Clinician {
    country: "ES",
    number: "ES-MED-0081",
    given: "Montserrat",
    family: "Inventada Roca",
    role: "221",
    organization: HOSPITAL_ES,
    organization_number: "H-0801",
    facility: "Hospital",
    locality: "Barcelona, Urgències",
    permissions: DOCTOR_PERMISSIONS,
    identity: "00000810T",
    birth: "19790612",
};

/// The pharmacist in Barcelona who dispenses.
pub static JORDI: Clinician = Clinician {
    country: "ES",
    number: "ES-FAR-0442",
    given: "Jordi",
    family: "Fictici Vila",
    role: "2262",
    organization: "Farmàcia Inventada",
    organization_number: "F-0817",
    facility: "Pharmacy",
    locality: "Barcelona, Gràcia",
    permissions: PHARMACIST_PERMISSIONS,
    identity: "00004420A",
    birth: "19850902",
};

/// The nosy employee: curious about more patients than any desk ever sees.
pub static RAMON: Clinician = Clinician {
    country: "ES",
    number: "ES-ADM-0666",
    given: "Ramon",
    family: "Xafarder Prova",
    role: "44",
    organization: HOSPITAL_ES,
    organization_number: "H-0801",
    facility: "Hospital",
    locality: "Barcelona, Admissions",
    permissions: CLERK_PERMISSIONS,
    identity: "00006660B",
    birth: "19910130",
};

/// The Danish general practitioner who wrote the story's documents.
pub static BIRTHE: Clinician = Clinician {
    country: "DK",
    number: "DK-YDR-0119",
    given: "Birthe",
    family: "Kvist-Test",
    role: "221",
    organization: HOSPITAL_DK,
    organization_number: "SOR-9901",
    facility: "Resident Physician",
    locality: "Aarhus",
    permissions: DOCTOR_PERMISSIONS,
    identity: "7704689930",
    birth: "19680417",
};

/// Everybody who works in the world.
pub static CLINICIANS: [&Clinician; 8] = [
    &MONTSERRAT,
    &JORDI,
    &RAMON,
    &BIRTHE,
    &Clinician {
        country: "ES",
        number: "ES-INF-0207",
        given: "Núria",
        family: "Imaginada Pons",
        role: "2221",
        organization: HOSPITAL_ES,
        organization_number: "H-0801",
        facility: "Hospital",
        locality: "Barcelona, Urgències",
        permissions: NURSE_PERMISSIONS,
        identity: "00002070K",
        birth: "19880719",
    },
    &Clinician {
        country: "DK",
        number: "DK-SPL-0355",
        given: "Karen",
        family: "Digtet-Test",
        role: "2221",
        organization: HOSPITAL_DK,
        organization_number: "SOR-9901",
        facility: "Hospital",
        locality: "Aarhus, Akut",
        permissions: NURSE_PERMISSIONS,
        identity: "9008799944",
        birth: "19790830",
    },
    &Clinician {
        country: "IT",
        number: "IT-MED-0733",
        given: "Elio",
        family: "Fittizio Prova",
        role: "221",
        organization: HOSPITAL_IT,
        organization_number: "A-1001",
        facility: "Hospital",
        locality: "Torino, Pronto Soccorso",
        permissions: DOCTOR_PERMISSIONS,
        identity: "FTTLEI75C10L219Q",
        birth: "19750310",
    },
    &Clinician {
        country: "IT",
        number: "IT-FAR-0912",
        given: "Livia",
        family: "Fittizia Prova",
        role: "2262",
        organization: "Farmacia Immaginaria",
        organization_number: "F-1012",
        facility: "Pharmacy",
        locality: "Torino",
        permissions: PHARMACIST_PERMISSIONS,
        identity: "FTTLVI83S62L219Q",
        birth: "19831122",
    },
];

impl Clinician {
    /// The ISCO role.
    pub fn role(&self) -> RoleCode {
        RoleCode::parse(self.role).expect("because the table holds role codes")
    }

    /// The permissions of the HCP assertion.
    pub fn permissions(&self) -> Vec<Permission> {
        self.permissions.iter().filter_map(|code| Permission::of(code)).collect()
    }

    /// Given and family name.
    pub fn name(&self) -> String {
        format!("{} {}", self.given, self.family)
    }

    /// The country of treatment.
    pub fn land(&self) -> &'static Land {
        LANDS
            .iter()
            .find(|land| land.code == self.country)
            .expect("because clinicians work in the countries of the table")
    }

    /// Employer's identifier as the HCP assertion writes it (`urn:hl7ii:root:extension`).
    pub fn organization_id(&self) -> String {
        format!("urn:hl7ii:{}:{}", self.land().repository, self.organization_number)
    }
}

/// Who of a country would do this: the first clinician with that role.
pub fn clinician(country: Country, role: RoleCode) -> Option<&'static Clinician> {
    CLINICIANS
        .into_iter()
        .find(|clinician| clinician.country == country.as_str() && clinician.role() == role)
}

/// The user name of somebody with these given names, at their country's identity provider.
pub fn login(given: &str) -> String {
    let plain = |c: char| match c {
        'à' | 'á' => 'a',
        'è' | 'é' => 'e',
        'í' => 'i',
        'ò' | 'ó' => 'o',
        'ú' => 'u',
        c => c,
    };
    given.to_lowercase().chars().map(plain).filter(char::is_ascii_alphanumeric).collect()
}

/// The classes of documents that the world's patients have.
pub const CLASSES: [DocumentClass; 2] =
    [DocumentClass::PatientSummary, DocumentClass::EPrescription];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_is_well_formed_and_every_number_is_its_own() {
        let mut seen = std::collections::HashSet::new();
        for citizen in CITIZENS {
            assert!(seen.insert(citizen.id().cx()));
            assert_eq!(citizen.address[3], citizen.land().code);
            assert_eq!(citizen.birth.len(), 8);
        }
        for clinician in CLINICIANS {
            assert!(seen.insert(clinician.number.to_owned()));
            assert!(!clinician.role().name().is_empty());
            assert_eq!(clinician.permissions().len(), clinician.permissions.len());
            assert!(seen.insert(clinician.identity.to_owned()));
            assert_eq!(clinician.birth.len(), 8);
        }
        for land in &LANDS {
            assert_eq!(Land::of(land.country()), Some(land));
            assert!(citizens(land.country()).next().is_some());
            assert!(clinician(land.country(), RoleCode::DOCTOR).is_some());
            let _ = land.community();
        }
    }

    #[test]
    fn user_names_are_plain_and_each_their_own_within_a_country() {
        let mut seen = std::collections::HashSet::new();
        let citizens = CITIZENS.iter().map(|c| (c.country, c.given));
        for (country, given) in citizens.chain(CLINICIANS.iter().map(|c| (c.country, c.given))) {
            let login = login(given);
            assert!(login.len() == given.chars().count() && seen.insert((country, login)));
        }
    }

    #[test]
    fn danish_numbers_can_belong_to_nobody() {
        let citizens = CITIZENS.iter().map(|c| (c.country, c.number, c.birth));
        let clinicians = CLINICIANS.iter().map(|c| (c.country, c.identity, c.birth));
        for (_, number, birth) in citizens.chain(clinicians).filter(|row| row.0 == "DK") {
            let day: u8 = number[..2].parse().unwrap();
            assert!(day > 60 && format!("{:02}", day - 60) == birth[6..], "birthday + 60");
        }
    }

    #[test]
    fn spanish_and_italian_clinicians_numbers_can_belong_to_nobody() {
        for clinician in CLINICIANS {
            let (body, check) = clinician.identity.split_at(clinician.identity.len() - 1);
            let right = match clinician.country {
                "ES" => {
                    let number: usize = body.parse().unwrap();
                    "TRWAGMYFPDXBNJZSQVHLCKE".as_bytes()[number % 23]
                }
                "IT" => codice_fiscale(body),
                _ => continue,
            };
            assert_ne!(check.as_bytes(), [right], "{body}");
        }
    }

    /// The check letter (decreto ministeriale 12/03/1974).
    fn codice_fiscale(body: &str) -> u8 {
        const ODD: [u32; 26] = [
            1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 2, 4, 18, 20, 11, 3, 6, 8, 12, 14, 16, 10, 22, 25,
            24, 23,
        ];
        let value = |c: char| c.to_digit(10).unwrap_or_else(|| u32::from(c) - u32::from('A'));
        let places = body.chars().map(value).enumerate();
        let sum: u32 = places.map(|(at, v)| if at % 2 == 0 { ODD[v as usize] } else { v }).sum();
        b'A' + u8::try_from(sum % 26).unwrap()
    }
}
