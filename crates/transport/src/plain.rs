//! HTTP without TLS: over a Unix socket between processes of one machine, where who may speak is the
//! file's mode; and as a client of services whose answers carry their own signatures (tiles of a
//! log, RFC 3161 time-stamps).

use std::future::Future;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode, header};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixListener, UnixStream};
use tokio::sync::Semaphore;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::body::{self, BodyError, content_length};
use crate::problem::Body;
use crate::server::Limits;

/// A bound Unix socket that does not serve yet. The file goes when this is dropped.
#[derive(Debug)]
pub struct Local {
    listener: UnixListener,
    path: PathBuf,
}

impl Local {
    /// Binds it for our own user and group. A file that a killed process left is replaced; one that
    /// somebody serves is not.
    pub async fn bind(path: &Path) -> std::io::Result<Self> {
        if UnixStream::connect(path).await.is_ok() {
            return Err(std::io::ErrorKind::AddrInUse.into());
        }
        match std::fs::remove_file(path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let listener = UnixListener::bind(path)?;
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o660))?;
        Ok(Self { listener, path: path.to_owned() })
    }

    /// Serves HTTP/1.1 until `stop`; running requests may finish.
    pub async fn serve<H, F>(self, limits: Limits, stop: CancellationToken, handler: H)
    where
        H: Fn(Request<Incoming>) -> F + Clone + Send + Sync + 'static,
        F: Future<Output = Response<Body>> + Send + 'static,
    {
        let (tracker, slots) = (TaskTracker::new(), Arc::new(Semaphore::new(limits.connections)));
        loop {
            let slot = Arc::clone(&slots).acquire_owned();
            let Some(Ok(slot)) = stop.run_until_cancelled(slot).await else { break };
            let accepted = stop.run_until_cancelled(self.listener.accept()).await;
            let Some(accepted) = accepted else { break };
            let Ok((socket, _)) = accepted else {
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            };
            let (handler, stop) = (handler.clone(), stop.clone());
            tracker.spawn(async move {
                let _slot = slot;
                let service = service_fn(move |request| {
                    let answer = timeout(limits.request, handler(request));
                    async move {
                        let late = |_| {
                            let mut late = Response::new(Body::from("no answer in time\n"));
                            *late.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
                            late
                        };
                        Ok::<_, std::convert::Infallible>(answer.await.unwrap_or_else(late))
                    }
                });
                let connection = hyper::server::conn::http1::Builder::new()
                    .timer(TokioTimer::new())
                    .header_read_timeout(limits.headers)
                    .serve_connection(TokioIo::new(socket), service);
                tokio::pin!(connection);
                if stop.run_until_cancelled(connection.as_mut()).await.is_none() {
                    connection.as_mut().graceful_shutdown();
                    let _ = timeout(limits.drain, connection).await;
                }
            });
        }
        tracker.close();
        tracker.wait().await;
    }
}

impl Drop for Local {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.path);
    }
}

/// Why a request came to nothing.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PlainError {
    /// Nobody serves there, or it broke off.
    #[error("nobody answers at {place}: {why}")]
    Unreachable {
        /// Where.
        place: String,
        /// What the system says.
        why: String,
    },
    /// It did not answer in time.
    #[error("no answer in time")]
    Timeout,
    /// The answer is longer than we read.
    #[error("the answer is too long")]
    TooLong,
    /// The address is not `http://host[:port][/path]`.
    #[error("{0} is not an address of the form http://host:port")]
    Address(String),
}

/// A client of one such service. A connection a request: on one machine that costs microseconds.
#[derive(Debug, Clone)]
pub struct PlainClient {
    place: Place,
    time: Duration,
}

#[derive(Debug, Clone)]
enum Place {
    Unix(PathBuf),
    Tcp { host: String, port: u16, base: String },
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Unix(path) => path.display().fmt(f),
            Self::Tcp { host, port, .. } => write!(f, "http://{host}:{port}"),
        }
    }
}

impl PlainClient {
    /// Of the socket at `path`; each request may take `time`.
    pub fn unix(path: &Path, time: Duration) -> Self {
        Self { place: Place::Unix(path.to_owned()), time }
    }

    /// Of `http://host:port`; paths are behind what follows.
    pub fn of_url(url: &str, time: Duration) -> Result<Self, PlainError> {
        let wrong = || PlainError::Address(url.to_owned());
        let uri: http::Uri = url.parse().map_err(|_| wrong())?;
        let host = uri.host().filter(|_| uri.scheme_str() == Some("http")).ok_or_else(wrong)?;
        let (host, port) = (host.trim_matches(['[', ']']).to_owned(), uri.port_u16().unwrap_or(80));
        let base = uri.path().trim_end_matches('/').to_owned();
        Ok(Self { place: Place::Tcp { host, port, base }, time })
    }

    /// Posts a body; status and body of the answer.
    pub async fn post(
        &self,
        to: &str,
        content_type: &str,
        body: Vec<u8>,
    ) -> Result<(StatusCode, Bytes), PlainError> {
        self.send(Method::POST, to, content_type, body).await
    }

    /// Gets a resource.
    pub async fn get(&self, from: &str) -> Result<(StatusCode, Bytes), PlainError> {
        self.send(Method::GET, from, "", Vec::new()).await
    }

    async fn send(
        &self,
        method: Method,
        to: &str,
        content_type: &str,
        body: Vec<u8>,
    ) -> Result<(StatusCode, Bytes), PlainError> {
        let (host, base) = match &self.place {
            Place::Unix(_) => ("localhost".to_owned(), ""),
            Place::Tcp { host, port, base } => (format!("{host}:{port}"), base.as_str()),
        };
        let path = format!("{base}{to}");
        let path = if path.is_empty() { "/" } else { &path };
        let mut request = Request::builder().method(method).uri(path);
        request = request.header(header::HOST, host);
        if !content_type.is_empty() {
            request = request.header(header::CONTENT_TYPE, content_type);
        }
        let request = request.body(Body::from(body)).map_err(|error| self.unreachable(&error))?;
        timeout(self.time, self.dial(request)).await.map_err(|_| PlainError::Timeout)?
    }

    async fn dial(&self, request: Request<Body>) -> Result<(StatusCode, Bytes), PlainError> {
        match &self.place {
            Place::Unix(path) => {
                let socket = UnixStream::connect(path).await.map_err(|e| self.unreachable(&e))?;
                self.exchange(socket, request).await
            }
            Place::Tcp { host, port, .. } => {
                let socket = TcpStream::connect((host.as_str(), *port)).await;
                self.exchange(socket.map_err(|e| self.unreachable(&e))?, request).await
            }
        }
    }

    async fn exchange(
        &self,
        socket: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
        request: Request<Body>,
    ) -> Result<(StatusCode, Bytes), PlainError> {
        let shaken = hyper::client::conn::http1::handshake(TokioIo::new(socket)).await;
        let (mut sender, connection) = shaken.map_err(|error| self.unreachable(&error))?;
        let connection = tokio::spawn(connection);
        let answer = sender.send_request(request).await;
        let answer = answer.map_err(|error| self.unreachable(&error))?;
        let (status, length) = (answer.status(), content_length(answer.headers()));
        let body = body::read(&mut answer.into_body(), length, MAX_ANSWER, self.time).await;
        drop(sender);
        connection.abort();
        match body {
            Ok(body) => Ok((status, body)),
            Err(BodyError::TooLong) => Err(PlainError::TooLong),
            Err(BodyError::TooSlow) => Err(PlainError::Timeout),
            Err(BodyError::Broken) => Err(self.unreachable(&"the answer broke off")),
        }
    }

    fn unreachable(&self, why: &dyn std::fmt::Display) -> PlainError {
        PlainError::Unreachable { place: self.place.to_string(), why: why.to_string() }
    }
}

const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// The longest answer that a client reads.
const MAX_ANSWER: usize = 64 << 20;

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_socket_serves_its_own_user_and_gives_way_to_nobody() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("line");
        std::fs::write(&path, "left behind").unwrap();
        let local = Local::bind(&path).await.unwrap();
        let mode = std::fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o007, 0, "others cannot speak to it");
        assert!(Local::bind(&path).await.is_err(), "somebody serves there");
        let stop = CancellationToken::new();
        let served = tokio::spawn(local.serve(
            Limits::default(),
            stop.clone(),
            |request: Request<Incoming>| async move {
                Response::new(Body::from(request.uri().path().to_owned()))
            },
        ));
        let client = PlainClient::unix(&path, Duration::from_secs(5));
        for _ in 0..3 {
            let (status, body) = client
                .post("/entries", "application/octet-stream", vec![7; 100_000])
                .await
                .unwrap();
            assert_eq!((status, &body[..]), (StatusCode::OK, &b"/entries"[..]));
        }
        stop.cancel();
        served.await.unwrap();
        assert!(!path.exists(), "it takes its file along");
        assert!(matches!(client.get("/").await, Err(PlainError::Unreachable { .. })));
    }
}
