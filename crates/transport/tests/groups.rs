//! Key exchange: the post-quantum hybrid first and without a second round, classical groups for
//! Java-like peers, in both directions.

#![allow(clippy::unwrap_used, reason = "tests")]

mod world;

use std::net::SocketAddr;
use std::sync::Arc;

use rustls::crypto::aws_lc_rs::kx_group::{SECP256R1, SECP384R1};
use rustls::crypto::{CryptoProvider, SupportedKxGroup, aws_lc_rs};
use rustls::server::Acceptor;
use rustls::{HandshakeKind, NamedGroup, RootCertStore, SupportedProtocolVersion};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use transport::client::{Client, ClientLimits};
use transport::server::Limits;
use transport::tls::{ClientTls, Identity};
use world::{Authority, country, raw, start_echo};

const JAVA: [(&dyn SupportedKxGroup, &SupportedProtocolVersion); 4] = [
    (SECP256R1, &rustls::version::TLS12),
    (SECP256R1, &rustls::version::TLS13),
    (SECP384R1, &rustls::version::TLS12),
    (SECP384R1, &rustls::version::TLS13),
];

fn provider(group: &'static dyn SupportedKxGroup) -> Arc<CryptoProvider> {
    Arc::new(CryptoProvider { kx_groups: vec![group], ..aws_lc_rs::default_provider() })
}

fn pems(
    identity: &Identity,
) -> (RootCertStore, Vec<CertificateDer<'static>>, PrivateKeyDer<'static>) {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(&identity.roots).unwrap()).unwrap();
    let chain = vec![CertificateDer::from_pem_slice(&identity.chain).unwrap()];
    (roots, chain, PrivateKeyDer::from_pem_slice(identity.key.pem().unwrap()).unwrap())
}

#[test]
fn our_client_offers_the_hybrid_first() {
    let tls = ClientTls::new(&Authority::new("root").identity("ES", 1)).unwrap();
    let name = ServerName::try_from("localhost").unwrap();
    let mut client = rustls::ClientConnection::new(tls.current(), name).unwrap();
    let mut flight = Vec::new();
    client.write_tls(&mut flight).unwrap();
    let mut acceptor = Acceptor::default();
    acceptor.read_tls(&mut flight.as_slice()).unwrap();
    let accepted = acceptor.accept().unwrap().unwrap();
    let offered = accepted.client_hello().named_groups().unwrap().to_vec();
    assert_eq!(
        offered,
        [
            NamedGroup::X25519MLKEM768,
            NamedGroup::X25519,
            NamedGroup::secp256r1,
            NamedGroup::secp384r1
        ]
    );
}

#[tokio::test]
async fn our_two_ends_agree_on_the_hybrid_in_one_round() {
    let ca = Authority::new("root");
    let running = start_echo(&ca.identity("DK", 1), Limits::default()).await;
    let config = ClientTls::new(&ca.identity("ES", 2)).unwrap().current();
    let stream = raw(&running, (*config).clone()).await.unwrap();
    let connection = stream.get_ref().1;
    assert_eq!(connection.protocol_version(), Some(rustls::ProtocolVersion::TLSv1_3));
    let group = connection.negotiated_key_exchange_group().unwrap().name();
    assert_eq!(group, NamedGroup::X25519MLKEM768);
    // not FullWithHelloRetryRequest: the key share of the first flight was already the hybrid's
    assert_eq!(connection.handshake_kind(), Some(HandshakeKind::Full));
}

#[tokio::test]
async fn java_clients_with_one_classical_group_are_served() {
    let ca = Authority::new("root");
    let running = start_echo(&ca.identity("DK", 1), Limits::default()).await;
    let es = ca.identity("ES", 2);
    for (group, version) in JAVA {
        let (roots, chain, key) = pems(&es);
        let config = rustls::ClientConfig::builder_with_provider(provider(group))
            .with_protocol_versions(&[version])
            .unwrap()
            .with_root_certificates(roots)
            .with_client_auth_cert(chain, key)
            .unwrap();
        let mut stream = raw(&running, config).await.unwrap();
        stream.write_all(b"GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await.unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).await.unwrap();
        assert!(text.ends_with(&format!("ES {:?} 0", group.name())), "{version:?} {text}");
        assert_eq!(stream.get_ref().1.protocol_version(), Some(version.version));
    }
}

/// A server of somebody else that demands a client certificate and answers one request.
async fn java_server(
    identity: &Identity,
    group: &'static dyn SupportedKxGroup,
    version: &'static SupportedProtocolVersion,
) -> SocketAddr {
    let (roots, chain, key) = pems(identity);
    let verifier = rustls::server::WebPkiClientVerifier::builder_with_provider(
        Arc::new(roots),
        provider(group),
    )
    .build()
    .unwrap();
    let config = rustls::ServerConfig::builder_with_provider(provider(group))
        .with_protocol_versions(&[version])
        .unwrap()
        .with_client_cert_verifier(verifier)
        .with_single_cert(chain, key)
        .unwrap();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
        let mut stream = acceptor.accept(listener.accept().await.unwrap().0).await.unwrap();
        let mut request = [0; 1024];
        assert!(stream.read(&mut request).await.unwrap() > 0);
        let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\nconnection: close\r\n\r\njava";
        stream.write_all(answer).await.unwrap();
        stream.shutdown().await.unwrap();
    });
    address
}

#[tokio::test]
async fn our_client_reaches_java_servers_with_one_classical_group() {
    let ca = Authority::new("root");
    let tls = ClientTls::new(&ca.identity("ES", 2)).unwrap();
    for (group, version) in JAVA {
        let address = java_server(&ca.identity("DK", 1), group, version).await;
        let base = format!("https://localhost:{}", address.port());
        let limits = ClientLimits::default();
        let client = Client::new(&base, Some(country("DK")), tls.clone(), limits);
        let answer = client.get("/").await.unwrap();
        assert_eq!((answer.status.as_u16(), &answer.body[..]), (200, &b"java"[..]));
        let used = answer.peer.unwrap().key_exchange();
        assert_eq!(used, Some(group.name()), "{version:?}");
    }
}
