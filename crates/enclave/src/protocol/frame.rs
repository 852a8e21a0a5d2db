//! Frames in a stream.

use std::io::{self, IoSlice, Read, Write};

use super::MAX_FRAME;

/// Reads a frame; false at a clean end.
pub(crate) fn read_frame(from: &mut impl Read, frame: &mut Vec<u8>) -> io::Result<bool> {
    frame.clear();
    let mut length = [0; 4];
    match from.read_exact(&mut length) {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(false),
        read => read?,
    }
    let length = u32::from_be_bytes(length) as usize;
    within(length).ok_or_else(too_long)?;
    // as much as there is with each call: read_to_end begins with 8 kB, and a document has 100
    frame.resize(length, 0);
    from.read_exact(frame)?;
    Ok(true)
}

/// Writes a frame of these parts.
pub(crate) fn write_frame(to: &mut impl Write, parts: &[&[u8]]) -> io::Result<()> {
    let length: usize = parts.iter().map(|part| part.len()).sum();
    let length = within(length).ok_or(io::ErrorKind::InvalidInput)?.to_be_bytes();
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

/// The length of a frame that may be that long.
pub(super) fn within(length: usize) -> Option<u32> {
    u32::try_from(length).ok().filter(|_| length <= MAX_FRAME)
}

pub(super) fn too_long() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "frame is too long")
}
