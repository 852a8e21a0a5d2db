//! Who gets a connection, and with which cryptography.

#![allow(clippy::unwrap_used, reason = "tests")]

mod world;

use std::sync::Arc;

use rustls::NamedGroup;
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use transport::client::{Client, ClientError, ClientLimits};
use transport::server::Limits;
use transport::stream::{Target, WrongPeer, dial};
use transport::tls::{ClientTls, Identity, ServerTls};
use world::{Authority, client, country, millis, raw, start_echo};

fn roots(identity: &Identity) -> rustls::RootCertStore {
    let mut store = rustls::RootCertStore::empty();
    store.add(CertificateDer::from_pem_slice(&identity.roots).unwrap()).unwrap();
    store
}

/// A client of somebody else: these groups, these versions, perhaps no certificate.
fn foreign(
    identity: &Identity,
    groups: Vec<&'static dyn rustls::crypto::SupportedKxGroup>,
    versions: &[&'static rustls::SupportedProtocolVersion],
    certificate: bool,
) -> rustls::ClientConfig {
    let provider = CryptoProvider { kx_groups: groups, ..aws_lc_rs::default_provider() };
    let builder = rustls::ClientConfig::builder_with_provider(Arc::new(provider))
        .with_protocol_versions(versions)
        .unwrap()
        .with_root_certificates(roots(identity));
    if !certificate {
        return builder.with_no_client_auth();
    }
    let chain = vec![CertificateDer::from_pem_slice(&identity.chain).unwrap()];
    builder
        .with_client_auth_cert(
            chain,
            PrivateKeyDer::from_pem_slice(identity.key.pem().unwrap()).unwrap(),
        )
        .unwrap()
}

async fn get(stream: &mut (impl AsyncReadExt + AsyncWriteExt + Unpin)) -> std::io::Result<String> {
    stream.write_all(b"GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await?;
    let mut text = String::new();
    stream.read_to_string(&mut text).await?;
    Ok(text)
}

#[tokio::test]
async fn two_nodes_agree_on_the_post_quantum_hybrid() {
    let ca = Authority::new("root");
    let running = start_echo(&ca.identity("DK", 1), Limits::default()).await;
    let es = ca.identity("ES", 2);
    let answer = client(&running, Some("DK"), &es, ClientLimits::default())
        .post("/", "text/plain", world::body(3))
        .await
        .unwrap();
    assert_eq!(answer.body, "ES X25519MLKEM768 3", "as the server sees it");
    let peer = answer.peer.unwrap();
    assert_eq!(peer.key_exchange(), Some(NamedGroup::X25519MLKEM768), "as the client sees it");
    assert_eq!(peer.country(), Some(country("DK")));
    assert_eq!(peer.address(), running.address);
}

#[tokio::test]
async fn java_peers_with_classical_groups_and_tls_1_2_are_served() {
    use aws_lc_rs::kx_group::{SECP256R1, SECP384R1, X25519};
    let ca = Authority::new("root");
    let running = start_echo(&ca.identity("DK", 1), Limits::default()).await;
    let es = ca.identity("ES", 2);
    let rows = [
        (SECP256R1, &rustls::version::TLS12, "secp256r1"),
        (SECP256R1, &rustls::version::TLS13, "secp256r1"),
        (SECP384R1, &rustls::version::TLS12, "secp384r1"),
        (X25519, &rustls::version::TLS13, "X25519"),
    ];
    for (group, version, name) in rows {
        let mut stream = raw(&running, foreign(&es, vec![group], &[version], true)).await.unwrap();
        assert_eq!(stream.get_ref().1.protocol_version(), Some(version.version));
        let text = get(&mut stream).await.unwrap();
        assert!(
            text.starts_with("HTTP/1.1 200") && text.ends_with(&format!("ES {name} 0")),
            "{text}"
        );
    }
}

#[tokio::test]
async fn no_session_is_resumed() {
    let ca = Authority::new("root");
    let running = start_echo(&ca.identity("DK", 1), Limits::default()).await;
    let versions = [&rustls::version::TLS12, &rustls::version::TLS13];
    for version in versions {
        let config = foreign(
            &ca.identity("ES", 2),
            aws_lc_rs::default_provider().kx_groups,
            &[version],
            true,
        );
        for _ in 0..3 {
            let mut stream = raw(&running, config.clone()).await.unwrap();
            get(&mut stream).await.unwrap();
            assert_ne!(stream.get_ref().1.handshake_kind(), Some(rustls::HandshakeKind::Resumed));
        }
    }
}

#[tokio::test]
async fn clients_without_an_acceptable_certificate_get_nothing() {
    let ca = Authority::new("root");
    let mut dk = ca.identity("DK", 1);
    dk.roots.extend_from_slice(ca.revoke(66).as_bytes());
    let running = start_echo(&dk, Limits::default()).await;

    let none = foreign(
        &ca.identity("ES", 2),
        aws_lc_rs::default_provider().kx_groups,
        rustls::ALL_VERSIONS,
        false,
    );
    let refused = match raw(&running, none).await {
        Ok(mut stream) => get(&mut stream).await.is_err(),
        Err(_) => true,
    };
    assert!(refused, "no certificate");

    let mut other = Authority::new("other root").identity("ES", 2);
    other.roots = ca.pem.clone().into_bytes();
    let expired =
        ca.identity_with("ES", 3, |params| params.not_after = rcgen::date_time_ymd(2021, 1, 1));
    let early =
        ca.identity_with("ES", 4, |params| params.not_before = rcgen::date_time_ymd(2080, 1, 1));
    let server_only = ca.identity_with("ES", 5, |params| {
        params.extended_key_usages = vec![rcgen::ExtendedKeyUsagePurpose::ServerAuth];
    });
    let revoked = ca.identity("ES", 66);
    let rows = [
        ("wrong root", other),
        ("expired", expired),
        ("not yet", early),
        ("usage", server_only),
        ("revoked", revoked),
    ];
    for (name, identity) in rows {
        let result = client(&running, None, &identity, ClientLimits::default()).get("/").await;
        assert!(matches!(result, Err(ClientError::Connect(_))), "{name}: {result:?}");
    }
    let good =
        client(&running, None, &ca.identity("ES", 7), ClientLimits::default()).get("/").await;
    assert_eq!(good.unwrap().status, 200, "the server still serves");
}

#[tokio::test]
async fn a_client_refuses_servers_that_are_not_whom_it_wants() {
    let ca = Authority::new("root");
    let mut es = ca.identity("ES", 2);
    es.roots.extend_from_slice(ca.revoke(66).as_bytes());
    let limits = ClientLimits::default();

    let italy = start_echo(&ca.identity("IT", 1), Limits::default()).await;
    let result = client(&italy, Some("DK"), &es, limits).get("/").await;
    assert!(matches!(result, Err(ClientError::WrongPeer(WrongPeer::Country))), "{result:?}");
    assert!(client(&italy, Some("IT"), &es, limits).get("/").await.is_ok());

    let tls = ClientTls::new(&es).unwrap();
    let base = format!("https://localhost:{}", italy.address.port());
    let print = client(&italy, None, &es, limits)
        .get("/")
        .await
        .unwrap()
        .peer
        .unwrap()
        .certificate()
        .fingerprint();
    let pinned = |pin| Client::pinned(&base, None, Some(pin), tls.clone(), limits);
    assert!(pinned(print).get("/").await.is_ok());
    let result = pinned(exchange::Digest([0; 32])).get("/").await;
    assert!(matches!(result, Err(ClientError::WrongPeer(WrongPeer::Pin))), "{result:?}");

    let other_name = ca.identity_with("DK", 3, |params| {
        params.subject_alt_names =
            vec![rcgen::SanType::DnsName("elsewhere.example".try_into().unwrap())];
    });
    let mut other_root = Authority::new("other root").identity("DK", 4);
    other_root.roots = ca.pem.clone().into_bytes();
    let expired =
        ca.identity_with("DK", 5, |params| params.not_after = rcgen::date_time_ymd(2021, 1, 1));
    let rows = [
        ("name", other_name),
        ("root", other_root),
        ("expired", expired),
        ("revoked", ca.identity("DK", 66)),
    ];
    for (name, identity) in rows {
        let running = start_echo(&identity, Limits::default()).await;
        let result = client(&running, Some("DK"), &es, limits).get("/").await;
        assert!(matches!(result, Err(ClientError::Connect(_))), "{name}: {result:?}");
    }
}

#[tokio::test]
async fn a_reload_shows_the_new_certificate_and_a_bad_one_changes_nothing() {
    let ca = Authority::new("root");
    let running = start_echo(&ca.identity("DK", 1), Limits::default()).await;
    let tls = ClientTls::new(&ca.identity("ES", 2)).unwrap();
    let base = format!("https://localhost:{}", running.address.port());
    let es = Client::new(&base, None, tls.clone(), ClientLimits::default());
    let print = async || es.get("/").await.unwrap().peer.unwrap().certificate().fingerprint();
    let first = print().await;
    assert_eq!(first, print().await);

    let (mut broken, mut foreign_key) = (ca.identity("DK", 3), ca.identity("DK", 4));
    broken.chain = b"not pem".to_vec();
    foreign_key.key = ca.identity("DK", 5).key.clone();
    for bad in [&broken, &foreign_key] {
        assert!(running.tls.reload(bad).is_err());
        assert!(tls.reload(bad).is_err());
    }
    assert_eq!(first, print().await, "the old one stays");

    running.tls.reload(&ca.identity("DK", 6)).unwrap();
    tokio::time::sleep(millis(100)).await;
    assert_ne!(first, print().await, "idle connections with the old certificate have ended");

    tls.reload(&ca.identity("IT", 7)).unwrap();
    assert!(
        es.get("/").await.unwrap().body.starts_with(b"IT "),
        "the pool of the old certificate is not used"
    );
}

#[tokio::test]
async fn dial_gives_a_stream_to_the_right_country() {
    let ca = Authority::new("root");
    let running = start_echo(&ca.identity("DK", 1), Limits::default()).await;
    let tls = ClientTls::new(&ca.identity("ES", 2)).unwrap();
    let mut target = Target {
        host: "localhost".into(),
        port: running.address.port(),
        country: Some(country("DK")),
        pin: None,
    };
    let (mut stream, peer) = dial(&target, &tls, millis(2000)).await.unwrap();
    assert_eq!(peer.country(), target.country);
    assert!(get(&mut stream).await.unwrap().starts_with("HTTP/1.1 200"));
    target.country = Some(country("IT"));
    assert!(dial(&target, &tls, millis(2000)).await.is_err());
}

#[test]
fn identities_come_from_files_and_faults_name_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let identity = Authority::new("root").identity("DK", 1);
    let path = |name: &str| folder.path().join(name);
    std::fs::write(path("chain.pem"), &identity.chain).unwrap();
    std::fs::write(path("key.pem"), identity.key.pem().unwrap()).unwrap();
    let missing =
        Identity::read(&path("chain.pem"), &path("key.pem"), &path("roots.pem")).unwrap_err();
    assert!(missing.to_string().contains("roots.pem"), "{missing}");
    std::fs::write(path("roots.pem"), &identity.roots).unwrap();
    let read = Identity::read(&path("chain.pem"), &path("key.pem"), &path("roots.pem")).unwrap();
    ServerTls::new(&read).unwrap();
    assert!(!format!("{read:?}").contains("PRIVATE"));
}
