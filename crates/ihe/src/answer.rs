//! How a refusal looks in each transaction: the outcome table of XCPD, the error list of XCA and XDR.

use exchange::{CorrelationId, Oid, Refusal, Transaction};
use jiff::Timestamp;
use trust::xml::{Element, Writer};

use crate::ebrim::{QUERY, RIM, RS, XDS};
use crate::xca::{Errors, RegistryError};
use crate::xcpd::{HL7, Response};
use crate::xdr;

/// What an XCPD refusal echoes of its request; empty when the request could not be read.
#[derive(Debug, Clone, Default)]
pub struct Echo {
    /// The request's id: root and extension.
    pub id: (String, String),
    /// The source of its `queryByParameter`, with its namespaces.
    pub query: String,
    /// The home community that asked.
    pub sender: Option<Oid>,
}

impl Echo {
    /// Takes the echo from an ITI-55 payload.
    pub fn of(payload: Element<'_, '_>) -> Self {
        let id = payload.child(HL7, "id");
        let attribute = |name: &str| id.and_then(|e| e.attribute(name)).unwrap_or("").to_owned();
        let query = payload.path(HL7, &["controlActProcess", "queryByParameter"]);
        Self {
            id: (attribute("root"), attribute("extension")),
            query: query.map(Element::standalone).unwrap_or_default(),
            sender: crate::xcpd::community(payload, "sender"),
        }
    }
}

/// The Body payload that refuses.
pub fn refusal(
    transaction: Transaction,
    refusal: &Refusal,
    correlation: CorrelationId,
    echo: &Echo,
    community: &Oid,
    at: Timestamp,
) -> String {
    let location = correlation.to_string();
    let errors = Errors { errors: vec![RegistryError::of(refusal, &location)], partial: false };
    let mut w = Writer::new();
    match transaction {
        Transaction::PatientDiscovery => {
            let response = Response::refused(refusal, &location);
            let id = (echo.id.0.as_str(), echo.id.1.as_str());
            return response.render(
                &location,
                at,
                id,
                community,
                echo.sender.as_ref(),
                &echo.query,
            );
        }
        Transaction::Query => {
            w.open(
                "query:AdhocQueryResponse",
                &[("xmlns:query", QUERY), ("status", errors.status())],
            );
            errors.write(&mut w);
            w.empty("rim:RegistryObjectList", &[("xmlns:rim", RIM)]);
            w.close();
        }
        Transaction::Retrieve => {
            w.open("xds:RetrieveDocumentSetResponse", &[("xmlns:xds", XDS)]);
            w.open("rs:RegistryResponse", &[("xmlns:rs", RS), ("status", errors.status())]);
            errors.write(&mut w);
            w.close();
            w.close();
        }
        Transaction::Submit => return xdr::render_response(&errors),
    }
    w.finish()
}

/// The eHDSI wire code of the first error in an answer; `None` when it is not a refusal.
pub fn code_of(payload: Element<'_, '_>) -> Option<String> {
    if payload.is(HL7, "PRPA_IN201306UV02") {
        return match Response::parse(payload) {
            Ok(Response::Not(failure)) => Some(failure.code),
            _ => None,
        };
    }
    let list = payload.descendants().find(|e| e.is(RS, "RegistryErrorList"))?;
    list.child(RS, "RegistryError")?.attribute("errorCode").map(str::to_owned)
}

/// Whether an answer brings documents or what is known of them. One with a code of [`code_of`] may
/// bring some beside it: partial success, and warnings (ITI TF-3 4.2.4).
pub fn brings(payload: Element<'_, '_>) -> bool {
    let named = |e: &Element<'_, '_>| {
        e.is(XDS, "DocumentResponse") || e.is(XDS, "Document") || e.is(RIM, "ExtrinsicObject")
    };
    payload.descendants().any(|element| named(&element))
}
