//! XCPD: ITI-55 Cross Gateway Patient Discovery (openncp-protocol §1.3).

use exchange::{Code, Oid, PatientId, Refusal};
use jiff::Timestamp;
use trust::xml::{Element, Writer, XmlError};

use crate::{MessageError, compact_time};

/// HL7 v3.
pub const HL7: &str = "urn:hl7-org:v3";
const XSI: &str = "http://www.w3.org/2001/XMLSchema-instance";

/// What ITI-55 asks: identifiers, and demographics that only confirm them. Personal: no `Debug`.
#[derive(Clone, PartialEq, Eq)]
pub struct Request {
    /// Message id: (root, extension).
    pub id: (String, String),
    /// Home community of the country of affiliation, as the receiver says it.
    pub receiver: Option<Oid>,
    /// Home community of the country of treatment.
    pub sender: Option<Oid>,
    /// Identifiers asked for.
    pub patients: Vec<PatientId>,
    /// `M`, `F`, `UN` or empty.
    pub gender: String,
    /// `yyyyMMdd` or empty.
    pub birth: String,
    /// Given name, may be empty.
    pub given: String,
    /// Family name, may be empty.
    pub family: String,
}

impl Request {
    /// Reads the Body's payload, in any element order.
    pub fn parse(payload: Element<'_, '_>) -> Result<Self, MessageError> {
        if !payload.is(HL7, "PRPA_IN201305UV02") {
            return Err(MessageError::Unexpected);
        }
        let id = payload.only_child(HL7, "id")?;
        // each once: another parser may read the last of several where we read the first
        let parameters = payload
            .only_child(HL7, "controlActProcess")?
            .only_child(HL7, "queryByParameter")?
            .only_child(HL7, "parameterList")?;
        let mut patients = Vec::new();
        for parameter in parameters.children_named(HL7, "livingSubjectId") {
            for value in parameter.children_named(HL7, "value") {
                let root = Oid::parse(value.demand_attribute("root")?)?;
                patients.push(PatientId::new(root, value.demand_attribute("extension")?)?);
            }
        }
        let attribute = |name: &str, attribute: &str| {
            let value = parameters.path(HL7, &[name, "value"]).and_then(|v| v.attribute(attribute));
            value.unwrap_or("").to_owned()
        };
        let name = parameters.path(HL7, &["livingSubjectName", "value"]);
        let part = |which: &str| {
            let element = name.and_then(|n| n.child(HL7, which));
            element.and_then(Element::plain_text).unwrap_or("").trim().to_owned()
        };
        Ok(Self {
            id: (
                id.attribute("root").unwrap_or("").to_owned(),
                id.attribute("extension").unwrap_or("").to_owned(),
            ),
            receiver: community(payload, "receiver"),
            sender: community(payload, "sender"),
            gender: attribute("livingSubjectAdministrativeGender", "code"),
            birth: attribute("livingSubjectBirthTime", "value"),
            given: part("given"),
            family: part("family"),
            patients,
        })
    }

    /// Writes the Body's payload.
    pub fn render(&self, at: Timestamp) -> String {
        let mut w = Writer::new();
        w.open("PRPA_IN201305UV02", &[("xmlns", HL7), ("ITSVersion", "XML_1.0")]);
        write_transmission(
            &mut w,
            &self.id,
            at,
            "PRPA_IN201305UV02",
            "AL",
            self.receiver.as_ref(),
            self.sender.as_ref(),
        );
        w.open("controlActProcess", &[("classCode", "CACT"), ("moodCode", "EVN")]);
        w.empty(
            "code",
            &[("code", "PRPA_TE201305UV02"), ("codeSystemName", "2.16.840.1.113883.1.6")],
        );
        w.open("authorOrPerformer", &[("typeCode", "AUT")]);
        w.empty("assignedPerson", &[("classCode", "ASSIGNED")]);
        w.close();
        self.write_query(&mut w);
        w.close();
        w.close();
        w.finish()
    }

    fn write_query(&self, w: &mut Writer) {
        w.open("queryByParameter", &[]);
        w.empty("queryId", &[("root", QUERY_ID)]);
        w.empty("statusCode", &[("code", "new")]);
        w.empty("responseModalityCode", &[("code", "R")]);
        w.empty("responsePriorityCode", &[("code", "I")]);
        w.empty("matchCriterionList", &[]);
        w.open("parameterList", &[]);
        let meaning = |w: &mut Writer, text: &str| w.leaf("semanticsText", &[], text);
        if !self.gender.is_empty() {
            w.open("livingSubjectAdministrativeGender", &[]);
            w.empty("value", &[("code", &self.gender), ("codeSystem", "2.16.840.1.113883.5.1")]);
            meaning(w, "LivingSubject.administrativeGender");
            w.close();
        }
        if !self.birth.is_empty() {
            w.open("livingSubjectBirthTime", &[]);
            w.empty("value", &[("value", &self.birth)]);
            meaning(w, "LivingSubject.birthTime");
            w.close();
        }
        for patient in &self.patients {
            w.open("livingSubjectId", &[]);
            w.empty(
                "value",
                &[("root", patient.root().as_str()), ("extension", patient.extension())],
            );
            meaning(w, "LivingSubject.id");
            w.close();
        }
        if !self.family.is_empty() {
            w.open("livingSubjectName", &[]);
            w.open("value", &[]);
            w.leaf("given", &[], &self.given);
            w.leaf("family", &[], &self.family);
            w.close();
            meaning(w, "LivingSubject.name");
            w.close();
        }
        w.close();
        w.close();
    }
}

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

/// An `id`; one without root (of a request that could not be read) is a null flavor.
fn write_id(w: &mut Writer, root: &str, extension: &str) {
    match (root, extension) {
        ("", _) => w.empty("id", &[("nullFlavor", "NI")]),
        (root, "") => w.empty("id", &[("root", root)]),
        (root, extension) => w.empty("id", &[("root", root), ("extension", extension)]),
    }
}

/// Home community of a `receiver` or `sender`: the organisation's id, which the device's only
/// repeats in eHDSI (IHE ITI TF-2 §3.55.4.1.2.4).
pub(crate) fn community(payload: Element<'_, '_>, end: &str) -> Option<Oid> {
    let id = |path: &[&str]| Oid::parse(payload.path(HL7, path)?.attribute("root")?).ok();
    id(&[end, "device", "asAgent", "representedOrganization", "id"])
        .or_else(|| id(&[end, "device", "id"]))
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

fn write_transmission(
    w: &mut Writer,
    id: &(String, String),
    at: Timestamp,
    interaction: &str,
    acknowledge: &str,
    receiver: Option<&Oid>,
    sender: Option<&Oid>,
) {
    write_id(w, &id.0, &id.1);
    w.empty("creationTime", &[("value", &format!("{}+0000", compact_time(at)))]);
    w.empty("versionCode", &[("code", "V3PR1")]);
    w.empty("interactionId", &[("root", "2.16.840.1.113883.1.6"), ("extension", interaction)]);
    w.empty("processingCode", &[("code", "P")]);
    w.empty("processingModeCode", &[("code", "T")]);
    w.empty("acceptAckCode", &[("code", acknowledge)]);
    for (name, kind, community) in [("receiver", "RCV", receiver), ("sender", "SND", sender)] {
        let id = |w: &mut Writer| match community {
            Some(oid) => w.empty("id", &[("root", oid.as_str())]),
            None => w.empty("id", &[("nullFlavor", "NA")]),
        };
        w.open(name, &[("typeCode", kind)]);
        w.open("device", &[("classCode", "DEV"), ("determinerCode", "INSTANCE")]);
        id(w);
        w.open("asAgent", &[("classCode", "AGNT")]);
        w.open("representedOrganization", &[("classCode", "ORG"), ("determinerCode", "INSTANCE")]);
        id(w);
        for _ in 0..4 {
            w.close();
        }
    }
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

/// A constant in OpenNCP; never a key.
const QUERY_ID: &str = "1.263507841149";

#[cfg(test)]
mod tests {
    use super::*;
    use trust::xml::{Limits, Xml};

    fn request() -> Request {
        Request {
            id: ("1.2.3".into(), "4".into()),
            receiver: Oid::parse("1.2").ok(),
            sender: Oid::parse("1.3").ok(),
            patients: vec![PatientId::parse_cx("1^^^&1.2.3&ISO").unwrap()],
            gender: "F".into(),
            birth: "19800626".into(),
            given: "A".into(),
            family: "B".into(),
        }
    }

    #[test]
    fn a_second_patient_hides_in_a_second_parameter_list() {
        let text = request().render("2026-11-21T01:02:03Z".parse().unwrap());
        for name in ["controlActProcess", "queryByParameter", "parameterList"] {
            let start = text.find(&format!("<{name}")).unwrap();
            let close = format!("</{name}>");
            let end = text.find(&close).unwrap() + close.len();
            let second = text[start..end].replace("extension=\"1\"", "extension=\"2\"");
            let doubled = format!("{}{second}{}", &text[..end], &text[end..]);
            let xml = Xml::parse(&doubled, &Limits::MESSAGE).unwrap();
            assert!(Request::parse(xml.root()).is_err(), "{name}");
        }
    }

    #[test]
    fn requests_and_answers_round_trip() {
        let at = "2026-11-21T01:02:03Z".parse().unwrap();
        let text = request().render(at);
        let xml = Xml::parse(&text, &Limits::MESSAGE).unwrap();
        assert!(Request::parse(xml.root()).unwrap() == request());
        let oid = Oid::parse("1.2").unwrap();
        let found = Response::Found(vec![Match {
            id: PatientId::parse_cx("1^^^&1.2.3&ISO").unwrap(),
            given: "A".into(),
            family: "B".into(),
            gender: "F".into(),
            birth: "19800626".into(),
            address: ["s".into(), "c".into(), "1".into(), "DK".into()],
        }]);
        let refused =
            Response::refused(&Refusal::new(Code::WarningPiNoConsent, "ask the patient"), "id");
        for response in [found, refused] {
            let text = response.render("1.9", at, ("1.2.3", "4"), &oid, None, "");
            let xml = Xml::parse(&text, &Limits::MESSAGE).unwrap();
            assert!(Response::parse(xml.root()).unwrap() == response);
        }
    }

    #[test]
    fn the_home_community_is_the_organisations_and_only_then_the_devices() {
        let text = request().render("2026-11-21T01:02:03Z".parse().unwrap());
        let device = text.replacen("<id root=\"1.3\"/>", "<id root=\"1.99\"/>", 1);
        assert_ne!(device, text);
        let at = device.find("<asAgent").unwrap();
        let end = device.find("</asAgent>").unwrap() + "</asAgent>".len();
        let alone = format!("{}{}", &device[..at], &device[end..]);
        for (text, receiver, sender) in
            [(&text, "1.2", "1.3"), (&device, "1.2", "1.3"), (&alone, "1.2", "1.3")]
        {
            let xml = Xml::parse(text, &Limits::MESSAGE).unwrap();
            let read = Request::parse(xml.root()).unwrap();
            assert_eq!(read.receiver, Oid::parse(receiver).ok(), "{text}");
            assert_eq!(read.sender, Oid::parse(sender).ok(), "{text}");
        }
    }
}
