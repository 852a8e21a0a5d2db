//! Real OpenNCP signatures (samples lane): the good ones verify, all others do not.

#[path = "../../testbed/samples.rs"]
mod samples;

use std::path::PathBuf;

use trust::certificate::{Anchors, Certificate, Usage};
use trust::signature::{Profile, SignatureError, verify_enveloped, verify_key_value_signature};
use trust::xml::{Limits, Xml};

const SAML: &str = "urn:oasis:names:tc:SAML:2.0:assertion";

/// Verdicts on every assertion in a file that has a signature.
fn verdicts(text: &str, anchors: &Anchors) -> Vec<bool> {
    let Ok(xml) = Xml::parse(text, &Limits::MESSAGE) else { return vec![false] };
    let root = xml.root();
    let mut assertions: Vec<_> = root.descendants().filter(|e| e.is(SAML, "Assertion")).collect();
    if root.is(SAML, "Assertion") {
        assertions.push(root);
    }
    assertions
        .into_iter()
        .map(|assertion| {
            let alone = assertion.standalone();
            let Ok(xml) = Xml::parse(&alone, &Limits::ASSERTION) else { return false };
            verify_enveloped(xml.root(), Profile::Ehdsi).is_ok_and(|signed| {
                let at = "2025-01-01T00:00:00Z".parse().unwrap();
                anchors.verify(signed.certificate(), &[], Usage::Seal, at).unwrap();
                true
            })
        })
        .collect()
}

#[test]
fn the_danish_header_verifies_and_the_edited_ones_do_not() {
    let Some(folder) = samples::openncp() else { return };
    let read = |name: &str| std::fs::read_to_string(folder.join(name)).unwrap();
    let anchors = Anchors::from_pem(read("certs/ehdsi_ca.pem").as_bytes()).unwrap();
    for (file, expected) in [
        ("soap/dk_xca_query_soap_header_hcp_trc.restored.xml", vec![true, true]),
        ("saml/dk_hcp_assertion.restored.xml", vec![true]),
        ("saml/dk_trc_assertion.restored.xml", vec![true]),
        ("soap/dk_openncp_soap_header_asstored.xml", vec![false, false]),
        ("saml/ncp8_SignedSamlAssertion.xml", vec![false]),
        ("soap/ncp8_incomingMsg.xml", vec![false]),
        ("saml/ncp8_SAMLIdAssertion.xml", vec![false]),
    ] {
        assert_eq!(verdicts(&read(file), &anchors), expected, "{file}");
    }
}

#[test]
fn each_certificate_is_read_and_only_the_issued_seal_leads_to_the_ehdsi_root() {
    let Some(folder) = samples::openncp() else { return };
    let folder = folder.join("certs");
    let anchors = Anchors::from_pem(&std::fs::read(folder.join("ehdsi_ca.pem")).unwrap()).unwrap();
    let at = "2026-01-01T00:00:00Z".parse().unwrap();
    let table = [
        ("dk_bootcamp_seal.pem", "DK", "GRP:EHEALTH_NCP_BOOTCAMP_DK", true),
        ("dk_testtool_testcert.cer", "DK", "ncp-training.ehdsi.sundhedsdata.dk", false),
        ("ehdsi_ca.pem", "BE", "EHDSI CA", false),
        ("ehdsi_ca__ihe_europe_ca_.pem", "BE", "EHDSI CA", false),
    ];
    for (file, country, name, trusted) in table {
        let bytes = std::fs::read(folder.join(file)).unwrap();
        let certificate = Certificate::from_pem(&bytes).unwrap().remove(0);
        assert_eq!(certificate.country(), exchange::Country::parse(country).ok(), "{file}");
        assert_eq!(certificate.common_name(), name, "{file}");
        let verdict = anchors.verify(&certificate, &[], Usage::Seal, at);
        assert_eq!(verdict.is_ok(), trusted, "{file}: {verdict:?}");
    }
    for entry in std::fs::read_dir(folder).unwrap() {
        let file = entry.unwrap().file_name().into_string().unwrap();
        assert!(table.iter().any(|row| row.0 == file), "{file} has no row");
    }
}

#[test]
fn the_openncp_audit_record_verifies_by_its_bare_key() {
    let Some(folder) = samples::openncp() else { return };
    let text = std::fs::read_to_string(folder.join("audit/ncp9_auditMessage.xml")).unwrap();
    let xml = Xml::parse(&text, &Limits::ASSERTION).unwrap();
    verify_key_value_signature(xml.root()).unwrap();
    let tampered = text.replacen("EventOutcomeIndicator=\"0\"", "EventOutcomeIndicator=\"4\"", 1);
    assert_ne!(text, tampered);
    let xml = Xml::parse(&tampered, &Limits::ASSERTION).unwrap();
    assert!(verify_key_value_signature(xml.root()).is_err());
}

#[test]
fn the_hostile_set_never_yields_evil() {
    let Some(openncp) = samples::openncp() else { return };
    let folder = openncp.with_file_name("identity").join("xsw");
    let Ok(pem) = std::fs::read(folder.join("generated/rsa2048.crt")) else { return };
    let trusted = Certificate::from_pem(&pem).unwrap().remove(0);
    let (mut files, mut seen, mut accepted) = (0, 0, 0);
    for entry in walk(&folder) {
        let Ok(text) = std::fs::read_to_string(&entry) else { continue };
        let text = decoded(text);
        let Ok(xml) = Xml::parse(&text, &Limits::MESSAGE) else { continue };
        files += 1;
        let root = xml.root();
        for assertion in root.descendants().chain([root]).filter(|e| e.is(SAML, "Assertion")) {
            seen += 1;
            let alone = assertion.standalone();
            let Ok(xml) = Xml::parse(&alone, &Limits::ASSERTION) else { continue };
            // an injected key verifies by itself; what stops it is that nobody trusts its certificate
            let known =
                |signed: &trust::signature::Signed<'_, '_>| *signed.certificate() == trusted;
            if let Some(signed) = verify_enveloped(xml.root(), Profile::Ehdsi).ok().filter(known) {
                accepted += 1;
                assert!(!signed.element().deep_text().contains("EVIL"), "{}", entry.display());
            }
        }
    }
    assert!(seen > 10, "only {seen} assertions were tried");
    assert!(files > 40, "only {files} files were parsed");
    assert!(accepted > 0, "not even the valid ones were accepted");
}

/// Four of the nine whole messages of the German middleware have SHA-1 digests: the engine, asked
/// alone, takes them, and our list does not.
#[test]
fn the_engine_takes_sha_1_and_we_do_not() {
    let Some(folder) = samples::identity() else { return };
    let names =
        ["OnlyProviderName", "OnlyRequesterId", "ProviderNameAndRequesterId", "outProviderName"];
    for name in names {
        let file = format!("eidas-middleware/starterkit/EidasSamlRequestWith{name}.xml");
        let text = std::fs::read_to_string(folder.join(&file)).unwrap();
        let engine = |text: &str| {
            let document = uppsala::parse(text).unwrap();
            let context = bergshamra::DsigContext::new_permissive(bergshamra::KeysManager::new());
            let verdict = bergshamra::dsig::verify::verify_document(&context, &document);
            matches!(verdict, Ok(bergshamra::VerifyResult::Valid { .. }))
        };
        assert!(engine(&text), "{file}");
        assert!(!engine(&text.replacen("eidas.europa.eu", "eidas.europa.eU", 1)), "{file}");
        let xml = Xml::parse(&text, &Limits::MESSAGE).unwrap();
        let refused = verify_enveloped(xml.root(), Profile::Ehdsi).err();
        assert_eq!(refused, Some(SignatureError::Forbidden("digest method")), "{file}");
    }
}

/// Some collections keep their messages as the base64 of the POST binding.
fn decoded(text: String) -> String {
    use base64::Engine as _;
    let packed: String = text.split_ascii_whitespace().collect();
    let bytes = base64::engine::general_purpose::STANDARD.decode(packed).ok();
    bytes.and_then(|bytes| String::from_utf8(bytes).ok()).unwrap_or(text)
}

fn walk(folder: &std::path::Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    entries
        .flatten()
        .flat_map(|e| if e.path().is_dir() { walk(&e.path()) } else { vec![e.path()] })
        .collect()
}
