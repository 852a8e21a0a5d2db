//! Doing what is asked: from the built-in store, or by the OpenNCP behind us.

use std::ops::Range;

use bytes::Bytes;
use enclave::{Vault, VaultError};
use exchange::{Code, DocumentClass, Refusal};
use identity::Mandate;
use ihe::detach::detach;
use ihe::mtom::Package;
use ihe::xca::Errors;
use ihe::{MessageError, uuid, xdr};
use ledger::crash;

use super::attached::Attached;
use crate::message::{self, Ask, Facts, Message, read_answer, respond};
use crate::national::store::Store;
use crate::national::{Connector, openncp};
use crate::node::{Node, Sealing};

/// An answer that is not released yet.
pub(super) struct Fulfilled {
    pub(super) root: Bytes,
    pub(super) parts: Vec<Attached>,
    pub(super) content: Range<usize>,
    /// `answered`, or an eHDSI code.
    pub(super) outcome: String,
    /// What is in it.
    pub(super) documents: Documents,
}

/// Of which classes the documents of an answer are, or those that it is about.
pub(super) enum Documents {
    /// Of these.
    Of(Vec<DocumentClass>),
    /// An OpenNCP behind us answered with documents: of any.
    Unknown,
}

impl Fulfilled {
    /// A refusal that is answered under evidence.
    pub(super) fn refusing(package: Package, refusal: &Refusal) -> Self {
        let content = read_answer(&package).map_or(0..0, |(content, _)| content);
        let documents = Documents::Of(Vec::new());
        let Package { root, parts } = package;
        let parts = parts.into_iter().map(Attached::clear).collect();
        Self { root, parts, content, outcome: refusal.code.wire().to_owned(), documents }
    }

    /// With its documents in the clear, as far as the vault hands them out.
    pub(super) fn handed_out(self, node: &Node, vault: &Vault) -> Result<Self, Refusal> {
        let kept = self.parts.iter().filter(|part| part.is_kept()).count();
        let parts = self.parts.into_iter().map(|part| part.handed_out(vault));
        let parts = parts.collect::<Result<_, _>>().map_err(withheld)?;
        node.metrics.handed_out.inc_by(kept as u64);
        Ok(Self { parts, ..self })
    }

    /// As it travels in plain IHE.
    pub(super) fn plain(self) -> Option<Package> {
        let parts = self.parts.into_iter().map(Attached::plain).collect::<Option<_>>()?;
        Some(Package { root: self.root, parts })
    }
}

/// Fulfils a permitted request. `apart`: each document is to be sealed by itself, because the asking country's
/// vault does not give it to its node.
pub(super) async fn fulfil(
    node: &Node,
    sealing: &Sealing,
    facts: &Facts,
    mandate: &Mandate,
    message: &Message,
    apart: bool,
) -> Result<Fulfilled, Refusal> {
    let (root, parts, documents) = match &node.connector {
        Connector::Store(store) => from_store(node, &sealing.vault, store, facts, mandate).await?,
        Connector::OpenNcp(client) => {
            let path = facts.transaction.service_path();
            let package = openncp::relay(client, path, facts.transaction, &message.package).await?;
            let documents = match &facts.ask {
                Ask::Discovery(_) | Ask::Submit(_) => Documents::Of(Vec::new()),
                Ask::Query(request) => Documents::Of(request.classes.clone()),
                Ask::Retrieve(_) => Documents::Unknown,
            };
            // only an attachment is sealed by itself
            let package = package.0;
            let package = if apart { detach(package) } else { Ok(package) };
            let Package { root, parts } = package.map_err(|e| unreadable(&e))?;
            (root, parts.into_iter().map(Attached::clear).collect(), documents)
        }
    };
    crash::point("inbound/fulfilled");
    understood(root, parts, documents)
}

/// An answer with what it says of itself.
fn understood(
    root: Bytes,
    parts: Vec<Attached>,
    documents: Documents,
) -> Result<Fulfilled, Refusal> {
    let (content, refused) =
        read_answer(&Package::bare(root.clone())).map_err(|e| unreadable(&e))?;
    // the other country's refusal has no documents; a partial success, and a warning, has some
    let none = refused.is_some()
        && parts.is_empty()
        && !message::brings(&root).map_err(|e| unreadable(&e))?;
    let documents = if none { Documents::Of(Vec::new()) } else { documents };
    let outcome = refused.unwrap_or_else(|| "answered".to_owned());
    Ok(Fulfilled { root, parts, content, outcome, documents })
}

fn withheld(error: VaultError) -> Refusal {
    let hint = "documents of this country leave it sealed for another country's vault only";
    let hint = if error == VaultError::Keeps { hint } else { "the document cannot be opened" };
    Refusal::new(Code::ErrorSecGeneric, hint).with_detail(error.to_string())
}

fn unreadable(error: &MessageError) -> Refusal {
    let hint = "the national contact point's answer cannot be read";
    Refusal::new(Code::ErrorGeneric, hint).with_detail(error.to_string())
}

async fn from_store(
    node: &Node,
    vault: &Vault,
    store: &Store,
    facts: &Facts,
    mandate: &Mandate,
) -> Result<(Bytes, Vec<Attached>, Documents), Refusal> {
    let none = Documents::Of(Vec::new());
    let now = node.clock.now();
    let bare = |body: &str| respond(node, facts, body, Vec::new()).root;
    match &facts.ask {
        Ask::Discovery(request) => {
            if request.receiver.as_ref().is_some_and(|receiver| *receiver != store.community) {
                let hint = "address the home community of this country";
                return Err(Refusal::new(Code::ErrorPiGeneric, hint));
            }
            let response = store.discover(&request.patients).await?;
            let id = uuid(node.entropy.as_ref());
            let echo = &facts.echo;
            let request_id = (echo.id.0.as_str(), echo.id.1.as_str());
            let body = response.render(
                &id,
                now,
                request_id,
                &store.community,
                echo.sender.as_ref(),
                &echo.query,
            );
            Ok((bare(&body), Vec::new(), none))
        }
        Ask::Query(request) => {
            let response = store.query(&request.patient, &request.classes).await?;
            let body = store.render_query(&response, &request.patient);
            let documents = Documents::Of(request.classes.clone());
            Ok((bare(&body), Vec::new(), documents))
        }
        Ask::Retrieve(request) => {
            if request.community.as_ref().is_some_and(|community| *community != store.community) {
                return Err(Refusal::new(
                    Code::ErrorDocumentNotFound,
                    "address the home community of this country",
                ));
            }
            let (response, found) = store.retrieve(mandate, &request.documents).await?;
            let classes = found.iter().map(|document| document.entry.class).collect();
            let (body, parts) = response.render(&store.community);
            let parts = parts.into_iter().zip(found);
            let parts = parts.map(|(part, document)| Attached::kept(part, document)).collect();
            Ok((bare(&body), parts, Documents::Of(classes)))
        }
        Ask::Submit(submission) => {
            store.submit(vault, submission, mandate.recognised().country(), now).await?;
            let body = xdr::render_response(&Errors::default());
            Ok((bare(&body), Vec::new(), none))
        }
    }
}

#[cfg(test)]
mod tests {
    use ihe::mtom::Part;
    use ihe::soap;

    use super::*;

    const WARNED: &str = "<x:RetrieveDocumentSetResponse xmlns:x='urn:ihe:iti:xds-b:2007'>\
        <r:RegistryResponse xmlns:r='urn:oasis:names:tc:ebxml-regrep:xsd:rs:3.0' \
        status='urn:ihe:iti:2007:ResponseStatusType:PartialSuccess'><r:RegistryErrorList>\
        <r:RegistryError errorCode='ERROR_DOCUMENT_NOT_FOUND' codeContext='' severity=''/>\
        </r:RegistryErrorList></r:RegistryResponse>HERE</x:RetrieveDocumentSetResponse>";

    fn answered(document: &str, parts: Vec<Part>) -> Fulfilled {
        let body = WARNED.replace("HERE", document);
        let root = soap::render(&soap::Header::default(), &[], &body);
        let parts = parts.into_iter().map(Attached::clear).collect();
        understood(root.into(), parts, Documents::Unknown)
            .unwrap_or_else(|refusal| panic!("{refusal:?}"))
    }

    #[test]
    fn a_document_that_comes_beside_an_error_is_held_to_the_policys_floors_too() {
        let inline = "<x:DocumentResponse><x:Document>PGEvPg==</x:Document></x:DocumentResponse>";
        assert!(matches!(answered(inline, Vec::new()).documents, Documents::Unknown));
        let part =
            Part { cid: "1@x".into(), mime: "text/xml".into(), bytes: Bytes::from_static(b"<a/>") };
        assert!(matches!(answered("", vec![part]).documents, Documents::Unknown));
        let refused = answered("", Vec::new());
        assert_eq!(refused.outcome, "ERROR_DOCUMENT_NOT_FOUND");
        assert!(matches!(refused.documents, Documents::Of(none) if none.is_empty()));
    }
}
