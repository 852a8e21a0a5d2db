//! What the world writes for import is what the binary reads.

#[path = "../../konfido/src/import.rs"]
mod import;

use std::fs;

use exchange::Country;
use testbed::seed;

#[test]
fn an_import_directory_reads_back_as_the_content() {
    for code in ["DK", "ES", "IT"] {
        let country = Country::parse(code).unwrap();
        let dir = tempfile::tempdir().unwrap();
        seed::write_import(dir.path(), country).unwrap();
        let (patients, documents) = import::read(dir.path()).unwrap();
        let (expected_patients, mut expected) = seed::content(country);
        assert!(patients == expected_patients, "{code}: patients differ");
        expected.sort_by(|a, b| a.entry.unique_id.cmp(&b.entry.unique_id));
        let mut documents = documents;
        documents.sort_by(|a, b| a.entry.unique_id.cmp(&b.entry.unique_id));
        assert!(documents == expected, "{code}: documents differ");
    }
}

#[test]
fn what_is_wrong_is_said_without_naming_anybody() {
    type Damage = fn(&std::path::Path);
    let cases: [(&str, Damage, &str); 6] = [
        ("no patients file", |d| fs::remove_file(d.join("patients.toml")).unwrap(), "cannot read"),
        (
            "broken toml",
            |d| replace(d, "patients.toml", "consent = true", "consent = ja"),
            "patients.toml:",
        ),
        ("no consent", |d| replace(d, "patients.toml", "consent = false", ""), "patients.toml:"),
        ("gender", |d| replace(d, "patients.toml", "\"F\"", "\"Q\""), "patient 1 of"),
        ("stranger", |d| replace(d, "documents/PS-DK1.xml", "7402539902", "7402530000"), "nobody"),
        ("section", |d| replace(d, "documents/PS-DK1.xml", "46264-8", "1-8"), "PS-DK1.xml"),
    ];
    for (name, damage, expected) in cases {
        let dir = tempfile::tempdir().unwrap();
        seed::write_import(dir.path(), Country::parse("DK").unwrap()).unwrap();
        damage(dir.path());
        let Err(error) = import::read(dir.path()) else { panic!("{name} was imported") };
        let text = format!("{error:#}");
        assert!(text.contains(expected), "{name}: {text}");
        for personal in ["Havgaard", "7402539", "Agnete"] {
            assert!(!text.contains(personal), "{name}: {text}");
        }
    }
}

fn replace(dir: &std::path::Path, file: &str, from: &str, to: &str) {
    let path = dir.join(file);
    let text = fs::read_to_string(&path).expect("because the world wrote the file");
    assert!(text.contains(from));
    fs::write(path, text.replacen(from, to, 1)).expect("because the directory is ours");
}
