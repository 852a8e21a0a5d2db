//! Samples lane: what others made. Whatever carries a signature verifies, and with one byte flipped
//! it does not; where it cannot, its row says why. The vectors bring no authority, so that the
//! anchor is the vector's own certificate, and the clock is one at which that was valid.

use std::fs;
use std::path::{Path, PathBuf};

use aws_lc_rs::agreement::{ECDH_P256, PrivateKey};
use ciborium::Value as Cbor;
use coset::{CborSerializable as _, CoseSign1};
use exchange::Country;
use identity::wallet::jose::{PublicKey, decode};
use identity::wallet::sd_jwt::{Binding, Presentation};
use identity::wallet::{Issuers, Refused, jwe, mdoc};
use jiff::Timestamp;
use serde_json::Value;
use trust::certificate::{Anchors, Certificate};

use crate::issuer::{bytes_of, encode, map};

fn eudi() -> Option<PathBuf> {
    let root = std::env::var_os("KONFIDO_SAMPLES").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/samples"),
        PathBuf::from,
    );
    let folder = root.join("identity/eudi");
    if folder.is_dir() {
        return Some(folder);
    }
    println!("skipped: no samples at {}", folder.display());
    None
}

fn trusting(certificate: Certificate) -> Issuers {
    let anchors = Anchors::new(vec![certificate]).unwrap();
    Issuers::new([(Country::parse("UT").unwrap(), anchors)].into()).unwrap()
}

fn time(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// The spec breaks long lines.
fn joined(path: &Path) -> String {
    fs::read_to_string(path).unwrap().split_whitespace().collect()
}

/// A file of an SD-JWT presentation and what it is verified with.
struct SdJwt {
    text: String,
    issuer: Value,
    audience: &'static str,
    nonce: &'static str,
    at: &'static str,
    disclosed: &'static [&'static str],
    /// Whether the holder's signature is by the key in the credential.
    bound: Result<(), Refused>,
}

fn sd_jwts(folder: &Path) -> Vec<SdJwt> {
    let ehic = fs::read(folder.join("eudi-verifier/07-ehicSdJwtVc-vpToken.json")).unwrap();
    let ehic: Value = serde_json::from_slice(&ehic).unwrap();
    let ehic = ehic.as_object().unwrap().values().next().unwrap()[0].as_str().unwrap().to_owned();
    let payload = decode(ehic.split('.').nth(1).unwrap()).unwrap();
    let payload: Value = serde_json::from_slice(&payload).unwrap();
    // a key in the name of the issuer: HAIP wants certificates, so this is the test's affair only
    let did = payload["iss"].as_str().unwrap().strip_prefix("did:jwk:").unwrap();
    let did: Value = serde_json::from_slice(&decode(did).unwrap()).unwrap();
    let spec = folder.join("openid4vp-1.0/sd_jwt_vcld/01/sd_jwt_presentation.txt");
    vec![
        SdJwt {
            text: ehic,
            issuer: did,
            audience: "Sample Verifier Actor",
            nonce: "[B@3a4e524",
            at: "2025-04-09T06:41:35Z",
            disclosed: &["birthdate", "given_name", "family_name"],
            // its binding is by a key that the vector does not hold (python-cryptography says the
            // same), while its hash over the presentation is right: only the issuer's part verifies
            bound: Err(Refused::BindingSignature),
        },
        SdJwt {
            text: joined(&spec),
            // settings.yml beside it
            issuer: serde_json::json!({
                "kty": "EC", "crv": "P-256",
                "x": "b28d4MwZMjw8-00CG4xfnn9SLMVMM19SlqZpVb_uNtQ",
                "y": "Xv5zWwuoaTgdS6hV43yI6gBwTnjukmFQQnJ_kCxzqk8",
            }),
            audience: "https://verifier.example.org",
            nonce: "1234567890",
            at: "2025-04-15T18:56:34Z",
            disclosed: &["ld"],
            bound: Ok(()),
        },
    ]
}

fn issued_sd_jwt(vector: &SdJwt, text: &str) -> Result<(), Refused> {
    let presentation = Presentation::parse(text)?;
    let credential = presentation.issued_by_key(&PublicKey::of_jwk(&vector.issuer).unwrap())?;
    for name in vector.disclosed {
        credential.claim(name).ok_or(Refused::Incomplete)?;
    }
    Ok(())
}

fn bound(vector: &SdJwt, text: &str) -> Result<(), Refused> {
    let presentation = Presentation::parse(text)?;
    let credential = presentation.issued_by_key(&PublicKey::of_jwk(&vector.issuer).unwrap())?;
    let now = time(vector.at);
    let (audience, nonce) = (vector.audience, vector.nonce);
    presentation.bound(&credential, &Binding { audience, nonce, asked: now, now })
}

#[test]
fn sd_jwts_of_others_verify_and_not_with_a_flipped_byte() {
    let Some(folder) = eudi() else { return };
    for vector in sd_jwts(&folder) {
        let who = vector.audience;
        assert_eq!(issued_sd_jwt(&vector, &vector.text), Ok(()), "{who}");
        assert_eq!(bound(&vector, &vector.text), vector.bound, "{who}");
        // a key in `iss` is no certificate: as a PID it would not be taken
        let presentation = Presentation::parse(&vector.text).unwrap();
        let issuer = presentation.issuer(&Issuers::default(), time(vector.at));
        assert_eq!(issuer.err(), Some(Refused::Certificates));
        let shown = vector.text.rfind('~').unwrap();
        for place in 0..vector.text.len() {
            let mut damaged = vector.text.clone().into_bytes();
            damaged[place] ^= 1;
            let damaged = String::from_utf8(damaged).unwrap();
            assert!(bound(&vector, &damaged).is_err(), "{who}: byte {place}");
            let issued = issued_sd_jwt(&vector, &damaged);
            assert!(issued.is_err() || place >= shown, "{who}: byte {place}, issuer's part");
        }
    }
}

/// `DeviceResponse`s; an `IssuerSigned` alone is put into one.
fn mdocs(folder: &Path) -> Vec<(&'static str, Vec<u8>, &'static str, [usize; 2])> {
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

fn hex(path: &Path) -> Vec<u8> {
    let text = fs::read_to_string(path).unwrap();
    let digits = text.trim().as_bytes().chunks(2);
    digits.map(|two| u8::from_str_radix(std::str::from_utf8(two).unwrap(), 16).unwrap()).collect()
}

fn wrapped(issuer_signed: &[u8]) -> Vec<u8> {
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

fn issued(
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
        let stranger = trusting(crate_certificate());
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

fn crate_certificate() -> Certificate {
    let now = time("2026-11-21T12:00:00Z");
    let other = crate::issuer::PidIssuer::new("UT", now);
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

/// What cannot verify, and why: (file, what we say, why).
#[test]
fn what_cannot_verify_is_refused_for_a_reason() {
    let Some(folder) = eudi() else { return };
    let isomdl = folder.join("isomdl/definitions");
    let parse = |bytes: &[u8]| mdoc::Response::from_cbor(bytes).err();
    // a placeholder: the security object is a text, the signature tagged, no certificate
    assert_eq!(parse(&hex(&isomdl.join("device_response.cbor"))), Some(Refused::MdocForm));
    // elements taken out to be put in later: no digest fits what is left
    let dehydrated = wrapped(&hex(&isomdl.join("issuer_signed_dehydrated.cbor")));
    let response = mdoc::Response::from_cbor(&dehydrated).unwrap();
    let leaf = Certificate::from_der(&response.documents()[0].chain().unwrap()[0]).unwrap();
    let outcome = issued(&dehydrated, 0, &trusting(leaf.clone()), time("2020-11-01T00:00:00Z"));
    assert_eq!(outcome.err(), Some(Refused::MdocDigest));
    // sound, but over since 2021
    let utopia = wrapped(&hex(&isomdl.join("issuer_signed.cbor")));
    let outcome = issued(&utopia, 0, &trusting(leaf), time("2026-11-21T12:00:00Z"));
    assert_eq!(outcome.err(), Some(Refused::Untrusted));
    for name in ["namespaced_data", "cose/mac0/serialized", "session/session_transcript"] {
        let bytes = hex(&isomdl.join(format!("{name}.cbor")));
        assert_eq!(parse(&bytes), Some(Refused::MdocForm), "{name}");
    }
    // placeholders for a token: neither text is a credential
    for name in ["02", "03", "04", "05"] {
        let path = folder.join(format!("eudi-verifier/{name}-vpToken.json"));
        let tokens: Value = serde_json::from_slice(&fs::read(path).unwrap()).unwrap();
        for token in tokens.as_object().unwrap().values() {
            let text = token[0].as_str().unwrap_or_default();
            assert_eq!(Presentation::parse(text).err(), Some(Refused::SdJwtForm), "{name}");
        }
        assert!(identity::wallet::dcql::answer(tokens.as_object().unwrap()).is_err());
    }
    // an SD-JWT as issued, nobody bound it
    let path = folder.join("openid4vp-1.0/sd_jwt_vcld/01/sd_jwt_issuance.txt");
    let vectors = sd_jwts(&folder);
    assert_eq!(bound(&vectors[1], &joined(&path)), Err(Refused::BindingMissing));
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

#[test]
fn the_cose_signature_of_isomdl_verifies_and_not_with_a_flipped_byte() {
    let Some(folder) = eudi() else { return };
    let folder = folder.join("isomdl/definitions/cose/sign1");
    let secret = hex(&folder.join("secret_key"));
    let key = PrivateKey::from_private_key(&ECDH_P256, &secret).unwrap();
    let key = PublicKey::of_point(key.compute_public_key().unwrap().as_ref()).unwrap();
    let bytes = hex(&folder.join("serialized.cbor"));
    let verifies = |bytes: &[u8]| {
        CoseSign1::from_slice(bytes).is_ok_and(|m| key.verifies(&m.tbs_data(&[]), &m.signature))
    };
    assert!(verifies(&bytes));
    let content = bytes.windows(4).position(|w| w == b"This").unwrap();
    for place in content..bytes.len() {
        let mut damaged = bytes.clone();
        damaged[place] ^= 1;
        assert!(!verifies(&damaged), "byte {place}");
    }
}

/// OpenID4VP 1.0 §8.3: the encrypted response in the text of the standard, with its private key.
#[test]
fn the_encrypted_response_of_the_standard_opens_and_not_with_a_flipped_byte() {
    let Some(folder) = eudi() else { return };
    let path = folder.join("openid4vp-1.0/openid-4-verifiable-presentations-1_0.md");
    let standard = fs::read_to_string(path).unwrap();
    let behind = standard.split_once(r#""response" : ""#).unwrap().1;
    let text: String = behind.split_once('"').unwrap().0.split_whitespace().collect();
    let secret = standard.split_once(r#""d":""#).unwrap().1.split_once('"').unwrap().0;
    let key = PrivateKey::from_private_key(&ECDH_P256, &decode(secret).unwrap()).unwrap();
    let plain = jwe::open(&text, &key, "ac").unwrap();
    let plain: Value = serde_json::from_slice(&plain).unwrap();
    assert!(plain["vp_token"]["example_credential_id"].is_array());
    for place in 0..text.len() {
        let mut damaged = text.clone().into_bytes();
        damaged[place] ^= 1;
        let damaged = String::from_utf8(damaged).unwrap();
        assert_eq!(jwe::open(&damaged, &key, "ac").err(), Some(Refused::Undecipherable));
    }
    assert_eq!(encode(&decode(secret).unwrap()), secret);
}
