//! DER, read one value after the other and written.

use x509_cert::der::asn1::{AnyRef, ObjectIdentifier};
use x509_cert::der::{Decode as _, Reader as _, SliceReader};

use super::TimeStampError;

pub(super) const INTEGER: u8 = 0x02;
pub(super) const OCTET_STRING: u8 = 0x04;
pub(super) const SEQUENCE: u8 = 0x30;
pub(super) const SET: u8 = 0x31;
/// `[0]`, constructed.
pub(super) const CONTEXT_0: u8 = 0xa0;
/// `[1]`, constructed.
pub(super) const CONTEXT_1: u8 = 0xa1;

/// The values of a constructed one, in their order.
pub(super) struct Values<'d>(SliceReader<'d>);

/// One value.
#[derive(Clone, Copy)]
pub(super) struct Value<'d> {
    /// With its tag and length.
    pub whole: &'d [u8],
    /// Without.
    pub content: &'d [u8],
}

impl<'d> Values<'d> {
    /// All bytes are values.
    pub fn new(bytes: &'d [u8]) -> Result<Self, TimeStampError> {
        SliceReader::new(bytes).map(Self).map_err(|_| MALFORMED)
    }

    /// The values inside the one value that `bytes` are.
    pub fn inside(bytes: &'d [u8], tag: u8) -> Result<Self, TimeStampError> {
        let mut values = Self::new(bytes)?;
        let only = values.next(tag)?;
        values.end()?;
        Self::new(only.content)
    }

    /// The next value, which has this tag.
    pub fn next(&mut self, tag: u8) -> Result<Value<'d>, TimeStampError> {
        self.next_if(tag)?.ok_or(MALFORMED)
    }

    /// The next value, if it has this tag.
    pub fn next_if(&mut self, tag: u8) -> Result<Option<Value<'d>>, TimeStampError> {
        if self.0.peek_byte() != Some(tag) {
            return Ok(None);
        }
        let whole = self.0.tlv_bytes().map_err(|_| MALFORMED)?;
        let any = AnyRef::from_der(whole).map_err(|_| MALFORMED)?;
        Ok(Some(Value { whole, content: any.value() }))
    }

    /// The next value's own values.
    pub fn enter(&mut self, tag: u8) -> Result<Self, TimeStampError> {
        Self::new(self.next(tag)?.content)
    }

    /// The next value, an object identifier.
    pub fn oid(&mut self) -> Result<ObjectIdentifier, TimeStampError> {
        let whole = self.next(OBJECT_IDENTIFIER)?.whole;
        ObjectIdentifier::from_der(whole).map_err(|_| MALFORMED)
    }

    /// The object identifier of an `AlgorithmIdentifier`, whatever its parameters.
    pub fn algorithm(&mut self) -> Result<ObjectIdentifier, TimeStampError> {
        self.enter(SEQUENCE)?.oid()
    }

    /// Whether there is nothing more.
    pub fn is_finished(&self) -> bool {
        self.0.is_finished()
    }

    /// Nothing may follow.
    pub fn end(&self) -> Result<(), TimeStampError> {
        if self.is_finished() { Ok(()) } else { Err(MALFORMED) }
    }
}

/// Writes a value: tag, length, parts one after the other.
pub(super) fn tlv(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let length: usize = parts.iter().map(|part| part.len()).sum();
    let mut out = vec![tag];
    match u8::try_from(length) {
        Ok(short) if short < 0x80 => out.push(short),
        _ => {
            let bytes = length.to_be_bytes();
            let bytes = &bytes[bytes.iter().take_while(|b| **b == 0).count()..];
            out.push(0x80 | bytes.len() as u8);
            out.extend_from_slice(bytes);
        }
    }
    parts.iter().for_each(|part| out.extend_from_slice(part));
    out
}

const OBJECT_IDENTIFIER: u8 = 0x06;
const MALFORMED: TimeStampError = TimeStampError::Malformed("it is not the DER of a time-stamp");
