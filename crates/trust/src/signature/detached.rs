//! Signatures that travel beside what they sign: SAML's HTTP-Redirect binding (SAML Bindings 2.0 §3.4.4.1).

use super::method::Method;
use super::{Profile, SignatureError, method_of};
use crate::certificate::Certificate;
use crate::seal::{Scheme, SealKey};

/// The `SigAlg` that this key signs with: part of what is signed, so it must be known before.
pub fn detached_method(key: &SealKey, profile: Profile) -> &'static str {
    method_of(scheme(key, profile))
}

/// Signs bytes. ECDSA gives `r || s`, as in XML signatures.
pub fn sign_detached(
    message: &[u8],
    key: &SealKey,
    profile: Profile,
) -> Result<Vec<u8>, SignatureError> {
    key.sign(scheme(key, profile), message)
        .ok_or_else(|| SignatureError::Signing("the seal key cannot sign".into()))
}

/// Verifies a signature over bytes, and says which of the candidates made it.
pub fn verify_detached<'c>(
    message: &[u8],
    method: &str,
    signature: &[u8],
    candidates: &'c [Certificate],
    profile: Profile,
) -> Result<&'c Certificate, SignatureError> {
    let method = Method::of(method, profile)?;
    let mut fitting = candidates.iter().filter(|one| method.fits(one, profile)).peekable();
    if fitting.peek().is_none() {
        return Err(SignatureError::Forbidden("key for the signature method"));
    }
    fitting.find(|one| method.verifies(one, message, signature)).ok_or(SignatureError::Invalid)
}

fn scheme(key: &SealKey, profile: Profile) -> Scheme {
    match profile {
        Profile::Ehdsi => key.xml_scheme(),
        Profile::Eidas => key.cose_scheme(),
    }
}
