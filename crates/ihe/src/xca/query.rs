//! ITI-38 `FindDocuments` and its answer.

use exchange::{DocumentClass, PatientId};
use trust::xml::{Element, Writer};

use super::entry::name_uuid;
use super::{DocumentEntry, Errors, Repository};
use crate::MessageError;
use crate::ebrim::{self, QUERY, RIM};

/// ITI-38 `FindDocuments`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueryRequest {
    /// Whose documents.
    pub patient: PatientId,
    /// Class codes asked for.
    pub classes: Vec<DocumentClass>,
}

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
