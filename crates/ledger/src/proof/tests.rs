//! Proofs of entries, and everything that is not one.

use super::*;
use crate::cosign::Cosigner;
use crate::policy::tests::{checkpoint, members, policy, signed};
use crate::tree::{self, Hash, Subtrees, node_hash};

/// A small tree in memory.
pub(crate) struct Leaves(pub Vec<Vec<u8>>);

impl Subtrees for Leaves {
    type Error = std::convert::Infallible;

    fn subtree(&mut self, height: u32, index: u64) -> Result<Hash, Self::Error> {
        if height == 0 {
            return Ok(leaf_hash(&self.0[index as usize]));
        }
        let left = self.subtree(height - 1, 2 * index)?;
        Ok(node_hash(&left, &self.subtree(height - 1, 2 * index + 1)?))
    }
}

fn proof(leaves: u64, index: u64, log: &Cosigner, cosigners: &[&Cosigner]) -> (Proof, Vec<u8>) {
    let mut tree = Leaves((0..leaves).map(|n| format!("entry {n}").into_bytes()).collect());
    let Ok(root) = tree::root(&mut tree, 0, leaves);
    let Ok(path) = tree::inclusion(&mut tree, index, leaves);
    let note = signed(checkpoint(leaves, root), log, cosigners.iter().copied());
    let proof = Proof { extra: None, index, path, checkpoint: note.to_string() };
    (proof, tree.0.swap_remove(index as usize))
}

#[test]
fn a_proof_of_nineteen_of_twenty_seven_is_small_and_holds() {
    let all = members(27);
    let read = Policy::parse(policy(&all, 19, false).as_bytes()).unwrap();
    let who: Vec<_> = all[..19].iter().map(|m| &m.classic).collect();
    let (mut proof, entry) = proof(1000, 737, &all[0].log, &who);
    assert_eq!(proof.path.len(), 10);
    let text = proof.to_string();
    assert_eq!(Proof::parse(text.as_bytes()), Ok(proof.clone()));
    let proven = proof.verify(&entry, &read, None).unwrap();
    assert_eq!((proven.index(), proven.agreed().cosigned().len()), (737, 19));
    // a tree of ten million has fourteen hashes more
    proof.path.extend([[1; 32]; 14]);
    assert!(proof.to_string().len() <= 4096, "{}", proof.to_string().len());
}

#[test]
fn every_place_in_small_trees_is_proven_and_no_other() {
    let all = members(1);
    let read = Policy::parse(policy(&all, 1, false).as_bytes()).unwrap();
    for leaves in 1..=9 {
        for index in 0..leaves {
            let (mut proof, entry) = proof(leaves, index, &all[0].log, &[&all[0].classic]);
            assert!(proof.verify(&entry, &read, None).is_ok(), "{index} of {leaves}");
            let missing = Err(ProofError::Inclusion { index });
            assert_eq!(proof.verify(b"entry", &read, None), missing);
            for other in (0..=leaves).filter(|other| *other != index) {
                proof.index = other;
                let verdict = proof.verify(&entry, &read, None);
                assert_eq!(verdict, Err(ProofError::Inclusion { index: other }));
            }
        }
    }
}

#[test]
fn a_proof_has_one_form_and_no_byte_of_it_can_change() {
    let all = members(4);
    let read = Policy::parse(policy(&all, 3, false).as_bytes()).unwrap();
    let who: Vec<_> = all.iter().map(|m| &m.classic).take(3).collect();
    let (mut proof, entry) = proof(5, 2, &all[0].log, &who);
    let text = proof.to_string();
    let holds = |bytes: &[u8]| {
        Proof::parse(bytes).is_ok_and(|proof| proof.verify(&entry, &read, None).is_ok())
    };
    assert!(holds(text.as_bytes()));
    for at in 0..text.len() {
        for change in [1, 0x20, 0x80] {
            let mut bytes = text.clone().into_bytes();
            bytes[at] ^= change;
            assert!(!holds(&bytes), "byte {at}: {}", String::from_utf8_lossy(&bytes));
        }
        assert!(!holds(&text.as_bytes()[..at]), "cut at {at}");
    }
    for (bad, why) in [
        (text.replace("index 2\n", "index 02\n"), "leading zero"),
        (text.replace("index 2\n", "extra \nindex 2\n") + " ", "a byte more"),
        (text.replace("@v1\n", "@v1\n\n"), "an empty line"),
        (text.replace("@v1\n", "@v2\n"), "another version"),
        (text.replace('\n', "\r\n"), "other line ends"),
        (text.replace("index 2\n", "index 2\nextra AAAA\n"), "extra at another place"),
        (
            text.replace(
                "index 2\n",
                &format!("index 2\n{}", format!("{}\n", "A".repeat(43) + "=").repeat(65)),
            ),
            "too high",
        ),
    ] {
        assert!(!holds(bad.as_bytes()), "{why}");
    }
    proof.extra = Some(b"whatever".to_vec());
    let more = proof.to_string();
    assert!(more.starts_with("c2sp.org/tlog-proof@v1\nextra d2hhdGV2ZXI=\nindex 2\n"));
    assert!(holds(more.as_bytes()), "extra data is not authenticated");
    assert!(Proof::parse(&vec![b'a'; Proof::LARGEST + 1]).is_err());
}
