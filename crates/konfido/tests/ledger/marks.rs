//! What could stand for a person in a file, and where it stands.

use std::collections::BTreeSet;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use enclave::{Use, Vault};
use exchange::Country;
use ledger::evidence::sha256;
use siem::PseudonymKey;
use testbed::world::Citizen;

/// Everything that could stand for a person in a file, with a word for each: in the clear, encoded,
/// digested without salt, and under every key that lies in the data folder.
pub fn marks(citizen: &Citizen, country: &str, data: &Path) -> Vec<(String, Vec<u8>)> {
    let cx = citizen.id().cx();
    let key =
        |name: &str| -> [u8; 32] { std::fs::read(data.join(name)).unwrap().try_into().unwrap() };
    let mut marks = Vec::new();
    let family = citizen.family;
    for text in [&*cx, citizen.number, family, &family.to_uppercase(), &cx.replace('&', "&amp;")] {
        let bytes = text.as_bytes();
        marks.push((text.to_owned(), bytes.to_vec()));
        marks.push((
            format!("{text} in UTF-16"),
            text.encode_utf16().flat_map(u16::to_le_bytes).collect(),
        ));
        for encoded in [hex::encode(bytes), hex::encode_upper(bytes)] {
            marks.push((format!("{text} in hexadecimal"), encoded.into_bytes()));
        }
        // Base64 has three alignments; what depends on neighbours is cut off
        for shift in 0..3 {
            let moved = [&vec![0; shift][..], bytes].concat();
            for (at, encoded) in [STANDARD_NO_PAD.encode(&moved), URL_SAFE_NO_PAD.encode(&moved)]
                .into_iter()
                .enumerate()
            {
                let inner = encoded.as_bytes()[shift + 1..encoded.len() - 2].to_vec();
                marks.push((format!("{text} in Base64, {shift}, {at}"), inner));
            }
        }
        let digest = sha256(bytes);
        marks.push((format!("SHA-256 of {text}"), digest.to_vec()));
        marks.push((format!("SHA-256 of {text}, hex"), hex::encode(digest).into_bytes()));
        marks.push((
            format!("SHA-256 of {text}, Base64"),
            STANDARD_NO_PAD.encode(digest).into_bytes(),
        ));
        for name in ["session.key", "documents.key", "patients.key", "pseudonym.key"] {
            let hmac = aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA256, &key(name));
            let tag = aws_lc_rs::hmac::sign(&hmac, bytes);
            marks.push((format!("HMAC of {text} by {name}"), tag.as_ref()[..8].to_vec()));
        }
    }
    let pseudonym = PseudonymKey::new(key("pseudonym.key")).of("patient", &cx);
    marks.push((PSEUDONYM.to_owned(), pseudonym.0.to_be_bytes().to_vec()));
    let country = Country::parse(country).unwrap();
    let vault = Vault::holding(country, &[(Use::Patients, &key("patients.key"))]).unwrap();
    marks.push((NAME.to_owned(), vault.name(&cx).unwrap().to_vec()));
    marks
}

pub const PSEUDONYM: &str = "pseudonym in events";
pub const NAME: &str = "the vault's name";

/// Which of the marks stand where. The built-in store is the country's medical record of its own
/// citizens, which this erasure is not about.
pub fn search(data: &Path, marks: &[(String, Vec<u8>)]) -> BTreeSet<(String, String)> {
    let mut files = vec![data.to_owned()];
    let mut found = BTreeSet::new();
    while let Some(path) = files.pop() {
        if path.is_dir() {
            files.extend(std::fs::read_dir(&path).unwrap().map(|file| file.unwrap().path()));
        } else if !path.file_name().unwrap().to_string_lossy().starts_with("national.db") {
            let text = std::fs::read(&path).unwrap();
            for (what, mark) in marks {
                if memchr::memmem::find(&text, mark).is_some() {
                    let name = path.strip_prefix(data).unwrap().display().to_string();
                    found.insert((what.clone(), name));
                }
            }
        }
    }
    found
}
