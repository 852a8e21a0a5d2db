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
        assert_eq!(gathered.waiting.capacity(), 0, "nothing waits, nothing is held");
    }
}
