//! Eight elements of the field of 2^255 - 19, one a lane.
//!
//! Five limbs of 51 bits. A *weak* element has limbs below 2^51 + 2^12 and is so below 2p; all functions
//! take and give weak ones, and limbs fit the 52 bits that the multiplier reads. Before a carry the
//! first four columns of a product are below 2^59 and the last below 2^57, since what that one carries
//! counts 19 times.

use std::arch::x86_64::{
    __m512i, __mmask8, _mm512_add_epi64, _mm512_alignr_epi64, _mm512_and_si512,
    _mm512_cmpeq_epi64_mask, _mm512_loadu_si512, _mm512_madd52hi_epu64, _mm512_madd52lo_epu64,
    _mm512_mask_blend_epi64, _mm512_or_si512, _mm512_set1_epi64, _mm512_setzero_si512,
    _mm512_slli_epi64, _mm512_srli_epi64, _mm512_storeu_si512, _mm512_sub_epi64,
    _mm512_test_epi64_mask,
};

/// Eight elements.
#[derive(Clone, Copy)]
pub struct Field(pub [__m512i; 5]);

/// Limbs of one number.
pub type Limbs = [u64; 5];

const MASK: u64 = (1 << 51) - 1;
/// 2p.
const TWICE_P: Limbs = [(1 << 52) - 38, (1 << 52) - 2, (1 << 52) - 2, (1 << 52) - 2, (1 << 52) - 2];
/// -121665/121666, of the curve's equation.
pub const D: Limbs = [
    929_955_233_495_203,
    466_365_720_129_213,
    1_662_059_464_998_953,
    2_033_849_074_728_123,
    1_442_794_654_840_575,
];
/// Twice that.
pub const D2: Limbs = [
    1_859_910_466_990_425,
    932_731_440_258_426,
    1_072_319_116_312_658,
    1_815_898_335_770_999,
    633_789_495_995_903,
];
/// A square root of -1.
pub const SQRT_M1: Limbs = [
    1_718_705_420_411_056,
    234_908_883_556_509,
    2_233_514_472_574_048,
    2_117_202_627_021_982,
    765_476_049_583_133,
];

#[inline]
#[target_feature(enable = "avx512f")]
pub fn splat(value: u64) -> __m512i {
    _mm512_set1_epi64(value.cast_signed())
}

#[inline]
#[target_feature(enable = "avx512f")]
#[expect(unsafe_code, reason = "the instruction takes an address")]
pub fn load(lanes: &[u64; 8]) -> __m512i {
    // SAFETY: 64 bytes are there, and the instruction asks for no alignment.
    unsafe { _mm512_loadu_si512(lanes.as_ptr().cast()) }
}

#[inline]
#[target_feature(enable = "avx512f")]
#[expect(unsafe_code, reason = "the instruction takes an address")]
pub fn store(value: __m512i, lanes: &mut [u64; 8]) {
    // SAFETY: 64 bytes are there, and the instruction asks for no alignment.
    unsafe { _mm512_storeu_si512(lanes.as_mut_ptr().cast(), value) }
}

/// What is above 51 bits goes to the next limb, and from the last, times 19, to the first.
#[inline]
#[target_feature(enable = "avx512f,avx512ifma")]
fn carry(t: [__m512i; 5]) -> Field {
    let mask = splat(MASK);
    let low = |k: usize| _mm512_and_si512(t[k], mask);
    let high = |k: usize| _mm512_srli_epi64::<51>(t[k]);
    Field([
        _mm512_madd52lo_epu64(low(0), high(4), splat(19)),
        _mm512_add_epi64(low(1), high(0)),
        _mm512_add_epi64(low(2), high(1)),
        _mm512_add_epi64(low(3), high(2)),
        _mm512_add_epi64(low(4), high(3)),
    ])
}

/// Columns of a product: lower halves, and upper halves, which count twice because limbs have one bit
/// less than the multiplier.
#[inline]
#[target_feature(enable = "avx512f,avx512ifma")]
fn fold(low: [__m512i; 9], high: [__m512i; 9]) -> Field {
    let zero = _mm512_setzero_si512();
    let column = |k: usize| {
        let high = if k == 0 { zero } else { high[k - 1] };
        let low = if k == 9 { zero } else { low[k] };
        _mm512_add_epi64(low, _mm512_add_epi64(high, high))
    };
    let whole = |k: usize| {
        let above = column(k + 5);
        let times_19 = _mm512_add_epi64(
            _mm512_add_epi64(above, _mm512_slli_epi64::<1>(above)),
            _mm512_slli_epi64::<4>(above),
        );
        _mm512_add_epi64(column(k), times_19)
    };
    carry([whole(0), whole(1), whole(2), whole(3), whole(4)])
}

impl Field {
    /// The same number in all lanes.
    #[inline]
    #[target_feature(enable = "avx512f")]
    pub fn splat(limbs: &Limbs) -> Self {
        Self([splat(limbs[0]), splat(limbs[1]), splat(limbs[2]), splat(limbs[3]), splat(limbs[4])])
    }

    #[inline]
    #[target_feature(enable = "avx512f")]
    pub fn zero() -> Self {
        Self([_mm512_setzero_si512(); 5])
    }

    #[inline]
    #[target_feature(enable = "avx512f")]
    pub fn one() -> Self {
        Self::splat(&[1, 0, 0, 0, 0])
    }

    #[inline]
    #[target_feature(enable = "avx512f,avx512ifma")]
    pub fn add(&self, other: &Self) -> Self {
        let (a, b) = (&self.0, &other.0);
        let sum = |k: usize| _mm512_add_epi64(a[k], b[k]);
        carry([sum(0), sum(1), sum(2), sum(3), sum(4)])
    }

    #[inline]
    #[target_feature(enable = "avx512f,avx512ifma")]
    pub fn sub(&self, other: &Self) -> Self {
        let (a, b) = (&self.0, &other.0);
        let difference =
            |k: usize| _mm512_sub_epi64(_mm512_add_epi64(a[k], splat(TWICE_P[k])), b[k]);
        carry([difference(0), difference(1), difference(2), difference(3), difference(4)])
    }

    #[inline]
    #[target_feature(enable = "avx512f,avx512ifma")]
    pub fn negate(&self) -> Self {
        Self::zero().sub(self)
    }

    #[inline]
    #[target_feature(enable = "avx512f,avx512ifma")]
    pub fn mul(&self, other: &Self) -> Self {
        let (a, b) = (&self.0, &other.0);
        let mut low = [_mm512_setzero_si512(); 9];
        let mut high = low;
        for i in 0..5 {
            for j in 0..5 {
                low[i + j] = _mm512_madd52lo_epu64(low[i + j], a[i], b[j]);
                high[i + j] = _mm512_madd52hi_epu64(high[i + j], a[i], b[j]);
            }
        }
        fold(low, high)
    }

    #[inline]
    #[target_feature(enable = "avx512f,avx512ifma")]
    pub fn square(&self) -> Self {
        let a = &self.0;
        let mut low = [_mm512_setzero_si512(); 9];
        let mut high = low;
        for i in 0..5 {
            for j in i + 1..5 {
                low[i + j] = _mm512_madd52lo_epu64(low[i + j], a[i], a[j]);
                high[i + j] = _mm512_madd52hi_epu64(high[i + j], a[i], a[j]);
            }
        }
        for k in 1..8 {
            low[k] = _mm512_add_epi64(low[k], low[k]);
            high[k] = _mm512_add_epi64(high[k], high[k]);
        }
        for i in 0..5 {
            low[2 * i] = _mm512_madd52lo_epu64(low[2 * i], a[i], a[i]);
            high[2 * i] = _mm512_madd52hi_epu64(high[2 * i], a[i], a[i]);
        }
        fold(low, high)
    }

    /// To the power of 2^k.
    #[target_feature(enable = "avx512f,avx512ifma")]
    fn squares(&self, k: usize) -> Self {
        let mut power = *self;
        for _ in 0..k {
            power = power.square();
        }
        power
    }

    /// To the powers of 2^250 - 1 and of 11.
    #[target_feature(enable = "avx512f,avx512ifma")]
    fn long_power(&self) -> (Self, Self) {
        let two = self.square();
        let nine = two.squares(2).mul(self);
        let eleven = two.mul(&nine);
        let e5 = eleven.square().mul(&nine);
        let e10 = e5.squares(5).mul(&e5);
        let e20 = e10.squares(10).mul(&e10);
        let e40 = e20.squares(20).mul(&e20);
        let e50 = e40.squares(10).mul(&e10);
        let e100 = e50.squares(50).mul(&e50);
        let e200 = e100.squares(100).mul(&e100);
        (e200.squares(50).mul(&e50), eleven)
    }

    /// To the power of p - 2: the inverse, or zero.
    #[target_feature(enable = "avx512f,avx512ifma")]
    pub fn invert(&self) -> Self {
        let (long, eleven) = self.long_power();
        long.squares(5).mul(&eleven)
    }

    /// To the power of (p - 5) / 8.
    #[target_feature(enable = "avx512f,avx512ifma")]
    pub fn pow_p58(&self) -> Self {
        self.long_power().0.squares(2).mul(self)
    }

    /// The one form of each number: below p, limbs below 2^51.
    #[target_feature(enable = "avx512f,avx512ifma")]
    pub fn canonical(&self) -> Self {
        let mut limbs = self.0;
        // whether p must be taken away, once at most: a weak element is below 2p
        let mut over = _mm512_srli_epi64::<51>(_mm512_add_epi64(limbs[0], splat(19)));
        for limb in &limbs[1..] {
            over = _mm512_srli_epi64::<51>(_mm512_add_epi64(*limb, over));
        }
        // 19 too many, and the bit 2^255 falls away below
        let mut more = _mm512_madd52lo_epu64(_mm512_setzero_si512(), over, splat(19));
        for limb in &mut limbs {
            let sum = _mm512_add_epi64(*limb, more);
            more = _mm512_srli_epi64::<51>(sum);
            *limb = _mm512_and_si512(sum, splat(MASK));
        }
        Self(limbs)
    }

    /// Lanes that are zero.
    #[target_feature(enable = "avx512f,avx512ifma")]
    pub fn is_zero(&self) -> __mmask8 {
        let limbs = self.canonical().0;
        let any = limbs[1..].iter().fold(limbs[0], |any, limb| _mm512_or_si512(any, *limb));
        _mm512_cmpeq_epi64_mask(any, _mm512_setzero_si512())
    }

    /// Lanes that are odd.
    #[target_feature(enable = "avx512f,avx512ifma")]
    pub fn is_odd(&self) -> __mmask8 {
        _mm512_test_epi64_mask(self.canonical().0[0], splat(1))
    }

    /// In these lanes the other.
    #[inline]
    #[target_feature(enable = "avx512f")]
    pub fn or_in(&self, lanes: __mmask8, other: &Self) -> Self {
        let (a, b) = (&self.0, &other.0);
        let one = |k: usize| _mm512_mask_blend_epi64(lanes, a[k], b[k]);
        Self([one(0), one(1), one(2), one(3), one(4)])
    }

    /// The lanes from number N on become the first ones.
    #[target_feature(enable = "avx512f")]
    pub fn lanes_from<const N: i32>(&self) -> Self {
        Self(self.0.map(|limb| _mm512_alignr_epi64::<N>(limb, limb)))
    }

    /// The lower 255 bits of each, little-endian.
    #[target_feature(enable = "avx512f")]
    pub fn from_bytes(numbers: &[[u8; 32]; 8]) -> Self {
        let mut limbs = [[0; 8]; 5];
        for (lane, bytes) in numbers.iter().enumerate() {
            let words: [u64; 4] = std::array::from_fn(|at| {
                let word = bytes[8 * at..].first_chunk().expect("because 32 bytes are four words");
                u64::from_le_bytes(*word)
            });
            limbs[0][lane] = words[0] & MASK;
            limbs[1][lane] = (words[0] >> 51 | words[1] << 13) & MASK;
            limbs[2][lane] = (words[1] >> 38 | words[2] << 26) & MASK;
            limbs[3][lane] = (words[2] >> 25 | words[3] << 39) & MASK;
            limbs[4][lane] = (words[3] >> 12) & MASK;
        }
        Self([load(&limbs[0]), load(&limbs[1]), load(&limbs[2]), load(&limbs[3]), load(&limbs[4])])
    }

    /// Little-endian, below p.
    #[target_feature(enable = "avx512f,avx512ifma")]
    pub fn to_bytes(self) -> [[u8; 32]; 8] {
        let mut limbs = [[0; 8]; 5];
        for (limb, lanes) in self.canonical().0.iter().zip(&mut limbs) {
            store(*limb, lanes);
        }
        std::array::from_fn(|lane| {
            let limb = |k: usize| limbs[k][lane];
            let words = [
                limb(0) | limb(1) << 51,
                limb(1) >> 13 | limb(2) << 38,
                limb(2) >> 26 | limb(3) << 25,
                limb(3) >> 39 | limb(4) << 12,
            ];
            let mut bytes = [0; 32];
            for (word, bytes) in words.iter().zip(bytes.chunks_exact_mut(8)) {
                bytes.copy_from_slice(&word.to_le_bytes());
            }
            bytes
        })
    }
}
