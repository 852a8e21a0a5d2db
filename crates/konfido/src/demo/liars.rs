//! Countries of the circle of trust that do not keep to the protocol, against real nodes.

use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use enclave::{Recipient, Vault};
use exchange::{Code, Country, DocumentClass, SystemEntropy, Transaction};
use gateway::message::digest;
use gateway::node::Slots;
use gateway::recipient::VAULT_KEY_PATH;
use gateway::wire::{self, Inner, SEALED_BODY};
use http::{Request, Response, StatusCode};
use ihe::mtom::Package;
use ihe::soap;
use jiff::Timestamp;
use ledger::{Field, JointStatement, RequestStatement, Secrets};
use testbed::pki::{Pki, Role};
use testbed::world::{AGNETE, Land, MONTSERRAT, clinician};
use tokio_util::sync::CancellationToken;
use transport::client::ClientLimits;
use transport::problem::{Body, respond};
use transport::server::{Bound, Limits, read_body};
use transport::tls::ServerTls;
use trust::certificate::{Anchors, Certificate};
use trust::seal::SealKey;

use super::Circle;
use super::circle::setup;
use crate::config::{Listen, Peer};
use crate::node::{Sockets, start};

fn country(code: &str) -> Country {
    Country::parse(code).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_country_without_an_agreement_reads_nothing_by_sealing_its_question() {
    let dir = tempfile::tempdir().unwrap();
    let (it, dk) = (country("IT"), country("DK"));
    let circle =
        Circle::start_among(dir.path(), |own, other| (own, other) != ("DK", "IT")).await.unwrap();
    let doctor = clinician(it, exchange::RoleCode::DOCTOR).unwrap();
    let visit = circle.visit(doctor, Some(&AGNETE));
    let portal = circle.portal(it, dk).unwrap();
    let answer = portal.query(&visit, &AGNETE.id(), DocumentClass::PatientSummary).await;
    let refused = answer.err().map(|error| error.code().to_owned());
    assert_eq!(refused.as_deref(), Some(Code::ErrorSecGeneric.wire()), "refused before it is open");
    let rows = circle.node(dk).node.journal.newest(9).await.unwrap();
    assert!(rows.is_empty(), "nothing was answered");
    circle.stop().await;
}

/// A contact point that answers as it likes, with good certificates.
struct Liar {
    vault: Vault,
    seal: SealKey,
    anchors: Anchors,
    /// Whose vault asks; known once that one runs.
    asker: OnceLock<Recipient>,
}

impl Liar {
    /// The right evidence for an empty answer, sealed where nobody reads it; the Body is in the clear.
    async fn answer(&self, request: Request<hyper::body::Incoming>) -> Response<Body> {
        let now = Timestamp::now();
        if request.uri().path() == VAULT_KEY_PATH {
            let statement = self.vault.publish(&self.seal, now).unwrap();
            return respond(StatusCode::OK, "application/octet-stream", statement.encode());
        }
        let kind = request.headers()["content-type"].to_str().unwrap().to_owned();
        let time = Duration::from_secs(5);
        let body = read_body(request.into_body(), None, 1 << 20, time).await.unwrap();
        let package = Package::parse(&kind, body).unwrap();
        let (place, ciphertext) = wire::split_package(&package).unwrap();
        let bound = wire::bound(&package.root, place);
        let opened = self.vault.open_request(&ciphertext, &bound).unwrap();
        let inner = Inner::decode(opened.pieces).unwrap();
        let (signed, certificate) = wire::unpair(inner.evidence).unwrap();
        let certificate = Certificate::from_der(&certificate).unwrap();
        let asked = RequestStatement::verify(&signed, &certificate, &self.anchors, now).unwrap();
        let shown = "<nothing xmlns='urn:x'/>";
        let answer = (Field::Answer, digest(shown.as_bytes(), &[]));
        let values = [answer, (Field::Delivery, "node".to_owned())];
        let secrets = Secrets::draw(values, &SystemEntropy);
        let joint = JointStatement::answer(&asked, secrets.commitments(), "answered");
        let inner = Inner {
            evidence: joint.sign(&self.seal).unwrap().into(),
            secrets: secrets.encode().into(),
            content: shown.into(),
            parts: Vec::new(),
        };
        let other = ihe::answer::refusal(
            Transaction::Query,
            &exchange::Refusal::new(Code::ErrorPsNotFound, "a false answer"),
            exchange::CorrelationId::random(&SystemEntropy),
            &ihe::answer::Echo::default(),
            &Land::of(country("DK")).unwrap().community(),
            now,
        );
        let header = soap::Header {
            action: Transaction::Query.response_action(),
            message_id: "urn:uuid:1",
            ..soap::Header::default()
        };
        let root = soap::render(&header, &[], &other);
        let at = root.find("</env:Header>").unwrap();
        let root =
            format!("{}<x:h xmlns:x='urn:x'>{SEALED_BODY}</x:h>{}", &root[..at], &root[at..]);
        let start = root.find(SEALED_BODY).unwrap();
        let place = start..start + SEALED_BODY.len();
        let bound = wire::bound(root.as_bytes(), place.clone());
        let (asker, head) = (self.asker.get().unwrap(), inner.head());
        let pieces = inner.pieces(&head);
        let ciphertext =
            self.vault.seal_response(opened.reply, asker, &bound, &pieces, now).unwrap();
        let (kind, body) = wire::seal_package(&root.into(), place, ciphertext).write("");
        respond(StatusCode::OK, &kind, body)
    }
}

/// Spain's node, whose Denmark is at `liar`; and its addresses.
async fn spain(
    dir: &std::path::Path,
    pki: &Pki,
    liar: SocketAddr,
) -> (crate::node::Running, SocketAddr) {
    let loopback: SocketAddr = ([127, 0, 0, 1], 0).into();
    let land = Land::of(country("ES")).unwrap();
    let setup = crate::node::Setup { audit: None, ..setup(pki, land, dir, loopback) };
    let sockets = Sockets::bind(&setup, Listen::all(loopback), None).await.unwrap();
    let national = sockets.addresses().unwrap().0;
    let denmark = Peer {
        country: country("DK"),
        url: format!("https://{liar}"),
        konfido: true,
        allow_plain: false,
        pin: None,
        answer: ClientLimits::default().request,
        exchanges: Slots::EACH,
        accepted: enclave::Acceptance::software(&enclave::Attestation::ALL),
        against: gateway::strict::Against::default(),
        strict: None,
    };
    (start(setup, sockets, vec![denmark]).unwrap(), national)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_doctor_does_not_read_another_answer_than_the_one_in_the_evidence() {
    let dir = tempfile::tempdir().unwrap();
    let (es, dk) = (country("ES"), country("DK"));
    let pki = Pki::of_the_world(Timestamp::now());
    let server = ServerTls::new(&pki.tls(dk, Role::ServiceProvider)).unwrap();
    let bound = Bound::tls(([127, 0, 0, 1], 0).into(), server).await.unwrap();
    let address = bound.address().unwrap();
    let liar = Arc::new(Liar {
        vault: Vault::new(dk),
        seal: pki.identity(dk, Role::Seal).seal_key(),
        anchors: pki.anchors(),
        asker: OnceLock::new(),
    });
    let (stop, at_work) = (CancellationToken::new(), Arc::clone(&liar));
    let serving = tokio::spawn(bound.serve(Limits::default(), stop.clone(), move |_, request| {
        let liar = Arc::clone(&at_work);
        async move { liar.answer(request).await }
    }));
    let (running, national) = spain(dir.path(), &pki, address).await;
    let (sealing, now) = (running.node.sealing(), Timestamp::now());
    let said = sealing.vault.publish(&sealing.seal, now).unwrap();
    let all = enclave::Acceptance::software(&enclave::Attestation::ALL);
    let asker = Recipient::verify(&said, &pki.anchors(), es, now, &all).unwrap();
    liar.asker.set(asker).unwrap();
    let seal = Arc::new(pki.identity(es, Role::Seal).seal_key());
    let visit = testbed::assertions::Issuer::new(es, seal).visit(
        &MONTSERRAT,
        Some(&AGNETE.id()),
        exchange::Purpose::Treatment,
        Timestamp::now(),
        &SystemEntropy,
    );
    let tls = transport::tls::ClientTls::new(&pki.tls(es, Role::OpenncpClient)).unwrap();
    let community = |country| Land::of(country).unwrap().community();
    let portal = testbed::portal::Portal {
        client: transport::client::Client::new(
            &format!("https://{national}"),
            Some(es),
            tls,
            ClientLimits::default(),
        ),
        prefix: "/dk".into(),
        own: community(es),
        other: community(dk),
    };
    let answer = portal.query(&visit, &AGNETE.id(), DocumentClass::PatientSummary).await;
    let code = answer.err().map(|error| error.code().to_owned());
    assert_eq!(code.as_deref(), Some(Code::ErrorSecDataIntegrityNotEnsured.wire()));
    stop.cancel();
    serving.await.unwrap();
    running.stop().await;
}
