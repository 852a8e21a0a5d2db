//! What a node and its vault process say to each other: request, reply, one at a time on a lane.
//!
//! A frame is its length (4 bytes, big-endian) and that many bytes, through a pipe or beside it
//! ([`Lane`]): the first one says which request it is, or how it went. Numbers are big-endian, parts have a length of 4 bytes before them, the last
//! part of a frame has none. A frame that is not exactly one of these is answered with an error and
//! changes nothing.

mod frame;
mod lane;
mod parts;
mod region;

use std::io::{self, Read, Write};
use std::ops::Range;

use trust::encryption::WrappedKey;
use trust::seal::Scheme;

use crate::VaultError;
use crate::core::{Core, Target};
pub(crate) use frame::{read_frame, write_frame};
pub(crate) use lane::Lane;
pub(crate) use parts::{Parts, Reader};
pub(crate) use region::Region;
#[cfg(test)]
pub(crate) use region::SIZE as REGION;

/// Of this protocol. Both ends are one program, so there is one.
pub(crate) const VERSION: u8 = 2;
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

/// Signature schemes, by number.
pub(crate) const SCHEMES: [Scheme; 5] =
    [Scheme::Es256, Scheme::Es384, Scheme::Ps256, Scheme::Rs256, Scheme::Ed25519];

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
pub(crate) fn serve(core: &Core, lane: &mut Lane<impl Read, impl Write>) -> io::Result<()> {
    let mut frame = Vec::new();
    while lane.receive(&mut frame)?.is_some() {
        let answer = answer(core, &mut frame).unwrap_or_else(|error| Answer {
            head: vec![status(error)],
            body: 0..0,
            tail: Vec::new(),
        });
        lane.send(&[&answer.head, &frame[answer.body.clone()], &answer.tail])?;
        // what was opened does not lie around: one pass over what was used, which nothing drops
        frame.fill(0);
        std::hint::black_box(&mut frame);
        frame.clear();
        frame.shrink_to(KEPT_FRAME);
    }
    Ok(())
}

/// Serves a lane on which these bytes came, with the same bytes in its region: for fuzzing.
pub(crate) fn takes(core: &Core, bytes: &[u8]) -> io::Result<()> {
    struct Given<'b>(&'b [u8]);
    impl Read for Given<'_> {
        fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
            // a frame or a doorbell at a time, as a node writes them
            let told = self.0.first_chunk().map_or(0, |told| u32::from_be_bytes(*told) as usize);
            let whole = if told >> 31 == 1 { 4 } else { 4 + told };
            let length = whole.min(into.len());
            self.0.read(&mut into[..length])
        }
    }
    let mut region = Region::new()?.0;
    region.put(&[bytes.get(..region::SIZE).unwrap_or(bytes)]);
    serve(core, &mut Lane::new(Given(bytes), io::sink(), region))
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

/// A lane keeps a buffer of this size; longer ones are given back.
const KEPT_FRAME: usize = 1 << 20;

#[cfg(test)]
mod tests;
