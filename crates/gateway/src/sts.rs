//! The security token service: a portal's WS-Trust request becomes a TRC or a next-of-kin
//! assertion (openncp-protocol §1.8). `POST /sts` of the national listener.

use exchange::{Code, CorrelationId, Entropy, Refusal};
use identity::nok::NextOfKin;
use identity::sts::{Issued, Service, Wanted, issue};
use ihe::soap::{self, Envelope};
use ihe::trust_exchange::{ANSWER_ACTION, Ask, answer as response};
use trust::xml::{Limits, Xml};

use crate::Node;

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
    let mut relates_to = String::new();
    let outcome = decide(request, service, &mut relates_to);
    let (action, body) = match &outcome {
        Ok(issued) => (ANSWER_ACTION, response(&issued.assertion, service.now, issued.expires)),
        Err(refusal) => (soap::FAULT_ACTION, soap::fault(refusal, correlation)),
    };
    let message_id = format!("urn:uuid:{}", ihe::uuid(entropy));
    let header = soap::Header { to: "", action, message_id: &message_id, relates_to: &relates_to };
    Answered { message: soap::render(&header, &[], &body), outcome, correlation }
}

fn decide(
    request: &[u8],
    service: &Service<'_>,
    relates_to: &mut String,
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
    issue(assertions, &wanted(Ask::read(payload)?), service)
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
