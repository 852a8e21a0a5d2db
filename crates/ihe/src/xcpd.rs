//! XCPD: ITI-55 Cross Gateway Patient Discovery (openncp-protocol §1.3).

mod request;
mod response;

use exchange::Oid;
use jiff::Timestamp;
use trust::xml::{Element, Writer};

use crate::compact_time;
pub use request::Request;
pub use response::{Failure, Match, Response};

/// HL7 v3.
pub const HL7: &str = "urn:hl7-org:v3";

const XSI: &str = "http://www.w3.org/2001/XMLSchema-instance";

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

/// A constant in OpenNCP; never a key.
const QUERY_ID: &str = "1.263507841149";

#[cfg(test)]
mod tests {
    use super::*;
    use exchange::{Code, PatientId, Refusal};
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
