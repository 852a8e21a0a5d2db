//! Samples lane: what the rules say to assertions that others made, in one table.

#[path = "../../testbed/samples.rs"]
mod samples;

use std::collections::BTreeSet;

use exchange::{Code, Country, PatientId, Purpose, RoleCode, Transaction};
use identity::mask::{MaskRefusal, SearchMask, Traits};
use identity::{AssertionCache, Context, recognise};
use trust::certificate::Anchors;
use trust::xml::{Element, Limits, Xml};

const SAML: &str = "urn:oasis:names:tc:SAML:2.0:assertion";
const HCP: &str = "saml/dk_hcp_assertion.restored.xml";
const TRC: &str = "saml/dk_trc_assertion.restored.xml";
const HEADER: &str = "soap/dk_xca_query_soap_header_hcp_trc.restored.xml";
const STORED: &str = "soap/dk_openncp_soap_header_asstored.xml";
const NOW: &str = "2025-07-26T11:40:00Z";
const PATIENT: &str = "1011649927^^^&1.2.208.176.1.2&ISO";

/// What is sent, and what the rules say: nothing, or a code and the rule or reason behind it.
struct Row {
    files: &'static [&'static str],
    transaction: Transaction,
    now: &'static str,
    patient: &'static str,
    peer: &'static str,
    refused: Option<(Code, &'static str)>,
}

/// The Danish pair, as it was sent.
const GOOD: Row = Row {
    files: &[HEADER],
    transaction: Transaction::Query,
    now: NOW,
    patient: PATIENT,
    peer: "DK",
    refused: None,
};

const fn alone(files: &'static [&'static str], refused: (Code, &'static str)) -> Row {
    Row { files, refused: Some(refused), ..GOOD }
}

static TABLE: &[Row] = &[
    GOOD,
    Row { files: &[HCP, TRC], ..GOOD },
    Row { files: &[HCP, TRC], transaction: Transaction::Retrieve, ..GOOD },
    Row { files: &[HCP], transaction: Transaction::PatientDiscovery, ..GOOD },
    alone(&[HCP], (Code::ErrorNotValidTrcAssertion, "trc required")),
    alone(&[TRC], (Code::ErrorHpiAuthenticationNotReceived, "")),
    Row {
        now: "2025-07-26T11:30:00Z",
        refused: Some((Code::ErrorNotValidAssertion, "issue instant")),
        ..GOOD
    },
    Row {
        now: "2025-07-26T13:40:00Z",
        refused: Some((Code::ErrorNotValidAssertion, "not on or after")),
        ..GOOD
    },
    Row {
        patient: "1011649927^^^&1.2.208.176.1.3&ISO",
        refused: Some((Code::ErrorUnknownPatientIdentifier, "patient of the trc")),
        ..GOOD
    },
    Row { peer: "ES", refused: Some((Code::ErrorNotValidAssertion, "tls country")), ..GOOD },
    alone(&[STORED], (Code::ErrorNotValidAssertion, "")),
    alone(&["saml/dk_hcp_template.xml"], (Code::ErrorNoSignature, "")),
    alone(&["saml/dk_trc_template.xml"], (Code::ErrorNoSignature, "")),
    alone(&["saml/ncp8_SAMLIdAssertion.xml"], (Code::ErrorNotValidAssertion, "")),
    alone(&["saml/ncp8_SignedSamlAssertion.xml"], (Code::ErrorNotValidAssertion, "")),
    alone(&["soap/ncp8_incomingMsg.xml"], (Code::ErrorNotValidAssertion, "")),
];

fn outermost<'d, 'a>(element: Element<'d, 'a>) -> Vec<Element<'d, 'a>> {
    if element.is(SAML, "Assertion") {
        return vec![element];
    }
    element.children().flat_map(outermost).collect()
}

#[test]
fn every_foreign_assertion_gets_the_verdict_of_its_row() {
    let Some(folder) = samples::openncp() else { return };
    let anchors =
        Anchors::from_pem(&std::fs::read(folder.join("certs/ehdsi_ca.pem")).unwrap()).unwrap();
    for row in TABLE {
        let texts: Vec<String> = row
            .files
            .iter()
            .map(|file| std::fs::read_to_string(folder.join(file)).unwrap())
            .collect();
        let documents: Vec<_> =
            texts.iter().map(|text| Xml::parse(text, &Limits::MESSAGE).unwrap()).collect();
        let assertions: Vec<_> = documents.iter().flat_map(|xml| outermost(xml.root())).collect();
        assert!(!assertions.is_empty(), "{:?}", row.files);
        let patients = [PatientId::parse_cx(row.patient).unwrap()];
        let context = Context {
            transaction: row.transaction,
            discard: false,
            patients: &patients,
            peer: Country::parse(row.peer).ok(),
            now: row.now.parse().unwrap(),
            anchors: &anchors,
        };
        let verdict = recognise(&assertions, &context, &AssertionCache::new(8));
        match (verdict, row.refused) {
            (Ok(who), None) => {
                assert_eq!((who.role(), who.purpose()), (RoleCode::DOCTOR, Purpose::Treatment));
                assert_eq!(who.professional(), "house@ehdsi.eu@urn:idp:DK:countryB");
                assert_eq!(who.patient(), Some(&patients[0]));
                assert_eq!(who.point_of_care(), "eHDSI EU Testing MedCare Center");
            }
            (Err(refusal), Some((code, rule))) => {
                assert_eq!(refusal.code, code, "{:?}: {}", row.files, refusal.detail);
                assert!(refusal.detail.contains(rule), "{:?}: {}", row.files, refusal.detail);
            }
            (verdict, refused) => panic!("{:?}: {verdict:?} instead of {refused:?}", row.files),
        }
    }
}

#[test]
fn every_file_of_the_saml_folder_has_a_row() {
    let Some(folder) = samples::openncp() else { return };
    let listed: BTreeSet<&str> = TABLE.iter().flat_map(|row| row.files).copied().collect();
    for entry in std::fs::read_dir(folder.join("saml")).unwrap() {
        let file = format!("saml/{}", entry.unwrap().file_name().to_string_lossy());
        assert!(listed.contains(file.as_str()), "{file} has no row");
    }
}

#[test]
fn the_published_danish_search_mask_knows_a_danish_number() {
    let Some(folder) = samples::openncp() else { return };
    let text = std::fs::read_to_string(folder.join("smp/dk_InternationalSearch_DK.xml")).unwrap();
    let mask = SearchMask::parse(&text).unwrap();
    assert_eq!(mask.country().as_str(), "DK");
    for (cx, verdict) in [
        ("7402539902^^^&1.2.208.176.1.2&ISO", Ok(())),
        ("12345^^^&1.2.208.176.1.2&ISO", Err(MaskRefusal::Format)),
        ("7402539902^^^&1.3.6.1.4.1.19126.3&ISO", Err(MaskRefusal::Domain)),
    ] {
        let traits = Traits::number(PatientId::parse_cx(cx).unwrap());
        assert_eq!(mask.check(&traits), verdict);
    }
}
