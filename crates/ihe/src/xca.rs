//! XCA: ITI-38 Cross Gateway Query and ITI-39 Cross Gateway Retrieve (openncp-protocol §1.4, §1.5).

mod entry;
mod query;
mod retrieve;

pub use crate::ebrim::{Errors, RegistryError};
pub use entry::{DocumentEntry, PDF_FORMAT, Repository};
pub use query::{QueryRequest, QueryResponse};
pub(crate) use retrieve::attach;
pub use retrieve::{RetrieveRequest, RetrieveResponse};

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mtom::Attachments;
    use bytes::Bytes;
    use exchange::{Document, DocumentClass, Oid, PatientId};
    use trust::xml::{Limits, Xml};

    fn patient() -> PatientId {
        PatientId::parse_cx("1^^^&1.2.3&ISO").unwrap()
    }

    fn entry(id: &str, format: &str, to: Option<&str>) -> DocumentEntry {
        DocumentEntry {
            unique_id: id.into(),
            class: DocumentClass::EPrescription,
            format: format.into(),
            title: "a < b".into(),
            created: Some("2026-11-21T01:02:03Z".parse().unwrap()),
            language: "da-DK".into(),
            size: 7,
            hash: "ab".into(),
            author: String::new(),
            transformed_to: to.map(str::to_owned),
            status: Some("open".into()),
            atc: None,
        }
    }

    #[test]
    fn a_query_for_another_patient_hides_in_a_cdata_section() {
        let text =
            QueryRequest { patient: patient(), classes: vec![DocumentClass::PatientSummary] }
                .render();
        let first = text.find("<rim:Value>").unwrap();
        let last = text.rfind("<rim:Value>").unwrap();
        for (at, hidden) in [
            (first, "<![CDATA['2^^^&1.2.3&ISO']]>"),
            (first, "<!-- -->'2^^^&amp;1.2.3&amp;ISO'"),
            (last, "<![CDATA[('57833-6^^2.16.840.1.113883.6.1')]]>"),
        ] {
            let hostile = format!("{}<rim:Value>{hidden}</rim:Value>{}", &text[..at], &text[at..]);
            let xml = Xml::parse(&hostile, &Limits::MESSAGE).unwrap();
            assert!(QueryRequest::parse(xml.root()).is_err(), "{hidden}");
        }
    }

    #[test]
    fn queries_round_trip() {
        let request =
            QueryRequest { patient: patient(), classes: vec![DocumentClass::PatientSummary] };
        let text = request.render();
        let xml = Xml::parse(&text, &Limits::MESSAGE).unwrap();
        assert_eq!(QueryRequest::parse(xml.root()).unwrap(), request);
        let oid = Oid::parse("1.2").unwrap();
        let response = QueryResponse {
            errors: Errors::default(),
            entries: vec![entry("1.1", "f", None), entry("1.2", PDF_FORMAT, Some("1.1"))],
        };
        let from = Repository { community: &oid, repository: "1.2.9", country: "DK" };
        let text = response.render(&patient(), &from);
        let xml = Xml::parse(&text, &Limits::MESSAGE).unwrap();
        assert_eq!(QueryResponse::parse(xml.root()).unwrap(), response);
    }

    #[test]
    fn retrievals_round_trip_as_parts() {
        let oid = Oid::parse("1.2").unwrap();
        let request = RetrieveRequest {
            documents: vec![("1.9".into(), "1.1^x".into())],
            community: Some(oid.clone()),
        };
        let text = request.render();
        let xml = Xml::parse(&text, &Limits::MESSAGE).unwrap();
        assert_eq!(RetrieveRequest::parse(xml.root()).unwrap(), request);
        let document = Document {
            unique_id: "1.1^x".into(),
            repository: "1.9".into(),
            mime: "text/xml".into(),
            bytes: Bytes::from_static(b"<x/>"),
        };
        let response = RetrieveResponse { errors: Errors::default(), documents: vec![document] };
        let (text, parts) = response.render(&oid);
        let xml = Xml::parse(&text, &Limits::MESSAGE).unwrap();
        let attachments = Attachments::new(&parts);
        assert_eq!(RetrieveResponse::parse(xml.root(), &attachments).unwrap(), response);
        attachments.finish().unwrap();
    }
}
