//! Fewer calls of the kernel: rustls reads 4 kB at a time, a document has a hundred.

use std::cell::RefCell;
use std::io::{IoSlice, Result};
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

/// A socket that is read in large pieces. What the reader above has no room for waits in its piece;
/// a connection on which nothing waits holds no memory.
#[derive(Debug)]
pub struct Gathered {
    socket: TcpStream,
    waiting: Option<Piece>,
}

/// What was read at once, and how much of it was given.
#[derive(Debug)]
struct Piece {
    bytes: Vec<u8>,
    given: usize,
    read: usize,
}

thread_local! {
    /// Pieces that no connection of this thread holds: most are used within one poll.
    static SPARE: RefCell<Vec<Vec<u8>>> = const { RefCell::new(Vec::new()) };
}

impl Piece {
    fn take() -> Self {
        let spare = SPARE.with_borrow_mut(Vec::pop);
        let bytes = spare.unwrap_or_else(|| vec![0; PIECE_BYTES]);
        Self { bytes, given: 0, read: 0 }
    }

    fn give(&mut self, buf: &mut ReadBuf<'_>) {
        let rest = &self.bytes[self.given..self.read];
        let now = rest.len().min(buf.remaining());
        buf.put_slice(&rest[..now]);
        self.given += now;
    }

    /// Keeps what is not given out yet.
    fn rest(self) -> Option<Self> {
        if self.given < self.read {
            return Some(self);
        }
        SPARE.with_borrow_mut(|spare| {
            if spare.len() < MAX_SPARE {
                spare.push(self.bytes);
            }
        });
        None
    }
}

impl Gathered {
    /// Reads this socket.
    pub fn new(socket: TcpStream) -> Self {
        Self { socket, waiting: None }
    }
}

impl AsyncRead for Gathered {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<Result<()>> {
        let mut polled = Poll::Ready(Ok(()));
        let mut piece = self.waiting.take().unwrap_or_else(|| {
            let mut piece = Piece::take();
            let mut read = ReadBuf::new(&mut piece.bytes);
            polled = Pin::new(&mut self.socket).poll_read(cx, &mut read);
            piece.read = read.filled().len();
            piece
        });
        piece.give(buf);
        self.waiting = piece.rest();
        polled
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

/// Four records of TLS (RFC 8446 §5.1).
const PIECE_BYTES: usize = 64 << 10;
/// Pieces that a thread keeps.
const MAX_SPARE: usize = 8;

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;

    use super::*;

    #[tokio::test]
    async fn every_byte_arrives_once_and_in_order_however_small_the_reads_are() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let sent: Vec<u8> = (0..3 * PIECE_BYTES + 77).map(|i| (i % 251) as u8).collect();
        let theirs = sent.clone();
        let writer = tokio::spawn(async move {
            let mut socket = TcpStream::connect(address).await.unwrap();
            socket.write_all(&theirs).await.unwrap();
        });
        let mut gathered = Gathered::new(listener.accept().await.unwrap().0);
        let (mut found, mut some) = (Vec::new(), [0; 1000]);
        loop {
            let count = gathered.read(&mut some).await.unwrap();
            if count == 0 {
                break;
            }
            found.extend_from_slice(&some[..count]);
        }
        writer.await.unwrap();
        assert!(found == sent);
        assert!(gathered.waiting.is_none(), "nothing waits, nothing is held");
    }
}
