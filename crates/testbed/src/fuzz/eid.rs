//! What other countries' login nodes send. Signed (and sealed) after it was damaged, as a country that
//! lies or errs may send it.

use std::sync::{Arc, LazyLock};

use exchange::{Country, SystemEntropy};
use identity::Assurance;
use identity::eidas::SAML_PROTOCOL;
use identity::eidas::binding::{claimed_issuer, read_post, read_redirect};
use identity::eidas::light::{Hoped, LightRequest, LightResponse, LightToken, answered};
use identity::eidas::metadata::{Contact, Known, Metadata, Role};
use identity::eidas::request::{Asked, Request, SpType};
use identity::eidas::response::{Expectation, Levels, verify};
use identity::replay::Spent;
use jiff::{SignedDuration, Timestamp};
use trust::certificate::Certificate;
use trust::encryption::{DecryptionKey, Recipient, encrypt};
use trust::seal::SealKey;
use trust::signature::{Profile, sign_enveloped_as};
use trust::xml::{Limits, Xml};

use crate::seed;

/// Who asks in the seeds.
pub const CONNECTOR: &str = "https://eid.example.es/metadata";
/// Where that one takes answers.
pub const CONSUMER: &str = "https://eid.example.es/answer";
/// Who answers in the seeds.
pub const PROXY: &str = "https://eid.example.dk/metadata";
/// Where that one takes requests.
pub const SSO: &str = "https://eid.example.dk/request";
/// `ID` of the request of the seeds.
pub const REQUEST: &str = "_1";

/// A node of this run: signs and opens.
struct Node {
    key: Arc<SealKey>,
    signers: Vec<Certificate>,
    recipient: Recipient,
    opener: DecryptionKey,
}

static NODE: LazyLock<Node> = LazyLock::new(|| {
    let key = rcgen::KeyPair::generate().expect("because P-256 keys can be made");
    let certificate = rcgen::CertificateParams::default().self_signed(&key);
    let chain = certificate.expect("because a key signs for itself").pem();
    let seal = SealKey::from_pem(key.serialize_pem().as_bytes(), chain.as_bytes());
    let seal = seal.expect("because the key belongs to its certificate");
    let certificate = seal.certificate().clone();
    let opener = DecryptionKey::from_pkcs8(&key.serialize_der());
    Node {
        key: Arc::new(seal),
        recipient: Recipient::new(certificate.clone()),
        signers: vec![certificate],
        opener: opener.expect("because it is a P-256 key"),
    }
});

fn denmark() -> Country {
    Country::parse("DK").expect("because it has two letters")
}

/// Requests and responses as they stand, and signed; assertions sealed in a signed response.
pub fn login(data: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(data) else { return false };
    let _ = claimed_issuer(text);
    let Ok(xml) = Xml::parse(text, &Limits::ASSERTION) else { return false };
    let root = xml.root();
    let id = root.attribute("ID").unwrap_or(REQUEST).to_owned();
    let sign = |text: &str, id: &str| {
        sign_enveloped_as(text, id, &NODE.key, Profile::Eidas).unwrap_or_else(|_| text.to_owned())
    };
    match root.name() {
        "AuthnRequest" => request(text) | request(&sign(text, &id)),
        "Assertion" => {
            let sealed = encrypt(data, &NODE.recipient, &SystemEntropy);
            let sealed = sealed.expect("because the recipient's key is P-256");
            response(&sign(&around(&sealed), "_2"))
        }
        _ => response(text) | response(&sign(text, &id)),
    }
}

fn request(text: &str) -> bool {
    let asked = Asked {
        destination: SSO,
        signers: &NODE.signers,
        sector: None,
        requester_needed: true,
        now: seed::written(),
    };
    let Ok(read) = Request::verify(text, &asked) else { return false };
    let again = read.sign(&NODE.key).expect("because the node signs");
    assert!(Request::verify(&again, &asked) == Ok(read), "what was read is written whole");
    true
}

fn response(text: &str) -> bool {
    let expectation = Expectation {
        request_id: REQUEST,
        audience: CONNECTOR,
        endpoint: CONSUMER,
        issuer: PROXY,
        country: denmark(),
        signers: &NODE.signers,
        assurance: Assurance::Low,
        certified: Assurance::High,
        levels: Levels::Eidas,
        address: None,
        now: seed::written(),
    };
    let once = Spent::default();
    let found = verify(text, &expectation, &NODE.opener, &once);
    found.is_ok_and(|who| {
        assert_eq!(who.person().identifier.of, denmark());
        assert!(verify(text, &expectation, &NODE.opener, &once).is_err(), "it is used once");
        true
    })
}

/// A response around a sealed assertion.
fn around(sealed: &str) -> String {
    let at = time(seed::written());
    format!(
        "<p:Response xmlns:p=\"{SAML_PROTOCOL}\" xmlns:a=\"urn:oasis:names:tc:SAML:2.0:assertion\" ID=\"_2\" \
         InResponseTo=\"{REQUEST}\" Version=\"2.0\" IssueInstant=\"{at}\" Destination=\"{CONSUMER}\">\
         <a:Issuer>{PROXY}</a:Issuer><p:Status><p:StatusCode \
         Value=\"urn:oasis:names:tc:SAML:2.0:status:Success\"/></p:Status>\
         <a:EncryptedAssertion>{sealed}</a:EncryptedAssertion></p:Response>"
    )
}

fn time(at: Timestamp) -> String {
    format!("{at:.3}")
}

/// Metadata, signed after it was damaged.
pub fn metadata(data: &[u8]) -> bool {
    let Ok(xml) = Xml::parse_bytes(data, &Limits::ASSERTION) else { return false };
    let id = xml.root().attribute("ID").unwrap_or(REQUEST);
    let Ok(signed) = sign_enveloped_as(xml.text(), id, &NODE.key, Profile::Eidas) else {
        return false;
    };
    let mut taken = false;
    for (url, role) in [(PROXY, Role::ProxyService), (CONNECTOR, Role::Connector)] {
        let now = seed::written();
        let known = Known { url, role, country: denmark(), signers: &NODE.signers, now };
        let Ok(read) = Metadata::verify(&signed, &known) else { continue };
        let contact = Contact { organisation: "", url: "", email: "" };
        let again = read.sign(&contact, &NODE.key, &SystemEntropy);
        let again = Metadata::verify(&again.expect("because the node signs"), &known);
        assert!(again == Ok(read), "what was read is written whole");
        taken = true;
    }
    taken
}

/// Query strings, posted parameters and tokens of the light interface.
pub fn redirect(data: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(data) else { return false };
    let _ = (read_post(text), LightToken::decode(text, "secret"));
    let Ok(came) = read_redirect(text) else { return false };
    assert!(came.message.len() <= identity::eidas::MAX_MESSAGE);
    let believed = came.verify(&NODE.signers, Profile::Eidas);
    assert!(believed.is_err(), "the key of this run signed nothing");
    let _ = claimed_issuer(&came.message);
    true
}

/// Messages between the generic and the specific part of a node.
pub fn light(data: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(data) else { return false };
    if let Ok(request) = LightRequest::parse(text) {
        if let Ok(wanted) = request.wanted() {
            let private = wanted.sector == SpType::Private;
            assert!(private == wanted.requester.is_some(), "who asks is known when it must be");
        }
        assert!(LightRequest::parse(&request.render()) == Ok(request), "written whole");
        return true;
    }
    let Ok(response) = LightResponse::parse(text) else { return false };
    assert!(LightResponse::parse(&response.render()).is_ok_and(|again| again == response));
    let denmark = Country::parse("DK").expect("because it is a country");
    let hoped = Hoped {
        request_id: response.in_response_to.clone(),
        country: denmark,
        asker: denmark,
        bare: true,
        assurance: Assurance::Substantial,
        optional: Vec::new(),
        now: Timestamp::UNIX_EPOCH,
    };
    if let Ok(identified) = answered(&response, &hoped) {
        assert!(!response.status.failure && identified.assurance() >= Assurance::Substantial);
        assert!(
            identified.person().identifier.of == denmark,
            "a country speaks for its own people"
        );
    }
    true
}

/// How long the seeds' metadata says that it is valid.
pub const LIFE: SignedDuration = SignedDuration::from_hours(24 * 30);
