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

/// An HCP identity assertion.
pub fn hcp(
    who: &Professional,
    moment: &Moment<'_>,
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
        &[&who.community.urn()],
    );
    text(&mut w, "urn:ihe:iti:xca:2010:homeCommunityId", "HCI Identifier", &[&who.community.urn()]);
    let facility = "eHealth DSI Healthcare Facility Type";
    text(&mut w, "urn:ehdsi:names:subject:healthcare-facility-type", facility, &[&who.facility]);
    purpose_of_use(&mut w, purpose);
    text(
        &mut w,
        "urn:oasis:names:tc:xspa:1.0:environment:locality",
        "XSPA Locality",
        &[&who.organization],
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
    assertion(Kind::Hcp, &who.user, moment, None, &w.finish(), key)
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
    let mut w = Writer::new();
    text(
        &mut w,
        "urn:oasis:names:tc:xspa:1.0:subject:subject-id",
        "XSPA Subject",
        &[&patient.cx()],
    );
    purpose_of_use(&mut w, purpose);
    assertion(Kind::Trc, &who.user, moment, Some(hcp_id), &w.finish(), key)
}

fn assertion(
    kind: Kind,
    user: &str,
    moment: &Moment<'_>,
    advice: Option<&str>,
    attributes: &str,
    key: &Arc<SealKey>,
) -> Result<String, SignatureError> {
    let now = stamp(moment.now);
    let end = stamp(moment.now.checked_add(moment.life).unwrap_or(moment.now));
    let prefix = if kind == Kind::Hcp { "urn:idp" } else { "urn:initgw" };
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
    let issuer = format!("{prefix}:{}:countryB", moment.country);
    w.leaf("saml2:Issuer", &[("NameQualifier", kind.qualifier())], &issuer);
    w.open("saml2:Subject", &[]);
    w.leaf(
        "saml2:NameID",
        &[("Format", "urn:oasis:names:tc:SAML:1.1:nameid-format:unspecified")],
        user,
    );
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
    if let Some(hcp_id) = advice {
        w.open("saml2:Advice", &[]);
        w.leaf("saml2:AssertionIDRef", &[], hcp_id);
        w.close();
    }
    w.open("saml2:AuthnStatement", &[("AuthnInstant", &now)]);
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

fn attribute(w: &mut Writer, name: &str, friendly: &str, values: impl FnOnce(&mut Writer)) {
    let format = "urn:oasis:names:tc:SAML:2.0:attrname-format:uri";
    w.open(
        "saml2:Attribute",
        &[("FriendlyName", friendly), ("Name", name), ("NameFormat", format)],
    );
    values(w);
    w.close();
}

fn text(w: &mut Writer, name: &str, friendly: &str, values: &[&str]) {
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
