//! The CDA header, the same for all documents.

use exchange::DocumentClass;
use trust::xml::Writer;

use super::{Header, coded, moment, system, templates};
use crate::world::{Citizen, Clinician};

const NAMESPACES: [(&str, &str); 5] = [
    ("xmlns", "urn:hl7-org:v3"),
    ("xmlns:pharm", "urn:hl7-org:pharm"),
    ("xmlns:xsi", "http://www.w3.org/2001/XMLSchema-instance"),
    ("classCode", "DOCCLIN"),
    ("moodCode", "EVN"),
];

/// (class, document template, title)
const TEMPLATES: [(DocumentClass, &str); 3] = [
    (DocumentClass::PatientSummary, "1.3.6.1.4.1.12559.11.10.1.3.1.1.3"),
    (DocumentClass::EPrescription, "1.3.6.1.4.1.12559.11.10.1.3.1.1.1"),
    (DocumentClass::EDispensation, "1.3.6.1.4.1.12559.11.10.1.3.1.1.2"),
];

/// Writes everything before the body's `component`.
pub(super) fn open(
    w: &mut Writer,
    header: &Header<'_>,
    class: DocumentClass,
    orders: &[(&str, &str)],
) {
    w.raw("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    w.open("ClinicalDocument", &NAMESPACES);
    w.empty("typeId", &[("root", "2.16.840.1.113883.1.3"), ("extension", "POCD_HD000040")]);
    for (_, template) in TEMPLATES.iter().filter(|row| row.0 == class) {
        templates(w, &[template]);
    }
    let (root, extension) = header.id;
    let created = moment(header.created);
    w.empty("id", &[("root", root), ("extension", extension)]);
    coded(w, "code", class.code(), system::LOINC, class.name());
    w.leaf("title", &[], class.name());
    w.empty("effectiveTime", &[("value", &created)]);
    coded(w, "confidentialityCode", "N", "2.16.840.1.113883.5.25", "normal");
    w.empty("languageCode", &[("code", header.patient.land().language)]);
    w.empty("setId", &[("root", root), ("extension", extension)]);
    record_target(w, header.patient);
    author(w, header.author, &created);
    custodian(w, header.author);
    legal_authenticator(w, header.author, &created);
    for (root, number) in orders {
        w.open("inFulfillmentOf", &[]);
        w.open("order", &[("classCode", "ACT"), ("moodCode", "RQO")]);
        w.empty("id", &[("root", root), ("extension", number)]);
        w.close();
        w.close();
    }
    if class == DocumentClass::PatientSummary {
        service_event(w, &created);
    }
    if let Some(source) = header.source {
        w.open("relatedDocument", &[("typeCode", "XFRM")]);
        w.open("parentDocument", &[]);
        w.empty("id", &[("root", root), ("extension", source)]);
        w.close();
        w.close();
    }
}

/// Ends the document.
pub(super) fn close(mut w: Writer) -> String {
    w.close();
    w.finish()
}

fn record_target(w: &mut Writer, patient: &Citizen) {
    w.open("recordTarget", &[("typeCode", "RCT"), ("contextControlCode", "OP")]);
    w.open("patientRole", &[("classCode", "PAT")]);
    w.empty("id", &[("root", patient.land().patient_root), ("extension", patient.number)]);
    let [street, city, postal_code, country] = patient.address;
    address(w, &[street, city, postal_code, country]);
    w.empty("telecom", &[("nullFlavor", "NI")]);
    w.open("patient", &[("classCode", "PSN"), ("determinerCode", "INSTANCE")]);
    name(w, patient.given, patient.family);
    let gender = if patient.gender == "F" { "Female" } else { "Male" };
    coded(w, "administrativeGenderCode", patient.gender, "2.16.840.1.113883.5.1", gender);
    w.empty("birthTime", &[("value", patient.birth)]);
    w.open("languageCommunication", &[]);
    w.empty("languageCode", &[("code", patient.land().language)]);
    for _ in 0..4 {
        w.close();
    }
}

fn author(w: &mut Writer, author: &Clinician, created: &str) {
    w.open("author", &[("typeCode", "AUT"), ("contextControlCode", "OP")]);
    w.empty(
        "functionCode",
        &[
            ("code", author.role),
            ("codeSystem", system::ISCO),
            ("codeSystemName", "ISCO"),
            ("displayName", author.role().name()),
        ],
    );
    w.empty("time", &[("value", created)]);
    w.open("assignedAuthor", &[("classCode", "ASSIGNED")]);
    assigned(w, author);
    w.close();
    w.close();
}

/// id, addr, telecom, person and organization: the content of each assigned role.
pub(super) fn assigned(w: &mut Writer, clinician: &Clinician) {
    let root = clinician.land().repository;
    w.empty("id", &[("root", root), ("extension", clinician.number)]);
    workplace(w, clinician);
    w.empty("telecom", &[("nullFlavor", "NI")]);
    w.open("assignedPerson", &[("classCode", "PSN"), ("determinerCode", "INSTANCE")]);
    name(w, clinician.given, clinician.family);
    w.close();
    w.open("representedOrganization", &[("classCode", "ORG"), ("determinerCode", "INSTANCE")]);
    organization(w, clinician);
    w.close();
}

fn custodian(w: &mut Writer, clinician: &Clinician) {
    w.open("custodian", &[]);
    w.open("assignedCustodian", &[("classCode", "ASSIGNED")]);
    w.open(
        "representedCustodianOrganization",
        &[("classCode", "ORG"), ("determinerCode", "INSTANCE")],
    );
    organization(w, clinician);
    w.close();
    w.close();
    w.close();
}

fn legal_authenticator(w: &mut Writer, clinician: &Clinician, created: &str) {
    w.open("legalAuthenticator", &[("typeCode", "LA"), ("contextControlCode", "OP")]);
    w.empty("time", &[("value", created)]);
    w.empty("signatureCode", &[("code", "S")]);
    w.open("assignedEntity", &[("classCode", "ASSIGNED")]);
    assigned(w, clinician);
    w.close();
    w.close();
}

fn service_event(w: &mut Writer, created: &str) {
    w.open("documentationOf", &[("typeCode", "DOC")]);
    w.open("serviceEvent", &[("classCode", "PCPR"), ("moodCode", "EVN")]);
    w.open("effectiveTime", &[]);
    w.empty("high", &[("value", created)]);
    w.close();
    w.close();
    w.close();
}

fn organization(w: &mut Writer, clinician: &Clinician) {
    let root = clinician.land().repository;
    w.empty("id", &[("root", root), ("extension", clinician.organization_number)]);
    w.leaf("name", &[], clinician.organization);
    w.empty("telecom", &[("nullFlavor", "NI")]);
    workplace(w, clinician);
}

fn workplace(w: &mut Writer, clinician: &Clinician) {
    let city = clinician.locality.split(',').next().unwrap_or_default();
    address(w, &["Invented Street 1", city, "00000", clinician.country]);
}

fn address(w: &mut Writer, [street, city, postal_code, country]: &[&str; 4]) {
    w.open("addr", &[]);
    w.leaf("streetAddressLine", &[], street);
    w.leaf("city", &[], city);
    w.leaf("postalCode", &[], postal_code);
    w.leaf("country", &[], country);
    w.close();
}

fn name(w: &mut Writer, given: &str, family: &str) {
    w.open("name", &[]);
    w.leaf("family", &[], family);
    w.leaf("given", &[], given);
    w.close();
}
