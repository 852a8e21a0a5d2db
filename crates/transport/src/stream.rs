//! Streams that do not stall for ever, and outgoing ones for protocols other than HTTP.

use std::future::Future;
use std::io::{Error, ErrorKind, IoSlice, Result};
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use exchange::{Country, Digest};
use rustls_pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Instant, Sleep, sleep, timeout};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::Peer;
use crate::gather::Gathered;
use crate::tls::ClientTls;

/// A stream on which no read (if so wished) and no write may wait longer than a limit.
#[derive(Debug)]
pub struct Patient<S> {
    inner: S,
    reads: Option<Stall>,
    writes: Stall,
}

#[derive(Debug)]
struct Stall {
    limit: Duration,
    timer: Pin<Box<Sleep>>,
    waiting: bool,
}

impl<S> Patient<S> {
    /// Limits how long a read may wait (`None`: as long as it likes) and how long a write.
    pub fn new(inner: S, reads: Option<Duration>, writes: Duration) -> Self {
        Self { inner, reads: reads.map(Stall::new), writes: Stall::new(writes) }
    }
}

impl Stall {
    fn new(limit: Duration) -> Self {
        Self { limit, timer: Box::pin(sleep(limit)), waiting: false }
    }

    fn check<T>(&mut self, cx: &mut Context<'_>, polled: Poll<Result<T>>) -> Poll<Result<T>> {
        if polled.is_ready() {
            self.waiting = false;
            return polled;
        }
        if !self.waiting {
            self.waiting = true;
            self.timer.as_mut().reset(Instant::now() + self.limit);
        }
        ready!(self.timer.as_mut().poll(cx));
        Poll::Ready(Err(Error::new(ErrorKind::TimedOut, "the peer stalled")))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Patient<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<Result<()>> {
        let polled = Pin::new(&mut self.inner).poll_read(cx, buf);
        match &mut self.reads {
            Some(stall) => stall.check(cx, polled),
            None => polled,
        }
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Patient<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<Result<usize>> {
        let polled = Pin::new(&mut self.inner).poll_write(cx, buf);
        self.writes.check(cx, polled)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        let polled = Pin::new(&mut self.inner).poll_flush(cx);
        self.writes.check(cx, polled)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        let polled = Pin::new(&mut self.inner).poll_shutdown(cx);
        self.writes.check(cx, polled)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<Result<usize>> {
        let polled = Pin::new(&mut self.inner).poll_write_vectored(cx, bufs);
        self.writes.check(cx, polled)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }
}

/// Whom a connection must reach.
#[derive(Debug, Clone)]
pub struct Target {
    /// Host name or address, as in the server's certificate.
    pub host: String,
    /// TCP port.
    pub port: u16,
    /// The country that the server's certificate must be of.
    pub country: Option<Country>,
    /// SHA-256 of the one server certificate that is accepted, if pinned.
    pub pin: Option<Digest>,
}

/// The server proved who it is, and it is not whom we wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum WrongPeer {
    /// Its certificate speaks for another country, or for none.
    #[error("the server's certificate is of another country")]
    Country,
    /// Its certificate is not the pinned one.
    #[error("the server's certificate is not the pinned one")]
    Pin,
}

/// A connection that [`dial`] made.
pub type Stream = Patient<TlsStream<Gathered>>;

/// Connects, shakes hands and checks who answers. Nothing else was sent when it fails.
pub async fn dial(target: &Target, tls: &ClientTls, time: Duration) -> Result<(Stream, Peer)> {
    let (stream, peer) = timeout(time, handshake(target, tls))
        .await
        .unwrap_or_else(|_| Err(Error::new(ErrorKind::TimedOut, "no connection in time")))?;
    Ok((Patient::new(stream, None, WRITES), peer))
}

async fn handshake(target: &Target, tls: &ClientTls) -> Result<(TlsStream<Gathered>, Peer)> {
    let socket = TcpStream::connect((target.host.as_str(), target.port)).await?;
    socket.set_nodelay(true)?;
    let address: SocketAddr = socket.peer_addr()?;
    let name = ServerName::try_from(target.host.clone()).map_err(Error::other)?;
    let mut stream = TlsConnector::from(tls.current()).connect(name, Gathered::new(socket)).await?;
    stream.get_mut().1.set_buffer_limit(Some(WRITE_BYTES));
    let peer = Peer::of(stream.get_ref().1, address).ok_or_else(|| {
        Error::new(ErrorKind::InvalidData, "the server's certificate is malformed")
    })?;
    if target.country.is_some() && peer.country() != target.country {
        return Err(Error::other(WrongPeer::Country));
    }
    if target.pin.is_some_and(|pin| pin != peer.certificate().fingerprint()) {
        return Err(Error::other(WrongPeer::Pin));
    }
    Ok((stream, peer))
}

/// What is encrypted before it is handed to the kernel: a document in one call.
pub(crate) const WRITE_BYTES: usize = 256 << 10;
/// How long a write may wait on a connection of ours.
const WRITES: Duration = Duration::from_secs(30);
