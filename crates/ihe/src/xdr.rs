//! XDR: ITI-41 Provide and Register Document Set-b, for eDispensation and its discard
//! (openncp-protocol §1.6).

use bytes::Bytes;
use exchange::{DocumentClass, Oid, PatientId};
use jiff::Timestamp;
use trust::xml::{Element, Writer};

use crate::ebrim::{self, LCM, RIM, RS, XDS};
use crate::mtom::{Attachments, Part};
use crate::xca::{Errors, attach};
use crate::{MessageError, compact_time};

/// A submission of one document.
#[derive(Clone, PartialEq, Eq)]
pub struct Submission {
    /// Whose document.
    pub patient: PatientId,
    /// eDispensation or discard.
    pub class: DocumentClass,
    /// `XDSDocumentEntry.uniqueId`.
    pub unique_id: String,
    /// Media type.
    pub mime: String,
    /// The document.
    pub bytes: Bytes,
}

/// Who submits, for the metadata that a reader does not need.
#[derive(Debug, Clone)]
pub struct Submitter<'a> {
    /// Home community of the country of treatment.
    pub community: &'a Oid,
    /// ISO country code.
    pub country: &'a str,
    /// Language of the document.
    pub language: &'a str,
    /// When it was submitted.
    pub at: Timestamp,
    /// `XDSSubmissionSet.uniqueId`.
    pub set_id: &'a str,
}

impl Submission {
    /// Reads the Body's payload. Times are not compared: OpenNCP writes them on a 12-hour clock.
    pub fn parse(
        payload: Element<'_, '_>,
        attachments: &Attachments<'_>,
    ) -> Result<Self, MessageError> {
        if !payload.is(XDS, "ProvideAndRegisterDocumentSetRequest") {
            return Err(MessageError::Unexpected);
        }
        let list = payload
            .only_child(LCM, "SubmitObjectsRequest")?
            .only_child(RIM, "RegistryObjectList")?;
        let object = list.only_child(RIM, "ExtrinsicObject")?;
        let missing = |what| MessageError::Malformed(exchange::Malformed { what });
        let class = ebrim::only(&ebrim::classified(object, ebrim::CLASS))
            .and_then(DocumentClass::of_code)
            .ok_or(missing("document class code"))?;
        let mut patients = ebrim::identified(object, ebrim::ENTRY_PATIENT);
        if patients.is_empty() {
            patients = ebrim::slot(object, "sourcePatientId");
        }
        let cx = ebrim::only(&patients).ok_or(missing("patient identifier"))?;
        let unique = ebrim::only(&ebrim::identified(object, ebrim::ENTRY_UNIQUE))
            .ok_or(missing("document unique id"))?;
        let id = object.demand_attribute("id")?;
        let mut documents =
            payload.children_named(XDS, "Document").filter(|d| d.attribute("id") == Some(id));
        let (Some(document), None) = (documents.next(), documents.next()) else {
            return Err(MessageError::Content("not exactly one document for the metadata"));
        };
        Ok(Self {
            patient: PatientId::parse_cx(cx)?,
            class,
            unique_id: unique.to_owned(),
            mime: object.attribute("mimeType").unwrap_or("text/xml").to_owned(),
            bytes: attachments.content(document)?,
        })
    }

    /// Writes the Body's payload; the document becomes an MTOM part.
    pub fn render(&self, from: &Submitter<'_>) -> (String, Part) {
        let mut w = Writer::new();
        let cx = self.patient.cx();
        w.open("xds:ProvideAndRegisterDocumentSetRequest", &[("xmlns:xds", XDS)]);
        w.open("lcm:SubmitObjectsRequest", &[("xmlns:lcm", LCM), ("xmlns:rim", RIM)]);
        w.open("rim:RegistryObjectList", &[]);
        self.write_object(&mut w, &cx, from);
        self.write_set(&mut w, &cx, from);
        w.open(
            "rim:Association",
            &[
                ("id", "association01"),
                ("associationType", "urn:oasis:names:tc:ebxml-regrep:AssociationType:HasMember"),
                ("sourceObject", SET),
                ("targetObject", DOCUMENT),
            ],
        );
        ebrim::write_slot(&mut w, "SubmissionSetStatus", &["Original"]);
        w.close();
        w.close();
        w.close();
        let part = {
            // like an ITI-39 document, with the id that links it to its metadata
            let mut inner = Writer::new();
            let part = attach(&mut inner, 0, &self.mime, &self.bytes);
            w.raw(&inner.finish().replacen(
                "<xds:Document>",
                &format!("<xds:Document id=\"{DOCUMENT}\">"),
                1,
            ));
            part
        };
        w.close();
        (w.finish(), part)
    }

    fn write_object(&self, w: &mut Writer, cx: &str, from: &Submitter<'_>) {
        w.open(
            "rim:ExtrinsicObject",
            &[
                ("id", DOCUMENT),
                ("objectType", ebrim::STABLE_DOCUMENT),
                ("status", ebrim::APPROVED),
                ("mimeType", &self.mime),
            ],
        );
        ebrim::write_slot(w, "creationTime", &[&compact_time(from.at)]);
        ebrim::write_slot(w, "languageCode", &[from.language]);
        ebrim::write_slot(w, "sourcePatientId", &[cx]);
        ebrim::write_slot(w, "sourcePatientInfo", &[&format!("PID-3|{cx}")]);
        ebrim::write_name(w, self.class.name());
        let (code, loinc, name) = (self.class.code(), DocumentClass::LOINC, self.class.name());
        ebrim::write_classification(w, DOCUMENT, ebrim::CLASS, code, loinc, name);
        ebrim::write_classification(w, DOCUMENT, ebrim::TYPE, code, loinc, name);
        let format = self.class.format_code();
        ebrim::write_common(w, DOCUMENT, format, from.country);
        ebrim::write_identifier(
            w,
            DOCUMENT,
            ebrim::ENTRY_PATIENT,
            cx,
            "XDSDocumentEntry.patientId",
        );
        ebrim::write_identifier(
            w,
            DOCUMENT,
            ebrim::ENTRY_UNIQUE,
            &self.unique_id,
            "XDSDocumentEntry.uniqueId",
        );
        w.close();
    }

    fn write_set(&self, w: &mut Writer, cx: &str, from: &Submitter<'_>) {
        w.open("rim:RegistryPackage", &[("id", SET), ("objectType", SUBMISSION_SET)]);
        ebrim::write_slot(w, "submissionTime", &[&compact_time(from.at)]);
        ebrim::write_name(w, self.class.name());
        let (code, loinc, name) = (self.class.code(), DocumentClass::LOINC, self.class.name());
        let node = format!("{SET}-node");
        w.empty(
            "rim:Classification",
            &[("id", &node), ("classificationNode", SUBMISSION_SET), ("classifiedObject", SET)],
        );
        ebrim::write_classification(
            w,
            SET,
            "urn:uuid:aa543740-bdda-424e-8c96-df4873be8500",
            code,
            loinc,
            name,
        );
        for (scheme, value, name) in [
            (
                "urn:uuid:96fdda7c-d067-4183-912e-bf5ee74998a8",
                from.set_id,
                "XDSSubmissionSet.uniqueId",
            ),
            ("urn:uuid:6b5aea1a-874d-4603-a4bc-96a0a7b38446", cx, "XDSSubmissionSet.patientId"),
            (
                "urn:uuid:554ac39e-e3fe-47fe-b233-965d2a147832",
                from.community.as_str(),
                "XDSSubmissionSet.sourceId",
            ),
        ] {
            ebrim::write_identifier(w, SET, scheme, value, name);
        }
        w.close();
    }
}

/// Reads an `rs:RegistryResponse`.
pub fn parse_response(payload: Element<'_, '_>) -> Result<Errors, MessageError> {
    if !payload.is(RS, "RegistryResponse") {
        return Err(MessageError::Unexpected);
    }
    Errors::read(payload)
}

/// Writes an `rs:RegistryResponse`.
pub fn render_response(errors: &Errors) -> String {
    let mut w = Writer::new();
    w.open("rs:RegistryResponse", &[("xmlns:rs", RS), ("status", errors.status())]);
    errors.write(&mut w);
    w.close();
    w.finish()
}

const DOCUMENT: &str = "document01";
const SET: &str = "submissionset01";
const SUBMISSION_SET: &str = "urn:uuid:a54d6aa5-d40d-43f9-88c5-b4633d873bdd";

#[cfg(test)]
mod tests {
    use super::*;
    use trust::xml::{Limits, Xml};

    #[test]
    fn submissions_round_trip() {
        let submission = Submission {
            patient: PatientId::parse_cx("1^^^&1.2.3&ISO").unwrap(),
            class: DocumentClass::EDispensation,
            unique_id: "1.2.3.4".into(),
            mime: "text/xml".into(),
            bytes: Bytes::from_static(b"<x/>"),
        };
        let oid = Oid::parse("1.2").unwrap();
        let at = "2026-11-21T15:02:03Z".parse().unwrap();
        let from =
            Submitter { community: &oid, country: "ES", language: "es-ES", at, set_id: "1.2.3.5" };
        let (text, part) = submission.render(&from);
        let xml = Xml::parse(&text, &Limits::MESSAGE).unwrap();
        let parts = [part];
        assert!(Submission::parse(xml.root(), &Attachments::new(&parts)).unwrap() == submission);
        // a second patient, class or id that another parser might read instead
        for scheme in [ebrim::ENTRY_PATIENT, ebrim::ENTRY_UNIQUE, ebrim::CLASS] {
            let at = text.find(scheme).unwrap();
            let start = text[..at].rfind('<').unwrap();
            let name = text[start + 1..].split(' ').next().unwrap();
            let second = format!(
                "<{name} identificationScheme=\"{scheme}\" classificationScheme=\"{scheme}\" \
                 value=\"2^^^&amp;1.2.3&amp;ISO\" nodeRepresentation=\"DISCARD-60593-1\"/>"
            );
            let doubled = format!("{}{second}{}", &text[..start], &text[start..]);
            let xml = Xml::parse(&doubled, &Limits::MESSAGE).unwrap();
            assert!(Submission::parse(xml.root(), &Attachments::new(&parts)).is_err(), "{name}");
        }
        let other = text.replace("id=\"document01\" objectType", "id=\"document02\" objectType");
        let xml = Xml::parse(&other, &Limits::MESSAGE).unwrap();
        assert!(Submission::parse(xml.root(), &Attachments::new(&parts)).is_err());
    }
}
