//! The equation of a batch (ZIP-215; "High-speed high-security signatures", section 5) where the
//! processor adds the signatures' points in eight lanes.
//!
//! 8·(Σ zₖRₖ + Σ zₖhₖAₖ - (Σ zₖsₖ)B) = 0, with random z of 128 bits. The first sum, which has a point
//! for each signature, is `wide25519`'s; the second has one for each key.

use std::collections::HashMap;

use curve25519_dalek::constants::ED25519_BASEPOINT_POINT as B;
use curve25519_dalek::edwards::{CompressedEdwardsY, EdwardsPoint};
use curve25519_dalek::scalar::Scalar;
use curve25519_dalek::traits::{IsIdentity as _, VartimeMultiscalarMul as _};
use ed25519_zebra::VerificationKeyBytes;
use rand_core::Rng as _;
use sha2::{Digest as _, Sha512};
use wide25519::{DIGITS, Lanes, Term};

use super::batch::{Coefficients, Item};

/// Something if all are valid; nothing if one is not.
pub(super) fn together(lanes: Lanes, items: &[Item], messages: &[u8]) -> Option<()> {
    let mut coefficients = Coefficients::default();
    let mut terms = Vec::with_capacity(items.len());
    let mut keys: HashMap<[u8; 32], Scalar> = HashMap::new();
    let mut base = Scalar::ZERO;
    for item in items {
        let mut drawn = [0; DIGITS];
        coefficients.fill_bytes(&mut drawn);
        let z = value(drawn);
        let point = *item.signature.r_bytes();
        let key = VerificationKeyBytes::from(item.key).into();
        base -= z * item.s;
        *keys.entry(key).or_insert(Scalar::ZERO) += z * hash(&point, &key, item.message(messages));
        terms.push(Term { point, digits: drawn.map(u8::cast_signed) });
    }
    let sum = lanes.sum(&terms).ok()?;
    let mut scalars = vec![base, Scalar::ONE];
    let mut points = vec![Some(B), CompressedEdwardsY(sum).decompress()];
    for (key, times) in keys {
        scalars.push(times);
        points.push(CompressedEdwardsY(key).decompress());
    }
    let all = EdwardsPoint::optional_multiscalar_mul(scalars, points)?;
    all.mul_by_cofactor().is_identity().then_some(())
}

/// The number whose digits to the base of 256 are these, each from -128 to 127: another for each 16
/// bytes.
fn value(digits: [u8; DIGITS]) -> Scalar {
    let above = digits.map(|digit| digit ^ 0x80);
    Scalar::from(u128::from_le_bytes(above)) - Scalar::from(u128::from_le_bytes([0x80; DIGITS]))
}

/// RFC 8032, section 5.1.7. Not by aws-lc, which takes its slowest SHA-512 on processors of AMD.
fn hash(point: &[u8; 32], key: &[u8; 32], message: &[u8]) -> Scalar {
    Scalar::from_hash(Sha512::new().chain_update(point).chain_update(key).chain_update(message))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_are_signed() {
        let mut digits = [0; DIGITS];
        assert_eq!(value(digits), Scalar::ZERO);
        digits[0] = 0xff;
        assert_eq!(value(digits), -Scalar::ONE);
        digits[1] = 2;
        assert_eq!(value(digits), Scalar::from(511u16));
    }
}
