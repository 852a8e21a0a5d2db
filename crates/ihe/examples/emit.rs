//! Writes one file per message that we author, for a foreign validator: `emit DIR`.

use std::path::PathBuf;

use exchange::{
    Code, CorrelationId, DocumentClass, FixedClock, Oid, PatientId, Refusal, SystemEntropy,
    Transaction,
};
use ihe::answer::{Echo, refusal};
use ihe::xca::{
    DocumentEntry, Errors, PDF_FORMAT, QueryRequest, QueryResponse, Repository, RetrieveRequest,
    RetrieveResponse,
};
use ihe::xcpd::{Match, Request, Response};
use ihe::xdr::{self, Submission, Submitter};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let dir = PathBuf::from(std::env::args().nth(1).ok_or("usage: emit DIR")?);
    std::fs::create_dir_all(&dir)?;
    let write = |name: &str, text: String| std::fs::write(dir.join(format!("{name}.xml")), text);
    let (dk, es) = (Oid::parse("1.2.208")?, Oid::parse("2.16.724")?);
    let patient = PatientId::parse_cx("0000000000^^^&1.2.208.176.1.2&ISO")?;
    let at = FixedClock("2026-11-21T15:04:05Z".parse()?).0;
    let id = ihe::uuid(&SystemEntropy);
    let request = Request {
        id: (id.clone(), String::new()),
        receiver: Some(dk.clone()),
        sender: Some(es.clone()),
        patients: vec![patient.clone()],
        gender: "F".into(),
        birth: "19530214".into(),
        given: "Given".into(),
        family: "Family".into(),
    };
    write("xcpd-request", request.render(at))?;
    let query = {
        let text = request.render(at);
        let xml = trust::xml::Xml::parse(&text, &trust::xml::Limits::MESSAGE)?;
        Echo::of(xml.root())
    };
    let found = Response::Found(vec![Match {
        id: patient.clone(),
        given: "Given".into(),
        family: "Family".into(),
        gender: "F".into(),
        birth: "19530214".into(),
        address: ["Street 1".into(), "City".into(), "8000".into(), "DK".into()],
    }]);
    write("xcpd-found", found.render(&id, at, (&id, ""), &dk, Some(&es), &query.query))?;
    let entry = |unique: &str, format: &str, to: Option<&str>| DocumentEntry {
        unique_id: unique.into(),
        class: DocumentClass::EPrescription,
        format: format.into(),
        title: "ePrescription".into(),
        created: Some(at),
        language: "da-DK".into(),
        size: 1234,
        hash: "da39a3ee5e6b4b0d3255bfef95601890afd80709".into(),
        author: "A Doctor".into(),
        transformed_to: to.map(str::to_owned),
        status: Some("open".into()),
        atc: Some("R03AC02".into()),
    };
    let class = vec![DocumentClass::PatientSummary];
    write("xca-query-request", QueryRequest { patient: patient.clone(), classes: class }.render())?;
    let listed = QueryResponse {
        entries: vec![
            entry("1.2.208.1^EP", "urn:epsos:ep:pre:2010", None),
            entry("1.2.208.1^EP-pdf", PDF_FORMAT, Some("1.2.208.1^EP")),
        ],
        ..QueryResponse::default()
    };
    let from = Repository { community: &dk, repository: "1.2.208.9", country: "DK" };
    write("xca-query-answer", listed.render(&patient, &from))?;
    let documents = vec![("1.2.208.9".to_owned(), "1.2.208.1^EP".to_owned())];
    write(
        "xca-retrieve-request",
        RetrieveRequest { documents, community: Some(dk.clone()) }.render(),
    )?;
    let document = exchange::Document {
        unique_id: "1.2.208.1^EP".into(),
        repository: "1.2.208.9".into(),
        mime: "text/xml".into(),
        bytes: "<ClinicalDocument/>".into(),
    };
    let got = RetrieveResponse { documents: vec![document], ..RetrieveResponse::default() };
    write("xca-retrieve-answer", inline(got.render(&dk).0))?;
    for class in [DocumentClass::EDispensation, DocumentClass::Discard] {
        let submission = Submission {
            patient: patient.clone(),
            class,
            unique_id: "2.16.724.1^ED".into(),
            mime: "text/xml".into(),
            bytes: "<ClinicalDocument/>".into(),
        };
        let submitter = Submitter {
            community: &es,
            country: "ES",
            language: "es-ES",
            at,
            set_id: "2.16.724.1.7",
        };
        write(
            &format!("xdr-request-{}", class.code().to_lowercase()),
            inline(submission.render(&submitter).0),
        )?;
    }
    write("xdr-answer", xdr::render_response(&Errors::default()))?;
    let correlation = CorrelationId::random(&SystemEntropy);
    for (transaction, name, codes) in [
        (
            Transaction::PatientDiscovery,
            "xcpd-refusal",
            &[
                Code::ErrorPiNoMatch,
                Code::WarningPiNoConsent,
                Code::ErrorPiMissingRequiredFields,
                Code::ErrorNotValidAssertion,
            ][..],
        ),
        (
            Transaction::Query,
            "xca-query-refusal",
            &[Code::ErrorInsufficientRights, Code::ErrorPsNoConsent],
        ),
        (Transaction::Retrieve, "xca-retrieve-refusal", &[Code::ErrorDocumentNotFound]),
        (Transaction::Submit, "xdr-refusal", &[Code::ErrorEpAlreadyDispensed]),
    ] {
        for code in codes {
            let refused = Refusal::new(*code, "do this next");
            let text = refusal(transaction, &refused, correlation, &query, &dk, at);
            write(&format!("{name}-{}", code.wire().to_lowercase()), text)?;
        }
    }
    for (name, text) in audit(at) {
        write(&name, text)?;
    }
    Ok(())
}

/// The schema describes the infoset without XOP: the include stands for base64.
fn inline(body: String) -> String {
    let (Some(start), Some(end)) = (body.find("<xop:Include"), body.find("</xds:Document>")) else {
        return body;
    };
    format!("{}PENsaW5pY2FsRG9jdW1lbnQvPg=={}", &body[..start], &body[end..])
}

/// One record of each row of the event table, answered and refused.
fn audit(at: jiff::Timestamp) -> Vec<(String, String)> {
    use exchange::Side;
    use ihe::atna::occurrence::{Activity, End, Message, Occurrence, Outcome};
    let mut activities = Vec::new();
    for side in [Side::A, Side::B] {
        activities.extend(Transaction::ALL.into_iter().map(|t| Activity::Exchange(t, side)));
        activities.push(Activity::Discard(side));
    }
    activities.extend([Activity::CommunicationFailure, Activity::Refused]);
    let end = |name: &str| End { name: name.into(), address: "192.0.2.1".into() };
    let mail = |id: &str| Message { id: id.into(), security: b"<wsse:Security/>".to_vec() };
    let outcomes = [Outcome::Success, Outcome::Temporary, Outcome::Permanent];
    let all = activities.into_iter().flat_map(|a| outcomes.map(|o| (a, o))).enumerate();
    all.map(|(number, (activity, outcome))| {
        let occurrence = Occurrence {
            activity,
            side: Side::B,
            at,
            outcome,
            source: "ES-1".into(),
            point_of_care: Some("Hospital".into()),
            professional: Some(("id@urn:idp:ES:countryB".into(), "A Doctor".into())),
            consumer: end("consumer.example"),
            provider: end("provider.example"),
            patient: Some("0000000000^^^&1.2.208.176.1.2&ISO".into()),
            community: "urn:oid:1.2.208".into(),
            query: b"<query/>".to_vec(),
            documents: vec!["1.2.208^1".into()],
            error: (outcome != Outcome::Success).then(|| "ERROR_GENERIC: try again".into()),
            request: mail("urn:uuid:1"),
            response: mail("urn:uuid:2"),
            txid: Some("00112233".into()),
        };
        (format!("audit-{number}"), occurrence.record().render())
    })
    .collect()
}
