//! Pippenger's way: for each digit a row of buckets, one for each value; a point is added to one bucket
//! of each row. A lane is a row, so that one addition puts a point into eight rows.

use std::arch::x86_64::{
    __m512i, _mm512_setzero_si512, _mm512_shuffle_i64x2, _mm512_unpackhi_epi64,
    _mm512_unpacklo_epi64,
};

use crate::field::{Field, load, splat, store};
use crate::point::{Affine, Point};
use crate::{NoPoint, Term};

/// See [`crate::Lanes::sum`].
#[target_feature(enable = "avx512f,avx512ifma")]
pub fn sum(terms: &[Term]) -> Result<[u8; 32], NoPoint> {
    let mut rows = [Rows::new(), Rows::new()];
    for some in terms.chunks(8) {
        let mut encodings = [NEUTRAL; 8];
        for (encoding, term) in encodings.iter_mut().zip(some) {
            *encoding = term.point;
        }
        let points = Points::new(&Affine::decompress(&encodings).ok_or(NoPoint)?);
        for (at, term) in some.iter().enumerate() {
            let point = points.get(at);
            for (rows, digits) in rows.iter_mut().zip(term.digits.as_chunks().0) {
                rows.add(&point, digits);
            }
        }
    }
    Ok(together(&rows[0].sum(), &rows[1].sum()).compress_first())
}

/// In the first lane: the sum of all lanes, each times 256 to the power of its number.
#[target_feature(enable = "avx512f,avx512ifma")]
fn together(low: &Point, high: &Point) -> Point {
    let half = high.doubled(64).add(low);
    let quarter = half.lanes_from::<4>().doubled(32).add(&half);
    let eighth = quarter.lanes_from::<2>().doubled(16).add(&quarter);
    eighth.lanes_from::<1>().doubled(8).add(&eighth)
}

/// Eight points, to be had one by one.
struct Points([[u64; 8]; 15]);

impl Points {
    #[target_feature(enable = "avx512f")]
    fn new(points: &Affine) -> Self {
        let mut limbs = [[0; 8]; 15];
        let all = points.sum.0.iter().chain(&points.difference.0).chain(&points.product.0);
        for (limb, lanes) in all.zip(&mut limbs) {
            store(*limb, lanes);
        }
        Self(limbs)
    }

    /// One of them, in all lanes.
    #[inline]
    #[target_feature(enable = "avx512f")]
    fn get(&self, at: usize) -> Affine {
        let field = |from: usize| {
            let limb = |k: usize| splat(self.0[from + k][at]);
            Field([limb(0), limb(1), limb(2), limb(3), limb(4)])
        };
        Affine { sum: field(0), difference: field(5), product: field(10) }
    }
}

/// A point of one lane: limbs of x, y, z and t, and four words that say nothing.
#[derive(Clone, Copy)]
#[repr(align(64))]
struct Bucket([[u64; 8]; 3]);

impl Bucket {
    const NEUTRAL: Self = Self([[0, 0, 0, 0, 0, 1, 0, 0], [0, 0, 1, 0, 0, 0, 0, 0], [0; 8]]);
}

/// Eight rows of buckets, for the values 0 to 128; lane by lane. What is in those for 0 does not count.
struct Rows(Vec<Bucket>);

impl Rows {
    fn new() -> Self {
        Self(vec![Bucket::NEUTRAL; 8 * VALUES])
    }

    /// Adds a point to a bucket of each row: the one for the digit's value, with the digit's sign.
    #[inline]
    #[target_feature(enable = "avx512f,avx512ifma")]
    fn add(&mut self, point: &Affine, digits: &[i8; 8]) {
        let places =
            std::array::from_fn(|lane| lane * VALUES + usize::from(digits[lane].unsigned_abs()));
        let negative = (0..8).fold(0, |all, lane| all | u8::from(digits[lane] < 0) << lane);
        let sum = self.get(places).add_affine(&point.negate_in(negative));
        self.set(places, &sum);
    }

    #[inline]
    #[target_feature(enable = "avx512f")]
    fn get(&self, places: [usize; 8]) -> Point {
        let lanes = places.map(|place| &self.0[place]);
        let [x0, x1, x2, x3, x4, y0, y1, y2] = third(&lanes, 0);
        let [y3, y4, z0, z1, z2, z3, z4, t0] = third(&lanes, 1);
        let [t1, t2, t3, t4, ..] = third(&lanes, 2);
        Point {
            x: Field([x0, x1, x2, x3, x4]),
            y: Field([y0, y1, y2, y3, y4]),
            z: Field([z0, z1, z2, z3, z4]),
            t: Field([t0, t1, t2, t3, t4]),
        }
    }

    #[inline]
    #[target_feature(enable = "avx512f")]
    fn set(&mut self, places: [usize; 8], point: &Point) {
        let ([x0, x1, x2, x3, x4], [y0, y1, y2, y3, y4]) = (point.x.0, point.y.0);
        let ([z0, z1, z2, z3, z4], [t0, t1, t2, t3, t4]) = (point.z.0, point.t.0);
        let none = _mm512_setzero_si512();
        let thirds = [
            transpose([x0, x1, x2, x3, x4, y0, y1, y2]),
            transpose([y3, y4, z0, z1, z2, z3, z4, t0]),
            transpose([t1, t2, t3, t4, none, none, none, none]),
        ];
        for (lane, place) in places.into_iter().enumerate() {
            let bucket = &mut self.0[place].0;
            store(thirds[0][lane], &mut bucket[0]);
            store(thirds[1][lane], &mut bucket[1]);
            store(thirds[2][lane], &mut bucket[2]);
        }
    }

    /// Of each row the sum of its buckets, each times its value.
    #[target_feature(enable = "avx512f,avx512ifma")]
    fn sum(&self) -> Point {
        let (mut above, mut sum) = (Point::neutral(), Point::neutral());
        for value in (1..VALUES).rev() {
            above = above.add(&self.get(std::array::from_fn(|lane| lane * VALUES + value)));
            sum = sum.add(&above);
        }
        sum
    }
}

/// A third of the words of eight buckets: in each lane one's.
#[inline]
#[target_feature(enable = "avx512f")]
fn third(lanes: &[&Bucket; 8], part: usize) -> [__m512i; 8] {
    let [a, b, c, d, e, f, g, h] = lanes.map(|bucket| &bucket.0[part]);
    transpose([load(a), load(b), load(c), load(d), load(e), load(f), load(g), load(h)])
}

/// Rows to columns.
#[inline]
#[target_feature(enable = "avx512f")]
fn transpose(rows: [__m512i; 8]) -> [__m512i; 8] {
    let even = |k: usize| _mm512_unpacklo_epi64(rows[k], rows[k + 1]);
    let odd = |k: usize| _mm512_unpackhi_epi64(rows[k], rows[k + 1]);
    let [c0, c2, c4, c6] = columns([even(0), even(2), even(4), even(6)]);
    let [c1, c3, c5, c7] = columns([odd(0), odd(2), odd(4), odd(6)]);
    [c0, c1, c2, c3, c4, c5, c6, c7]
}

/// Pairs of rows, each with every second column, to these columns.
#[inline]
#[target_feature(enable = "avx512f")]
fn columns(pairs: [__m512i; 4]) -> [__m512i; 4] {
    const EVEN: i32 = 0b10_00_10_00;
    const ODD: i32 = 0b11_01_11_01;
    let [a, b, c, d] = pairs;
    let (upper, lower) = (_mm512_shuffle_i64x2::<EVEN>(a, b), _mm512_shuffle_i64x2::<EVEN>(c, d));
    let (upper2, lower2) = (_mm512_shuffle_i64x2::<ODD>(a, b), _mm512_shuffle_i64x2::<ODD>(c, d));
    [
        _mm512_shuffle_i64x2::<EVEN>(upper, lower),
        _mm512_shuffle_i64x2::<EVEN>(upper2, lower2),
        _mm512_shuffle_i64x2::<ODD>(upper, lower),
        _mm512_shuffle_i64x2::<ODD>(upper2, lower2),
    ]
}

/// Encoding of the neutral point.
const NEUTRAL: [u8; 32] = {
    let mut bytes = [0; 32];
    bytes[0] = 1;
    bytes
};
/// Values of a digit without its sign.
const VALUES: usize = 129;
