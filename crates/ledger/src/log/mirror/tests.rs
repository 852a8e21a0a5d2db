use std::sync::Arc;

use super::*;
use crate::checkpoint::Checkpoint;
use crate::cosign::{Cosigner, HeldEd25519, Kind as KeyKind, VerifierKey};
use crate::fixtures::shared::Shared;
use crate::policy::Members;
use trust::seal::SigningKey;

/// A ledger of one member, as its web server has it.
struct Served {
    shared: Shared,
    signers: Vec<Cosigner>,
    policy: Policy,
    entries: Vec<Vec<u8>>,
}

impl Served {
    fn new() -> Self {
        let key = SigningKey::from_ed25519(&SigningKey::new_ed25519().unwrap()).unwrap();
        let public = key.public().to_vec();
        let key = Arc::new(key);
        let cosigner = |name: &str, kind| {
            let key_of = VerifierKey::new(name, kind, &public).unwrap();
            Cosigner::new(key_of, Arc::new(HeldEd25519(key.clone()))).unwrap()
        };
        let signers = vec![cosigner(ORIGIN, KeyKind::Log), cosigner("member", KeyKind::Ed25519)];
        let policy = Policy::of_members(&Members {
            logs: vec![signers[0].key().clone()],
            keys: vec![("member".into(), vec![signers[1].key().clone()])],
            threshold: 1,
        });
        let policy = Policy::parse(policy.as_bytes()).unwrap();
        Self { shared: Shared::fast(), signers, policy, entries: Vec::new() }
    }

    fn grow(&mut self, count: usize) {
        for _ in 0..count {
            let mut txid = [0; 16];
            txid[..8].copy_from_slice(&(self.entries.len() as u64).to_be_bytes());
            self.entries.push(self.shared.whole(txid, "ES", "DK").into_bytes());
        }
    }

    fn note(&self) -> String {
        let mut edge = Edge::default();
        self.entries.iter().for_each(|entry| edge.push(leaf_hash(entry)));
        let (size, root) = (edge.size(), edge.root());
        let checkpoint = Checkpoint { origin: ORIGIN.into(), size, root, lines: Vec::new() };
        let mut signed = SignedCheckpoint::new(checkpoint.clone());
        for signer in &self.signers {
            assert!(signed.add(signer.sign(&checkpoint, 1).unwrap()));
        }
        signed.to_string()
    }

    fn follow(&self, mirror: &mut Mirror) -> Result<(), MirrorError> {
        let note = self.note();
        let agreed = self.policy.verify(&note, None).unwrap();
        mirror.follow(&agreed, &note, |path| self.bundle(path))
    }

    fn bundle(&self, path: &Path) -> Result<Vec<u8>, String> {
        let size = self.entries.len() as u64;
        for number in 0..=size / TILE {
            let until = size.min((number + 1) * TILE);
            if path == tile_path("entries", number, until % TILE) {
                let entries = &self.entries[(number * TILE) as usize..until as usize];
                let framed =
                    entries.iter().map(|e| [&(e.len() as u16).to_be_bytes(), &e[..]].concat());
                return Ok(framed.collect::<Vec<_>>().concat());
            }
        }
        Err(format!("{} is not served", path.display()))
    }
}

#[test]
fn a_mirror_follows_comes_back_and_is_audited() {
    let (folder, mut served) = (tempfile::tempdir().unwrap(), Served::new());
    for step in [1, 3, 255, 256, 300] {
        served.grow(step);
        let mut mirror = Mirror::open(folder.path()).unwrap();
        served.follow(&mut mirror).unwrap();
        assert_eq!(mirror.size(), served.entries.len() as u64);
        assert!(Mirror::open(folder.path()).is_err(), "one writer");
        drop(mirror);
        let (agreed, audited) = audit(folder.path(), &served.policy).unwrap();
        assert_eq!(agreed.checkpoint().size, audited.size);
        assert_eq!(audited.kinds[0], (Kind::Whole, audited.size));
    }
}

#[test]
fn what_members_did_not_sign_is_not_mirrored() {
    let (folder, mut served) = (tempfile::tempdir().unwrap(), Served::new());
    served.grow(300);
    let mut mirror = Mirror::open(folder.path()).unwrap();
    served.follow(&mut mirror).unwrap();
    let note = served.note();
    let agreed = served.policy.verify(&note, None).unwrap();

    // an entry is served that is another than the signed one
    let mut forged = Served::new();
    forged.entries = served.entries.clone();
    served.grow(1);
    let (later, other) = (served.note(), forged.shared.whole([9; 16], "IT", "DK").into_bytes());
    forged.entries.push(other);
    let signed = served.policy.verify(&later, None).unwrap();
    let refused = mirror.follow(&signed, &later, |path| forged.bundle(path));
    assert!(matches!(refused, Err(MirrorError::Fork(_))));
    assert_eq!((mirror.size(), mirror.checkpoint()), (300, note.as_str()), "as before");

    // a bundle does not come, or is cut off
    let refused = mirror.follow(&signed, &later, |_| Err::<Vec<u8>, _>("status 404"));
    assert!(matches!(refused, Err(MirrorError::Bundle { .. })));
    let cut = |path: &Path| served.bundle(path).map(|b| b[..b.len() - 1].to_vec());
    assert!(matches!(mirror.follow(&signed, &later, cut), Err(MirrorError::Bundle { .. })));
    served.follow(&mut mirror).unwrap();

    // an older checkpoint, and another history that the members signed, too
    assert!(matches!(
        mirror.follow(&agreed, &note, |path| served.bundle(path)),
        Err(MirrorError::Older(300))
    ));
    let mut fork = Served { entries: forged.entries.clone(), ..served };
    fork.grow(1);
    assert!(matches!(fork.follow(&mut mirror), Err(MirrorError::Fork(_))));
}

#[test]
fn an_audit_finds_every_changed_byte() {
    let (folder, mut served) = (tempfile::tempdir().unwrap(), Served::new());
    served.grow(2);
    let mut mirror = Mirror::open(folder.path()).unwrap();
    served.follow(&mut mirror).unwrap();
    let path = folder.path().join(tile_path("entries", 0, 2));
    let bytes = std::fs::read(&path).unwrap();
    for at in 0..bytes.len() {
        let mut other = bytes.clone();
        other[at] ^= 1;
        std::fs::write(&path, other).unwrap();
        assert!(audit(folder.path(), &served.policy).is_err(), "byte {at}");
    }
    std::fs::write(&path, bytes).unwrap();
    audit(folder.path(), &served.policy).unwrap();
}

const ORIGIN: &str = "ledger.konfido.example";
