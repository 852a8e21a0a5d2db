//! Two countries with seal keys under one root, and a node that recognises their assertions.

#![allow(dead_code, reason = "each test uses some of it")]

use std::sync::Arc;

use exchange::{Country, PatientId, Refusal, Transaction};
use identity::{AssertionCache, Context, Recognised, recognise};
use jiff::Timestamp;
use trust::certificate::Anchors;
use trust::seal::SealKey;
use trust::xml::{Limits, Xml};

pub struct World {
    pub anchors: Anchors,
    pub es: Arc<SealKey>,
    pub it: Arc<SealKey>,
    pub now: Timestamp,
}

fn seal(ca: &rcgen::Issuer<'_, rcgen::KeyPair>, country: &str) -> Arc<SealKey> {
    let key = rcgen::KeyPair::generate().unwrap();
    let mut params = rcgen::CertificateParams::new(Vec::<String>::new()).unwrap();
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(rcgen::DnType::CountryName, country);
    params.distinguished_name.push(rcgen::DnType::CommonName, "seal");
    let certificate = params.signed_by(&key, ca).unwrap();
    let (key, certificate) = (key.serialize_pem(), certificate.pem());
    Arc::new(SealKey::from_pem(key.as_bytes(), certificate.as_bytes()).unwrap())
}

pub fn world() -> World {
    let key = rcgen::KeyPair::generate().unwrap();
    let mut params = rcgen::CertificateParams::new(Vec::<String>::new()).unwrap();
    params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    params.distinguished_name.push(rcgen::DnType::CommonName, "root");
    let root = params.self_signed(&key).unwrap();
    let anchors = Anchors::from_pem(root.pem().as_bytes()).unwrap();
    let ca = rcgen::Issuer::new(params, key);
    let now = "2026-11-21T10:00:00Z".parse().unwrap();
    World { anchors, es: seal(&ca, "ES"), it: seal(&ca, "IT"), now }
}

impl World {
    /// What the country of affiliation says to these assertions from Spain.
    pub fn recognise(
        &self,
        assertions: &[&str],
        transaction: Transaction,
        patients: &[PatientId],
    ) -> Result<Recognised, Refusal> {
        let envelope = format!("<h>{}</h>", assertions.concat());
        let xml = Xml::parse(&envelope, &Limits::MESSAGE).unwrap();
        let elements: Vec<_> = xml.root().children().collect();
        let context = Context {
            transaction,
            discard: false,
            patients,
            peer: Country::parse("ES").ok(),
            now: self.now,
            anchors: &self.anchors,
        };
        recognise(&elements, &context, &AssertionCache::new(16))
    }
}
