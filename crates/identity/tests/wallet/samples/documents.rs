//! mdocs of the reference verifier and of isomdl.

use std::fs;
use std::path::Path;

use ciborium::Value as Cbor;
use identity::wallet::jose::decode;
use identity::wallet::{Issuers, Refused, mdoc};
use jiff::Timestamp;
use serde_json::Value;
use trust::certificate::Certificate;

use super::{eudi, time, trusting};
use crate::issuer::PidIssuer;
use crate::parts::{bytes_of, map};

/// `DeviceResponse`s; an `IssuerSigned` alone is put into one.
pub fn mdocs(folder: &Path) -> Vec<(&'static str, Vec<u8>, &'static str, [usize; 2])> {
    let token = |name: &str, id: &str| {
        let text = fs::read(folder.join("eudi-verifier").join(name)).unwrap();
        let tokens: Value = serde_json::from_slice(&text).unwrap();
        decode(tokens[id][0].as_str().unwrap()).unwrap()
    };
    let both = "06-pidPlusMdl-vpToken.json";
    let utopia = wrapped(&hex(&folder.join("isomdl/definitions/issuer_signed.cbor")));
    let mdl = token("08-mdl-vpToken.json", "query_0");
    vec![
        ("06, PID", token(both, "eu_europa_ec_eudi_pid_1"), "2025-06-01T00:00:00Z", [0, 1]),
        ("06, licence", token(both, "org_iso_18013_5_1_mDL"), "2025-06-01T00:00:00Z", [1, 1]),
        ("08, licence with portrait", mdl, "2025-12-20T00:00:00Z", [0, 26]),
        ("isomdl, issuer_signed", utopia, "2020-11-01T00:00:00Z", [0, 6]),
    ]
}

pub fn hex(path: &Path) -> Vec<u8> {
    let text = fs::read_to_string(path).unwrap();
    let digits = text.trim().as_bytes().chunks(2);
    digits.map(|two| u8::from_str_radix(std::str::from_utf8(two).unwrap(), 16).unwrap()).collect()
}

pub fn wrapped(issuer_signed: &[u8]) -> Vec<u8> {
    let issuer_signed: Cbor = ciborium::from_reader(issuer_signed).unwrap();
    let empty = Cbor::Tag(24, Box::new(bytes_of(&Cbor::Map(vec![])).into()));
    let document = map([
        ("docType", "org.iso.18013.5.1.mDL".into()),
        ("issuerSigned", issuer_signed),
        ("deviceSigned", map([("nameSpaces", empty), ("deviceAuth", map([]))])),
    ]);
    let documents = Cbor::Array(vec![document]);
    bytes_of(&map([("version", "1.0".into()), ("documents", documents), ("status", 0.into())]))
}

pub fn issued(
    bytes: &[u8],
    number: usize,
    issuers: &Issuers,
    at: Timestamp,
) -> Result<mdoc::Credential, Refused> {
    let response = mdoc::Response::from_cbor(bytes)?;
    let document = &response.documents()[number];
    let credential = document.issued_by(&document.issuer(issuers, at)?)?;
    credential.is_current(document.doc_type(), at)?;
    Ok(credential)
}

/// The device signatures of 06 and 08 are over transcripts with a nonce of the wallet (ISO/IEC
/// 18013-7) that the vectors do not tell: they cannot be checked, and are refused under ours.
#[test]
fn mdocs_of_others_verify_and_not_with_a_flipped_byte() {
    let Some(folder) = eudi() else { return };
    for (what, bytes, at, [number, elements]) in mdocs(&folder) {
        let response = mdoc::Response::from_cbor(&bytes).unwrap();
        let document = &response.documents()[number];
        let leaf = Certificate::from_der(&document.chain().unwrap()[0]).unwrap();
        let (issuers, now) = (trusting(leaf.clone()), time(at));
        let credential = issued(&bytes, number, &issuers, now);
        let credential = credential.unwrap_or_else(|refused| panic!("{what}: {refused}"));
        assert_eq!(credential.len(), elements, "{what}");
        let transcript = mdoc::transcript("client", "nonce", None, "https://x.example");
        let bound = document.bound(&credential, &transcript);
        assert_eq!(bound, Err(Refused::DeviceSignature), "{what}");
        let stranger = trusting(stranger());
        assert_eq!(issued(&bytes, number, &stranger, now).err(), Some(Refused::Untrusted));
        for region in signed_regions(&bytes, number) {
            let step = (region.len() / 97).max(1);
            for place in region.step_by(step) {
                let mut damaged = bytes.clone();
                damaged[place] ^= 1;
                let outcome = issued(&damaged, number, &issuers, now);
                assert!(outcome.is_err(), "{what}: byte {place} of {}", bytes.len());
            }
        }
    }
}

fn stranger() -> Certificate {
    let now = time("2026-11-21T12:00:00Z");
    let other = PidIssuer::new("UT", now);
    Certificate::from_pem(other.signer().chain_pem().as_bytes()).unwrap().remove(0)
}

/// Where the items, the certificate, the security object and the signature stand.
fn signed_regions(bytes: &[u8], number: usize) -> Vec<std::ops::Range<usize>> {
    let root: Cbor = ciborium::from_reader(bytes).unwrap();
    let member = |value: &Cbor, name: &str| {
        let entries = value.as_map().unwrap().iter();
        entries.clone().find(|(key, _)| key.as_text() == Some(name)).unwrap().1.clone()
    };
    let document = member(&root, "documents").as_array().unwrap()[number].clone();
    let issuer = member(&document, "issuerSigned");
    let auth = member(&issuer, "issuerAuth").into_array().unwrap();
    let mut parts: Vec<Vec<u8>> = vec![];
    for (_, items) in member(&issuer, "nameSpaces").into_map().unwrap() {
        for item in items.into_array().unwrap() {
            let Cbor::Tag(24, inner) = item else { panic!("no item") };
            parts.push(inner.into_bytes().unwrap());
        }
    }
    parts.push(auth[1].as_map().unwrap()[0].1.as_bytes().unwrap().clone());
    parts.extend([2, 3].map(|place: usize| auth[place].as_bytes().unwrap().clone()));
    let find = |part: &Vec<u8>| {
        // both documents of a response have the same certificate: the first or the last place
        let mut windows = bytes.windows(part.len());
        let is = |window: &[u8]| window == part;
        let start = if number == 0 { windows.position(is) } else { windows.rposition(is) }.unwrap();
        start..start + part.len()
    };
    parts.iter().map(find).collect()
}

/// (file, time, whether it leads to the root beside it)
#[test]
fn certificates_of_mdoc_signers_are_judged_as_such() {
    let Some(folder) = eudi() else { return };
    let folder = folder.join("isomdl/presentation");
    let read = |name: &str| {
        Certificate::from_pem(&fs::read(folder.join(name)).unwrap()).unwrap().remove(0)
    };
    let (old, new) = ("2024-01-01T00:00:00Z", "2026-11-21T12:00:00Z");
    let (isomdl, multipaz) = ("isomdl_iaca_root_cert.pem", "owf_multipaz_iaca_p384.pem");
    let table = [
        ("isomdl_iaca_signer.pem", isomdl, old, Ok(())),
        ("isomdl_iaca_signer.pem", isomdl, new, Err(Refused::Untrusted)),
        ("isomdl_iaca_signer.pem", multipaz, old, Err(Refused::Untrusted)),
        // authorities that would sign credentials themselves
        ("isomdl_incorrect_iaca_signer.pem", isomdl, old, Err(Refused::Untrusted)),
        ("isomdl_iaca_intermediate.pem", isomdl, old, Err(Refused::Untrusted)),
        ("isomdl_iaca_leaf_signer.pem", isomdl, old, Err(Refused::Untrusted)),
        ("reader_auth.pem", isomdl, old, Err(Refused::Untrusted)),
        ("owf_multipaz_ds_p384.pem", multipaz, new, Ok(())),
    ];
    for (leaf, root, at, expected) in table {
        let chain = [read(leaf).der().to_vec()];
        let outcome = trusting(read(root)).recognise(&chain, time(at)).map(|_| ());
        assert_eq!(outcome, expected, "{leaf} under {root} at {at}");
    }
}
