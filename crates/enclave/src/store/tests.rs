use exchange::SystemEntropy;
use zeroize::Zeroizing;

use super::*;
use crate::root::LENGTH;

fn root(byte: u8) -> Root {
    Root::of(Zeroizing::new(vec![byte; LENGTH])).unwrap()
}

fn key(purpose: Use, name: &str, bytes: &[u8]) -> Kept {
    Kept { purpose, name: name.to_owned(), bytes: Zeroizing::new(bytes.to_vec()) }
}

fn store() -> Contents {
    let mut store = Contents::new(Country::parse("DK").unwrap());
    store.counter = 7;
    store.seen = Some(Seen { origin: "konfido.example/dk".into(), size: 42, root: [3; 32] });
    store.put(key(Use::Derive, "session.key", &[1; 32])).unwrap();
    store.put(key(Use::Sign, "pki/seal.key", b"-----BEGIN PRIVATE KEY-----")).unwrap();
    store.put(key(Use::Unwrap, "pki/seal.key", b"another use")).unwrap();
    store
}

#[test]
fn what_was_sealed_opens_again() {
    let file = store().seal(&root(1), &SystemEntropy);
    let opened = Contents::open(&file, &root(1)).unwrap();
    assert_eq!((opened.counter, opened.seen.clone()), (7, store().seen));
    assert_eq!(opened.keys.len(), 3);
    assert_eq!(
        &**opened.find(Use::Sign, "pki/seal.key").unwrap().bytes,
        b"-----BEGIN PRIVATE KEY-----"
    );
    assert_eq!(&**opened.find(Use::Unwrap, "pki/seal.key").unwrap().bytes, b"another use");
    assert!(opened.find(Use::Log, "log.key").is_none());
    for secret in [&b"PRIVATE"[..], b"another", b"session.key", b"konfido.example"] {
        assert!(!file.windows(secret.len()).any(|part| part == secret), "it lies in the clear");
    }
    let again = store().seal(&root(1), &SystemEntropy);
    assert_ne!(again[HEAD..], file[HEAD..], "another salt, another key");
}

#[test]
fn each_byte_of_the_file_counts_and_each_refusal_says_why() {
    let file = store().seal(&root(1), &SystemEntropy);
    for at in 0..file.len() {
        let mut changed = file.clone();
        changed[at] ^= 1;
        assert!(Contents::open(&changed, &root(1)).is_err(), "byte {at}");
        assert!(Contents::open(&file[..at], &root(1)).is_err(), "cut at {at}");
    }
    let longer = [&file[..], &[0]].concat();
    assert_eq!(Contents::open(&longer, &root(1)).err(), Some(StoreError::Malformed));
    let other = Contents::open(&file, &root(2)).err().unwrap();
    assert_eq!(other, StoreError::OtherRoot { store: root(1).id(), here: root(2).id() });
    let mut changed = file.clone();
    *changed.last_mut().unwrap() ^= 1;
    assert_eq!(Contents::open(&changed, &root(1)).err(), Some(StoreError::Damaged));
    assert_eq!(Contents::open(&file[..20], &root(1)).err(), Some(StoreError::Malformed));
    let huge = vec![0; MAX_FILE + 1];
    assert!(matches!(Contents::open(&huge, &root(1)), Err(StoreError::Large(_))));
}

#[test]
fn sections_of_two_files_do_not_mix() {
    let (one, two) =
        (store().seal(&root(1), &SystemEntropy), store().seal(&root(1), &SystemEntropy));
    let mut mixed = one.clone();
    let tail = one.len() - 40;
    mixed[tail..].copy_from_slice(&two[tail..]);
    assert_eq!(Contents::open(&mixed, &root(1)).err(), Some(StoreError::Damaged));
}

#[test]
fn a_store_has_limits_and_the_largest_one_opens() {
    let mut full = store();
    let large = key(Use::Sign, "large.key", &vec![1; MAX_KEY + 1]);
    assert_eq!(full.put(large), Err(StoreError::Large("large.key".into())));
    for number in full.keys.len()..MAX_KEYS {
        let name = format!("{number:0>MAX_NAME$}");
        // some of the longest: all of them together would show in a test of memory beside this one
        let length = if number % 16 == 0 { MAX_KEY } else { 100 };
        full.put(key(Use::Sign, &name, &vec![2; length])).unwrap();
    }
    let more = key(Use::Sign, "one more", b"x");
    assert_eq!(full.put(more), Err(StoreError::Large("one more".into())));
    full.put(key(Use::Sign, "pki/seal.key", b"renewed")).unwrap();
    let file = full.seal(&root(1), &SystemEntropy);
    assert!(file.len() <= MAX_FILE);
    let opened = Contents::open(&file, &root(1)).unwrap();
    assert_eq!(opened.keys.len(), MAX_KEYS);
    assert_eq!(&**opened.find(Use::Sign, "pki/seal.key").unwrap().bytes, b"renewed");
}
