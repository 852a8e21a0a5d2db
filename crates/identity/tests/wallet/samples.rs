//! Samples lane: what others made. Whatever carries a signature verifies, and with one byte flipped
//! it does not; where it cannot, its row says why. The vectors bring no authority, so that the
//! anchor is the vector's own certificate, and the clock is one at which that was valid.

mod documents;
mod verdicts;

use std::fs;
use std::path::{Path, PathBuf};

use aws_lc_rs::agreement::{ECDH_P256, PrivateKey};
use coset::{CborSerializable as _, CoseSign1};
use exchange::Country;
use identity::wallet::jose::{PublicKey, decode};
use identity::wallet::sd_jwt::{Binding, Presentation};
use identity::wallet::{Issuers, Refused, jwe};
use jiff::Timestamp;
use serde_json::Value;
use trust::certificate::{Anchors, Certificate};

use crate::parts::encode;
use documents::hex;

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
