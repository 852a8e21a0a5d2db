//! ITI-39 and its answer.

use bytes::Bytes;
use exchange::{Document, Oid};
use trust::xml::{Element, Writer};

use super::Errors;
use crate::MessageError;
use crate::ebrim::{RS, XDS};
use crate::mtom::{Attachments, Part, XOP};

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

/// More documents than one ITI-39 request asks for in the field.
const MAX_DOCUMENTS: usize = 32;
