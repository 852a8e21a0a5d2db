//! Documents, carried as bytes.

use std::fmt;

use bytes::Bytes;

use crate::Malformed;

/// A SHA-256 digest.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Digest(pub [u8; 32]);

impl Digest {
    /// Reads 64 hexadecimal digits; colons and blanks between them are left out.
    pub fn parse(text: &str) -> Result<Self, Malformed> {
        let malformed = || Malformed { what: "SHA-256 digest" };
        let digits: Vec<u32> = text
            .chars()
            .filter(|c| !matches!(c, ':' | ' '))
            .map(|c| c.to_digit(16).ok_or_else(malformed))
            .collect::<Result<_, _>>()?;
        let mut bytes = [0; 32];
        if digits.len() != 64 {
            return Err(malformed());
        }
        for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
            *byte = u8::try_from(pair[0] << 4 | pair[1]).map_err(|_| malformed())?;
        }
        Ok(Self(bytes))
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A clinical document exactly as received; nothing in KONFIDO rewrites it.
#[derive(Clone, PartialEq, Eq)]
pub struct Document {
    /// `XDSDocumentEntry.uniqueId`: an OID, or `root^extension`.
    pub unique_id: String,
    /// `XDSDocumentEntry.repositoryUniqueId`, dotted.
    pub repository: String,
    /// Media type: `text/xml` or `application/pdf`.
    pub mime: String,
    /// The bytes.
    pub bytes: Bytes,
}

impl fmt::Debug for Document {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Document({}, {} bytes)", self.mime, self.bytes.len())
    }
}

/// The kinds of document that cross borders, by their XDS class code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum DocumentClass {
    /// Patient Summary.
    PatientSummary,
    /// ePrescription.
    EPrescription,
    /// eDispensation.
    EDispensation,
    /// Discard of an eDispensation.
    Discard,
    /// Original clinical document: hospital discharge report.
    DischargeReport,
    /// Original clinical document: laboratory report.
    LaboratoryReport,
    /// Original clinical document: medical imaging report.
    ImagingReport,
    /// Original clinical document: medical images.
    Images,
}

/// One row a class: (class, XDS class code, name, format code of the coded CDA).
static CLASSES: [(DocumentClass, &str, &str, &str); 8] = [
    (DocumentClass::PatientSummary, "60591-5", "Patient Summary", "urn:epSOS:ps:ps:2010"),
    (DocumentClass::EPrescription, "57833-6", "ePrescription", "urn:epsos:ep:pre:2010"),
    (DocumentClass::EDispensation, "60593-1", "eDispensation", "urn:epSOS:ep:dis:2010"),
    (
        DocumentClass::Discard,
        "DISCARD-60593-1",
        "eDispensation discard",
        "urn:eHDSI:ed:discard:2020",
    ),
    (
        DocumentClass::DischargeReport,
        "34105-7",
        "Hospital discharge report",
        "urn:eHDSI:orcd:pdf:2021",
    ),
    (DocumentClass::LaboratoryReport, "11502-2", "Laboratory report", "urn:eHDSI:orcd:pdf:2021"),
    (DocumentClass::ImagingReport, "18748-4", "Medical imaging report", "urn:eHDSI:orcd:pdf:2021"),
    (DocumentClass::Images, "x-clinical-image", "Medical images", "urn:eHDSI:orcd:png:2021"),
];

impl DocumentClass {
    /// LOINC, the code system of the class codes.
    pub const LOINC: &'static str = "2.16.840.1.113883.6.1";

    /// The XDS class code (LOINC, or eHDSI's own for discard and images).
    pub fn code(self) -> &'static str {
        self.row().1
    }

    /// A name that people read.
    pub fn name(self) -> &'static str {
        self.row().2
    }

    /// The XDS format code of the coded (L3) CDA, or of the original document.
    pub fn format_code(self) -> &'static str {
        self.row().3
    }

    /// Every class.
    pub fn all() -> impl Iterator<Item = Self> {
        CLASSES.iter().map(|row| row.0)
    }

    /// The class with this XDS class code.
    pub fn of_code(code: &str) -> Option<Self> {
        CLASSES.iter().find(|row| row.1 == code).map(|row| row.0)
    }

    fn row(self) -> &'static (Self, &'static str, &'static str, &'static str) {
        CLASSES
            .iter()
            .find(|row| row.0 == self)
            .expect("because CLASSES has one row for each class")
    }
}
