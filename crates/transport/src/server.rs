//! Listeners: bind first, then serve; every limit has a name.

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use http::{Request, Response, StatusCode};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tokio_util::either::Either;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::Peer;
pub use crate::body::{BodyError, content_length, read_body};
use crate::crowd::Crowd;
use crate::gather::Gathered;
use crate::hop::{By, Holes, HopStream, LastHop, Line, Open, Terminator};
use crate::problem::{Body, respond};
use crate::refused::{self, OnRefused, Reason, Refused};
use crate::stream::{Patient, WRITE_BYTES};
use crate::tls::ServerTls;

/// What a connection or a request may cost.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Connections at the same time; further ones wait in the kernel. A request whose sender hung
    /// up keeps the connection's place until it has run to its end.
    pub connections: usize,
    /// Longest request line and headers together, in bytes.
    pub header_bytes: usize,
    /// Longest request body, in bytes.
    pub body: usize,
    /// TLS handshake.
    pub handshake: Duration,
    /// Request line and headers: stops slow senders. Also how long a connection may idle between
    /// requests; [`crate::client::IDLE`] is shorter, so that a pooled client does not post into a closing one.
    pub headers: Duration,
    /// The whole request body: stops slow senders.
    pub body_time: Duration,
    /// A whole request, body and answer; then it is dropped and answered with 503.
    pub request: Duration,
    /// How long a peer may take none of what we write: stops slow readers.
    pub writes: Duration,
    /// How long a stream that is not HTTP may be silent.
    pub idle: Duration,
    /// What a running request gets to finish when the node stops.
    pub drain: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 2048,
            header_bytes: 64 << 10,
            body: 24 << 20,
            handshake: Duration::from_secs(10),
            headers: Duration::from_secs(10),
            body_time: Duration::from_secs(30),
            request: Duration::from_secs(90),
            writes: Duration::from_secs(30),
            idle: Duration::from_secs(600),
            drain: Duration::from_secs(20),
        }
    }
}

/// A bound socket that does not serve yet.
pub struct Bound {
    listener: TcpListener,
    tls: Option<ServerTls>,
    last_hop: LastHop,
    on_refused: OnRefused,
}

impl std::fmt::Debug for Bound {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Bound({:?})", self.listener)
    }
}

impl Bound {
    /// Binds a TLS listener; whether it wants client certificates is `tls`'s business.
    pub async fn tls(address: SocketAddr, tls: ServerTls) -> std::io::Result<Self> {
        Ok(Self {
            listener: TcpListener::bind(address).await?,
            tls: Some(tls),
            last_hop: LastHop::default(),
            on_refused: unheard(),
        })
    }

    /// Binds a plain listener, for the admin pages on loopback.
    pub async fn plain(address: SocketAddr) -> std::io::Result<Self> {
        let (last_hop, on_refused) = (LastHop::default(), unheard());
        Ok(Self { listener: TcpListener::bind(address).await?, tls: None, last_hop, on_refused })
    }

    /// Has the TLS of its connections ended by whoever is there to do it.
    pub fn ended_by(mut self, last_hop: LastHop) -> Self {
        self.last_hop = last_hop;
        self
    }

    /// Tells `on_refused` of each connection that was given up before a request could be answered.
    pub fn on_refused(mut self, on_refused: OnRefused) -> Self {
        self.on_refused = on_refused;
        self
    }

    /// The address, with the port that the system chose.
    pub fn address(&self) -> std::io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Serves HTTP/1.1 until `stop`; then lets running requests finish for [`Limits::drain`] and
    /// cuts what is left.
    pub async fn serve<H, F>(self, limits: Limits, stop: CancellationToken, handler: H)
    where
        H: Fn(Option<Peer>, Request<Incoming>) -> F + Clone + Send + Sync + 'static,
        F: Future<Output = Response<Body>> + Send + 'static,
    {
        let on_refused = Arc::clone(&self.on_refused);
        self.accept(limits, None, stop, move |connection, stop, tasks| {
            let (handler, on_refused) = (handler.clone(), Arc::clone(&on_refused));
            async move { http1(connection, limits, stop, tasks, handler, &on_refused).await }
        })
        .await;
    }

    /// Hands each connection to `handler` until `stop`, for protocols other than HTTP. Reads fail
    /// with `TimedOut` after [`Limits::idle`].
    pub async fn serve_streams<H, F>(self, limits: Limits, stop: CancellationToken, handler: H)
    where
        H: Fn(Stream, Option<Peer>, CancellationToken) -> F + Clone + Send + Sync + 'static,
        F: Future<Output = ()> + Send + 'static,
    {
        self.accept(limits, Some(limits.idle), stop, move |connection, stop, _| {
            handler(connection.stream, connection.peer, stop)
        })
        .await;
    }

    async fn accept<H, F>(
        self,
        limits: Limits,
        idle: Option<Duration>,
        stop: CancellationToken,
        handler: H,
    ) where
        H: Fn(Connection, CancellationToken, Tasks) -> F + Clone + Send + Sync + 'static,
        F: Future<Output = ()> + Send + 'static,
    {
        let Tasks { tracker, cut, .. } = Tasks::default();
        let room = self.last_hop.current().map(|ends| ends.room());
        let most = room.map_or(usize::MAX, |room| room.connections).min(limits.connections);
        let turns = Arc::new(Semaphore::new(room.map_or(HANDSHAKES, |room| room.handshakes)));
        let slots = Arc::new(Semaphore::new(most));
        // not half of what a vault ends: its listener is for one country
        let crowd = Crowd::new(limits.connections.div_ceil(2));
        loop {
            let slot = Arc::clone(&slots).acquire_owned();
            let Some(Ok(slot)) = stop.run_until_cancelled(slot).await else { break };
            let (socket, address) = match stop.run_until_cancelled(self.listener.accept()).await {
                None => break,
                Some(Ok(accepted)) => accepted,
                Some(Err(error)) => {
                    // out of descriptors, or a peer that left: neither may end the loop
                    tracing::warn!(%error, "accept failed");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                    continue;
                }
            };
            let (tls, handler, stop, cut) =
                (self.tls.clone(), handler.clone(), stop.clone(), cut.clone());
            let ends = self.last_hop.current().map(|ends| (ends, Arc::clone(&turns)));
            let (on_refused, crowd) = (Arc::clone(&self.on_refused), Arc::clone(&crowd));
            let slot = Arc::new(slot);
            let tasks =
                Tasks { tracker: tracker.clone(), cut: cut.clone(), slot: Some(Arc::clone(&slot)) };
            tracker.spawn(async move {
                let _slot = slot;
                let _ = socket.set_nodelay(true);
                let shaken = handshake(socket, address, tls.zip(Some(ends)), idle, limits);
                match stop.run_until_cancelled(shaken).await {
                    Some(Ok(connection)) => {
                        let country = connection.peer.as_ref().and_then(Peer::country);
                        let Some(_entered) = crowd.enter(country) else {
                            let peer = connection.peer;
                            on_refused(Refused { reason: Reason::Crowded, address, peer });
                            return;
                        };
                        cut.run_until_cancelled(handler(connection, stop, tasks)).await;
                    }
                    Some(Err(Some(reason))) => on_refused(Refused { reason, address, peer: None }),
                    Some(Err(None)) | None => {}
                }
            });
        }
        drop(self.listener);
        tracker.close();
        if timeout(limits.drain, tracker.wait()).await.is_err() {
            tracing::warn!(left = tracker.len(), "cut what still ran at the end of the drain time");
            cut.cancel();
            tracker.wait().await;
        }
    }
}

/// A connection, encrypted or not.
pub type Stream = Patient<Either<Either<TlsStream<Gathered>, HopStream>, TcpStream>>;

/// What a listener has running, and how it is cut at the end of the drain time.
#[derive(Clone, Default)]
struct Tasks {
    tracker: TaskTracker,
    cut: CancellationToken,
    /// The connection's place.
    slot: Option<Arc<OwnedSemaphorePermit>>,
}

/// Where a request's connection comes from, certificate or not; an extension of each request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Origin(pub SocketAddr);

/// A connection whose handshake is done.
struct Connection {
    stream: Stream,
    peer: Option<Peer>,
    address: SocketAddr,
    /// Its TLS configuration was replaced.
    retired: CancellationToken,
    /// Who ends its TLS, if not we, and the holes that he fills.
    ends: Option<(Arc<dyn Line>, Open)>,
}

/// Who ends the TLS of a connection in our place, and the turns of those who shake hands with him.
type Ends = (Arc<dyn Terminator>, Arc<Semaphore>);

/// Shakes hands. An error without a reason is a connection that came and went without a word, as
/// those of load balancers do.
async fn handshake(
    socket: TcpStream,
    address: SocketAddr,
    tls: Option<(ServerTls, Option<Ends>)>,
    idle: Option<Duration>,
    limits: Limits,
) -> Result<Connection, Option<Reason>> {
    let Some((tls, ends)) = tls else {
        let stream = Patient::new(Either::Right(socket), idle, limits.writes);
        let (retired, ends) = (CancellationToken::new(), None);
        return Ok(Connection { stream, peer: None, address, retired, ends });
    };
    let generation = tls.current();
    let acceptor = TlsAcceptor::from(Arc::clone(&generation.config));
    let accepted = timeout(limits.handshake, async {
        if socket.peek(&mut [0]).await.is_ok_and(|bytes| bytes == 0) {
            return Ok(None);
        }
        if let (Some((ends, turns)), Some(verifier)) = (ends, &generation.verifier) {
            let accepted = HopStream::accept(socket, address, &*ends, &turns, &**verifier);
            let (stream, peer) = accepted.await?;
            return Ok(Some((Either::Right(stream), Some(peer))));
        }
        let mut stream = acceptor.accept(Gathered::new(socket)).await?;
        stream.get_mut().1.set_buffer_limit(Some(WRITE_BYTES));
        let peer = Peer::of(stream.get_ref().1, address);
        Ok(Some((Either::Left(stream), peer)))
    });
    match accepted.await {
        Ok(Ok(Some((stream, peer)))) => {
            if generation.mutual && peer.is_none() {
                return Err(Some(Reason::Certificate));
            }
            let ends = match &stream {
                Either::Left(_) => None,
                Either::Right(hop) => Some(hop.ends()),
            };
            let stream = Patient::new(Either::Left(stream), idle, limits.writes);
            Ok(Connection { stream, peer, address, retired: generation.retired.clone(), ends })
        }
        Ok(Ok(None)) => Err(None),
        Ok(Err::<_, std::io::Error>(error)) => {
            tracing::info!(%error, %address, "tls handshake refused");
            Err(Some(Reason::Handshake))
        }
        Err(_) => {
            tracing::info!(%address, "no tls handshake in time");
            Err(Some(Reason::SlowHandshake))
        }
    }
}

async fn http1<H, F>(
    connection: Connection,
    limits: Limits,
    stop: CancellationToken,
    Tasks { tracker, cut, slot }: Tasks,
    handler: H,
    on_refused: &OnRefused,
) where
    H: Fn(Option<Peer>, Request<Incoming>) -> F,
    F: Future<Output = Response<Body>> + Send + 'static,
{
    let Connection { stream, peer, address, retired, ends } = connection;
    let served = AtomicBool::new(false);
    let service = service_fn(|mut request: Request<Incoming>| {
        served.store(true, Ordering::Relaxed);
        request.extensions_mut().insert(Origin(address));
        if let Some((line, _)) = &ends {
            request.extensions_mut().insert(By(Arc::clone(line)));
        }
        let open = ends.as_ref().map(|(_, open)| open.clone());
        let answer = timeout(limits.request, handler(peer.clone(), request));
        // a task of its own: who hangs up does not cut off what has begun in the middle
        let (cut, slot) = (cut.clone(), slot.clone());
        let task = tracker.spawn(async move {
            let _slot = slot;
            cut.run_until_cancelled(answer).await
        });
        async move {
            Ok::<_, std::convert::Infallible>(match task.await {
                Ok(Some(Ok(response))) => with_holes(response, open),
                Ok(_) => {
                    tracing::warn!("a request took longer than its limit");
                    respond(StatusCode::SERVICE_UNAVAILABLE, "text/plain", "no answer in time\n")
                }
                Err(_) => {
                    tracing::error!("a request ended in a panic");
                    respond(StatusCode::INTERNAL_SERVER_ERROR, "text/plain", "failed\n")
                }
            })
        }
    });
    let connection = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.headers)
        .max_buf_size(limits.header_bytes.max(MIN_BUFFER))
        .serve_connection(TokioIo::new(stream), service);
    tokio::pin!(connection);
    let result = tokio::select! {
        result = connection.as_mut() => Some(result),
        () = stop.cancelled() => None,
        () = retired.cancelled() => None,
    };
    let result = if let Some(ended) = result {
        ended
    } else {
        connection.as_mut().graceful_shutdown();
        connection.await
    };
    if let Err(error) = result {
        tracing::debug!(%error, "connection ended");
        let reason = refused::of_http(&error, served.load(Ordering::Relaxed));
        if let (Some(reason), Some(peer)) = (reason, peer) {
            on_refused(Refused { reason, address: peer.address(), peer: Some(peer) });
        }
    }
}

/// Tells the connection which holes are in the body that comes. A body with holes on any other connection
/// would be zeros in the place of documents.
fn with_holes(mut response: Response<Body>, open: Option<Open>) -> Response<Body> {
    match (open, response.extensions_mut().remove::<Holes>()) {
        (Some(open), holes) => open.begin(holes.unwrap_or_default()),
        (None, None) => {}
        (None, Some(_)) => {
            tracing::error!("an answer with holes, and nobody to fill them");
            return respond(StatusCode::INTERNAL_SERVER_ERROR, "text/plain", "failed\n");
        }
    }
    response
}

/// Nobody asked to be told.
fn unheard() -> OnRefused {
    Arc::new(|_| {})
}

/// After a failed accept; failing at once again would spin.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// hyper refuses smaller buffers.
const MIN_BUFFER: usize = 8192;
/// At once, where somebody ends the connections who did not when the listener began.
const HANDSHAKES: usize = 64;
