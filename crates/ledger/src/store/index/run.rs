//! A sorted run: rows in the order of their ids, in pages that are checked when they are read.
//!
//! Page: 63 rows of 64 bytes, their number, and SHA-256 over run, place and rows. Behind the pages stands the
//! filter. A run is written once and never changed.

use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::path::PathBuf;

use super::filter::Filter;
use super::{Key, Value};
use crate::evidence::sha256;
use crate::store::StoreError;
use crate::store::disk::{Disk, at, damaged};

/// What the manifest says of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct About {
    pub(super) id: u64,
    /// How often its rows were merged.
    pub(super) tier: u32,
    pub(super) rows: u64,
    /// Bytes of its filter.
    pub(super) filter: u64,
}

/// One run, open for reading.
pub(super) struct Run {
    pub(super) about: About,
    file: File,
    path: PathBuf,
    filter: Option<Filter>,
}

type Page = [u8; PAGE];

impl Run {
    /// Opens a run; its filter is read where there is room for it.
    pub(super) fn open(disk: &Disk, about: About, with_filter: bool) -> Result<Self, StoreError> {
        let path = path(about.id);
        let file = disk.readable(&path)?.ok_or_else(|| damaged(&path, "is missing"))?;
        let length = file.metadata().map_err(|source| at(&path, source))?.len();
        if length != about.pages() * PAGE as u64 + about.filter + 32 {
            return Err(damaged(&path, "has another length"));
        }
        let mut run = Self { about, file, path, filter: None };
        if with_filter {
            run.filter = Some(run.read_filter()?);
        }
        Ok(run)
    }

    /// Bytes of memory that it takes.
    pub(super) fn held(&self) -> u64 {
        self.filter.as_ref().map_or(0, Filter::len)
    }

    /// The row of an id.
    pub(super) fn find(&self, key: &Key) -> Result<Option<Value>, StoreError> {
        if self.filter.as_ref().is_some_and(|filter| !filter.may_hold(key)) {
            return Ok(None);
        }
        // ids are random, so that the place can be guessed; every other step halves, should they not be
        let (mut pages, mut keys) = (0..self.about.pages(), (0, u64::MAX));
        let mut halve = false;
        while pages.start < pages.end {
            let span = pages.end - pages.start;
            let guess = if halve { span / 2 } else { place(front(key), keys, span) };
            halve = !halve;
            let number = pages.start + guess;
            let page = self.page(number)?;
            let rows = rows(&page);
            let (Some(first), Some(last)) = (rows.first(), rows.last()) else { return Ok(None) };
            if *key < first.0 {
                (pages.end, keys.1) = (number, front(&first.0));
            } else if *key > last.0 {
                (pages.start, keys.0) = (number + 1, front(&last.0));
            } else {
                let found = rows.binary_search_by(|(held, _)| held.cmp(key));
                return Ok(found.ok().map(|place| rows[place].1));
            }
        }
        Ok(None)
    }

    /// All rows in order.
    pub(super) fn rows(&self) -> Rows<'_> {
        Rows { run: self, next: 0, page: Vec::new().into_iter() }
    }

    fn page(&self, number: u64) -> Result<Page, StoreError> {
        let mut page = [0; PAGE];
        let read = self.file.read_exact_at(&mut page, number * PAGE as u64);
        read.map_err(|source| at(&self.path, source))?;
        if page[CHECKED..CHECKED + 32] != page_check(self.about.id, number, &page) {
            return Err(damaged(
                &self.path,
                &format!("has another page {number} than was written"),
            ));
        }
        Ok(page)
    }

    fn read_filter(&self) -> Result<Filter, StoreError> {
        let mut bytes = vec![0; self.about.filter as usize + 32];
        let from = self.about.pages() * PAGE as u64;
        self.file.read_exact_at(&mut bytes, from).map_err(|source| at(&self.path, source))?;
        let (filter, check) = bytes.split_at(self.about.filter as usize);
        if sha256(filter) != check {
            return Err(damaged(&self.path, "has another filter than was written"));
        }
        Ok(Filter::decode(filter))
    }
}

impl About {
    fn pages(&self) -> u64 {
        self.rows.div_ceil(IN_PAGE as u64)
    }
}

/// Where a run stands.
pub(super) fn path(id: u64) -> PathBuf {
    PathBuf::from(super::FOLDER).join(format!("run-{id:016}"))
}

/// Reads a run from its beginning.
pub(super) struct Rows<'r> {
    run: &'r Run,
    next: u64,
    page: std::vec::IntoIter<(Key, Value)>,
}

impl Iterator for Rows<'_> {
    type Item = Result<(Key, Value), StoreError>;

    fn next(&mut self) -> Option<Self::Item> {
        if let Some(row) = self.page.next() {
            return Some(Ok(row));
        }
        if self.next == self.run.about.pages() {
            return None;
        }
        match self.run.page(self.next) {
            Err(e) => Some(Err(e)),
            Ok(page) => {
                self.next += 1;
                self.page = rows(&page).into_iter();
                self.page.next().map(Ok)
            }
        }
    }
}

/// Writes a run, row by row in order.
pub(super) struct Writer<'d> {
    disk: &'d Disk,
    file: File,
    path: PathBuf,
    about: About,
    filter: Filter,
    /// Rows of the page that is not full.
    page: Vec<u8>,
    /// Whole pages that are not written yet, and where they go.
    buffer: Vec<u8>,
    end: u64,
}

impl<'d> Writer<'d> {
    pub(super) fn new(
        disk: &'d Disk,
        id: u64,
        tier: u32,
        at_most: u64,
    ) -> Result<Self, StoreError> {
        let path = path(id);
        disk.remove(&path)?;
        let file = disk.file(&path)?;
        let filter = Filter::for_rows(at_most);
        let about = About { id, tier, rows: 0, filter: filter.len() };
        Ok(Self { disk, file, path, about, filter, page: Vec::new(), buffer: Vec::new(), end: 0 })
    }

    pub(super) fn add(&mut self, key: &Key, value: &Value) -> Result<(), StoreError> {
        self.filter.add(key);
        self.page.extend_from_slice(key);
        self.page.extend_from_slice(value);
        self.about.rows += 1;
        if self.about.rows.is_multiple_of(IN_PAGE as u64) { self.end_page() } else { Ok(()) }
    }

    /// Ends the run; durable when it returns.
    pub(super) fn finish(mut self) -> Result<About, StoreError> {
        if !self.page.is_empty() {
            self.end_page()?;
        }
        let filter = self.filter.encode();
        self.buffer.extend_from_slice(&filter);
        self.buffer.extend_from_slice(&sha256(&filter));
        self.flush()?;
        self.disk.settle([&self.path])?;
        Ok(self.about)
    }

    /// Leaves it.
    pub(super) fn abandon(self) -> Result<(), StoreError> {
        self.disk.remove(&self.path)
    }

    fn end_page(&mut self) -> Result<(), StoreError> {
        let number = (self.about.rows - 1) / IN_PAGE as u64;
        let count = (self.page.len() / ROW) as u16;
        self.page.resize(PAGE, 0);
        self.page[CHECKED - 2..CHECKED].copy_from_slice(&count.to_be_bytes());
        let check = page_check(self.about.id, number, &self.page);
        self.page[CHECKED..CHECKED + 32].copy_from_slice(&check);
        self.buffer.append(&mut self.page);
        if self.buffer.len() < BUFFER { Ok(()) } else { self.flush() }
    }

    /// Bytes go to the disk as they come, so that the last sync has little left to wait for.
    fn flush(&mut self) -> Result<(), StoreError> {
        self.disk.write(&self.file, &self.path, &self.buffer, self.end)?;
        self.end += self.buffer.len() as u64;
        self.buffer.clear();
        self.disk.sync(&self.file, &self.path)
    }
}

fn rows(page: &Page) -> Vec<(Key, Value)> {
    let count = usize::from(u16::from_be_bytes([page[CHECKED - 2], page[CHECKED - 1]]));
    let row = |row: &[u8]| Some((*row.first_chunk()?, *row.last_chunk()?));
    page.chunks_exact(ROW).take(count.min(IN_PAGE)).filter_map(row).collect()
}

fn page_check(id: u64, number: u64, page: &[u8]) -> [u8; 32] {
    let place = [id.to_be_bytes(), number.to_be_bytes()].concat();
    sha256(&[b"konfido run 1\n", place.as_slice(), &page[..CHECKED]].concat())
}

fn front(key: &Key) -> u64 {
    u64::from_be_bytes(*key.first_chunk().expect("because a key is longer"))
}

/// Where a key between two others stands among that many pages, if keys are spread evenly.
fn place(key: u64, (low, high): (u64, u64), pages: u64) -> u64 {
    let width = u128::from(high.saturating_sub(low)).max(1);
    let guess = u128::from(key.saturating_sub(low)) * u128::from(pages) / width;
    (guess as u64).min(pages - 1)
}

const ROW: usize = size_of::<Key>() + size_of::<Value>();
const PAGE: usize = 4096;
const IN_PAGE: usize = PAGE / ROW - 1;
/// What the check covers: rows and their number.
const CHECKED: usize = IN_PAGE * ROW + 2;
/// Bytes written at once.
const BUFFER: usize = 1 << 22;

#[cfg(test)]
mod tests {
    use super::*;

    fn key(number: u64, random: bool) -> Key {
        if random {
            *sha256(&number.to_be_bytes()).first_chunk().unwrap()
        } else {
            u128::from(number).to_be_bytes()
        }
    }

    #[test]
    fn every_row_is_found_whatever_the_ids_look_like() {
        let folder = tempfile::tempdir().unwrap();
        let disk = Disk::open(folder.path()).unwrap();
        for (id, random) in [(1, true), (2, false)] {
            for count in [1, 62, 63, 64, 10_000u64] {
                let mut keys: Vec<Key> = (0..count).map(|number| key(number, random)).collect();
                keys.sort_unstable();
                let mut writer = Writer::new(&disk, id, 0, count).unwrap();
                keys.iter().for_each(|key| writer.add(key, &[key[15]; 48]).unwrap());
                let about = writer.finish().unwrap();
                for with_filter in [true, false] {
                    let run = Run::open(&disk, about, with_filter).unwrap();
                    for key in &keys {
                        assert_eq!(run.find(key).unwrap(), Some([key[15]; 48]));
                    }
                    for number in count..count + 500 {
                        assert_eq!(run.find(&key(number, random)).unwrap(), None);
                    }
                    assert_eq!(run.rows().map(|row| row.unwrap().0).collect::<Vec<_>>(), keys);
                }
            }
        }
    }

    #[test]
    fn a_flipped_bit_is_seen_and_never_answered_from() {
        let folder = tempfile::tempdir().unwrap();
        let disk = Disk::open(folder.path()).unwrap();
        let mut writer = Writer::new(&disk, 1, 0, 100).unwrap();
        (0..100).for_each(|number| writer.add(&key(number, false), &[7; 48]).unwrap());
        let about = writer.finish().unwrap();
        let file = folder.path().join(path(1));
        let whole = std::fs::read(&file).unwrap();
        for at in (0..whole.len()).step_by(97) {
            let mut flipped = whole.clone();
            flipped[at] ^= 4;
            std::fs::write(&file, flipped).unwrap();
            let opened = Run::open(&disk, about, true);
            let answers = opened.and_then(|run| {
                (0..100).map(|number| run.find(&key(number, false))).collect::<Result<Vec<_>, _>>()
            });
            match answers {
                Ok(all) => assert!(all.iter().all(|found| *found == Some([7; 48])), "byte {at}"),
                Err(e) => assert!(matches!(e, StoreError::Damaged(_)), "byte {at}"),
            }
        }
    }
}
