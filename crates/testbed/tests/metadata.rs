//! Metadata of a party is renewed before it ends, over real HTTPS, so that nobody who signs in waits.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use exchange::{Country, SystemEntropy};
use gateway::eid::Party;
use http::StatusCode;
use identity::Assurance;
use identity::eidas::metadata::{Binding, Contact, Metadata, Role};
use jiff::{SignedDuration, Timestamp};
use testbed::pki::{Identity, Pki, SealKind};
use tokio_util::sync::CancellationToken;
use transport::client::{Client, ClientLimits};
use transport::problem::respond;
use transport::server::{Bound, Limits};
use transport::tls::{ClientTls, ServerTls};

/// Each fetched metadata is valid for this long from the first one's time, and each names an endpoint of
/// its own.
const VALID: SignedDuration = SignedDuration::from_hours(8);

/// The n-th metadata, valid from `start + n * VALID`.
fn metadata(signer: &Identity, entity: &str, start: Timestamp, n: usize) -> String {
    let turns = i32::try_from(n).unwrap();
    let metadata = Metadata {
        entity: entity.to_owned(),
        role: Role::ProxyService,
        valid_until: start + VALID * turns,
        country: Country::parse("DK").ok(),
        certified: Some(Assurance::High),
        versions: vec![],
        sector: None,
        requester_needed: false,
        wants_signed: true,
        signing: vec![signer.certificate().clone()],
        encryption: vec![],
        endpoints: vec![(Binding::Post, format!("https://localhost/sso/{n}"))],
        methods: vec![],
        attributes: vec![],
    };
    let contact =
        Contact { organisation: "Test", url: "https://localhost", email: "nobody@example.dk" };
    metadata.sign(&contact, &Arc::new(signer.seal_key()), &SystemEntropy).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn metadata_is_renewed_before_it_ends_and_nobody_waits_for_it() {
    let (dk, start) = (Country::parse("DK").unwrap(), Timestamp::now());
    let pki = Pki::new(&[dk], SealKind::P256, start);
    let (server, signer) = (pki.server(dk, "idp"), Arc::new(pki.signer(dk, "idp")));
    let tls = ServerTls::public(&transport::tls::Identity {
        chain: server.chain_pem().into_bytes(),
        key: server.key_pem().as_bytes().to_vec().into(),
        roots: pki.ca_pem().into_bytes(),
    });
    let bound = Bound::tls(([127, 0, 0, 1], 0).into(), tls.unwrap()).await.unwrap();
    let base = format!("https://localhost:{}", bound.address().unwrap().port());
    let entity = format!("{base}/metadata");
    let (fetched, stop) = (Arc::new(AtomicUsize::new(0)), CancellationToken::new());
    let (count, name, key) = (Arc::clone(&fetched), entity.clone(), Arc::clone(&signer));
    let serving = tokio::spawn(bound.serve(Limits::default(), stop.clone(), move |_, _| {
        let n = count.fetch_add(1, Ordering::Relaxed) + 1;
        let text = metadata(&key, &name, start, n);
        async move { respond(StatusCode::OK, "application/samlmetadata+xml", text) }
    }));
    let client = ClientTls::anonymous(pki.ca_pem().as_bytes()).unwrap();
    let client = Client::new(&base, None, client, ClientLimits::default());
    let signers = vec![signer.certificate().clone()];
    let party = Party::new(dk, &entity, Role::ProxyService, signers, client, "/metadata");

    let at = |hours: i64| start + SignedDuration::from_hours(hours);
    let asked = || fetched.load(Ordering::Relaxed);
    assert!(party.renew(at(0)).await, "nothing was known");
    assert!(!party.renew(at(5)).await && asked() == 1, "three quarters are not over");
    assert!(party.renew(at(7)).await && asked() == 2, "they are, and an hour is left");
    let known = party.metadata(at(9)).await.unwrap();
    assert_eq!(known.endpoint(Binding::Post), Some("https://localhost/sso/2"));
    assert_eq!(asked(), 2, "who signs in after the first one's end waits for nothing");

    stop.cancel();
    serving.await.unwrap();
    assert!(party.renew(at(15)).await, "due, and its server is away");
    let known = party.metadata(at(15)).await.unwrap();
    assert_eq!(known.endpoint(Binding::Post), Some("https://localhost/sso/2"), "to its end");
    assert!(party.metadata(at(17)).await.is_err(), "and not beyond it");
}
