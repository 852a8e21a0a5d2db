//! Eight points of edwards25519, one a lane, in extended coordinates (Hisil, Wong, Carter, Dawson:
//! "Twisted Edwards Curves Revisited", 2008), whose addition has no exceptions on this curve.

use std::arch::x86_64::__mmask8;

use crate::field::{D, D2, Field, SQRT_M1};

/// x = X/Z, y = Y/Z, xy = T/Z.
#[derive(Clone, Copy)]
pub struct Point {
    pub x: Field,
    pub y: Field,
    pub z: Field,
    pub t: Field,
}

/// An affine point, ready to be added.
#[derive(Clone, Copy)]
pub struct Affine {
    /// y + x.
    pub sum: Field,
    /// y - x.
    pub difference: Field,
    /// 2d·x·y.
    pub product: Field,
}

impl Point {
    #[target_feature(enable = "avx512f")]
    pub fn neutral() -> Self {
        Self { x: Field::zero(), y: Field::one(), z: Field::one(), t: Field::zero() }
    }

    #[inline]
    #[target_feature(enable = "avx512f,avx512ifma")]
    pub fn add_affine(&self, other: &Affine) -> Self {
        let a = self.y.sub(&self.x).mul(&other.difference);
        let b = self.y.add(&self.x).mul(&other.sum);
        let c = self.t.mul(&other.product);
        let d = self.z.add(&self.z);
        Self::completed(&a, &b, &c, &d)
    }

    #[inline]
    #[target_feature(enable = "avx512f,avx512ifma")]
    pub fn add(&self, other: &Self) -> Self {
        let a = self.y.sub(&self.x).mul(&other.y.sub(&other.x));
        let b = self.y.add(&self.x).mul(&other.y.add(&other.x));
        let c = self.t.mul(&other.t).mul(&Field::splat(&D2));
        let z = self.z.mul(&other.z);
        Self::completed(&a, &b, &c, &z.add(&z))
    }

    #[inline]
    #[target_feature(enable = "avx512f,avx512ifma")]
    fn completed(a: &Field, b: &Field, c: &Field, d: &Field) -> Self {
        let (e, f, g, h) = (b.sub(a), d.sub(c), d.add(c), b.add(a));
        Self { x: e.mul(&f), y: g.mul(&h), z: f.mul(&g), t: e.mul(&h) }
    }

    /// Times 2^k.
    #[target_feature(enable = "avx512f,avx512ifma")]
    pub fn doubled(&self, k: usize) -> Self {
        let mut point = *self;
        for _ in 0..k {
            point = point.add(&point);
        }
        point
    }

    /// The lanes from number N on become the first ones.
    #[target_feature(enable = "avx512f")]
    pub fn lanes_from<const N: i32>(&self) -> Self {
        let (x, y) = (self.x.lanes_from::<N>(), self.y.lanes_from::<N>());
        Self { x, y, z: self.z.lanes_from::<N>(), t: self.t.lanes_from::<N>() }
    }

    /// The encoding of the first lane's (RFC 8032, section 5.1.2).
    #[target_feature(enable = "avx512f,avx512ifma")]
    pub fn compress_first(&self) -> [u8; 32] {
        let inverse = self.z.invert();
        let negative = self.x.mul(&inverse).is_odd() & 1;
        let [mut bytes, ..] = self.y.mul(&inverse).to_bytes();
        bytes[31] |= negative << 7;
        bytes
    }
}

impl Affine {
    /// Takes encodings as ZIP-215 does; nothing, if one is not that of a point (RFC 8032, section 5.1.3).
    #[target_feature(enable = "avx512f,avx512ifma")]
    pub fn decompress(encodings: &[[u8; 32]; 8]) -> Option<Self> {
        let y = Field::from_bytes(encodings);
        let (square, one) = (y.square(), Field::one());
        let (u, v) = (square.sub(&one), square.mul(&Field::splat(&D)).add(&one));
        // a root of u/v if that is a square, else of -u/v if that is
        let v3 = v.square().mul(&v);
        let v7 = v3.square().mul(&v);
        let root = u.mul(&v3).mul(&u.mul(&v7).pow_p58());
        let check = v.mul(&root.square());
        let right = check.sub(&u).is_zero();
        let turned = check.add(&u).is_zero();
        if (right | turned) != 0xff {
            return None;
        }
        let root = root.or_in(turned, &root.mul(&Field::splat(&SQRT_M1)));
        let wanted = (0..8).fold(0, |all, lane| all | (encodings[lane][31] >> 7) << lane);
        let x = root.or_in(root.is_odd() ^ wanted, &root.negate());
        let product = x.mul(&y).mul(&Field::splat(&D2));
        Some(Self { sum: y.add(&x), difference: y.sub(&x), product })
    }

    /// The negative points in these lanes.
    #[inline]
    #[target_feature(enable = "avx512f,avx512ifma")]
    pub fn negate_in(&self, lanes: __mmask8) -> Self {
        Self {
            sum: self.sum.or_in(lanes, &self.difference),
            difference: self.difference.or_in(lanes, &self.sum),
            product: self.product.or_in(lanes, &self.product.negate()),
        }
    }
}
