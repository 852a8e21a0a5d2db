//! A stand-in for the OpenNCP of the country of treatment: asks its own node in plain IHE over
//! mutual TLS, and knows nothing of KONFIDO.

use enclave::pouch::PouchOpener;
use exchange::{Country, DocumentClass, Oid, PatientId, SystemEntropy, Transaction};
use ihe::mtom::{Attachments, Package};
use ihe::soap::{self, Envelope};
use ihe::xca::{QueryRequest, QueryResponse, RetrieveRequest, RetrieveResponse};
use ihe::xcpd;
use ihe::xdr::{self, Submission, Submitter};
use jiff::Timestamp;
use transport::client::{Client, ClientError};
use trust::xml::{Limits, Xml};

use crate::assertions::Visit;
use crate::pouch::{self, PouchError, Question};

/// Why an answer is not usable.
#[derive(Debug, thiserror::Error)]
pub enum PortalError {
    /// No answer.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// An answer that cannot be read.
    #[error("answer: {0}")]
    Message(#[from] ihe::MessageError),
    /// The documents are not as they were asked for.
    #[error(transparent)]
    Pouch(#[from] PouchError),
    /// The answer refuses.
    #[error("refused with {code}: {hint}")]
    Refused {
        /// eHDSI wire code, or `fault`.
        code: String,
        /// For people.
        hint: String,
    },
}

impl PortalError {
    /// The code of a refusal, else an empty text.
    pub fn code(&self) -> &str {
        if let Self::Refused { code, .. } = self { code } else { "" }
    }
}

/// The portal's way to its own node, for one country of affiliation.
#[derive(Clone)]
pub struct Portal {
    /// To the national listener of our own node.
    pub client: Client,
    /// `/dk`, or empty when the border of another country is asked directly.
    pub prefix: String,
    /// Home community of the country of treatment.
    pub own: Oid,
    /// Home community of the country of affiliation.
    pub other: Oid,
}

impl Portal {
    /// ITI-55.
    pub async fn discover(
        &self,
        visit: &Visit,
        patient: &PatientId,
    ) -> Result<Vec<xcpd::Match>, PortalError> {
        let request = xcpd::Request {
            id: (ihe::uuid(&SystemEntropy), String::new()),
            receiver: Some(self.other.clone()),
            sender: Some(self.own.clone()),
            patients: vec![patient.clone()],
            gender: String::new(),
            birth: String::new(),
            given: String::new(),
            family: String::new(),
        };
        let body = request.render(Timestamp::now());
        let answer = self.ask(Transaction::PatientDiscovery, visit, &body, Vec::new()).await?;
        let xml = parse(&answer)?;
        match xcpd::Response::parse(payload(&xml)?)? {
            xcpd::Response::Found(found) => Ok(found),
            xcpd::Response::Not(failure) => {
                Err(PortalError::Refused { code: failure.code, hint: failure.text })
            }
        }
    }

    /// ITI-38.
    pub async fn query(
        &self,
        visit: &Visit,
        patient: &PatientId,
        class: DocumentClass,
    ) -> Result<QueryResponse, PortalError> {
        let body = QueryRequest { patient: patient.clone(), classes: vec![class] }.render();
        let answer = self.ask(Transaction::Query, visit, &body, Vec::new()).await?;
        let xml = parse(&answer)?;
        let response = QueryResponse::parse(payload(&xml)?)?;
        refused(&response.errors)?;
        Ok(response)
    }

    /// ITI-39.
    pub async fn retrieve(
        &self,
        visit: &Visit,
        repository: &str,
        id: &str,
    ) -> Result<RetrieveResponse, PortalError> {
        let body = self.wanted(repository, id);
        let answer = self.ask(Transaction::Retrieve, visit, &body, Vec::new()).await?;
        retrieved(&answer)
    }

    /// ITI-39, with the documents for this key alone: our own node does not see them.
    pub async fn retrieve_by_pouch(
        &self,
        visit: &Visit,
        (repository, id): (&str, &str),
        countries: (Country, Country),
        opener: &PouchOpener,
    ) -> Result<RetrieveResponse, PortalError> {
        let transaction = Transaction::Retrieve;
        let question = Question { from: countries.0, to: countries.1, transaction };
        let mut asked = envelope(transaction, visit, &self.wanted(repository, id), Vec::new());
        pouch::name(&mut asked, opener.public())?;
        let mut answer = self.send(transaction, &asked).await?;
        pouch::open(&mut answer, &question, opener)?;
        let response = retrieved(&answer)?;
        // one that stands in the message itself was in no pouch
        if response.documents.len() > answer.parts.len() {
            return Err(PouchError::Open(answer.parts.len()).into());
        }
        Ok(response)
    }

    fn wanted(&self, repository: &str, id: &str) -> String {
        let documents = vec![(repository.to_owned(), id.to_owned())];
        RetrieveRequest { documents, community: Some(self.other.clone()) }.render()
    }

    /// ITI-41.
    pub async fn submit(&self, visit: &Visit, submission: &Submission) -> Result<(), PortalError> {
        let set_id = format!(
            "2.25.{}",
            u64::from_be_bytes(std::array::from_fn(|i| ihe::uuid(&SystemEntropy).as_bytes()[i]))
        );
        let from = Submitter {
            community: &self.own,
            country: "ES",
            language: "es-ES",
            at: Timestamp::now(),
            set_id: &set_id,
        };
        let (body, part) = submission.render(&from);
        let answer = self.ask(Transaction::Submit, visit, &body, vec![part]).await?;
        let xml = parse(&answer)?;
        refused(&xdr::parse_response(payload(&xml)?)?)
    }

    /// Sends one message with new addressing; refuses faults.
    async fn ask(
        &self,
        transaction: Transaction,
        visit: &Visit,
        body: &str,
        parts: Vec<ihe::mtom::Part>,
    ) -> Result<Package, PortalError> {
        self.send(transaction, &envelope(transaction, visit, body, parts)).await
    }

    /// Sends a ready message.
    pub async fn send(
        &self,
        transaction: Transaction,
        package: &Package,
    ) -> Result<Package, PortalError> {
        let (content_type, body) = package.write(transaction.request_action());
        let path = format!("{}{}", self.prefix, transaction.service_path());
        let answer = self.client.post(&path, &content_type, body).await?;
        let package = Package::parse(&answer.content_type, answer.body)?;
        let xml = parse(&package)?;
        let payload = payload(&xml)?;
        if payload.is(soap::SOAP12, "Fault") {
            return Err(PortalError::Refused { code: "fault".into(), hint: payload.deep_text() });
        }
        drop(xml);
        Ok(package)
    }
}

/// A request with new addressing, ready to be sent.
pub fn envelope(
    transaction: Transaction,
    visit: &Visit,
    body: &str,
    parts: Vec<ihe::mtom::Part>,
) -> Package {
    let message_id = format!("urn:uuid:{}", ihe::uuid(&SystemEntropy));
    let header = soap::Header {
        action: transaction.request_action(),
        message_id: &message_id,
        ..soap::Header::default()
    };
    Package { root: soap::render(&header, &visit.assertions(), body).into(), parts }
}

fn parse(package: &Package) -> Result<Xml<'_>, PortalError> {
    Ok(Xml::parse_bytes(&package.root, &Limits::MESSAGE).map_err(ihe::MessageError::from)?)
}

fn payload<'d, 'a>(xml: &'d Xml<'a>) -> Result<trust::xml::Element<'d, 'a>, PortalError> {
    Ok(Envelope::read(xml)?.payload.ok_or(ihe::MessageError::Unexpected)?)
}

fn retrieved(answer: &Package) -> Result<RetrieveResponse, PortalError> {
    let xml = parse(answer)?;
    let attachments = Attachments::new(&answer.parts);
    let response = RetrieveResponse::parse(payload(&xml)?, &attachments)?;
    refused(&response.errors)?;
    Ok(response)
}

fn refused(errors: &ihe::xca::Errors) -> Result<(), PortalError> {
    match errors.errors.first() {
        Some(error) => {
            Err(PortalError::Refused { code: error.code.clone(), hint: error.context.clone() })
        }
        None => Ok(()),
    }
}
