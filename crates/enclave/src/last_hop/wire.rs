//! What a node and its vault process say to each other about connections (see [`crate::protocol`]).

use jiff::Timestamp;

use super::{Fed, Greeting, Place, Segment, Shaken};
use crate::VaultError;
use crate::core::Core;
use crate::protocol::{Op, Parts, Reader};

/// Does what the frame asks for; the head and the tail of the answer.
pub(crate) fn answer(
    op: Op,
    core: &Core,
    fields: &mut [u8],
) -> Result<(Vec<u8>, Vec<u8>), VaultError> {
    let mut read = Reader::new(fields, 0);
    let (lines, done) = (core.lines(), Parts(vec![0]));
    match op {
        Op::TlsOpen => {
            let (now, key) = (read.time()?, read.number()?);
            let (chain, hints) = (list(&mut read)?, list(&mut read)?);
            let [chain, hints] = [own(&chain), own(&hints)];
            let at = read.rest()?.start;
            let [chain, hints] = [lent(&chain), lent(&hints)];
            let greeting = Greeting { key, chain: &chain, hints: &hints };
            let (number, fed) = lines.open(core.ring(), &greeting, &mut fields[at..], now)?;
            Ok(told(done.raw(&number.to_be_bytes()), fed))
        }
        Op::TlsFeed => {
            let (number, now) = (u64::from_be_bytes(read.take()?), read.time()?);
            let at = read.rest()?.start;
            Ok(told(done, lines.feed(number, &mut fields[at..], now)?))
        }
        Op::TlsWrite => {
            let (number, now) = (u64::from_be_bytes(read.take()?), read.time()?);
            let places = places(&mut read)?;
            let at = read.rest()?.start;
            Ok((done.0, lines.write(number, &places, &fields[at..], now)?))
        }
        Op::TlsClose => {
            let number = u64::from_be_bytes(read.take()?);
            Ok((done.0, lines.close(number)?))
        }
        _ => Err(VaultError::Malformed),
    }
}

/// How a connection begins; the client's first bytes follow.
pub(super) fn open(key: u16, chain: &[Vec<u8>], hints: &[Vec<u8>], now: Timestamp) -> Parts {
    let mut parts = Parts::of(Op::TlsOpen).time(now).raw(&key.to_be_bytes());
    for all in [chain, hints] {
        parts = parts.raw(&u16::try_from(all.len()).unwrap_or(u16::MAX).to_be_bytes());
        parts = all.iter().fold(parts, |parts, one| parts.part(one));
    }
    parts
}

/// Before more bytes of the client.
pub(super) fn feed(number: u64, now: Timestamp) -> Parts {
    Parts::of(Op::TlsFeed).raw(&number.to_be_bytes()).time(now)
}

/// The end.
pub(super) fn close(number: u64) -> Parts {
    Parts::of(Op::TlsClose).raw(&number.to_be_bytes())
}

/// Segments, and the bytes that follow.
pub(super) fn write<'s>(
    number: u64,
    segments: &[Segment<'s>],
    now: Timestamp,
) -> (Parts, Vec<&'s [u8]>) {
    let mut parts = Parts::of(Op::TlsWrite).raw(&number.to_be_bytes()).time(now);
    parts = parts.raw(&u16::try_from(segments.len()).unwrap_or(u16::MAX).to_be_bytes());
    let mut bytes = Vec::new();
    let count = |number: usize| u32::try_from(number).unwrap_or(u32::MAX).to_be_bytes();
    for segment in segments {
        let place = match segment {
            Segment::Bytes(given) => {
                bytes.push(*given);
                Place::given(given.len())
            }
            Segment::Document(place) => *place,
        };
        let kind = match (place.document, place.base64) {
            (None, _) => 0,
            (Some(_), false) => 1,
            (Some(_), true) => 2,
        };
        parts = parts.raw(&[kind, place.document.unwrap_or(0)]);
        parts = parts.raw(&count(place.start)).raw(&count(place.length));
    }
    (parts, bytes)
}

/// An answer about bytes that were fed.
pub(super) fn fed(read: &mut Reader<'_>) -> Result<Fed, VaultError> {
    let [flags] = read.take()?;
    let shaken = if flags & SHAKEN == 0 {
        None
    } else {
        let group = Some(read.number()?).filter(|group| *group != 0);
        Some(Shaken { group, chain: own(&list(read)?) })
    };
    let ciphertext = read.part()?.to_vec();
    let plaintext = read.bytes.get(read.at..).unwrap_or_default().to_vec();
    let (closed, failed) = (flags & CLOSED != 0, flags & FAILED != 0);
    Ok(Fed { shaken, plaintext, ciphertext, closed, failed })
}

fn told(head: Parts, fed: Fed) -> (Vec<u8>, Vec<u8>) {
    let flag = |set: bool, flag: u8| if set { flag } else { 0 };
    let flags =
        flag(fed.shaken.is_some(), SHAKEN) | flag(fed.closed, CLOSED) | flag(fed.failed, FAILED);
    let mut head = head.raw(&[flags]);
    if let Some(Shaken { chain, group }) = &fed.shaken {
        head = head.raw(&group.unwrap_or(0).to_be_bytes());
        head = head.raw(&u16::try_from(chain.len()).unwrap_or(0).to_be_bytes());
        head = chain.iter().fold(head, |head, one| head.part(one));
    }
    (head.part(&fed.ciphertext).0, fed.plaintext)
}

fn places(read: &mut Reader<'_>) -> Result<Vec<Place>, VaultError> {
    let count = read.number()?;
    let mut places = Vec::with_capacity(count.min(MAX_RESERVED).into());
    for _ in 0..count {
        let [kind, number] = read.take()?;
        let document = match kind {
            0 => None,
            1 | 2 => Some(number),
            _ => return Err(VaultError::Malformed),
        };
        let start = u32::from_be_bytes(read.take()?) as usize;
        let length = u32::from_be_bytes(read.take()?) as usize;
        places.push(Place { document, base64: kind == 2, start, length });
    }
    Ok(places)
}

fn list<'b>(read: &mut Reader<'b>) -> Result<Vec<&'b [u8]>, VaultError> {
    let count = read.number()?;
    (0..count).map(|_| read.part()).collect()
}

fn own(list: &[&[u8]]) -> Vec<Vec<u8>> {
    list.iter().map(|one| one.to_vec()).collect()
}

fn lent(list: &[Vec<u8>]) -> Vec<&[u8]> {
    list.iter().map(Vec::as_slice).collect()
}

const SHAKEN: u8 = 1;
const CLOSED: u8 = 2;
const FAILED: u8 = 4;
/// A node's word is not enough to reserve more than this.
const MAX_RESERVED: u16 = 64;
