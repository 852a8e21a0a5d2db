//! Cosignatures, ours and others'.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use trust::seal::SigningKey;

use super::*;

fn checkpoint() -> Checkpoint {
    Checkpoint {
        origin: "konfido.example/ledger".into(),
        size: 42,
        root: [7; 32],
        lines: vec!["height 3 AwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwM=".into()],
    }
}

fn ed25519(kind: Kind) -> Cosigner {
    let signing = SigningKey::from_ed25519(&SigningKey::new_ed25519().unwrap()).unwrap();
    let key = VerifierKey::new("dk.example", kind, signing.public()).unwrap();
    Cosigner::new(key, Arc::new(HeldEd25519(Arc::new(signing)))).unwrap()
}

fn ml_dsa(seed: u8) -> Cosigner {
    let signing = MlDsaKey::from_seed(&[seed; 32]).unwrap();
    let key = VerifierKey::new("dk.example", Kind::MlDsa44, signing.public()).unwrap();
    Cosigner::new(key, Arc::new(signing)).unwrap()
}

#[test]
fn each_kind_signs_what_c2sp_says_and_no_more() {
    let now = 1_679_315_147;
    for cosigner in [ed25519(Kind::Log), ed25519(Kind::Ed25519), ml_dsa(1)] {
        let line = cosigner.sign(&checkpoint(), now).unwrap();
        let key = cosigner.key();
        let timed = key.kind() != Kind::Log;
        assert_eq!(key.verify(&checkpoint(), &line), Ok(timed.then_some(now)));
        let again: SignatureLine = line.to_string().parse().unwrap();
        assert_eq!(again, line);
        let change = |f: &dyn Fn(&mut Checkpoint)| {
            let mut changed = checkpoint();
            f(&mut changed);
            key.verify(&changed, &line)
        };
        assert!(change(&|c| c.origin.push('x')).is_err());
        assert!(change(&|c| c.size += 1).is_err());
        assert!(change(&|c| c.root[31] ^= 1).is_err());
        let covers_lines = key.kind() != Kind::MlDsa44;
        assert_eq!(change(&|c| c.lines.clear()).is_err(), covers_lines, "{}", key.kind());
        for at in 0..line.signature.len() {
            let mut damaged = line.clone();
            damaged.signature[at] ^= 1;
            assert_eq!(key.verify(&checkpoint(), &damaged), Err(KeyError::Signature), "{at}");
            damaged.signature.truncate(at);
            assert!(key.verify(&checkpoint(), &damaged).is_err(), "cut at {at}");
        }
    }
}

#[test]
fn the_messages_are_these_bytes() {
    let key = ed25519(Kind::Ed25519);
    let text = "cosignature/v1\ntime 1679315147\nkonfido.example/ledger\n42\n\
                BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc=\n\
                height 3 AwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwM=\n";
    assert_eq!(key.key().message(&checkpoint(), 1_679_315_147).unwrap(), text.as_bytes());
    let message = ml_dsa(1).key().message(&checkpoint(), 0x0102).unwrap();
    let expected = [
        b"subtree/v1\n\0".as_slice(),
        &[10],
        b"dk.example",
        &[0, 0, 0, 0, 0, 0, 1, 2],
        &[22],
        b"konfido.example/ledger",
        &[0; 8],
        &[0, 0, 0, 0, 0, 0, 0, 42],
        &[7; 32],
    ];
    assert_eq!(message, expected.concat());
    assert!(key.key().message(&checkpoint(), 1 << 63).is_none(), "not beyond 2^63 - 1");
    let long = "x".repeat(256);
    let key = VerifierKey::new(&long, Kind::MlDsa44, ml_dsa(1).key().public()).unwrap();
    assert!(key.message(&checkpoint(), 1).is_none(), "a length has one byte");
}

/// The witness of the specification's own example: its name, key id and signature are in
/// c2sp.org/tlog-cosignature; the key of it is not, so that only the form is read here.
#[test]
fn the_example_of_the_specification_is_a_timestamped_signature() {
    let line = "\u{2014} witness.example.com/w1 jWbPPwAAAABkGFDLEZMHwSRaJNiIDoe9DYn/zXcrtPHeolMI5OWXEhZCB9dlrDJsX3b2oyin1nPZqhf5nNo0xUe+mbIUBkBIfZ+qnA==";
    let line: SignatureLine = line.parse().unwrap();
    let (time, signature) = line.timestamped().unwrap();
    assert_eq!((time, signature.len()), (1_679_315_147, 64));
}

#[test]
fn a_verifier_key_has_one_text_and_a_slip_is_noticed() {
    // golang.org/x/mod/sumdb/note
    let neumann = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
    let key: VerifierKey = neumann.parse().unwrap();
    assert_eq!(
        (key.name(), key.kind(), key.id()),
        ("PeterNeumann", Kind::Log, [0xc7, 0x4f, 0x20, 0xa3])
    );
    assert_eq!(key.to_string(), neumann);
    for cosigner in [ed25519(Kind::Ed25519), ml_dsa(2)] {
        let text = cosigner.key().to_string();
        assert_eq!(text.parse::<VerifierKey>().as_ref(), Ok(cosigner.key()));
        assert!(text.replace("dk.", "es.").parse::<VerifierKey>() == Err(KeyError::Id));
    }
    let id = |text: &str| text.parse::<VerifierKey>().map(|_| ());
    assert_eq!(id(&neumann.replace("c74f20a3", "c74f20a4")), Err(KeyError::Id));
    assert_eq!(id(&neumann.replace("c74f20a3", "+74f20a3")), Err(KeyError::Form));
    assert_eq!(id("PeterNeumann"), Err(KeyError::Form));
    let kind = |byte: u8, len: usize| {
        let key = STANDARD.encode([&[byte][..], &vec![1; len]].concat());
        id(&format!("a+00000000+{key}"))
    };
    assert_eq!(kind(2, 32), Err(KeyError::Kind));
    assert_eq!(kind(4, 31), Err(KeyError::Kind));
    assert_eq!(kind(6, 1311), Err(KeyError::Kind));
    assert_eq!(kind(4, 32), Err(KeyError::Id));
}

#[test]
fn a_holder_with_another_key_is_noticed_at_start() {
    let theirs = ml_dsa(2).key().clone();
    let ours = MlDsaKey::from_seed(&[1; 32]).unwrap();
    assert_eq!(Cosigner::new(theirs, Arc::new(ours)).err(), Some(CosignError::Key));
    struct Absent;
    impl Signer for Absent {
        fn sign(&self, _: &[u8]) -> Option<Vec<u8>> {
            None
        }
    }
    let key = ml_dsa(1).key().clone();
    assert_eq!(Cosigner::new(key, Arc::new(Absent)).err(), Some(CosignError::Key));
    assert!(MlDsaKey::from_seed(&[1; 31]).is_none());
}
