//! TLS with a private key that somebody else holds.

use std::sync::Arc;

use rustls::sign::{Signer, SigningKey};
use rustls::{Error, SignatureAlgorithm, SignatureScheme};
use trust::seal::{Scheme, SealKey};

/// Signs handshakes through the key's holder.
pub(crate) struct HeldKey(Arc<SealKey>);

struct HeldSigner {
    key: Arc<SealKey>,
    tls: SignatureScheme,
    scheme: Scheme,
}

/// What each kind of key signs with, the best first: (of the key, in TLS, as we call it).
const SCHEMES: [(Scheme, SignatureScheme, Scheme); 4] = [
    (Scheme::Es256, SignatureScheme::ECDSA_NISTP256_SHA256, Scheme::Es256),
    (Scheme::Es384, SignatureScheme::ECDSA_NISTP384_SHA384, Scheme::Es384),
    (Scheme::Ps256, SignatureScheme::RSA_PSS_SHA256, Scheme::Ps256),
    // TLS 1.2 of older Java
    (Scheme::Ps256, SignatureScheme::RSA_PKCS1_SHA256, Scheme::Rs256),
];

impl HeldKey {
    pub(crate) fn new(key: SealKey) -> Self {
        Self(Arc::new(key))
    }
}

impl std::fmt::Debug for HeldKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("HeldKey(…)")
    }
}

impl std::fmt::Debug for HeldSigner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "HeldSigner({:?})", self.tls)
    }
}

impl SigningKey for HeldKey {
    fn choose_scheme(&self, offered: &[SignatureScheme]) -> Option<Box<dyn Signer>> {
        let kind = self.0.cose_scheme();
        let (_, tls, scheme) =
            SCHEMES.into_iter().find(|(of, tls, _)| *of == kind && offered.contains(tls))?;
        Some(Box::new(HeldSigner { key: Arc::clone(&self.0), tls, scheme }))
    }

    fn algorithm(&self) -> SignatureAlgorithm {
        match self.0.cose_scheme() {
            Scheme::Es256 | Scheme::Es384 => SignatureAlgorithm::ECDSA,
            Scheme::Ps256 | Scheme::Rs256 => SignatureAlgorithm::RSA,
            Scheme::Ed25519 => SignatureAlgorithm::ED25519,
        }
    }
}

impl Signer for HeldSigner {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, Error> {
        self.key
            .sign_for_tls(self.scheme, message)
            .ok_or_else(|| Error::General("the key's holder does not sign".into()))
    }

    fn scheme(&self) -> SignatureScheme {
        self.tls
    }
}
