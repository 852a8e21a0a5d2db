//! One row for each file of the samples: it verifies, or it is refused and why, or there is nothing
//! to verify.

use std::fs;
use std::path::Path;

use identity::wallet::sd_jwt::Presentation;
use identity::wallet::{Refused, dcql, mdoc};
use serde_json::Value;
use trust::certificate::Certificate;

use super::documents::{hex, issued, mdocs, wrapped};
use super::{bound, eudi, issued_sd_jwt, joined, sd_jwts, time, trusting};

enum Verdict {
    /// Sound; the tests beside this flip its bytes.
    Verifies(fn(&Path) -> Result<(), Refused>),
    /// What we say, and why that is right.
    Refuses(Refused, &'static str, fn(&Path) -> Result<(), Refused>),
    /// No signature, and what it is instead.
    Unsigned(&'static str),
}

use Verdict::{Refuses, Unsigned, Verifies};

/// (file or folder, verdict)
static VERDICTS: &[(&str, Verdict)] = &[
    ("eudi-verifier/00-dcql.json", Unsigned("a query")),
    ("eudi-verifier/02-dcql.json", Unsigned("a query")),
    ("eudi-verifier/03-dcql.json", Unsigned("a query")),
    ("eudi-verifier/04-dcql.json", Unsigned("a query")),
    ("eudi-verifier/05-dcql.json", Unsigned("a query")),
    ("eudi-verifier/06-pidPlusMdl-dcql.json", Unsigned("a query")),
    ("eudi-verifier/07-ehicSdJwtVc-dcql.json", Unsigned("a query")),
    ("eudi-verifier/08-mdl-dcql.json", Unsigned("a query")),
    ("eudi-verifier/02-vpToken.json", Refuses(Refused::NotAsked, PLACEHOLDER, token)),
    ("eudi-verifier/03-vpToken.json", Refuses(Refused::NotAsked, PLACEHOLDER, token)),
    ("eudi-verifier/04-vpToken.json", Refuses(Refused::NotAsked, PLACEHOLDER, token)),
    ("eudi-verifier/05-vpToken.json", Refuses(Refused::NotAsked, PLACEHOLDER, token)),
    ("eudi-verifier/06-pidPlusMdl-vpToken.json", Verifies(|_| document(0).and(document(1)))),
    (
        "eudi-verifier/07-ehicSdJwtVc-vpToken.json",
        Refuses(
            Refused::BindingSignature,
            "the issuer's part verifies; the holder's is by a key that is not the one in cnf, and \
             python-cryptography says the same",
            |_| sd_jwt(0),
        ),
    ),
    ("eudi-verifier/08-mdl-vpToken.json", Verifies(|_| document(2))),
    (
        "isomdl/definitions/device_response.cbor",
        Refuses(
            Refused::MdocForm,
            "a skeleton: the signed text is no security object, its signature has a tag that the \
             standard does not allow, and there is no certificate",
            |path| mdoc::Response::from_cbor(&hex(path)).map(|_| ()),
        ),
    ),
    ("isomdl/definitions/issuer_signed.cbor", Verifies(|_| document(3))),
    (
        "isomdl/definitions/issuer_signed_dehydrated.cbor",
        Refuses(
            Refused::MdocDigest,
            "the values were taken out to be put in again: no digest fits what is left",
            dehydrated,
        ),
    ),
    ("isomdl/definitions/namespaced_data.cbor", Unsigned("elements without an issuer")),
    (
        "isomdl/definitions/cose/sign1/",
        Unsigned("a bare COSE_Sign1 and its key: a test of its own"),
    ),
    ("isomdl/definitions/cose/mac0/", Unsigned("a MAC with a shared secret, which we never take")),
    ("isomdl/definitions/cose_key/", Unsigned("a key")),
    ("isomdl/definitions/session/", Unsigned("proximity sessions, which we do not speak")),
    ("isomdl/issuance/", Unsigned("keys and certificates to issue with, a portrait")),
    ("isomdl/presentation/", Unsigned("certificates: a table of their own")),
    ("openid4vp-1.0/client_metadata/", Unsigned("metadata")),
    ("openid4vp-1.0/digital_credentials_api/", Unsigned("payloads before they are signed")),
    ("openid4vp-1.0/query_lang/", Unsigned("queries")),
    ("openid4vp-1.0/request/", Unsigned("queries and request objects before they are signed")),
    ("openid4vp-1.0/response/", Unsigned("payloads before they are signed; W3C credentials")),
    (
        "openid4vp-1.0/openid-4-verifiable-presentations-1_0.md",
        Unsigned("the standard; its JWE and its SessionTranscript have tests of their own"),
    ),
    ("openid4vp-1.0/sd_jwt_vcld/01/sd_jwt_presentation.txt", Verifies(|_| sd_jwt(1))),
    (
        "openid4vp-1.0/sd_jwt_vcld/01/sd_jwt_issuance.txt",
        Refuses(Refused::BindingMissing, "as issued: no holder has shown it yet", |path| {
            bound(&sd_jwts(&eudi().unwrap())[1], &joined(path))
        }),
    ),
    (
        "openid4vp-1.0/sd_jwt_vcld/01/sd_jwt_jws_part.txt",
        Refuses(Refused::SdJwtForm, "the issuer's part alone is no SD-JWT", |path| {
            Presentation::parse(&joined(path)).map(|_| ())
        }),
    ),
    (
        "openid4vp-1.0/sd_jwt_vcld/01/kb_jwt_serialized.txt",
        Refuses(Refused::SdJwtForm, "the holder's part alone is no SD-JWT", |path| {
            Presentation::parse(&joined(path)).map(|_| ())
        }),
    ),
    ("openid4vp-1.0/sd_jwt_vcld/", Unsigned("what the example was made from")),
];

const PLACEHOLDER: &str = "a placeholder: what stands for the credential is not one";

fn token(path: &Path) -> Result<(), Refused> {
    let tokens: Value = serde_json::from_slice(&fs::read(path).unwrap()).unwrap();
    for token in tokens.as_object().unwrap().values() {
        let text = token[0].as_str().unwrap_or_default();
        assert_eq!(Presentation::parse(text).err(), Some(Refused::SdJwtForm));
    }
    dcql::answer(tokens.as_object().unwrap()).map(|_| ())
}

fn document(number: usize) -> Result<(), Refused> {
    let (_, bytes, at, [place, _]) = mdocs(&eudi().unwrap()).remove(number);
    let response = mdoc::Response::from_cbor(&bytes)?;
    let leaf = Certificate::from_der(&response.documents()[place].chain().unwrap()[0]).unwrap();
    issued(&bytes, place, &trusting(leaf), time(at)).map(|_| ())
}

fn sd_jwt(number: usize) -> Result<(), Refused> {
    let vector = &sd_jwts(&eudi().unwrap())[number];
    issued_sd_jwt(vector, &vector.text)?;
    bound(vector, &vector.text)
}

fn dehydrated(path: &Path) -> Result<(), Refused> {
    let bytes = wrapped(&hex(path));
    let response = mdoc::Response::from_cbor(&bytes)?;
    let leaf = Certificate::from_der(&response.documents()[0].chain().unwrap()[0]).unwrap();
    issued(&bytes, 0, &trusting(leaf), time("2020-11-01T00:00:00Z")).map(|_| ())
}

fn files(folder: &Path, into: &mut Vec<std::path::PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { files(&path, into) } else { into.push(path) }
    }
}

#[test]
fn each_file_has_a_verdict_and_we_say_so() {
    let Some(folder) = eudi() else { return };
    let mut all = Vec::new();
    files(&folder, &mut all);
    let mut counts = [0; 3];
    for path in all {
        let name = path.strip_prefix(&folder).unwrap().to_str().unwrap();
        let row = VERDICTS
            .iter()
            .find(|(row, _)| name == *row || row.ends_with('/') && name.starts_with(row));
        match &row.unwrap_or_else(|| panic!("{name} has no row")).1 {
            Verifies(check) => {
                assert_eq!(check(&path), Ok(()), "{name}");
                counts[0] += 1;
            }
            Refuses(refused, why, check) => {
                assert_eq!(check(&path), Err(*refused), "{name}: {why}");
                counts[1] += 1;
            }
            Unsigned(what) => {
                assert!(!what.is_empty());
                counts[2] += 1;
            }
        }
    }
    println!(
        "{} verify, {} are refused for a reason, {} are not signed",
        counts[0], counts[1], counts[2]
    );
}

/// Sound, and over.
#[test]
fn what_was_valid_once_is_refused_today() {
    let Some(folder) = eudi() else { return };
    for (what, bytes, _, [place, _]) in mdocs(&folder) {
        let response = mdoc::Response::from_cbor(&bytes).unwrap();
        let leaf = Certificate::from_der(&response.documents()[place].chain().unwrap()[0]).unwrap();
        let outcome = issued(&bytes, place, &trusting(leaf), time("2028-01-01T00:00:00Z"));
        assert_eq!(outcome.err(), Some(Refused::Untrusted), "{what}");
    }
}
