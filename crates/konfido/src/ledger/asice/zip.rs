//! A zip whose files are stored as they are (APPNOTE 6.3.9): what a container of evidence needs, and no
//! more. No compression, no zip64, no time: the same files make the same bytes.

use anyhow::{Context as _, ensure};

/// A zip that grows.
#[derive(Default)]
pub struct Zip {
    bytes: Vec<u8>,
    directory: Vec<u8>,
    count: u16,
}

impl Zip {
    /// Adds a file.
    pub fn add(&mut self, name: &str, content: &[u8]) -> anyhow::Result<()> {
        let at = u32::try_from(self.bytes.len()).context("the container is too large")?;
        let length = u32::try_from(content.len()).context("the container is too large")?;
        ensure!(length < MOST && at < MOST, "the container is too large");
        let entry = entry(name, content, length);
        self.bytes.extend_from_slice(&LOCAL.to_le_bytes());
        self.bytes.extend_from_slice(&entry);
        self.bytes.extend_from_slice(name.as_bytes());
        self.bytes.extend_from_slice(content);
        self.directory.extend_from_slice(&CENTRAL.to_le_bytes());
        self.directory.extend_from_slice(&VERSION.to_le_bytes());
        self.directory.extend_from_slice(&entry);
        // no comment, the first disk, no attributes
        self.directory.extend_from_slice(&[0; 10]);
        self.directory.extend_from_slice(&at.to_le_bytes());
        self.directory.extend_from_slice(name.as_bytes());
        self.count += 1;
        Ok(())
    }

    /// The whole file.
    pub fn finish(self) -> Vec<u8> {
        let Self { mut bytes, directory, count } = self;
        let small = |length: usize| u32::try_from(length).unwrap_or(u32::MAX).to_le_bytes();
        let at = small(bytes.len());
        bytes.extend_from_slice(&directory);
        bytes.extend_from_slice(&END.to_le_bytes());
        bytes.extend_from_slice(&[0; 4]);
        bytes.extend_from_slice(&count.to_le_bytes());
        bytes.extend_from_slice(&count.to_le_bytes());
        bytes.extend_from_slice(&small(directory.len()));
        bytes.extend_from_slice(&at);
        bytes.extend_from_slice(&[0; 2]);
        bytes
    }
}

/// What both headers say of a file: version, flags, method, date, CRC, lengths.
fn entry(name: &str, content: &[u8], length: u32) -> Vec<u8> {
    let mut out = Vec::with_capacity(26);
    out.extend_from_slice(&VERSION.to_le_bytes());
    // no flags, stored, midnight
    out.extend_from_slice(&[0; 6]);
    out.extend_from_slice(&FIRST_DAY.to_le_bytes());
    out.extend_from_slice(&crc32(content).to_le_bytes());
    out.extend_from_slice(&length.to_le_bytes());
    out.extend_from_slice(&length.to_le_bytes());
    out.extend_from_slice(&u16::try_from(name.len()).unwrap_or(u16::MAX).to_le_bytes());
    out.extend_from_slice(&[0; 2]);
    out
}

/// CRC-32 of ISO-HDLC, as zip has it.
fn crc32(bytes: &[u8]) -> u32 {
    let table: [u32; 256] = std::array::from_fn(|at| {
        (0..8).fold(u32::try_from(at).unwrap_or(0), |crc, _| {
            if crc & 1 == 1 { (crc >> 1) ^ 0xedb8_8320 } else { crc >> 1 }
        })
    });
    let step = |crc: u32, byte: &u8| (crc >> 8) ^ table[((crc ^ u32::from(*byte)) & 0xff) as usize];
    !bytes.iter().fold(u32::MAX, step)
}

const LOCAL: u32 = 0x0403_4b50;
const CENTRAL: u32 = 0x0201_4b50;
const END: u32 = 0x0605_4b50;
/// 2.0
const VERSION: u16 = 20;
/// 1980-01-01
const FIRST_DAY: u16 = 0x0021;
/// Bytes of a file, and of all before it.
const MOST: u32 = 1 << 30;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checksum_is_that_of_the_catalogue() {
        assert_eq!(crc32(b"123456789"), 0xcbf4_3926);
        assert_eq!(crc32(b""), 0);
    }

    /// EN 319 162-1 §A.1: readers look for the type at byte 38.
    #[test]
    fn the_first_file_stands_at_its_fixed_place() {
        let mut zip = Zip::default();
        zip.add("mimetype", b"application/vnd.etsi.asic-e+zip").unwrap();
        zip.add("a", b"b").unwrap();
        let bytes = zip.finish();
        assert_eq!(&bytes[..4], b"PK\x03\x04");
        assert_eq!(&bytes[30..38], b"mimetype");
        assert_eq!(&bytes[38..69], b"application/vnd.etsi.asic-e+zip");
    }
}
