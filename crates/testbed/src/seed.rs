//! What a national store of the world is filled with: patients, and their documents in both forms.
//!
//! `content` fills a store in process; `write_import` writes the directory that `konfido documents
//! import DIR` reads: `patients.toml` and `documents/*.xml`.

use std::fs;
use std::io;
use std::path::Path;

use bytes::Bytes;
use exchange::{Country, DocumentClass, RoleCode};
use gateway::national::{Document, Patient, intake};
use jiff::Timestamp;

use crate::documents::{self, Header, Medicine, Prescription, medicine};
use crate::world::{self, Citizen, Clinician, Land};

/// When the world's documents were written; fixed, so that two runs make the same bytes.
pub fn written() -> Timestamp {
    Timestamp::from_second(1_793_600_000).expect("because it is a time in 2026")
}

/// The citizen as the national store knows them.
pub fn patient(citizen: &Citizen) -> Patient {
    Patient {
        ids: vec![citizen.id()],
        given: citizen.given.to_owned(),
        family: citizen.family.to_owned(),
        gender: citizen.gender.to_owned(),
        birth: citizen.birth.to_owned(),
        address: citizen.address.map(str::to_owned),
        consent: citizen.consent,
    }
}

/// A document with the name of its file.
struct File {
    name: String,
    text: String,
}

/// The documents of a citizen: a Patient Summary and two ePrescriptions, each coded and as PDF.
///
/// Unique ids are `repository^PS-number`, `repository^EP-number-1` and so on, with `-pdf` behind
/// them for the PDF form; prescriptions are `repository^RX-number-1` and `-2`.
fn files(citizen: &Citizen) -> Vec<File> {
    let mut files = Vec::new();
    let author = world::clinician(citizen.land().country(), RoleCode::DOCTOR)
        .expect("because every country of the world has a doctor");
    let summary = Draft { citizen, author, class: DocumentClass::PatientSummary };
    let id = format!("PS-{}", tag(citizen));
    summary.both(&mut files, &id, &["Patient Summary"], documents::patient_summary);
    for (n, medicine) in (1..).zip(prescribed()) {
        let draft = Draft { citizen, author, class: DocumentClass::EPrescription };
        let (id, number) = (format!("EP-{}-{n}", tag(citizen)), prescription_number(citizen, n));
        let order = Prescription { number: &number, medicines: &[medicine] };
        let lines = ["ePrescription", &medicine.sentence()];
        draft.both(&mut files, &id, &lines, |header| documents::prescription(header, &order));
    }
    files
}

/// What every citizen has prescribed, one ePrescription each.
pub fn prescribed() -> [&'static Medicine; 2] {
    [medicine("H02AB06"), medicine("R03AC02")]
}

/// The number of the citizen's n-th prescription, from 1; its root is the land's repository.
pub fn prescription_number(citizen: &Citizen, n: usize) -> String {
    format!("RX-{}-{n}", tag(citizen))
}

/// The citizen in document ids, which travel in the clear: country and place in the table.
fn tag(citizen: &Citizen) -> String {
    let place = world::CITIZENS.iter().position(|other| other.number == citizen.number);
    format!("{}{}", citizen.country, place.map_or(0, |n| n + 1))
}

/// What both forms of a document share.
struct Draft<'a> {
    citizen: &'a Citizen,
    author: &'a Clinician,
    class: DocumentClass,
}

impl Draft<'_> {
    fn both(
        &self,
        files: &mut Vec<File>,
        id: &str,
        lines: &[&str],
        coded: impl FnOnce(&Header<'_>) -> String,
    ) {
        let pdf = format!("{id}-pdf");
        let header = |id, source| Header {
            patient: self.citizen,
            author: self.author,
            id: (self.citizen.land().repository, id),
            source,
            created: written(),
        };
        let text = coded(&header(id, Some(&pdf)));
        files.push(File { name: format!("{id}.xml"), text });
        let text = documents::wrapped_pdf(&header(&pdf, None), self.class, lines);
        files.push(File { name: format!("{pdf}.xml"), text });
    }
}

/// The patients and documents of a country, for the vault and then `DocumentStore::import`.
pub fn content(country: Country) -> (Vec<Patient>, Vec<Document>) {
    let patients = world::citizens(country).map(patient).collect();
    let mut documents: Vec<Document> = world::citizens(country)
        .flat_map(files)
        .map(|file| intake::read(Bytes::from(file.text)).expect("because we write what we take in"))
        .collect();
    intake::pair(&mut documents);
    (patients, documents)
}

/// Writes `patients.toml` and `documents/*.xml` of a country.
pub fn write_import(dir: &Path, country: Country) -> io::Result<()> {
    let folder = dir.join("documents");
    fs::create_dir_all(&folder)?;
    let land = Land::of(country).map_or("an unknown country", |land| land.name);
    let mut toml = format!("# Invented patients of {land}; nobody here exists.\n");
    for citizen in world::citizens(country) {
        let [street, city, postal_code, of] = citizen.address;
        toml.push_str(&format!(
            "\n[[patient]]\nids = [{:?}]\ngiven = {:?}\nfamily = {:?}\ngender = {:?}\nbirth = {:?}\n\
             address = [{street:?}, {city:?}, {postal_code:?}, {of:?}]\nconsent = {}\n",
            citizen.id().cx(),
            citizen.given,
            citizen.family,
            citizen.gender,
            citizen.birth,
            citizen.consent,
        ));
        for file in files(citizen) {
            fs::write(folder.join(&file.name), &file.text)?;
        }
    }
    fs::write(dir.join("patients.toml"), toml)
}

#[cfg(test)]
mod tests {
    use gateway::national::{Form, Status};

    use super::*;

    #[test]
    fn every_patient_has_both_forms_linked_both_ways() {
        let (patients, documents) = content(Country::parse("DK").unwrap());
        assert_eq!((patients.len(), documents.len()), (3, 18));
        assert_eq!(patients.iter().filter(|p| !p.consent).count(), 1);
        for document in &documents {
            let entry = &document.entry;
            let twin = documents
                .iter()
                .find(|other| Some(&other.entry.unique_id) == entry.twin.as_ref())
                .unwrap();
            assert_eq!(twin.entry.twin.as_ref(), Some(&entry.unique_id));
            assert_ne!(twin.entry.form, entry.form);
            assert_eq!(twin.entry.prescription, entry.prescription);
            assert_eq!((entry.hash.len(), entry.size), (40, document.bytes.len() as u64));
            let prescribes = entry.class == DocumentClass::EPrescription;
            assert_eq!(entry.status, prescribes.then_some(Status::Open));
            assert_eq!(entry.atc.is_some(), prescribes);
        }
        let first = documents.iter().find(|d| d.entry.prescription.is_some()).unwrap();
        assert_eq!(first.entry.form, Form::Coded);
        assert_eq!(first.entry.unique_id, "2.999.208.1^EP-DK1-1");
        assert_eq!(first.entry.prescription.as_deref(), Some("2.999.208.1^RX-DK1-1"));
        assert_eq!(first.entry.atc.as_deref(), Some("H02AB06"));
    }

    #[test]
    fn document_ids_say_nothing_about_the_patient() {
        for citizen in world::CITIZENS {
            for file in files(citizen) {
                assert!(!file.name.contains(citizen.number) && !file.name.contains(citizen.family));
            }
        }
    }
}
