//! AWS Nitro attestation documents: a `COSE_Sign1` (RFC 9052) by a certificate that leads to the
//! pinned root G1. <https://docs.aws.amazon.com/enclaves/latest/user/verify-root.html>

mod document;

use std::collections::BTreeMap;
use std::time::Duration;

use aws_lc_rs::signature::{ECDSA_P384_SHA384_FIXED, UnparsedPublicKey};
use coset::{
    CborSerializable, CoseSign1, RegisteredLabelWithPrivate, TaggedCborSerializable, iana,
};
use jiff::{SignedDuration, Timestamp};
use rustls_pki_types::{CertificateDer, UnixTime};
use webpki::{EndEntityCert, KeyUsage, anchor_from_trusted_cert};
use x509_cert::der::Decode;

use super::claims::{Claims, Platform};
use super::evidence::Kind;
use super::reason::{Reason, Refusal};
use super::roots::Roots;
use super::snp::authority;
use document::Document;

/// Verifies a document. All-zero PCRs are an enclave in debug mode: a fact here that no policy takes.
pub(super) fn verify(blob: &[u8], roots: &Roots, now: Timestamp) -> Result<Claims, Refusal> {
    let (message, document) = read(blob)?;
    let leaf = chain(&document, roots, now)?;
    message
        .verify_signature(b"", |signature, data| {
            UnparsedPublicKey::new(&ECDSA_P384_SHA384_FIXED, &leaf.key).verify(data, signature)
        })
        .map_err(|_| Reason::Signature)?;
    // the document speaks of a moment; one of before its certificate was not made by it
    let latest = leaf.valid_until.min(now + SKEW);
    if document.timestamp < leaf.valid_from || document.timestamp > latest {
        return Err(Refusal::new(Reason::CertificateTime, "the document's own time"));
    }
    let (valid_from, valid_until) = (leaf.valid_from, leaf.valid_until);
    Ok(Claims { valid_from, valid_until, ..claims(document) })
}

/// What a document says, with nothing verified.
pub(super) fn preview(blob: &[u8]) -> Result<Claims, Refusal> {
    read(blob).map(|(_, document)| claims(document))
}

fn read(blob: &[u8]) -> Result<(CoseSign1, Document), Refusal> {
    // tag 18, or none: both occur
    let message = match blob.first() {
        Some(0xd2) => CoseSign1::from_tagged_slice(blob),
        _ => CoseSign1::from_slice(blob),
    }
    .map_err(|e| Refusal::new(Reason::Malformed, e.to_string()))?;
    let algorithm = RegisteredLabelWithPrivate::Assigned(iana::Algorithm::ES384);
    let header = &message.protected.header;
    if header.alg != Some(algorithm) || !header.crit.is_empty() || !message.unprotected.is_empty() {
        return Err(Reason::Algorithm.into());
    }
    let document = Document::parse(message.payload.as_deref().ok_or(Reason::Malformed)?)?;
    Ok((message, document))
}

struct Leaf {
    key: Vec<u8>,
    valid_from: Timestamp,
    valid_until: Timestamp,
}

/// `cabundle[0]` is AWS' root as the document brings it: the pinned one is used in its place.
fn chain(document: &Document, roots: &Roots, now: Timestamp) -> Result<Leaf, Refusal> {
    let malformed = |e: &dyn std::fmt::Display| Refusal::new(Reason::Chain, e.to_string());
    let root = CertificateDer::from(roots.nitro.as_slice());
    let anchors = [anchor_from_trusted_cert(&root).map_err(|e| malformed(&e))?];
    let der = CertificateDer::from(document.certificate.as_slice());
    let leaf = EndEntityCert::try_from(&der).map_err(|e| malformed(&e))?;
    let between: Vec<CertificateDer<'_>> =
        document.bundle.iter().skip(1).map(|der| CertificateDer::from(der.as_slice())).collect();
    let seconds = u64::try_from(now.as_second()).unwrap_or(0);
    let path = leaf
        .verify_for_usage(
            &[webpki::aws_lc_rs::ECDSA_P384_SHA384],
            &anchors,
            &between,
            UnixTime::since_unix_epoch(Duration::from_secs(seconds)),
            KeyUsage::server_auth(),
            None,
            None,
        )
        .map_err(|error| match error {
            webpki::Error::CertExpired { .. } | webpki::Error::CertNotValidYet { .. } => {
                Refusal::new(Reason::CertificateTime, error.to_string())
            }
            other => Refusal::new(Reason::Chain, other.to_string()),
        })?;
    let parsed = x509_cert::Certificate::from_der(&der).map_err(|e| malformed(&e))?;
    let spki = parsed.tbs_certificate().subject_public_key_info();
    let mut out = Leaf {
        key: spki.subject_public_key.raw_bytes().to_vec(),
        valid_from: Timestamp::MIN,
        valid_until: Timestamp::MAX,
    };
    let between: Vec<Vec<u8>> =
        path.intermediate_certificates().map(|certificate| certificate.der().to_vec()).collect();
    for (at, der) in between.iter().chain([&document.certificate]).enumerate() {
        let parsed = x509_cert::Certificate::from_der(der).map_err(|e| malformed(&e))?;
        if at < between.len() {
            // rustls-webpki does not look at keyUsage (RFC 5280 §6.1.4 n)
            authority(&parsed)?;
        }
        let validity = parsed.tbs_certificate().validity();
        let time = |time: x509_cert::time::Time| {
            Timestamp::from_second(i64::try_from(time.to_unix_duration().as_secs()).unwrap_or(0))
                .map_err(|e| malformed(&e))
        };
        out.valid_from = out.valid_from.max(time(validity.not_before)?);
        out.valid_until = out.valid_until.min(time(validity.not_after)?);
    }
    Ok(out)
}

fn claims(document: Document) -> Claims {
    let mut measurements = BTreeMap::new();
    for (number, value) in &document.pcrs {
        measurements.insert(PCRS[usize::from(*number)], value.clone());
    }
    let zero =
        |name: &str| measurements.get(name).is_none_or(|value| value.iter().all(|byte| *byte == 0));
    let debug = ["pcr0", "pcr1", "pcr2"].into_iter().any(zero);
    let instance = document.module.split("-enc").next().unwrap_or_default();
    Claims {
        debug,
        platform: Platform {
            id: Some(format!("nitro-instance:{instance}")),
            others: vec![format!("nitro-module:{}", document.module)],
            product: "nitro".into(),
            ..Platform::default()
        },
        measurements,
        report_data: document.user_data,
        ..Claims::of(Kind::Nitro)
    }
}

/// How far AWS' clock may be before ours.
const SKEW: SignedDuration = SignedDuration::from_mins(5);

/// Names of the registers that a document may have.
static PCRS: [&str; 32] = [
    "pcr0", "pcr1", "pcr2", "pcr3", "pcr4", "pcr5", "pcr6", "pcr7", "pcr8", "pcr9", "pcr10",
    "pcr11", "pcr12", "pcr13", "pcr14", "pcr15", "pcr16", "pcr17", "pcr18", "pcr19", "pcr20",
    "pcr21", "pcr22", "pcr23", "pcr24", "pcr25", "pcr26", "pcr27", "pcr28", "pcr29", "pcr30",
    "pcr31",
];
