//! How long one assertion takes to verify: `cargo run --release -p trust --example verify_speed`.
//!
//! Each round cuts the assertion out of a message that holds two of them, parses it, looks at the
//! signature and verifies it: all that a new assertion costs before its rules are applied.

use std::time::Instant;

use rcgen::{CertificateParams, KeyPair, PKCS_ECDSA_P256_SHA256, PKCS_RSA_SHA256, RsaKeySize};
use trust::certificate::{Anchors, Usage};
use trust::seal::SealKey;
use trust::signature::{Profile, sign_enveloped, verify_enveloped};
use trust::xml::{Limits, Xml};

const SAML: &str = "urn:oasis:names:tc:SAML:2.0:assertion";
const ROUNDS: u32 = 500;
const MEDIAN_OF: usize = 7;

type Failure = Box<dyn std::error::Error>;

fn main() -> Result<(), Failure> {
    let keys = [
        ("rsa-2048 sha256", KeyPair::generate_rsa_for(&PKCS_RSA_SHA256, RsaKeySize::_2048)?),
        ("rsa-3072 sha256", KeyPair::generate_rsa_for(&PKCS_RSA_SHA256, RsaKeySize::_3072)?),
        ("ecdsa p-256", KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?),
    ];
    println!("key              bytes   parse us  verify us  path us (first)");
    for (name, key) in keys {
        let pem = CertificateParams::default().self_signed(&key)?.pem();
        let seal = SealKey::from_pem(key.serialize_pem().as_bytes(), pem.as_bytes())?.into();
        measure(name, &seal, &pem)?;
    }
    Ok(())
}

fn measure(name: &str, seal: &std::sync::Arc<SealKey>, pem: &str) -> Result<(), Failure> {
    let signed = [
        sign_enveloped(&assertion("_hcp"), "_hcp", seal)?,
        sign_enveloped(&assertion("_trc"), "_trc", seal)?,
    ];
    let message = format!("<e:Envelope xmlns:e='urn:e'>{}{}</e:Envelope>", signed[0], signed[1]);
    let xml = Xml::parse(&message, &Limits::MESSAGE)?;
    let found: Vec<_> = xml.root().children().collect();
    let parse = median(|| {
        let alone = found[0].standalone();
        Ok(Xml::parse(&alone, &Limits::ASSERTION).map(|_| ())?)
    })?;
    let verify = median(|| {
        let alone = found[0].standalone();
        let xml = Xml::parse(&alone, &Limits::ASSERTION)?;
        Ok(verify_enveloped(xml.root(), Profile::Ehdsi).map(|_| ())?)
    })?;
    let path = median(|| {
        // a new set of roots remembers nothing; a self-signed leaf has no path, and looking costs
        let anchors = Anchors::from_pem(pem.as_bytes())?;
        let leaf = anchors.roots()[0].clone();
        let _ = anchors.verify(&leaf, &[], Usage::Seal, leaf.not_before());
        Ok(())
    })?;
    println!("{name:<16} {:>5} {parse:>10.1} {verify:>10.1} {path:>10.1}", signed[0].len());
    Ok(())
}

/// Median over several runs of the mean microseconds of one round.
fn median(mut round: impl FnMut() -> Result<(), Failure>) -> Result<f64, Failure> {
    let mut runs = Vec::with_capacity(MEDIAN_OF);
    for _ in 0..MEDIAN_OF {
        let start = Instant::now();
        for _ in 0..ROUNDS {
            round()?;
        }
        runs.push(start.elapsed().as_secs_f64() * 1e6 / f64::from(ROUNDS));
    }
    runs.sort_by(f64::total_cmp);
    Ok(runs[MEDIAN_OF / 2])
}

/// About as long as a real HCP assertion.
fn assertion(id: &str) -> String {
    let attribute = |n: u32| {
        format!(
            "<saml:Attribute FriendlyName=\"attribute {n}\" Name=\"urn:invented:attribute:{n}\">\
             <saml:AttributeValue>value æøå {n}</saml:AttributeValue></saml:Attribute>"
        )
    };
    format!(
        "<saml:Assertion xmlns:saml=\"{SAML}\" xmlns:xsd=\"http://www.w3.org/2001/XMLSchema\" \
         ID=\"{id}\" Version=\"2.0\"><saml:Issuer>urn:idp:DK</saml:Issuer>\
         <saml:AttributeStatement>{}</saml:AttributeStatement></saml:Assertion>",
        (0..30).map(attribute).collect::<String>()
    )
}
