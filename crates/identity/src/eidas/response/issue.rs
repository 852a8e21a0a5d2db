//! Making responses: for countries without a proxy service of their own, and for the testbed.

use std::sync::Arc;

use exchange::Entropy;
use jiff::{SignedDuration, Timestamp};
use trust::encryption::{Recipient, encrypt};
use trust::seal::SealKey;
use trust::signature::{Profile, sign_enveloped_as};
use trust::xml::Writer;

use super::SUCCESS;
use crate::Assurance;
use crate::assertion::SAML;
use crate::eidas::person::{NATURAL, Person};
use crate::eidas::request::{ENTITY, PERSISTENT, Request};
use crate::eidas::{EidasError, SAMLP};

/// An answer to a request.
pub struct Answer<'a> {
    /// The request, verified.
    pub request: &'a Request,
    /// The asker's assertion consumer endpoint, from its metadata.
    pub endpoint: &'a str,
    /// Our metadata URL.
    pub issuer: &'a str,
    /// Who was identified.
    pub person: &'a Person,
    /// How sure.
    pub assurance: Assurance,
    /// The browser's address; may be empty.
    pub address: &'a str,
    /// Now.
    pub now: Timestamp,
}

impl Answer<'_> {
    /// The signed response around the encrypted assertion.
    pub fn sign(
        &self,
        key: &Arc<SealKey>,
        recipient: &Recipient,
        entropy: &dyn Entropy,
    ) -> Result<String, EidasError> {
        let encrypted = encrypt(self.assertion(entropy).as_bytes(), recipient, entropy)?;
        let id = id(entropy);
        let mut w = open(&id, self.request, self.endpoint, self.issuer, self.now);
        w.open("saml2p:Status", &[]);
        w.empty("saml2p:StatusCode", &[("Value", SUCCESS)]);
        w.close();
        w.open("saml2:EncryptedAssertion", &[]);
        w.raw(&encrypted);
        w.close();
        w.close();
        Ok(sign_enveloped_as(&w.finish(), &id, key, Profile::Eidas)?)
    }

    /// The assertion, neither signed nor encrypted: personal.
    pub fn assertion(&self, entropy: &dyn Entropy) -> String {
        let (now, until) = (time(self.now), time(self.now + LIFE));
        let mut w = Writer::new();
        w.open(
            "saml2:Assertion",
            &[
                ("xmlns:saml2", SAML),
                ("xmlns:eidas-natural", NATURAL),
                ("xmlns:xsi", "http://www.w3.org/2001/XMLSchema-instance"),
                ("ID", &id(entropy)),
                ("Version", "2.0"),
                ("IssueInstant", &now),
            ],
        );
        w.leaf("saml2:Issuer", &[("Format", ENTITY)], self.issuer);
        w.open("saml2:Subject", &[]);
        w.leaf("saml2:NameID", &[("Format", PERSISTENT)], &self.person.identifier.text());
        w.open("saml2:SubjectConfirmation", &[("Method", "urn:oasis:names:tc:SAML:2.0:cm:bearer")]);
        let mut data = vec![
            ("InResponseTo", self.request.id.as_str()),
            ("NotOnOrAfter", &until),
            ("Recipient", self.endpoint),
        ];
        if !self.address.is_empty() {
            data.push(("Address", self.address));
        }
        w.empty("saml2:SubjectConfirmationData", &data);
        w.close();
        w.close();
        w.open("saml2:Conditions", &[("NotBefore", &now), ("NotOnOrAfter", &until)]);
        w.open("saml2:AudienceRestriction", &[]);
        w.leaf("saml2:Audience", &[], &self.request.issuer);
        w.close();
        w.close();
        w.open("saml2:AuthnStatement", &[("AuthnInstant", &now)]);
        w.open("saml2:AuthnContext", &[]);
        w.leaf("saml2:AuthnContextClassRef", &[], self.assurance.uri());
        w.close();
        w.close();
        self.person.write(&mut w);
        w.close();
        w.finish()
    }
}

/// A signed response that identifies nobody. `code` is the last word of a SAML status
/// (`AuthnFailed`, `RequestDenied`, `NoAuthnContext`).
pub fn refuse(
    request: &Request,
    endpoint: &str,
    issuer: &str,
    code: &str,
    now: Timestamp,
    key: &Arc<SealKey>,
    entropy: &dyn Entropy,
) -> Result<String, EidasError> {
    let id = id(entropy);
    let mut w = open(&id, request, endpoint, issuer, now);
    w.open("saml2p:Status", &[]);
    let responder = "urn:oasis:names:tc:SAML:2.0:status:Responder";
    w.open("saml2p:StatusCode", &[("Value", responder)]);
    let code = format!("urn:oasis:names:tc:SAML:2.0:status:{code}");
    w.empty("saml2p:StatusCode", &[("Value", &code)]);
    w.close();
    w.close();
    w.close();
    Ok(sign_enveloped_as(&w.finish(), &id, key, Profile::Eidas)?)
}

fn open(id: &str, request: &Request, endpoint: &str, issuer: &str, now: Timestamp) -> Writer {
    let mut w = Writer::new();
    w.open(
        "saml2p:Response",
        &[
            ("xmlns:saml2p", SAMLP),
            ("xmlns:saml2", SAML),
            ("ID", id),
            ("InResponseTo", &request.id),
            ("Version", "2.0"),
            ("IssueInstant", &time(now)),
            ("Destination", endpoint),
        ],
    );
    w.leaf("saml2:Issuer", &[("Format", ENTITY)], issuer);
    w
}

fn time(at: Timestamp) -> String {
    format!("{at:.3}")
}

/// An `ID`: an NCName of 160 random bits.
pub fn id(entropy: &dyn Entropy) -> String {
    let mut bytes = [0; 20];
    entropy.fill(&mut bytes);
    bytes.iter().fold(String::from("_"), |id, byte| format!("{id}{byte:02x}"))
}

/// As the reference node gives.
const LIFE: SignedDuration = SignedDuration::from_mins(5);
