//! The socket of a connection that ends elsewhere, as HTTP reads and writes it.

use std::cell::RefCell;
use std::io::{Error, ErrorKind, IoSlice, Result};
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use rustls::NamedGroup;
use rustls::server::danger::ClientCertVerifier;
use rustls_pki_types::{CertificateDer, UnixTime};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;

use super::pending::Pending;
use super::{Given, Line, Open, Terminator};
use crate::Peer;

/// A connection whose handshake is done.
pub struct HopStream {
    socket: TcpStream,
    line: Arc<dyn Line>,
    open: Open,
    said: Vec<u8>,
    given: usize,
    closed: bool,
    pending: Pending,
    out: Vec<u8>,
    sent: usize,
    parted: bool,
}

impl std::fmt::Debug for HopStream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "HopStream({:?})", self.socket)
    }
}

thread_local! {
    /// What comes from a socket stays here within one poll only.
    static RECORDS: RefCell<Vec<u8>> = RefCell::new(vec![0; READ_BYTES]);
}

impl HopStream {
    /// Shakes hands. The vault sees to it that the peer has the key of its certificate, and the verifier
    /// whether we know who issued that.
    pub(crate) async fn accept(
        mut socket: TcpStream,
        address: SocketAddr,
        ends: &dyn Terminator,
        turns: &Semaphore,
        verifier: &dyn ClientCertVerifier,
    ) -> Result<(Self, Peer)> {
        let mut turn = None;
        let mut first = vec![0; FIRST_BYTES];
        let mut line: Option<Arc<dyn Line>> = None;
        loop {
            let length = socket.read(&mut first).await?;
            if length == 0 {
                return Err(ErrorKind::UnexpectedEof.into());
            }
            if turn.is_none() {
                turn = Some(turns.acquire().await.map_err(Error::other)?);
            }
            let given = match &line {
                Some(line) => line.feed(&first[..length])?,
                None => {
                    let hints = verifier.root_hint_subjects().iter();
                    let hints: Vec<Vec<u8>> = hints.map(|name| name.as_ref().to_vec()).collect();
                    let (opened, given) = ends.open(&hints, &first[..length])?;
                    line = Some(opened);
                    given
                }
            };
            socket.write_all(&given.ciphertext).await?;
            if given.failed || given.closed {
                let _ = socket.shutdown().await;
                return Err(Error::new(ErrorKind::InvalidData, "the handshake failed"));
            }
            let Given { shaken: Some((chain, group)), plaintext, .. } = given else { continue };
            let line = line.ok_or(ErrorKind::InvalidData)?;
            let chain: Vec<_> = chain.into_iter().map(CertificateDer::from).collect();
            let (leaf, between) = chain.split_first().ok_or(ErrorKind::InvalidData)?;
            let verified = verifier.verify_client_cert(leaf, between, UnixTime::now());
            if let Err(error) = verified {
                let _ = socket.write_all(&line.close()).await;
                let _ = socket.shutdown().await;
                return Err(Error::new(ErrorKind::InvalidData, error));
            }
            let peer = Peer::new(leaf, group.map(NamedGroup::from), address);
            let peer = peer.ok_or_else(|| Error::from(ErrorKind::InvalidData))?;
            let (open, pending) = (Open::default(), Pending::default());
            let stream = Self {
                socket,
                line,
                open,
                said: plaintext,
                given: 0,
                closed: false,
                pending,
                out: Vec::new(),
                sent: 0,
                parted: false,
            };
            return Ok((stream, peer));
        }
    }

    /// The connection, and where the holes of the next response are told.
    pub(crate) fn ends(&self) -> (Arc<dyn Line>, Open) {
        (Arc::clone(&self.line), self.open.clone())
    }

    /// Encrypts what waits.
    fn encrypt(&mut self) -> Result<()> {
        if !self.pending.is_empty() {
            let line = &self.line;
            let records = self.pending.give(|segments| line.write(segments))?;
            self.queue(records);
        }
        Ok(())
    }

    fn queue(&mut self, records: Vec<u8>) {
        if self.out.is_empty() {
            self.out = records;
        } else {
            self.out.extend_from_slice(&records);
        }
    }

    /// Sends what is encrypted.
    fn poll_send(&mut self, cx: &mut Context<'_>) -> Poll<Result<()>> {
        while self.sent < self.out.len() {
            let rest = &self.out[self.sent..];
            let written = ready!(Pin::new(&mut self.socket).poll_write(cx, rest))?;
            if written == 0 {
                return Poll::Ready(Err(ErrorKind::WriteZero.into()));
            }
            self.sent += written;
        }
        (self.out, self.sent) = (Vec::new(), 0);
        Poll::Ready(Ok(()))
    }

    /// Reads from the socket once, and has it decrypted.
    fn poll_hear(&mut self, cx: &mut Context<'_>) -> Poll<Result<()>> {
        let heard = RECORDS.with_borrow_mut(|records| {
            let mut read = ReadBuf::new(records);
            ready!(Pin::new(&mut self.socket).poll_read(cx, &mut read))?;
            Poll::Ready(match read.filled() {
                // without a farewell, as in `tokio_rustls`
                [] => Err(Error::from(ErrorKind::UnexpectedEof)),
                records => self.line.feed(records),
            })
        });
        let Given { plaintext, ciphertext, closed, failed, .. } = ready!(heard)?;
        (self.said, self.given) = (plaintext, 0);
        self.queue(ciphertext);
        // what does not go now goes with the next flush
        let sent = self.poll_send(cx);
        if failed {
            return Poll::Ready(Err(Error::new(ErrorKind::InvalidData, "the records are broken")));
        }
        self.closed |= closed;
        if let Poll::Ready(sent) = sent {
            sent?;
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncRead for HopStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<Result<()>> {
        loop {
            let rest = &self.said[self.given..];
            if !rest.is_empty() {
                let now = rest.len().min(buf.remaining());
                buf.put_slice(&rest[..now]);
                self.given += now;
                if self.given == self.said.len() {
                    (self.said, self.given) = (Vec::new(), 0);
                }
                return Poll::Ready(Ok(()));
            }
            if self.closed {
                return Poll::Ready(Ok(()));
            }
            ready!(self.poll_hear(cx))?;
        }
    }
}

impl AsyncWrite for HopStream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<Result<usize>> {
        self.poll_write_vectored(cx, &[IoSlice::new(buf)])
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<Result<usize>> {
        if self.pending.is_full() {
            self.encrypt()?;
        }
        if self.out.len() > self.sent {
            ready!(self.poll_send(cx))?;
        }
        let this = &mut *self;
        Poll::Ready(this.pending.take(bufs, &this.open))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        self.encrypt()?;
        ready!(self.poll_send(cx))?;
        Pin::new(&mut self.socket).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        if !self.parted {
            self.parted = true;
            self.encrypt()?;
            let words = self.line.close();
            self.queue(words);
        }
        ready!(self.poll_send(cx))?;
        Pin::new(&mut self.socket).poll_shutdown(cx)
    }
}

/// A handshake comes in pieces of this size.
const FIRST_BYTES: usize = 8 << 10;
/// Four records of TLS (RFC 8446 §5.1).
const READ_BYTES: usize = 64 << 10;
