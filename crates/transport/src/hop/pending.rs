//! What was written to a connection and is not encrypted yet.

use std::io::{Error, IoSlice, Result};
use std::ops::Range;

use super::{Hole, Open, Segment, is_hole};
use crate::stream::WRITE_BYTES;

/// Pieces of what is said, in their order: one call of the vault for many of them.
#[derive(Debug, Default)]
pub(super) struct Pending {
    pieces: Vec<Piece>,
    bytes: Vec<u8>,
    length: usize,
}

#[derive(Debug)]
enum Piece {
    Bytes(Range<usize>),
    Hole(Hole, usize, usize),
}

impl Pending {
    pub(super) fn is_empty(&self) -> bool {
        self.length == 0
    }

    pub(super) fn is_full(&self) -> bool {
        self.length >= WRITE_BYTES || self.pieces.len() >= PIECES
    }

    /// Takes what there is room for; how much that was.
    pub(super) fn take(&mut self, slices: &[IoSlice<'_>], open: &Open) -> Result<usize> {
        let before = self.length;
        for slice in slices {
            let mut slice = &slice[..];
            while !slice.is_empty() && !self.is_full() {
                let most = slice.len().min(WRITE_BYTES - self.length);
                let taken = self.add(&slice[..most], open)?;
                slice = &slice[taken..];
            }
        }
        Ok(self.length - before)
    }

    fn add(&mut self, slice: &[u8], open: &Open) -> Result<usize> {
        let taken = if is_hole(slice) {
            let next = open.next(slice.len());
            let (hole, start, length) = next.ok_or_else(|| Error::other("a hole too many"))?;
            self.pieces.push(Piece::Hole(hole, start, length));
            length
        } else {
            let at = self.bytes.len();
            self.bytes.extend_from_slice(slice);
            match self.pieces.last_mut() {
                Some(Piece::Bytes(last)) => last.end = self.bytes.len(),
                _ => self.pieces.push(Piece::Bytes(at..self.bytes.len())),
            }
            slice.len()
        };
        self.length += taken;
        Ok(taken)
    }

    /// All of it, which is then forgotten.
    pub(super) fn give<T>(&mut self, to: impl FnOnce(&[Segment<'_>]) -> T) -> T {
        let segments = self.pieces.iter().map(|piece| match piece {
            Piece::Bytes(place) => Segment::Bytes(&self.bytes[place.clone()]),
            Piece::Hole(hole, start, length) => Segment::Hole(*hole, *start, *length),
        });
        let given = to(&segments.collect::<Vec<_>>());
        // a connection on which nothing waits holds no memory
        *self = Self::default();
        given
    }
}

/// Pieces that are encrypted at once.
const PIECES: usize = 256;
