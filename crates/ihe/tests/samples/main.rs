//! Samples lane: what our parsers make of every foreign message, in one table.
//!
//! Messages of gematik's simulator, OpenNCP's own tests, IPF and the Danish test tool. A message
//! that parses is also written again and read again, and must still be the same value.

#[path = "../../../testbed/samples.rs"]
mod samples;
mod table;
mod verdict;

use std::collections::BTreeSet;
use std::path::Path;

use ihe::soap::{Envelope, SOAP12};
use table::TABLE;
use trust::xml::{Limits, Xml};
use verdict::verdict;

/// The folders whose every file has a row.
const FOLDERS: [&str; 5] = ["audit", "soap", "xca", "xcpd", "xdr"];

fn read(folder: &Path, file: &str) -> String {
    let text = std::fs::read_to_string(folder.join(file)).unwrap();
    text.trim_start_matches('\u{feff}').trim_start().to_owned()
}

#[test]
fn every_sample_gets_the_verdict_of_its_row() {
    let Some(folder) = samples::openncp() else { return };
    let mut wrong = Vec::new();
    for (file, expected) in TABLE {
        let said = verdict(&read(&folder, file));
        if said != *expected {
            wrong.push(format!("{file}\n  expected {expected}\n  but got  {said}"));
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn the_table_and_the_folders_name_the_same_files() {
    let Some(folder) = samples::openncp() else { return };
    let mut found = BTreeSet::new();
    for name in FOLDERS {
        for entry in std::fs::read_dir(folder.join(name)).unwrap() {
            found.insert(format!("{name}/{}", entry.unwrap().file_name().to_string_lossy()));
        }
    }
    let listed: BTreeSet<String> = TABLE.iter().map(|row| row.0.to_owned()).collect();
    assert_eq!(listed.len(), TABLE.len(), "a file is listed twice");
    let unlisted = found.difference(&listed);
    let rows: Vec<String> = unlisted
        .map(|file| format!("(\"{file}\", {:?}),", verdict(&read(&folder, file))))
        .collect();
    assert!(rows.is_empty(), "files without a row:\n{}", rows.join("\n"));
    assert_eq!(
        listed.difference(&found).collect::<Vec<_>>(),
        Vec::<&String>::new(),
        "no such file"
    );
}

#[test]
fn openncp_8_headers_are_read_with_both_assertions() {
    let Some(folder) = samples::openncp() else { return };
    for file in [
        "soap/dk_openncp_soap_header_asstored.xml",
        "soap/dk_xca_query_soap_header_hcp_trc.restored.xml",
    ] {
        let header = read(&folder, file);
        let text = format!("<e:Envelope xmlns:e='{SOAP12}'>{header}<e:Body/></e:Envelope>");
        let xml = Xml::parse(&text, &Limits::MESSAGE).unwrap();
        let envelope = Envelope::read(&xml).unwrap();
        assert_eq!(envelope.action, Some("urn:ihe:iti:2007:CrossGatewayQuery"), "{file}");
        assert_eq!(
            envelope.message_id,
            Some("urn:uuid:67e2f278-6f1c-4dcf-9c21-c1d0392f079e"),
            "{file}"
        );
        assert!(envelope.to.is_some_and(|to| to.ends_with("/XCA_Service")), "{file}");
        let ids: Vec<_> =
            envelope.assertions().unwrap().iter().map(|a| a.attribute("ID").unwrap()).collect();
        let hcp = "_882a0deb-4595-4279-a290-ab27ebb0c270";
        assert_eq!(ids, [hcp, "_6c6bf860-907a-497e-bddf-3ae1991c74d8"], "{file}");
    }
}

#[test]
fn gematiks_match_is_read_once_its_simulator_has_filled_it_in() {
    let Some(folder) = samples::openncp() else { return };
    let text = read(&folder, "xcpd/gematik_PRPA_IN201306UV02.xml");
    let filled = text.replace("<ns6:id extension=", "<ns6:id root=\"1.2.276.0.76.4.8\" extension=");
    assert_ne!(filled, text);
    assert_eq!(
        verdict(&filled),
        "found X110571344|ABC123^^^&1.2.276.0.76.4.8&ISO \
         Maude Adelheid Lilo Johanna/GõdofskýTEST-ONLY/UN/19670630 Patientstr. 1/Patientstadt/12345/D"
    );
}
