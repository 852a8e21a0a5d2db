//! XCA: ITI-38 Cross Gateway Query and ITI-39 Cross Gateway Retrieve (openncp-protocol §1.4, §1.5).

use bytes::Bytes;
use exchange::{Document, DocumentClass, Oid, PatientId};
use jiff::Timestamp;
use trust::xml::{Element, Writer};

use crate::ebrim::{self, QUERY, RIM, RS, XDS};
pub use crate::ebrim::{Errors, RegistryError};
use crate::mtom::{Attachments, Part, XOP};
use crate::{MessageError, compact_time};

/// ITI-38 `FindDocuments`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueryRequest {
    /// Whose documents.
    pub patient: PatientId,
    /// Class codes asked for.
    pub classes: Vec<DocumentClass>,
}

/// One document entry of an ITI-38 answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DocumentEntry {
    /// `XDSDocumentEntry.uniqueId`.
    pub unique_id: String,
    /// Document class.
    pub class: DocumentClass,
    /// Format code; tells coded CDA from PDF in CDA.
    pub format: String,
    /// Title.
    pub title: String,
    /// When the document was made.
    pub created: Option<Timestamp>,
    /// `xx-YY`.
    pub language: String,
    /// Bytes.
    pub size: u64,
    /// SHA-1, hexadecimal.
    pub hash: String,
    /// Author, may be empty.
    pub author: String,
    /// The entry that this one was transformed to (`XFRM`, source PDF -> target XML).
    pub transformed_to: Option<String>,
    /// Dispensable: `open` or `closed`; ePrescriptions only.
    pub status: Option<String>,
    /// ATC code; ePrescriptions only.
    pub atc: Option<String>,
}

/// Format code of a PDF wrapped in CDA (level 1).
pub const PDF_FORMAT: &str = "urn:ihe:iti:xds-sd:pdf:2008";

/// ITI-38 answer.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct QueryResponse {
    /// Errors, if any.
    pub errors: Errors,
    /// Entries.
    pub entries: Vec<DocumentEntry>,
}

impl QueryRequest {
    const FIND_DOCUMENTS: &'static str = "urn:uuid:14d4debf-8f97-4251-9a74-a90016b0af0d";

    /// Reads the Body's payload.
    pub fn parse(payload: Element<'_, '_>) -> Result<Self, MessageError> {
        if !payload.is(QUERY, "AdhocQueryRequest") {
            return Err(MessageError::Unexpected);
        }
        let query = payload.only_child(RIM, "AdhocQuery")?;
        let patients = ebrim::slot(query, "$XDSDocumentEntryPatientId");
        let [patient] = patients.as_slice() else {
            return Err(exchange::Malformed { what: "patient identifier" }.into());
        };
        let mut classes = Vec::new();
        for value in ebrim::slot(query, "$XDSDocumentEntryClassCode") {
            for quoted in value.trim_matches(['(', ')']).split(',') {
                let code = quoted.trim().trim_matches('\'').split('^').next().unwrap_or("");
                let class = DocumentClass::of_code(code)
                    .ok_or(exchange::Malformed { what: "document class code" })?;
                classes.push(class);
            }
        }
        Ok(Self { patient: PatientId::parse_cx(patient)?, classes })
    }

    /// Writes the Body's payload.
    pub fn render(&self) -> String {
        let mut w = Writer::new();
        w.open("query:AdhocQueryRequest", &[("xmlns:query", QUERY), ("xmlns:rim", RIM)]);
        w.empty(
            "query:ResponseOption",
            &[("returnComposedObjects", "true"), ("returnType", "LeafClass")],
        );
        w.open("rim:AdhocQuery", &[("id", Self::FIND_DOCUMENTS)]);
        ebrim::write_slot(
            &mut w,
            "$XDSDocumentEntryPatientId",
            &[&format!("'{}'", self.patient.cx())],
        );
        ebrim::write_slot(
            &mut w,
            "$XDSDocumentEntryStatus",
            &[&format!("('{}')", ebrim::APPROVED)],
        );
        let classes: Vec<String> = self
            .classes
            .iter()
            .map(|c| format!("('{}^^{}')", c.code(), DocumentClass::LOINC))
            .collect();
        let classes: Vec<&str> = classes.iter().map(String::as_str).collect();
        ebrim::write_slot(&mut w, "$XDSDocumentEntryClassCode", &classes);
        w.close();
        w.close();
        w.finish()
    }
}

/// Who answers, for the entries of an answer.
#[derive(Debug, Clone)]
pub struct Repository<'a> {
    /// Home community of the country of affiliation.
    pub community: &'a Oid,
    /// Its repository.
    pub repository: &'a str,
    /// ISO country code.
    pub country: &'a str,
}

impl QueryResponse {
    /// Reads the Body's payload.
    pub fn parse(payload: Element<'_, '_>) -> Result<Self, MessageError> {
        if !payload.is(QUERY, "AdhocQueryResponse") {
            return Err(MessageError::Unexpected);
        }
        let errors = Errors::read(payload)?;
        let mut entries = Vec::new();
        let mut ids = Vec::new();
        let Some(list) = payload.child(RIM, "RegistryObjectList") else {
            return Ok(Self { errors, entries });
        };
        for object in list.children_named(RIM, "ExtrinsicObject") {
            ids.push(object.attribute("id").unwrap_or("").to_owned());
            entries.push(DocumentEntry::read(object)?);
        }
        for association in list.children_named(RIM, "Association") {
            let end = |name: &str| {
                let id = association.attribute(name)?;
                ids.iter().position(|known| known == id)
            };
            let transforms =
                association.attribute("associationType").is_some_and(|t| t.ends_with(":XFRM"));
            if let (true, Some(source), Some(target)) =
                (transforms, end("sourceObject"), end("targetObject"))
            {
                entries[source].transformed_to = Some(entries[target].unique_id.clone());
            }
        }
        Ok(Self { errors, entries })
    }

    /// Writes the Body's payload. `patient` is the one that was asked for.
    pub fn render(&self, patient: &PatientId, from: &Repository<'_>) -> String {
        let mut w = Writer::new();
        w.open(
            "query:AdhocQueryResponse",
            &[("xmlns:query", QUERY), ("xmlns:rim", RIM), ("status", self.errors.status())],
        );
        self.errors.write(&mut w);
        w.open("rim:RegistryObjectList", &[]);
        let id_of =
            |index: usize| format!("urn:uuid:{}", name_uuid(&self.entries[index].unique_id));
        for (index, entry) in self.entries.iter().enumerate() {
            entry.write(&mut w, &id_of(index), patient, from);
        }
        for (index, entry) in self.entries.iter().enumerate() {
            let target = self
                .entries
                .iter()
                .position(|e| entry.transformed_to.as_ref() == Some(&e.unique_id));
            if let Some(target) = target {
                w.empty(
                    "rim:Association",
                    &[
                        ("id", &format!("{}-xfrm", id_of(index))),
                        ("associationType", "urn:ihe:iti:2007:AssociationType:XFRM"),
                        ("sourceObject", &id_of(index)),
                        ("targetObject", &id_of(target)),
                    ],
                );
            }
        }
        w.close();
        w.close();
        w.finish()
    }
}

impl DocumentEntry {
    fn read(object: Element<'_, '_>) -> Result<Self, MessageError> {
        let missing = |what| MessageError::Malformed(exchange::Malformed { what });
        let code = ebrim::classified(object, ebrim::CLASS).first().copied().unwrap_or("");
        let events = ebrim::classified(object, ebrim::EVENT);
        let one = |name: &str| {
            ebrim::slot(object, name).first().map_or_else(String::new, |v| (*v).to_owned())
        };
        let title = object
            .path(RIM, &["Name", "LocalizedString"])
            .and_then(|n| n.attribute("value"))
            .unwrap_or_default();
        Ok(Self {
            unique_id: ebrim::only(&ebrim::identified(object, ebrim::ENTRY_UNIQUE))
                .ok_or(missing("document unique id"))?
                .to_owned(),
            class: DocumentClass::of_code(code).ok_or(missing("document class code"))?,
            format: ebrim::classified(object, ebrim::FORMAT)
                .first()
                .map_or_else(String::new, |f| (*f).to_owned()),
            title: title.to_owned(),
            created: parse_compact(&one("creationTime")),
            language: one("languageCode"),
            size: one("size").parse().unwrap_or(0),
            hash: one("hash"),
            author: String::new(),
            transformed_to: None,
            status: events
                .iter()
                .find_map(|e| e.strip_prefix("urn:ihe:iti:xdw:2011:eventCode:"))
                .map(str::to_owned),
            atc: None,
        })
    }

    fn write(&self, w: &mut Writer, id: &str, patient: &PatientId, from: &Repository<'_>) {
        w.open(
            "rim:ExtrinsicObject",
            &[
                ("id", id),
                ("lid", id),
                ("home", &from.community.urn()),
                ("objectType", ebrim::STABLE_DOCUMENT),
                ("status", ebrim::APPROVED),
                ("mimeType", "text/xml"),
                ("isOpaque", "false"),
            ],
        );
        let cx = patient.cx();
        if let Some(created) = self.created {
            ebrim::write_slot(w, "creationTime", &[&compact_time(created)]);
        }
        ebrim::write_slot(w, "sourcePatientId", &[&cx]);
        ebrim::write_slot(w, "languageCode", &[&self.language]);
        ebrim::write_slot(w, "size", &[&self.size.to_string()]);
        ebrim::write_slot(w, "hash", &[&self.hash]);
        ebrim::write_slot(w, "repositoryUniqueId", &[from.repository]);
        ebrim::write_name(w, &self.title);
        w.empty("rim:VersionInfo", &[("versionName", "1.1")]);
        self.write_classifications(w, id, from);
        ebrim::write_identifier(w, id, ebrim::ENTRY_PATIENT, &cx, "XDSDocumentEntry.patientId");
        ebrim::write_identifier(
            w,
            id,
            ebrim::ENTRY_UNIQUE,
            &self.unique_id,
            "XDSDocumentEntry.uniqueId",
        );
        w.close();
    }

    fn write_classifications(&self, w: &mut Writer, id: &str, from: &Repository<'_>) {
        let loinc = DocumentClass::LOINC;
        let (code, name) = (self.class.code(), self.class.name());
        ebrim::write_classification(w, id, ebrim::CLASS, code, loinc, name);
        ebrim::write_classification(w, id, ebrim::TYPE, code, loinc, name);
        ebrim::write_classification(
            w,
            id,
            ebrim::FORMAT,
            &self.format,
            "eHDSI formatCodes",
            &self.format,
        );
        ebrim::write_classification(
            w,
            id,
            ebrim::CONFIDENTIALITY,
            "N",
            "2.16.840.1.113883.5.25",
            "Normal",
        );
        ebrim::write_classification(
            w,
            id,
            ebrim::FACILITY,
            from.country,
            "1.0.3166.1",
            from.country,
        );
        let practice = "eHDSI Practice Setting Codes-Not Used";
        ebrim::write_classification(w, id, ebrim::PRACTICE, "Not Used", practice, "Not Used");
        if !self.author.is_empty() {
            let author = format!("{id}-author");
            w.open(
                "rim:Classification",
                &[
                    ("id", &author),
                    ("classificationScheme", ebrim::AUTHOR),
                    ("classifiedObject", id),
                    ("nodeRepresentation", ""),
                ],
            );
            ebrim::write_slot(w, "authorPerson", &[&self.author]);
            w.close();
        }
        if let Some(status) = &self.status {
            let code = format!("urn:ihe:iti:xdw:2011:eventCode:{status}");
            ebrim::write_classification(
                w,
                id,
                ebrim::EVENT,
                &code,
                "1.3.6.1.4.1.19376.1.2.3",
                status,
            );
        }
        if let Some(atc) = &self.atc {
            ebrim::write_classification(w, id, ebrim::EVENT, atc, "2.16.840.1.113883.6.73", atc);
        }
    }
}

/// ITI-39: which documents.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RetrieveRequest {
    /// (repository, document unique id), in order; the home community is checked on reading.
    pub documents: Vec<(String, String)>,
    /// Home community of the country of affiliation, dotted.
    pub community: Option<Oid>,
}

impl RetrieveRequest {
    /// Reads the Body's payload.
    pub fn parse(payload: Element<'_, '_>) -> Result<Self, MessageError> {
        if !payload.is(XDS, "RetrieveDocumentSetRequest") {
            return Err(MessageError::Unexpected);
        }
        let mut community = None;
        let mut documents = Vec::new();
        for request in payload.children_named(XDS, "DocumentRequest") {
            if let Some(home) = request.child(XDS, "HomeCommunityId") {
                community = Some(Oid::parse(home.demand_text("HomeCommunityId")?)?);
            }
            let text = |name: &'static str| {
                request.only_child(XDS, name)?.demand_text(name).map(str::to_owned)
            };
            documents.push((text("RepositoryUniqueId")?, text("DocumentUniqueId")?));
        }
        let wanted = documents.iter().all(|(_, id)| !id.is_empty() && id.len() <= 256);
        if documents.is_empty() || documents.len() > MAX_DOCUMENTS || !wanted {
            return Err(exchange::Malformed { what: "document request" }.into());
        }
        Ok(Self { documents, community })
    }

    /// Writes the Body's payload.
    pub fn render(&self) -> String {
        let mut w = Writer::new();
        w.open("xds:RetrieveDocumentSetRequest", &[("xmlns:xds", XDS)]);
        for (repository, id) in &self.documents {
            w.open("xds:DocumentRequest", &[]);
            if let Some(community) = &self.community {
                w.leaf("xds:HomeCommunityId", &[], &community.urn());
            }
            w.leaf("xds:RepositoryUniqueId", &[], repository);
            w.leaf("xds:DocumentUniqueId", &[], id);
            w.close();
        }
        w.close();
        w.finish()
    }
}

/// ITI-39 answer.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RetrieveResponse {
    /// Errors, if any.
    pub errors: Errors,
    /// Documents.
    pub documents: Vec<Document>,
}

impl RetrieveResponse {
    /// Reads the Body's payload; documents are inline base64 or parts.
    pub fn parse(
        payload: Element<'_, '_>,
        attachments: &Attachments<'_>,
    ) -> Result<Self, MessageError> {
        if !payload.is(XDS, "RetrieveDocumentSetResponse") {
            return Err(MessageError::Unexpected);
        }
        let errors = Errors::read(payload.only_child(RS, "RegistryResponse")?)?;
        let mut documents = Vec::new();
        for response in payload.children_named(XDS, "DocumentResponse") {
            let text = |name: &'static str| {
                response.only_child(XDS, name)?.demand_text(name).map(str::to_owned)
            };
            documents.push(Document {
                unique_id: text("DocumentUniqueId")?,
                repository: text("RepositoryUniqueId")?,
                mime: text("mimeType")?,
                bytes: attachments.content(response.only_child(XDS, "Document")?)?,
            });
        }
        Ok(Self { errors, documents })
    }

    /// Writes the Body's payload; the documents become MTOM parts.
    pub fn render(&self, community: &Oid) -> (String, Vec<Part>) {
        let mut parts = Vec::new();
        let mut w = Writer::new();
        w.open("xds:RetrieveDocumentSetResponse", &[("xmlns:xds", XDS)]);
        w.open("rs:RegistryResponse", &[("xmlns:rs", RS), ("status", self.errors.status())]);
        self.errors.write(&mut w);
        w.close();
        for (index, document) in self.documents.iter().enumerate() {
            w.open("xds:DocumentResponse", &[]);
            w.leaf("xds:HomeCommunityId", &[], &community.urn());
            w.leaf("xds:RepositoryUniqueId", &[], &document.repository);
            w.leaf("xds:DocumentUniqueId", &[], &document.unique_id);
            w.leaf("xds:mimeType", &[], &document.mime);
            parts.push(attach(&mut w, index, &document.mime, &document.bytes));
            w.close();
        }
        w.close();
        (w.finish(), parts)
    }
}

/// Writes `xds:Document` with an `xop:Include` and gives the part.
pub(crate) fn attach(w: &mut Writer, index: usize, mime: &str, bytes: &Bytes) -> Part {
    let cid = format!("document{index}@konfido");
    w.open("xds:Document", &[]);
    w.empty("xop:Include", &[("xmlns:xop", XOP), ("href", &format!("cid:{cid}"))]);
    w.close();
    Part { cid, mime: mime.to_owned(), bytes: bytes.clone() }
}

/// `yyyyMMdd[HHmmss]` in UTC.
fn parse_compact(text: &str) -> Option<Timestamp> {
    let padded = format!("{text:0<14}");
    jiff::civil::DateTime::strptime("%Y%m%d%H%M%S", padded.get(..14)?)
        .ok()?
        .to_zoned(jiff::tz::TimeZone::UTC)
        .ok()
        .map(|z| z.timestamp())
}

/// A stable UUID for a registry object, derived from the document's unique id.
fn name_uuid(unique_id: &str) -> String {
    // FNV-1a over two offsets: an XML id, not a secret
    let half = |seed: u64| {
        unique_id
            .bytes()
            .fold(seed, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
    };
    let (a, b) = (half(0xcbf2_9ce4_8422_2325), half(0x8422_2325_cbf2_9ce4));
    let hex = format!("{a:016x}{b:016x}");
    format!("{}-{}-4{}-8{}-{}", &hex[..8], &hex[8..12], &hex[13..16], &hex[17..20], &hex[20..])
}

/// More documents than one ITI-39 request asks for in the field.
const MAX_DOCUMENTS: usize = 32;

#[cfg(test)]
mod tests {
    use super::*;
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
