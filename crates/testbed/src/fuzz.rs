//! What is fuzzed: one function for each parser of foreign bytes. None may panic, hang or take
//! memory out of proportion, whatever comes.
//!
//! The libFuzzer targets in `fuzz/` call these, and so does `tests/fuzz.rs`, which runs on a stable
//! toolchain. Where a value is read and can be written, it is written and must be read as the same:
//! a node must never pass on something else than what it took in.

pub mod attest;
pub mod eid;
pub mod ledger;
mod mutator;
pub mod shared;
pub mod wallet;

use std::sync::{Arc, LazyLock};

use bytes::{Bytes, BytesMut};
use exchange::{Country, Oid, PatientId, Transaction};
use gateway::inbound::receipts;
use identity::mask::SearchMask;
use identity::{AssertionCache, Consent, Context, Policy, permit, recognise};
use ihe::mtom::{Attachments, Package};
use ihe::{atna, soap as envelope, syslog as frames, trust_exchange, xca, xcpd, xdr};
use jiff::Timestamp;
use trust::certificate::{Anchors, Certificate};
use trust::chain::Chain;
use trust::seal::SealKey;
use trust::signature::{
    Profile, canonical_forms_agree, sign_enveloped, verify_enveloped, verify_key_value_signature,
};
use trust::xml::{Element, Limits, Xml};

use crate::pki::{Pki, Role, SealKind};
use crate::seed;
use crate::world::AGNETE;

pub use mutator::Mutator;

/// Feeds bytes to parsers; says whether one of them took them.
pub type Target = fn(&[u8]) -> bool;

/// (name of the target and of its folder in `fuzz/seeds`, function)
pub static TARGETS: [(&str, Target); 41] = [
    ("xml", xml),
    ("canonical", canonical),
    ("signature", signature),
    ("assertion", assertion),
    ("soap", soap),
    ("mtom", mtom),
    ("syslog", syslog),
    ("sealed", sealed),
    ("cda", cda),
    ("evidence", evidence),
    ("receipt", receipt),
    ("rem", rem),
    ("login", eid::login),
    ("metadata", eid::metadata),
    ("redirect", eid::redirect),
    ("light", eid::light),
    ("sd_jwt", wallet::sd_jwt),
    ("mdoc", wallet::mdoc),
    ("jwe", wallet::jwe),
    ("status", wallet::status),
    ("quote", attest::quote),
    ("snp", attest::snp),
    ("nitro", attest::nitro),
    ("attestation", attest::attestation),
    ("event_log", attest::event_log),
    ("policy", attest::policy),
    ("statement", attest::statement),
    ("vault", attest::vault),
    ("last_hop", attest::last_hop),
    ("pouch", attest::pouch),
    ("store", attest::store),
    ("entry", shared::entry),
    ("batch", shared::batch),
    ("genesis", shared::genesis),
    ("govern", shared::govern),
    ("checkpoint", ledger::checkpoint),
    ("witnesses", ledger::witnesses),
    ("proof", ledger::proof),
    ("bundle", ledger::bundle),
    ("scitt", ledger::scitt),
    ("time_stamp", ledger::time_stamp),
];

/// XML, and each element of it on its own; search masks.
pub fn xml(data: &[u8]) -> bool {
    let Ok(xml) = Xml::parse_bytes(data, &Limits::ASSERTION) else { return false };
    for element in xml.root().descendants().take(256) {
        let alone = element.standalone();
        let again = Xml::parse(&alone, &Limits::MESSAGE).expect("because a part of XML is XML");
        assert_eq!(again.root().name(), element.name());
        let content = &xml.text()[element.content_range()];
        assert!(element.source().contains(content));
        let _ = (element.plain_text(), element.deep_text(), element.has_hidden_nodes());
    }
    if let Ok(mask) = SearchMask::parse(xml.text()) {
        let _ = mask.check_id(&AGNETE.id());
    }
    true
}

/// Our canonicalization of the plain form against the engine's; says whether it was the plain form.
pub fn canonical(data: &[u8]) -> bool {
    let Ok(xml) = Xml::parse_bytes(data, &Limits::ASSERTION) else { return false };
    let root = xml.root();
    let mut ours = false;
    for element in std::iter::once(root).chain(root.descendants().take(8)) {
        for inclusive in [&[][..], &["xsd", "p", "q", "p"]] {
            let alike = canonical_forms_agree(element, element.children().nth(1), inclusive);
            assert_ne!(alike, Some(false), "the engine writes something else");
            ours |= alike.is_some();
        }
    }
    ours
}

/// XML signatures.
pub fn signature(data: &[u8]) -> bool {
    let Ok(xml) = Xml::parse_bytes(data, &Limits::ASSERTION) else { return false };
    let enveloped = verify_enveloped(xml.root(), Profile::Ehdsi);
    enveloped.is_ok() | verify_key_value_signature(xml.root()).is_ok()
}

/// The assertions in a WS-Security header, signed after they were damaged: what a country that lies
/// or errs may send, behind its valid signature.
pub fn assertion(data: &[u8]) -> bool {
    let Ok(xml) = Xml::parse_bytes(data, &Limits::ASSERTION) else { return false };
    let (seal, anchors, patient) = &*ISSUER;
    let mut header = String::from("<Security>");
    for one in xml.root().children().take(4) {
        let (text, id) = (one.standalone(), one.attribute("ID").unwrap_or("_1"));
        header.push_str(&sign_enveloped(&text, id, seal).unwrap_or(text));
    }
    header.push_str("</Security>");
    let Ok(header) = Xml::parse(&header, &Limits::MESSAGE) else { return false };
    let assertions: Vec<_> = header.root().children().collect();
    let mut taken = false;
    for transaction in Transaction::ALL {
        let context = Context {
            transaction,
            discard: transaction.is_submission(),
            patients: std::slice::from_ref(patient),
            peer: seal.certificate().country(),
            now: seed::written(),
            anchors,
        };
        if let Ok(who) = recognise(&assertions, &context, &AssertionCache::new(4)) {
            taken = true;
            let _ = (who.professional(), who.assertion_ids());
            for consent in [Consent::Given, Consent::ElsewhereDecided] {
                let _ = permit(who.clone(), transaction, None, consent, &Policy::default());
            }
        }
    }
    taken
}

/// SOAP envelopes and every message that may stand in one.
pub fn soap(data: &[u8]) -> bool {
    let Ok(xml) = Xml::parse_bytes(data, &Limits::MESSAGE) else { return false };
    let Ok(read) = envelope::Envelope::read(&xml) else { return message(xml.root()) };
    let _ = &xml.text()[read.content()];
    if let Some(payload) = read.payload {
        message(payload);
    }
    true
}

fn message(root: Element<'_, '_>) -> bool {
    let mut taken = false;
    let (at, community) = (Timestamp::UNIX_EPOCH, oid());
    let none = Attachments::new(&[]);
    if let Ok(request) = xcpd::Request::parse(root) {
        taken = true;
        let text = request.render(at);
        assert!(xcpd::Request::parse(written(&text).root()) == Ok(request));
    }
    if let Ok(response) = xcpd::Response::parse(root) {
        taken = true;
        let text = response.render("1.9", at, ("1.2", "3"), &community, None, "");
        assert!(xcpd::Response::parse(written(&text).root()) == Ok(response));
    }
    if let Ok(request) = xca::QueryRequest::parse(root) {
        taken = true;
        let text = request.render();
        assert!(xca::QueryRequest::parse(written(&text).root()) == Ok(request));
    }
    if let Ok(ask) = trust_exchange::Ask::read(root) {
        taken = true;
        let text = ask.render();
        assert!(trust_exchange::Ask::read(written(&text).root()).ok() == Some(ask));
    }
    if let Ok(response) = xca::QueryResponse::parse(root) {
        taken = true;
        let patient = PatientId::new(oid(), "1").expect("because it is one");
        let from = xca::Repository { community: &community, repository: "1.2.9", country: "DK" };
        let text = response.render(&patient, &from);
        let _ = xca::QueryResponse::parse(written(&text).root());
    }
    if let Ok(request) = xca::RetrieveRequest::parse(root) {
        taken = true;
        let text = request.render();
        assert!(xca::RetrieveRequest::parse(written(&text).root()) == Ok(request));
    }
    if let Ok(response) = xca::RetrieveResponse::parse(root, &none) {
        taken = true;
        let (text, parts) = response.render(&community);
        let again = xca::RetrieveResponse::parse(written(&text).root(), &Attachments::new(&parts));
        assert!(again == Ok(response));
    }
    if let Ok(submission) = xdr::Submission::parse(root, &none) {
        taken = true;
        let from = xdr::Submitter {
            community: &community,
            country: "ES",
            language: "es-ES",
            at,
            set_id: "1.2.3",
        };
        let (text, part) = submission.render(&from);
        let again = xdr::Submission::parse(written(&text).root(), &Attachments::new(&[part]));
        assert!(again == Ok(submission));
    }
    if let Ok(errors) = xdr::parse_response(root) {
        taken = true;
        let text = xdr::render_response(&errors);
        let _ = xdr::parse_response(written(&text).root());
    }
    if let Ok(record) = atna::Record::parse(root) {
        taken = true;
        let text = record.render();
        let _ = (record.patient(), atna::Record::parse(written(&text).root()));
    }
    taken
}

fn written(text: &str) -> Xml<'_> {
    Xml::parse(text, &Limits::MESSAGE).expect("because we wrote it")
}

fn oid() -> Oid {
    Oid::parse("1.2").expect("because it is one")
}

/// MTOM packages; the first line may be a content type.
pub fn mtom(data: &[u8]) -> bool {
    let fixed = "multipart/related; boundary=b; start=\"<r>\"";
    let line = data.iter().position(|b| *b == b'\n').unwrap_or(0);
    let named = std::str::from_utf8(&data[..line]).unwrap_or("");
    let mut taken = false;
    for (content_type, body) in [(fixed, data), (named, &data[line..])] {
        let body = Bytes::copy_from_slice(body);
        let Ok(package) = Package::parse(content_type, body.clone()) else { continue };
        let sizes = package.parts.iter().map(|part| part.bytes.len()).sum::<usize>();
        assert!(package.root.len() + sizes <= body.len(), "nothing is there twice");
        taken = true;
    }
    taken
}

/// Syslog frames.
pub fn syslog(data: &[u8]) -> bool {
    let mut buffer = BytesMut::from(data);
    let mut taken = false;
    while let Ok(Some(frame)) = frames::next_frame(&mut buffer) {
        assert!(frame.body.len() <= data.len());
        taken = true;
    }
    taken
}

/// Sealed messages and what is in them.
pub fn sealed(data: &[u8]) -> bool {
    let bytes = Bytes::copy_from_slice(data);
    let mut taken = false;
    if let Ok((header, length)) = enclave::Header::decode(data) {
        assert_eq!(header.encode(), data[..length], "one header has one encoding");
        taken = true;
    }
    for parts in 0..3 {
        let parts = std::iter::repeat_n(Bytes::new(), parts);
        let pieces = std::iter::once(bytes.clone()).chain(parts).collect();
        if let Ok(inner) = gateway::wire::Inner::decode(pieces) {
            assert_eq!(inner.head(), data, "one plaintext has one encoding");
            taken = true;
        }
    }
    if let Ok(receipts) = receipts::decode(bytes.clone()) {
        assert!(receipts.len() <= receipts::MAX_RECEIPTS);
        taken |= !receipts.is_empty();
    }
    if let Ok(refused) = receipts::decode_refused(data) {
        assert_eq!(receipts::encode_refused(&refused), data);
    }
    if let Ok(chain) = Chain::from_der(data) {
        assert_eq!(chain.der(), data, "one chain has one encoding");
        taken = true;
    }
    if let Ok((first, second)) = gateway::wire::unpair(bytes) {
        assert_eq!(gateway::wire::pair(&first, &second), data);
        taken = true;
    }
    taken
}

/// CDA documents.
pub fn cda(data: &[u8]) -> bool {
    let _ = clinical::cda::fulfilled_order(data);
    let _ = gateway::national::intake::read(Bytes::copy_from_slice(data));
    let Ok(kind) = clinical::cda::kind(data) else { return false };
    let view = clinical::cda::View::parse(data).expect("because its kind is known");
    let _ = clinical::findings::of_view(&view, kind.class);
    let _ = (view.class(), view.patient_ids(), view.orders(), view.medications().len());
    view.sections().for_each(|s| drop((s.title(), s.text())));
    true
}

/// Certificates and evidence.
pub fn evidence(data: &[u8]) -> bool {
    let [spain, denmark] = SEALS.as_slice() else { unreachable!("because two were written") };
    if let Some(secrets) = ::ledger::Secrets::decode(data) {
        assert_eq!(secrets.encode(), data, "one set of secrets has one encoding");
        return true;
    }
    let at = seed::written();
    trust::cose::claimed_signer(data).is_ok()
        | ::ledger::evidence::payload(data).is_some()
        | Certificate::from_der(data).is_ok()
        | Certificate::from_pem(data).is_ok()
        | ::ledger::RequestStatement::verify(data, spain, &ANCHORS, at).is_ok()
        | ::ledger::Settled::verify(data, &[denmark, spain], &ANCHORS, at).is_ok()
}

/// Receipts, as anybody may hand one to an auditor. The seeds' own authority is trusted.
pub fn receipt(data: &[u8]) -> bool {
    ::ledger::receipt::verify(data, &ANCHORS).is_ok()
}

/// ETSI REM evidence, as another country's archive may hold it.
pub fn rem(data: &[u8]) -> bool {
    let Ok(evidence) = ihe::rem::Evidence::parse(data) else { return false };
    let written = evidence.render();
    let _ = evidence.file_name("title");
    let again = ihe::rem::Evidence::parse(written.as_bytes()).expect("because we wrote it");
    assert!(again == evidence, "what was read is written whole");
    ihe::rem::Evidence::verify(data).is_ok()
}

/// Spain's seal, made for this run, its root, and the patient of the seeds.
static ISSUER: LazyLock<(Arc<SealKey>, Anchors, PatientId)> = LazyLock::new(|| {
    let spain = Country::parse("ES").expect("because it has two letters");
    let pki = Pki::new(&[spain], SealKind::P256, seed::written());
    let seal = Arc::new(pki.identity(spain, Role::Seal).seal_key());
    (seal, pki.anchors(), AGNETE.id())
});

/// The authority of the certificates in `fuzz/seeds`.
static ANCHORS: LazyLock<Anchors> = LazyLock::new(|| {
    Anchors::from_pem(include_bytes!("fuzz/authority.pem")).expect("because it is a certificate")
});

/// The seals of Spain, who asks in `fuzz/seeds`, and Denmark, who answers.
static SEALS: LazyLock<Vec<Certificate>> = LazyLock::new(|| {
    Certificate::from_pem(include_bytes!("fuzz/seals.pem")).expect("because these are certificates")
});
