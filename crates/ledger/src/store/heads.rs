//! The headers of final blocks by height; their entries are in the bundles.

use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use super::StoreError;
use super::disk::{Disk, at, damaged};
use crate::block::Header;
use crate::evidence::sha256;

/// Fixed records `parent ‖ root ‖ time ‖ size ‖ check`, 65,536 in a file.
pub(super) struct Heads {
    disk: Disk,
    /// The file used last: most reading and all writing is at the end.
    last: Mutex<Option<(u64, Arc<File>)>>,
}

impl Heads {
    pub(super) fn new(disk: Disk) -> Self {
        Self { disk, last: Mutex::new(None) }
    }

    /// Writes a block's header; durable after its [`path`] is settled.
    pub(super) fn put(&self, header: &Header) -> Result<(), StoreError> {
        let place = header.height - 1;
        let path = path(header.height);
        let file = self.disk.file(&path)?;
        self.disk.write(&file, &path, &encode(header), place % IN_FILE * WIDTH as u64)
    }

    /// The header of a block that is final.
    pub(super) fn read(&self, height: u64) -> Result<Header, StoreError> {
        let path = path(height);
        let missing = || damaged(&path, &format!("does not hold the header of block {height}"));
        let place = height.checked_sub(1).ok_or_else(missing)?;
        let file = self.open(place / IN_FILE)?.ok_or_else(missing)?;
        let mut bytes = [0; WIDTH];
        match file.read_exact_at(&mut bytes, place % IN_FILE * WIDTH as u64) {
            Err(e) if e.kind() == std::io::ErrorKind::UnexpectedEof => Err(missing()),
            Err(source) => Err(at(&path, source)),
            Ok(()) => decode(height, &bytes).ok_or_else(missing),
        }
    }

    /// The block up to `tip` after which the tree first has more than `index` leaves.
    pub(super) fn covering(&self, index: u64, tip: u64) -> Result<u64, StoreError> {
        let (mut low, mut high) = (1, tip);
        while low < high {
            let middle = u64::midpoint(low, high);
            if self.read(middle)?.tree_size > index {
                high = middle;
            } else {
                low = middle + 1;
            }
        }
        Ok(low)
    }

    fn open(&self, number: u64) -> Result<Option<Arc<File>>, StoreError> {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, file)) = last.as_ref().filter(|(held, _)| *held == number) {
            return Ok(Some(file.clone()));
        }
        let file = self.disk.readable(&path(number * IN_FILE + 1))?.map(Arc::new);
        *last = file.clone().map(|file| (number, file));
        Ok(file)
    }
}

/// The file that holds the header of a block.
pub(super) fn path(height: u64) -> PathBuf {
    PathBuf::from("blocks").join(format!("{:09}", height.saturating_sub(1) / IN_FILE))
}

fn encode(header: &Header) -> [u8; WIDTH] {
    let mut out = [0; WIDTH];
    out[..32].copy_from_slice(&header.parent);
    out[32..64].copy_from_slice(&header.root);
    out[64..72].copy_from_slice(&header.time_ms.to_be_bytes());
    out[72..80].copy_from_slice(&header.tree_size.to_be_bytes());
    let check = check(header.height, &out[..80]);
    out[80..].copy_from_slice(&check);
    out
}

fn decode(height: u64, bytes: &[u8; WIDTH]) -> Option<Header> {
    (bytes[80..] == check(height, &bytes[..80])).then_some(())?;
    let number = |from: usize| Some(u64::from_be_bytes(*bytes[from..].first_chunk()?));
    Some(Header {
        parent: *bytes.first_chunk()?,
        height,
        time_ms: number(64)?,
        tree_size: number(72)?,
        root: *bytes[32..].first_chunk()?,
    })
}

fn check(height: u64, bytes: &[u8]) -> [u8; 8] {
    let digest = sha256(&[b"konfido head 1\n", &height.to_be_bytes()[..], bytes].concat());
    *digest.first_chunk().expect("because SHA-256 is longer")
}

const WIDTH: usize = 88;
const IN_FILE: u64 = 1 << 16;
