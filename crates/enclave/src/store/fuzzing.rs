//! What a disk, or a person with a share, may give us: for fuzzing.

use exchange::{Country, SystemEntropy};
use zeroize::Zeroizing;

use super::{Contents, Kept, Sealed, Seen, meta};
use crate::ring::Use;
use crate::root::{LENGTH, Root};
use crate::shares::{self, Share};

/// Takes any bytes as a store, as what a store says of itself, and as a recovery share.
pub fn takes(data: &[u8]) -> bool {
    let opened = Sealed::parse(data).is_ok() && Contents::open(data, &root()).is_ok();
    let mut said = false;
    for keys in 0..4 {
        let keys = vec![Zeroizing::default(); keys];
        if let Ok(contents) = meta::decode(data, keys) {
            assert_eq!(meta::encode(&contents), data, "a store says it in one way");
            said = true;
        }
    }
    let share = Share::parse(data).is_ok_and(|share| {
        let again = Share::parse(share.text().as_bytes()).expect("because we wrote it");
        assert_eq!(again.text(), share.text(), "a share has one text");
        // with itself it is too few, or once more
        shares::combine(&[share, again], country()).is_err()
    });
    opened | said | share
}

/// Inputs that are taken, with names.
pub fn samples() -> Vec<(&'static str, Vec<u8>)> {
    let mut store = Contents::new(country());
    store.counter = 7;
    store.seen = Some(Seen { origin: "konfido.example/dk".into(), size: 42, root: [3; 32] });
    for (purpose, name) in [(Use::Derive, "session.key"), (Use::Sign, "pki/seal.key")] {
        let bytes = Zeroizing::new(vec![1; LENGTH]);
        store.put(Kept { purpose, name: name.to_owned(), bytes }).expect("because it is small");
    }
    let shares = shares::split(&root(), country(), (3, 2), &SystemEntropy);
    let share = shares.expect("because two of three are a quorum").remove(0);
    vec![
        ("sealed", store.seal(&root(), &SystemEntropy)),
        ("says", meta::encode(&store)),
        ("share", share.text().as_bytes().to_vec()),
    ]
}

fn root() -> Root {
    Root::of(Zeroizing::new(vec![7; LENGTH])).expect("because it has 32 bytes")
}

fn country() -> Country {
    Country::parse("DK").expect("because Denmark is a country")
}
