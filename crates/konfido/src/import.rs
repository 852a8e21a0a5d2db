//! `konfido documents import DIR`: patients and documents from a directory.
//!
//! `DIR/patients.toml` has one `[[patient]]` each; `DIR/documents/*.xml` are CDA documents of both
//! forms, whose metadata is read from the documents themselves. All or nothing: one bad file and
//! nothing is imported. Messages name files, never patients.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, ensure};
use exchange::PatientId;
use gateway::national::{Document, Patient, intake};
use serde::Deserialize;

/// `patients.toml`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PatientsFile {
    patient: Vec<PatientRow>,
}

/// One `[[patient]]`. Personal: no `Debug`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PatientRow {
    /// CX form `ext^^^&root&ISO`; the first is the national one.
    ids: Vec<String>,
    given: String,
    family: String,
    gender: String,
    birth: String,
    /// Street, city, postal code, country; empty where unknown.
    address: [String; 4],
    /// There is no default: whether a patient agreed must be written down.
    consent: bool,
}

/// Reads an import directory, for the vault and then `DocumentStore::import`.
pub fn read(dir: &Path) -> anyhow::Result<(Vec<Patient>, Vec<Document>)> {
    let path = dir.join("patients.toml");
    let text =
        fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
    // a toml error quotes the line, which is personal: only its place is told
    let file: PatientsFile = toml::from_str(&text).map_err(|e| {
        let line = e.span().map_or(0, |span| 1 + text[..span.start].matches('\n').count());
        anyhow::anyhow!(
            "{}:{line} is not a patient as the documentation describes it",
            path.display()
        )
    })?;
    let patients = (1..)
        .zip(file.patient)
        .map(|(n, row)| patient(row).with_context(|| format!("patient {n} of {}", path.display())))
        .collect::<Result<Vec<_>, _>>()?;
    let documents = documents(&dir.join("documents"), &patients)?;
    Ok((patients, documents))
}

fn patient(row: PatientRow) -> anyhow::Result<Patient> {
    let ids = row.ids.iter().map(|id| PatientId::parse_cx(id)).collect::<Result<Vec<_>, _>>()?;
    ensure!(!ids.is_empty(), "ids is empty");
    ensure!(matches!(row.gender.as_str(), "M" | "F" | "UN"), "gender is none of M, F, UN");
    let birth = row.birth.len() == 8 && row.birth.bytes().all(|b| b.is_ascii_digit());
    ensure!(birth, "birth is not yyyyMMdd");
    Ok(Patient {
        ids,
        given: row.given,
        family: row.family,
        gender: row.gender,
        birth: row.birth,
        address: row.address,
        consent: row.consent,
    })
}

fn documents(folder: &Path, patients: &[Patient]) -> anyhow::Result<Vec<Document>> {
    if !folder.exists() {
        return Ok(Vec::new());
    }
    let listing =
        fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))?;
    let mut paths = listing.map(|e| e.map(|e| e.path())).collect::<Result<Vec<_>, _>>()?;
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "xml"));
    paths.sort();
    let mut found = Vec::with_capacity(paths.len());
    for path in paths {
        let bytes = fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
        let document = intake::read(bytes.into()).with_context(|| path.display().to_string())?;
        let known = patients.iter().any(|patient| patient.ids.contains(&document.patient));
        ensure!(known, "{} is about nobody in patients.toml", path.display());
        found.push(document);
    }
    intake::pair(&mut found);
    Ok(found)
}
