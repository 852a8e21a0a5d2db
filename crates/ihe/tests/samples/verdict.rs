//! Reads one message with whatever parser its root asks for, writes it again, and says what it is.

use bytes::Bytes;
use exchange::{Oid, PatientId};
use ihe::MessageError;
use ihe::atna::Record;
use ihe::mtom::{Attachments, Package, Part};
use ihe::soap::{self, Envelope, Header, SOAP12};
use ihe::xca::{
    Errors, QueryRequest, QueryResponse, Repository, RetrieveRequest, RetrieveResponse,
};
use ihe::{xcpd, xdr};
use jiff::Timestamp;
use trust::xml::{Element, Limits, Xml};

/// One line: what the message is and the facts in it, or `refused: ` and why.
pub fn verdict(text: &str) -> String {
    let xml = match Xml::parse(text, &Limits::MESSAGE) {
        Ok(xml) => xml,
        Err(error) => return format!("refused: {error}"),
    };
    let said = if xml.root().name() == "Envelope" || xml.root().namespace() == SOAP12 {
        envelope(&xml)
    } else {
        payload(xml.root())
    };
    said.unwrap_or_else(|error| format!("refused: {error}"))
}

fn envelope(xml: &Xml<'_>) -> Result<String, MessageError> {
    let read = Envelope::read(xml)?;
    let inner = read.payload.map(payload).transpose()?.unwrap_or_default();
    let assertions: Vec<&str> = read.assertions().unwrap().iter().map(|a| a.source()).collect();
    let header = Header {
        to: read.to.unwrap_or(""),
        action: read.action.unwrap_or(""),
        message_id: read.message_id.unwrap_or(""),
        relates_to: read.relates_to.unwrap_or(""),
    };
    let again = soap::render(&header, &assertions, &xml.text()[read.content()]);
    let package = Package::bare(again.into_bytes());
    let (mime, body) = package.write(header.action);
    let package = Package::parse(&mime, body)?;
    let again = Xml::parse_bytes(&package.root, &Limits::MESSAGE)?;
    let other = Envelope::read(&again)?;
    assert_eq!(
        (other.to, other.action, other.message_id, other.relates_to),
        (read.to, read.action, read.message_id, read.relates_to)
    );
    assert_eq!(
        other.assertions().unwrap().iter().map(|a| a.source()).collect::<Vec<_>>(),
        assertions
    );
    Ok(format!(
        "envelope {} {}, {} assertions: {inner}",
        read.action.unwrap_or("without action"),
        read.to.map_or("to nobody", |_| "with To"),
        read.assertions().unwrap().len(),
    ))
}

fn payload(root: Element<'_, '_>) -> Result<String, MessageError> {
    match root.name() {
        "PRPA_IN201305UV02" => discovery(root),
        "PRPA_IN201306UV02" => discovered(root),
        "AdhocQueryRequest" => query(root),
        "AdhocQueryResponse" => entries(root),
        "RetrieveDocumentSetRequest" => retrieve(root),
        "RetrieveDocumentSetResponse" => documents(root),
        "ProvideAndRegisterDocumentSetRequest" => submission(root),
        "RegistryResponse" => {
            let errors = xdr::parse_response(root)?;
            let again = xdr::render_response(&errors);
            assert!(xdr::parse_response(reparsed(&again).root())? == errors);
            Ok(format!("registry response{}", said(&errors)))
        }
        "AuditMessage" => audit(root),
        _ => Err(MessageError::Unexpected),
    }
}

fn discovery(root: Element<'_, '_>) -> Result<String, MessageError> {
    let request = xcpd::Request::parse(root)?;
    let again = request.render(Timestamp::UNIX_EPOCH);
    assert!(xcpd::Request::parse(reparsed(&again).root())? == request);
    let end = |oid: &Option<Oid>| oid.as_ref().map_or("-".to_owned(), Oid::to_string);
    Ok(format!(
        "discovery of [{}] from {} to {} {}",
        request.patients.iter().map(PatientId::cx).collect::<Vec<_>>().join(" "),
        end(&request.sender),
        end(&request.receiver),
        [request.given, request.family, request.gender, request.birth].join("/"),
    ))
}

fn discovered(root: Element<'_, '_>) -> Result<String, MessageError> {
    let response = xcpd::Response::parse(root)?;
    let again = response.render("1.9", Timestamp::UNIX_EPOCH, ("1.2", "3"), &community(), None, "");
    assert!(xcpd::Response::parse(reparsed(&again).root())? == response);
    Ok(match response {
        xcpd::Response::Found(found) => {
            let line = |m: &xcpd::Match| {
                let facts = [&m.given, &m.family, &m.gender, &m.birth].map(String::as_str);
                format!("{} {} {}", m.id.cx(), facts.join("/"), m.address.join("/"))
            };
            format!("found {}", found.iter().map(line).collect::<Vec<_>>().join("; "))
        }
        xcpd::Response::Not(failure) => format!("not found: {} {}", failure.code, failure.issue),
    })
}

fn query(root: Element<'_, '_>) -> Result<String, MessageError> {
    let request = QueryRequest::parse(root)?;
    assert!(QueryRequest::parse(reparsed(&request.render()).root())? == request);
    Ok(format!("query of {} for {:?}", request.patient.cx(), request.classes))
}

fn entries(root: Element<'_, '_>) -> Result<String, MessageError> {
    let response = QueryResponse::parse(root)?;
    let community = community();
    let from = Repository { community: &community, repository: "1.2.9", country: "DK" };
    let patient = PatientId::parse_cx("1^^^&1.2.3&ISO")?;
    let again = response.render(&patient, &from);
    assert_eq!(QueryResponse::parse(reparsed(&again).root())?, response);
    let line = |entry: &ihe::xca::DocumentEntry| {
        let created = entry.created.map_or_else(String::new, |at| at.to_string());
        let target = entry.transformed_to.as_deref().unwrap_or("-");
        format!(
            "{} {:?} {} {created} {} {} bytes -> {target}",
            entry.unique_id, entry.class, entry.format, entry.language, entry.size
        )
    };
    let entries: Vec<String> = response.entries.iter().map(line).collect();
    Ok(format!("entries [{}]{}", entries.join("; "), said(&response.errors)))
}

fn retrieve(root: Element<'_, '_>) -> Result<String, MessageError> {
    let request = RetrieveRequest::parse(root)?;
    assert_eq!(RetrieveRequest::parse(reparsed(&request.render()).root())?, request);
    let home = request.community.as_ref().map_or("nobody".to_owned(), Oid::to_string);
    let ids: Vec<&str> = request.documents.iter().map(|(_, id)| id.as_str()).collect();
    Ok(format!("retrieve from {home}: {}", ids.join(" ")))
}

fn documents(root: Element<'_, '_>) -> Result<String, MessageError> {
    let response = RetrieveResponse::parse(root, &Attachments::new(&[]))?;
    let (again, parts) = response.render(&community());
    let (again, parts) = shipped(again, parts)?;
    let attachments = Attachments::new(&parts);
    let other = Xml::parse(&again, &Limits::MESSAGE)?;
    assert_eq!(RetrieveResponse::parse(other.root(), &attachments)?, response);
    attachments.finish()?;
    let line = |d: &exchange::Document| format!("{} {} {}", d.unique_id, d.mime, cda(&d.bytes));
    let documents: Vec<String> = response.documents.iter().map(line).collect();
    Ok(format!("documents [{}]{}", documents.join("; "), said(&response.errors)))
}

fn submission(root: Element<'_, '_>) -> Result<String, MessageError> {
    let submission = xdr::Submission::parse(root, &Attachments::new(&[]))?;
    let community = community();
    let from = xdr::Submitter {
        community: &community,
        country: "ES",
        language: "es-ES",
        at: Timestamp::UNIX_EPOCH,
        set_id: "1.2.3.5",
    };
    let (again, part) = submission.render(&from);
    let (again, parts) = shipped(again, vec![part])?;
    let other = Xml::parse(&again, &Limits::MESSAGE)?;
    assert!(xdr::Submission::parse(other.root(), &Attachments::new(&parts))? == submission);
    let xdr::Submission { patient, class, unique_id, mime, bytes } = submission;
    Ok(format!("submission {unique_id} {class:?} {mime} of {}: {}", patient.cx(), cda(&bytes)))
}

fn audit(root: Element<'_, '_>) -> Result<String, MessageError> {
    let record = Record::parse(root)?;
    let again = record.render();
    let mut other = Record::parse(reparsed(&again).root())?;
    other.signed = record.signed; // a signature is not written again
    assert!(other == record);
    Ok(format!(
        "audit {} {} outcome {}, {} participants, patient {}{}",
        record.event.code,
        record.event_type.code,
        record.outcome,
        record.participants.len(),
        record.patient().unwrap_or("-"),
        if record.signed { ", signed" } else { "" },
    ))
}

/// Through an MTOM package and back.
fn shipped(root: String, parts: Vec<Part>) -> Result<(String, Vec<Part>), MessageError> {
    let (mime, body) = Package { root: root.into_bytes().into(), parts }.write("urn:x");
    let package = Package::parse(&mime, body)?;
    Ok((String::from_utf8(package.root.to_vec()).unwrap(), package.parts))
}

fn cda(bytes: &Bytes) -> String {
    let read = clinical::cda::kind(bytes).map(|kind| format!("{:?} {:?}", kind.class, kind.level));
    read.unwrap_or_else(|error| format!("no cda ({error})"))
}

fn said(errors: &Errors) -> String {
    let line = |e: &ihe::xca::RegistryError| {
        let kind = if e.warning { "warning" } else { "error" };
        let known = if e.ehdsi().is_some() { "" } else { " (not eHDSI's)" };
        format!(" {kind} {}{known}", e.code)
    };
    errors.errors.iter().map(line).collect()
}

fn reparsed(text: &str) -> Xml<'_> {
    Xml::parse(text, &Limits::MESSAGE).expect("because we wrote it")
}

fn community() -> Oid {
    Oid::parse("1.2").expect("because it is one")
}
