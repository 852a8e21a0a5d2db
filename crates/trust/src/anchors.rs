//! Roots, revocation lists, and paths to the roots (RFC 5280).

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use jiff::Timestamp;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateRevocationListDer, TrustAnchor, UnixTime};
use webpki::{
    EndEntityCert, ExtendedKeyUsageValidator, KeyPurposeId, KeyPurposeIdIter,
    OwnedCertRevocationList, RevocationOptionsBuilder, anchor_from_trusted_cert,
};

use crate::certificate::{Certificate, CertificateError, Usage};

/// Configured roots, and revocation lists where an operator has them.
pub struct Anchors {
    trusted: RwLock<Arc<Trusted>>,
    verified: Mutex<HashMap<([u8; 32], Usage), Timestamp>>,
}

struct Trusted {
    roots: Vec<Certificate>,
    anchors: Vec<TrustAnchor<'static>>,
    crls: Vec<Arc<webpki::CertRevocationList<'static>>>,
}

impl fmt::Debug for Anchors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Anchors({:?})", self.current().roots)
    }
}

impl Anchors {
    /// How long a path is believed without being built again.
    pub const TRUSTED_FOR: jiff::SignedDuration = jiff::SignedDuration::from_mins(10);

    /// Reads the roots from a PEM text.
    pub fn from_pem(pem: &[u8]) -> Result<Self, CertificateError> {
        Self::new(Certificate::from_pem(pem)?)
    }

    /// Trusts these roots.
    pub fn new(roots: Vec<Certificate>) -> Result<Self, CertificateError> {
        let anchors = roots
            .iter()
            .map(|root| {
                anchor_from_trusted_cert(root.der())
                    .map(|anchor| anchor.to_owned())
                    .map_err(|e| CertificateError::Malformed(e.to_string()))
            })
            .collect::<Result<_, _>>()?;
        Ok(Self::of(Trusted { roots, anchors, crls: Vec::new() }))
    }

    /// Adds revocation lists, as PEM text or one as DER; a certificate on one of them has no valid
    /// path, even if it had one before. A file without any list is an error, not "nobody revoked".
    pub fn with_crls(self, lists: &[u8]) -> Result<Self, CertificateError> {
        let malformed = |e: &dyn fmt::Display| CertificateError::Malformed(e.to_string());
        let mut ders: Vec<CertificateRevocationListDer<'_>> = Vec::new();
        if lists.first() == Some(&DER_SEQUENCE) {
            ders.push(lists.into());
        } else {
            for der in CertificateRevocationListDer::pem_slice_iter(lists) {
                ders.push(der.map_err(|e| malformed(&e))?);
            }
        }
        if ders.is_empty() {
            return Err(CertificateError::NoList);
        }
        let before = self.current();
        let mut crls = Vec::with_capacity(ders.len());
        for der in ders {
            let list = OwnedCertRevocationList::from_der(&der).map_err(|e| malformed(&e))?;
            crls.push(Arc::new(list.into()));
        }
        crls.extend(before.crls.iter().cloned());
        let (roots, anchors) = (before.roots.clone(), before.anchors.clone());
        Ok(Self::of(Trusted { roots, anchors, crls }))
    }

    /// Trusts what `other` trusts from now on, and nothing that was believed before.
    pub fn replace(&self, other: Self) {
        let other = other.trusted.into_inner().unwrap_or_else(PoisonError::into_inner);
        *self.trusted.write().unwrap_or_else(PoisonError::into_inner) = other;
        self.verified.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// The roots.
    pub fn roots(&self) -> Vec<Certificate> {
        self.current().roots.clone()
    }

    fn of(trusted: Trusted) -> Self {
        Self { trusted: RwLock::new(Arc::new(trusted)), verified: Mutex::default() }
    }

    fn current(&self) -> Arc<Trusted> {
        Arc::clone(&self.trusted.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Checks that `leaf` leads to one of the roots at the time `at`, for this usage.
    ///
    /// A path that held is believed for [`Anchors::TRUSTED_FOR`], with the same intermediates.
    pub fn verify(
        &self,
        leaf: &Certificate,
        intermediates: &[Certificate],
        usage: Usage,
        at: Timestamp,
    ) -> Result<(), CertificateError> {
        let key = (path_key(leaf, intermediates), usage);
        let known = self.verified.lock().unwrap_or_else(PoisonError::into_inner).get(&key).copied();
        let mut path = std::iter::once(leaf).chain(intermediates);
        let current = path.all(|c| c.not_before() <= at && at <= c.not_after());
        if current && known.is_some_and(|then| at.duration_since(then).abs() <= Self::TRUSTED_FOR) {
            return Ok(());
        }
        let trusted = self.current();
        let path = |e: webpki::Error| CertificateError::Path(e.to_string());
        let end_entity = EndEntityCert::try_from(leaf.der()).map_err(path)?;
        let intermediates: Vec<_> = intermediates.iter().map(|c| c.der().clone()).collect();
        let seconds = u64::try_from(at.as_second()).unwrap_or(0);
        let lists: Vec<&webpki::CertRevocationList<'_>> =
            trusted.crls.iter().map(Arc::as_ref).collect();
        let revocation = match RevocationOptionsBuilder::new(&lists) {
            Ok(builder) => {
                Some(builder.with_status_policy(webpki::UnknownStatusPolicy::Allow).build())
            }
            Err(_) => None,
        };
        end_entity
            .verify_for_usage(
                webpki::ALL_VERIFICATION_ALGS,
                &trusted.anchors,
                &intermediates,
                UnixTime::since_unix_epoch(Duration::from_secs(seconds)),
                UsageRule(usage),
                revocation,
                None,
            )
            .map_err(path)?;
        let mut verified = self.verified.lock().unwrap_or_else(PoisonError::into_inner);
        if verified.len() >= REMEMBERED {
            verified.clear();
        }
        // a path that held before a replacement is not remembered after it
        if Arc::ptr_eq(&trusted, &self.current()) {
            verified.insert(key, at);
        }
        Ok(())
    }
}

/// Digest of the certificates that were shown.
fn path_key(leaf: &Certificate, intermediates: &[Certificate]) -> [u8; 32] {
    let mut digest = aws_lc_rs::digest::Context::new(&aws_lc_rs::digest::SHA256);
    for certificate in std::iter::once(leaf).chain(intermediates) {
        digest.update(&certificate.fingerprint().0);
    }
    digest.finish().as_ref().try_into().expect("because SHA-256 has 32 bytes")
}

/// Paths that are remembered; a country has few seal certificates.
const REMEMBERED: usize = 1024;

/// Extended key usage by [`Usage`].
struct UsageRule(Usage);

impl ExtendedKeyUsageValidator for UsageRule {
    fn validate(&self, present: KeyPurposeIdIter<'_, '_>) -> Result<(), webpki::Error> {
        let rule = match self.0 {
            Usage::Seal => return Ok(()),
            Usage::Attestation => return not_of_another_kind(present),
            Usage::TimeStamping => webpki::KeyUsage::required_if_present(TIME_STAMPING),
            Usage::TlsClient => webpki::KeyUsage::client_auth(),
            Usage::TlsServer => webpki::KeyUsage::server_auth(),
        };
        rule.validate(present)
    }
}

/// Refuses certificates that say what they are for, when that is something else than credentials.
fn not_of_another_kind(present: KeyPurposeIdIter<'_, '_>) -> Result<(), webpki::Error> {
    for purpose in present {
        let purpose = purpose?;
        if NOT_ATTESTATION.iter().any(|oid| KeyPurposeId::new(oid) == purpose) {
            return Err(webpki::Error::RequiredEkuNotFoundContext(
                webpki::RequiredEkuNotFoundContext {
                    required: webpki::KeyUsage::required(MDOC_SIGNER),
                    present: vec![purpose.to_decoded_oid()],
                },
            ));
        }
    }
    Ok(())
}

/// TLS server, TLS client (RFC 5280 §4.2.1.12), mdoc reader (ISO/IEC 18013-5 §B.1.7).
const NOT_ATTESTATION: [&[u8]; 3] = [
    &[0x2b, 6, 1, 5, 5, 7, 3, 1],
    &[0x2b, 6, 1, 5, 5, 7, 3, 2],
    &[0x28, 0x81, 0x8c, 0x5d, 5, 1, 6],
];
/// mdoc signer (ISO/IEC 18013-5 §B.1.4): what the refusal says was wanted.
const MDOC_SIGNER: &[u8] = &[0x28, 0x81, 0x8c, 0x5d, 5, 1, 2];
/// Time-stamping (RFC 3161 §2.3).
const TIME_STAMPING: &[u8] = &[0x2b, 6, 1, 5, 5, 7, 3, 8];

/// First byte of every DER certificate and list.
const DER_SEQUENCE: u8 = 0x30;
