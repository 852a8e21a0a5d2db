//! Names of algorithms and of what is signed, and which of them we verify with.

use aws_lc_rs::digest::{Algorithm, SHA256, SHA384, SHA512};
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1, ECDSA_P256_SHA384_ASN1, ECDSA_P256_SHA512_ASN1, ECDSA_P384_SHA256_ASN1,
    ECDSA_P384_SHA384_ASN1, ECDSA_P384_SHA512_ASN1, RSA_PKCS1_2048_8192_SHA256,
    RSA_PKCS1_2048_8192_SHA384, RSA_PKCS1_2048_8192_SHA512, VerificationAlgorithm,
};
use x509_cert::der::asn1::ObjectIdentifier;

use super::TimeStampError;

pub(super) fn algorithm_of(oid: ObjectIdentifier) -> Result<&'static Algorithm, TimeStampError> {
    let known = DIGESTS.iter().find(|row| row.0 == oid);
    known.map(|row| row.1).ok_or(TimeStampError::Signature("a digest of it is not SHA-2"))
}

/// The ways to verify that the names of a signature's algorithms allow; the key decides between
/// curves.
pub(super) fn candidates(
    signature: ObjectIdentifier,
    digest: &'static Algorithm,
) -> impl Iterator<Item = &'static dyn VerificationAlgorithm> {
    let fits = move |row: &&Verifier| row.0 == signature && *row.1 == *digest;
    VERIFIERS.iter().filter(fits).map(|row| row.2)
}

type Verifier = (ObjectIdentifier, &'static Algorithm, &'static dyn VerificationAlgorithm);

const fn oid(text: &str) -> ObjectIdentifier {
    ObjectIdentifier::new_unwrap(text)
}

pub(super) const OID_SHA256: ObjectIdentifier = oid("2.16.840.1.101.3.4.2.1");
pub(super) const SIGNED_DATA: ObjectIdentifier = oid("1.2.840.113549.1.7.2");
pub(super) const TST_INFO: ObjectIdentifier = oid("1.2.840.113549.1.9.16.1.4");
pub(super) const CONTENT_TYPE: ObjectIdentifier = oid("1.2.840.113549.1.9.3");
pub(super) const MESSAGE_DIGEST: ObjectIdentifier = oid("1.2.840.113549.1.9.4");
pub(super) const SIGNING_CERTIFICATE_V2: ObjectIdentifier = oid("1.2.840.113549.1.9.16.2.47");
pub(super) const EXTENDED_KEY_USAGE: ObjectIdentifier = oid("2.5.29.37");
pub(super) const TIME_STAMPING: ObjectIdentifier = oid("1.3.6.1.5.5.7.3.8");
const RSA: ObjectIdentifier = oid("1.2.840.113549.1.1.1");

const DIGESTS: [(ObjectIdentifier, &Algorithm); 3] = [
    (OID_SHA256, &SHA256),
    (oid("2.16.840.1.101.3.4.2.2"), &SHA384),
    (oid("2.16.840.1.101.3.4.2.3"), &SHA512),
];

/// RFC 5754 §3: RSA is named alone or with its digest, ECDSA with its digest.
static VERIFIERS: [Verifier; 12] = [
    (RSA, &SHA256, &RSA_PKCS1_2048_8192_SHA256),
    (RSA, &SHA384, &RSA_PKCS1_2048_8192_SHA384),
    (RSA, &SHA512, &RSA_PKCS1_2048_8192_SHA512),
    (oid("1.2.840.113549.1.1.11"), &SHA256, &RSA_PKCS1_2048_8192_SHA256),
    (oid("1.2.840.113549.1.1.12"), &SHA384, &RSA_PKCS1_2048_8192_SHA384),
    (oid("1.2.840.113549.1.1.13"), &SHA512, &RSA_PKCS1_2048_8192_SHA512),
    (oid("1.2.840.10045.4.3.2"), &SHA256, &ECDSA_P256_SHA256_ASN1),
    (oid("1.2.840.10045.4.3.2"), &SHA256, &ECDSA_P384_SHA256_ASN1),
    (oid("1.2.840.10045.4.3.3"), &SHA384, &ECDSA_P256_SHA384_ASN1),
    (oid("1.2.840.10045.4.3.3"), &SHA384, &ECDSA_P384_SHA384_ASN1),
    (oid("1.2.840.10045.4.3.4"), &SHA512, &ECDSA_P256_SHA512_ASN1),
    (oid("1.2.840.10045.4.3.4"), &SHA512, &ECDSA_P384_SHA512_ASN1),
];
