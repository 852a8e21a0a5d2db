//! Connections whose TLS somebody else ends: a vault. The records pass here; what the peer says comes in
//! the clear, and of what it is told some pieces never do: in their place a body has [`hole`]s, which the
//! vault fills when it encrypts.

mod pending;
mod stream;

use std::any::Any;
use std::collections::VecDeque;
use std::io;
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};

use arc_swap::ArcSwap;
use bytes::Bytes;

pub use stream::HopStream;

/// Who ends the TLS connections of a listener.
pub trait Terminator: Send + Sync {
    /// A new connection with its first bytes. `hints` are the names of the authorities whose certificates are
    /// wanted, in DER.
    fn open(&self, hints: &[Vec<u8>], bytes: &[u8]) -> io::Result<(Arc<dyn Line>, Given)>;

    /// How many connections there may be.
    fn room(&self) -> Room;
}

/// How many connections somebody ends.
#[derive(Debug, Clone, Copy)]
pub struct Room {
    /// At once.
    pub connections: usize,
    /// Of them in their handshake; others wait for their turn.
    pub handshakes: usize,
}

/// A connection that ends elsewhere; dropped, it is over.
pub trait Line: Any + Send + Sync {
    /// Hands on what the peer sent.
    fn feed(&self, bytes: &[u8]) -> io::Result<Given>;

    /// Encrypts a piece of what is said.
    fn write(&self, segments: &[Segment<'_>]) -> io::Result<Vec<u8>>;

    /// The last words.
    fn close(&self) -> Vec<u8>;
}

/// What came of bytes from the peer.
#[derive(Debug, Default)]
pub struct Given {
    /// Once, when the handshake is done: the peer's certificates in DER, whose path nobody verified, and the
    /// number of the key exchange.
    pub shaken: Option<(Vec<Vec<u8>>, Option<u16>)>,
    /// What the peer said.
    pub plaintext: Vec<u8>,
    /// To be sent.
    pub ciphertext: Vec<u8>,
    /// The peer says nothing more.
    pub closed: bool,
    /// The connection failed; an alert may be in `ciphertext`.
    pub failed: bool,
}

/// A piece of what is said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Segment<'s> {
    /// These bytes.
    Bytes(&'s [u8]),
    /// So many of what belongs into a hole, from there on.
    Hole(Hole, usize, usize),
}

/// A place in a body for bytes that this process does not have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hole {
    /// Number of the document.
    pub document: u8,
    /// It stands there as base64 text.
    pub base64: bool,
    /// How long it is in the body.
    pub length: usize,
}

/// The holes in a response's body, in their order; an extension of the response.
#[derive(Debug, Clone, Default)]
pub struct Holes(pub Vec<Hole>);

/// The connection that a request came by, if its TLS ends elsewhere; an extension of the request.
#[derive(Clone)]
pub struct By(pub Arc<dyn Line>);

/// What stands in a body for a hole. It is known by where it lies, not by what it holds: nobody's
/// document looks like one, and nothing is copied or allocated for it.
pub fn hole(length: usize) -> impl Iterator<Item = Bytes> {
    let whole = std::iter::repeat_n(VOID.clone(), length / VOID.len());
    whole.chain([VOID.slice(..length % VOID.len())])
}

/// Whether these bytes are a hole's.
fn is_hole(bytes: &[u8]) -> bool {
    let (start, end) = (VOID.as_ptr() as usize, VOID.as_ptr() as usize + VOID.len());
    let at = bytes.as_ptr() as usize;
    !bytes.is_empty() && at >= start && at + bytes.len() <= end
}

/// Zeros that nobody reads: no memory is taken for them.
static VOID: LazyLock<Bytes> = LazyLock::new(|| Bytes::from(vec![0; 1 << 20]));

/// The holes of the response that is being written on a connection.
#[derive(Debug, Clone, Default)]
pub(crate) struct Open(Arc<Mutex<VecDeque<(Hole, usize)>>>);

impl Open {
    /// Those of the next response.
    pub(crate) fn begin(&self, Holes(holes): Holes) {
        let mut open = self.locked();
        if !open.is_empty() {
            tracing::error!(left = open.len(), "an answer ended before its documents");
        }
        let filled = holes.into_iter().filter(|hole| hole.length > 0);
        *open = filled.map(|hole| (hole, 0)).collect();
    }

    /// The next bytes of the holes, at most so many. `None`: there is no hole.
    fn next(&self, most: usize) -> Option<(Hole, usize, usize)> {
        let mut open = self.locked();
        let (hole, done) = open.front_mut()?;
        let (start, length) = (*done, most.min(hole.length - *done));
        *done += length;
        let hole = *hole;
        if start + length == hole.length {
            open.pop_front();
        }
        Some((hole, start, length))
    }

    fn locked(&self) -> MutexGuard<'_, VecDeque<(Hole, usize)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Who ends the connections of a listener, as long as somebody does; SIGHUP may replace him.
#[derive(Clone, Default)]
pub struct LastHop(Arc<ArcSwap<Option<Arc<dyn Terminator>>>>);

impl LastHop {
    /// From the next connection on.
    pub fn replace(&self, by: Option<Arc<dyn Terminator>>) {
        self.0.store(Arc::new(by));
    }

    pub(crate) fn current(&self) -> Option<Arc<dyn Terminator>> {
        self.0.load().as_ref().clone()
    }
}
