//! Cosignatures (c2sp.org/tlog-cosignature): each member's word that the shared log has this root.
//!
//! Two kinds: Ed25519 over the whole text of the checkpoint, and ML-DSA-44 (FIPS 204) over origin,
//! size and root, which outlives today's curves. Two keys and two lines for each member.

mod key;

use std::sync::Arc;

use aws_lc_rs::signature::{ML_DSA_44_SIGNING, PqdsaKeyPair};
use trust::private::Holder;
use trust::seal::Scheme;

use crate::checkpoint::Checkpoint;
use crate::note::SignatureLine;

pub use key::{KeyError, Kind, VerifierKey};

/// Who holds a cosigner's private key and uses it for us, as [`Holder`] does for seals.
pub trait Signer: Send + Sync {
    /// Signs these bytes, without a context. `None` when it cannot, or not now.
    fn sign(&self, message: &[u8]) -> Option<Vec<u8>>;
}

/// An Ed25519 key that a [`Holder`] has: our memory, or the vault.
pub struct HeldEd25519(pub Arc<dyn Holder>);

impl Signer for HeldEd25519 {
    fn sign(&self, message: &[u8]) -> Option<Vec<u8>> {
        self.0.sign(Scheme::Ed25519, message)
    }
}

/// An ML-DSA-44 key that a [`Holder`] has.
pub struct HeldMlDsa44(pub Arc<dyn Holder>);

impl Signer for HeldMlDsa44 {
    fn sign(&self, message: &[u8]) -> Option<Vec<u8>> {
        self.0.cosign(message)
    }
}

/// An ML-DSA-44 key in our memory; aws-lc holds and wipes it.
pub struct MlDsaKey(PqdsaKeyPair);

impl MlDsaKey {
    /// The key of this 32-byte seed (FIPS 204 §6.1).
    pub fn from_seed(seed: &[u8]) -> Option<Self> {
        PqdsaKeyPair::from_seed(&ML_DSA_44_SIGNING, seed).ok().map(Self)
    }

    /// The public half, 1,312 bytes.
    pub fn public(&self) -> &[u8] {
        use aws_lc_rs::signature::KeyPair as _;
        self.0.public_key().as_ref()
    }
}

impl Signer for MlDsaKey {
    fn sign(&self, message: &[u8]) -> Option<Vec<u8>> {
        let mut signature = vec![0; ML_DSA_44_SIGNING.signature_len()];
        let length = self.0.sign(message, &mut signature).ok()?;
        signature.truncate(length);
        Some(signature)
    }
}

/// Why there is no signature.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CosignError {
    /// Who holds the key does not sign, or signs with another one.
    #[error("the holder of the cosigner's key does not sign, or has another key")]
    Key,
    /// The checkpoint or the time does not fit into what is signed.
    #[error("this checkpoint cannot be signed: its origin or the key's name is too long")]
    Checkpoint,
}

/// A key that signs checkpoints. Signing two that contradict each other is for its owner to avoid:
/// the chain is asked for consistency before, never here.
pub struct Cosigner {
    key: VerifierKey,
    signer: Arc<dyn Signer>,
}

impl Cosigner {
    /// A key and who holds its private half; it signs once here, to show that they belong together.
    pub fn new(key: VerifierKey, signer: Arc<dyn Signer>) -> Result<Self, CosignError> {
        let cosigner = Self { key, signer };
        let origin = "konfido cosigner probe".to_owned();
        let probe = Checkpoint { origin, size: 0, root: [0; 32], lines: Vec::new() };
        cosigner.sign(&probe, 0)?;
        Ok(cosigner)
    }

    /// The public half.
    pub fn key(&self) -> &VerifierKey {
        &self.key
    }

    /// Signs a checkpoint at this time, in seconds since 1970. A log's plain signature
    /// ([`Kind::Log`]) has no time.
    pub fn sign(&self, checkpoint: &Checkpoint, time: u64) -> Result<SignatureLine, CosignError> {
        let message = self.key.message(checkpoint, time).ok_or(CosignError::Checkpoint)?;
        let made = self.signer.sign(&message).ok_or(CosignError::Key)?;
        let signature = match self.key.kind() {
            Kind::Log => made,
            Kind::Ed25519 | Kind::MlDsa44 => [&time.to_be_bytes(), &made[..]].concat(),
        };
        let line = SignatureLine { name: self.key.name().to_owned(), id: self.key.id(), signature };
        // a holder with another key, or a fault in it, is noticed here and not by the reader
        self.key.verify(checkpoint, &line).map_err(|_| CosignError::Key)?;
        Ok(line)
    }
}

#[cfg(test)]
mod tests;
