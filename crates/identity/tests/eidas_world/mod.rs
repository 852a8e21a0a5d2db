//! Two invented countries for the tests: Spain asks, Denmark answers.

#![allow(dead_code, reason = "each test binary uses its part")]

use std::sync::Arc;

use exchange::{Country, SystemEntropy};
use identity::Assurance;
use identity::eidas::EidasError;
use identity::eidas::attributes::Attribute;
use identity::eidas::person::{Person, PersonIdentifier, Scripted};
use identity::eidas::request::{Asked, Request, SpType};
use identity::eidas::response::{Answer, Expectation, Levels, verify};
use identity::replay::Spent;
use jiff::Timestamp;
use rcgen::{
    CertificateParams, DnType, KeyPair, PKCS_ECDSA_P256_SHA256, PKCS_RSA_SHA256, RsaKeySize,
};
use trust::certificate::Certificate;
use trust::encryption::{DecryptionKey, Recipient, decrypt, encrypt};
use trust::seal::SealKey;
use trust::signature::{Profile, sign_enveloped_as};
use trust::xml::{Limits, Xml};

pub const CONNECTOR: &str = "https://connector.es.example/metadata";
pub const ENDPOINT: &str = "https://connector.es.example/response";
pub const PROXY: &str = "https://proxy.dk.example/metadata";
pub const SSO: &str = "https://proxy.dk.example/request";

pub struct Party {
    pub key: Arc<SealKey>,
    pub pem: String,
}

impl Party {
    pub fn new(rsa: bool) -> Self {
        let key = if rsa {
            KeyPair::generate_rsa_for(&PKCS_RSA_SHA256, RsaKeySize::_3072)
        } else {
            KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)
        }
        .unwrap();
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CountryName, "DK");
        let chain = params.self_signed(&key).unwrap().pem();
        let pem = key.serialize_pem();
        let key = SealKey::from_pem(pem.as_bytes(), chain.as_bytes()).unwrap();
        Self { key: Arc::new(key), pem }
    }

    pub fn certificate(&self) -> Certificate {
        self.key.certificate().clone()
    }
}

pub fn now() -> Timestamp {
    "2026-11-21T10:00:00Z".parse().unwrap()
}

pub fn request() -> Request {
    Request {
        id: "_r1".into(),
        issued: now(),
        destination: SSO.into(),
        issuer: CONNECTOR.into(),
        provider: "Hospital".into(),
        sector: Some(SpType::Public),
        requester: None,
        assurance: Assurance::Substantial,
        optional: vec![Attribute::of("PlaceOfBirth").unwrap()],
    }
}

pub fn person() -> Person {
    let identifier = PersonIdentifier::parse("DK/ES/7402539902").unwrap();
    let mut person = Person::new(identifier, "Opdigtet", "Agnete", "1953-02-14".parse().unwrap());
    person.given.original = Some("Агнете".into());
    person.more.insert("PlaceOfBirth", Scripted::latin("Ribe"));
    person
}

pub struct World {
    pub proxy: Party,
    pub connector: Party,
    pub request: Request,
    pub signers: Vec<Certificate>,
}

impl World {
    pub fn new(rsa: bool) -> Self {
        let (proxy, connector) = (Party::new(rsa), Party::new(rsa));
        let signers = vec![proxy.certificate()];
        Self { proxy, connector, request: request(), signers }
    }

    pub fn expectation(&self) -> Expectation<'_> {
        Expectation {
            request_id: &self.request.id,
            audience: CONNECTOR,
            endpoint: ENDPOINT,
            issuer: PROXY,
            country: Country::parse("DK").unwrap(),
            signers: &self.signers,
            assurance: self.request.assurance,
            certified: Assurance::High,
            levels: Levels::Eidas,
            address: Some("192.0.2.7"),
            now: now(),
        }
    }

    pub fn answer(&self) -> String {
        let person = person();
        let answer = Answer {
            request: &self.request,
            endpoint: ENDPOINT,
            issuer: PROXY,
            person: &person,
            assurance: Assurance::High,
            address: "192.0.2.7",
            now: now(),
        };
        let recipient = Recipient::new(self.connector.certificate());
        answer.sign(&self.proxy.key, &recipient, &SystemEntropy).unwrap()
    }

    /// What the proxy service holds our request against.
    pub fn asked(signers: &[Certificate]) -> Asked<'_> {
        Asked { destination: SSO, signers, sector: None, requester_needed: true, now: now() }
    }

    pub fn key(&self) -> DecryptionKey {
        DecryptionKey::from_pem(self.connector.pem.as_bytes()).unwrap()
    }

    pub fn verdict(&self, text: &str) -> Result<(), EidasError> {
        verify(text, &self.expectation(), &self.key(), &Spent::default()).map(|_| ())
    }

    /// The assertion inside an answer.
    pub fn assertion_of(&self, text: &str) -> String {
        let xml = Xml::parse(text, &Limits::MESSAGE).unwrap();
        let data = xml.root().descendants().find(|e| e.name() == "EncryptedData").unwrap();
        String::from_utf8(decrypt(data, &self.key()).unwrap().to_vec()).unwrap()
    }

    /// The answer with both texts changed before they are sealed and signed again.
    pub fn changed(
        &self,
        outside: impl Fn(String) -> String,
        inside: impl Fn(String) -> String,
    ) -> String {
        let text = self.answer();
        let xml = Xml::parse(&text, &Limits::MESSAGE).unwrap();
        let data = xml.root().descendants().find(|e| e.name() == "EncryptedData").unwrap();
        let assertion = String::from_utf8(decrypt(data, &self.key()).unwrap().to_vec()).unwrap();
        let recipient = Recipient::new(self.connector.certificate());
        let sealed = encrypt(inside(assertion).as_bytes(), &recipient, &SystemEntropy).unwrap();
        let signature = xml.root().descendants().find(|e| e.name() == "Signature").unwrap();
        let unsigned = text.replace(data.source(), &sealed).replace(signature.source(), "");
        let id = xml.root().attribute("ID").unwrap().to_owned();
        let unsigned = outside(unsigned);
        sign_enveloped_as(&unsigned, &id, &self.proxy.key, Profile::Eidas).unwrap()
    }
}
