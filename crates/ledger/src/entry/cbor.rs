//! Reading CBOR (RFC 8949) in its deterministic encoding, with no other reading possible: lengths in
//! their shortest form, no indefinite items, nothing behind the end.

use std::ops::Range;

/// Where we are in the bytes.
pub(super) struct Cursor<'b> {
    bytes: &'b [u8],
    at: usize,
}

/// Major types (RFC 8949 §3.1).
const BYTES: u8 = 2;
const TEXT: u8 = 3;
const ARRAY: u8 = 4;
const MAP: u8 = 5;

impl<'b> Cursor<'b> {
    pub(super) fn new(bytes: &'b [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    /// Whether all was read.
    pub(super) fn is_done(&self) -> bool {
        self.at == self.bytes.len()
    }

    /// These very bytes.
    pub(super) fn literal(&mut self, expected: &[u8]) -> Option<()> {
        let range = self.take(expected.len())?;
        (self.bytes[range] == *expected).then_some(())
    }

    /// An array: how many items follow.
    pub(super) fn array(&mut self) -> Option<usize> {
        self.head(ARRAY)
    }

    /// A map: how many pairs follow.
    pub(super) fn map(&mut self) -> Option<usize> {
        self.head(MAP)
    }

    /// A byte string: where it stands.
    pub(super) fn bytes(&mut self) -> Option<Range<usize>> {
        let length = self.head(BYTES)?;
        self.take(length)
    }

    /// A text.
    pub(super) fn text(&mut self) -> Option<&'b str> {
        let length = self.head(TEXT)?;
        let range = self.take(length)?;
        std::str::from_utf8(&self.bytes[range]).ok()
    }

    /// The key of a map's pair: this name.
    pub(super) fn field(&mut self, name: &str) -> Option<&mut Self> {
        (self.text()? == name).then_some(self)
    }

    /// 32 bytes.
    pub(super) fn hash(&mut self) -> Option<[u8; 32]> {
        let range = self.bytes()?;
        self.bytes[range].try_into().ok()
    }

    /// Whether `null` stands here; read if so.
    pub(super) fn null(&mut self) -> bool {
        let here = self.bytes.get(self.at) == Some(&NULL);
        self.at += usize::from(here);
        here
    }

    fn take(&mut self, length: usize) -> Option<Range<usize>> {
        let end = self.at.checked_add(length).filter(|end| *end <= self.bytes.len())?;
        let range = self.at..end;
        self.at = end;
        Some(range)
    }

    /// The head of an item of this major type: its argument in the shortest form, at most 16 bits.
    fn head(&mut self, major: u8) -> Option<usize> {
        let at = self.take(1)?.start;
        let first = self.bytes[at];
        if first >> 5 != major {
            return None;
        }
        match first & 0x1f {
            small @ 0..24 => Some(usize::from(small)),
            ONE_BYTE => {
                let at = self.take(1)?.start;
                Some(usize::from(self.bytes[at])).filter(|value| *value >= 24)
            }
            TWO_BYTES => {
                let at = self.take(2)?.start;
                let value = u16::from_be_bytes([self.bytes[at], self.bytes[at + 1]]);
                Some(usize::from(value)).filter(|value| *value >= 0x100)
            }
            _ => None,
        }
    }
}

/// Appends the head of an item: for what is signed, which nobody transmits.
pub(super) fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    put_head(out, BYTES, bytes.len());
    out.extend_from_slice(bytes);
}

fn put_head(out: &mut Vec<u8>, major: u8, value: usize) {
    let major = major << 5;
    match (u8::try_from(value), u16::try_from(value)) {
        (Ok(value), _) if value < 24 => out.push(major | value),
        (Ok(value), _) => out.extend_from_slice(&[major | ONE_BYTE, value]),
        (_, Ok(value)) => {
            out.push(major | TWO_BYTES);
            out.extend_from_slice(&value.to_be_bytes());
        }
        _ => {
            out.push(major | FOUR_BYTES);
            let value = u32::try_from(value).expect("because an entry has 8 KiB");
            out.extend_from_slice(&value.to_be_bytes());
        }
    }
}

const NULL: u8 = 0xf6;
/// What stands in a head when its argument follows (RFC 8949 §3).
const ONE_BYTE: u8 = 0x18;
const TWO_BYTES: u8 = 0x19;
const FOUR_BYTES: u8 = 0x1a;
