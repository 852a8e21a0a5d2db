//! The log against a foreign tree, against crashes, and against damage.

use std::collections::BTreeSet;

use ct_merkle::mem_backed_tree::MemoryBackedTree;

use super::*;
use crate::journal::Step;
use crate::journal::conformance::settled_row;
use crate::journal::memory::Memory;

type Foreign = MemoryBackedTree<sha2::Sha256, Vec<u8>>;

const ORIGIN: &str = "konfido.example/dk";

fn leaf(number: u64) -> Vec<u8> {
    format!("leaf {number}").into_bytes()
}

fn leaves(from: u64, to: u64) -> Vec<Vec<u8>> {
    (from..to).map(leaf).collect()
}

fn open(folder: &Path) -> Log {
    Log::open(folder, ORIGIN, &folder.join("key")).unwrap()
}

fn root(log: &Log) -> Hash {
    Checkpoint::verify(&log.checkpoint().unwrap(), &log.public_key()).unwrap().root
}

fn foreign_root(tree: &Foreign) -> Hash {
    tree.root().as_bytes().as_slice().try_into().unwrap()
}

#[test]
fn roots_and_proofs_agree_with_a_foreign_tree() {
    let folder = tempfile::tempdir().unwrap();
    let mut log = open(folder.path());
    let mut foreign = Foreign::new();
    let mut size = 0;
    for step in [1, 1, 2, 3, 100, 149, 1, 255, 256, 257, 66_000] {
        let (old, old_root) = (size, foreign_root(&foreign));
        let more = leaves(size, size + step);
        log.append(size, &more).unwrap();
        more.into_iter().for_each(|l| foreign.push(l));
        size += step;
        assert_eq!(root(&log), foreign_root(&foreign), "root at {size}");
        for index in [0, size / 3, size - 1] {
            let proof = log.prove(index).unwrap();
            assert!(
                verify_inclusion(&leaf(index), index, size, root(&log), &proof),
                "leaf {index} of {size}"
            );
            let theirs = foreign.prove_inclusion(usize::try_from(index).unwrap());
            assert_eq!(proof.concat(), theirs.as_bytes(), "proof {index} of {size}");
            assert_eq!(log.entry(index).unwrap(), leaf(index));
        }
        let proof = log.prove_consistency(old).unwrap();
        assert!(verify_consistency((old, old_root), (size, root(&log)), &proof), "{old} to {size}");
        drop(log);
        log = open(folder.path());
        assert_eq!(log.size(), size, "reopened");
    }
}

/// A tree that is held whole, for proofs of every size.
struct Whole(Vec<Hash>);

impl Subtrees for Whole {
    type Error = std::convert::Infallible;
    fn subtree(&mut self, height: u32, index: u64) -> Result<Hash, Self::Error> {
        let range = (index << height) as usize..((index + 1) << height) as usize;
        Ok(fold(&self.0[range]))
    }
}

#[test]
fn every_size_up_to_600_agrees_with_a_foreign_tree() {
    let mut ours = Whole(Vec::new());
    let mut foreign = Foreign::new();
    let mut roots = vec![tree::empty_root()];
    for size in 1..=600u64 {
        ours.0.push(leaf_hash(&leaf(size - 1)));
        foreign.push(leaf(size - 1));
        roots.push(tree::root(&mut ours, 0, size).unwrap());
        assert_eq!(roots[size as usize], foreign_root(&foreign), "root at {size}");
        let step = if size < 40 { 1 } else { 37 };
        for index in (0..size).step_by(step) {
            let proof = tree::inclusion(&mut ours, index, size).unwrap();
            assert_eq!(
                proof.concat(),
                foreign.prove_inclusion(index as usize).as_bytes(),
                "{index} of {size}"
            );
            let new = (size, roots[size as usize]);
            assert!(verify_inclusion(&leaf(index), index, size, new.1, &proof));
            assert!(
                !verify_inclusion(&leaf(index + 1), index, size, new.1, &proof),
                "another leaf"
            );
            let old = (index, roots[index as usize]);
            let proof = tree::consistency(&mut ours, index, size).unwrap();
            if index > 0 {
                let theirs = foreign.prove_consistency((size - index) as usize);
                assert_eq!(proof.concat(), theirs.as_bytes(), "{index} to {size}");
                assert!(!verify_consistency((index, [7; 32]), new, &proof), "another old root");
                assert!(!verify_consistency(old, (size, [7; 32]), &proof), "another new root");
            }
            assert!(verify_consistency(old, new, &proof), "{index} to {size}");
        }
    }
}

#[test]
fn appending_again_changes_nothing_and_other_leaves_are_seen() {
    let folder = tempfile::tempdir().unwrap();
    let mut log = open(folder.path());
    let all = leaves(0, 300);
    log.append(0, &all).unwrap();
    let before = log.checkpoint().unwrap();
    log.append(0, &all).unwrap();
    log.append(10, &all[10..]).unwrap();
    log.append(10, &all[10..20]).unwrap();
    assert_eq!(log.checkpoint().unwrap(), before);
    assert!(matches!(log.append(301, &all), Err(LogError::Damaged(_))), "a gap");
    assert!(matches!(log.append(299, &leaves(0, 1)), Err(LogError::Damaged(_))), "another leaf");
    assert!(matches!(log.append(3, &leaves(0, 1)), Err(LogError::Damaged(_))), "another old leaf");
    assert!(matches!(log.prove(300), Err(LogError::Range { .. })));
    assert!(matches!(log.entry(300), Err(LogError::Range { .. })));
    assert!(matches!(log.prove_consistency(301), Err(LogError::Range { .. })));
}

#[test]
fn two_writers_cannot_fork_a_log() {
    let folder = tempfile::tempdir().unwrap();
    let (mut one, mut other) = (open(folder.path()), open(folder.path()));
    one.append(0, &leaves(0, 5)).unwrap();
    assert!(matches!(other.append(0, &leaves(7, 8)), Err(LogError::Busy)));
    drop(one);
    assert!(other.append(0, &leaves(7, 8)).is_err(), "it catches up with what is there");
    other.append(5, &leaves(5, 6)).unwrap();
    assert_eq!(other.size(), 6);
}

#[test]
fn damage_is_seen_when_the_log_opens() {
    for name in ["tile/0/001.p/44", "tile/1/000.p/1", "tile/entries/001.p/44", "checkpoint"] {
        let folder = tempfile::tempdir().unwrap();
        let mut log = open(folder.path());
        log.append(0, &leaves(0, 300)).unwrap();
        drop(log);
        let path = folder.path().join(name);
        let whole = fs::read(&path).unwrap();
        let mut flipped = whole.clone();
        let middle = flipped.len() / 2;
        flipped[middle] ^= 1;
        for bytes in [
            flipped,
            whole[..whole.len() - 1].to_vec(),
            [whole.clone(), vec![0; 32]].concat(),
            vec![],
        ] {
            fs::write(&path, bytes).unwrap();
            let opened = Log::open(folder.path(), ORIGIN, &folder.path().join("key"));
            assert!(matches!(opened, Err(LogError::Damaged(_))), "{name}");
        }
        fs::write(&path, whole).unwrap();
        open(folder.path());
    }
}

fn files_below(folder: &Path) -> BTreeSet<PathBuf> {
    let mut found = BTreeSet::new();
    for entry in fs::read_dir(folder).unwrap().map(|e| e.unwrap().path()) {
        if entry.is_dir() {
            found.extend(files_below(&entry));
        } else {
            found.insert(entry);
        }
    }
    found
}

#[test]
fn partial_tiles_go_when_the_tile_is_full() {
    let folder = tempfile::tempdir().unwrap();
    let mut log = open(folder.path());
    (0..257).for_each(|at| log.append(at, &leaves(at, at + 1)).unwrap());
    let left = files_below(&folder.path().join("tile"));
    let names: Vec<_> =
        left.iter().map(|p| p.strip_prefix(folder.path()).unwrap().to_str().unwrap()).collect();
    let expected = [
        "tile/0/000",
        "tile/0/001.p/1",
        "tile/1/000.p/1",
        "tile/entries/000",
        "tile/entries/001.p/1",
    ];
    assert_eq!(names, expected);
}

/// A disk that fails at the n-th write, for every n; the node goes on, or starts again.
#[test]
fn a_log_survives_a_failure_at_every_write() {
    let reference = tempfile::tempdir().unwrap();
    let mut log = open(reference.path());
    log.append(0, &leaves(0, 1100)).unwrap();
    let expected = log.checkpoint().unwrap().lines().nth(2).unwrap().to_owned();
    for restart in [false, true] {
        for fuse in 0.. {
            let folder = tempfile::tempdir().unwrap();
            let mut log = open(folder.path());
            log.append(0, &leaves(0, 250)).unwrap();
            log.files.fuse.set(Some(fuse));
            let failed = log.append(250, &leaves(250, 1100)).is_err();
            assert_eq!(
                log.size(),
                if failed { 250 } else { 1100 },
                "the log claims what is on disk"
            );
            log.files.fuse.set(None);
            if restart {
                drop(log);
                log = open(folder.path());
            }
            log.append(log.size(), &leaves(log.size(), 1100)).unwrap();
            drop(log);
            let log = open(folder.path());
            assert_eq!(
                log.checkpoint().unwrap().lines().nth(2),
                Some(expected.as_str()),
                "write {fuse}"
            );
            (0..1100).for_each(|at| assert_eq!(log.entry(at).unwrap(), leaf(at), "write {fuse}"));
            if !failed {
                assert!(fuse > 10, "the disk failed at {fuse} places only");
                break;
            }
        }
    }
}

fn wait<F: Future>(future: F) -> F::Output {
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    let std::task::Poll::Ready(output) = std::pin::pin!(future).poll(&mut context) else {
        panic!("the double answers at once")
    };
    output
}

/// Each place where a node can die between "assigned" and "checkpoint written".
#[test]
fn evidence_enters_the_log_once_wherever_the_node_dies() {
    for fuse in 0.. {
        let folder = tempfile::tempdir().unwrap();
        let journal = Memory::default();
        let rows = |range: std::ops::Range<u16>| range.map(settled_row).collect();
        wait(journal.commit(Step { replay: None, rows: rows(0..300) })).unwrap();
        let mut log = open(folder.path());
        log.files.fuse.set(Some(fuse));
        let died = wait(sequence_once(&journal, &mut log)).is_err();
        drop(log);
        // evidence that settles while the node is down comes after what had its place already
        wait(journal.commit(Step { replay: None, rows: rows(300..400) })).unwrap();
        let mut log = open(folder.path());
        let first = wait(sequence_once(&journal, &mut log)).unwrap();
        assert_eq!(first, if died { 400 } else { 100 });
        assert_eq!(wait(sequence_once(&journal, &mut log)).unwrap(), 0);
        for at in 0..400 {
            assert_eq!(
                log.entry(u64::from(at)).unwrap(),
                settled_row(at).statement,
                "death at write {fuse}"
            );
        }
        if !died {
            assert!(fuse > 4);
            return;
        }
    }
}

#[test]
fn a_journal_from_an_old_backup_is_noticed() {
    let folder = tempfile::tempdir().unwrap();
    let mut log = open(folder.path());
    let journal = Memory::default();
    wait(journal.commit(Step { replay: None, rows: (0..20).map(settled_row).collect() })).unwrap();
    assert_eq!(wait(sequence_once(&journal, &mut log)).unwrap(), 20);
    for (rows, why) in [(0..5, "shorter"), (5..30, "other rows")] {
        let old = Memory::default();
        wait(old.commit(Step { replay: None, rows: rows.map(settled_row).collect() })).unwrap();
        assert!(matches!(wait(sequence_once(&old, &mut log)), Err(LogError::Damaged(_))), "{why}");
    }
    assert_eq!(log.size(), 20);
}

#[test]
fn a_long_queue_is_moved_in_batches() {
    let folder = tempfile::tempdir().unwrap();
    let mut log = open(folder.path());
    let journal = Memory::default();
    wait(journal.commit(Step { replay: None, rows: (0..2500).map(settled_row).collect() }))
        .unwrap();
    let moved: Vec<_> = (0..4).map(|_| wait(sequence_once(&journal, &mut log)).unwrap()).collect();
    assert_eq!(moved, [BATCH, BATCH, 2500 - 2 * BATCH, 0]);
}

#[cfg(unix)]
#[test]
fn the_key_is_readable_by_its_owner_only() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().unwrap();
    open(folder.path());
    assert_eq!(
        fs::metadata(folder.path().join("key")).unwrap().permissions().mode() & 0o777,
        0o600
    );
}
