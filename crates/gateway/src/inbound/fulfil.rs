//! Doing what is asked: from the built-in store, or by the OpenNCP behind us.

use std::ops::Range;

use exchange::{Code, DocumentClass, Refusal};
use identity::Mandate;
use ihe::detach::detach;
use ihe::mtom::Package;
use ihe::xca::Errors;
use ihe::{MessageError, uuid, xdr};
use ledger::crash;

use crate::message::{Ask, Facts, Message, read_answer, respond};
use crate::national::store::Store;
use crate::national::{Connector, openncp};
use crate::node::Node;

/// An answer that is not released yet.
pub(super) struct Fulfilled {
    pub(super) package: Package,
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
        Self { package, content, outcome: refusal.code.wire().to_owned(), documents }
    }
}

/// Fulfils a permitted request.
pub(super) async fn fulfil(
    node: &Node,
    facts: &Facts,
    mandate: &Mandate,
    message: &Message,
) -> Result<Fulfilled, Refusal> {
    let (package, documents) = match &node.connector {
        Connector::Store(store) => from_store(node, store, facts, mandate).await?,
        Connector::OpenNcp(client) => {
            let path = facts.transaction.service_path();
            let package = openncp::relay(client, path, facts.transaction, &message.package).await?;
            let documents = match &facts.ask {
                Ask::Discovery(_) | Ask::Submit(_) => Documents::Of(Vec::new()),
                Ask::Query(request) => Documents::Of(request.classes.clone()),
                Ask::Retrieve(_) => Documents::Unknown,
            };
            (package.0, documents)
        }
    };
    // what is to go into a pouch must be an attachment, which is sealed by itself
    let package =
        if facts.pouch.is_some() { detach(package).map_err(|e| unreadable(&e))? } else { package };
    crash::point("inbound/fulfilled");
    let (content, refused) = read_answer(&package).map_err(|e| unreadable(&e))?;
    // the other country's refusal has no documents
    let documents = if refused.is_some() { Documents::Of(Vec::new()) } else { documents };
    let outcome = refused.unwrap_or_else(|| "answered".to_owned());
    Ok(Fulfilled { package, content, outcome, documents })
}

fn unreadable(error: &MessageError) -> Refusal {
    let hint = "the national contact point's answer cannot be read";
    Refusal::new(Code::ErrorGeneric, hint).with_detail(error.to_string())
}

async fn from_store(
    node: &Node,
    store: &Store,
    facts: &Facts,
    mandate: &Mandate,
) -> Result<(Package, Documents), Refusal> {
    let none = Documents::Of(Vec::new());
    let now = node.clock.now();
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
            Ok((respond(node, facts, &body, Vec::new()), none))
        }
        Ask::Query(request) => {
            let response = store.query(&request.patient, &request.classes).await?;
            let body = store.render_query(&response, &request.patient);
            let documents = Documents::Of(request.classes.clone());
            Ok((respond(node, facts, &body, Vec::new()), documents))
        }
        Ask::Retrieve(request) => {
            if request.community.as_ref().is_some_and(|community| *community != store.community) {
                return Err(Refusal::new(
                    Code::ErrorDocumentNotFound,
                    "address the home community of this country",
                ));
            }
            let (response, classes) = store.retrieve(mandate, &request.documents).await?;
            let (body, parts) = response.render(&store.community);
            Ok((respond(node, facts, &body, parts), Documents::Of(classes)))
        }
        Ask::Submit(submission) => {
            store.submit(submission, mandate.recognised().country(), now).await?;
            let body = xdr::render_response(&Errors::default());
            Ok((respond(node, facts, &body, Vec::new()), none))
        }
    }
}
