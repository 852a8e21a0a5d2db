//! COSE signatures (RFC 9052) by seal keys: `COSE_Sign1` by one country, `COSE_Sign` by two.
//!
//! Every signature names its algorithm and its certificate (`kid` = SHA-256 fingerprint) in the
//! protected header. A verifier brings the certificate; nothing in the message is trusted to.

use coset::{
    CborSerializable, CoseSign, CoseSign1, CoseSign1Builder, CoseSignBuilder, CoseSignatureBuilder,
    Header, HeaderBuilder, RegisteredLabelWithPrivate, iana,
};
use exchange::Digest;

use crate::certificate::Certificate;
use crate::seal::{Scheme, SealKey};

/// Why a COSE message is not believed. Usually tampering, or the wrong certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CoseError {
    /// Not the CBOR of the expected message.
    #[error("cose message is malformed")]
    Malformed,
    /// No signature names this certificate.
    #[error("cose message has no signature by this certificate")]
    NoSignature,
    /// The algorithm is not ES256, ES384, PS256 or EdDSA.
    #[error("cose signature uses an algorithm that is not allowed")]
    Algorithm,
    /// The signature does not verify.
    #[error("cose signature is wrong")]
    Signature,
    /// Our own key could not sign.
    #[error("cose signature could not be made")]
    Signing,
}

/// Makes a `COSE_Sign1` over the payload, with the payload inside.
pub fn sign1(key: &SealKey, payload: &[u8], external: &[u8]) -> Result<Vec<u8>, CoseError> {
    CoseSign1Builder::new()
        .protected(protected(key))
        .payload(payload.to_vec())
        .try_create_signature(external, |message| {
            key.sign(key.cose_scheme(), message).ok_or(CoseError::Signing)
        })?
        .build()
        .to_vec()
        .map_err(|_| CoseError::Malformed)
}

/// Verifies a `COSE_Sign1` by this certificate's key and gives the payload.
pub fn verify1(
    message: &[u8],
    external: &[u8],
    certificate: &Certificate,
) -> Result<Vec<u8>, CoseError> {
    let message = CoseSign1::from_slice(message).map_err(|_| CoseError::Malformed)?;
    verify_read1(&message, external, certificate).map(<[u8]>::to_vec)
}

/// [`verify1`] for who has read the message already.
pub fn verify_read1<'m>(
    message: &'m CoseSign1,
    external: &[u8],
    certificate: &Certificate,
) -> Result<&'m [u8], CoseError> {
    let scheme = signed_with(&message.protected.header, certificate)?;
    message.verify_signature(external, |signature, data| {
        check(certificate, scheme, data, signature)
    })?;
    message.payload.as_deref().ok_or(CoseError::Malformed)
}

/// The fingerprint of the certificate that a `COSE_Sign1` names; not verified.
pub fn claimed_signer(message: &[u8]) -> Result<Digest, CoseError> {
    let message = CoseSign1::from_slice(message).map_err(|_| CoseError::Malformed)?;
    kid(&message.protected.header)
}

/// What a `COSE_Sign1` carries; not verified: only for messages of our own.
pub fn claimed_payload(message: &[u8]) -> Option<Vec<u8>> {
    CoseSign1::from_slice(message).ok()?.payload
}

/// The fingerprints of the certificates that a `COSE_Sign` names, in its order; not verified.
pub fn claimed_signers(message: &[u8]) -> Result<Vec<Digest>, CoseError> {
    let message = CoseSign::from_slice(message).map_err(|_| CoseError::Malformed)?;
    message.signatures.iter().map(|signature| kid(&signature.protected.header)).collect()
}

/// Makes a `COSE_Sign` over the payload with a first signature.
pub fn sign(key: &SealKey, payload: &[u8], external: &[u8]) -> Result<Vec<u8>, CoseError> {
    add(CoseSignBuilder::new().payload(payload.to_vec()).build(), key, external)
}

/// Adds one more signature to a `COSE_Sign`.
pub fn add_signature(message: &[u8], key: &SealKey, external: &[u8]) -> Result<Vec<u8>, CoseError> {
    add(CoseSign::from_slice(message).map_err(|_| CoseError::Malformed)?, key, external)
}

/// [`add_signature`] for who has read the message already.
pub fn add_to_read(
    message: CoseSign,
    key: &SealKey,
    external: &[u8],
) -> Result<Vec<u8>, CoseError> {
    add(message, key, external)
}

/// Verifies that a `COSE_Sign` carries exactly one valid signature by each of these certificates
/// and no other signature, and gives the payload. At least one, and no certificate twice.
pub fn verify(
    message: &[u8],
    external: &[u8],
    certificates: &[&Certificate],
) -> Result<Vec<u8>, CoseError> {
    let message = CoseSign::from_slice(message).map_err(|_| CoseError::Malformed)?;
    verify_read(&message, external, certificates).map(<[u8]>::to_vec)
}

/// [`verify`] for who has read the message already.
pub fn verify_read<'m>(
    message: &'m CoseSign,
    external: &[u8],
    certificates: &[&Certificate],
) -> Result<&'m [u8], CoseError> {
    if certificates.is_empty() || message.signatures.len() != certificates.len() {
        return Err(CoseError::NoSignature);
    }
    for (position, certificate) in certificates.iter().enumerate() {
        // the same certificate twice would leave another signature unverified
        if certificates[..position].contains(certificate) {
            return Err(CoseError::NoSignature);
        }
        let mut found = (0..message.signatures.len()).filter(|i| {
            kid(&message.signatures[*i].protected.header) == Ok(certificate.fingerprint())
        });
        let (Some(index), None) = (found.next(), found.next()) else {
            return Err(CoseError::NoSignature);
        };
        let scheme = signed_with(&message.signatures[index].protected.header, certificate)?;
        message.verify_signature(index, external, |signature, data| {
            check(certificate, scheme, data, signature)
        })?;
    }
    message.payload.as_deref().ok_or(CoseError::Malformed)
}

/// The payload of a `COSE_Sign`; not verified.
pub fn payload(message: &[u8]) -> Option<Vec<u8>> {
    CoseSign::from_slice(message).ok()?.payload
}

fn add(mut message: CoseSign, key: &SealKey, external: &[u8]) -> Result<Vec<u8>, CoseError> {
    let mut signature = CoseSignatureBuilder::new().protected(protected(key)).build();
    let data = message.tbs_data(external, &signature);
    signature.signature = key.sign(key.cose_scheme(), &data).ok_or(CoseError::Signing)?;
    message.signatures.push(signature);
    message.to_vec().map_err(|_| CoseError::Malformed)
}

fn protected(key: &SealKey) -> Header {
    HeaderBuilder::new()
        .algorithm(algorithm(key.cose_scheme()))
        .key_id(key.certificate().fingerprint().0.to_vec())
        .build()
}

fn algorithm(scheme: Scheme) -> iana::Algorithm {
    match scheme {
        Scheme::Es256 => iana::Algorithm::ES256,
        Scheme::Es384 => iana::Algorithm::ES384,
        Scheme::Ps256 | Scheme::Rs256 => iana::Algorithm::PS256,
        Scheme::Ed25519 => iana::Algorithm::EdDSA,
    }
}

fn kid(header: &Header) -> Result<Digest, CoseError> {
    <[u8; 32]>::try_from(header.key_id.as_slice()).map(Digest).map_err(|_| CoseError::NoSignature)
}

fn signed_with(header: &Header, certificate: &Certificate) -> Result<Scheme, CoseError> {
    if kid(header)? != certificate.fingerprint() {
        return Err(CoseError::NoSignature);
    }
    // RFC 9052 §3.1: what is critical and not understood makes the message invalid
    if !header.crit.is_empty() {
        return Err(CoseError::Algorithm);
    }
    match header.alg {
        Some(RegisteredLabelWithPrivate::Assigned(iana::Algorithm::ES256)) => Ok(Scheme::Es256),
        Some(RegisteredLabelWithPrivate::Assigned(iana::Algorithm::ES384)) => Ok(Scheme::Es384),
        Some(RegisteredLabelWithPrivate::Assigned(iana::Algorithm::PS256)) => Ok(Scheme::Ps256),
        Some(RegisteredLabelWithPrivate::Assigned(iana::Algorithm::EdDSA)) => Ok(Scheme::Ed25519),
        _ => Err(CoseError::Algorithm),
    }
}

fn check(
    certificate: &Certificate,
    scheme: Scheme,
    data: &[u8],
    signature: &[u8],
) -> Result<(), CoseError> {
    if certificate.verifies(scheme, data, signature) { Ok(()) } else { Err(CoseError::Signature) }
}
