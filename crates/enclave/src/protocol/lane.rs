//! One lane between a node and its vault: a pipe each way for what is short and as the doorbell, a region
//! for what is long. Pipes, because a wake-up through one costs half of one through a socket.
//!
//! A frame on a lane is its length (4 bytes, big-endian) and that many bytes; or, with the highest bit of
//! the length set, the length alone, and the bytes lie at the start of the region.

use std::io::{self, Read, Write};

use super::frame::{too_long, within, write_frame};
use super::region::{Region, SIZE};

/// One end of a lane.
pub(crate) struct Lane<R, W> {
    from: R,
    to: W,
    region: Region,
    /// What a pipe gives with one call.
    buffer: Box<[u8; 4 + SHORT]>,
}

impl<R: Read, W: Write> Lane<R, W> {
    pub(crate) fn new(from: R, to: W, region: Region) -> Self {
        Self { from, to, region, buffer: Box::new([0; 4 + SHORT]) }
    }

    /// Sends a frame of these parts; how much of the region it took.
    pub(crate) fn send(&mut self, parts: &[&[u8]]) -> io::Result<usize> {
        let long = parts.iter().map(|part| part.len()).sum();
        if long <= SHORT || long > SIZE {
            write_frame(&mut self.to, parts)?;
            return Ok(0);
        }
        self.region.put(parts);
        let doorbell = SHARED | within(long).expect("because regions are shorter than frames");
        self.to.write_all(&doorbell.to_be_bytes())?;
        Ok(long)
    }

    /// Receives a frame; `None` at a clean end, otherwise how much of the region it took. Of a frame that
    /// says it is longer than the region nothing is taken: an empty frame, which nobody accepts. Bytes
    /// behind a frame are an error: on a lane, nobody speaks twice.
    pub(crate) fn receive(&mut self, frame: &mut Vec<u8>) -> io::Result<Option<usize>> {
        frame.clear();
        let mut got = 0;
        while got < 4 {
            match self.from.read(&mut self.buffer[got..]) {
                Ok(0) if got == 0 => return Ok(None),
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(more) => got += more,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        let taken = self.arrived(got, frame);
        self.buffer[..got].fill(0);
        std::hint::black_box(&mut self.buffer);
        taken.map(Some)
    }

    /// Takes the frame whose first bytes are in the buffer.
    fn arrived(&mut self, got: usize, frame: &mut Vec<u8>) -> io::Result<usize> {
        let (length, here) = self.buffer[..got].split_first_chunk().expect("because it has four");
        let length = u32::from_be_bytes(*length);
        let long = (length & !SHARED) as usize;
        if length & SHARED != 0 {
            if !here.is_empty() {
                return Err(invalid("bytes behind a doorbell"));
            }
            let long = if long > SIZE { 0 } else { long };
            self.region.take(long, frame);
            return Ok(long);
        }
        within(long).ok_or_else(too_long)?;
        if here.len() > long {
            return Err(invalid("bytes behind a frame"));
        }
        frame.reserve_exact(long.min(SIZE));
        frame.extend_from_slice(here);
        // memory is taken as the bytes come, not as they are announced
        while frame.len() < long {
            let got = frame.len();
            frame.resize(long.min(got + SIZE), 0);
            self.from.read_exact(&mut frame[got..])?;
        }
        Ok(0)
    }

    /// Wipes what a call took of the region.
    pub(crate) fn wipe(&mut self, taken: usize) {
        self.region.wipe(taken);
    }
}

fn invalid(why: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, why)
}

/// The highest bit of a length: the bytes are in the region. No frame is that long.
const SHARED: u32 = 1 << 31;
/// Longest frame that goes through the pipe although the region could take it: with its length a page, which is
/// what a pipe takes at once.
pub(crate) const SHORT: usize = (4 << 10) - 4;
