//! One connection: rustls without I/O, and the documents that are on their way to its other end.

use std::ops::Range;
use std::sync::Arc;

use rustls::server::{ServerConfig, UnbufferedServerConnection};
use rustls::unbuffered::{
    ConnectionState, EncodeError, EncryptError, InsufficientSizeError, UnbufferedStatus,
};
use zeroize::Zeroizing;

use super::segment::base64;
use super::{Fed, MAX_FED, MAX_WRITTEN, Place, Shaken};
use crate::VaultError;

/// A connection.
pub(super) struct Line {
    tls: UnbufferedServerConnection,
    /// A record that has not come to its end yet.
    rest: Vec<u8>,
    /// SHA-256 of the client's certificate, once it has shown that it holds its key.
    peer: Option<[u8; 32]>,
    held: Option<Held>,
    /// It failed: rustls is not asked again.
    over: bool,
}

/// Documents of an answer.
pub(crate) struct Held {
    bytes: Zeroizing<Vec<u8>>,
    documents: Vec<Range<usize>>,
    /// Whether the end of each has been written.
    written: Vec<bool>,
}

impl Held {
    /// Those at these places. They lie in ordinary memory of the vault, as all documents do: secret
    /// memory is for keys, and small.
    pub(crate) fn of(opened: &[u8], places: &[Range<usize>]) -> Self {
        let length: usize = places.iter().map(Range::len).sum();
        let mut bytes = Vec::with_capacity(length.max(crate::memory::LARGE));
        let mut documents = Vec::with_capacity(places.len());
        for place in places {
            let start = bytes.len();
            bytes.extend_from_slice(&opened[place.clone()]);
            documents.push(start..bytes.len());
        }
        let written = documents.iter().map(Range::is_empty).collect();
        Self { bytes: Zeroizing::new(bytes), documents, written }
    }

    fn document(&self, number: u8) -> Option<&[u8]> {
        self.documents.get(usize::from(number)).map(|place| &self.bytes[place.clone()])
    }
}

impl Line {
    pub(super) fn new(config: Arc<ServerConfig>) -> Result<Self, VaultError> {
        let tls = UnbufferedServerConnection::new(config).map_err(|_| VaultError::Connection)?;
        Ok(Self { tls, rest: Vec::new(), peer: None, held: None, over: false })
    }

    pub(super) fn peer(&self) -> Option<[u8; 32]> {
        self.peer
    }

    pub(super) fn hold(&mut self, held: Held) {
        self.held = Some(held);
    }

    /// Takes bytes of the client.
    pub(super) fn feed(&mut self, bytes: &mut [u8]) -> Result<Fed, VaultError> {
        if bytes.len() > MAX_FED {
            return Err(VaultError::Malformed);
        }
        if self.over {
            return Err(VaultError::Connection);
        }
        // what the client says is the node's to know: not in secret memory, which is small
        let plaintext = Vec::with_capacity(bytes.len().max(crate::memory::LARGE));
        let mut fed = Fed { plaintext, ..Fed::default() };
        if self.rest.is_empty() {
            let taken = self.take(bytes, &mut fed);
            self.keep(&bytes[taken..]);
        } else {
            let mut all = std::mem::take(&mut self.rest);
            all.extend_from_slice(bytes);
            let taken = self.take(&mut all, &mut fed);
            self.keep(&all[taken..]);
        }
        if self.rest.len() > MAX_REST {
            fed.failed = true;
        }
        if !fed.failed && self.peer.is_none() && !self.tls.is_handshaking() {
            fed.shaken = self.shaken();
            fed.failed = fed.shaken.is_none();
        }
        if fed.failed {
            fed.plaintext.clear();
            (self.over, self.held) = (true, None);
        }
        Ok(fed)
    }

    /// How much of the bytes was taken.
    fn take(&mut self, bytes: &mut [u8], fed: &mut Fed) -> usize {
        let mut at = 0;
        loop {
            let UnbufferedStatus { discard, state } =
                self.tls.process_tls_records(&mut bytes[at..]);
            let more = match state {
                Ok(ConnectionState::ReadTraffic(mut traffic)) => {
                    while let Some(Ok(record)) = traffic.next_record() {
                        fed.plaintext.extend_from_slice(record.payload);
                    }
                    true
                }
                Ok(ConnectionState::EncodeTlsData(mut data)) => {
                    grow(&mut fed.ciphertext, 0, |out| match data.encode(out) {
                        Err(EncodeError::InsufficientSize(more)) => Err(Some(more)),
                        Err(EncodeError::AlreadyEncoded) => Err(None),
                        Ok(written) => Ok(written),
                    })
                }
                Ok(ConnectionState::TransmitTlsData(data)) => {
                    data.done();
                    true
                }
                Ok(ConnectionState::PeerClosed) => {
                    fed.closed = true;
                    true
                }
                Ok(ConnectionState::Closed) => {
                    fed.closed = true;
                    false
                }
                Ok(ConnectionState::BlockedHandshake | ConnectionState::WriteTraffic(_)) => false,
                // as long as an alert waits rustls looks at nothing else; then it would look at the same again
                Err(_) => {
                    fed.failed = true;
                    self.tls.wants_write()
                }
                // early data is for resumed sessions
                Ok(_) => {
                    fed.failed = true;
                    false
                }
            };
            at += discard;
            if !more || (fed.failed && !self.tls.wants_write()) {
                return at;
            }
        }
    }

    /// Keeps what belongs to a record that is not complete. It is ciphertext or a handshake's: in
    /// ordinary memory.
    fn keep(&mut self, rest: &[u8]) {
        if !rest.is_empty() {
            let mut kept = Vec::with_capacity(rest.len().max(crate::memory::LARGE));
            kept.extend_from_slice(rest);
            self.rest = kept;
        }
    }

    fn shaken(&mut self) -> Option<Shaken> {
        let chain = self.tls.peer_certificates()?;
        let group = self.tls.negotiated_key_exchange_group().map(|group| group.name().into());
        let chain: Vec<Vec<u8>> = chain.iter().map(|der| der.to_vec()).collect();
        let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, chain.first()?);
        self.peer = digest.as_ref().try_into().ok();
        Some(Shaken { chain, group })
    }

    /// Encrypts what stands at these places; `given` are the bytes of those that are no document's.
    pub(super) fn write(&mut self, places: &[Place], given: &[u8]) -> Result<Vec<u8>, VaultError> {
        if self.over {
            return Err(VaultError::Connection);
        }
        let mut length = 0_usize;
        let mut bytes = 0_usize;
        for place in places {
            length = length.checked_add(place.length).ok_or(VaultError::Malformed)?;
            bytes += if place.document.is_none() { place.length } else { 0 };
        }
        if length > MAX_WRITTEN || bytes != given.len() || self.peer.is_none() {
            return Err(VaultError::Malformed);
        }
        let mut out = Vec::with_capacity(length + (length / RECORD + places.len()) * OVERHEAD);
        let mut given = given;
        for place in places {
            let Some(number) = place.document else {
                let (now, others) = given.split_at(place.length);
                given = others;
                encrypt(&mut self.tls, &mut self.rest, now, &mut out)?;
                continue;
            };
            let held = self.held.as_mut().ok_or(VaultError::Connection)?;
            let document = held.document(number).ok_or(VaultError::Malformed)?;
            if place.base64 {
                let text = base64(document, place.start, place.length);
                let text = Zeroizing::new(text.ok_or(VaultError::Malformed)?);
                encrypt(&mut self.tls, &mut self.rest, text.as_bytes(), &mut out)?;
            } else {
                let piece = document.get(place.start..).and_then(|rest| rest.get(..place.length));
                let piece = piece.ok_or(VaultError::Malformed)?;
                encrypt(&mut self.tls, &mut self.rest, piece, &mut out)?;
            }
            self.passed(number, place);
        }
        Ok(out)
    }

    /// Forgets the documents once the end of each has gone.
    fn passed(&mut self, number: u8, place: &Place) {
        let Some(held) = &mut self.held else { return };
        let number = usize::from(number);
        let length = held.documents.get(number).map_or(0, Range::len);
        let length = if place.base64 { length.div_ceil(3) * 4 } else { length };
        if place.start + place.length == length {
            held.written[number] = true;
        }
        if held.written.iter().all(|written| *written) {
            self.held = None;
        }
    }

    /// The words of parting.
    pub(super) fn part(&mut self) -> Vec<u8> {
        let mut out = Vec::new();
        if std::mem::replace(&mut self.over, true) {
            return out;
        }
        let status = self.tls.process_tls_records(&mut self.rest);
        if let Ok(ConnectionState::WriteTraffic(mut traffic)) = status.state {
            grow(&mut out, OVERHEAD, |out| traffic.queue_close_notify(out).map_err(more));
        }
        out
    }
}

fn encrypt(
    tls: &mut UnbufferedServerConnection,
    rest: &mut [u8],
    bytes: &[u8],
    out: &mut Vec<u8>,
) -> Result<(), VaultError> {
    let UnbufferedStatus { state, .. } = tls.process_tls_records(rest);
    let Ok(ConnectionState::WriteTraffic(mut traffic)) = state else {
        return Err(VaultError::Connection);
    };
    let room = bytes.len() + (bytes.len() / RECORD + 1) * OVERHEAD;
    let done = grow(out, room, |out| traffic.encrypt(bytes, out).map_err(more));
    if done { Ok(()) } else { Err(VaultError::Connection) }
}

fn more(error: EncryptError) -> Option<InsufficientSizeError> {
    match error {
        EncryptError::InsufficientSize(more) => Some(more),
        EncryptError::EncryptExhausted => None,
    }
}

/// Writes behind what `out` holds, with as much room as it takes; false when it cannot be written.
fn grow(
    out: &mut Vec<u8>,
    room: usize,
    mut write: impl FnMut(&mut [u8]) -> Result<usize, Option<InsufficientSizeError>>,
) -> bool {
    let start = out.len();
    out.resize(start + room, 0);
    loop {
        match write(&mut out[start..]) {
            Ok(written) => {
                out.truncate(start + written);
                return true;
            }
            Err(Some(more)) if more.required_size > out.len() - start => {
                out.resize(start + more.required_size, 0);
            }
            Err(_) => {
                out.truncate(start);
                return false;
            }
        }
    }
}

/// Plaintext of a record (RFC 8446 §5.1), and what stands around it at most.
const RECORD: usize = 16 << 10;
const OVERHEAD: usize = 64;
/// A record and a handshake message that may be waiting for its end.
const MAX_REST: usize = 96 << 10;
