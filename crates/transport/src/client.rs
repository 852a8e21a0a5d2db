//! A pooled HTTP/1.1 client over mutual TLS, one for each peer.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use exchange::Country;
use http::{Method, Request, StatusCode, Uri, header};
use http_body_util::Full;
use hyper_util::client::legacy::Client as Pool;
use hyper_util::client::legacy::connect::{Connected, Connection};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use rustls_pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use trust::certificate::Certificate;

use crate::server::{BodyError, content_length, read_body};
use crate::tls::ClientTls;

/// Why a peer gave no answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ClientError {
    /// No connection: nothing was sent. Usually the peer is down, or certificates do not fit.
    #[error("could not connect: {0}")]
    Connect(String),
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
}

/// A client for one peer.
#[derive(Debug, Clone)]
pub struct Client {
    pool: Pool<Connector, Full<Bytes>>,
    base: String,
    limits: ClientLimits,
}

impl Client {
    /// A client for `base` (`https://host:port`), whose certificate must speak for `country`.
    pub fn new(base: &str, country: Option<Country>, tls: ClientTls, limits: ClientLimits) -> Self {
        let connector = Connector { tls, country, timeout: limits.connect };
        let pool = Pool::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(Duration::from_secs(30))
            .pool_max_idle_per_host(limits.idle)
            .build(connector);
        Self { pool, base: base.trim_end_matches('/').to_owned(), limits }
    }

    /// Posts a body.
    pub async fn post(&self, path: &str, content_type: &str, body: Bytes) -> Result<Answer, ClientError> {
        self.send(Method::POST, path, content_type, body).await
    }

    /// Gets a resource.
    pub async fn get(&self, path: &str) -> Result<Answer, ClientError> {
        self.send(Method::GET, path, "", Bytes::new()).await
    }

    async fn send(&self, method: Method, path: &str, content_type: &str, body: Bytes) -> Result<Answer, ClientError> {
        let mut request = Request::builder().method(method).uri(format!("{}{path}", self.base));
        if !content_type.is_empty() {
            request = request.header(header::CONTENT_TYPE, content_type);
        }
        let request = request.body(Full::new(body)).map_err(|e| ClientError::Connect(e.to_string()))?;
        tokio::time::timeout(self.limits.request, self.exchange(request)).await.map_err(|_| ClientError::Timeout)?
    }

    async fn exchange(&self, request: Request<Full<Bytes>>) -> Result<Answer, ClientError> {
        let response = self.pool.request(request).await.map_err(|e| {
            let cause = root_cause(&e);
            if e.is_connect() { ClientError::Connect(cause) } else { ClientError::Broken(cause) }
        })?;
        let status = response.status();
        let content_type = response.headers().get(header::CONTENT_TYPE);
        let content_type = content_type.and_then(|v| v.to_str().ok()).unwrap_or("").to_owned();
        let length = content_length(response.headers());
        let body = read_body(response.into_body(), length, self.limits.body, self.limits.request).await;
        let body = body.map_err(|e| match e {
            BodyError::TooLong => ClientError::TooLong,
            BodyError::TooSlow => ClientError::Timeout,
            BodyError::Broken => ClientError::Broken("the answer broke off".into()),
        })?;
        Ok(Answer { status, content_type, body })
    }
}

fn root_cause(error: &dyn std::error::Error) -> String {
    let mut at = error;
    while let Some(source) = at.source() {
        at = source;
    }
    at.to_string()
}

#[derive(Clone, Debug)]
struct Connector {
    tls: ClientTls,
    country: Option<Country>,
    timeout: Duration,
}

impl tower_service::Service<Uri> for Connector {
    type Response = TokioIo<Secured>;
    type Error = std::io::Error;
    type Future = Pin<Box<dyn Future<Output = std::io::Result<Self::Response>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let this = self.clone();
        Box::pin(async move {
            let connecting = tokio::time::timeout(this.timeout, this.connect(&uri));
            connecting.await.unwrap_or_else(|_| Err(std::io::Error::other("no connection in time")))
        })
    }
}

impl Connector {
    async fn connect(&self, uri: &Uri) -> std::io::Result<TokioIo<Secured>> {
        let host = uri.host().ok_or_else(|| std::io::Error::other("address without host"))?;
        let host = host.trim_matches(['[', ']']);
        let socket = TcpStream::connect((host, uri.port_u16().unwrap_or(443))).await?;
        socket.set_nodelay(true)?;
        let name = ServerName::try_from(host.to_owned()).map_err(std::io::Error::other)?;
        let stream = TlsConnector::from(self.tls.current()).connect(name, socket).await?;
        let presented = stream.get_ref().1.peer_certificates().and_then(|chain| chain.first());
        let certificate = presented.and_then(|der| Certificate::from_der(der).ok());
        if self.country.is_some() && certificate.and_then(|c| c.country()) != self.country {
            return Err(std::io::Error::other("the server's certificate is of another country"));
        }
        Ok(TokioIo::new(Secured(stream)))
    }
}

/// A TLS stream that the pool may keep.
struct Secured(TlsStream<TcpStream>);

impl Connection for Secured {
    fn connected(&self) -> Connected {
        Connected::new()
    }
}

impl AsyncRead for Secured {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, buf)
    }
}

impl AsyncWrite for Secured {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<std::io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[std::io::IoSlice<'_>],
    ) -> Poll<std::io::Result<usize>> {
        Pin::new(&mut self.0).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.0.is_write_vectored()
    }
}
