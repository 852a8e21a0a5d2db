use aws_lc_rs::signature::{ED25519, UnparsedPublicKey};
use curve25519_dalek::constants::{ED25519_BASEPOINT_POINT as B, EIGHT_TORSION};
use curve25519_dalek::edwards::{CompressedEdwardsY, EdwardsPoint};
use curve25519_dalek::scalar::Scalar;
use proptest::prelude::*;
use sha2::{Digest as _, Sha512};

use super::*;
use crate::private::Holder as _;
use crate::seal::SigningKey;

/// All encodings of points of small order: the eight canonical ones, and six that are not canonical
/// (ZIP-215; "Taming the many EdDSAs", table 1).
const SMALL: [&str; 14] = [
    "0100000000000000000000000000000000000000000000000000000000000000",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
    "0000000000000000000000000000000000000000000000000000000000000080",
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
    "0000000000000000000000000000000000000000000000000000000000000000",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
    "0100000000000000000000000000000000000000000000000000000000000080",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
    "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
    "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
];
const MESSAGE: &[u8] = b"Zcash";

fn small() -> impl Iterator<Item = [u8; 32]> {
    SMALL.iter().map(|text| {
        std::array::from_fn(|at| u8::from_str_radix(&text[2 * at..2 * at + 2], 16).unwrap())
    })
}

/// A key that the registry would refuse, as a verifier sees one that slipped through.
fn unchecked(raw: [u8; 32]) -> VerifyingKey {
    let ready = Ready::Ed25519(VerificationKey::try_from(raw).unwrap());
    VerifyingKey(Arc::new(Inner { scheme: Scheme::Ed25519, raw: raw.to_vec(), ready }))
}

struct Honest {
    key: SigningKey,
    public: VerifyingKey,
}

impl Honest {
    fn new() -> Self {
        let key = SigningKey::from_ed25519(&SigningKey::new_ed25519().unwrap()).unwrap();
        let public = VerifyingKey::from_raw(Scheme::Ed25519, key.public()).unwrap();
        Self { key, public }
    }

    fn sign(&self, message: &[u8]) -> Vec<u8> {
        self.key.sign(Scheme::Ed25519, message).unwrap()
    }
}

/// The verdict alone, as the only one of a batch, and among good ones, which must not suffer: few, and
/// as many as eight lanes take where the processor has them.
fn verdict(key: &VerifyingKey, message: &[u8], signature: &[u8]) -> bool {
    let alone = key.verifies(message, signature);
    let mut one = Batch::default();
    one.push(key, message, signature);
    assert_eq!(one.verify(), [alone]);
    let good = Honest::new();
    let other = good.sign(b"other");
    for count in [9, 130] {
        let mut many = Batch::default();
        let mut expected = Vec::new();
        for at in 0..count {
            if at == 4 {
                many.push(key, message, signature);
            } else {
                many.push(&good.public, b"other", &other);
            }
            expected.push(at != 4 || alone);
        }
        assert_eq!(many.verify(), expected);
    }
    alone
}

fn aws_lc(key: &VerifyingKey, message: &[u8], signature: &[u8]) -> bool {
    UnparsedPublicKey::new(&ED25519, key.raw()).verify(message, signature).is_ok()
}

#[test]
fn zip_215_takes_all_196_signatures_of_small_order_alone_and_together() {
    let mut strict = 0;
    for key in small().map(unchecked) {
        for r in small() {
            let signature = [r, [0; 32]].concat();
            assert!(verdict(&key, MESSAGE, &signature), "{key:?} {r:02x?}");
            strict += usize::from(aws_lc(&key, MESSAGE, &signature));
        }
    }
    assert!(strict < 196, "otherwise there were no need for a rule: the libraries would agree");
}

#[test]
fn nobody_registers_a_key_for_which_everybody_can_sign() {
    for raw in small() {
        assert!(VerifyingKey::from_raw(Scheme::Ed25519, &raw).is_none(), "{raw:02x?}");
    }
    assert!(VerifyingKey::from_raw(Scheme::Ed25519, &[2; 32]).is_none(), "no point");
    assert!(VerifyingKey::from_raw(Scheme::Ed25519, &[1; 31]).is_none(), "too short");
}

/// Signs with the secret scalar 7, key and nonce moved by points of order eight.
fn crafted(key: EdwardsPoint, nonce: EdwardsPoint, more: u8) -> (VerifyingKey, Vec<u8>) {
    signed(7, 11, key, nonce, more)
}

fn signed(
    secret: u64,
    random: u64,
    key: EdwardsPoint,
    nonce: EdwardsPoint,
    more: u8,
) -> (VerifyingKey, Vec<u8>) {
    let (secret, random) = (Scalar::from(secret), Scalar::from(random));
    let public = (secret * B + key).compress().to_bytes();
    let r = (random * B + nonce).compress().to_bytes();
    let hash = Sha512::new().chain_update(r).chain_update(public).chain_update(MESSAGE);
    let k = Scalar::from_bytes_mod_order_wide(&hash.finalize().into());
    let s = random + k * secret + Scalar::from(more);
    (unchecked(public), [r, s.to_bytes()].concat())
}

#[test]
fn points_moved_by_small_order_are_judged_alike_alone_and_together() {
    let mut strict = 0;
    for key in EIGHT_TORSION {
        for nonce in EIGHT_TORSION {
            let (public, signature) = crafted(key, nonce, 0);
            assert!(verdict(&public, MESSAGE, &signature));
            strict += usize::from(aws_lc(&public, MESSAGE, &signature));
            assert!(!verdict(&public, b"Zcas", &signature), "another message");
            let (public, wrong) = crafted(key, nonce, 1);
            assert!(!verdict(&public, MESSAGE, &wrong), "another number");
        }
    }
    assert!((1..64).contains(&strict), "{strict}");
}

#[test]
fn a_number_above_the_order_or_no_point_is_wrong_alone_and_together() {
    let honest = Honest::new();
    let good = honest.sign(MESSAGE);
    assert!(verdict(&honest.public, MESSAGE, &good));
    // s + l: the same number for whoever does not look
    let order: [u8; 32] = {
        let mut bytes = (-Scalar::ONE).to_bytes();
        bytes[0] += 1;
        bytes
    };
    let mut above = good.clone();
    let mut carry = 0u16;
    for (byte, add) in above[32..].iter_mut().zip(order) {
        carry += u16::from(*byte) + u16::from(add);
        *byte = carry.to_le_bytes()[0];
        carry >>= 8;
    }
    assert!(!verdict(&honest.public, MESSAGE, &above));
    let no_point = (2..=255).map(|byte| [byte; 32]);
    let no_point = no_point.into_iter().find(|r| CompressedEdwardsY(*r).decompress().is_none());
    assert!(!verdict(&honest.public, MESSAGE, &[&no_point.unwrap(), &good[32..]].concat()));
    for length in [0, 32, 63, 65] {
        let mut other = good.clone();
        other.resize(length, 0);
        assert!(!verdict(&honest.public, MESSAGE, &other), "{length} bytes");
    }
}

#[test]
fn the_wrong_ones_among_many_are_found_and_no_other() {
    let signers: Vec<_> = (0..4).map(|_| Honest::new()).collect();
    for wrong in [vec![], vec![0], vec![1029], vec![3, 4, 5, 511, 512], (0..1030).collect()] {
        let mut batch = Batch::default();
        for n in 0..1030usize {
            let (signer, message) = (&signers[n % 4], n.to_be_bytes());
            let mut signature = signer.sign(&message);
            signature[40] ^= u8::from(wrong.contains(&n));
            batch.push(&signer.public, &message, &signature);
        }
        let verdicts = batch.verify();
        let found: Vec<_> = (0..1030).filter(|n| !verdicts[*n]).collect();
        assert_eq!(found, wrong);
    }
}

#[test]
fn two_wrongs_do_not_make_a_right() {
    // errors that cancel each other out unless each is weighed with a number of its own
    let (key, signature) = crafted(EIGHT_TORSION[0], EIGHT_TORSION[0], 1);
    let (other, opposite) = {
        let (key, good) = crafted(EIGHT_TORSION[0], EIGHT_TORSION[0], 0);
        let s = Scalar::from_canonical_bytes(good[32..].try_into().unwrap()).unwrap();
        (key, [&good[..32], (s - Scalar::ONE).as_bytes()].concat())
    };
    let honest = Honest::new();
    let good = honest.sign(MESSAGE);
    for count in [8, 200] {
        let mut batch = Batch::default();
        batch.push(&key, MESSAGE, &signature);
        batch.push(&other, MESSAGE, &opposite);
        (0..count).for_each(|_| batch.push(&honest.public, MESSAGE, &good));
        let mut expected = vec![true; count + 2];
        expected[..2].fill(false);
        assert_eq!(batch.verify(), expected);
    }
}

/// Whether eight lanes take all of these together, where there are any; here nobody else is asked.
fn in_lanes(all: &[(VerifyingKey, Vec<u8>)]) -> Option<bool> {
    let mut batch = Batch::default();
    all.iter().for_each(|(key, signature)| batch.push(key, MESSAGE, signature));
    batch.holds_in_lanes()
}

#[test]
fn eight_lanes_take_what_zip_215_takes_and_nothing_else() {
    let small: Vec<_> = small()
        .flat_map(|key| small().map(move |r| (unchecked(key), [r, [0; 32]].concat())))
        .collect();
    assert_ne!(in_lanes(&small), Some(false));
    for one in small.chunks(1) {
        assert_ne!(in_lanes(one), Some(false));
    }
    for count in [1, 5, 128, 130, 1000, 4096] {
        let moved = |at: usize| {
            let torsion = [EIGHT_TORSION[at % 8], EIGHT_TORSION[at / 8 % 8]];
            signed(at as u64 % 37 + 3, at as u64 * 7919 + 5, torsion[0], torsion[1], 0)
        };
        let good: Vec<_> = (0..count).map(moved).collect();
        assert_ne!(in_lanes(&good), Some(false), "{count}");
        for at in [0, count / 2, count - 1] {
            let mut other = good.clone();
            other[at].1[33] ^= 1;
            assert_ne!(in_lanes(&other), Some(true), "{count}: number of {at}");
            let mut other = good.clone();
            other[at].1[..32].copy_from_slice((Scalar::from(6u8) * B).compress().as_bytes());
            assert_ne!(in_lanes(&other), Some(true), "{count}: point of {at}");
        }
    }
}

#[test]
fn other_keys_have_one_form_too() {
    let pair = rcgen::KeyPair::generate().unwrap();
    let point = rcgen::PublicKeyData::der_bytes(&pair).to_vec();
    assert!(VerifyingKey::from_raw(Scheme::Es256, &point).is_some());
    assert!(VerifyingKey::from_raw(Scheme::Es384, &point).is_none());
    assert!(VerifyingKey::from_raw(Scheme::Rs256, &point).is_none());
    let mut compressed = point[..33].to_vec();
    compressed[0] = 2 + (point[64] & 1);
    assert!(VerifyingKey::from_raw(Scheme::Es256, &compressed).is_none(), "compressed");
    let mut off = point;
    off[64] ^= 1;
    assert!(VerifyingKey::from_raw(Scheme::Es256, &off).is_none(), "not on the curve");
}

proptest! {
    #[test]
    fn any_bytes_are_judged_alike_alone_and_together(
        which in 0..4u8, message in any::<[u8; 8]>(), at in 0..64usize, flip in any::<u8>(),
        torsion in 0..8usize,
    ) {
        let honest = Honest::new();
        let mut signature = honest.sign(&message);
        match which {
            0 => signature[at] ^= flip,
            1 => signature[32..].fill(flip),
            2 => signature[..32].copy_from_slice(EIGHT_TORSION[torsion].compress().as_bytes()),
            _ => {
                let r = CompressedEdwardsY(signature[..32].try_into().unwrap()).decompress().unwrap();
                let moved = (r + EIGHT_TORSION[torsion]).compress();
                signature[..32].copy_from_slice(moved.as_bytes());
            }
        }
        verdict(&honest.public, &message, &signature);
    }
}
