//! The security token service: a portal's WS-Trust request becomes a TRC or a next-of-kin
//! assertion (openncp-protocol §1.8). `POST /sts` of the national listener.

use exchange::{Code, CorrelationId, Entropy, PatientId, Refusal};
use identity::nok::NextOfKin;
use identity::sts::{Issued, Service, Wanted, issue};
use ihe::atna::access::Step;
use ihe::soap::{self, Envelope};
use ihe::trust_exchange::{ANSWER_ACTION, Ask, answer as response};
use jiff::Timestamp;
use siem::Kind;
use transport::Peer;
use trust::xml::{Limits, Xml};

use crate::witness::Witness;
use crate::{Node, audit};

/// Where it is asked.
pub const STS_PATH: &str = "/sts";

/// An answer, and what was decided, for the event and the audit record.
pub struct Answered {
    /// The SOAP message, `application/soap+xml`.
    pub message: String,
    /// What was issued, or why nothing was: then the message is a fault.
    pub outcome: Result<Issued, Refusal>,
    /// Named in a fault, and in our log.
    pub correlation: CorrelationId,
    /// What was asked for, as far as it could be read.
    pub asked: Option<Asked>,
    /// `ID` of what was issued.
    pub id: String,
}

/// Whom an assertion was asked for. Personal: no `Debug`.
pub enum Asked {
    /// A treatment relation with this patient.
    Relation(PatientId),
    /// A next of kin with this number; it may be empty.
    Kin(String),
}

impl Answered {
    /// Its event and its audit record.
    pub fn tell(&self, witness: &Witness, peer: &Peer, now: Timestamp) {
        let kind =
            if self.outcome.is_ok() { Kind::AssertionIssued } else { Kind::AssertionRefused };
        let (step, number) = match &self.asked {
            Some(Asked::Relation(_)) => (Step::Trc, 92),
            Some(Asked::Kin(_)) => (Step::NextOfKin, 96),
            None => (Step::Restricted, 0),
        };
        let sight = witness.sight(kind, step, now).number(number).connected(peer);
        let sight = match &self.asked {
            Some(Asked::Relation(patient)) => sight.patient(&patient.cx()),
            Some(Asked::Kin(number)) => sight.guarantor(number),
            None => sight,
        };
        match &self.outcome {
            Ok(issued) => sight.recognised(&issued.professional).assertion(&self.id),
            Err(refusal) => {
                let why = format!("{}: {}", refusal.code.wire(), refusal.hint);
                let outcome = audit::outcome(Some(refusal.code));
                sight.refused(outcome, &why, self.correlation).code(refusal.code)
            }
        }
        .tell();
    }
}

/// Answers one request. It verifies and signs: not for the async threads.
pub fn answer(request: &[u8], node: &Node) -> Answered {
    let sealing = node.sealing();
    let id = assertion_id(&*node.entropy);
    let service = Service {
        country: node.country,
        seal: &sealing.seal,
        anchors: &node.seal_anchors,
        cache: &node.assertions,
        now: node.clock.now(),
        id: &id,
    };
    answer_as(request, &service, &*node.entropy)
}

/// [`answer`] without a node around it.
pub fn answer_as(request: &[u8], service: &Service<'_>, entropy: &dyn Entropy) -> Answered {
    let correlation = CorrelationId::random(entropy);
    let (mut relates_to, mut asked) = (String::new(), None);
    let outcome = decide(request, service, &mut relates_to, &mut asked);
    let (action, body) = match &outcome {
        Ok(issued) => (ANSWER_ACTION, response(&issued.assertion, service.now, issued.expires)),
        Err(refusal) => (soap::FAULT_ACTION, soap::fault(refusal, correlation)),
    };
    let message_id = format!("urn:uuid:{}", ihe::uuid(entropy));
    let header = soap::Header { to: "", action, message_id: &message_id, relates_to: &relates_to };
    let message = soap::render(&header, &[], &body);
    Answered { message, outcome, correlation, asked, id: service.id.to_owned() }
}

fn decide(
    request: &[u8],
    service: &Service<'_>,
    relates_to: &mut String,
    asked: &mut Option<Asked>,
) -> Result<Issued, Refusal> {
    let unreadable = |error: &dyn std::fmt::Display| {
        Refusal::new(Code::ErrorUnsupportedFeature, "send a SOAP 1.2 message without DTD")
            .with_detail(error.to_string())
    };
    let xml = Xml::parse_bytes(request, &LIMITS).map_err(|e| unreadable(&e))?;
    let envelope = Envelope::read(&xml).map_err(|e| unreadable(&e))?;
    envelope.message_id.unwrap_or_default().clone_into(relates_to);
    let assertions = envelope.assertions().map_err(|error| {
        Refusal::new(Code::ErrorNotValidAssertion, "send assertions in one Security header only")
            .with_detail(error.to_string())
    })?;
    let one = "send exactly one element in the SOAP Body";
    let payload = envelope.payload.ok_or(Refusal::new(Code::ErrorUnsupportedFeature, one))?;
    let ask = Ask::read(payload)?;
    *asked = Some(match &ask {
        Ask::Relation(relation) => Asked::Relation(relation.patient.clone()),
        Ask::Kin(kin) => Asked::Kin(kin.id.clone()),
    });
    issue(assertions, &wanted(ask), service)
}

fn wanted(ask: Ask) -> Wanted {
    match ask {
        Ask::Relation(r) => Wanted::Relation {
            patient: r.patient,
            purpose: r.purpose,
            prescription: r.prescription,
            pin: r.pin,
        },
        Ask::Kin(kin) => Wanted::NextOfKin(NextOfKin {
            id: kin.id,
            given: kin.given,
            family: kin.family,
            gender: kin.gender,
            birth: kin.birth,
            street: kin.street,
            city: kin.city,
            postal_code: kin.postal_code,
            country: kin.country,
        }),
    }
}

/// `_` and 32 hexadecimal digits: an NCName that nobody can guess.
fn assertion_id(entropy: &dyn Entropy) -> String {
    format!("_{}", exchange::TransactionId::random(entropy))
}

/// One assertion, and a little around it.
const LIMITS: Limits = Limits { bytes: 512 << 10, depth: 64, attributes: 64 };
