//! Somebody who is signed in.

use exchange::Country;
use jiff::Timestamp;
use serde_json::{Value, json};
use trust::xml::{Limits, Writer, Xml};
use zeroize::Zeroizing;

use crate::Assurance;
use crate::assertion::SAML;
use crate::eidas::person::{NATURAL, Person};

/// As what a person signs in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Subject {
    /// A health professional, to work.
    Professional,
    /// A patient, to be identified.
    Patient,
}

impl Subject {
    const ALL: [Self; 2] = [Self::Professional, Self::Patient];

    /// The word in addresses and answers.
    pub fn word(self) -> &'static str {
        match self {
            Self::Professional => "professional",
            Self::Patient => "patient",
        }
    }

    /// The subject with this word.
    pub fn of(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|subject| subject.word() == word)
    }
}

/// A session. Personal: no `Debug`.
#[derive(Clone, PartialEq, Eq)]
pub struct SignedIn {
    /// As what.
    pub subject: Subject,
    /// Who.
    pub person: Person,
    /// The country that said so.
    pub country: Country,
    /// How sure.
    pub assurance: Assurance,
    /// When the person was there.
    pub authenticated: Timestamp,
    /// When it was last used.
    pub used: Timestamp,
    /// Fingerprint of the certificate of the application that it belongs to; empty before that is
    /// known.
    pub application: String,
    /// Number of the login that it came from, the same in all its events; empty before there is one.
    pub login: String,
}

impl SignedIn {
    /// For the store.
    pub fn encode(&self) -> Zeroizing<Vec<u8>> {
        let mut w = Writer::new();
        w.open(
            "person",
            &[
                ("xmlns:saml2", SAML),
                ("xmlns:eidas-natural", NATURAL),
                ("xmlns:xsi", "http://www.w3.org/2001/XMLSchema-instance"),
            ],
        );
        self.person.write(&mut w);
        w.close();
        let value = json!({
            "subject": self.subject.word(),
            "person": w.finish(),
            "country": self.country.as_str(),
            "assurance": self.assurance.name(),
            "authenticated": self.authenticated.to_string(),
            "used": self.used.to_string(),
            "application": self.application,
            "login": self.login,
        });
        Zeroizing::new(value.to_string().into_bytes())
    }

    /// From the store; `None` when it was written by another version.
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let value: Value = serde_json::from_slice(bytes).ok()?;
        let text = |name: &str| value.get(name).and_then(Value::as_str);
        let person = Xml::parse(text("person")?, &Limits::ASSERTION).ok()?;
        let statement = person.root().only_child(SAML, "AttributeStatement").ok()?;
        Some(Self {
            subject: Subject::of(text("subject")?)?,
            person: Person::read(statement).ok()?,
            country: Country::parse(text("country")?).ok()?,
            assurance: Assurance::of_name(text("assurance")?)?,
            authenticated: text("authenticated")?.parse().ok()?,
            used: text("used")?.parse().ok()?,
            application: text("application")?.to_owned(),
            login: text("login").unwrap_or("").to_owned(),
        })
    }
}
