//! The audit records that we write: one table of event kinds, one row each.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use exchange::{Side, Transaction};
use jiff::Timestamp;

use super::participants::{person, point_of_care};
use super::{Coded, Object, Participant, Record};

pub use super::participants::End;

/// What happened, in ATNA's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Activity {
    /// One of the four transactions.
    Exchange(Transaction, Side),
    /// An ITI-41 that takes a dispensation back.
    Discard(Side),
    /// The other side could not be reached, or gave no whole answer.
    CommunicationFailure,
    /// A message that names no transaction of ours was refused.
    Refused,
}

/// `EventOutcomeIndicator`, as OpenNCP numbers it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// 0.
    Success,
    /// 4: a person may try again (DICOM PS3.15 A.5.2: minor failure).
    Minor,
    /// 8: may succeed when it is tried again.
    Temporary,
    /// 12.
    Permanent,
}

/// A SOAP message that an occurrence is about.
#[derive(Clone, Default)]
pub struct Message {
    /// `wsa:MessageID`.
    pub id: String,
    /// Its WS-Security header, archived as the eHDSI audit profile wants it. Personal.
    pub security: Vec<u8>,
}

/// All that one record says. Personal: no `Debug`.
#[derive(Clone)]
pub struct Occurrence {
    /// What.
    pub activity: Activity,
    /// Our side of it.
    pub side: Side,
    /// When it ended.
    pub at: Timestamp,
    /// How.
    pub outcome: Outcome,
    /// Who writes: `DK-1`.
    pub source: String,
    /// The point of care.
    pub point_of_care: Option<String>,
    /// `NameID@Issuer` and name of the professional.
    pub professional: Option<(String, String)>,
    /// The side that asked.
    pub consumer: End,
    /// The side that was asked.
    pub provider: End,
    /// The patient, in CX.
    pub patient: Option<String>,
    /// Home community that was asked, `urn:oid:…`, or its country where the request does not say.
    pub community: String,
    /// The Body of the query, or nothing for a submission.
    pub query: Vec<u8>,
    /// Unique ids of the documents.
    pub documents: Vec<String>,
    /// Code and hint of a refusal.
    pub error: Option<String>,
    /// The request.
    pub request: Message,
    /// The answer.
    pub response: Message,
    /// Number of the exchange, as the ledger knows it.
    pub txid: Option<String>,
}

/// A row of the event table (openncp-protocol §1.10).
struct Row {
    event: (&'static str, &'static str),
    action: &'static str,
    kind: (&'static str, &'static str, &'static str),
    /// `ParticipantObjectTypeCodeRole` and id type of the object for query or metadata.
    object: Option<(&'static str, &'static str, &'static str)>,
}

const QUERY: (&str, &str) = ("110112", "Query");
const EXPORT: (&str, &str) = ("110106", "Export");
const IMPORT: (&str, &str) = ("110107", "Import");
const IHE: &str = "IHE Transactions";
const XDS: &str = "urn:uuid:a54d6aa5-d40d-43f9-88c5-b4633d873bdd";

impl Activity {
    fn row(self) -> Row {
        let submission = |side| Row {
            event: if side == Side::B { EXPORT } else { IMPORT },
            action: "C",
            kind: ("ITI-41", IHE, "Provide and Register Document Set-b"),
            object: Some(("20", XDS, "IHE XDS Metadata")),
        };
        let application = |event, kind| Row { event, action: "E", kind, object: None };
        match self {
            Self::Exchange(Transaction::PatientDiscovery, _) => Row {
                event: QUERY,
                action: "E",
                kind: ("ITI-55", IHE, "Cross Gateway Patient Discovery"),
                object: Some(("24", "ITI-55", IHE)),
            },
            Self::Exchange(Transaction::Query, _) => Row {
                event: QUERY,
                action: "E",
                kind: ("ITI-38", IHE, "Cross Gateway Query"),
                object: Some(("24", "ITI-38", IHE)),
            },
            Self::Exchange(Transaction::Retrieve, side) => Row {
                event: if side == Side::A { EXPORT } else { IMPORT },
                action: "C",
                kind: ("ITI-39", IHE, "Cross Gateway Retrieve"),
                object: Some(("3", "ITI-39", IHE)),
            },
            Self::Exchange(Transaction::Submit, side) | Self::Discard(side) => submission(side),
            Self::CommunicationFailure => application(
                ("110100", "Application Activity"),
                ("EHDSI-CF", "eHDSI Transactions", "Communication Failure"),
            ),
            Self::Refused => application(
                ("110113", "Security Alert"),
                ("110132", "DCM", "Use of Restricted Function"),
            ),
        }
    }
}

impl Outcome {
    pub(super) fn indicator(self) -> u8 {
        match self {
            Self::Success => 0,
            Self::Minor => 4,
            Self::Temporary => 8,
            Self::Permanent => 12,
        }
    }
}

impl Occurrence {
    /// The record of it.
    pub fn record(&self) -> Record {
        let row = self.activity.row();
        Record {
            event: Coded::new(row.event.0, "DCM", row.event.1),
            event_type: Coded::new(row.kind.0, row.kind.1, row.kind.2),
            action: row.action.to_owned(),
            time: format!("{:.3}", self.at),
            outcome: self.outcome.indicator(),
            participants: self.participants(),
            source: self.source.clone(),
            objects: self.objects(&row),
            signed: false,
        }
    }

    fn participants(&self) -> Vec<Participant> {
        let care = self.point_of_care.as_deref().map(point_of_care);
        let care = care.filter(|_| self.activity != Activity::CommunicationFailure);
        let professional =
            self.professional.as_ref().map(|(id, name)| person(id, name, self.side == Side::B));
        let ends = [self.consumer.consumer(), self.provider.provider()];
        care.into_iter().chain(professional).chain(ends).collect()
    }

    fn objects(&self, row: &Row) -> Vec<Object> {
        let failed = self.activity == Activity::CommunicationFailure;
        let patient = self
            .patient
            .as_ref()
            .map(|cx| object(cx, "1", "1", Coded::new("2", "RFC-3881", "Patient Number")));
        let query = row.object.map(|(role, code, system)| Object {
            query: STANDARD.encode(&self.query),
            details: vec![detail("ihe:homeCommunityID", self.community.as_bytes())],
            ..object(&self.community, "2", role, Coded::new(code, system, row.kind.2))
        });
        let life_cycle = if matches!(self.activity, Activity::Discard(_)) { "14" } else { "" };
        let documents = self.documents.iter().filter(|_| !failed).map(|id| Object {
            life_cycle: life_cycle.to_owned(),
            ..object(id, "2", "4", Coded::new("12", "DCM", row.kind.2))
        });
        let error = self.error.as_ref().map(|text| Object {
            details: vec![detail("errormsg", text.as_bytes())],
            ..object(
                &self.request.id,
                "2",
                "3",
                Coded::new("9", "eHealth DSI Security", "error message"),
            )
        });
        let messages = [("req", &self.request, self.txid.as_ref()), ("rsp", &self.response, None)];
        let messages = messages.into_iter().filter(|m| !failed && !m.1.id.is_empty()).map(
            |(code, message, txid)| {
                let security = detail("securityheader", &message.security);
                let txid = txid.map(|txid| detail("konfido:txid", txid.as_bytes()));
                Object {
                    details: Some(security)
                        .filter(|_| !message.security.is_empty())
                        .into_iter()
                        .chain(txid)
                        .collect(),
                    ..object(&message.id, "4", "", Coded::new(code, "eHealth DSI Msg", code))
                }
            },
        );
        patient.into_iter().chain(query).chain(documents).chain(error).chain(messages).collect()
    }
}

pub(super) fn object(id: &str, kind: &str, role: &str, id_type: Coded) -> Object {
    Object {
        id: id.to_owned(),
        kind: kind.to_owned(),
        role: role.to_owned(),
        life_cycle: String::new(),
        id_type,
        query: String::new(),
        details: Vec::new(),
    }
}

pub(super) fn detail(kind: &str, value: &[u8]) -> (String, String) {
    (kind.to_owned(), STANDARD.encode(value))
}

#[cfg(test)]
mod tests {
    use super::*;
    use trust::xml::{Limits, Xml};

    fn occurrence(activity: Activity, side: Side) -> Occurrence {
        let end = |name: &str| End { name: name.into(), address: "192.0.2.1".into() };
        let mail = |id: &str| Message { id: id.into(), security: b"<s/>".to_vec() };
        Occurrence {
            activity,
            side,
            at: Timestamp::UNIX_EPOCH,
            outcome: Outcome::Success,
            source: "DK-1".into(),
            point_of_care: Some("Hospital".into()),
            professional: Some(("id@issuer".into(), "Name".into())),
            consumer: end("consumer"),
            provider: end("provider"),
            patient: Some("1^^^&1.2&ISO".into()),
            community: "urn:oid:1.2".into(),
            query: b"<q/>".to_vec(),
            documents: vec!["1.2^3".into()],
            error: None,
            request: mail("urn:uuid:1"),
            response: mail("urn:uuid:2"),
            txid: Some("00".into()),
        }
    }

    /// (activity, side) -> EventID, action, EventTypeCode, participants, objects as kind/role:type
    #[test]
    fn each_row_of_the_event_table_is_what_openncp_writes() {
        let exchange = Activity::Exchange;
        let messages = " 4/:req 4/:rsp";
        for (activity, side, head, people, objects) in [
            (
                exchange(Transaction::PatientDiscovery, Side::B),
                Side::B,
                "110112 E ITI-55",
                4,
                format!("1/1:2 2/24:ITI-55 2/4:12{messages}"),
            ),
            (
                exchange(Transaction::Query, Side::A),
                Side::A,
                "110112 E ITI-38",
                4,
                format!("1/1:2 2/24:ITI-38 2/4:12{messages}"),
            ),
            (
                exchange(Transaction::Retrieve, Side::A),
                Side::A,
                "110106 C ITI-39",
                4,
                format!("1/1:2 2/3:ITI-39 2/4:12{messages}"),
            ),
            (
                exchange(Transaction::Retrieve, Side::B),
                Side::B,
                "110107 C ITI-39",
                4,
                format!("1/1:2 2/3:ITI-39 2/4:12{messages}"),
            ),
            (
                exchange(Transaction::Submit, Side::B),
                Side::B,
                "110106 C ITI-41",
                4,
                format!("1/1:2 2/20:{XDS} 2/4:12{messages}"),
            ),
            (
                Activity::Discard(Side::A),
                Side::A,
                "110107 C ITI-41",
                4,
                format!("1/1:2 2/20:{XDS} 2/4:12=14{messages}"),
            ),
            (Activity::CommunicationFailure, Side::B, "110100 E EHDSI-CF", 3, "1/1:2".into()),
        ] {
            let text = occurrence(activity, side).record().render();
            let xml = Xml::parse(&text, &Limits::ASSERTION).unwrap();
            let record = Record::parse(xml.root()).unwrap();
            let found =
                format!("{} {} {}", record.event.code, record.action, record.event_type.code);
            assert_eq!(found, head);
            assert_eq!(record.participants.len(), people, "{head}");
            let found: Vec<_> = record
                .objects
                .iter()
                .map(|o| {
                    let life = if o.life_cycle.is_empty() { "" } else { "=" };
                    format!("{}/{}:{}{life}{}", o.kind, o.role, o.id_type.code, o.life_cycle)
                })
                .collect();
            assert_eq!(found.join(" "), objects, "{head}");
            let professional = record.participants.iter().find(|p| p.role.code == "110153");
            assert_eq!(professional.map(|p| p.requestor), Some(side == Side::B), "{head}");
        }
    }

    #[test]
    fn a_refusal_says_why_and_counts_as_failed() {
        let refused = Occurrence {
            outcome: Outcome::Permanent,
            error: Some("4703: no right".into()),
            ..occurrence(Activity::Exchange(Transaction::Query, Side::A), Side::A)
        };
        let record = refused.record();
        assert_eq!(record.outcome, 12);
        let error = record.objects.iter().find(|o| o.id_type.code == "9").unwrap();
        assert_eq!(error.details, vec![detail("errormsg", b"4703: no right")]);
    }
}
