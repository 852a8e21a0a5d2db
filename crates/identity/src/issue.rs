//! Issuing assertions as eHDSI wants them (openncp-protocol §1.7): for the demo, the tests and, later,
//! countries without a security token service.

use std::sync::Arc;

use exchange::{Country, Oid, PatientId, Permission, Purpose, RoleCode};
use jiff::{SignedDuration, Timestamp};
use trust::seal::SealKey;
use trust::signature::{SignatureError, sign_enveloped};
use trust::xml::Writer;

use crate::assertion::{Kind, SAML};

/// A health professional at work. Personal: no `Debug`.
#[derive(Clone)]
pub struct Professional {
    /// NameID.
    pub user: String,
    /// Name.
    pub name: String,
    /// ISCO role.
    pub role: RoleCode,
    /// Organisation.
    pub organization: String,
    /// `urn:oid:…` or `urn:hl7ii:…` of the organisation; a discard demands it.
    pub organization_id: String,
    /// Point of care.
    pub locality: String,
    /// Facility type of the eHDSI value set.
    pub facility: String,
    /// Home community of the country of treatment.
    pub community: Oid,
    /// Permissions, short codes.
    pub permissions: Vec<Permission>,
}

/// Where and when an assertion is issued.
#[derive(Debug, Clone, Copy)]
pub struct Moment<'a> {
    /// The country of treatment.
    pub country: Country,
    /// When.
    pub now: Timestamp,
    /// For how long.
    pub life: SignedDuration,
    /// The assertion's id: `_` and a UUID.
    pub id: &'a str,
    /// Class of the authentication, behind `…:ac:classes:`.
    pub class: &'a str,
}

/// An HCP identity assertion for somebody who logs in now.
pub fn hcp(
    who: &Professional,
    moment: &Moment<'_>,
    purpose: Purpose,
    key: &Arc<SealKey>,
) -> Result<String, SignatureError> {
    hcp_of_login(who, moment, moment.now, purpose, key)
}

/// An HCP identity assertion for somebody who logged in at `authenticated`.
pub fn hcp_of_login(
    who: &Professional,
    moment: &Moment<'_>,
    authenticated: Timestamp,
    purpose: Purpose,
    key: &Arc<SealKey>,
) -> Result<String, SignatureError> {
    let mut w = Writer::new();
    text(&mut w, "urn:oasis:names:tc:xspa:1.0:subject:subject-id", "XSPA Subject", &[&who.name]);
    attribute(&mut w, "urn:oasis:names:tc:xacml:2.0:subject:role", "XSPA Role", |w| {
        let (code, name) = (who.role.code(), who.role.name());
        w.open("saml2:AttributeValue", &[]);
        w.empty(
            "Role",
            &[
                ("xmlns", "urn:hl7-org:v3"),
                ("code", code),
                ("codeSystem", "2.16.840.1.113883.2.9.6.2.7"),
                ("codeSystemName", "ISCO"),
                ("displayName", name),
            ],
        );
        w.close();
    });
    text(
        &mut w,
        "urn:oasis:names:tc:xspa:1.0:subject:organization",
        "XSPA Organization",
        &[&who.organization],
    );
    text(
        &mut w,
        "urn:oasis:names:tc:xspa:1.0:subject:organization-id",
        "XSPA Organization ID",
        &[&who.organization_id],
    );
    text(&mut w, "urn:ihe:iti:xca:2010:homeCommunityId", "HCI Identifier", &[&who.community.urn()]);
    let facility = "eHealth DSI Healthcare Facility Type";
    text(&mut w, "urn:ehdsi:names:subject:healthcare-facility-type", facility, &[&who.facility]);
    purpose_of_use(&mut w, purpose);
    text(
        &mut w,
        "urn:oasis:names:tc:xspa:1.0:environment:locality",
        "XSPA Locality",
        &[&who.locality],
    );
    let permissions: Vec<String> =
        who.permissions.iter().map(|p| format!("{}{}", Permission::PREFIX, p.code())).collect();
    let permissions: Vec<&str> = permissions.iter().map(String::as_str).collect();
    text(
        &mut w,
        "urn:oasis:names:tc:xspa:1.0:subject:hl7:permission",
        "Hl7 Permissions",
        &permissions,
    );
    let frame = Frame {
        kind: Kind::Hcp,
        subject: Subject::user(&who.user),
        moment,
        authenticated,
        advice: None,
    };
    frame.sign(&w.finish(), key)
}

/// A treatment relation confirmation for an HCP assertion.
pub fn trc(
    who: &Professional,
    hcp_id: &str,
    patient: &PatientId,
    moment: &Moment<'_>,
    purpose: Purpose,
    key: &Arc<SealKey>,
) -> Result<String, SignatureError> {
    let relation = Relation { patient, purpose, prescription: None, pin: None };
    trc_of(&Subject::user(&who.user), hcp_id, &relation, moment, key)
}

/// Whom an assertion is about: NameID and its Format.
#[derive(Clone, Copy)]
pub(crate) struct Subject<'a> {
    pub(crate) user: &'a str,
    pub(crate) format: &'a str,
}

impl<'a> Subject<'a> {
    pub(crate) fn user(user: &'a str) -> Self {
        Self { user, format: "urn:oasis:names:tc:SAML:1.1:nameid-format:unspecified" }
    }
}

/// What a treatment relation is about. Personal: no `Debug`.
#[derive(Clone, Copy)]
pub struct Relation<'a> {
    /// The patient.
    pub patient: &'a PatientId,
    /// Why.
    pub purpose: Purpose,
    /// Where a country wants it: the prescription that the patient showed.
    pub prescription: Option<&'a str>,
    /// Where a country wants it: the code on that prescription.
    pub pin: Option<&'a str>,
}

pub(crate) fn trc_of(
    subject: &Subject<'_>,
    hcp_id: &str,
    relation: &Relation<'_>,
    moment: &Moment<'_>,
    key: &Arc<SealKey>,
) -> Result<String, SignatureError> {
    let mut w = Writer::new();
    text(
        &mut w,
        "urn:oasis:names:tc:xspa:1.0:subject:subject-id",
        "XSPA Subject",
        &[&relation.patient.cx()],
    );
    purpose_of_use(&mut w, relation.purpose);
    if let Some(pin) = relation.pin {
        let name = "urn:ehdsi:names:document:document-id:dispensationPinCode";
        text(&mut w, name, "Dispensation Pin Code", &[pin]);
    }
    if let Some(prescription) = relation.prescription {
        let name = "urn:ehdsi:names:document:document-id:prescriptionId";
        text(&mut w, name, "Prescription ID", &[prescription]);
    }
    let frame = Frame {
        kind: Kind::Trc,
        subject: *subject,
        moment,
        authenticated: moment.now,
        advice: Some(hcp_id),
    };
    frame.sign(&w.finish(), key)
}

/// What all three kinds have around their attributes.
pub(crate) struct Frame<'a> {
    pub(crate) kind: Kind,
    pub(crate) subject: Subject<'a>,
    pub(crate) moment: &'a Moment<'a>,
    pub(crate) authenticated: Timestamp,
    pub(crate) advice: Option<&'a str>,
}

impl Frame<'_> {
    pub(crate) fn sign(
        &self,
        attributes: &str,
        key: &Arc<SealKey>,
    ) -> Result<String, SignatureError> {
        let Self { kind, moment, .. } = self;
        let now = stamp(moment.now);
        let end = stamp(moment.now.checked_add(moment.life).unwrap_or(moment.now));
        let mut w = Writer::new();
        w.open(
            "saml2:Assertion",
            &[
                ("xmlns:saml2", SAML),
                ("xmlns:xsd", "http://www.w3.org/2001/XMLSchema"),
                ("xmlns:xsi", "http://www.w3.org/2001/XMLSchema-instance"),
                ("ID", moment.id),
                ("IssueInstant", &now),
                ("Version", "2.0"),
            ],
        );
        let issuer = issuer(*kind, moment.country);
        w.leaf("saml2:Issuer", &[("NameQualifier", kind.qualifier())], &issuer);
        w.open("saml2:Subject", &[]);
        w.leaf("saml2:NameID", &[("Format", self.subject.format)], self.subject.user);
        w.empty(
            "saml2:SubjectConfirmation",
            &[("Method", "urn:oasis:names:tc:SAML:2.0:cm:sender-vouches")],
        );
        w.close();
        w.open("saml2:Conditions", &[("NotBefore", &now), ("NotOnOrAfter", &end)]);
        w.open("saml2:AudienceRestriction", &[]);
        w.leaf("saml2:Audience", &[], "urn:ehdsi:assertions.audience:x-border");
        w.close();
        w.close();
        if let Some(hcp_id) = self.advice {
            w.open("saml2:Advice", &[]);
            w.leaf("saml2:AssertionIDRef", &[], hcp_id);
            w.close();
        }
        w.open("saml2:AuthnStatement", &[("AuthnInstant", &stamp(self.authenticated))]);
        w.open("saml2:AuthnContext", &[]);
        let class = format!("urn:oasis:names:tc:SAML:2.0:ac:classes:{}", moment.class);
        w.leaf("saml2:AuthnContextClassRef", &[], &class);
        w.close();
        w.close();
        w.open("saml2:AttributeStatement", &[]);
        w.raw(attributes);
        w.close();
        w.close();
        sign_enveloped(&w.finish(), moment.id, key)
    }
}

/// Who issues assertions of a kind in a country: their `Issuer`.
pub fn issuer(kind: Kind, country: Country) -> String {
    let prefix = if kind == Kind::Hcp { "urn:idp" } else { "urn:initgw" };
    format!("{prefix}:{country}:countryB")
}

fn attribute(w: &mut Writer, name: &str, friendly: &str, values: impl FnOnce(&mut Writer)) {
    let format = "urn:oasis:names:tc:SAML:2.0:attrname-format:uri";
    w.open(
        "saml2:Attribute",
        &[("FriendlyName", friendly), ("Name", name), ("NameFormat", format)],
    );
    values(w);
    w.close();
}

pub(crate) fn text(w: &mut Writer, name: &str, friendly: &str, values: &[&str]) {
    attribute(w, name, friendly, |w| {
        for value in values {
            w.leaf("saml2:AttributeValue", &[("xsi:type", "xsd:string")], value);
        }
    });
}

fn purpose_of_use(w: &mut Writer, purpose: Purpose) {
    attribute(w, "urn:oasis:names:tc:xspa:1.0:subject:purposeofuse", "XSPA Purpose Of Use", |w| {
        w.open("saml2:AttributeValue", &[]);
        w.empty(
            "PurposeOfUse",
            &[
                ("xmlns", "urn:hl7-org:v3"),
                ("code", purpose.code()),
                ("codeSystem", "3bc18518-d305-46c2-a8d6-94bd59856e9e"),
                ("codeSystemName", "eHDSI XSPA PurposeOfUse"),
                ("displayName", purpose.code()),
            ],
        );
        w.close();
    });
}

fn stamp(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%S.%3fZ").to_string()
}
