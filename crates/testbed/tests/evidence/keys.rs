//! Keys of other countries' vaults: fetched, kept, forgotten. And what is said in the clear when
//! nothing can be sealed.

use std::net::TcpListener;
use std::time::{Duration, Instant};

use exchange::Clock as _;

use std::sync::Arc;

use enclave::attest::{Collateral, Policy, Roots};
use enclave::key::Statement;
use enclave::{Acceptance, Address, Attestation, Delivery, Recipient};
use exchange::{DocumentClass, SystemEntropy, Transaction, TransactionId};
use gateway::node::Sealing;
use gateway::outbound::SEALED_PATH;
use gateway::recipient::VAULT_KEY_PATH;
use gateway::wire::{self, Inner};
use ihe::mtom::Package;
use ihe::xcpd;
use ihe::xdr::Submission;
use siem::Kind;
use testbed::portal::envelope;
use testbed::world::{AGNETE, JORDI};

use crate::circle::{Circle, dk, es, vault};

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_was_checked_under_the_policy_of_before_is_not_used_after_a_reload() {
    let circle = Circle::new();
    let (denmark, spain) = (circle.start(dk()).await, circle.start(es()).await);
    circle.ask().await.unwrap();
    let (peer, now) = (&spain.node.peers[&dk()], circle.clock.now());
    let checked = peer.known_recipient(now).unwrap();
    let before = peer.forgotten();
    // a reload, while somebody fetches
    peer.forget_recipients();
    peer.keep_recipient(checked.clone(), before);
    assert!(peer.known_recipient(now).is_none());
    peer.keep_recipient(checked, peer.forgotten());
    assert!(peer.known_recipient(now).is_some());
    spain.stop().await;
    denmark.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn those_who_ask_a_country_that_is_silent_do_not_wait_for_one_another() {
    let circle = Circle::new();
    let silent = TcpListener::bind(circle.border(dk()).trim_start_matches("https://")).unwrap();
    let spain = circle.start(es()).await;
    let began = Instant::now();
    let (first, second, third) = tokio::join!(circle.ask(), circle.ask(), circle.ask());
    assert!(first.is_err() && second.is_err() && third.is_err());
    // it is given up after five seconds, once for all of them
    assert!(began.elapsed() < Duration::from_secs(14), "{:?}", began.elapsed());
    drop(silent);
    spain.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sealed_search_that_is_refused_in_the_clear_does_not_repeat_the_patients_number() {
    let circle = Circle::new();
    let (denmark, spain) = (circle.start(dk()).await, circle.start(es()).await);
    let (client, now) = (circle.client(es(), dk()), circle.clock.now());
    let published = client.get(VAULT_KEY_PATH).await.unwrap();
    let statement = Statement::decode(&published.body).unwrap();
    let (anchors, accepted) = (circle.pki.anchors(), Acceptance::software(&Attestation::ALL));
    let to = Recipient::verify(&statement, &anchors, dk(), now, &accepted).unwrap();
    let body = xcpd::Request {
        id: ("1.2.3".into(), "4".into()),
        receiver: None,
        sender: None,
        patients: vec![AGNETE.id()],
        gender: String::new(),
        birth: String::new(),
        given: String::new(),
        family: String::new(),
    };
    let (body, transaction) = (body.render(now), Transaction::PatientDiscovery);
    let root = envelope(transaction, &circle.visit(), &body, Vec::new()).root;
    let start = std::str::from_utf8(&root).unwrap().find(&body).unwrap();
    let content = start..start + body.len();
    // evidence that does not hold: there is none to answer under
    let inner = Inner {
        evidence: wire::pair(b"none", b"none"),
        secrets: bytes::Bytes::new(),
        content: root.slice(content.clone()),
        parts: Vec::new(),
    };
    let txid = TransactionId::random(&SystemEntropy);
    let address = Address { from: es(), to: dk(), transaction, txid };
    let (bound, head) = (wire::bound(&root, content.clone()), inner.head());
    let vault = &spain.node.sealing().vault;
    let sealed =
        vault.seal_request(&to, address, Delivery::Node, &bound, &inner.pieces(&head), now);
    let package = wire::seal_package(&root, content, sealed.unwrap().0);
    let (kind, body) = package.write(transaction.request_action());
    let answer = client.post(SEALED_PATH, &kind, body).await.unwrap();
    let package = Package::parse(&answer.content_type, answer.body).unwrap();
    let said = std::str::from_utf8(&package.root).unwrap();
    assert!(said.contains("ERROR_SEC_DATA_INTEGRITY_NOT_ENSURED"), "{said}");
    assert!(!said.contains(AGNETE.id().extension()), "{said}");
    spain.stop().await;
    denmark.stop().await;
}

/// A pharmacist reports a dispensation. Denmark's vault has another key since it was asked last, and
/// what stands behind it is not enough for this class.
#[tokio::test(flavor = "multi_thread")]
async fn a_dispensation_is_not_sealed_for_a_restarted_vault_that_the_policy_does_not_let_have_it() {
    let circle = Circle::new();
    let (denmark, spain) = (circle.start(dk()).await, circle.start(es()).await);
    circle.ask().await.unwrap();
    let policy = Policy::danger_unsigned(POLICY.replace("ZERO", &"00".repeat(32)).as_bytes());
    let (policy, roots) = (Arc::new(policy.unwrap()), Arc::new(Roots::pinned()));
    let accepted = Acceptance::policy(policy, Arc::new(Collateral::None), roots);
    spain.node.peers[&dk()].accepted.store(Arc::new(accepted));
    let seal = circle.seal(dk());
    denmark.node.sealing.store(Arc::new(Sealing::new(seal, vault(dk()))));
    let visit = circle.visit_by(&JORDI, &AGNETE, circle.clock.now());
    let dispensed = Submission {
        patient: AGNETE.id(),
        class: DocumentClass::EDispensation,
        unique_id: "1.2.3^4".into(),
        mime: "text/xml".into(),
        bytes: bytes::Bytes::from_static(b"<ClinicalDocument/>"),
    };
    let error = circle.portal().submit(&visit, &dispensed).await.unwrap_err();
    assert_eq!(spain.events(Kind::VaultRefused, 1).await, 1, "{error}");
    // what the policy has a row for goes on
    circle.ask().await.unwrap();
    spain.stop().await;
    denmark.stop().await;
}

const POLICY: &str = r#"# konfido attestation policy v1
version = 1
valid_from = "2026-01-01T00:00:00Z"
valid_until = "2126-01-01T00:00:00Z"

[[program]]
name = "vault"
kind = "software"
registers = { binary = "ZERO" }

[[firmware]]
kind = "software"

[[partner]]
country = "DK"
danger_any_platform = true
dynamic_platform = true

[[document]]
class = "60591-5"
floor = "software"
"#;
