//! Where the samples lie, and how one of them is verified.

use std::path::PathBuf;

use enclave::attest::{Claims, Collateral, Evidence, Kind, Refusal, Roots, Verified, verify};
use jiff::Timestamp;

/// The folder of samples, or `None` with a line that says so. They are third parties' and are not
/// part of this repository.
pub fn folder() -> Option<PathBuf> {
    let root = std::env::var_os("KONFIDO_SAMPLES").map_or_else(
        || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/samples"),
        PathBuf::from,
    );
    let folder = root.join("attestation");
    if folder.is_dir() {
        return Some(folder);
    }
    println!("skipped: no samples at {}", folder.display());
    None
}

/// Reads a sample; panics with its name.
pub fn read(path: &str) -> Vec<u8> {
    let file = folder().expect("because the caller asked").join(path);
    std::fs::read(&file).unwrap_or_else(|e| panic!("{}: {e}", file.display()))
}

/// Where in a file the evidence is.
#[derive(Debug, Clone, Copy)]
pub enum Cut {
    Whole,
    /// The file is text in hexadecimal.
    Hex,
    /// This many bytes from here.
    At(usize, usize),
}

impl Cut {
    pub fn read(self, path: &str) -> Vec<u8> {
        let bytes = read(path);
        let bytes = if bytes.starts_with(b"{") { hexadecimal(&bytes) } else { bytes };
        match self {
            Self::Whole => bytes,
            Self::Hex => {
                let text = String::from_utf8(bytes).unwrap();
                hex::decode(text.trim().trim_start_matches("0x")).unwrap()
            }
            Self::At(from, length) => bytes[from..from + length].to_vec(),
        }
    }
}

/// Collateral of one or more files, one after the other.
pub fn collateral(kind: Kind, paths: &[&str]) -> Result<Collateral, Refusal> {
    let mut all = Vec::new();
    for path in paths {
        let bytes = read(path);
        let bytes = if bytes.starts_with(b"{") { hexadecimal(&bytes) } else { bytes };
        // PEM and DER do not mix in one text
        if paths.len() > 1 && !bytes.starts_with(b"-----") {
            all.extend(pem(&bytes));
        } else {
            all.extend(bytes);
        }
    }
    Collateral::parse(kind, &all)
}

/// One derived file has its signatures as lists of numbers.
fn hexadecimal(json: &[u8]) -> Vec<u8> {
    let mut value: serde_json::Value = serde_json::from_slice(json).unwrap();
    for (_, field) in value.as_object_mut().unwrap() {
        if let Some(list) = field.as_array() {
            let bytes: Vec<u8> = list.iter().map(|n| n.as_u64().unwrap() as u8).collect();
            *field = hex::encode(bytes).into();
        }
    }
    serde_json::to_vec(&value).unwrap()
}

fn pem(der: &[u8]) -> Vec<u8> {
    use base64::Engine as _;
    let text = base64::engine::general_purpose::STANDARD.encode(der);
    format!("-----BEGIN CERTIFICATE-----\n{text}\n-----END CERTIFICATE-----\n").into_bytes()
}

pub fn check(
    kind: Kind,
    blob: &[u8],
    collateral: &Collateral,
    roots: &Roots,
    now: &str,
) -> Result<Verified<Claims>, Refusal> {
    let now: Timestamp = now.parse().unwrap();
    verify(&Evidence::new(kind, blob), collateral, roots, now)
}

/// A verdict in a few words, as the tables below spell it.
pub fn verdict(result: &Result<Verified<Claims>, Refusal>) -> String {
    match result {
        Ok(verified) => {
            let claims = verified.claims();
            let mut words = vec!["ok".to_owned()];
            words.extend(claims.tcb.status.clone());
            words.extend(claims.tcb.advisories.iter().cloned());
            if claims.debug {
                words.push("debug".into());
            }
            if claims.platform.dynamic == Some(true) {
                words.push("dynamic".into());
            }
            words.join(" ")
        }
        Err(refusal) => refusal.reason.code().to_owned(),
    }
}
