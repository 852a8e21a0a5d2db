//! What a node and its vault process say to each other: request, reply, one at a time on a lane.
//!
//! A frame is its length (4 bytes, big-endian) and that many bytes: the first one says which request
//! it is, or how it went. Numbers are big-endian, parts have a length of 4 bytes before them, the last
//! part of a frame has none. A frame that is not exactly one of these is answered with an error and
//! changes nothing.

use std::io::{self, IoSlice, Read, Write};
use std::ops::Range;

use exchange::{Country, Transaction, TransactionId};
use jiff::Timestamp;
use trust::encryption::WrappedKey;
use trust::seal::Scheme;
use zeroize::Zeroize as _;

use crate::VaultError;
use crate::core::{Core, Pending, ReplyToken, Target};
use crate::header::Address;

/// Of this protocol. Both ends are one program, so there is one.
pub(crate) const VERSION: u8 = 1;
/// Longest frame, in bytes: a message of a node with all of its attachments.
pub(crate) const MAX_FRAME: usize = 160 << 20;

/// Requests, by number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Op {
    Ping = 1,
    SealRequest = 2,
    OpenRequest = 3,
    SealResponse = 4,
    OpenResponse = 5,
    Sign = 6,
    Unwrap = 7,
    Derive = 8,
}

impl Op {
    const ALL: [Self; 8] = [
        Self::Ping,
        Self::SealRequest,
        Self::OpenRequest,
        Self::SealResponse,
        Self::OpenResponse,
        Self::Sign,
        Self::Unwrap,
        Self::Derive,
    ];
}

/// How it went; an answer's first byte.
const STATUS: [(u8, VaultError); 7] = [
    (1, VaultError::Malformed),
    (2, VaultError::UnknownKey),
    (3, VaultError::Replay),
    (4, VaultError::Integrity),
    (5, VaultError::Key("statement has expired")),
    (6, VaultError::Key("cannot be sealed for")),
    (7, VaultError::Key("cannot be used so")),
];

pub(crate) fn status(error: VaultError) -> u8 {
    STATUS.iter().find(|row| row.1 == error).map_or(4, |row| row.0)
}

pub(crate) fn error(status: u8) -> VaultError {
    STATUS.iter().find(|row| row.0 == status).map_or(VaultError::Gone, |row| row.1)
}

/// Writes parts.
#[derive(Default)]
pub(crate) struct Parts(pub(crate) Vec<u8>);

impl Parts {
    pub(crate) fn of(op: Op) -> Self {
        Self(vec![op as u8])
    }

    pub(crate) fn raw(mut self, bytes: &[u8]) -> Self {
        self.0.extend_from_slice(bytes);
        self
    }

    pub(crate) fn part(self, bytes: &[u8]) -> Self {
        let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
        self.raw(&length.to_be_bytes()).raw(bytes)
    }

    pub(crate) fn time(self, at: Timestamp) -> Self {
        self.raw(&at.as_millisecond().to_be_bytes())
    }

    pub(crate) fn address(self, address: &Address) -> Self {
        let transaction = Transaction::ALL.iter().position(|t| *t == address.transaction);
        self.raw(address.from.as_str().as_bytes())
            .raw(address.to.as_str().as_bytes())
            .raw(&[transaction.and_then(|t| u8::try_from(t).ok()).unwrap_or(u8::MAX)])
            .raw(&address.txid.0)
    }

    pub(crate) fn pending(self, pending: &Pending) -> Self {
        self.raw(&pending.session).raw(&pending.sequence.to_be_bytes()).address(&pending.address)
    }

    pub(crate) fn token(self, reply: &ReplyToken) -> Self {
        self.raw(&reply.session)
            .raw(&reply.sequence.to_be_bytes())
            .raw(&reply.key_id)
            .address(&reply.address)
    }
}

/// Reads parts.
pub(crate) struct Reader<'b> {
    pub(crate) bytes: &'b [u8],
    pub(crate) at: usize,
}

impl<'b> Reader<'b> {
    pub(crate) fn new(bytes: &'b [u8], at: usize) -> Self {
        Self { bytes, at }
    }

    pub(crate) fn take<const N: usize>(&mut self) -> Result<[u8; N], VaultError> {
        let found = self.bytes.get(self.at..).and_then(|rest| rest.first_chunk());
        self.at += N;
        found.copied().ok_or(VaultError::Malformed)
    }

    pub(crate) fn part(&mut self) -> Result<&'b [u8], VaultError> {
        let length = u32::from_be_bytes(self.take()?) as usize;
        let rest = self.bytes.get(self.at..).ok_or(VaultError::Malformed)?;
        let part = rest.get(..length).ok_or(VaultError::Malformed)?;
        self.at += length;
        Ok(part)
    }

    pub(crate) fn number(&mut self) -> Result<u16, VaultError> {
        Ok(u16::from_be_bytes(self.take()?))
    }

    pub(crate) fn time(&mut self) -> Result<Timestamp, VaultError> {
        Timestamp::from_millisecond(i64::from_be_bytes(self.take()?))
            .map_err(|_| VaultError::Malformed)
    }

    pub(crate) fn country(&mut self) -> Result<Country, VaultError> {
        let code = self.take::<2>()?;
        let text = std::str::from_utf8(&code).map_err(|_| VaultError::Malformed)?;
        Country::parse(text).map_err(|_| VaultError::Malformed)
    }

    pub(crate) fn address(&mut self) -> Result<Address, VaultError> {
        let (from, to) = (self.country()?, self.country()?);
        let [transaction] = self.take()?;
        let transaction =
            *Transaction::ALL.get(usize::from(transaction)).ok_or(VaultError::Malformed)?;
        Ok(Address { from, to, transaction, txid: TransactionId(self.take()?) })
    }

    pub(crate) fn pending(&mut self) -> Result<Pending, VaultError> {
        let (session, sequence) = (self.take()?, u64::from_be_bytes(self.take()?));
        Ok(Pending { session, sequence, address: self.address()? })
    }

    pub(crate) fn token(&mut self) -> Result<ReplyToken, VaultError> {
        let (session, sequence) = (self.take()?, u64::from_be_bytes(self.take()?));
        Ok(ReplyToken { session, sequence, key_id: self.take()?, address: self.address()? })
    }

    fn rest(&self) -> Result<Range<usize>, VaultError> {
        if self.at > self.bytes.len() {
            Err(VaultError::Malformed)
        } else {
            Ok(self.at..self.bytes.len())
        }
    }
}

/// An answer: what stands before, within and behind the frame that was worked on in its place.
pub(crate) struct Answer {
    head: Vec<u8>,
    body: Range<usize>,
    tail: Vec<u8>,
}

impl Answer {
    fn of(head: Parts) -> Self {
        Self { head: head.0, body: 0..0, tail: Vec::new() }
    }
}

/// Serves one lane until its other end closes.
pub(crate) fn serve(core: &Core, lane: &mut (impl Read + Write)) -> io::Result<()> {
    let mut frame = Vec::new();
    while read_frame(lane, &mut frame)? {
        let answer = answer(core, &mut frame).unwrap_or_else(|error| Answer {
            head: vec![status(error)],
            body: 0..0,
            tail: Vec::new(),
        });
        write_frame(lane, &[&answer.head, &frame[answer.body.clone()], &answer.tail])?;
        // what was opened does not lie around
        frame.zeroize();
        frame.shrink_to(KEPT_FRAME);
    }
    Ok(())
}

pub(crate) fn answer(core: &Core, frame: &mut [u8]) -> Result<Answer, VaultError> {
    let (code, fields) = frame.split_first().ok_or(VaultError::Malformed)?;
    #[cfg(debug_assertions)]
    if *code == crate::attack::OP {
        crate::attack::attempt(fields.first().copied().unwrap_or(u8::MAX));
        return Ok(Answer::of(Parts(vec![0])));
    }
    let op = Op::ALL.into_iter().find(|op| *op as u8 == *code).ok_or(VaultError::Malformed)?;
    let mut read = Reader::new(fields, 0);
    let done = Parts(vec![0]);
    let unusable = VaultError::Key("cannot be used so");
    match op {
        Op::Ping => Ok(Answer { head: done.0, body: 1..frame.len(), tail: Vec::new() }),
        Op::SealRequest => {
            let (country, not_after, now) = (read.country()?, read.time()?, read.time()?);
            let (key, address, bound) = (read.part()?.to_vec(), read.address()?, read.take()?);
            let place = from_one(read.rest()?);
            let target = Target { country, key: &key, not_after };
            let (around, pending) =
                core.seal_request(&target, address, &bound, &mut frame[place.clone()], now)?;
            let head = done.pending(&pending).raw(&around.header).0;
            Ok(Answer { head, body: place, tail: around.tag.to_vec() })
        }
        Op::OpenRequest => {
            let bound = read.take()?;
            let place = from_one(read.rest()?);
            let (_, reply, text) = core.open_request(&mut frame[place.clone()], &bound)?;
            let body = place.start + text.start..place.start + text.end;
            Ok(Answer { head: done.token(&reply).0, body, tail: Vec::new() })
        }
        Op::SealResponse => {
            let (reply, bound) = (read.token()?, read.take()?);
            let place = from_one(read.rest()?);
            let around = core.seal_response(&reply, &bound, &mut frame[place.clone()])?;
            Ok(Answer { head: done.raw(&around.header).0, body: place, tail: around.tag.to_vec() })
        }
        Op::OpenResponse => {
            let (pending, bound) = (read.pending()?, read.take()?);
            let place = from_one(read.rest()?);
            let text = core.open_response(&pending, &mut frame[place.clone()], &bound)?;
            let body = place.start + text.start..place.start + text.end;
            Ok(Answer { head: done.0, body, tail: Vec::new() })
        }
        Op::Sign => {
            let (key, [scheme]) = (read.number()?, read.take()?);
            let scheme = SCHEMES.get(usize::from(scheme)).ok_or(VaultError::Malformed)?;
            let message = &fields[read.rest()?];
            let made = core.ring().sign(key, *scheme, message).ok_or(unusable)?;
            Ok(Answer::of(done.raw(&made)))
        }
        Op::Unwrap => {
            let key = read.number()?;
            let wrapped = WrappedKey::decode(&fields[read.rest()?]).ok_or(VaultError::Malformed)?;
            let found = core.ring().unwrap(key, &wrapped).ok_or(unusable)?;
            Ok(Answer::of(done.raw(&found)))
        }
        Op::Derive => {
            let key = read.number()?;
            let made = core.ring().derive(key, &fields[read.rest()?]).ok_or(unusable)?;
            Ok(Answer::of(done.raw(&made)))
        }
    }
}

/// Of a frame, when it is of what stands behind its first byte.
fn from_one(place: Range<usize>) -> Range<usize> {
    place.start + 1..place.end + 1
}

/// Signature schemes, by number.
pub(crate) const SCHEMES: [Scheme; 5] =
    [Scheme::Es256, Scheme::Es384, Scheme::Ps256, Scheme::Rs256, Scheme::Ed25519];

/// Reads a frame; false at a clean end.
pub(crate) fn read_frame(from: &mut impl Read, frame: &mut Vec<u8>) -> io::Result<bool> {
    frame.clear();
    let mut length = [0; 4];
    match from.read_exact(&mut length) {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(false),
        read => read?,
    }
    let length = u32::from_be_bytes(length);
    if length as usize > MAX_FRAME {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "frame is too long"));
    }
    frame.reserve_exact(length as usize);
    let read = from.take(u64::from(length)).read_to_end(frame)?;
    if read < length as usize { Err(io::ErrorKind::UnexpectedEof.into()) } else { Ok(true) }
}

/// Writes a frame of these parts.
pub(crate) fn write_frame(to: &mut impl Write, parts: &[&[u8]]) -> io::Result<()> {
    let length: usize = parts.iter().map(|part| part.len()).sum();
    let length = u32::try_from(length)
        .ok()
        .filter(|length| *length as usize <= MAX_FRAME)
        .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "frame is too long"))?
        .to_be_bytes();
    let mut slices: Vec<IoSlice<'_>> =
        std::iter::once(&length[..]).chain(parts.iter().copied()).map(IoSlice::new).collect();
    let mut slices = slices.as_mut_slice();
    IoSlice::advance_slices(&mut slices, 0);
    while !slices.is_empty() {
        match to.write_vectored(slices) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(written) => IoSlice::advance_slices(&mut slices, written),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// A lane keeps a buffer of this size; longer ones are given back.
const KEPT_FRAME: usize = 1 << 20;
