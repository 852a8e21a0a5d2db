//! Listeners: bind first, then serve; every limit has a name.

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::{Request, Response, header};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use rustls::ServerConnection;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use trust::certificate::Certificate;

use crate::Peer;
use crate::problem::Body;
use crate::tls::ServerTls;

/// What a connection or a request may cost.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Connections at the same time; further ones wait in the kernel.
    pub connections: usize,
    /// Longest request body, in bytes.
    pub body: usize,
    /// TLS handshake.
    pub handshake: Duration,
    /// Request line and headers: stops slow senders.
    pub headers: Duration,
    /// The whole request body: stops slow senders.
    pub body_time: Duration,
    /// What a running request gets to finish when the node stops.
    pub drain: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 2048,
            body: 24 << 20,
            handshake: Duration::from_secs(10),
            headers: Duration::from_secs(10),
            body_time: Duration::from_secs(30),
            drain: Duration::from_secs(20),
        }
    }
}

/// A bound socket that does not serve yet.
#[derive(Debug)]
pub struct Bound {
    listener: TcpListener,
    tls: Option<ServerTls>,
}

impl Bound {
    /// Binds a mutual TLS listener.
    pub async fn tls(address: SocketAddr, tls: ServerTls) -> std::io::Result<Self> {
        Ok(Self { listener: TcpListener::bind(address).await?, tls: Some(tls) })
    }

    /// Binds a plain listener, for the admin pages on loopback.
    pub async fn plain(address: SocketAddr) -> std::io::Result<Self> {
        Ok(Self { listener: TcpListener::bind(address).await?, tls: None })
    }

    /// The address, with the port that the system chose.
    pub fn address(&self) -> std::io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Serves HTTP/1.1 until `stop`; then lets running requests finish.
    pub async fn serve<H, F>(self, limits: Limits, stop: CancellationToken, handler: H)
    where
        H: Fn(Option<Peer>, Request<Incoming>) -> F + Clone + Send + Sync + 'static,
        F: Future<Output = Response<Body>> + Send + 'static,
    {
        let tracker = self
            .accept(limits, stop, move |stream, peer, limits, stop| {
                let handler = handler.clone();
                async move { http1(stream, peer, limits, stop, handler).await }
            })
            .await;
        drain(tracker, limits).await;
    }

    /// Hands each connection to `handler` until `stop`, for protocols other than HTTP.
    pub async fn serve_streams<H, F>(self, limits: Limits, stop: CancellationToken, handler: H)
    where
        H: Fn(Stream, Option<Peer>, CancellationToken) -> F + Clone + Send + Sync + 'static,
        F: Future<Output = ()> + Send + 'static,
    {
        let tracker = self.accept(limits, stop, move |stream, peer, _, stop| handler(stream, peer, stop)).await;
        drain(tracker, limits).await;
    }

    async fn accept<H, F>(self, limits: Limits, stop: CancellationToken, handler: H) -> TaskTracker
    where
        H: Fn(Stream, Option<Peer>, Limits, CancellationToken) -> F + Clone + Send + Sync + 'static,
        F: Future<Output = ()> + Send + 'static,
    {
        let tracker = TaskTracker::new();
        let slots = Arc::new(Semaphore::new(limits.connections));
        loop {
            let slot = Arc::clone(&slots).acquire_owned();
            let Some(Ok(slot)) = stop.run_until_cancelled(slot).await else { break };
            let accepted = match stop.run_until_cancelled(self.listener.accept()).await {
                None => break,
                Some(Ok((socket, _))) => socket,
                Some(Err(error)) => {
                    // out of descriptors, or a peer that left: neither may end the loop
                    tracing::warn!(%error, "accept failed");
                    tokio::time::sleep(Duration::from_millis(50)).await;
                    continue;
                }
            };
            let (tls, handler, stop) = (self.tls.clone(), handler.clone(), stop.clone());
            tracker.spawn(async move {
                let _slot = slot;
                let _ = accepted.set_nodelay(true);
                if let Some((stream, peer)) = handshake(accepted, tls, limits).await {
                    handler(stream, peer, limits, stop).await;
                }
            });
        }
        tracker
    }
}

/// A connection, encrypted or not.
pub type Stream = tokio_util::either::Either<tokio_rustls::server::TlsStream<TcpStream>, TcpStream>;

async fn handshake(socket: TcpStream, tls: Option<ServerTls>, limits: Limits) -> Option<(Stream, Option<Peer>)> {
    let Some(tls) = tls else { return Some((Stream::Right(socket), None)) };
    let accepted = timeout(limits.handshake, TlsAcceptor::from(tls.current()).accept(socket)).await;
    match accepted {
        Ok(Ok(stream)) => {
            let peer = peer_of(stream.get_ref().1)?;
            Some((Stream::Left(stream), Some(peer)))
        }
        Ok(Err(error)) => {
            tracing::debug!(%error, "tls handshake refused");
            None
        }
        Err(_) => None,
    }
}

fn peer_of(connection: &ServerConnection) -> Option<Peer> {
    let certificate = Certificate::from_der(connection.peer_certificates()?.first()?).ok()?;
    Some(Peer::new(certificate, connection.negotiated_key_exchange_group().map(rustls::crypto::SupportedKxGroup::name)))
}

async fn http1<H, F>(stream: Stream, peer: Option<Peer>, limits: Limits, stop: CancellationToken, handler: H)
where
    H: Fn(Option<Peer>, Request<Incoming>) -> F,
    F: Future<Output = Response<Body>>,
{
    let service = service_fn(|request| {
        let answer = handler(peer.clone(), request);
        async move { Ok::<_, std::convert::Infallible>(answer.await) }
    });
    let connection = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.headers)
        .max_buf_size(64 << 10)
        .serve_connection(TokioIo::new(stream), service);
    tokio::pin!(connection);
    tokio::select! {
        result = connection.as_mut() => if let Err(error) = result {
            tracing::debug!(%error, "connection ended");
        },
        () = stop.cancelled() => {
            connection.as_mut().graceful_shutdown();
            let _ = connection.await;
        }
    }
}

async fn drain(tracker: TaskTracker, limits: Limits) {
    tracker.close();
    if timeout(limits.drain, tracker.wait()).await.is_err() {
        tracing::warn!("requests still ran at the end of the drain time");
    }
}

/// Why a body was not read. Always the sender's fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BodyError {
    /// Longer than the limit.
    #[error("body is longer than the limit")]
    TooLong,
    /// Not complete in time.
    #[error("body did not arrive in time")]
    TooSlow,
    /// The connection broke.
    #[error("body broke off")]
    Broken,
}

/// Reads a body of at most `limit` bytes within `time`.
pub async fn read_body<B>(body: B, length: Option<usize>, limit: usize, time: Duration) -> Result<Bytes, BodyError>
where
    B: hyper::body::Body<Data = Bytes> + Unpin,
{
    if length.is_some_and(|length| length > limit) {
        return Err(BodyError::TooLong);
    }
    timeout(time, collect(body, length.unwrap_or(0), limit)).await.map_err(|_| BodyError::TooSlow)?
}

/// The `Content-Length` of a message.
pub fn content_length(headers: &http::HeaderMap) -> Option<usize> {
    headers.get(header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

async fn collect<B>(mut body: B, expected: usize, limit: usize) -> Result<Bytes, BodyError>
where
    B: hyper::body::Body<Data = Bytes> + Unpin,
{
    let mut whole = BytesMut::with_capacity(expected.min(MAX_RESERVED));
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|_| BodyError::Broken)?;
        if let Ok(data) = frame.into_data() {
            if whole.len() + data.len() > limit {
                return Err(BodyError::TooLong);
            }
            whole.extend_from_slice(&data);
        }
    }
    if expected > 0 && whole.len() != expected { Err(BodyError::Broken) } else { Ok(whole.freeze()) }
}

/// A peer's word is not enough to reserve more than this.
const MAX_RESERVED: usize = 256 << 10;
