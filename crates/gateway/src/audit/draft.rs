//! What a request leaves for its audit record, gathered as the journey goes.

use bytes::Bytes;
use exchange::{Code, DocumentClass, Refusal, Side, Transaction, TransactionId};
use identity::Recognised;
use ihe::atna::occurrence::{Activity, End, Message as Mail, Occurrence, Outcome};
use ihe::soap::Envelope;
use ihe::xca::QueryResponse;
use jiff::Timestamp;
use transport::Peer;
use trust::xml::{Limits, Xml};

use super::trail::Names;
use crate::message::{Ask, Facts, Message};

/// One record in the making. Personal: no `Debug`.
pub struct Draft {
    occurrence: Occurrence,
    discard: bool,
    /// Read when the record is made, off the road of the request.
    answer: Option<Bytes>,
}

impl Draft {
    /// A draft that knows who we are.
    pub(super) fn new(names: &Names, side: Side, far: (&str, &str), at: Timestamp) -> Self {
        let own = |name: &str| End { name: name.to_owned(), address: String::new() };
        let (consumer, provider, community) = match side {
            Side::B => (own(&names.consumer), own(far.1), far.0.to_owned()),
            Side::A => (End::default(), own(&names.provider), names.community.clone()),
        };
        let occurrence = Occurrence {
            activity: Activity::Refused,
            side,
            at,
            outcome: Outcome::Success,
            source: names.source.clone(),
            point_of_care: None,
            professional: None,
            consumer,
            provider,
            patient: None,
            community,
            query: Vec::new(),
            documents: Vec::new(),
            error: None,
            request: Mail::default(),
            response: Mail::default(),
            txid: None,
        };
        Self { occurrence, discard: false, answer: None }
    }

    /// Who is at the other end.
    pub fn connected(&mut self, peer: &Peer) {
        let end = End {
            name: peer.certificate().common_name().to_owned(),
            address: peer.address().ip().to_string(),
        };
        match self.occurrence.side {
            Side::B => self.occurrence.provider = end,
            Side::A => self.occurrence.consumer = end,
        }
    }

    /// Who asks for what.
    pub fn asked(&mut self, facts: &Facts, who: &Recognised, message: &Message) {
        let it = &mut self.occurrence;
        it.point_of_care = Some(who.point_of_care().to_owned());
        it.professional = Some((who.professional(), who.name().to_owned()));
        it.patient = who.patient().map(exchange::PatientId::cx);
        let root = &message.package.root;
        it.request = Mail {
            id: facts.message_id.clone(),
            security: root.get(facts.security.clone()).unwrap_or_default().to_vec(),
        };
        self.discard = facts.class == Some(DocumentClass::Discard);
        match &facts.ask {
            Ask::Submit(submission) => it.documents.push(submission.unique_id.clone()),
            Ask::Retrieve(request) => {
                it.documents.extend(request.documents.iter().map(|(_, id)| id.clone()));
            }
            Ask::Discovery(_) | Ask::Query(_) => {}
        }
        let community = match &facts.ask {
            Ask::Discovery(request) => request.receiver.as_ref(),
            Ask::Retrieve(request) => request.community.as_ref(),
            Ask::Query(_) | Ask::Submit(_) => None,
        };
        if let Some(community) = community {
            it.community = format!("urn:oid:{community}");
        }
        if !matches!(facts.ask, Ask::Submit(_)) {
            it.query = root.get(facts.content.clone()).unwrap_or_default().to_vec();
        }
    }

    /// What was answered.
    pub fn answered(&mut self, envelope: &Bytes) {
        // a copy: the envelope may be a slice that would hold the document's bytes, too
        self.answer = Some(Bytes::copy_from_slice(envelope));
    }

    /// How it ended: our own refusal, or the code of the other side's.
    pub(crate) fn end(
        &mut self,
        transaction: Option<Transaction>,
        txid: Option<TransactionId>,
        refusal: Option<&Refusal>,
        code: Option<Code>,
    ) {
        let it = &mut self.occurrence;
        let unreachable =
            refusal.is_some_and(|r| r.code == Code::ErrorGenericConnectionNotPossible);
        it.activity = match transaction {
            _ if unreachable => Activity::CommunicationFailure,
            Some(Transaction::Submit) if self.discard => Activity::Discard(it.side),
            Some(transaction) => Activity::Exchange(transaction, it.side),
            None => Activity::Refused,
        };
        it.outcome = outcome(code);
        it.error = code.map(|code| match refusal {
            Some(refusal) => format!("{}: {}", code.wire(), refusal.hint),
            None => code.wire().to_owned(),
        });
        it.txid = txid.map(|txid| txid.to_string());
    }

    /// About how many bytes it holds.
    pub(super) fn size(&self) -> usize {
        let it = &self.occurrence;
        FIXED
            + it.request.security.len()
            + it.query.len()
            + self.answer.as_ref().map_or(0, Bytes::len)
    }

    /// The record's XML.
    pub(super) fn render(mut self) -> String {
        if let Some(answer) = self.answer.take() {
            // an answer that cannot be read was refused by the journey; the record says what is known
            let _ = read_answer(&mut self.occurrence, &answer);
        }
        self.occurrence.record().render()
    }
}

/// How ATNA calls an end with this code.
pub(crate) fn outcome(code: Option<Code>) -> Outcome {
    match code {
        None => Outcome::Success,
        Some(Code::ErrorGeneric | Code::ErrorGenericConnectionNotPossible) => Outcome::Temporary,
        Some(_) => Outcome::Permanent,
    }
}

fn read_answer(it: &mut Occurrence, answer: &[u8]) -> Result<(), ihe::MessageError> {
    let xml = Xml::parse_bytes(answer, &Limits::MESSAGE)?;
    let envelope = Envelope::read(&xml)?;
    envelope.message_id.unwrap_or_default().clone_into(&mut it.response.id);
    if let Some(security) = envelope.security {
        it.response.security = xml.text()[security.range()].as_bytes().to_vec();
    }
    let Some(payload) = envelope.payload else { return Ok(()) };
    if matches!(it.activity, Activity::Exchange(Transaction::Query, _)) {
        let entries = QueryResponse::parse(payload)?.entries;
        it.documents.extend(entries.into_iter().map(|entry| entry.unique_id));
    }
    Ok(())
}

/// What a draft takes besides its messages, in bytes.
const FIXED: usize = 1024;
