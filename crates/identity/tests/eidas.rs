//! eIDAS messages of our own: the good ones pass, and for each rule one that breaks it is refused
//! by that very rule.

use std::sync::Arc;

use exchange::SystemEntropy;
use identity::Assurance;
use identity::eidas::EidasError;
use identity::eidas::attributes::Attribute;
use identity::eidas::person::{Person, PersonIdentifier, Scripted};
use identity::eidas::request::{Asked, Request, SpType};
use identity::eidas::response::{Answer, Expectation, RULES, refuse, verify};
use jiff::Timestamp;
use rcgen::{
    CertificateParams, DnType, KeyPair, PKCS_ECDSA_P256_SHA256, PKCS_RSA_SHA256, RsaKeySize,
};
use trust::certificate::Certificate;
use trust::encryption::{DecryptionKey, Recipient, decrypt, encrypt};
use trust::seal::SealKey;
use trust::signature::{Profile, sign_enveloped_as};
use trust::xml::{Limits, Xml};

const CONNECTOR: &str = "https://connector.es.example/metadata";
const ENDPOINT: &str = "https://connector.es.example/response";
const PROXY: &str = "https://proxy.dk.example/metadata";
const SSO: &str = "https://proxy.dk.example/request";

struct Party {
    key: Arc<SealKey>,
    pem: String,
}

impl Party {
    fn new(rsa: bool) -> Self {
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

    fn certificate(&self) -> Certificate {
        self.key.certificate().clone()
    }
}

fn now() -> Timestamp {
    "2026-11-21T10:00:00Z".parse().unwrap()
}

fn request() -> Request {
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

fn person() -> Person {
    let identifier = PersonIdentifier::parse("DK/ES/7402539902").unwrap();
    let mut person = Person::new(identifier, "Opdigtet", "Agnete", "1953-02-14".parse().unwrap());
    person.given.original = Some("Агнете".into());
    person.more.insert("PlaceOfBirth", Scripted::latin("Ribe"));
    person
}

struct World {
    proxy: Party,
    connector: Party,
    request: Request,
    signers: Vec<Certificate>,
}

impl World {
    fn new(rsa: bool) -> Self {
        let (proxy, connector) = (Party::new(rsa), Party::new(rsa));
        let signers = vec![proxy.certificate()];
        Self { proxy, connector, request: request(), signers }
    }

    fn expectation(&self) -> Expectation<'_> {
        Expectation {
            request_id: &self.request.id,
            audience: CONNECTOR,
            endpoint: ENDPOINT,
            issuer: PROXY,
            signers: &self.signers,
            assurance: self.request.assurance,
            sector: SpType::Public,
            address: Some("192.0.2.7"),
            now: now(),
        }
    }

    fn answer(&self) -> String {
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

    fn key(&self) -> DecryptionKey {
        DecryptionKey::from_pem(self.connector.pem.as_bytes()).unwrap()
    }

    fn verdict(&self, text: &str) -> Result<(), EidasError> {
        verify(text, &self.expectation(), &self.key()).map(|_| ())
    }

    /// The answer with both texts changed before they are sealed and signed again.
    fn changed(
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

#[test]
fn a_person_is_identified_over_the_border() {
    for rsa in [false, true] {
        let world = World::new(rsa);
        let asked = Asked {
            destination: SSO,
            signers: &[world.connector.certificate()],
            sector: None,
            requester_needed: true,
            now: now(),
        };
        let text = world.request.sign(&world.connector.key).unwrap();
        assert!(Request::verify(&text, &asked).unwrap() == world.request);
        let answer = world.answer();
        assert!(!answer.contains("Agnete") && !answer.contains("7402539902"));
        let found = verify(&answer, &world.expectation(), &world.key()).unwrap();
        assert!(*found.person() == person());
        assert_eq!(found.assurance(), Assurance::High);
        // the same bytes, unchanged by our own tool, still pass
        assert!(world.verdict(&world.changed(|t| t, |t| t)).is_ok());
    }
}

#[test]
fn a_refusal_says_why_and_is_signed_too() {
    let world = World::new(false);
    let text = refuse(
        &world.request,
        ENDPOINT,
        PROXY,
        "AuthnFailed",
        now(),
        &world.proxy.key,
        &SystemEntropy,
    )
    .unwrap();
    assert_eq!(world.verdict(&text), Err(EidasError::NotIdentified("AuthnFailed".into())));
    let forged = text.replace("AuthnFailed", "RequestDenied");
    assert!(matches!(world.verdict(&forged), Err(EidasError::Signature(_))));
}

#[test]
fn each_rule_of_a_response_refuses_what_breaks_it() {
    let world = World::new(false);
    let late = "2026-11-21T10:20:00.000Z";
    let table: &[(&str, bool, &str, &str)] = &[
        // (rule, inside, from, to)
        ("response.element", false, "saml2p:Response", "saml2p:LogoutResponse"),
        ("response.version", false, "Version=\"2.0\"", "Version=\"1.1\""),
        ("response.version", true, "Version=\"2.0\"", "Version=\"1.1\""),
        ("response.in-response-to", false, "InResponseTo=\"_r1\"", "InResponseTo=\"_r2\""),
        ("response.in-response-to", true, "InResponseTo=\"_r1\"", "InResponseTo=\"_r2\""),
        ("response.destination", false, ENDPOINT, "https://other.example/response"),
        ("response.recipient", true, ENDPOINT, "https://other.example/response"),
        ("response.issuer", false, PROXY, "https://proxy.it.example/metadata"),
        ("response.issuer", true, PROXY, "https://proxy.it.example/metadata"),
        ("response.issue-instant", false, "2026-11-21T10:00", "2026-11-21T09:00"),
        ("response.issue-instant", false, "2026-11-21T10:00", "2026-11-21T11:00"),
        ("response.bearer", true, "cm:bearer", "cm:sender-vouches"),
        (
            "response.confirmed-until",
            true,
            "NotOnOrAfter=\"2026-11-21T10:05:00.000Z\" Rec",
            "NotOnOrAfter=\"2026-11-21T09:05:00.000Z\" Rec",
        ),
        ("response.confirmed-until", true, "NotOnOrAfter=\"2026-11-21T10:05:00.000Z\" Rec", "Rec"),
        ("response.address", true, "192.0.2.7", "192.0.2.8"),
        (
            "response.window",
            true,
            "NotBefore=\"2026-11-21T10:00:00.000Z\"",
            "NotBefore=\"2026-11-21T10:03:00.000Z\"",
        ),
        (
            "response.window",
            true,
            "NotBefore=\"2026-11-21T10:00:00.000Z\" NotOnOrAfter=\"2026-11-21T10:05:00.000Z\"",
            "NotBefore=\"2026-11-21T10:00:00.000Z\" NotOnOrAfter=\"2026-11-21T20:05:00.000Z\"",
        ),
        ("response.audience", true, CONNECTOR, "https://connector.it.example/metadata"),
        ("response.authenticated", true, "AuthnInstant=\"2026-11-21T10:00:00.000Z\"", late),
        ("response.level", true, "LoA/high", "LoA/low"),
        ("response.level", true, "LoA/high", "LoA/highest"),
        ("minimum data set", true, "naturalperson/DateOfBirth\"", "naturalperson/DateOfDeath\""),
    ];
    for (rule, inside, from, to) in table {
        let to = if *from == "AuthnInstant=\"2026-11-21T10:00:00.000Z\"" {
            format!("AuthnInstant=\"{to}\"")
        } else {
            (*to).to_owned()
        };
        let change = |text: String| {
            assert!(text.contains(from), "{rule}: {from}");
            text.replace(from, &to)
        };
        let same = |text: String| text;
        let text = if *inside { world.changed(same, change) } else { world.changed(change, same) };
        assert_eq!(world.verdict(&text), Err(EidasError::Rule(rule)), "{from} -> {to}");
    }
    let broken = |rule: &str| table.iter().any(|row| row.0 == rule);
    // these two cannot be broken without breaking the reading before them
    let before = ["response.assertion-id", "response.statements"];
    for rule in &RULES {
        assert!(broken(rule.name) || before.contains(&rule.name), "{} has no test", rule.name);
    }
}

#[test]
fn answers_of_others_and_to_others_are_refused() {
    let world = World::new(false);
    let stranger = World::new(false);
    assert_eq!(world.verdict(&stranger.answer()), Err(EidasError::Signer));
    let mut text = world.answer();
    let at = text.find("CipherValue>").unwrap() + 40;
    text.replace_range(at..=at, if &text[at..=at] == "A" { "B" } else { "A" });
    assert!(matches!(world.verdict(&text), Err(EidasError::Signature(_))));
    // a plain assertion beside the encrypted one
    let plain = world.changed(
        |t| {
            t.replace(
                "<saml2:EncryptedAssertion>",
                "<saml2:Assertion ID=\"_x\"/><saml2:EncryptedAssertion>",
            )
        },
        |t| t,
    );
    assert!(world.verdict(&plain).is_err());
    // two encrypted ones
    let twice = world.changed(
        |t| {
            let at = t.find("<saml2:EncryptedAssertion>").unwrap();
            let end = t.find("</saml2:EncryptedAssertion>").unwrap() + 27;
            format!("{}{}{}", &t[..end], &t[at..end], &t[end..])
        },
        |t| t,
    );
    assert!(world.verdict(&twice).is_err());
}
