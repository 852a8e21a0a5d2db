//! ATNA audit messages (DICOM PS3.15 A.5 as eHDSI uses it, openncp-protocol §1.10).
//!
//! [`Record`] is a message as it stands; [`occurrence`] makes those that we write of exchanges,
//! [`access`] those of logins.

pub mod access;
pub mod occurrence;
mod participants;

use trust::xml::{Element, Writer, XmlError};

use crate::MessageError;

/// A coded value: `csd-code` in DICOM's form, `code` in RFC 3881's.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Coded {
    /// The code.
    pub code: String,
    /// Its system.
    pub system: String,
    /// For people.
    pub text: String,
}

/// One participant. May be personal: no `Debug`.
#[derive(Clone, PartialEq, Eq)]
pub struct Participant {
    /// `UserID`.
    pub user: String,
    /// `AlternativeUserID`; empty when missing.
    pub alternative: String,
    /// `UserIsRequestor`.
    pub requestor: bool,
    /// `NetworkAccessPointID`, an IP address; empty when missing.
    pub address: String,
    /// Role.
    pub role: Coded,
}

/// One object. May be personal: no `Debug`.
#[derive(Clone, PartialEq, Eq)]
pub struct Object {
    /// `ParticipantObjectID`.
    pub id: String,
    /// `ParticipantObjectTypeCode`.
    pub kind: String,
    /// `ParticipantObjectTypeCodeRole`; empty when missing.
    pub role: String,
    /// `ParticipantObjectDataLifeCycle`; empty when missing.
    pub life_cycle: String,
    /// What the id is.
    pub id_type: Coded,
    /// `ParticipantObjectQuery` as it stands: base64; empty when missing.
    pub query: String,
    /// (type, value as it stands: base64).
    pub details: Vec<(String, String)>,
}

/// One audit record. Personal: no `Debug`.
#[derive(Clone, PartialEq, Eq)]
pub struct Record {
    /// `EventID`.
    pub event: Coded,
    /// `EventTypeCode`: `ITI-55` and so on.
    pub event_type: Coded,
    /// `EventActionCode`.
    pub action: String,
    /// `EventDateTime`.
    pub time: String,
    /// `EventOutcomeIndicator`: 0, 4, 8 or 12; mapped by number.
    pub outcome: u8,
    /// Participants.
    pub participants: Vec<Participant>,
    /// `AuditSourceID`.
    pub source: String,
    /// Objects.
    pub objects: Vec<Object>,
    /// Whether a signature is attached; OpenNCP's names no signer.
    pub signed: bool,
}

impl Record {
    /// Reads an `AuditMessage`.
    pub fn parse(root: Element<'_, '_>) -> Result<Self, MessageError> {
        if root.name() != "AuditMessage" {
            return Err(MessageError::Unexpected);
        }
        let child = |name: &'static str| {
            root.children()
                .find(|c| c.name() == name)
                .ok_or(XmlError::Element { name, problem: "missing" })
        };
        let event = child("EventIdentification")?;
        let text =
            |element: Element<'_, '_>, name: &str| element.attribute(name).unwrap_or("").to_owned();
        let coded = |element: Element<'_, '_>, name: &str| {
            element.children().find(|c| c.name() == name).map(Coded::read).unwrap_or_default()
        };
        let outcome = event.demand_attribute("EventOutcomeIndicator")?;
        Ok(Self {
            event: coded(event, "EventID"),
            event_type: coded(event, "EventTypeCode"),
            action: text(event, "EventActionCode"),
            time: text(event, "EventDateTime"),
            outcome: outcome.parse().map_err(|_| exchange::Malformed { what: "audit outcome" })?,
            participants: root
                .children()
                .filter(|c| c.name() == "ActiveParticipant")
                .map(|p| Participant {
                    user: text(p, "UserID"),
                    alternative: text(p, "AlternativeUserID"),
                    address: text(p, "NetworkAccessPointID"),
                    requestor: p.attribute("UserIsRequestor") == Some("true"),
                    role: coded(p, "RoleIDCode"),
                })
                .collect(),
            source: text(child("AuditSourceIdentification")?, "AuditSourceID"),
            objects: root
                .children()
                .filter(|c| c.name() == "ParticipantObjectIdentification")
                .map(|o| Object {
                    id: text(o, "ParticipantObjectID"),
                    kind: text(o, "ParticipantObjectTypeCode"),
                    role: text(o, "ParticipantObjectTypeCodeRole"),
                    life_cycle: text(o, "ParticipantObjectDataLifeCycle"),
                    query: o
                        .children()
                        .find(|c| c.name() == "ParticipantObjectQuery")
                        .and_then(|q| q.demand_text("ParticipantObjectQuery").ok())
                        .unwrap_or("")
                        .to_owned(),
                    id_type: coded(o, "ParticipantObjectIDTypeCode"),
                    details: o
                        .children()
                        .filter(|c| c.name() == "ParticipantObjectDetail")
                        .map(|d| (text(d, "type"), text(d, "value")))
                        .collect(),
                })
                .collect(),
            signed: root.children().any(|c| c.name() == "Signature"),
        })
    }

    /// The patient object (1/1), if any.
    pub fn patient(&self) -> Option<&str> {
        self.objects.iter().find(|o| o.kind == "1" && o.role == "1").map(|o| o.id.as_str())
    }

    /// Writes an `AuditMessage`, valid against `DICOM_Unsigned.xsd`.
    pub fn render(&self) -> String {
        let values = |o: &Object| {
            o.query.len() + o.details.iter().map(|(_, value)| value.len()).sum::<usize>()
        };
        let size: usize = self.objects.iter().map(values).sum();
        let mut w = Writer::with_capacity(FRAME + size);
        w.open("AuditMessage", &[]);
        w.open(
            "EventIdentification",
            &[
                ("EventActionCode", &self.action),
                ("EventDateTime", &self.time),
                ("EventOutcomeIndicator", &self.outcome.to_string()),
            ],
        );
        self.event.write(&mut w, "EventID");
        self.event_type.write(&mut w, "EventTypeCode");
        w.close();
        for participant in &self.participants {
            participant.write(&mut w);
        }
        w.open(
            "AuditSourceIdentification",
            &[("AuditEnterpriseSiteID", &self.source), ("AuditSourceID", &self.source)],
        );
        w.empty("AuditSourceTypeCode", &[("csd-code", "4")]);
        w.close();
        for object in &self.objects {
            object.write(&mut w);
        }
        w.close();
        w.finish()
    }
}

impl Participant {
    fn write(&self, w: &mut Writer) {
        let mut attributes = vec![("UserID", self.user.as_str())];
        if !self.alternative.is_empty() {
            attributes.push(("AlternativeUserID", &self.alternative));
        }
        attributes.push(("UserIsRequestor", if self.requestor { "true" } else { "false" }));
        if !self.address.is_empty() {
            attributes.push(("NetworkAccessPointID", &self.address));
            attributes.push(("NetworkAccessPointTypeCode", "2"));
        }
        w.open("ActiveParticipant", &attributes);
        self.role.write(w, "RoleIDCode");
        w.close();
    }
}

impl Object {
    fn write(&self, w: &mut Writer) {
        let mut attributes = vec![
            ("ParticipantObjectID", self.id.as_str()),
            ("ParticipantObjectTypeCode", &self.kind),
        ];
        if !self.role.is_empty() {
            attributes.push(("ParticipantObjectTypeCodeRole", &self.role));
        }
        if !self.life_cycle.is_empty() {
            attributes.push(("ParticipantObjectDataLifeCycle", &self.life_cycle));
        }
        w.open("ParticipantObjectIdentification", &attributes);
        self.id_type.write(w, "ParticipantObjectIDTypeCode");
        if !self.query.is_empty() {
            w.leaf("ParticipantObjectQuery", &[], &self.query);
        }
        for (kind, value) in &self.details {
            w.empty("ParticipantObjectDetail", &[("type", kind), ("value", value)]);
        }
        w.close();
    }
}

impl Coded {
    /// A code with its system and text.
    pub fn new(code: &str, system: &str, text: &str) -> Self {
        Self { code: code.into(), system: system.into(), text: text.into() }
    }

    fn read(element: Element<'_, '_>) -> Self {
        let code = element.attribute("csd-code").or_else(|| element.attribute("code"));
        Self::new(
            code.unwrap_or(""),
            element.attribute("codeSystemName").unwrap_or(""),
            element
                .attribute("originalText")
                .or_else(|| element.attribute("displayName"))
                .unwrap_or(""),
        )
    }

    fn write(&self, w: &mut Writer, name: &'static str) {
        w.empty(
            name,
            &[
                ("csd-code", &self.code),
                ("codeSystemName", &self.system),
                ("originalText", &self.text),
            ],
        );
    }
}

/// About what a record takes besides its queries and details, in bytes.
const FRAME: usize = 4096;

#[cfg(test)]
mod tests {
    use super::*;
    use trust::xml::{Limits, Xml};

    #[test]
    fn records_round_trip() {
        let record = Record {
            event: Coded::new("110112", "DCM", "Query"),
            event_type: Coded::new("ITI-55", "IHE Transactions", "Cross Gateway Patient Discovery"),
            action: "E".into(),
            time: "2026-11-21T00:00:00Z".into(),
            outcome: 8,
            participants: vec![Participant {
                user: "<u@i>".into(),
                alternative: "A Name".into(),
                requestor: true,
                address: "127.0.0.1".into(),
                role: Coded::new("110153", "DCM", "Source Role ID"),
            }],
            source: "ES-1".into(),
            objects: vec![Object {
                id: "1^^^&1.2&ISO".into(),
                kind: "1".into(),
                role: "1".into(),
                life_cycle: "14".into(),
                query: "cXVlcnk=".into(),
                id_type: Coded::new("2", "RFC-3881", "Patient Number"),
                details: vec![("t".into(), "dg==".into())],
            }],
            signed: false,
        };
        let text = record.render();
        let xml = Xml::parse(&text, &Limits::ASSERTION).unwrap();
        assert!(Record::parse(xml.root()).unwrap() == record);
        assert_eq!(record.patient(), Some("1^^^&1.2&ISO"));
    }

    #[test]
    fn every_openncp_record_of_the_samples_is_read() {
        let Some(samples) = crate::samples::openncp() else { return };
        let mut seen = 0;
        for file in std::fs::read_dir(samples.join("audit")).unwrap().flatten() {
            let text = std::fs::read_to_string(file.path()).unwrap();
            let text = text.trim_start_matches('\u{feff}').trim_start();
            let xml = Xml::parse(text, &Limits::ASSERTION)
                .unwrap_or_else(|e| panic!("{}: {e}", file.path().display()));
            let record = Record::parse(xml.root())
                .unwrap_or_else(|e| panic!("{}: {e}", file.path().display()));
            assert!(!record.event.code.is_empty(), "{}", file.path().display());
            seen += 1;
        }
        assert!(seen > 0);
    }
}
