//! Receipts by both algorithms, and one of them byte by byte. `interop/c2sp` lets pycose judge.

use trust::seal::SigningKey;

use super::*;
use crate::proof::tests::Leaves;
use crate::tree;

const NOW: u64 = 1_795_000_000;

fn receivers() -> Vec<Receiver> {
    let edwards = SigningKey::from_ed25519(&SigningKey::new_ed25519().unwrap()).unwrap();
    let pem = rcgen::KeyPair::generate().unwrap().serialize_pem();
    let curve = SigningKey::from_pem(pem.as_bytes()).unwrap();
    [(Algorithm::EdDsa, edwards), (Algorithm::Es256, curve)]
        .into_iter()
        .map(|(algorithm, signing)| {
            let (kid, public) = (format!("{algorithm:?}").into_bytes(), signing.public().to_vec());
            Receiver::new(ReceiptKey { kid, algorithm, public }, Arc::new(signing))
        })
        .collect()
}

fn tree(size: u64, index: u64) -> (Checkpoint, Vec<[u8; 32]>, Vec<u8>) {
    let mut leaves = Leaves((0..size).map(|n| vec![n as u8; 40]).collect());
    let Ok(root) = tree::root(&mut leaves, 0, size);
    let Ok(path) = tree::inclusion(&mut leaves, index, size);
    let origin = "konfido.example/ledger".to_owned();
    let checkpoint = Checkpoint { origin, size, root, lines: Vec::new() };
    (checkpoint, path, leaves.0.swap_remove(index as usize))
}

#[test]
fn a_receipt_holds_for_its_entry_and_no_byte_of_it_can_change() {
    let receivers = receivers();
    let keys: Vec<_> = receivers.iter().map(|receiver| receiver.key.clone()).collect();
    for receiver in &receivers {
        let (checkpoint, path, entry) = tree(7, 4);
        let receipt = receiver.receipt(&checkpoint, 4, &path, NOW).unwrap();
        let received = verify(&receipt, &entry, &keys).unwrap();
        let expected = Received {
            origin: checkpoint.origin.clone(),
            time: NOW,
            index: 4,
            size: 7,
            root: checkpoint.root,
            kid: receiver.key.kid.clone(),
        };
        assert_eq!(received, expected);
        assert_eq!(verify(&receipt, b"other", &keys), Err(ReceiptError::Signature));
        let stranger = ReceiptKey { kid: b"stranger".to_vec(), ..receiver.key.clone() };
        assert_eq!(verify(&receipt, &entry, &[stranger]), Err(ReceiptError::Signer));
        for at in 0..receipt.len() {
            let mut bytes = receipt.clone();
            bytes[at] ^= 1;
            assert!(verify(&bytes, &entry, &keys).is_err(), "byte {at}");
            assert!(verify(&receipt[..at], &entry, &keys).is_err(), "cut at {at}");
        }
        assert!(verify(&[&receipt[..], &[0]].concat(), &entry, &keys).is_err());
        assert!(verify(&vec![0xd2; LARGEST + 1], &entry, &keys).is_err());
    }
}

#[test]
fn a_tree_of_one_has_no_receipt() {
    let (checkpoint, path, _) = tree(1, 0);
    assert_eq!(receivers()[0].receipt(&checkpoint, 0, &path, NOW), Err(ReceiptError::OneLeaf));
}

#[test]
fn a_key_of_another_kind_is_not_asked() {
    let receivers = receivers();
    let (checkpoint, path, entry) = tree(3, 1);
    let receipt = receivers[0].receipt(&checkpoint, 1, &path, NOW).unwrap();
    let mixed = ReceiptKey { algorithm: Algorithm::Es256, ..receivers[0].key.clone() };
    assert!(matches!(verify(&receipt, &entry, &[mixed]), Err(ReceiptError::Malformed(_))));
}

/// RFC 9942 §5.2 in bytes: `18([{1: -8, 4: kid, 15: {1: origin, 6: time}, 395: 1}`, `{396: {-1: [<<[3, 1, [h, h]]>>]}}`,
/// nil, signature])`.
#[test]
fn a_receipt_is_these_bytes() {
    let receivers = receivers();
    let (checkpoint, path, _) = tree(3, 1);
    let receipt = receivers[0].receipt(&checkpoint, 1, &path, NOW).unwrap();
    let protected = [
        &[0xa4, 0x01, 0x27, 0x04, 0x45][..],
        b"EdDsa",
        &[0x0f, 0xa2, 0x01, 0x76],
        b"konfido.example/ledger",
        &[0x06, 0x1a, 0x6a, 0xfd, 0x86, 0xc0],
        &[0x19, 0x01, 0x8b, 0x01],
    ]
    .concat();
    let inclusion =
        [&[0x83, 0x03, 0x01, 0x82, 0x58, 0x20][..], &path[0], &[0x58, 0x20], &path[1]].concat();
    let expected = [
        &[0xd2, 0x84, 0x58, protected.len() as u8][..],
        &protected,
        &[0xa1, 0x19, 0x01, 0x8c, 0xa1, 0x20, 0x81, 0x58, inclusion.len() as u8],
        &inclusion,
        &[0xf6, 0x58, 0x40],
    ]
    .concat();
    assert_eq!(receipt[..expected.len()], expected);
    assert_eq!(receipt.len(), expected.len() + 64);
    // Sig_structure of RFC 9052 §4.4 over the root
    let signed = [
        &[0x84, 0x6a][..],
        b"Signature1",
        &[0x58, protected.len() as u8],
        &protected,
        &[0x40, 0x58, 0x20],
        &checkpoint.root,
    ]
    .concat();
    let key = UnparsedPublicKey::new(&ED25519, &receivers[0].key.public);
    assert!(key.verify(&signed, &receipt[expected.len()..]).is_ok());
}
