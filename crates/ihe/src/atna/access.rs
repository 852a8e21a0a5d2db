//! The audit records of people who sign in and out, and of the assertions that they get: one table,
//! one row for each step (openncp-protocol §1.10; DICOM PS3.15 A.5.3 User Authentication).

use jiff::Timestamp;

use super::occurrence::{Outcome, detail, object};
use super::participants::{End, person, point_of_care};
use super::{Coded, Object, Participant, Record};

/// A step of a login.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Somebody signs in.
    Login,
    /// A session is ended.
    Logout,
    /// An HCP assertion is issued.
    Hcp,
    /// A treatment relation is confirmed.
    Trc,
    /// A next of kin is confirmed.
    NextOfKin,
    /// A session or a code is used as it may not be.
    Restricted,
}

/// All that one record says. Personal: no `Debug`.
#[derive(Clone)]
pub struct Access {
    /// What.
    pub step: Step,
    /// When.
    pub at: Timestamp,
    /// How it ended.
    pub outcome: Outcome,
    /// Who writes: `DK-1`.
    pub source: String,
    /// The point of care.
    pub point_of_care: Option<String>,
    /// Identifier and name of the person who acts; of a patient no name: the profile wants none.
    pub person: Option<(String, String)>,
    /// Who asks: a portal, or the connector of another country.
    pub consumer: End,
    /// Who is asked: this node.
    pub provider: End,
    /// The patient, in CX.
    pub patient: Option<String>,
    /// The number of the next of kin.
    pub guarantor: Option<String>,
    /// `ID` of the assertion that was issued.
    pub assertion: Option<String>,
    /// Why nothing came of it, under the number that the person or the portal was told to quote.
    pub error: Option<(String, String)>,
}

/// A row of the event table.
struct Row {
    step: Step,
    event: (&'static str, &'static str),
    kind: (&'static str, &'static str, &'static str),
    /// Id type of the assertion, and its name for people.
    assertion: Option<(&'static str, &'static str)>,
}

const USER: (&str, &str) = ("110114", "User Authentication");
const APPLICATION: (&str, &str) = ("110100", "Application Activity");
const ALERT: (&str, &str) = ("110113", "Security Alert");
const EHDSI: &str = "eHDSI Transactions";

static ROWS: [Row; 6] = [
    Row { step: Step::Login, event: USER, kind: ("110122", "DCM", "Login"), assertion: None },
    Row { step: Step::Logout, event: USER, kind: ("110123", "DCM", "Logout"), assertion: None },
    Row {
        step: Step::Hcp,
        event: USER,
        kind: ("ITI-40", "IHE Transactions", "Provide X-User Assertion"),
        assertion: Some(("IdA", "HCP Identity Assertion")),
    },
    Row {
        step: Step::Trc,
        event: APPLICATION,
        kind: ("EHDSI-92", EHDSI, "Issuance of a TRC Assertion"),
        assertion: Some(("TrcA", "TRC Assertion")),
    },
    Row {
        step: Step::NextOfKin,
        event: APPLICATION,
        kind: ("EHDSI-96", EHDSI, "Issuance of a NOK Assertion"),
        assertion: Some(("NokA", "NOK Assertion")),
    },
    Row {
        step: Step::Restricted,
        event: ALERT,
        kind: ("110132", "DCM", "Use of Restricted Function"),
        assertion: None,
    },
];

impl Step {
    fn row(self) -> &'static Row {
        ROWS.iter().find(|row| row.step == self).expect("because each step has a row")
    }
}

impl Access {
    /// A step of which nothing but the time is known; it succeeded.
    pub fn new(step: Step, at: Timestamp) -> Self {
        Self {
            step,
            at,
            outcome: Outcome::Success,
            source: String::new(),
            point_of_care: None,
            person: None,
            consumer: End::default(),
            provider: End::default(),
            patient: None,
            guarantor: None,
            assertion: None,
            error: None,
        }
    }

    /// The record of it.
    pub fn record(&self) -> Record {
        let row = self.step.row();
        Record {
            event: Coded::new(row.event.0, "DCM", row.event.1),
            event_type: Coded::new(row.kind.0, row.kind.1, row.kind.2),
            action: "E".to_owned(),
            time: format!("{:.3}", self.at),
            outcome: self.outcome.indicator(),
            participants: self.participants(),
            source: self.source.clone(),
            objects: self.objects(row),
            signed: false,
        }
    }

    fn participants(&self) -> Vec<Participant> {
        let care = self.point_of_care.as_deref().map(point_of_care);
        let who = self.person.as_ref().map(|(id, name)| person(id, name, true));
        let ends = [self.consumer.consumer(), self.provider.provider()];
        care.into_iter().chain(who).chain(ends).collect()
    }

    fn objects(&self, row: &Row) -> Vec<Object> {
        let number = |code, text| Coded::new(code, "RFC-3881", text);
        let patient = self.patient.as_ref();
        let patient = patient.map(|cx| object(cx, "1", "1", number("2", "Patient Number")));
        let guarantor = self.guarantor.as_ref();
        let guarantor = guarantor.map(|id| object(id, "1", "10", number("7", "Guarantor Number")));
        let security = |code, text| Coded::new(code, "eHealth DSI Security", text);
        let issued = self.assertion.as_ref().zip(row.assertion);
        let issued = issued.map(|(id, (code, text))| object(id, "2", "", security(code, text)));
        let error = self.error.as_ref().map(|(number, text)| Object {
            details: vec![detail("errormsg", text.as_bytes())],
            ..object(number, "2", "3", security("9", "error message"))
        });
        [patient, guarantor, issued, error].into_iter().flatten().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use trust::xml::{Limits, Xml};

    fn access(step: Step) -> Access {
        let end = |name: &str| End { name: name.into(), address: "192.0.2.1".into() };
        let has = |what: &str, steps: &[Step]| steps.contains(&step).then(|| what.to_owned());
        Access {
            source: "DK-1".into(),
            point_of_care: has("Hospital", &[Step::Hcp, Step::Trc, Step::NextOfKin]),
            person: Some(("id@issuer".into(), "Name".into())),
            consumer: end("portal"),
            provider: end("node"),
            patient: has("1^^^&1.2&ISO", &[Step::Trc]),
            guarantor: has("9^^^&1.2&ISO", &[Step::NextOfKin]),
            assertion: has("_1", &[Step::Hcp, Step::Trc, Step::NextOfKin]),
            ..Access::new(step, Timestamp::UNIX_EPOCH)
        }
    }

    fn written(access: &Access) -> Record {
        let text = access.record().render();
        let xml = Xml::parse(&text, &Limits::ASSERTION).unwrap();
        Record::parse(xml.root()).unwrap()
    }

    fn described(record: &Record) -> String {
        let Record { event, event_type: kind, action, .. } = record;
        let objects = record.objects.iter();
        let objects = objects.map(|o| format!(" {}/{}:{}", o.kind, o.role, o.id_type.code));
        let people = record.participants.iter();
        let people: Vec<_> = people.map(|p| format!("{}={}", p.role.code, p.requestor)).collect();
        let objects: String = objects.collect();
        format!("{} {action} {} | {} |{objects}", event.code, kind.code, people.join(" "))
    }

    /// `EventID`, action, `EventTypeCode`; roles, and who asked; objects as kind/role:type.
    #[test]
    fn each_step_has_the_row_of_the_event_table() {
        let ends = "110153=true ServiceConsumer=true ServiceProvider=false";
        let whole = format!("110152=false {ends}");
        for (step, expected) in [
            (Step::Login, format!("110114 E 110122 | {ends} |")),
            (Step::Logout, format!("110114 E 110123 | {ends} |")),
            (Step::Hcp, format!("110114 E ITI-40 | {whole} | 2/:IdA")),
            (Step::Trc, format!("110100 E EHDSI-92 | {whole} | 1/1:2 2/:TrcA")),
            (Step::NextOfKin, format!("110100 E EHDSI-96 | {whole} | 1/10:7 2/:NokA")),
            (Step::Restricted, format!("110113 E 110132 | {ends} |")),
        ] {
            assert_eq!(described(&written(&access(step))), expected);
        }
    }

    #[test]
    fn a_failed_login_says_why_and_names_nobody_when_nobody_was_identified() {
        for (outcome, number) in [(Outcome::Minor, 4), (Outcome::Temporary, 8)] {
            let failed = Access {
                outcome,
                person: None,
                error: Some(("quote".into(), "login.replay".into())),
                ..access(Step::Login)
            };
            let record = written(&failed);
            assert_eq!(record.outcome, number);
            assert_eq!(record.objects[0].id, "quote");
            assert_eq!(record.objects[0].details, vec![detail("errormsg", b"login.replay")]);
            assert!(record.participants.iter().all(|p| p.role.code != "110153"));
        }
    }

    /// Codes, systems, texts, roles and order are those of OpenNCP's own records.
    #[test]
    fn trc_and_next_of_kin_records_are_what_openncp_writes() {
        let Some(samples) = crate::samples::openncp() else { return };
        for (step, file) in [
            (Step::Trc, "ncp9_trcassertionauditmessage.xml"),
            (Step::NextOfKin, "ncp9_nokassertionauditmessage.xml"),
        ] {
            let text = std::fs::read_to_string(samples.join("audit").join(file)).unwrap();
            let xml = Xml::parse(text.trim_start_matches('\u{feff}'), &Limits::ASSERTION).unwrap();
            let (theirs, ours) = (Record::parse(xml.root()).unwrap(), written(&access(step)));
            assert_eq!(described(&ours), described(&theirs));
            assert_eq!((&ours.event, &ours.event_type), (&theirs.event, &theirs.event_type));
            let roles =
                |r: &Record| r.participants.iter().map(|p| p.role.clone()).collect::<Vec<_>>();
            assert_eq!(roles(&ours), roles(&theirs));
            let systems =
                |r: &Record| r.objects.iter().map(|o| o.id_type.system.clone()).collect::<Vec<_>>();
            assert_eq!(systems(&ours), systems(&theirs));
        }
    }
}
