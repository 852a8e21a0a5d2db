//! Private keys, wherever they are: in our memory, or with a holder that uses them for us.

use std::sync::Arc;

use zeroize::Zeroizing;

use crate::encryption::WrappedKey;
use crate::seal::Scheme;

/// A private key as a configuration gives it.
#[derive(Clone)]
pub enum PrivateKey {
    /// PKCS#8, SEC1 or PKCS#1 in PEM, or the URI of a key in a token ([`crate::seal::Place`]).
    Pem(Arc<Zeroizing<Vec<u8>>>),
    /// With the vault.
    Held(Arc<dyn Holder>),
}

impl PrivateKey {
    /// Its text, when it is in our memory.
    pub fn pem(&self) -> Option<&[u8]> {
        match self {
            Self::Pem(pem) => Some(pem),
            Self::Held(_) => None,
        }
    }
}

impl From<Vec<u8>> for PrivateKey {
    fn from(pem: Vec<u8>) -> Self {
        Self::Pem(Arc::new(Zeroizing::new(pem)))
    }
}

impl std::fmt::Debug for PrivateKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("PrivateKey(…)")
    }
}

/// Who holds a private key that is not in our memory, and uses it for us.
pub trait Holder: Send + Sync {
    /// Signs with the scheme: ECDSA as `r || s`. `None` when it cannot, or not now.
    fn sign(&self, scheme: Scheme, message: &[u8]) -> Option<Vec<u8>>;

    /// Signs with ML-DSA-44 (FIPS 204), without a context. `None` when it cannot: most keys are others.
    fn cosign(&self, _: &[u8]) -> Option<Vec<u8>> {
        None
    }

    /// Unwraps the key of an encrypted element. `None` when it cannot, for whatever reason.
    fn unwrap(&self, _: &WrappedKey) -> Option<Zeroizing<Vec<u8>>> {
        None
    }
}
