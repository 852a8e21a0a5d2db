//! A pooled HTTP/1.1 client over mutual TLS, one for each peer.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use arc_swap::ArcSwap;
use bytes::Bytes;
use exchange::{Country, Digest};
use http::{Method, Request, StatusCode, Uri, header};
use hyper_util::client::legacy::Client as Pool;
use hyper_util::client::legacy::connect::{Connected, Connection};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use rustls::{AlertDescription, ClientConfig};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::Peer;
use crate::body::{self, BodyError, content_length};
use crate::pieces::Body;
use crate::stream::{Stream, Target, WrongPeer, dial};
use crate::tls::ClientTls;

/// Why a peer gave no answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ClientError {
    /// No connection: nothing was sent. Usually the peer is down, or certificates do not fit.
    #[error("could not connect: {0}")]
    Connect(String),
    /// The server is not whom we wanted: nothing was sent. An operator's, or an attacker's, doing.
    #[error("wrong peer: {0}")]
    WrongPeer(WrongPeer),
    /// No answer in time: it is not known whether the peer acted.
    #[error("no answer in time")]
    Timeout,
    /// The connection broke: it is not known whether the peer acted.
    #[error("connection broke: {0}")]
    Broken(String),
    /// The answer is longer than the limit.
    #[error("answer is longer than the limit")]
    TooLong,
}

/// What a client may cost.
#[derive(Debug, Clone, Copy)]
pub struct ClientLimits {
    /// TCP and TLS.
    pub connect: Duration,
    /// The whole request.
    pub request: Duration,
    /// Longest answer, in bytes.
    pub body: usize,
    /// Idle connections kept.
    pub idle: usize,
}

impl Default for ClientLimits {
    fn default() -> Self {
        let (connect, request) = (Duration::from_secs(5), Duration::from_secs(30));
        Self { connect, request, body: 24 << 20, idle: 512 }
    }
}

/// An answer with its body read.
#[derive(Debug, Clone)]
pub struct Answer {
    /// Status.
    pub status: StatusCode,
    /// `Content-Type`, empty when missing.
    pub content_type: String,
    /// Body.
    pub body: Bytes,
    /// Who answered.
    pub peer: Option<Peer>,
}

/// A client for one peer.
#[derive(Debug, Clone)]
pub struct Client {
    current: Arc<ArcSwap<Generation>>,
    connector: Connector,
    base: String,
    limits: ClientLimits,
}

/// The pool of one TLS configuration; a reload starts the next.
#[derive(Debug)]
struct Generation {
    tls: Arc<ClientConfig>,
    pool: Pool<Connector, Body>,
}

impl Client {
    /// A client for `base` (`https://host:port`), whose certificate must speak for `country`.
    pub fn new(base: &str, country: Option<Country>, tls: ClientTls, limits: ClientLimits) -> Self {
        Self::pinned(base, country, None, tls, limits)
    }

    /// A client for a server that must also present the one certificate with this fingerprint.
    pub fn pinned(
        base: &str,
        country: Option<Country>,
        pin: Option<Digest>,
        tls: ClientTls,
        limits: ClientLimits,
    ) -> Self {
        let base = base.trim_end_matches('/').to_owned();
        // an address without a host fails at its first request, as any other that leads nowhere
        let uri: Uri = base.parse().unwrap_or_default();
        let host = uri.host().unwrap_or("").trim_matches(['[', ']']).to_owned();
        let target = Target { host, port: uri.port_u16().unwrap_or(443), country, pin };
        let connector = Connector { target: Arc::new(target), tls, time: limits.connect };
        let current = Arc::new(ArcSwap::from_pointee(Generation::start(&connector, &limits)));
        Self { current, connector, base, limits }
    }

    /// Host name or address of the server.
    pub fn host(&self) -> &str {
        &self.connector.target.host
    }

    /// Posts a body.
    pub async fn post(
        &self,
        path: &str,
        content_type: &str,
        body: Bytes,
    ) -> Result<Answer, ClientError> {
        self.post_pieces(path, content_type, vec![body]).await
    }

    /// Posts a body of several pieces, which are not copied into one first.
    pub async fn post_pieces(
        &self,
        path: &str,
        content_type: &str,
        pieces: Vec<Bytes>,
    ) -> Result<Answer, ClientError> {
        self.send(Method::POST, path, content_type, pieces.into()).await
    }

    /// Gets a resource.
    pub async fn get(&self, path: &str) -> Result<Answer, ClientError> {
        self.send(Method::GET, path, "", Body::default()).await
    }

    async fn send(
        &self,
        method: Method,
        path: &str,
        content_type: &str,
        body: Body,
    ) -> Result<Answer, ClientError> {
        let mut request = Request::builder().method(method).uri(format!("{}{path}", self.base));
        if !content_type.is_empty() {
            request = request.header(header::CONTENT_TYPE, content_type);
        }
        let request = request.body(body).map_err(|e| ClientError::Connect(e.to_string()))?;
        tokio::time::timeout(self.limits.request, self.exchange(request))
            .await
            .map_err(|_| ClientError::Timeout)?
    }

    async fn exchange(&self, request: Request<Body>) -> Result<Answer, ClientError> {
        let response = self.pool().request(request).await.map_err(|e| failure(&e))?;
        let peer = response.extensions().get::<Peer>().cloned();
        let status = response.status();
        let content_type = response.headers().get(header::CONTENT_TYPE);
        let content_type = content_type.and_then(|v| v.to_str().ok()).unwrap_or("").to_owned();
        let length = content_length(response.headers());
        let body =
            body::read(&mut response.into_body(), length, self.limits.body, self.limits.request)
                .await;
        let body = body.map_err(|e| match e {
            BodyError::TooLong => ClientError::TooLong,
            BodyError::TooSlow => ClientError::Timeout,
            BodyError::Broken => ClientError::Broken("the answer broke off".into()),
        })?;
        Ok(Answer { status, content_type, body, peer })
    }

    /// The pool. After a reload a new one: connections with the old certificate are not used again.
    fn pool(&self) -> Pool<Connector, Body> {
        let current = self.current.load();
        if Arc::ptr_eq(&current.tls, &self.connector.tls.current()) {
            return current.pool.clone();
        }
        let next = Generation::start(&self.connector, &self.limits);
        let pool = next.pool.clone();
        self.current.store(Arc::new(next));
        pool
    }
}

impl Generation {
    fn start(connector: &Connector, limits: &ClientLimits) -> Self {
        let tls = connector.tls.current();
        let pool = Pool::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE)
            .pool_max_idle_per_host(limits.idle)
            .build(connector.clone());
        Self { tls, pool }
    }
}

/// Sorts a failed exchange: [`ClientError::Broken`] unless it is sure that nothing was acted on.
fn failure(error: &hyper_util::client::legacy::Error) -> ClientError {
    let mut at: &dyn std::error::Error = error;
    loop {
        let inner = at.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
        if let Some(wrong) = inner.and_then(|inner| inner.downcast_ref::<WrongPeer>()) {
            return ClientError::WrongPeer(*wrong);
        }
        if let Some(rustls::Error::AlertReceived(alert)) =
            inner.and_then(|inner| inner.downcast_ref())
        {
            // in TLS 1.3 the server judges our certificate after our handshake is done (RFC 8446 §4.4.2.4)
            if HANDSHAKE_ALERTS.contains(alert) {
                return ClientError::Connect(format!(
                    "the server refused the handshake: {alert:?}"
                ));
            }
        }
        match at.source() {
            Some(source) => at = source,
            None if error.is_connect() => return ClientError::Connect(at.to_string()),
            None => return ClientError::Broken(at.to_string()),
        }
    }
}

/// Opens connections for the pool.
#[derive(Clone, Debug)]
struct Connector {
    target: Arc<Target>,
    tls: ClientTls,
    time: Duration,
}

impl tower_service::Service<Uri> for Connector {
    type Response = TokioIo<Secured>;
    type Error = std::io::Error;
    type Future = Pin<Box<dyn Future<Output = std::io::Result<Self::Response>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Uri) -> Self::Future {
        let this = self.clone();
        Box::pin(async move {
            let (stream, peer) = dial(&this.target, &this.tls, this.time).await?;
            Ok(TokioIo::new(Secured { stream, peer }))
        })
    }
}

/// A TLS stream that the pool may keep.
struct Secured {
    stream: Stream,
    peer: Peer,
}

impl Connection for Secured {
    fn connected(&self) -> Connected {
        Connected::new().extra(self.peer.clone())
    }
}

impl AsyncRead for Secured {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for Secured {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<std::io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[std::io::IoSlice<'_>],
    ) -> Poll<std::io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}

/// How long an idle connection is kept. Shorter than any server's patience that we know of: our own
/// [`crate::server::Limits::headers`] is 10 s, Tomcat's keep-alive 20 s. The pool looks only so often:
/// a connection may stand twice as long, also one that was opened and never used, whose silence the
/// server would take for slow headers.
pub const IDLE: Duration = Duration::from_secs(4);

/// Alerts that end a handshake (RFC 8446 §6.2): the server acted on nothing.
const HANDSHAKE_ALERTS: [AlertDescription; 11] = [
    AlertDescription::HandshakeFailure,
    AlertDescription::BadCertificate,
    AlertDescription::UnsupportedCertificate,
    AlertDescription::CertificateRevoked,
    AlertDescription::CertificateExpired,
    AlertDescription::CertificateUnknown,
    AlertDescription::UnknownCA,
    AlertDescription::AccessDenied,
    AlertDescription::DecryptError,
    AlertDescription::ProtocolVersion,
    AlertDescription::CertificateRequired,
];
