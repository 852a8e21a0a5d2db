//! Signatures by keys on Brainpool curves (RFC 5639), which some eIDAS nodes have and aws-lc has not:
//! verified by RustCrypto, never made. Behind the feature `brainpool`, off by default; brainpoolP512r1
//! has no implementation and stays refused.

use aws_lc_rs::digest;
use bp256::BrainpoolP256r1;
use bp384::BrainpoolP384r1;
use ecdsa::signature::hazmat::PrehashVerifier;
use ecdsa::{Signature, VerifyingKey};

use super::method::Hash;
use crate::certificate::Brainpool;

/// Whether the key, an uncompressed point, made this signature, `r || s`, of the hash of `data`.
pub(super) fn verifies(
    curve: Brainpool,
    point: &[u8],
    hash: Hash,
    data: &[u8],
    signature: &[u8],
) -> bool {
    let algorithm = match hash {
        Hash::Sha256 => &digest::SHA256,
        Hash::Sha384 => &digest::SHA384,
        Hash::Sha512 => &digest::SHA512,
    };
    let hash = digest::digest(algorithm, data);
    match curve {
        Brainpool::P256 => accepted(
            VerifyingKey::<BrainpoolP256r1>::from_sec1_bytes(point),
            Signature::<BrainpoolP256r1>::from_slice(signature),
            hash.as_ref(),
        ),
        Brainpool::P384 => accepted(
            VerifyingKey::<BrainpoolP384r1>::from_sec1_bytes(point),
            Signature::<BrainpoolP384r1>::from_slice(signature),
            hash.as_ref(),
        ),
    }
}

fn accepted<K: PrehashVerifier<S>, S, E>(
    key: Result<K, E>,
    signature: Result<S, E>,
    hash: &[u8],
) -> bool {
    match (key, signature) {
        (Ok(key), Ok(signature)) => key.verify_prehash(hash, &signature).is_ok(),
        _ => false,
    }
}
