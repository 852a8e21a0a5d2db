//! A received message: its bytes, and the facts that the journey decides on.

use std::ops::Range;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use enclave::pouch::{self, PouchKey};
use exchange::{Code, CorrelationId, DocumentClass, PatientId, Refusal, Transaction};
use identity::{Context, Recognised, recognise};
use ihe::answer::{self, Echo};
use ihe::mtom::{Attachments, Package, Part};
use ihe::soap::{self, Envelope};
use ihe::xca::{QueryRequest, RetrieveRequest};
use ihe::xcpd;
use ihe::xdr::Submission;
use ihe::{MessageError, uuid};
use ledger::evidence::sha256;
use trust::xml::{Element, Limits, Xml};

use crate::node::Node;

/// A message as it came, carried as bytes from here on.
#[derive(Clone)]
pub struct Message {
    /// The SOAP envelope and its attachments.
    pub package: Package,
}

/// What is asked, in types.
pub enum Ask {
    /// ITI-55.
    Discovery(xcpd::Request),
    /// ITI-38.
    Query(QueryRequest),
    /// ITI-39.
    Retrieve(RetrieveRequest),
    /// ITI-41.
    Submit(Submission),
}

/// The facts of a request.
pub struct Facts {
    /// Which transaction.
    pub transaction: Transaction,
    /// `wsa:MessageID`.
    pub message_id: String,
    /// What is asked.
    pub ask: Ask,
    /// Document class, where the request says it.
    pub class: Option<DocumentClass>,
    /// Where the Body's content stands in the envelope.
    pub content: Range<usize>,
    /// Where the WS-Security header stands in the envelope.
    pub security: Range<usize>,
    /// The clinician's own key, which the documents of the answer are sealed for.
    pub pouch: Option<PouchKey>,
    /// For the answer.
    pub echo: Echo,
}

/// A refusal with all that its answer needs.
pub struct Refused {
    /// In which transaction's words; `None` gets a SOAP fault.
    pub transaction: Option<Transaction>,
    /// The message that is answered.
    pub message_id: String,
    /// For XCPD.
    pub echo: Echo,
    /// Why.
    pub refusal: Refusal,
}

impl From<Refusal> for Refused {
    fn from(refusal: Refusal) -> Self {
        Self { transaction: None, message_id: String::new(), echo: Echo::default(), refusal }
    }
}

impl Facts {
    /// The same refusal, in the words of this request's transaction.
    pub fn refuse(&self, refusal: Refusal) -> Refused {
        let (transaction, message_id) = (Some(self.transaction), self.message_id.clone());
        Refused { transaction, message_id, echo: self.echo.clone(), refusal }
    }

    /// Whether documents themselves are asked for.
    pub fn is_retrieve(&self) -> bool {
        self.transaction == Transaction::Retrieve
    }

    /// The patients that the Body names.
    pub fn patients(&self) -> Vec<PatientId> {
        match &self.ask {
            Ask::Discovery(request) => request.patients.clone(),
            Ask::Query(request) => vec![request.patient.clone()],
            Ask::Retrieve(_) => Vec::new(),
            Ask::Submit(submission) => vec![submission.patient.clone()],
        }
    }
}

/// Step 1 of the road: reads a request and recognises who asks. One parse, one DOM.
///
/// What is asked may be clear while who asks is not: that refusal can still be answered under
/// evidence.
pub fn read(
    node: &Node,
    message: &Message,
    peer: Option<exchange::Country>,
) -> Result<(Facts, Result<Recognised, Refusal>), Refused> {
    let limits = Limits { bytes: node.limits.message, ..Limits::MESSAGE };
    let xml =
        Xml::parse_bytes(&message.package.root, &limits).map_err(|e| unreadable(&e.into()))?;
    let envelope = Envelope::read(&xml).map_err(|e| unreadable(&e))?;
    let transaction =
        envelope.action.and_then(Transaction::of_request_action).ok_or_else(|| {
            Refusal::new(Code::ErrorGeneric, "name one of the four IHE transactions in wsa:Action")
        })?;
    let payload = envelope.payload.ok_or_else(|| {
        Refusal::new(Code::ErrorGeneric, "send exactly one element in the SOAP Body")
    })?;
    let echo = if transaction == Transaction::PatientDiscovery {
        Echo::of(payload)
    } else {
        Echo::default()
    };
    let refused = |refusal| Refused {
        transaction: Some(transaction),
        message_id: envelope.message_id.unwrap_or("").to_owned(),
        echo: echo.clone(),
        refusal,
    };
    let hint = "send a wsa:MessageID; it protects against replay";
    let message_id = envelope.message_id.filter(|id| id.len() <= 256);
    let message_id = message_id.ok_or_else(|| refused(Refusal::new(Code::ErrorGeneric, hint)))?;
    let (ask, class) = ask(transaction, payload, &message.package.parts).map_err(|e| {
        refused(
            Refusal::new(malformed(transaction), "send the message as its standard says")
                .with_detail(e.to_string()),
        )
    })?;
    let pouch = pouch(&envelope).map_err(|detail| {
        let hint = "send the public key of the pouch as its client wrote it, or none";
        refused(Refusal::new(Code::ErrorGeneric, hint).with_detail(detail))
    })?;
    let facts = Facts {
        transaction,
        pouch,
        message_id: message_id.to_owned(),
        ask,
        class,
        content: offset(&xml, &message.package.root, envelope.content()),
        security: offset(
            &xml,
            &message.package.root,
            envelope.security.map_or(0..0, Element::range),
        ),
        echo: echo.clone(),
    };
    let who = who(node, &facts, &envelope, peer);
    Ok((facts, who))
}

/// The key that the documents of the answer are to be sealed for.
fn pouch(envelope: &Envelope<'_, '_>) -> Result<Option<PouchKey>, String> {
    let block = envelope.block(pouch::NAMESPACE, pouch::ELEMENT).map_err(|e| e.to_string())?;
    let Some(text) = block else { return Ok(None) };
    let bytes = STANDARD.decode(text.trim()).map_err(|e| e.to_string())?;
    PouchKey::decode(&bytes).map(Some).map_err(|e| e.to_string())
}

/// Who asks, for whom.
fn who(
    node: &Node,
    facts: &Facts,
    envelope: &Envelope<'_, '_>,
    peer: Option<exchange::Country>,
) -> Result<Recognised, Refusal> {
    let patients = facts.patients();
    if facts.transaction == Transaction::PatientDiscovery && patients.is_empty() {
        let hint = "ask with a patient identifier; demographics alone are not allowed";
        return Err(Refusal::new(Code::ErrorPiMissingRequiredFields, hint));
    }
    let context = Context {
        transaction: facts.transaction,
        discard: facts.class == Some(DocumentClass::Discard),
        patients: &patients,
        peer,
        now: node.clock.now(),
        anchors: &node.seal_anchors,
    };
    let assertions = envelope.assertions().map_err(|e| {
        let hint = "send each assertion once, directly in the one wsse:Security";
        Refusal::new(Code::ErrorNotValidAssertion, hint).with_detail(e.to_string())
    })?;
    recognise(assertions, &context, &node.assertions)
}

/// The answer that a refusal becomes, and the HTTP status that goes with it.
pub fn refuse(node: &Node, refused: &Refused, correlation: CorrelationId) -> (Package, bool) {
    let now = node.clock.now();
    let message_id = format!("urn:uuid:{}", uuid(node.entropy.as_ref()));
    let (action, body) = match refused.transaction {
        Some(transaction) => {
            let body = answer::refusal(
                transaction,
                &refused.refusal,
                correlation,
                &refused.echo,
                &node.community,
                now,
            );
            (transaction.response_action(), body)
        }
        None => (soap::FAULT_ACTION, soap::fault(&refused.refusal, correlation)),
    };
    let header = soap::Header {
        action,
        message_id: &message_id,
        relates_to: &refused.message_id,
        ..soap::Header::default()
    };
    (Package::bare(soap::render(&header, &[], &body)), refused.transaction.is_some())
}

/// An answer of our own making.
pub fn respond(node: &Node, facts: &Facts, body: &str, parts: Vec<Part>) -> Package {
    let message_id = format!("urn:uuid:{}", uuid(node.entropy.as_ref()));
    let header = soap::Header {
        action: facts.transaction.response_action(),
        message_id: &message_id,
        relates_to: &facts.message_id,
        ..soap::Header::default()
    };
    Package { root: Bytes::from(soap::render(&header, &[], body)), parts }
}

/// Where the Body's content of an answer stands, and the eHDSI code if it refuses.
pub fn read_answer(package: &Package) -> Result<(Range<usize>, Option<String>), MessageError> {
    let xml = Xml::parse_bytes(&package.root, &Limits::MESSAGE)?;
    let envelope = Envelope::read(&xml)?;
    envelope.assertions()?;
    let code = envelope.payload.and_then(|payload| {
        if payload.is(soap::SOAP12, "Fault") {
            Some("fault".to_owned())
        } else {
            answer::code_of(payload)
        }
    });
    Ok((offset(&xml, &package.root, envelope.content()), code))
}

/// Whether an answer brings documents, or entries about them, in its envelope.
pub fn brings(root: &[u8]) -> Result<bool, MessageError> {
    let xml = Xml::parse_bytes(root, &Limits::MESSAGE)?;
    let payload = Envelope::read(&xml)?.payload;
    Ok(payload.is_some_and(answer::brings))
}

/// SHA-256 of a Body's content and of its parts: what the evidence is about.
pub fn digest(content: &[u8], parts: &[Part]) -> String {
    digest_of(content, parts.iter().map(|part| (part.cid.as_str(), sha256(&part.bytes))))
}

/// As [`digest`], by the parts' names and SHA-256: for who may not see what is in them.
pub fn digest_of<'p>(content: &[u8], parts: impl Iterator<Item = (&'p str, [u8; 32])>) -> String {
    let mut digest = aws_lc_rs::digest::Context::new(&aws_lc_rs::digest::SHA256);
    let mut add = |bytes: &[u8]| {
        digest.update(&(bytes.len() as u64).to_be_bytes());
        digest.update(bytes);
    };
    add(content);
    for (cid, sha256) in parts {
        add(cid.as_bytes());
        add(&sha256);
    }
    hex::encode(digest.finish().as_ref())
}

/// The parser may have skipped a byte order mark; ranges are those of the message's bytes.
fn offset(xml: &Xml<'_>, root: &Bytes, range: Range<usize>) -> Range<usize> {
    let skipped = root.len() - xml.text().len();
    range.start + skipped..range.end + skipped
}

fn ask(
    transaction: Transaction,
    payload: Element<'_, '_>,
    parts: &[Part],
) -> Result<(Ask, Option<DocumentClass>), MessageError> {
    let attachments = Attachments::new(parts);
    let asked = match transaction {
        Transaction::PatientDiscovery => (Ask::Discovery(xcpd::Request::parse(payload)?), None),
        Transaction::Query => {
            let request = QueryRequest::parse(payload)?;
            let class = request
                .classes
                .first()
                .copied()
                .ok_or(exchange::Malformed { what: "document class code" })?;
            // several classes in one query must need the same rights
            let same = |other| {
                exchange::Permission::required(transaction, Some(other))
                    == exchange::Permission::required(transaction, Some(class))
            };
            if !request.classes.iter().all(|other| same(*other)) {
                return Err(exchange::Malformed { what: "combination of document classes" }.into());
            }
            (Ask::Query(request), Some(class))
        }
        Transaction::Retrieve => (Ask::Retrieve(RetrieveRequest::parse(payload)?), None),
        Transaction::Submit => {
            let submission = Submission::parse(payload, &attachments)?;
            let class = submission.class;
            (Ask::Submit(submission), Some(class))
        }
    };
    attachments.finish()?;
    Ok(asked)
}

fn unreadable(error: &MessageError) -> Refused {
    Refusal::new(Code::ErrorGeneric, "send a SOAP 1.2 message without DTD")
        .with_detail(error.to_string())
        .into()
}

/// The code for a message that its transaction's standard does not describe.
fn malformed(transaction: Transaction) -> Code {
    match transaction {
        Transaction::PatientDiscovery => Code::ErrorPiIncorrectFormatting,
        Transaction::Query | Transaction::Retrieve => Code::ErrorGeneric,
        Transaction::Submit => Code::ErrorEdIncorrectFormatting,
    }
}
