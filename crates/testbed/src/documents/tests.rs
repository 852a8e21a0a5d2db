use clinical::cda::{Kind, Level, Section, View, kind, section};
use clinical::findings::findings;

use super::*;
use crate::world::{AGNETE, BIRTHE, JORDI};

fn header<'a>(author: &'a Clinician, id: (&'a str, &'a str)) -> Header<'a> {
    let created = "2026-11-20T09:30:00Z".parse().unwrap();
    Header { patient: &AGNETE, author, id, source: Some("source.pdf"), created }
}

/// Every document is about the patient, of the right kind, and free of findings.
fn check(xml: &str, class: DocumentClass, level: Level) {
    assert_eq!(kind(xml.as_bytes()), Ok(Kind { class, level }));
    assert_eq!(findings(xml.as_bytes(), class), []);
    let view = View::parse(xml.as_bytes()).unwrap();
    assert!(view.is_about(&AGNETE.id()));
    assert_eq!(view.effective_time().unwrap().to_string(), "2026-11-20T09:30:00Z");
    assert_eq!(view.language(), Some("da-DK"));
    assert_eq!(view.transformed_from().unwrap().extension, "source.pdf");
}

#[test]
fn the_summary_has_its_sections_and_medicines() {
    let xml = patient_summary(&header(&BIRTHE, ("2.999.208.1", "PS-1")));
    check(&xml, DocumentClass::PatientSummary, Level::Three);
    let view = View::parse(xml.as_bytes()).unwrap();
    assert_eq!(view.id().unwrap().joined(), "2.999.208.1^PS-1");
    let sections: Vec<&str> = view.sections().map(Section::code).collect();
    assert_eq!(sections, section::MANDATORY);
    assert!(view.sections().all(|section| section.entries().next().is_some()), "coded");
    let atc: Vec<_> = view.medications().iter().map(|m| m.atc().unwrap()).collect();
    assert_eq!(atc, ["R03BB04", "R03AC02", "R03DA04"]);
}

#[test]
fn prescription_and_dispensation_meet_in_the_order() {
    let medicines = [medicine("H02AB06")];
    let eprescription = prescription(
        &header(&BIRTHE, ("2.999.208.1", "EP-1")),
        &Prescription { number: "RX-1", medicines: &medicines },
    );
    check(&eprescription, DocumentClass::EPrescription, Level::Three);
    let view = View::parse(eprescription.as_bytes()).unwrap();
    let ordered = view.prescriptions()[0].joined();
    assert_eq!(ordered, "2.999.208.1^RX-1");
    assert_eq!(view.prescription_items()[0].joined(), "2.999.208.1^RX-1.1");
    assert_eq!(view.medications()[0].strength(), "5 mg/1");

    let dispensed = dispensation(
        &header(&JORDI, ("2.999.724.1", "ED-1")),
        ("2.999.208.1", "RX-1"),
        medicine("H02AB06"),
    );
    check(&dispensed, DocumentClass::EDispensation, Level::Three);
    let view = View::parse(dispensed.as_bytes()).unwrap();
    assert_eq!(view.orders()[0].joined(), ordered);
    assert_eq!(view.author().unwrap().function(), Some("2262"));
}

#[test]
fn the_wrapping_gives_back_the_pdf() {
    let header = header(&BIRTHE, ("2.999.208.1", "PS-1.pdf"));
    let xml = wrapped_pdf(&header, DocumentClass::PatientSummary, &["one", "two"]);
    check(&xml, DocumentClass::PatientSummary, Level::One);
    let file = View::parse(xml.as_bytes()).unwrap().embedded().unwrap();
    assert_eq!(file.media_type, "application/pdf");
    assert_eq!(file.bytes, pdf::page(&["one", "two"]));
}

#[test]
fn padding_reaches_the_size_and_little_more() {
    let header = header(&BIRTHE, ("2.999.208.1", "PS-1"));
    let xml = padded_summary(&header, 100_000);
    assert!((100_000..100_400).contains(&xml.len()), "{}", xml.len());
    check(&xml, DocumentClass::PatientSummary, Level::Three);
}
