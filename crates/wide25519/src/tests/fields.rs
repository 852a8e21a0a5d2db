//! Numbers with the largest limbs, which no encoding has, and those around p: by laws of arithmetic.

use proptest::prelude::*;

use crate::Lanes;
use crate::field::{D, D2, Field, Limbs, SQRT_M1, load, store};

/// 2^51 + 2^12 - 1.
const LARGEST: u64 = (1 << 51) + (1 << 12) - 1;
const MASK: u64 = (1 << 51) - 1;

fn limb() -> impl Strategy<Value = u64> {
    let edges = [0, 1, 18, 19, MASK - 19, MASK - 18, MASK - 17, MASK, MASK + 1, LARGEST];
    prop_oneof![prop::sample::select(edges.to_vec()), 0..=LARGEST]
}

/// One number in each lane.
fn number() -> impl Strategy<Value = [[u64; 8]; 5]> {
    prop::array::uniform5(prop::array::uniform8(limb()))
}

#[target_feature(enable = "avx512f")]
fn field(limbs: &[[u64; 8]; 5]) -> Field {
    let [a, b, c, d, e] = limbs;
    Field([load(a), load(b), load(c), load(d), load(e)])
}

/// Whether all limbs are what the next function may be given.
#[target_feature(enable = "avx512f")]
fn weak(field: &Field) -> bool {
    field.0.iter().all(|limb| {
        let mut lanes = [0; 8];
        store(*limb, &mut lanes);
        lanes.iter().all(|lane| *lane <= LARGEST)
    })
}

#[target_feature(enable = "avx512f,avx512ifma")]
fn same(a: &Field, b: &Field) -> bool {
    weak(a) && weak(b) && a.to_bytes() == b.to_bytes() && a.sub(b).is_zero() == 0xff
}

#[target_feature(enable = "avx512f,avx512ifma")]
fn laws_hold(x: &Field, y: &Field, z: &Field) -> bool {
    let (square, one) = (x.square(), Field::one());
    let inverted = x.mul(&x.invert());
    same(&square, &x.mul(x))
        && same(&x.add(y).mul(&x.sub(y)), &square.sub(&y.square()))
        && same(&x.mul(y).mul(z), &x.mul(&y.mul(z)))
        && same(&x.add(y).mul(z), &x.mul(z).add(&y.mul(z)))
        && same(&x.negate().add(x), &Field::zero())
        && same(&x.canonical(), x)
        && same(&Field::from_bytes(&x.to_bytes()), x)
        && same(&inverted.or_in(x.is_zero(), &one), &one)
}

#[target_feature(enable = "avx512f,avx512ifma")]
fn constants_hold() -> bool {
    let small = |value: u64| Field::splat(&[value, 0, 0, 0, 0]);
    let (d, root) = (Field::splat(&D), Field::splat(&SQRT_M1));
    let p: Limbs = [MASK - 18, MASK, MASK, MASK, MASK];
    let above: Limbs = [MASK - 17, MASK, MASK, MASK, MASK];
    same(&d.mul(&small(121_666)), &small(121_665).negate())
        && same(&d.add(&d), &Field::splat(&D2))
        && same(&root.square(), &Field::one().negate())
        && Field::splat(&p).is_zero() == 0xff
        && Field::splat(&p).is_odd() == 0
        && Field::splat(&above).to_bytes() == Field::one().to_bytes()
        && Field::zero().negate().is_odd() == 0
}

#[test]
#[expect(unsafe_code, reason = "instructions that were asked for")]
fn constants() {
    if Lanes::detect().is_some() {
        // SAFETY: the processor has the instructions.
        assert!(unsafe { constants_hold() });
    }
}

#[expect(unsafe_code, reason = "instructions that were asked for")]
fn laws(numbers: &[[[u64; 8]; 5]; 3]) -> bool {
    #[target_feature(enable = "avx512f,avx512ifma")]
    fn inner([x, y, z]: &[[[u64; 8]; 5]; 3]) -> bool {
        laws_hold(&field(x), &field(y), &field(z))
    }
    // SAFETY: the processor has the instructions, or nothing is called.
    Lanes::detect().is_none() || unsafe { inner(numbers) }
}

#[test]
fn the_largest_limbs_obey_the_laws() {
    for limbs in [[LARGEST; 5], [MASK; 5], [0; 5], [MASK - 18, MASK, MASK, MASK, MASK]] {
        assert!(laws(&[limbs.map(|limb| [limb; 8]); 3]), "{limbs:?}");
    }
}

proptest! {
    #[test]
    fn numbers_obey_the_laws(numbers in prop::array::uniform3(number())) {
        prop_assert!(laws(&numbers));
    }
}
