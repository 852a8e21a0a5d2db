//! The parts of a frame.

use std::ops::Range;

use exchange::{Country, Transaction, TransactionId};
use jiff::Timestamp;

use super::Op;
use crate::VaultError;
use crate::core::{Given, Outlet, Pending, ReplyToken, Target};
use crate::header::{Address, Delivery, places};
use crate::patients::Locked;
use crate::piece::{Delivered, Piece};
use crate::pouch::PouchKey;
use bytes::Bytes;

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
            .raw(&reply.sender)
            .delivery(reply.delivery)
            .address(&reply.address)
    }

    pub(crate) fn target(self, to: &Target<'_>) -> Self {
        self.raw(to.country.as_str().as_bytes()).time(to.not_after).part(to.key)
    }

    pub(crate) fn delivery(self, delivery: Delivery) -> Self {
        let (number, about) = delivery.parts();
        self.raw(&[number]).raw(about)
    }

    pub(crate) fn outlet(self, outlet: Outlet<'_>) -> Self {
        match outlet {
            Outlet::Node => self.raw(&[0]),
            Outlet::Pouch(key) => self.raw(&[1]).part(&key.encode()),
            Outlet::Line(number) => self.raw(&[2]).raw(&number.to_be_bytes()),
        }
    }

    pub(crate) fn locked(self, locked: &Locked) -> Self {
        let head = self.raw(&locked.pseudonym).raw(&locked.key);
        head.raw(locked.made.as_ref().map_or(&[], |made| made))
    }

    /// How long the documents are that the vault holds.
    pub(crate) fn held(mut self, lengths: &[usize]) -> Self {
        self = self.raw(&[u8::try_from(lengths.len()).unwrap_or(u8::MAX)]);
        let length = |length: &usize| u32::try_from(*length).unwrap_or(u32::MAX).to_be_bytes();
        lengths.iter().fold(self, |parts, of| parts.raw(&length(of)))
    }

    /// What the pieces are whose bytes stand at the end of the frame.
    pub(crate) fn pieces(mut self, pieces: &[Piece<'_>]) -> Result<Self, VaultError> {
        self = self.raw(&[u8::try_from(pieces.len()).map_err(|_| VaultError::Malformed)?]);
        for piece in pieces {
            let Given { length, kept } = piece.given()?;
            let length = u32::try_from(length).map_err(|_| VaultError::Malformed)?;
            self = self.raw(&length.to_be_bytes());
            self = match kept {
                None => self.raw(&[0]),
                Some((label, nonce)) => self.raw(&[1]).part(&label).raw(&nonce),
            };
        }
        Ok(self)
    }

    pub(crate) fn digests(mut self, digests: &[[u8; 32]]) -> Self {
        self = self.raw(&[u8::try_from(digests.len()).unwrap_or(u8::MAX)]);
        digests.iter().fold(self, |parts, digest| parts.raw(digest))
    }

    /// How long the pieces are that stand at the end of the frame, each with its tag behind it.
    pub(crate) fn lengths(mut self, places: &[Range<usize>]) -> Self {
        self = self.raw(&[u8::try_from(places.len()).unwrap_or(u8::MAX)]);
        for place in places {
            let length = u32::try_from(place.len()).unwrap_or(u32::MAX);
            self = self.raw(&length.to_be_bytes());
        }
        self
    }
}

/// A [`Target`] that was read.
pub(crate) struct ReadTarget {
    country: Country,
    not_after: Timestamp,
    key: Vec<u8>,
}

impl ReadTarget {
    pub(crate) fn target(&self) -> Target<'_> {
        Target { country: self.country, key: &self.key, not_after: self.not_after }
    }
}

/// An [`Outlet`] that was read.
pub(crate) enum ReadOutlet {
    Node,
    Pouch(PouchKey),
    Line(u64),
}

impl ReadOutlet {
    pub(crate) fn outlet(&self) -> Outlet<'_> {
        match self {
            Self::Node => Outlet::Node,
            Self::Pouch(key) => Outlet::Pouch(key),
            Self::Line(number) => Outlet::Line(*number),
        }
    }
}

/// Reads parts.
pub(crate) struct Reader<'b> {
    pub(crate) bytes: &'b [u8],
    pub(crate) at: usize,
}

impl<'b> Reader<'b> {
    /// To the end of an answer.
    pub(crate) fn locked(&mut self) -> Result<Locked, VaultError> {
        let gone = |_| VaultError::Gone;
        let (pseudonym, key) = (self.take().map_err(gone)?, self.take().map_err(gone)?);
        let more = self.at < self.bytes.len();
        let made = more.then(|| self.take().map_err(gone)).transpose()?;
        Ok(Locked { pseudonym, key, made })
    }

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
        let (sender, delivery) = (self.take()?, self.delivery()?);
        Ok(ReplyToken { session, sequence, sender, delivery, address: self.address()? })
    }

    pub(crate) fn target(&mut self) -> Result<ReadTarget, VaultError> {
        let (country, not_after) = (self.country()?, self.time()?);
        Ok(ReadTarget { country, not_after, key: self.part()?.to_vec() })
    }

    pub(crate) fn delivery(&mut self) -> Result<Delivery, VaultError> {
        match self.take()? {
            [0] => Ok(Delivery::Node),
            [1] => self.take().map(Delivery::Pouch),
            [2] => self.take().map(Delivery::Tls),
            _ => Err(VaultError::Malformed),
        }
    }

    pub(crate) fn outlet(&mut self) -> Result<ReadOutlet, VaultError> {
        match self.take()? {
            [0] => Ok(ReadOutlet::Node),
            [1] => PouchKey::decode(self.part()?).map(ReadOutlet::Pouch),
            [2] => Ok(ReadOutlet::Line(u64::from_be_bytes(self.take()?))),
            _ => Err(VaultError::Malformed),
        }
    }

    pub(crate) fn given(&mut self) -> Result<Vec<Given>, VaultError> {
        let [count] = self.take()?;
        let mut given = Vec::with_capacity(count.into());
        for _ in 0..count {
            let length = u32::from_be_bytes(self.take()?) as usize;
            let kept = match self.take()? {
                [0] => None,
                [1] => Some((self.part()?.to_vec(), self.take()?)),
                _ => return Err(VaultError::Malformed),
            };
            given.push(Given { length, kept });
        }
        Ok(given)
    }

    /// An opened answer.
    pub(crate) fn delivered(mut self, answer: &Bytes) -> Result<Delivered, VaultError> {
        let [count] = self.take()?;
        let digests = (0..count).map(|_| self.take()).collect::<Result<_, _>>()?;
        let [count] = self.take()?;
        let length = |_| Ok(u32::from_be_bytes(self.take()?) as usize);
        let held = (0..count).map(length).collect::<Result<_, VaultError>>()?;
        Ok(Delivered { digests, held, pieces: self.opened(answer)? })
    }

    /// The pieces at the end of an answer, which share its buffer.
    pub(crate) fn opened(mut self, answer: &Bytes) -> Result<Vec<Bytes>, VaultError> {
        let [count] = self.take()?;
        let mut lengths = Vec::with_capacity(count.into());
        for _ in 0..count {
            lengths.push(u32::from_be_bytes(self.take()?) as usize);
        }
        let places = places(self.at, lengths.into_iter());
        if places.last().is_none_or(|last| last.end > answer.len()) {
            return Err(VaultError::Gone);
        }
        Ok(places.into_iter().map(|place| answer.slice(place)).collect())
    }

    pub(crate) fn rest(&self) -> Result<Range<usize>, VaultError> {
        if self.at > self.bytes.len() {
            Err(VaultError::Malformed)
        } else {
            Ok(self.at..self.bytes.len())
        }
    }
}
