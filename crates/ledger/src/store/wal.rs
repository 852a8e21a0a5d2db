//! The write-ahead file: what was acknowledged is here first, with one `fdatasync` for each block.
//!
//! Each file begins with a snapshot of the state before it, so that older files can go as soon as the
//! tiles of their blocks are durable. A record is `magic ‖ kind ‖ length ‖ SHA-256 of the body ‖ check
//! of these ‖ body`.

use std::fs::File;
use std::path::PathBuf;

use super::StoreError;
use super::disk::{Disk, damaged};
use crate::evidence::sha256;
use crate::tree::Hash;

/// What a record holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Where the files before this one end.
    Snapshot = 1,
    /// A final block.
    Block = 2,
}

/// One record that is whole.
pub(super) struct Record {
    pub(super) kind: Kind,
    /// SHA-256 of the body; of a block its digest.
    pub(super) digest: Hash,
    pub(super) body: Vec<u8>,
}

/// The file that is appended to.
pub(super) struct Wal {
    disk: Disk,
    file: File,
    number: u64,
    end: u64,
}

impl Wal {
    /// Starts file `number` with a snapshot; durable when it returns.
    pub(super) fn start(disk: &Disk, number: u64, snapshot: &[u8]) -> Result<Self, StoreError> {
        // what a failed start left
        disk.remove(&path(number))?;
        let file = disk.file(&path(number))?;
        let mut wal = Self { disk: disk.clone(), file, number, end: 0 };
        wal.write(Kind::Snapshot, sha256(snapshot), snapshot)?;
        disk.settle([&path(number)])?;
        Ok(wal)
    }

    /// Appends a record; durable when it returns. After a failure the file must not be appended to.
    pub(super) fn append(
        &mut self,
        kind: Kind,
        digest: Hash,
        body: &[u8],
    ) -> Result<(), StoreError> {
        self.write(kind, digest, body)?;
        self.disk.sync(&self.file, &path(self.number))
    }

    fn write(&mut self, kind: Kind, digest: Hash, body: &[u8]) -> Result<(), StoreError> {
        let mut header = Vec::with_capacity(HEADER);
        header.extend_from_slice(MAGIC);
        header.push(kind as u8);
        let length = u32::try_from(body.len()).expect("because a block is bounded far below");
        header.extend_from_slice(&length.to_be_bytes());
        header.extend_from_slice(&digest);
        let check = check(&header);
        header.extend_from_slice(&check);
        // a body is as long as a block: it is not copied behind its header
        for part in [&header, body] {
            self.disk.write(&self.file, &path(self.number), part, self.end)?;
            self.end += part.len() as u64;
        }
        Ok(())
    }

    pub(super) fn number(&self) -> u64 {
        self.number
    }

    /// Bytes in the file.
    pub(super) fn len(&self) -> u64 {
        self.end
    }
}

/// Numbers of the files that are there, the oldest first.
pub(super) fn numbers(disk: &Disk) -> Result<Vec<u64>, StoreError> {
    let names = disk.names(FOLDER.as_ref())?;
    Ok(names.iter().filter_map(|name| name.parse().ok()).collect())
}

pub(super) fn path(number: u64) -> PathBuf {
    PathBuf::from(FOLDER).join(format!("{number:020}"))
}

/// The whole records of a file, in order. What a crash left of the last one is passed over; anything
/// else that does not read is damage.
pub(super) fn read(disk: &Disk, number: u64) -> Result<Vec<Record>, StoreError> {
    let path = path(number);
    let bytes = disk.read(&path)?;
    let (mut records, mut at) = (Vec::new(), 0);
    while at < bytes.len() {
        match parse(&bytes[at..]) {
            Ok(record) => {
                at += HEADER + record.body.len();
                records.push(record);
            }
            Err(bad) if is_torn(&bytes, at, bad) => break,
            Err(_) => return Err(damaged(&path, &format!("does not read at byte {at}"))),
        }
    }
    Ok(records)
}

/// Why there is no record.
#[derive(Clone, Copy)]
enum Bad {
    /// The file ends inside it.
    Cut,
    /// Its checks do not hold.
    Check,
}

fn parse(bytes: &[u8]) -> Result<Record, Bad> {
    let (header, rest) = bytes.split_at_checked(HEADER).ok_or(Bad::Cut)?;
    let (length, kind, digest) = parse_header(header).ok_or(Bad::Check)?;
    let body = rest.get(..length).ok_or(Bad::Cut)?;
    if sha256(body) != digest {
        return Err(Bad::Check);
    }
    Ok(Record { kind, digest, body: body.to_vec() })
}

fn parse_header(header: &[u8]) -> Option<(usize, Kind, Hash)> {
    let (front, told) = header.split_at_checked(HEADER - CHECK)?;
    let rest = front.strip_prefix(MAGIC)?;
    (check(front) == told).then_some(())?;
    let (kind, rest) = rest.split_first()?;
    let (length, digest) = rest.split_first_chunk::<4>()?;
    let kind = [Kind::Snapshot, Kind::Block].into_iter().find(|known| *known as u8 == *kind)?;
    Some((u32::from_be_bytes(*length) as usize, kind, digest.try_into().ok()?))
}

/// Whether what is at `at` is a write that did not end, and not damage: nothing whole follows it, and
/// the file ends in it or a sector of it was never written.
fn is_torn(bytes: &[u8], at: usize, bad: Bad) -> bool {
    let behind = &bytes[at..];
    let followed =
        (1..behind.len()).filter(|from| behind[*from..].starts_with(MAGIC)).any(|from| {
            behind.get(from..from + HEADER).is_some_and(|header| parse_header(header).is_some())
        });
    // header and body are two writes: the first may be on the disk and nothing of the second
    let bodiless = || {
        let (header, body) = behind.split_at(HEADER.min(behind.len()));
        matches!(parse_header(header), Some((_, Kind::Block, _)))
            && body.iter().take(BLOCK_BEGINS).all(|byte| *byte == 0)
    };
    let unwritten = || {
        let first = at.next_multiple_of(SECTOR).min(bytes.len());
        behind.len() < SECTOR && behind.iter().all(|byte| *byte == 0)
            || bytes[first..]
                .chunks_exact(SECTOR)
                .any(|sector| sector.iter().all(|byte| *byte == 0))
    };
    !followed && (matches!(bad, Bad::Cut) || bodiless() || unwritten())
}

fn check(front: &[u8]) -> [u8; CHECK] {
    *sha256(front).first_chunk().expect("because SHA-256 is longer")
}

const FOLDER: &str = "wal";
const MAGIC: &[u8] = b"KWAL";
const CHECK: usize = 8;
const HEADER: usize = MAGIC.len() + 1 + 4 + 32 + CHECK;
/// A block begins with as many bytes that are not zero (`block::MAGIC`).
const BLOCK_BEGINS: usize = 16;
/// What a disk writes at once, at the least.
const SECTOR: usize = 512;
