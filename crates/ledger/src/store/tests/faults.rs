//! Disks that are cut, full or wrong.

use std::fs;

use super::*;

/// The last write-ahead file, and where its last record begins.
fn last_record(folder: &Path) -> (PathBuf, usize) {
    let disk = Disk::open(folder).unwrap();
    let number = *wal::numbers(&disk).unwrap().last().unwrap();
    let records = wal::read(&disk, number).unwrap();
    let path = folder.join(wal::path(number));
    let whole = fs::metadata(&path).unwrap().len() as usize;
    (path, whole - records.last().unwrap().body.len() - 49)
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap().map(Result::unwrap) {
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

/// A folder with these blocks as a killed process leaves it: the last one in the write-ahead file.
fn left_by_a_crash(all: &[Block]) -> tempfile::TempDir {
    let (folder, left) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let mut store = open(folder.path());
    all.iter().for_each(|block| _ = store.take(block).unwrap());
    copy(folder.path(), left.path());
    left
}

#[test]
fn a_record_torn_at_any_byte_is_passed_over_and_the_log_goes_on() {
    let all = blocks(&[300, 2, 4]);
    let left = left_by_a_crash(&all);
    let (path, from) = last_record(left.path());
    let whole = fs::read(&path).unwrap();
    assert!(from > 0 && whole.len() - from > 100);
    for cut in from..whole.len() {
        let folder = tempfile::tempdir().unwrap();
        copy(left.path(), folder.path());
        let name = path.strip_prefix(left.path()).unwrap();
        fs::write(folder.path().join(name), &whole[..cut]).unwrap();
        let index = folder.path().join("index");
        let _ = fs::remove_dir_all(index);
        let mut store = open(folder.path());
        assert_eq!(store.tip().height, 2, "cut at {cut}");
        store.take(&all[2]).unwrap();
        drop(store);
        assert_eq!(open(folder.path()).tip().digest, all[2].digest(), "cut at {cut}");
    }
}

#[test]
fn sectors_that_were_never_written_are_a_torn_record() {
    let mut source = Source::new();
    let all = [source.of(3), source.next(vec![vec![b'x'; 3_000]])];
    let left = left_by_a_crash(&all);
    let (path, from) = last_record(left.path());
    let whole = fs::read(&path).unwrap();
    for sector in (from.next_multiple_of(512)..whole.len() - 512).step_by(512) {
        let mut torn = whole.clone();
        torn[sector..sector + 512].fill(0);
        fs::write(&path, torn).unwrap();
        let store = open(left.path());
        assert_eq!(store.tip().height, 1);
        drop(store);
        let again = left_by_a_crash(&all);
        copy(again.path(), left.path());
        fs::write(&path, &whole).unwrap();
    }
}

/// Its header is on the disk, and the file has its length.
#[test]
fn a_record_whose_body_was_never_written_is_a_torn_record() {
    let all = blocks(&[300, 2, 0]);
    let left = left_by_a_crash(&all);
    let (path, from) = last_record(left.path());
    let mut torn = fs::read(&path).unwrap();
    assert!(torn.len() - from < 512, "too short for a sector of its own");
    let body = torn.len() - all[2].encoded().len();
    torn[body..].fill(0);
    fs::write(&path, torn).unwrap();
    assert_eq!(open(left.path()).tip().height, 2);
}

#[test]
fn a_flipped_bit_in_the_write_ahead_file_stops_the_start() {
    let all = blocks(&[300, 2, 4]);
    let left = left_by_a_crash(&all);
    let (path, _) = last_record(left.path());
    let whole = fs::read(&path).unwrap();
    for at in (0..whole.len()).step_by(17).chain(whole.len() - 200..whole.len()) {
        let mut flipped = whole.clone();
        flipped[at] ^= 0x10;
        fs::write(&path, flipped).unwrap();
        let opened = unlocked(|| try_open(left.path())).map(|store| store.tip());
        assert!(matches!(opened, Err(StoreError::Damaged(_))), "byte {at}: {opened:?}");
    }
    fs::write(&path, whole).unwrap();
    assert_holds(&open(left.path()), &all);
}

fn files_below(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { files_below(&path) } else { vec![path] }).collect()
}

/// Asks for everything; gives how often there was an error. Whatever is answered must be right.
fn errors_of(reader: &Reader, all: &[Block]) -> usize {
    let mut errors = 0;
    for block in all {
        let read = reader.block(block.header().height);
        errors += usize::from(read.is_err());
        assert!(read.is_err() || read.unwrap().as_ref() == Some(block));
    }
    let size = all[all.len() - 1].header().tree_size;
    for index in (0..size).step_by(3) {
        let entry = reader.entry(index);
        errors += usize::from(entry.is_err());
        assert!(entry.is_err() || entry.unwrap() == named(index as usize));
        let row = reader.row(&txid(&format!("tx{index}")));
        errors += usize::from(row.is_err());
        assert!(row.is_err() || row.unwrap().unwrap()[8..16] == index.to_be_bytes());
        if index % 64 == 0 {
            errors += usize::from(reader.inclusion(index, size).is_err());
        }
    }
    errors
}

#[test]
fn damage_is_never_answered_from() {
    let whole = tempfile::tempdir().unwrap();
    let all = blocks(&[600, 600, 1, 600]);
    let mut store = open(whole.path());
    all.iter().for_each(|block| _ = store.take(block).unwrap());
    drop(store);
    drop(open(whole.path()));
    for path in files_below(whole.path()) {
        let bytes = fs::read(&path).unwrap();
        // the lock is empty
        for place in [0, bytes.len() / 2, bytes.len().saturating_sub(1)] {
            let mut flipped = bytes.clone();
            let Some(byte) = flipped.get_mut(place) else { continue };
            *byte ^= 1;
            let folder = tempfile::tempdir().unwrap();
            copy(whole.path(), folder.path());
            let name = path.strip_prefix(whole.path()).unwrap();
            fs::write(folder.path().join(name), &flipped).unwrap();
            // a start that fails has seen it
            if let Ok(store) = try_open(folder.path()) {
                assert!(errors_of(&store.reader(), &all) > 0, "{} at {place}", name.display());
            }
        }
    }
}

#[test]
fn a_full_disk_at_any_write_loses_nothing_that_was_acknowledged() {
    let all = blocks(&[90, 300, 256, 700, 1, 600, 20]);
    for restart in [false, true] {
        for fuse in (0..).step_by(1 + usize::from(restart)) {
            let folder = tempfile::tempdir().unwrap();
            let mut store = open(folder.path());
            *store.shared.disk.fuse.lock().unwrap() = Some(u32::try_from(fuse).unwrap());
            let mut acknowledged = 0;
            for block in &all {
                match store.take(block) {
                    Ok(tip) => acknowledged = tip.height,
                    Err(StoreError::File { .. } | StoreError::Behind) => break,
                    Err(other) => panic!("write {fuse}: {other}"),
                }
            }
            assert!(store.take(&all[0]).is_err() || acknowledged > 0, "write {fuse}");
            let burnt = *store.shared.disk.fuse.lock().unwrap() == Some(0);
            *store.shared.disk.fuse.lock().unwrap() = None;
            if restart {
                drop(store);
                store = open(folder.path());
            }
            assert!(store.tip().height >= acknowledged, "write {fuse}");
            for block in &all {
                store.take(block).unwrap();
            }
            assert_holds(&store, &all);
            drop(store);
            assert_holds(&open(folder.path()), &all);
            if !burnt {
                assert!(fuse > 40, "the disk was full at {fuse} places only");
                break;
            }
        }
    }
}

#[test]
fn a_missing_write_ahead_file_is_no_new_log() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = open(folder.path());
    store.take(&blocks(&[3])[0]).unwrap();
    drop(store);
    fs::remove_dir_all(folder.path().join("wal")).unwrap();
    assert!(matches!(unlocked(|| try_open(folder.path())), Err(StoreError::Damaged(_))));
}
