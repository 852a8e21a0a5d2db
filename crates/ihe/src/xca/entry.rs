//! One document of an ITI-38 answer, as an ebRIM ExtrinsicObject.

use exchange::{DocumentClass, Oid, PatientId};
use jiff::Timestamp;
use trust::xml::{Element, Writer};

use crate::ebrim::{self, RIM};
use crate::{MessageError, compact_time};

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

impl DocumentEntry {
    pub(super) fn read(object: Element<'_, '_>) -> Result<Self, MessageError> {
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

    pub(super) fn write(
        &self,
        w: &mut Writer,
        id: &str,
        patient: &PatientId,
        from: &Repository<'_>,
    ) {
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
        ebrim::write_common(w, id, &self.format, from.country);
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
pub(super) fn name_uuid(unique_id: &str) -> String {
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
