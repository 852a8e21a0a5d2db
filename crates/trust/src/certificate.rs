//! X.509 certificates and their paths to configured roots (RFC 5280, by rustls-webpki).

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use exchange::{Country, Digest};
use jiff::Timestamp;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, CertificateRevocationListDer, TrustAnchor, UnixTime};
use webpki::{
    EndEntityCert, ExtendedKeyUsageValidator, KeyPurposeIdIter, OwnedCertRevocationList,
    RevocationOptionsBuilder, anchor_from_trusted_cert,
};
use x509_cert::der::{Decode, Encode};

/// A parsed certificate. Cheap to clone.
#[derive(Clone)]
pub struct Certificate(Arc<Inner>);

struct Inner {
    der: CertificateDer<'static>,
    country: Option<Country>,
    common_name: String,
    subject: String,
    not_before: Timestamp,
    not_after: Timestamp,
    fingerprint: Digest,
    spki: Vec<u8>,
    key: PublicKey,
}

/// The kinds of key that we verify with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum PublicKey {
    /// RSA: PKCS#1 `RSAPublicKey`, and the modulus' length in bits.
    Rsa(Vec<u8>, usize),
    /// P-256, uncompressed point.
    P256(Vec<u8>),
    /// P-384, uncompressed point.
    P384(Vec<u8>),
    /// P-521, uncompressed point: verifies XML signatures only.
    P521(Vec<u8>),
    /// Anything else: no signature by it is ever accepted.
    Other,
}

/// Why a certificate is not accepted. Usually the peer's, or an operator's trust list's, fault.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CertificateError {
    /// Not a certificate.
    #[error("certificate is malformed: {0}")]
    Malformed(String),
    /// No certificate in the PEM text.
    #[error("no certificate in the pem text")]
    Empty,
    /// No revocation list where one was configured.
    #[error("no certificate revocation list in the text")]
    NoList,
    /// The key does not belong to the certificate, or is of a kind that we do not use.
    #[error("private key is not usable: {0}")]
    Key(String),
    /// No valid path to a configured root: expired, unknown issuer, revoked, wrong usage.
    #[error("certificate has no valid path to a configured root: {0}")]
    Path(String),
}

/// What a certificate is used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Usage {
    /// Signs assertions, audit records and evidence. eHDSI seal certificates often carry neither
    /// KeyUsage nor ExtendedKeyUsage; RFC 5280 §4.2.1 allows that.
    Seal,
    /// TLS client (service consumer).
    TlsClient,
    /// TLS server (service provider).
    TlsServer,
}

impl Certificate {
    /// Parses one DER certificate.
    pub fn from_der(der: &[u8]) -> Result<Self, CertificateError> {
        let malformed = |e: x509_cert::der::Error| CertificateError::Malformed(e.to_string());
        let parsed = x509_cert::Certificate::from_der(der).map_err(malformed)?;
        let tbs = parsed.tbs_certificate();
        let (mut countries, mut common_name) = (Vec::new(), String::new());
        for attribute in tbs.subject().iter() {
            let value = || String::from_utf8_lossy(attribute.value.value()).into_owned();
            match attribute.oid.to_string().as_str() {
                OID_COUNTRY => countries.push(Country::parse(&value()).ok()),
                OID_COMMON_NAME => common_name = value(),
                _ => {}
            }
        }
        // two countries in one subject speak for neither
        let country = if let [only] = countries[..] { only } else { None };
        let at = |time: x509_cert::time::Time| {
            let seconds = i64::try_from(time.to_unix_duration().as_secs()).unwrap_or(i64::MAX);
            Timestamp::from_second(seconds).map_err(|e| CertificateError::Malformed(e.to_string()))
        };
        let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, der);
        let fingerprint = Digest(digest.as_ref().try_into().expect("because SHA-256 has 32 bytes"));
        Ok(Self(Arc::new(Inner {
            country,
            common_name,
            subject: tbs.subject().to_string(),
            not_before: at(tbs.validity().not_before)?,
            not_after: at(tbs.validity().not_after)?,
            key: PublicKey::of(tbs.subject_public_key_info()).map_err(malformed)?,
            spki: tbs.subject_public_key_info().to_der().map_err(malformed)?,
            der: CertificateDer::from(der.to_vec()),
            fingerprint,
        })))
    }

    /// Parses all certificates of a PEM text, in order; at least one.
    pub fn from_pem(pem: &[u8]) -> Result<Vec<Self>, CertificateError> {
        let mut found = Vec::new();
        for der in CertificateDer::pem_slice_iter(pem) {
            let der = der.map_err(|e| CertificateError::Malformed(e.to_string()))?;
            found.push(Self::from_der(&der)?);
        }
        if found.is_empty() { Err(CertificateError::Empty) } else { Ok(found) }
    }

    /// The DER bytes.
    pub fn der(&self) -> &CertificateDer<'static> {
        &self.0.der
    }

    /// The certificate as PEM text.
    pub fn pem(&self) -> String {
        use base64::Engine as _;
        let text = base64::engine::general_purpose::STANDARD.encode(&self.0.der);
        let mut out = String::from("-----BEGIN CERTIFICATE-----\n");
        for line in text.as_bytes().chunks(64) {
            out.push_str(std::str::from_utf8(line).expect("because base64 is ASCII"));
            out.push('\n');
        }
        out + "-----END CERTIFICATE-----\n"
    }

    /// The `C=` of the subject: the country that the certificate speaks for.
    ///
    /// `None` when there is none, more than one, or something that is no country.
    pub fn country(&self) -> Option<Country> {
        self.0.country
    }

    /// The `CN=` of the subject; empty when there is none.
    pub fn common_name(&self) -> &str {
        &self.0.common_name
    }

    /// The subject's distinguished name (RFC 4514).
    pub fn subject(&self) -> &str {
        &self.0.subject
    }

    /// SHA-256 of the DER bytes.
    pub fn fingerprint(&self) -> Digest {
        self.0.fingerprint
    }

    /// Start of validity.
    pub fn not_before(&self) -> Timestamp {
        self.0.not_before
    }

    /// End of validity.
    pub fn not_after(&self) -> Timestamp {
        self.0.not_after
    }

    /// The DER bytes of the `SubjectPublicKeyInfo` (RFC 5280 §4.1.2.7).
    pub fn spki(&self) -> &[u8] {
        &self.0.spki
    }

    pub(crate) fn key(&self) -> &PublicKey {
        &self.0.key
    }
}

impl fmt::Debug for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Certificate({})", self.0.subject)
    }
}

impl PartialEq for Certificate {
    fn eq(&self, other: &Self) -> bool {
        self.0.der == other.0.der
    }
}

impl Eq for Certificate {}

impl PublicKey {
    fn of(spki: &x509_cert::spki::SubjectPublicKeyInfoOwned) -> x509_cert::der::Result<Self> {
        let bits = spki.subject_public_key.raw_bytes().to_vec();
        let parameters = match &spki.algorithm.parameters {
            Some(any) => any.to_der()?,
            None => Vec::new(),
        };
        Ok(match spki.algorithm.oid.to_string().as_str() {
            OID_RSA => {
                let modulus = rsa_modulus_bits(&bits);
                Self::Rsa(bits, modulus)
            }
            OID_EC if parameters == CURVE_P256 => Self::P256(bits),
            OID_EC if parameters == CURVE_P384 => Self::P384(bits),
            OID_EC if parameters == CURVE_P521 => Self::P521(bits),
            _ => Self::Other,
        })
    }
}

/// Bits of the modulus in a PKCS#1 `RSAPublicKey`; 0 when malformed.
fn rsa_modulus_bits(der: &[u8]) -> usize {
    use x509_cert::der::{Reader, SliceReader, asn1::UintRef};
    let modulus = SliceReader::new(der).and_then(|mut reader| {
        reader.sequence(|inner| {
            let modulus = UintRef::decode(inner)?;
            let bytes = modulus.as_bytes();
            let leading = bytes.first().map_or(0, |b| b.leading_zeros() as usize);
            UintRef::decode(inner)?;
            Ok(bytes.len() * 8 - leading)
        })
    });
    modulus.unwrap_or(0)
}

/// Configured roots, and revocation lists where an operator has them.
pub struct Anchors {
    roots: Vec<Certificate>,
    anchors: Vec<TrustAnchor<'static>>,
    crls: Vec<webpki::CertRevocationList<'static>>,
    verified: Mutex<HashMap<([u8; 32], Usage), Timestamp>>,
}

impl fmt::Debug for Anchors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Anchors({:?})", self.roots)
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
        Ok(Self { roots, anchors, crls: Vec::new(), verified: Mutex::default() })
    }

    /// Adds revocation lists, as PEM text or one as DER; a certificate on one of them has no valid
    /// path, even if it had one before. A file without any list is an error, not "nobody revoked".
    pub fn with_crls(mut self, lists: &[u8]) -> Result<Self, CertificateError> {
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
        for der in ders {
            let list = OwnedCertRevocationList::from_der(&der).map_err(|e| malformed(&e))?;
            self.crls.push(list.into());
        }
        self.verified.get_mut().unwrap_or_else(PoisonError::into_inner).clear();
        Ok(self)
    }

    /// The DER bytes of the roots.
    pub fn der(&self) -> impl Iterator<Item = &CertificateDer<'static>> {
        self.roots.iter().map(Certificate::der)
    }

    /// The roots.
    pub fn roots(&self) -> &[Certificate] {
        &self.roots
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
        let path = |e: webpki::Error| CertificateError::Path(e.to_string());
        let end_entity = EndEntityCert::try_from(leaf.der()).map_err(path)?;
        let intermediates: Vec<_> = intermediates.iter().map(|c| c.der().clone()).collect();
        let seconds = u64::try_from(at.as_second()).unwrap_or(0);
        let lists: Vec<&webpki::CertRevocationList<'_>> = self.crls.iter().collect();
        let revocation = match RevocationOptionsBuilder::new(&lists) {
            Ok(builder) => {
                Some(builder.with_status_policy(webpki::UnknownStatusPolicy::Allow).build())
            }
            Err(_) => None,
        };
        end_entity
            .verify_for_usage(
                webpki::ALL_VERIFICATION_ALGS,
                &self.anchors,
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
        verified.insert(key, at);
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
            Usage::TlsClient => webpki::KeyUsage::client_auth(),
            Usage::TlsServer => webpki::KeyUsage::server_auth(),
        };
        rule.validate(present)
    }
}

/// First byte of every DER certificate and list.
const DER_SEQUENCE: u8 = 0x30;
const OID_COUNTRY: &str = "2.5.4.6";
const OID_COMMON_NAME: &str = "2.5.4.3";
const OID_RSA: &str = "1.2.840.113549.1.1.1";
const OID_EC: &str = "1.2.840.10045.2.1";
const CURVE_P256: [u8; 10] = [0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07];
const CURVE_P384: [u8; 7] = [0x06, 0x05, 0x2b, 0x81, 0x04, 0x00, 0x22];
const CURVE_P521: [u8; 7] = [0x06, 0x05, 0x2b, 0x81, 0x04, 0x00, 0x23];
