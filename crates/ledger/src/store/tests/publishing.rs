//! What a web server finds in the folder.

use super::*;

fn checkpoint(size: u64) -> String {
    format!("ledger.example\n{size}\nAAAA\n\n")
}

fn files_below(folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for path in std::fs::read_dir(next).unwrap().map(|entry| entry.unwrap().path()) {
            if path.is_dir() {
                folders.push(path);
            } else {
                found.push(path.strip_prefix(folder).unwrap().to_str().unwrap().to_owned());
            }
        }
    }
    found.sort();
    found
}

#[test]
fn the_tiles_of_a_checkpoint_and_of_the_one_before_are_there() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = open(folder.path());
    let publisher = store.publisher();
    let tiles = || files_below(&folder.path().join("tile"));
    let table: [(usize, &[&str]); 5] = [
        (3, &["0/000.p/3", "entries/000.p/3"]),
        (7, &["0/000.p/10", "0/000.p/3", "entries/000.p/10", "entries/000.p/3"]),
        (2, &["0/000.p/10", "0/000.p/12", "entries/000.p/10", "entries/000.p/12"]),
        (244, &["0/000", "1/000.p/1", "entries/000"]),
        (
            300,
            &[
                "0/000",
                "0/001",
                "0/002.p/44",
                "1/000.p/1",
                "1/000.p/2",
                "entries/000",
                "entries/001",
                "entries/002.p/44",
            ],
        ),
    ];
    let mut source = Source::new();
    for (count, expected) in table {
        let tip = store.take(&source.of(count)).unwrap();
        publisher.publish(tip.size, &checkpoint(tip.size)).unwrap();
        assert_eq!(tiles(), expected, "{}", tip.size);
    }
    drop((publisher, store));
    let mut store = open(folder.path());
    let publisher = store.publisher();
    let tip = store.take(&source.of(600)).unwrap();
    assert!(matches!(
        publisher.publish(tip.size + 1, &checkpoint(tip.size + 1)),
        Err(StoreError::Range { .. })
    ));
    assert!(matches!(publisher.publish(3, &checkpoint(3)), Err(StoreError::Refused(_))));
    publisher.publish(tip.size, &checkpoint(tip.size)).unwrap();
    let partial: Vec<_> = tiles().into_iter().filter(|name| name.contains(".p/")).collect();
    assert_eq!(partial, ["0/004.p/132", "1/000.p/2", "1/000.p/4", "entries/004.p/132"]);
}

#[test]
fn a_checkpoint_behind_the_tip_has_its_tiles_too() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = open(folder.path());
    let mut source = Source::new();
    let publisher = store.publisher();
    let first = store.take(&source.of(300)).unwrap();
    store.take(&source.of(100)).unwrap();
    publisher.publish(first.size, &checkpoint(first.size)).unwrap();
    let bundle = std::fs::read(folder.path().join("tile/entries/001.p/44")).unwrap();
    assert_eq!(crate::tiles::unbundle(&bundle).unwrap().last().unwrap(), &named(299).as_slice());
    let tile = std::fs::read(folder.path().join("tile/0/001.p/44")).unwrap();
    assert_eq!(tile[43 * 32..], leaf_hash(&named(299)));
}

#[test]
fn a_copied_folder_proves_what_the_store_proves_and_nothing_else() {
    let (folder, copied) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let mut store = open(folder.path());
    let mut source = Source::new();
    let old = store.take(&source.of(70_000)).unwrap();
    let tip = store.take(&source.of(300)).unwrap();
    store.publisher().publish(tip.size, &checkpoint(tip.size)).unwrap();
    store.take(&source.of(40)).unwrap();
    let names = files_below(&folder.path().join("tile"));
    for name in &names {
        let target = copied.path().join("tile").join(name);
        std::fs::create_dir_all(target.parent().unwrap()).unwrap();
        std::fs::copy(folder.path().join("tile").join(name), target).unwrap();
    }
    let (mirror, reader) = (Published::open(copied.path(), tip.size, tip.root), store.reader());
    for index in [0, 1, 255, 256, 65_535, 65_536, 69_999, 70_143, 70_144, tip.size - 1] {
        assert_eq!(mirror.inclusion(index).unwrap(), reader.inclusion(index, tip.size).unwrap());
        assert_eq!(mirror.entry(index).unwrap(), named(index as usize));
    }
    assert_eq!(
        mirror.consistency(old.size).unwrap(),
        reader.consistency(old.size, tip.size).unwrap()
    );
    assert!(matches!(mirror.inclusion(tip.size), Err(StoreError::Range { .. })));
    let other = Published::open(copied.path(), tip.size, [7; 32]);
    assert!(matches!(other.inclusion(0), Err(StoreError::Damaged(_))));
    let bundle = copied.path().join("tile/entries/000");
    let mut bytes = std::fs::read(&bundle).unwrap();
    bytes[3] ^= 1;
    std::fs::write(bundle, bytes).unwrap();
    assert!(matches!(mirror.entry(0), Err(StoreError::Damaged(_))));
}
