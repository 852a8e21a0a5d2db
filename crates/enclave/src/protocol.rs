//! What a node and its vault process say to each other: request, reply, one at a time on a lane.
//!
//! A frame is its length (4 bytes, big-endian) and that many bytes, through a pipe or beside it
//! ([`Lane`]): the first one says which request it is, or how it went. Numbers are big-endian, parts have a length of 4 bytes before them, the last
//! part of a frame has none. A frame that is not exactly one of these is answered with an error and
//! changes nothing.

mod frame;
mod lane;
mod op;
mod parts;
mod region;
mod strict;

use std::io::{self, Read, Write};
use std::ops::Range;

use trust::encryption::WrappedKey;
use trust::seal::Scheme;

use crate::VaultError;
use crate::core::{Core, DeliveredAt};
use crate::header::TAG;
use crate::last_hop;
use crate::piece::Packed;
pub(crate) use frame::{read_frame, write_frame};
pub(crate) use lane::Lane;
pub(crate) use op::Op;
pub(crate) use parts::{Parts, Reader};
pub(crate) use region::Region;
#[cfg(test)]
pub(crate) use region::SIZE as REGION;

/// Of this protocol. Both ends are one program, so there is one.
pub(crate) const VERSION: u8 = 3;
/// Longest frame, in bytes: a message of a node with all of its attachments.
pub(crate) const MAX_FRAME: usize = 160 << 20;

/// How it went; an answer's first byte.
const STATUS: [(u8, VaultError); 12] = [
    (1, VaultError::Malformed),
    (2, VaultError::UnknownKey),
    (3, VaultError::Replay),
    (4, VaultError::Integrity),
    (5, VaultError::Key("statement has expired")),
    (6, VaultError::Key("cannot be sealed for")),
    (7, VaultError::Key("cannot be used so")),
    (8, VaultError::Key("is not the one that asked")),
    (9, VaultError::Key("is not for whom it was asked")),
    (10, VaultError::Keeps),
    (11, VaultError::Connection),
    (12, VaultError::Promise),
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
        let sent = lane.send(&[&answer.head, &frame[answer.body.clone()], &answer.tail]);
        match sent {
            // nothing of it was: pouches, and what is kept, are longer than what came
            Err(error) if error.kind() == io::ErrorKind::InvalidInput => {
                lane.send(&[&[status(VaultError::Malformed)]])?;
            }
            sent => drop(sent?),
        }
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
            let (to, now) = (read.target()?, read.time()?);
            let (what, bound) = ((read.address()?, read.delivery()?), read.take()?);
            let given = read.given()?;
            let place = from_one(read.rest()?);
            let into = (&*given, &mut frame[place.clone()]);
            let (header, pending) = core.seal_request(&to.target(), what, &bound, into, now)?;
            let head = done.pending(&pending).raw(&header).0;
            Ok(Answer { head, body: place, tail: Vec::new() })
        }
        Op::OpenRequest => {
            let bound = read.take()?;
            let place = from_one(read.rest()?);
            let opened = core.open_request(&mut frame[place.clone()], &bound)?;
            let head = done.token(&opened.reply).lengths(&opened.places).0;
            Ok(Answer { head, body: within(&place, &opened.places), tail: Vec::new() })
        }
        Op::SealResponse => {
            let (reply, to, now) = (read.token()?, read.target()?, read.time()?);
            let bound = read.take()?;
            let given = read.given()?;
            let place = from_one(read.rest()?);
            let into = (&*given, &mut frame[place.clone()]);
            let header = core.seal_response(&reply, &to.target(), &bound, into, now)?;
            Ok(Answer { head: done.raw(&header).0, body: place, tail: Vec::new() })
        }
        Op::OpenResponse => {
            let (pending, bound, outlet) = (read.pending()?, read.take()?, read.outlet()?);
            let place = from_one(read.rest()?);
            let sealed = &mut frame[place.clone()];
            Ok(match core.open_response(&pending, sealed, &bound, outlet.outlet())? {
                DeliveredAt::Here(places) => {
                    let head = done.digests(&[]).held(&[]).lengths(&places).0;
                    Answer { head, body: within(&place, &places), tail: Vec::new() }
                }
                DeliveredAt::Packed(Packed { places, buffer, digests }) => {
                    let head = done.digests(&digests).held(&[]).lengths(&places).0;
                    Answer { head, body: 0..0, tail: buffer }
                }
                DeliveredAt::Held { first, lengths, digests } => {
                    let first_alone = std::slice::from_ref(&first);
                    let head = done.digests(&digests).held(&lengths).lengths(first_alone).0;
                    let body = place.start + first.start..place.start + first.end;
                    Answer { head, body, tail: vec![0; TAG] }
                }
            })
        }
        Op::Keep => {
            let label = read.part()?.to_vec();
            let place = from_one(read.rest()?);
            let kept = core.ring().keep(&label, &mut frame[place.clone()]).ok_or(unusable)?;
            Ok(Answer { head: done.raw(&kept.0).0, body: place, tail: kept.1.to_vec() })
        }
        Op::Look | Op::HandOut => {
            if op == Op::HandOut && !core.ring().hands_out() {
                return Err(VaultError::Keeps);
            }
            let (label, nonce) = (read.part()?.to_vec(), read.take()?);
            let place = from_one(read.rest()?);
            let opened = core.ring().take_out(&label, nonce, &mut frame[place.clone()]);
            opened.ok_or(VaultError::Integrity)?;
            let length = if op == Op::HandOut { place.len() - TAG } else { 0 };
            Ok(Answer { head: done.0, body: place.start..place.start + length, tail: Vec::new() })
        }
        Op::Sign => {
            let (key, [scheme]) = (read.number()?, read.take()?);
            let scheme = SCHEMES.get(usize::from(scheme)).ok_or(VaultError::Malformed)?;
            let message = &fields[read.rest()?];
            let made = core.ring().sign(key, *scheme, message).ok_or(unusable)?;
            Ok(Answer::of(done.raw(&made)))
        }
        Op::Cosign => {
            let (key, message) = (read.number()?, &fields[read.rest()?]);
            let made = core.ring().cosign(key, message).ok_or(unusable)?;
            Ok(Answer::of(done.raw(&made)))
        }
        Op::Unwrap => {
            let key = read.number()?;
            let wrapped = WrappedKey::decode(&fields[read.rest()?]).ok_or(VaultError::Malformed)?;
            let found = core.ring().unwrap(key, &wrapped).ok_or(unusable)?;
            Ok(Answer::of(done.raw(&found)))
        }
        Op::Lock => {
            let (key, sealed) = (read.take()?, read.part()?);
            let patients = core.ring().patients().ok_or(unusable)?;
            let locked = patients.lock(&fields[read.rest()?], sealed, &key)?;
            Ok(Answer::of(done.locked(&locked)))
        }
        Op::SignAndLock => {
            let (number, [scheme]) = (read.number()?, read.take()?);
            let scheme = SCHEMES.get(usize::from(scheme)).ok_or(VaultError::Malformed)?;
            let (key, sealed, patient) = (read.take()?, read.part()?, read.part()?);
            let patients = core.ring().patients().ok_or(unusable)?;
            let message = &fields[read.rest()?];
            let made = core.ring().sign(number, *scheme, message).ok_or(unusable)?;
            let locked = patients.lock(patient, sealed, &key)?;
            Ok(Answer::of(done.part(&made).locked(&locked)))
        }
        Op::Unlock => {
            let (pseudonym, sealed) = (read.take()?, read.part()?);
            let patients = core.ring().patients().ok_or(unusable)?;
            let key = patients.unlock(&pseudonym, sealed, &fields[read.rest()?])?;
            Ok(Answer::of(done.raw(key.as_ref())))
        }
        Op::Name => {
            let patients = core.ring().patients().ok_or(unusable)?;
            Ok(Answer::of(done.raw(&patients.pseudonym(&fields[read.rest()?]))))
        }
        Op::TlsOpen | Op::TlsFeed | Op::TlsWrite | Op::TlsClose => {
            let (head, tail) = last_hop::wire::answer(op, core, &mut frame[1..])?;
            Ok(Answer { head, body: 0..0, tail })
        }
        Op::Offer | Op::Expect | Op::TakeUp => strict::answer(op, core, frame),
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

/// From the first of the places within `frame` to the end: the pieces with what stands between them.
fn within(frame: &Range<usize>, places: &[Range<usize>]) -> Range<usize> {
    frame.start + places.first().map_or(0, |first| first.start)..frame.end
}

/// A lane keeps a buffer of this size; longer ones are given back.
const KEPT_FRAME: usize = 1 << 20;

#[cfg(test)]
mod tests;
