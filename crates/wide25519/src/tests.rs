use curve25519_dalek::constants::{ED25519_BASEPOINT_POINT as B, EIGHT_TORSION};
use curve25519_dalek::edwards::{CompressedEdwardsY, EdwardsPoint};
use curve25519_dalek::scalar::Scalar;
use proptest::prelude::*;

use super::*;

#[cfg(target_arch = "x86_64")]
mod fields;

/// What [`Lanes::sum`] should give, by another library.
fn expected(terms: &[Term]) -> Option<[u8; 32]> {
    let mut sum = EdwardsPoint::default();
    for term in terms {
        let point = CompressedEdwardsY(term.point).decompress()?;
        let highest_first = term.digits.iter().rev();
        sum += highest_first.fold(EdwardsPoint::default(), |sum, digit| {
            let times = Scalar::from(digit.unsigned_abs()) * point;
            Scalar::from(256u16) * sum + if *digit < 0 { -times } else { times }
        });
    }
    Some(sum.compress().to_bytes())
}

fn agrees(terms: &[Term]) {
    let Some(lanes) = Lanes::detect() else {
        println!("skipped: this processor has no AVX-512 IFMA");
        return;
    };
    assert_eq!(lanes.sum(terms).ok(), expected(terms));
}

fn point(times: u64) -> [u8; 32] {
    (Scalar::from(times) * B).compress().to_bytes()
}

/// As many as a batch of signatures has, with and without parts of small order.
#[test]
fn many_points() {
    for count in [128usize, 143, 1000, 4096] {
        let term = |at: usize| {
            let times = if at.is_multiple_of(7) { 0 } else { at as u64 * 7919 };
            let point = Scalar::from(times) * B + EIGHT_TORSION[at % 8];
            let mixed = (at as u128 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835);
            let digits = mixed.to_le_bytes().map(u8::cast_signed);
            Term { point: point.compress().to_bytes(), digits }
        };
        agrees(&(0..count).map(term).collect::<Vec<_>>());
    }
}

#[test]
fn no_points_are_neutral() {
    agrees(&[]);
}

#[test]
fn every_value_of_a_digit() {
    let term = |digit: i8| Term { point: point(digit.unsigned_abs().into()), digits: [digit; 16] };
    for digit in i8::MIN..=i8::MAX {
        agrees(&[term(digit)]);
        for place in 0..DIGITS {
            let mut alone = Term { point: point(3), digits: [0; 16] };
            alone.digits[place] = digit;
            agrees(&[alone]);
        }
    }
    let all: Vec<Term> = (i8::MIN..=i8::MAX).map(term).collect();
    agrees(&all);
}

#[test]
fn the_same_point_again_and_its_negative() {
    let (one, other) = (point(7), (-(Scalar::from(7u8) * B)).compress().to_bytes());
    for count in 1..20 {
        agrees(&vec![Term { point: one, digits: [3; 16] }; count]);
        let pair = [one, other].map(|point| Term { point, digits: [-128; 16] });
        agrees(&pair.repeat(count));
    }
}

/// Coordinates around 0, p and 2^255, and around each limb's border, with both signs.
fn edges() -> impl Iterator<Item = [u8; 32]> {
    let near = |bit: usize| {
        (-40i16..=40).map(move |by| {
            // 2^bit + by, modulo 2^256
            let mut bytes = if by < 0 { [0xff; 32] } else { [0; 32] };
            bytes[0] = by.to_le_bytes()[0];
            let mut at = bit / 8;
            let mut carry = 1u16 << (bit % 8);
            while carry > 0 && at < 32 {
                carry += u16::from(bytes[at]);
                bytes[at] = carry.to_le_bytes()[0];
                carry >>= 8;
                at += 1;
            }
            bytes
        })
    };
    let bits = [0, 51, 52, 102, 104, 153, 156, 204, 208, 254, 255, 256];
    bits.into_iter().flat_map(near).flat_map(|bytes| {
        [0, 0x80].map(|sign| {
            let mut bytes = bytes;
            bytes[31] = bytes[31] & 0x7f | sign;
            bytes
        })
    })
}

#[test]
fn crafted_coordinates_are_points_to_both_or_to_none() {
    let (mut points, mut none) = (0, 0);
    for bytes in edges() {
        let term = Term {
            point: bytes,
            digits: std::array::from_fn(|at| ((at * 17) as u8).cast_signed()),
        };
        agrees(&[term]);
        *if expected(&[term]).is_some() { &mut points } else { &mut none } += 1;
    }
    assert!(points > 500 && none > 500, "{points} {none}");
}

#[test]
fn points_of_small_order_and_mixed_ones() {
    for torsion in EIGHT_TORSION {
        for times in 0..4u8 {
            let point = (torsion + Scalar::from(times) * B).compress().to_bytes();
            for digit in [-128, -8, -1, 1, 4, 127] {
                agrees(&[Term { point, digits: [digit; 16] }; 9]);
            }
        }
    }
}

#[test]
fn what_is_no_point_is_found_in_every_lane() {
    let none = [2; 32];
    assert!(CompressedEdwardsY(none).decompress().is_none());
    for count in 1..=17 {
        for place in 0..count {
            let mut terms = vec![Term { point: point(5), digits: [1; 16] }; count];
            terms[place].point = none;
            agrees(&terms);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_points(seeds in prop::collection::vec((any::<u64>(), any::<[i8; 16]>()), 0..70)) {
        let terms: Vec<Term> =
            seeds.iter().map(|(times, digits)| Term { point: point(*times), digits: *digits }).collect();
        agrees(&terms);
    }

    #[test]
    fn any_bytes(point in any::<[u8; 32]>(), digits in any::<[i8; 16]>()) {
        agrees(&[Term { point, digits }]);
    }
}
