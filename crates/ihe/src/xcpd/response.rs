//! What ITI-55 answers.

use exchange::{Code, Oid, PatientId, Refusal};
use jiff::Timestamp;
use trust::xml::{Element, Writer, XmlError};

use super::{HL7, QUERY_ID, XSI, write_id, write_transmission};
use crate::MessageError;

/// One person that matched. Personal: no `Debug`.
#[derive(Clone, PartialEq, Eq)]
pub struct Match {
    /// Identifier.
    pub id: PatientId,
    /// Given name.
    pub given: String,
    /// Family name.
    pub family: String,
    /// `M`, `F` or `UN`.
    pub gender: String,
    /// `yyyyMMdd`.
    pub birth: String,
    /// Street, city, postal code, country.
    pub address: [String; 4],
}

/// ITI-55 answer.
#[derive(Clone, PartialEq, Eq)]
pub enum Response {
    /// At least one match with consent.
    Found(Vec<Match>),
    /// No match, or a refusal.
    Not(Failure),
}

/// Why nothing was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// Code of the detected issue: `AnswerNotAvailable`, `InsufficientRights` …
    pub issue: String,
    /// eHDSI code in the acknowledgement detail.
    pub code: String,
    /// Text for people.
    pub text: String,
    /// Correlation id.
    pub location: String,
}

/// A row of the outcome table: (eHDSI code, acknowledgement, issue).
static OUTCOMES: [(Code, &str, &str); 4] = [
    (Code::ErrorPiNoMatch, "AA", "AnswerNotAvailable"),
    (Code::WarningPiNoConsent, "AE", "InsufficientRights"),
    (Code::ErrorPiGeneric, "AE", "AnswerNotAvailable"),
    (Code::ErrorPiMissingRequiredFields, "AE", "DemographicsQueryNotAllowed"),
];

impl Response {
    /// Reads the Body's payload, in any element order.
    pub fn parse(payload: Element<'_, '_>) -> Result<Self, MessageError> {
        if !payload.is(HL7, "PRPA_IN201306UV02") {
            return Err(MessageError::Unexpected);
        }
        let act = payload.only_child(HL7, "controlActProcess")?;
        let mut matches = Vec::new();
        for subject in act.children_named(HL7, "subject") {
            let patient = subject.path(HL7, &["registrationEvent", "subject1", "patient"]);
            matches.push(read_match(
                patient.ok_or(XmlError::Element { name: "patient", problem: "missing" })?,
            )?);
        }
        if !matches.is_empty() {
            return Ok(Self::Found(matches));
        }
        let detail = payload.path(HL7, &["acknowledgement", "acknowledgementDetail"]);
        let text = |name: &str| {
            let child = detail.and_then(|d| d.child(HL7, name));
            child.and_then(Element::plain_text).unwrap_or("").to_owned()
        };
        let issue = act.path(HL7, &["reasonOf", "detectedIssueEvent"]).and_then(|event| {
            let inner =
                event.children().find(|c| c.name() == "triggerFor" || c.name() == "mitigatedBy")?;
            inner.descendants().find(|e| e.is(HL7, "code"))?.attribute("code")
        });
        Ok(Self::Not(Failure {
            issue: issue.unwrap_or("").to_owned(),
            code: detail
                .and_then(|d| d.path(HL7, &["code"]))
                .and_then(|c| c.attribute("code"))
                .unwrap_or("")
                .to_owned(),
            text: text("text"),
            location: text("location"),
        }))
    }

    /// The answer that a refusal becomes.
    pub fn refused(refusal: &Refusal, location: &str) -> Self {
        let row = OUTCOMES.iter().find(|row| row.0 == refusal.code);
        let issue = row.map_or("InsufficientRights", |row| row.2);
        let code = if refusal.code == Code::ErrorPiMissingRequiredFields {
            Code::ErrorPiGeneric
        } else {
            refusal.code
        };
        Self::Not(Failure {
            issue: issue.to_owned(),
            code: code.wire().to_owned(),
            text: refusal.hint.to_owned(),
            location: location.to_owned(),
        })
    }

    /// Writes the Body's payload. `query` is the source of the request's `queryByParameter`, echoed;
    /// `request` its id; `community` ours, `peer` theirs.
    pub fn render(
        &self,
        message_id: &str,
        at: Timestamp,
        request: (&str, &str),
        community: &Oid,
        peer: Option<&Oid>,
        query: &str,
    ) -> String {
        let mut w = Writer::new();
        w.open(
            "PRPA_IN201306UV02",
            &[("xmlns", HL7), ("xmlns:xsi", XSI), ("ITSVersion", "XML_1.0")],
        );
        let id = (message_id.to_owned(), String::new());
        write_transmission(&mut w, &id, at, "PRPA_IN201306UV02", "NE", peer, Some(community));
        let (acknowledgement, status) = match self {
            Self::Found(_) => ("AA", "OK"),
            Self::Not(failure) => {
                let row = OUTCOMES.iter().find(|row| row.0.wire() == failure.code);
                (row.map_or("AE", |row| row.1), "AE")
            }
        };
        w.open("acknowledgement", &[]);
        w.empty("typeCode", &[("code", acknowledgement)]);
        w.open("targetMessage", &[]);
        write_id(&mut w, request.0, request.1);
        w.close();
        if let Self::Not(failure) = self {
            w.open("acknowledgementDetail", &[]);
            w.empty("code", &[("code", &failure.code)]);
            w.leaf("text", &[], &failure.text);
            w.leaf("location", &[], &failure.location);
            w.close();
        }
        w.close();
        w.open("controlActProcess", &[("classCode", "CACT"), ("moodCode", "EVN")]);
        w.empty(
            "code",
            &[("code", "PRPA_TE201306UV02"), ("codeSystemName", "2.16.840.1.113883.1.6")],
        );
        match self {
            Self::Found(matches) => {
                matches.iter().for_each(|found| write_match(&mut w, found, community));
            }
            Self::Not(failure) => write_issue(&mut w, failure),
        }
        w.open("queryAck", &[]);
        w.empty("queryId", &[("root", QUERY_ID)]);
        w.empty("statusCode", &[("code", status)]);
        w.empty("queryResponseCode", &[("code", status)]);
        w.close();
        w.raw(query);
        w.close();
        w.close();
        w.finish()
    }
}

fn read_match(patient: Element<'_, '_>) -> Result<Match, MessageError> {
    let id =
        patient.child(HL7, "id").ok_or(XmlError::Element { name: "id", problem: "missing" })?;
    let person = patient.child(HL7, "patientPerson");
    let text = |path: &[&str]| {
        let element = person.and_then(|p| p.path(HL7, path));
        element.and_then(Element::plain_text).unwrap_or("").trim().to_owned()
    };
    let attribute = |name: &str, attribute: &str| {
        person
            .and_then(|p| p.child(HL7, name))
            .and_then(|e| e.attribute(attribute))
            .unwrap_or("")
            .to_owned()
    };
    // OpenNCP writes a street's name, gematik and IHE's examples its address line
    let street = ["streetName", "streetAddressLine"].map(|part| text(&["addr", part]));
    let street = street.into_iter().find(|line| !line.is_empty()).unwrap_or_default();
    let country = text(&["addr", "country"]);
    Ok(Match {
        id: PatientId::new(
            Oid::parse(id.demand_attribute("root")?)?,
            id.demand_attribute("extension")?,
        )?,
        given: text(&["name", "given"]),
        family: text(&["name", "family"]),
        gender: attribute("administrativeGenderCode", "code"),
        birth: attribute("birthTime", "value"),
        address: [street, text(&["addr", "city"]), text(&["addr", "postalCode"]), country],
    })
}

fn write_match(w: &mut Writer, found: &Match, community: &Oid) {
    w.open("subject", &[("typeCode", "SUBJ")]);
    w.open("registrationEvent", &[("classCode", "REG"), ("moodCode", "EVN")]);
    w.empty("id", &[("nullFlavor", "NA")]);
    w.empty("statusCode", &[("code", "active")]);
    w.open("subject1", &[("typeCode", "SBJ")]);
    w.open("patient", &[("classCode", "PAT")]);
    w.empty("id", &[("root", found.id.root().as_str()), ("extension", found.id.extension())]);
    w.empty("statusCode", &[("code", "active")]);
    w.open("patientPerson", &[("classCode", "PSN"), ("determinerCode", "INSTANCE")]);
    w.open("name", &[]);
    w.leaf("given", &[], &found.given);
    w.leaf("family", &[], &found.family);
    w.close();
    w.empty("administrativeGenderCode", &[("code", &found.gender)]);
    w.empty("birthTime", &[("value", &found.birth)]);
    w.open("addr", &[]);
    for (name, value) in ["streetName", "city", "postalCode", "country"].iter().zip(&found.address)
    {
        if !value.is_empty() {
            w.leaf(name, &[], value);
        }
    }
    w.close();
    w.close();
    w.open("subjectOf1", &[]);
    w.open("queryMatchObservation", &[("classCode", "OBS"), ("moodCode", "EVN")]);
    w.empty("code", &[("code", "IHE_PDQ"), ("codeSystem", "2.16.840.1.113883.1.11.19914")]);
    w.empty("value", &[("xsi:type", "INT"), ("value", "100")]);
    for _ in 0..4 {
        w.close();
    }
    w.open("custodian", &[("typeCode", "CST")]);
    w.open("assignedEntity", &[("classCode", "ASSIGNED")]);
    w.empty("id", &[("root", community.as_str())]);
    w.empty(
        "code",
        &[("code", "NotHealthDataLocator"), ("codeSystem", "1.3.6.1.4.1.19376.1.2.27.2")],
    );
    for _ in 0..4 {
        w.close();
    }
}

fn write_issue(w: &mut Writer, failure: &Failure) {
    let ihe =
        ["AnswerNotAvailable", "ResponderBusy", "InternalError"].contains(&failure.issue.as_str());
    let system =
        if ihe { "1.3.6.1.4.1.19376.1.2.27.3" } else { "1.3.6.1.4.1.12559.11.10.1.3.2.2.1" };
    w.open("reasonOf", &[("typeCode", "RSON")]);
    w.open("detectedIssueEvent", &[("classCode", "ALRT"), ("moodCode", "EVN")]);
    let code = "_ActAdministrativeDetectedIssueManagementCode";
    w.empty("code", &[("code", code), ("codeSystem", "2.16.840.1.113883.5.4")]);
    if failure.issue == "DemographicsQueryNotAllowed" {
        w.open("triggerFor", &[("typeCode", "TRIG")]);
        w.open("actOrderRequired", &[("classCode", "ACT"), ("moodCode", "RQO")]);
    } else {
        w.open("mitigatedBy", &[("typeCode", "MITGT")]);
        w.open("detectedIssueManagement", &[("classCode", "ACT"), ("moodCode", "EVN")]);
    }
    w.empty("code", &[("code", &failure.issue), ("codeSystem", system)]);
    for _ in 0..4 {
        w.close();
    }
}
