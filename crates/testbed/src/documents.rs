//! eHDSI documents of our own, pivot CDA of wave 8: Patient Summary, ePrescription, eDispensation,
//! and level 1 wrappings of a PDF.
//!
//! All validate against OpenNCP's `CDA_Pharma.xsd` (`cargo run -p testbed --example
//! write_documents DIR` writes one of each). Codes are real (LOINC, SNOMED CT, ATC, ICD-10, EDQM);
//! people, products and numbers are not.

mod dispensation;
mod header;
mod medicine;
pub mod pdf;
mod prescription;
mod summary;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use exchange::DocumentClass;
use jiff::Timestamp;
use trust::xml::Writer;

use crate::world::{Citizen, Clinician};

pub use medicine::{MEDICINES, Medicine, medicine};

/// What every document of the world says in its header.
#[derive(Clone)]
pub struct Header<'a> {
    /// Whose document it is.
    pub patient: &'a Citizen,
    /// Who wrote it.
    pub author: &'a Clinician,
    /// Document id: (root, extension); joined by `^` it is the XDS unique id.
    pub id: (&'a str, &'a str),
    /// Extension of the document that this one was made from, in the same root.
    pub source: Option<&'a str>,
    /// When it was made.
    pub created: Timestamp,
}

impl Header<'_> {
    /// The XDS unique id, `root^extension`.
    pub fn unique_id(&self) -> String {
        format!("{}^{}", self.id.0, self.id.1)
    }
}

/// A prescription of one or more medicines.
#[derive(Clone, Copy)]
pub struct Prescription<'a> {
    /// The prescription's number, within the root of the document.
    pub number: &'a str,
    /// What is prescribed; items are numbered from 1.
    pub medicines: &'a [&'static Medicine],
}

/// A Patient Summary, level 3, of a patient with COPD: all five mandatory sections, coded.
pub fn patient_summary(header: &Header<'_>) -> String {
    summary::write(header, 0)
}

/// A Patient Summary padded with narrative text to at least `bytes` bytes, for benchmarks.
pub fn padded_summary(header: &Header<'_>, bytes: usize) -> String {
    let bare = summary::write(header, 0).len();
    summary::write(header, bytes.saturating_sub(bare))
}

/// An ePrescription, level 3.
pub fn prescription(header: &Header<'_>, prescription: &Prescription<'_>) -> String {
    prescription::write(header, prescription)
}

/// An eDispensation, level 3, of the first medicine of a prescription.
///
/// `order` is the (root, number) of the prescription that it fulfils; the header's author is the
/// pharmacist and its root that of the country of treatment.
pub fn dispensation(header: &Header<'_>, order: (&str, &str), dispensed: &Medicine) -> String {
    dispensation::write(header, order, dispensed)
}

/// A level 1 document that wraps a PDF with these lines.
pub fn wrapped_pdf(header: &Header<'_>, class: DocumentClass, lines: &[&str]) -> String {
    let mut w = Writer::new();
    header::open(&mut w, header, class, &[]);
    w.open("component", &[]);
    w.open("nonXMLBody", &[("classCode", "DOCBODY"), ("moodCode", "EVN")]);
    let file = STANDARD.encode(pdf::page(lines));
    w.leaf("text", &[("mediaType", "application/pdf"), ("representation", "B64")], &file);
    w.close();
    w.close();
    header::close(w)
}

/// Code systems.
mod system {
    pub const LOINC: &str = "2.16.840.1.113883.6.1";
    pub const SNOMED: &str = "2.16.840.1.113883.6.96";
    pub const ICD10: &str = "1.3.6.1.4.1.12559.11.10.1.3.1.44.2";
    pub const EDQM: &str = "0.4.0.127.0.16.1.1.2.1";
    pub const ISCO: &str = "2.16.840.1.113883.2.9.6.2.7";
    pub const ACT_CLASS: &str = "2.16.840.1.113883.5.6";
    pub const ACT_CODE: &str = "2.16.840.1.113883.5.4";
    pub const SUBSTITUTION: &str = "2.16.840.1.113883.5.1070";
}

/// A coded element: `<name code= codeSystem= displayName=/>`.
fn coded(w: &mut Writer, name: &'static str, code: &str, system: &str, display: &str) {
    w.empty(name, &[("code", code), ("codeSystem", system), ("displayName", display)]);
}

/// `templateId` elements.
fn templates(w: &mut Writer, roots: &[&str]) {
    for root in roots {
        w.empty("templateId", &[("root", root)]);
    }
}

/// A moment as HL7 `TS`, in UTC.
fn moment(at: Timestamp) -> String {
    at.strftime("%Y%m%d%H%M%S+0000").to_string()
}

/// A section with its templates, id, code, title and narrative; [`Writer::close`] twice ends it.
fn open_section(
    w: &mut Writer,
    template: &str,
    id: (&str, &str),
    (code, title): (&str, &str),
    narrative: impl FnOnce(&mut Writer),
) {
    w.open("component", &[]);
    w.open("section", &[("classCode", "DOCSECT"), ("moodCode", "EVN")]);
    templates(w, &[template]);
    w.empty("id", &[("root", id.0), ("extension", id.1)]);
    coded(w, "code", code, system::LOINC, title);
    w.leaf("title", &[], title);
    w.open("text", &[]);
    narrative(w);
    w.close();
}

#[cfg(test)]
mod tests;
