//! HL7 CDA release 2 in the eHDSI profile, read and never written (openncp-protocol §1.13).

mod body;
mod medication;
mod person;
mod time;

use exchange::{DocumentClass, PatientId};
use jiff::Timestamp;
use trust::xml::{Element, Limits, Xml, XmlError};

pub use body::{Embedded, Section};
pub use medication::{Medication, Substance};
pub use person::{Author, Person};
pub use time::parse_time;

/// HL7 v3, the namespace of CDA.
pub const V3: &str = "urn:hl7-org:v3";
/// The pharmacy extension since wave 6, then that of the waves before.
pub const PHARMACY: [&str; 2] = ["urn:hl7-org:pharm", "urn:epsos-org:ep:medication"];
/// The ATC classification of medicines.
pub const ATC: &str = "2.16.840.1.113883.6.73";

/// What a CDA may cost: 16 MiB, as an imaging report with its PDF inside is large.
pub const LIMITS: Limits = Limits { bytes: 16 << 20, depth: 100, attributes: 64 };

/// The LOINC codes of the sections that eHDSI names.
pub mod section {
    /// Medication summary.
    pub const MEDICATION: &str = "10160-0";
    /// Allergies and intolerances.
    pub const ALLERGIES: &str = "48765-2";
    /// Procedures.
    pub const PROCEDURES: &str = "47519-4";
    /// Current problems.
    pub const PROBLEMS: &str = "11450-4";
    /// Medical devices and implants.
    pub const DEVICES: &str = "46264-8";
    /// Prescriptions.
    pub const PRESCRIPTIONS: &str = "57828-6";
    /// Dispensed medicines.
    pub const DISPENSED: &str = "60590-7";

    /// The five sections without which a Patient Summary is refused.
    pub const MANDATORY: [&str; 5] = [MEDICATION, ALLERGIES, PROCEDURES, PROBLEMS, DEVICES];
}

/// Why bytes are not a CDA that we read. Usually the sending country's fault.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CdaError {
    /// Not the strict XML that we read.
    #[error("document is not readable")]
    NotReadable(#[from] XmlError),
    /// XML, but not `ClinicalDocument` of HL7 v3.
    #[error("document is not a clinical document")]
    NotClinicalDocument,
    /// `ClinicalDocument/code` is missing or names a class that eHDSI does not exchange.
    #[error("document class is not known")]
    UnknownClass,
    /// The body is missing, or there are several.
    #[error("document body is missing or repeated")]
    Body,
}

/// How much of a document a machine can read (CDA R2 §1.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// A wrapped file (`nonXMLBody`), in eHDSI a PDF.
    One,
    /// Sections with text only.
    Two,
    /// Sections with coded entries.
    Three,
}

/// What a document is, at a glance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Kind {
    /// Its class.
    pub class: DocumentClass,
    /// Its level.
    pub level: Level,
}

/// What these bytes are. Reads the whole document: there is no cheap half-answer.
pub fn kind(bytes: &[u8]) -> Result<Kind, CdaError> {
    let view = View::parse(bytes)?;
    let class = view.class().ok_or(CdaError::UnknownClass)?;
    Ok(Kind { class, level: view.level()? })
}

/// The one prescription that an eDispensation fulfils, as `root^extension`.
///
/// `None` when it names none or several: then nobody can say which one to close.
pub fn fulfilled_order(bytes: &[u8]) -> Result<Option<String>, CdaError> {
    let view = View::parse(bytes)?;
    if view.class() != Some(DocumentClass::EDispensation) {
        return Err(CdaError::UnknownClass);
    }
    let orders = view.orders();
    Ok(if let [order] = orders[..] { Some(order.joined()) } else { None })
}

/// An HL7 v3 instance identifier (`II`).
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Identifier<'d> {
    /// The OID (or UUID) of the authority, or of the thing itself.
    pub root: &'d str,
    /// The value within the authority; empty when the root alone identifies.
    pub extension: &'d str,
}

impl<'d> Identifier<'d> {
    /// The XDS form `root^extension`, or the root alone.
    pub fn joined(self) -> String {
        if self.extension.is_empty() {
            self.root.to_owned()
        } else {
            format!("{}^{}", self.root, self.extension)
        }
    }

    fn of(element: Element<'d, '_>) -> Option<Self> {
        Some(Self {
            root: element.attribute("root")?,
            extension: element.attribute("extension").unwrap_or(""),
        })
    }
}

/// A coded value (`CD`, `CE`).
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Coded<'d> {
    /// The code; empty when only a null flavour is given.
    pub code: &'d str,
    /// The code system's OID.
    pub system: &'d str,
    /// The sender's name for the code.
    pub display: &'d str,
}

impl<'d> Coded<'d> {
    fn of(element: Element<'d, '_>) -> Self {
        let attribute = |name| element.attribute(name).unwrap_or("");
        Self {
            code: attribute("code"),
            system: attribute("codeSystem"),
            display: attribute("displayName"),
        }
    }
}

/// A CDA document, read where it lies. Health data: `Debug` says its length only.
///
/// ```
/// let bytes = br#"<ClinicalDocument xmlns="urn:hl7-org:v3"><code code="60591-5"
///   codeSystem="2.16.840.1.113883.6.1"/></ClinicalDocument>"#;
/// let view = clinical::cda::View::parse(bytes)?;
/// assert_eq!(view.class(), Some(exchange::DocumentClass::PatientSummary));
/// # Ok::<(), clinical::cda::CdaError>(())
/// ```
pub struct View<'a> {
    xml: Xml<'a>,
}

impl std::fmt::Debug for View<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "View({} bytes)", self.xml.text().len())
    }
}

impl<'a> View<'a> {
    /// Reads a document within [`LIMITS`].
    pub fn parse(bytes: &'a [u8]) -> Result<Self, CdaError> {
        let xml = Xml::parse_bytes(bytes, &LIMITS)?;
        if xml.root().is(V3, "ClinicalDocument") {
            Ok(Self { xml })
        } else {
            Err(CdaError::NotClinicalDocument)
        }
    }

    /// The document element, for what this view has no word for.
    pub fn root(&self) -> Element<'_, 'a> {
        self.xml.root()
    }

    /// The templates that the document claims to follow.
    pub fn templates(&self) -> impl Iterator<Item = &str> {
        templates(self.root())
    }

    /// `ClinicalDocument/code`.
    pub fn code(&self) -> Option<Coded<'_>> {
        self.root().child(V3, "code").map(Coded::of)
    }

    /// The class that the code names; `None` for a code that eHDSI does not exchange.
    ///
    /// The discard of an eDispensation is no CDA of its own, so it is never answered here.
    pub fn class(&self) -> Option<DocumentClass> {
        self.code().and_then(|coded| DocumentClass::of_code(coded.code))
    }

    /// `ClinicalDocument/id`.
    pub fn id(&self) -> Option<Identifier<'_>> {
        self.root().child(V3, "id").and_then(Identifier::of)
    }

    /// The title, for people.
    pub fn title(&self) -> String {
        self.root().child(V3, "title").map(human).unwrap_or_default()
    }

    /// When the document was made; `None` when missing or not a moment.
    pub fn effective_time(&self) -> Option<Timestamp> {
        parse_time(self.root().child(V3, "effectiveTime")?.attribute("value")?)
    }

    /// `xx-YY`.
    pub fn language(&self) -> Option<&str> {
        self.root().child(V3, "languageCode")?.attribute("code")
    }

    /// All identifiers of the patient; those of impossible form are left out.
    pub fn patient_ids(&self) -> Vec<PatientId> {
        let Some(role) = self.root().path(V3, &["recordTarget", "patientRole"]) else {
            return Vec::new();
        };
        role.children_named(V3, "id")
            .filter_map(Identifier::of)
            .filter_map(|id| PatientId::new(exchange::Oid::parse(id.root).ok()?, id.extension).ok())
            .collect()
    }

    /// Whether the document is about this patient: the binding of a document to a request.
    pub fn is_about(&self, patient: &PatientId) -> bool {
        self.root().children_named(V3, "recordTarget").count() == 1
            && self.patient_ids().contains(patient)
    }

    /// Who the document is about.
    pub fn patient(&self) -> Option<Person<'_, 'a>> {
        self.root().path(V3, &["recordTarget", "patientRole", "patient"]).map(Person)
    }

    /// Who wrote it; the first author.
    pub fn author(&self) -> Option<Author<'_, 'a>> {
        self.root().child(V3, "author").map(Author)
    }

    /// eDispensation: the prescriptions that it fulfils (`inFulfillmentOf/order/id`).
    pub fn orders(&self) -> Vec<Identifier<'_>> {
        self.root()
            .children_named(V3, "inFulfillmentOf")
            .filter_map(|link| link.path(V3, &["order", "id"]))
            .filter_map(Identifier::of)
            .collect()
    }

    /// ePrescription: the identifiers of its prescriptions (the `id` of each prescription section).
    pub fn prescriptions(&self) -> Vec<Identifier<'_>> {
        self.sections()
            .filter(|section| section.code() == section::PRESCRIPTIONS)
            .filter_map(|section| section.element().child(V3, "id"))
            .filter_map(Identifier::of)
            .collect()
    }

    /// ePrescription: the identifiers of its items (the `id` of each `substanceAdministration`).
    pub fn prescription_items(&self) -> Vec<Identifier<'_>> {
        self.sections()
            .filter(|section| section.code() == section::PRESCRIPTIONS)
            .flat_map(|section| section.entries().collect::<Vec<_>>())
            .filter_map(|entry| entry.path(V3, &["substanceAdministration", "id"]))
            .filter_map(Identifier::of)
            .collect()
    }

    /// The document that this one was made from (`relatedDocument` of type `XFRM`).
    pub fn transformed_from(&self) -> Option<Identifier<'_>> {
        self.root()
            .children_named(V3, "relatedDocument")
            .find(|related| related.attribute("typeCode") == Some("XFRM"))
            .and_then(|related| related.path(V3, &["parentDocument", "id"]))
            .and_then(Identifier::of)
    }

    /// All medicines of the medication, prescription and dispensation sections, in order.
    pub fn medications(&self) -> Vec<Medication<'_, 'a>> {
        const HOLDS: [&str; 3] = [section::MEDICATION, section::PRESCRIPTIONS, section::DISPENSED];
        self.sections()
            .filter(|section| HOLDS.contains(&section.code()))
            .flat_map(|section| section.entries().collect::<Vec<_>>())
            .flat_map(|entry| {
                entry.descendants().filter(|e| e.is(V3, "manufacturedMaterial")).collect::<Vec<_>>()
            })
            .map(Medication)
            .collect()
    }
}

/// Text for people, with its white space folded.
fn human(element: Element<'_, '_>) -> String {
    element.deep_text().split_whitespace().collect::<Vec<_>>().join(" ")
}

fn templates<'d>(element: Element<'d, '_>) -> impl Iterator<Item = &'d str> {
    element.children_named(V3, "templateId").filter_map(|id| id.attribute("root"))
}

#[cfg(test)]
pub(crate) mod tests;
