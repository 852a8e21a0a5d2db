//! Certificates made at run time, a server and clients on loopback.
#![allow(dead_code, clippy::unwrap_used, reason = "tests; each file uses its part")]

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use exchange::Country;
use http::{Request, Response, StatusCode};
use hyper::body::Incoming;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use transport::Peer;
use transport::client::{Client, ClientLimits};
use transport::problem::{Body, respond};
use transport::server::{Bound, Limits, content_length, read_body};
use transport::stream::{Target, dial};
use transport::tls::{ClientTls, Identity, ServerTls};

/// A certificate authority.
pub struct Authority {
    issuer: rcgen::Issuer<'static, rcgen::KeyPair>,
    pub pem: String,
}

impl Authority {
    pub fn new(name: &str) -> Self {
        let key = rcgen::KeyPair::generate().unwrap();
        let mut params = rcgen::CertificateParams::new(Vec::<String>::new()).unwrap();
        params.distinguished_name.push(rcgen::DnType::CommonName, name);
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        params.key_usages =
            vec![rcgen::KeyUsagePurpose::KeyCertSign, rcgen::KeyUsagePurpose::CrlSign];
        let pem = params.self_signed(&key).unwrap().pem();
        Self { issuer: rcgen::Issuer::new(params, key), pem }
    }

    /// A certificate for both ends of TLS on loopback.
    pub fn identity(&self, country: &str, serial: u64) -> Identity {
        self.identity_with(country, serial, |_| ())
    }

    pub fn identity_with(
        &self,
        country: &str,
        serial: u64,
        change: impl FnOnce(&mut rcgen::CertificateParams),
    ) -> Identity {
        let key = rcgen::KeyPair::generate().unwrap();
        let names = vec!["localhost".to_owned(), "127.0.0.1".to_owned()];
        let mut params = rcgen::CertificateParams::new(names).unwrap();
        params.distinguished_name.push(rcgen::DnType::CountryName, country);
        params.serial_number = Some(serial.into());
        params.extended_key_usages = vec![
            rcgen::ExtendedKeyUsagePurpose::ServerAuth,
            rcgen::ExtendedKeyUsagePurpose::ClientAuth,
        ];
        change(&mut params);
        let leaf = params.signed_by(&key, &self.issuer).unwrap();
        Identity {
            chain: leaf.pem().into_bytes(),
            key: key.serialize_pem().into_bytes().into(),
            roots: self.pem.clone().into_bytes(),
        }
    }

    pub fn revoke(&self, serial: u64) -> String {
        let now = rcgen::date_time_ymd(2020, 1, 1);
        let params = rcgen::CertificateRevocationListParams {
            this_update: now,
            next_update: rcgen::date_time_ymd(2090, 1, 1),
            crl_number: 1u64.into(),
            issuing_distribution_point: None,
            revoked_certs: vec![rcgen::RevokedCertParams {
                serial_number: serial.into(),
                revocation_time: now,
                reason_code: None,
                invalidity_date: None,
            }],
            key_identifier_method: rcgen::KeyIdMethod::Sha256,
        };
        params.signed_by(&self.issuer).unwrap().pem().unwrap()
    }
}

pub fn country(code: &str) -> Country {
    Country::parse(code).unwrap()
}

/// A running server.
pub struct Running {
    pub address: SocketAddr,
    pub tls: ServerTls,
    pub stop: CancellationToken,
    pub task: JoinHandle<()>,
}

pub async fn start<H, F>(identity: &Identity, limits: Limits, handler: H) -> Running
where
    H: Fn(Option<Peer>, Request<Incoming>) -> F + Clone + Send + Sync + 'static,
    F: Future<Output = Response<Body>> + Send + 'static,
{
    let tls = ServerTls::new(identity).unwrap();
    let bound = Bound::tls("127.0.0.1:0".parse().unwrap(), tls.clone()).await.unwrap();
    let address = bound.address().unwrap();
    let stop = CancellationToken::new();
    let task = tokio::spawn(bound.serve(limits, stop.clone(), handler));
    Running { address, tls, stop, task }
}

/// Answers with the peer's country, key exchange and the length of the body.
pub async fn echo(
    peer: Option<Peer>,
    request: Request<Incoming>,
    limits: Limits,
) -> Response<Body> {
    let length = content_length(request.headers());
    match read_body(request.into_body(), length, limits.body, limits.body_time).await {
        Ok(body) => {
            let peer = peer.unwrap();
            let text = format!(
                "{:?} {:?} {}",
                peer.country().unwrap(),
                peer.key_exchange().unwrap(),
                body.len()
            );
            respond(StatusCode::OK, "text/plain", text)
        }
        Err(error) => respond(error.status(), "text/plain", error.code()),
    }
}

pub async fn start_echo(identity: &Identity, limits: Limits) -> Running {
    start(identity, limits, move |peer, request| echo(peer, request, limits)).await
}

pub fn client(
    running: &Running,
    expected: Option<&str>,
    identity: &Identity,
    limits: ClientLimits,
) -> Client {
    let base = format!("https://localhost:{}", running.address.port());
    Client::new(&base, expected.map(country), ClientTls::new(identity).unwrap(), limits)
}

pub fn body(length: usize) -> Bytes {
    vec![b'x'; length].into()
}

pub fn millis(count: u64) -> Duration {
    Duration::from_millis(count)
}

/// A connection of Spain, for clients that write HTTP by hand.
pub async fn connect(
    running: &Running,
    ca: &Authority,
) -> impl AsyncReadExt + AsyncWriteExt + Unpin + use<> {
    let tls = ClientTls::new(&ca.identity("ES", 9)).unwrap();
    let target =
        Target { host: "localhost".into(), port: running.address.port(), country: None, pin: None };
    dial(&target, &tls, millis(30_000)).await.unwrap().0
}

/// A raw TLS connection, for clients that misbehave.
pub async fn raw(
    running: &Running,
    config: rustls::ClientConfig,
) -> std::io::Result<tokio_rustls::client::TlsStream<tokio::net::TcpStream>> {
    let socket = tokio::net::TcpStream::connect(running.address).await?;
    let name = rustls_pki_types::ServerName::try_from("localhost").unwrap();
    tokio_rustls::TlsConnector::from(Arc::new(config)).connect(name, socket).await
}
