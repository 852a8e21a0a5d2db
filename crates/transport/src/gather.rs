//! Fewer calls of the kernel: rustls reads 4 kB at a time, a document has a hundred.

use std::cell::RefCell;
use std::io::{IoSlice, Result};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

/// A socket that is read in large pieces. What the reader above has no room for waits here; a
/// connection on which nothing waits holds no memory.
#[derive(Debug)]
pub struct Gathered {
    socket: TcpStream,
    waiting: Vec<u8>,
    given: usize,
}

thread_local! {
    /// One for all connections of a thread: it is used within one poll only.
    static PIECE: RefCell<Vec<u8>> = RefCell::new(vec![0; PIECE_BYTES]);
}

impl Gathered {
    /// Reads this socket.
    pub fn new(socket: TcpStream) -> Self {
        Self { socket, waiting: Vec::new(), given: 0 }
    }

    fn poll_piece(&mut self, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<Result<()>> {
        PIECE.with_borrow_mut(|piece| {
            let mut read = ReadBuf::new(piece);
            ready!(Pin::new(&mut self.socket).poll_read(cx, &mut read))?;
            let read = read.filled();
            let (now, later) = read.split_at(read.len().min(buf.remaining()));
            buf.put_slice(now);
            self.waiting.extend_from_slice(later);
            Poll::Ready(Ok(()))
        })
    }
}

impl AsyncRead for Gathered {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<Result<()>> {
        if self.waiting.is_empty() {
            return self.poll_piece(cx, buf);
        }
        let rest = &self.waiting[self.given..];
        let now = rest.len().min(buf.remaining());
        buf.put_slice(&rest[..now]);
        self.given += now;
        if self.given == self.waiting.len() {
            (self.waiting, self.given) = (Vec::new(), 0);
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Gathered {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<Result<usize>> {
        Pin::new(&mut self.socket).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        Pin::new(&mut self.socket).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        Pin::new(&mut self.socket).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<Result<usize>> {
        Pin::new(&mut self.socket).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.socket.is_write_vectored()
    }
}

/// Two records of TLS (RFC 8446 §5.1).
const PIECE_BYTES: usize = 32 << 10;
