use proptest::prelude::*;

use super::*;

/// A small Patient Summary of our own.
pub(crate) const SUMMARY: &str = r#"<?xml version="1.0" encoding="UTF-8"?>
<h:ClinicalDocument xmlns:h="urn:hl7-org:v3" xmlns="urn:hl7-org:v3" xmlns:p="urn:hl7-org:pharm">
<!-- comments are common in CDA --><typeId root="2.16.840.1.113883.1.3" extension="POCD_HD000040"/>
<templateId root="1.3.6.1.4.1.12559.11.10.1.3.1.1.3"/>
<id root="2.999.1" extension="PS-1"/><code code="60591-5" codeSystem="2.16.840.1.113883.6.1"/>
<title>Patient <!-- --> Summary</title><effectiveTime value="20261101120000+0100"/>
<languageCode code="da-DK"/>
<recordTarget><patientRole><id root="1.2.208.176.1.2" extension="7402539902"/><id root="x" extension="1"/>
<patient><name><family>Havgaard</family><given>Agnete</given><given>Lise</given></name>
<administrativeGenderCode code="F"/><birthTime value="19530214"/></patient></patientRole></recordTarget>
<author><functionCode code="221"/><assignedAuthor><id root="2.999.2" extension="L1"/>
<assignedPerson><name><given>Bo</given><family>Kvist</family></name></assignedPerson>
<representedOrganization><name>Clinic</name></representedOrganization></assignedAuthor></author>
<relatedDocument typeCode="XFRM"><parentDocument><id root="2.999.1" extension="PS-1.pdf"/></parentDocument></relatedDocument>
<component><structuredBody>
<component><section><code code="10160-0"/><title>Medication</title><text>Tiotropium</text><entry><substanceAdministration>
<consumable><manufacturedProduct><manufacturedMaterial><name>Tiovand</name>
<p:formCode code="11110000" codeSystem="0.4.0.127.0.16.1.1.2.1"/>
<p:ingredient><p:quantity><numerator value="18" unit="ug"/><denominator value="1" unit="1"/></p:quantity>
<p:ingredientSubstance><p:code code="R03BB04" codeSystem="2.16.840.1.113883.6.73"/></p:ingredientSubstance></p:ingredient>
</manufacturedMaterial></manufacturedProduct></consumable></substanceAdministration></entry></section></component>
<component><section><code code="48765-2"/></section></component>
<component><section><code code="47519-4"/></section></component>
<component><section><code code="11450-4"/></section></component>
<component><section><code code="46264-8"/></section></component>
</structuredBody></component></h:ClinicalDocument>"#;

#[test]
fn a_summary_is_read_whole() {
    let view = View::parse(SUMMARY.as_bytes()).unwrap();
    assert_eq!(
        kind(SUMMARY.as_bytes()).unwrap(),
        Kind { class: DocumentClass::PatientSummary, level: Level::Three }
    );
    assert_eq!(view.id().unwrap().joined(), "2.999.1^PS-1");
    assert_eq!(view.transformed_from().unwrap().joined(), "2.999.1^PS-1.pdf");
    assert_eq!(view.title(), "Patient Summary");
    assert_eq!(view.effective_time().unwrap().to_string(), "2026-11-01T11:00:00Z");
    assert_eq!(view.language(), Some("da-DK"));
    let ids = view.patient_ids();
    assert_eq!(ids.len(), 1, "an id whose root is no OID is left out");
    assert!(view.is_about(&ids[0]));
    let patient = view.patient().unwrap();
    assert_eq!((patient.given(), patient.family()), ("Agnete Lise".into(), "Havgaard".into()));
    assert_eq!((patient.birth(), patient.gender()), (Some("19530214"), Some("F")));
    let author = view.author().unwrap();
    assert_eq!(author.function(), Some("221"));
    assert_eq!((author.name(), author.organization()), ("Bo Kvist".into(), "Clinic".into()));
    assert_eq!(author.id().unwrap().joined(), "2.999.2^L1");
    assert_eq!(view.sections().map(Section::code).collect::<Vec<_>>(), section::MANDATORY);
    let medicines = view.medications();
    assert_eq!(medicines.len(), 1);
    assert_eq!(medicines[0].product(), "Tiovand");
    assert_eq!(medicines[0].atc(), Some("R03BB04"));
    assert_eq!(medicines[0].strength(), "18 ug/1");
    assert_eq!(medicines[0].form().map(|form| form.code), Some("11110000"));
}

#[test]
fn a_document_about_two_patients_is_about_nobody() {
    let target = &SUMMARY[SUMMARY.find("<recordTarget").unwrap()..SUMMARY.find("<author").unwrap()];
    let twice = SUMMARY.replacen(target, &target.repeat(2), 1);
    let view = View::parse(twice.as_bytes()).unwrap();
    assert!(!view.is_about(&view.patient_ids()[0]));
}

#[test]
fn a_dispensation_fulfils_exactly_one_order() {
    const ORDER: &str =
        "<inFulfillmentOf><order><id root='2.999' extension='RX-1'/></order></inFulfillmentOf>";
    let dispensation = |orders: usize| {
        format!(
            "<ClinicalDocument xmlns='urn:hl7-org:v3'><code code='60593-1'/>{}</ClinicalDocument>",
            ORDER.repeat(orders)
        )
    };
    for (orders, expected) in [(0, None), (1, Some("2.999^RX-1")), (2, None)] {
        let order = fulfilled_order(dispensation(orders).as_bytes()).unwrap();
        assert_eq!(order.as_deref(), expected, "{orders} orders");
    }
    assert_eq!(fulfilled_order(SUMMARY.as_bytes()), Err(CdaError::UnknownClass));
}

#[test]
fn nothing_personal_is_printed() {
    let view = View::parse(SUMMARY.as_bytes()).unwrap();
    let printed = format!("{view:?} {:?} {:?}", view.patient_ids(), view.root());
    for secret in ["Havgaard", "Agnete", "7402539902", "R03BB04", "19530214"] {
        assert!(!printed.contains(secret), "{secret}");
    }
}

#[test]
fn the_wrapped_file_is_decoded() {
    let level_one = |text: &str| {
        format!(
            r#"<ClinicalDocument xmlns="urn:hl7-org:v3"><code code="34105-7"/>
            <component><nonXMLBody>{text}</nonXMLBody></component></ClinicalDocument>"#
        )
    };
    let good =
        level_one("<text mediaType='application/pdf' representation='B64'>JVBE\n Ri0x</text>");
    let view = View::parse(good.as_bytes()).unwrap();
    assert_eq!(view.level(), Ok(Level::One));
    let file = view.embedded().unwrap();
    assert_eq!((file.media_type.as_str(), &file.bytes[..]), ("application/pdf", &b"%PDF-1"[..]));
    for bad in ["<text representation='B64'>=A=</text>", "<text>JVBERi0x</text>", ""] {
        let bytes = level_one(bad);
        assert_eq!(View::parse(bytes.as_bytes()).unwrap().embedded(), None, "{bad}");
    }
}

#[test]
fn what_is_not_a_cda_is_refused() {
    for (bytes, expected) in [
        (&b"\xff\xfe"[..], CdaError::NotReadable(XmlError::NotUtf8)),
        (
            b"<!DOCTYPE a><ClinicalDocument xmlns='urn:hl7-org:v3'/>",
            CdaError::NotReadable(XmlError::DocumentType),
        ),
        (b"<ClinicalDocument/>", CdaError::NotClinicalDocument),
        (b"<ClinicalDocument xmlns='urn:hl7-org:v3'/>", CdaError::UnknownClass),
        (
            b"<ClinicalDocument xmlns='urn:hl7-org:v3'><code code='60591-5'/></ClinicalDocument>",
            CdaError::Body,
        ),
    ] {
        assert_eq!(kind(bytes).unwrap_err(), expected);
    }
    let long = vec![b' '; LIMITS.bytes + 1];
    assert!(matches!(kind(&long), Err(CdaError::NotReadable(XmlError::TooLong { .. }))));
}

/// Walks everything that a view offers.
fn read_all(bytes: &[u8]) {
    for class in
        [DocumentClass::PatientSummary, DocumentClass::EPrescription, DocumentClass::EDispensation]
    {
        let _ = crate::findings::findings(bytes, class);
    }
    let Ok(view) = View::parse(bytes) else { return };
    let _ = (view.title(), view.embedded(), view.orders(), view.transformed_from(), kind(bytes));
    for medicine in view.medications() {
        let _ = (medicine.product(), medicine.atc(), medicine.strength(), medicine.form());
    }
    for section in view.sections() {
        let _ = (section.title(), section.text(), section.templates().count());
    }
    if let (Some(patient), Some(author)) = (view.patient(), view.author()) {
        let _ = (patient.given(), patient.gender(), author.name(), author.organization());
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_bytes_make_the_reader_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        read_all(&bytes);
    }

    #[test]
    fn no_damage_makes_the_reader_panic(cut in 0..SUMMARY.len(), len in 0usize..200, put in "[<>&\"'a-z0-9=/é\u{0}]{0,12}") {
        let mut bytes = SUMMARY.as_bytes().to_vec();
        let end = (cut + len).min(bytes.len());
        bytes.splice(cut..end, put.bytes());
        read_all(&bytes);
    }
}

/// A row for each sample: (file, class, level, section codes, medicines, orders, codes of findings)
type Expected = (
    &'static str,
    DocumentClass,
    Level,
    &'static [&'static str],
    usize,
    usize,
    &'static [&'static str],
);

const WHOLE_SUMMARY: [&str; 13] = [
    "10160-0", "48765-2", "47519-4", "11450-4", "46264-8", "11348-0", "11369-6", "10162-6",
    "29762-2", "8716-3", "30954-2", "42348-3", "47420-5",
];

const SAMPLES: &[Expected] = &[
    (
        "cda-ed/dk_CzRequest1.xml",
        DocumentClass::EDispensation,
        Level::Three,
        &["60590-7"],
        2,
        1,
        &[],
    ),
    (
        "cda-ed/dk_CzRequest2.xml",
        DocumentClass::EDispensation,
        Level::Three,
        &["60590-7"],
        2,
        1,
        &[],
    ),
    (
        "cda-ed/dk_PlRequest1.xml",
        DocumentClass::EDispensation,
        Level::Three,
        &["60590-7"],
        2,
        1,
        &[],
    ),
    (
        "cda-ed/dk_dispensation1.xml",
        DocumentClass::EDispensation,
        Level::Three,
        &["60590-7"],
        2,
        1,
        &[],
    ),
    (
        "cda-ep/ncp9_1-1234-W8.xml",
        DocumentClass::EPrescription,
        Level::Three,
        &["57828-6"],
        1,
        0,
        &[],
    ),
    (
        "cda-ep/ncp9_1-9999.xml",
        DocumentClass::EPrescription,
        Level::Three,
        &["57828-6"],
        1,
        0,
        &["WARNING_EP_MISSING_BASIC_DATA"],
    ),
    (
        "cda-ep/ncp9_1-BAD-MAPPING.xml",
        DocumentClass::EPrescription,
        Level::Three,
        &["57828-6"],
        1,
        0,
        &["WARNING_EP_MISSING_BASIC_DATA"],
    ),
    (
        "cda-ep/ncp9_1-canesten-W7.xml",
        DocumentClass::EPrescription,
        Level::Three,
        &["57828-6"],
        1,
        0,
        &[],
    ),
    ("cda-other/ncp9_3-1234-W8.xml", DocumentClass::LaboratoryReport, Level::One, &[], 0, 0, &[]),
    (
        "cda-ps/dk_PT_CDA_W3_898765405_CongestiveHeartFailure.xml",
        DocumentClass::PatientSummary,
        Level::Three,
        &["48765-2", "10160-0", "11369-6", "11450-4", "47519-4", "46264-8"],
        5,
        0,
        &["WARNING_PS_MISSING_BASIC_DATA"],
    ),
    (
        "cda-ps/dk_RTD_W5_known_absence.xml",
        DocumentClass::PatientSummary,
        Level::Three,
        &section::MANDATORY,
        1,
        0,
        &[],
    ),
    (
        "cda-ps/ncp9_2-1234-W8.xml",
        DocumentClass::PatientSummary,
        Level::Three,
        &WHOLE_SUMMARY,
        5,
        0,
        &[],
    ),
    (
        "cda-ps/ncp9_2-BAD-MAPPING.xml",
        DocumentClass::PatientSummary,
        Level::Three,
        &WHOLE_SUMMARY,
        5,
        0,
        &[],
    ),
];

#[test]
fn foreign_samples_are_read_as_expected() {
    let Some(folder) = crate::samples::openncp() else { return };
    for (file, class, level, sections, medicines, orders, codes) in SAMPLES {
        let bytes = std::fs::read(folder.join(file)).unwrap();
        let view = View::parse(&bytes).unwrap_or_else(|e| panic!("{file}: {e}"));
        assert_eq!(kind(&bytes).unwrap(), Kind { class: *class, level: *level }, "{file}");
        assert_eq!(view.sections().map(Section::code).collect::<Vec<_>>(), *sections, "{file}");
        assert_eq!(view.medications().len(), *medicines, "{file}");
        assert_eq!(view.orders().len(), *orders, "{file}");
        let found = crate::findings::of_view(&view, *class);
        assert_eq!(found.iter().map(|f| f.code.wire()).collect::<Vec<_>>(), *codes, "{file}");
    }
    for folder in ["cda-ps", "cda-ep", "cda-ed", "cda-other"].map(|name| folder.join(name)) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            assert!(
                SAMPLES.iter().any(|row| path.ends_with(row.0)),
                "{} has no expectation",
                path.display()
            );
        }
    }
}
