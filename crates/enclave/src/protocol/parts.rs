//! The parts of a frame.

use std::ops::Range;

use exchange::{Country, Transaction, TransactionId};
use jiff::Timestamp;

use super::Op;
use crate::VaultError;
use crate::core::{Pending, ReplyToken};
use crate::header::Address;

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

    pub(super) fn rest(&self) -> Result<Range<usize>, VaultError> {
        if self.at > self.bytes.len() {
            Err(VaultError::Malformed)
        } else {
            Ok(self.at..self.bytes.len())
        }
    }
}
