//! Response: a person, as another country identified them; signed outside, encrypted inside.

mod issue;
mod levels;
mod rules;

use exchange::Country;
use jiff::Timestamp;
use trust::certificate::Certificate;
use trust::encryption::{DecryptionKey, XENC, decrypt};
use trust::xml::{Element, Limits, Xml};

use super::authentic::Authentic;
use super::person::Person;
use super::{EidasError, MAX_MESSAGE, SAMLP};
use crate::Assurance;
use crate::assertion::SAML;
use crate::replay::{Once, answer_key, assertion_key};

pub use issue::id;
pub use issue::{Answer, refuse};
pub use levels::Levels;
pub use rules::{RULES, Rule};

/// What we asked, and of whom; kept by the caller since the request went out.
#[derive(Debug, Clone)]
pub struct Expectation<'a> {
    /// `ID` of our request.
    pub request_id: &'a str,
    /// Our metadata URL.
    pub audience: &'a str,
    /// Our assertion consumer endpoint.
    pub endpoint: &'a str,
    /// The metadata URL of the country that was asked.
    pub issuer: &'a str,
    /// That country: it speaks for its own people only.
    pub country: Country,
    /// Signing certificates of its metadata.
    pub signers: &'a [Certificate],
    /// The least level that we asked for.
    pub assurance: Assurance,
    /// The highest level that its metadata certifies; it is believed no further.
    pub certified: Assurance,
    /// How it states levels of assurance.
    pub levels: Levels,
    /// The address of the browser, when answers must be bound to it.
    pub address: Option<&'a str>,
    /// Now.
    pub now: Timestamp,
}

/// Proof that a person was identified. Made by [`verify`] and [`super::light::answered`] only. Personal:
/// no `Debug`.
pub struct Identified {
    pub(super) person: Person,
    pub(super) assurance: Assurance,
    pub(super) assertion_id: String,
    pub(super) authenticated: Timestamp,
}

impl Identified {
    /// Who.
    pub fn person(&self) -> &Person {
        &self.person
    }

    /// How sure.
    pub fn assurance(&self) -> Assurance {
        self.assurance
    }

    /// `ID` of the assertion, for the one-shot memory of the caller.
    pub fn assertion_id(&self) -> &str {
        &self.assertion_id
    }

    /// When the person was there.
    pub fn authenticated(&self) -> Timestamp {
        self.authenticated
    }
}

/// Signature first, then decryption, then every rule; at last the request and the assertion are used
/// up, so that neither this answer nor another to the same request is believed again.
pub fn verify(
    text: &str,
    expected: &Expectation<'_>,
    key: &DecryptionKey,
    once: &dyn Once,
) -> Result<Identified, EidasError> {
    let limits = Limits { bytes: MAX_MESSAGE, ..Limits::ASSERTION };
    let outer = Xml::parse(text, &limits)?;
    let response = Authentic::enveloped(&outer, expected.signers, expected.now)?.element();
    if let Some(code) = refused_with(response)? {
        return Err(refusal(response, code, expected, once));
    }
    let plaintext = decrypt(only_encrypted(response)?, key)?;
    let inner = Xml::parse_bytes(&plaintext, &limits)?;
    let assertion = own_assertion(&inner, expected)?;
    let said = Said::read(response, assertion)?;
    if let Some(rule) = RULES.iter().find(|rule| !rule.holds(&said, expected)) {
        return Err(EidasError::Rule(rule.name));
    }
    let level = said.assurance(expected.levels).ok_or(EidasError::Malformed("assurance"))?;
    let identified = Identified {
        person: own_person(assertion, expected)?,
        assurance: level,
        assertion_id: said.assertion_id.to_owned(),
        authenticated: said.authenticated.ok_or(EidasError::Malformed("AuthnInstant"))?,
    };
    let (issuer, now) = (expected.issuer, expected.now);
    let keys = [
        answer_key(issuer, expected.request_id, now),
        assertion_key(issuer, said.assertion_id, now),
    ];
    if keys.into_iter().all(|key| once.first(key, now)) {
        Ok(identified)
    } else {
        Err(EidasError::Replayed)
    }
}

/// Nothing for success, else the code with which the other side says why not.
fn refused_with(response: Element<'_, '_>) -> Result<Option<String>, EidasError> {
    let code = response.only_child(SAMLP, "Status")?.only_child(SAMLP, "StatusCode")?;
    let value = code.demand_attribute("Value")?;
    if value == SUCCESS {
        return Ok(None);
    }
    let inner = code.child(SAMLP, "StatusCode").and_then(|c| c.attribute("Value"));
    let known = inner.filter(|code| STATUS.contains(code)).or(Some(value));
    let known = known.filter(|code| STATUS.contains(code)).unwrap_or("other");
    Ok(Some(known.rsplit(':').next().unwrap_or("other").to_owned()))
}

/// A refusal ends a login only if it is about that login.
fn refusal(
    response: Element<'_, '_>,
    code: String,
    expected: &Expectation<'_>,
    once: &dyn Once,
) -> EidasError {
    if let Some(rule) = rules::refusal(response, expected) {
        return EidasError::Rule(rule);
    }
    let key = answer_key(expected.issuer, expected.request_id, expected.now);
    if once.first(key, expected.now) {
        EidasError::NotIdentified(code)
    } else {
        EidasError::Replayed
    }
}

/// Exactly one assertion, and it is encrypted.
fn only_encrypted<'d, 'a>(response: Element<'d, 'a>) -> Result<Element<'d, 'a>, EidasError> {
    let encrypted = response.only_child(SAML, "EncryptedAssertion")?;
    let plain = response.descendants().any(|e| e.is(SAML, "Assertion"));
    let mut all = response.descendants().filter(|e| e.is(XENC, "EncryptedData"));
    match (all.next(), all.next()) {
        (Some(data), None) if data.parent() == Some(encrypted) && !plain => Ok(data),
        _ => Err(EidasError::Rule("response.one-encrypted-assertion")),
    }
}

/// The decrypted assertion; where it is signed itself, that signature must hold too.
fn own_assertion<'d, 'a>(
    inner: &'d Xml<'a>,
    expected: &Expectation<'_>,
) -> Result<Element<'d, 'a>, EidasError> {
    let assertion = inner.root();
    let nested = assertion.descendants().any(|e| e.is(SAML, "Assertion"));
    if !assertion.is(SAML, "Assertion") || nested || assertion.has_hidden_nodes() {
        return Err(EidasError::Rule("response.one-encrypted-assertion"));
    }
    if assertion.descendants().any(|e| e.is(DS, "Signature")) {
        return Ok(Authentic::enveloped(inner, expected.signers, expected.now)?.element());
    }
    Ok(assertion)
}

/// The person, and who acts for them: both named by the country that answers.
fn own_person(
    assertion: Element<'_, '_>,
    expected: &Expectation<'_>,
) -> Result<Person, EidasError> {
    let person = Person::read(assertion.only_child(SAML, "AttributeStatement")?)?;
    let foreign = |person: &Person| person.identifier.of != expected.country;
    if foreign(&person) || person.representative.as_deref().is_some_and(foreign) {
        return Err(EidasError::Rule("response.person-country"));
    }
    Ok(person)
}

/// What response and assertion say, before it is believed.
pub(super) struct Said<'d> {
    response: &'d str,
    versions: [&'d str; 2],
    in_response_to: [&'d str; 2],
    destination: &'d str,
    recipient: &'d str,
    issuers: [&'d str; 2],
    issued: [Option<Timestamp>; 2],
    assertion_id: &'d str,
    method: &'d str,
    confirmed_until: Option<Timestamp>,
    address: Option<&'d str>,
    window: (Option<Timestamp>, Option<Timestamp>),
    audiences: Vec<&'d str>,
    authenticated: Option<Timestamp>,
    context: &'d str,
    /// Values of the attribute with which STORK states a level.
    quality: Vec<&'d str>,
    statements: [usize; 2],
}

impl<'d> Said<'d> {
    fn assurance(&self, levels: Levels) -> Option<Assurance> {
        levels.read(self.context, &self.quality)
    }

    fn read(response: Element<'d, '_>, assertion: Element<'d, '_>) -> Result<Self, EidasError> {
        fn value<'d>(element: Element<'d, '_>, name: &str) -> &'d str {
            element.attribute(name).unwrap_or("")
        }
        let time = |element: Element<'d, '_>, name: &str| value(element, name).parse().ok();
        let subject = assertion.only_child(SAML, "Subject")?;
        let confirmation = subject.only_child(SAML, "SubjectConfirmation")?;
        let data = confirmation.only_child(SAML, "SubjectConfirmationData")?;
        let conditions = assertion.only_child(SAML, "Conditions")?;
        let audiences = conditions
            .only_child(SAML, "AudienceRestriction")?
            .children_named(SAML, "Audience")
            .map(|e| e.demand_text("Audience"))
            .collect::<Result<_, _>>()?;
        let statement = assertion.only_child(SAML, "AuthnStatement")?;
        let context = statement.only_child(SAML, "AuthnContext")?;
        let issuer = |e: Element<'d, '_>| -> Result<&'d str, EidasError> {
            Ok(e.only_child(SAML, "Issuer")?.demand_text("Issuer")?)
        };
        let count = |name| assertion.children_named(SAML, name).count();
        Ok(Self {
            response: if response.namespace() == SAMLP { response.name() } else { "" },
            versions: [value(response, "Version"), value(assertion, "Version")],
            in_response_to: [value(response, "InResponseTo"), value(data, "InResponseTo")],
            destination: value(response, "Destination"),
            recipient: value(data, "Recipient"),
            issuers: [issuer(response)?, issuer(assertion)?],
            issued: [time(response, "IssueInstant"), time(assertion, "IssueInstant")],
            assertion_id: value(assertion, "ID"),
            method: value(confirmation, "Method"),
            confirmed_until: time(data, "NotOnOrAfter"),
            address: data.attribute("Address"),
            window: (time(conditions, "NotBefore"), time(conditions, "NotOnOrAfter")),
            audiences,
            authenticated: time(statement, "AuthnInstant"),
            context: context
                .only_child(SAML, "AuthnContextClassRef")?
                .demand_text("AuthnContextClassRef")?,
            quality: levels::quality(assertion)?,
            statements: [count("AuthnStatement"), count("AttributeStatement")],
        })
    }
}

pub(super) const SUCCESS: &str = "urn:oasis:names:tc:SAML:2.0:status:Success";
/// The codes that a refusal of the other side is told by; others are "other".
const STATUS: [&str; 6] = [
    "urn:oasis:names:tc:SAML:2.0:status:Requester",
    "urn:oasis:names:tc:SAML:2.0:status:Responder",
    "urn:oasis:names:tc:SAML:2.0:status:AuthnFailed",
    "urn:oasis:names:tc:SAML:2.0:status:RequestDenied",
    "urn:oasis:names:tc:SAML:2.0:status:NoAuthnContext",
    "urn:oasis:names:tc:SAML:2.0:status:InvalidAttrNameOrValue",
];
const DS: &str = "http://www.w3.org/2000/09/xmldsig#";
