//! What an eHDSI assertion says (openncp-protocol §1.7), copied out of its verified element.

use std::fmt;

use exchange::{Permission, Purpose};
use jiff::Timestamp;
use trust::certificate::Certificate;
use trust::xml::{Element, XmlError};

/// SAML 2.0 assertions.
pub(crate) const SAML: &str = "urn:oasis:names:tc:SAML:2.0:assertion";
const HL7: &str = "urn:hl7-org:v3";

/// The three kinds, by `Issuer@NameQualifier`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Health professional's identity.
    Hcp,
    /// Treatment relation confirmation.
    Trc,
    /// Next of kin.
    Nok,
}

impl Kind {
    /// `Issuer@NameQualifier`.
    pub fn qualifier(self) -> &'static str {
        match self {
            Self::Hcp => "urn:ehdsi:assertions:hcp",
            Self::Trc => "urn:ehdsi:assertions:trc",
            Self::Nok => "urn:ehdsi:assertions:nok",
        }
    }

    /// What an assertion says it is, before anything is verified.
    pub fn claimed(element: Element<'_, '_>) -> Option<Self> {
        let qualifier = element.child(SAML, "Issuer")?.attribute("NameQualifier")?;
        [Self::Hcp, Self::Trc, Self::Nok].into_iter().find(|kind| kind.qualifier() == qualifier)
    }
}

/// One assertion whose signature verified. Personal values have no `Debug`.
#[derive(Clone)]
pub struct Assertion {
    /// Its kind.
    pub kind: Kind,
    /// `@ID`.
    pub id: String,
    /// `@Version`.
    pub version: String,
    /// Issuer's value: `urn:idp:CC:countryB`.
    pub issuer: String,
    /// `@IssueInstant`.
    pub issued: Option<Timestamp>,
    /// NameID and its Format.
    pub name_id: String,
    /// NameID's Format.
    pub name_format: String,
    /// SubjectConfirmation's Method.
    pub confirmation: String,
    /// `Conditions@NotBefore`.
    pub not_before: Option<Timestamp>,
    /// `Conditions@NotOnOrAfter`.
    pub not_after: Option<Timestamp>,
    /// Audiences.
    pub audiences: Vec<String>,
    /// `AuthnStatement@AuthnInstant`.
    pub authenticated: Option<Timestamp>,
    /// AuthnContextClassRef.
    pub context_class: String,
    /// `Advice/AssertionIDRef`.
    pub advice: Option<String>,
    /// `subject:subject-id`: a person's name (HCP) or the patient id in CX form (TRC).
    pub subject_id: String,
    /// ISCO code of `subject:role`.
    pub role: String,
    /// Purpose of use; `None` when missing or unknown.
    pub purpose: Option<Purpose>,
    /// `environment:locality`: the point of care.
    pub locality: String,
    /// `healthcare-facility-type`.
    pub facility: String,
    /// `subject:organization-id`.
    pub organization_id: String,
    /// HL7 permissions that a rule of ours asks for.
    pub permissions: Vec<Permission>,
    /// The certificate of its signature; its path is checked.
    pub certificate: Certificate,
}

impl fmt::Debug for Assertion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Assertion({:?}, {})", self.kind, self.id)
    }
}

impl Assertion {
    /// Copies the values out of a verified element.
    pub(crate) fn read(
        kind: Kind,
        element: Element<'_, '_>,
        certificate: Certificate,
    ) -> Result<Self, XmlError> {
        let text = |path: &[&str]| {
            element.path(SAML, path).and_then(Element::plain_text).unwrap_or("").trim().to_owned()
        };
        let attribute = |path: &[&str], name: &str| {
            element.path(SAML, path).and_then(|e| e.attribute(name)).unwrap_or("").to_owned()
        };
        let time = |value: &str| value.parse::<Timestamp>().ok();
        let statement = element.only_child(SAML, "AttributeStatement")?;
        element.only_child(SAML, "AuthnStatement")?;
        let conditions = element.only_child(SAML, "Conditions")?;
        let value = |name: &str| {
            let mut found = statement
                .children_named(SAML, "Attribute")
                .filter(|a| a.attribute("Name") == Some(name));
            let first = found.next()?.child(SAML, "AttributeValue");
            if found.next().is_some() { None } else { first }
        };
        let plain =
            |name: &str| value(name).and_then(Element::plain_text).unwrap_or("").trim().to_owned();
        let coded = |name: &str, element: &str| {
            value(name)
                .and_then(|v| v.child(HL7, element))
                .and_then(|e| e.attribute("code"))
                .unwrap_or("")
                .to_owned()
        };
        Ok(Self {
            kind,
            id: element.demand_attribute("ID")?.to_owned(),
            version: element.attribute("Version").unwrap_or("").to_owned(),
            issuer: text(&["Issuer"]),
            issued: element.attribute("IssueInstant").and_then(time),
            name_id: text(&["Subject", "NameID"]),
            name_format: attribute(&["Subject", "NameID"], "Format"),
            confirmation: attribute(&["Subject", "SubjectConfirmation"], "Method"),
            not_before: conditions.attribute("NotBefore").and_then(time),
            not_after: conditions.attribute("NotOnOrAfter").and_then(time),
            audiences: conditions
                .children_named(SAML, "AudienceRestriction")
                .flat_map(|r| r.children_named(SAML, "Audience"))
                .map(|a| a.plain_text().unwrap_or("").trim().to_owned())
                .collect(),
            authenticated: element
                .path(SAML, &["AuthnStatement"])
                .and_then(|e| e.attribute("AuthnInstant"))
                .and_then(time),
            context_class: text(&["AuthnStatement", "AuthnContext", "AuthnContextClassRef"]),
            advice: Some(text(&["Advice", "AssertionIDRef"])).filter(|id| !id.is_empty()),
            subject_id: plain("urn:oasis:names:tc:xspa:1.0:subject:subject-id"),
            role: coded("urn:oasis:names:tc:xacml:2.0:subject:role", "Role"),
            purpose: Purpose::parse(&coded(
                "urn:oasis:names:tc:xspa:1.0:subject:purposeofuse",
                "PurposeOfUse",
            ))
            .ok(),
            locality: plain("urn:oasis:names:tc:xspa:1.0:environment:locality"),
            facility: plain("urn:ehdsi:names:subject:healthcare-facility-type"),
            organization_id: plain("urn:oasis:names:tc:xspa:1.0:subject:organization-id"),
            permissions: statement
                .children_named(SAML, "Attribute")
                .filter(|a| {
                    a.attribute("Name")
                        == Some("urn:oasis:names:tc:xspa:1.0:subject:hl7:permission")
                })
                .flat_map(|a| a.children_named(SAML, "AttributeValue"))
                .filter_map(|v| Permission::of(v.plain_text()?))
                .collect(),
            certificate,
        })
    }

    /// The country in the issuer: `urn:idp:CC:countryB` or `urn:initgw:CC:countryB`.
    pub fn issuer_country(&self) -> Option<exchange::Country> {
        let prefix = if self.kind == Kind::Hcp { "urn:idp:" } else { "urn:initgw:" };
        let country = self.issuer.strip_prefix(prefix)?.strip_suffix(":countryB")?;
        exchange::Country::parse(country).ok()
    }
}
