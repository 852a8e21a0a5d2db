//! What ITI-55 asks.

use exchange::{Oid, PatientId};
use jiff::Timestamp;
use trust::xml::{Element, Writer};

use super::{HL7, QUERY_ID, community, write_transmission};
use crate::MessageError;

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
        if !(self.given.is_empty() && self.family.is_empty()) {
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
