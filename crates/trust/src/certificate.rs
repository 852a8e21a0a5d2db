//! X.509 certificates (RFC 5280); [`Anchors`] says whether they lead to a configured root.

use std::fmt;
use std::sync::{Arc, OnceLock};

use aws_lc_rs::signature::ParsedPublicKey;
use exchange::{Country, Digest};
use jiff::Timestamp;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use x509_cert::der::asn1::ObjectIdentifier;
use x509_cert::der::{Decode, Encode};

pub use crate::anchors::Anchors;

/// A parsed certificate. Cheap to clone.
#[derive(Clone)]
pub struct Certificate(Arc<Inner>);

struct Inner {
    der: CertificateDer<'static>,
    country: Option<Country>,
    common_name: String,
    not_before: Timestamp,
    not_after: Timestamp,
    fingerprint: Digest,
    spki: Vec<u8>,
    key: PublicKey,
    /// The key made ready for the first algorithm that it was asked to verify with.
    ready: OnceLock<(&'static str, Option<ParsedPublicKey>)>,
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
    /// Ed25519, 32 bytes (RFC 8410): verifies COSE only.
    Ed25519(Vec<u8>),
    /// P-521, uncompressed point: verifies XML signatures only.
    P521(Vec<u8>),
    /// brainpoolP256r1 and brainpoolP384r1, uncompressed point: verifies XML signatures only.
    #[cfg(feature = "brainpool")]
    Brainpool(Brainpool, Vec<u8>),
    /// Anything else: no signature by it is ever accepted.
    Other,
}

/// Curves of RFC 5639.
#[cfg(feature = "brainpool")]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Brainpool {
    /// brainpoolP256r1.
    P256,
    /// brainpoolP384r1.
    P384,
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
    /// Signs credentials of wallets and their status lists. Extended key usages differ from country
    /// to country; a TLS certificate of the same authority, or one of a reader, is none.
    Attestation,
    /// Signs time-stamps. Authorities above may name no usage; that the certificate itself is for
    /// time-stamps alone (RFC 3161 §2.3) is for the reader of the stamp to look at.
    TimeStamping,
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
            match attribute.oid {
                OID_COUNTRY => countries.push(Country::parse(&value()).ok()),
                OID_COMMON_NAME => common_name = value(),
                _ => {}
            }
        }
        // two countries in one subject speak for neither
        let country = if let [only] = countries[..] { only } else { None };
        let at = |time: x509_cert::time::Time| {
            let seconds = i64::try_from(time.to_unix_duration().as_secs()).unwrap_or(i64::MAX);
            // "no end" is 99991231235959Z (RFC 5280 §4.1.2.5); our calendar ends a day before
            let seconds = seconds.min(Timestamp::MAX.as_second());
            Timestamp::from_second(seconds).map_err(|e| CertificateError::Malformed(e.to_string()))
        };
        let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, der);
        let fingerprint = Digest(digest.as_ref().try_into().expect("because SHA-256 has 32 bytes"));
        Ok(Self(Arc::new(Inner {
            country,
            common_name,
            not_before: at(tbs.validity().not_before)?,
            not_after: at(tbs.validity().not_after)?,
            key: PublicKey::of(tbs.subject_public_key_info()).map_err(malformed)?,
            spki: tbs.subject_public_key_info().to_der().map_err(malformed)?,
            der: CertificateDer::from(der.to_vec()),
            fingerprint,
            ready: OnceLock::new(),
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

    /// The subject's distinguished name (RFC 4514), for people: written anew each time.
    pub fn subject(&self) -> String {
        x509_cert::Certificate::from_der(&self.0.der)
            .map(|parsed| parsed.tbs_certificate().subject().to_string())
            .unwrap_or_default()
    }

    /// Whether it is issued to this name: the whole subject (RFC 4514, as [`Certificate::subject`]
    /// writes it), or its `CN=` alone. Names outlive a renewal, keys and fingerprints do not; the
    /// whole subject is what no other certificate of the same authority has (RFC 5280 §4.1.2.6).
    pub fn is_named(&self, name: &str) -> bool {
        let whole = name.contains('=');
        if whole { self.subject() == name } else { !name.is_empty() && self.common_name() == name }
    }

    /// Whether it names itself as its issuer, as roots do (RFC 5280 §3.2).
    pub fn is_self_issued(&self) -> bool {
        x509_cert::Certificate::from_der(&self.0.der).is_ok_and(|parsed| {
            let tbs = parsed.tbs_certificate();
            tbs.issuer() == tbs.subject()
        })
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

    /// Whether the key is RSA, and its length in bits; `None` for keys that we do not know, and for
    /// Ed25519, which signs no XML and no card.
    pub fn key_bits(&self) -> Option<(bool, usize)> {
        match self.key() {
            PublicKey::Rsa(_, bits) => Some((true, *bits)),
            PublicKey::P256(_) => Some((false, 256)),
            PublicKey::P384(_) => Some((false, 384)),
            PublicKey::P521(_) => Some((false, 521)),
            #[cfg(feature = "brainpool")]
            PublicKey::Brainpool(Brainpool::P256, _) => Some((false, 256)),
            #[cfg(feature = "brainpool")]
            PublicKey::Brainpool(Brainpool::P384, _) => Some((false, 384)),
            PublicKey::Ed25519(_) | PublicKey::Other => None,
        }
    }

    /// The DER bytes of the `SubjectPublicKeyInfo` (RFC 5280 §4.1.2.7).
    pub fn spki(&self) -> &[u8] {
        &self.0.spki
    }

    /// Its public key, as [`crate::seal::SigningKey::public`] gives it; empty for keys of other kinds.
    pub fn public_key(&self) -> &[u8] {
        match self.key() {
            PublicKey::P256(key) | PublicKey::P384(key) | PublicKey::Rsa(key, _) => key,
            _ => &[],
        }
    }

    pub(crate) fn key(&self) -> &PublicKey {
        &self.0.key
    }

    /// The key made ready for the algorithm of this name, as `make` makes it; a certificate that signs
    /// keeps to one algorithm, which is made ready once.
    pub(crate) fn ready<T>(
        &self,
        name: &'static str,
        make: impl Fn() -> Option<ParsedPublicKey>,
        verify: impl FnOnce(&ParsedPublicKey) -> T,
    ) -> Option<T> {
        let (kept, key) = self.0.ready.get_or_init(|| (name, make()));
        if *kept == name { key.as_ref().map(verify) } else { make().as_ref().map(verify) }
    }
}

impl fmt::Debug for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Certificate({})", self.subject())
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
            OID_ED25519 => Self::Ed25519(bits),
            OID_EC if parameters == CURVE_P256 => Self::P256(bits),
            OID_EC if parameters == CURVE_P384 => Self::P384(bits),
            OID_EC if parameters == CURVE_P521 => Self::P521(bits),
            #[cfg(feature = "brainpool")]
            OID_EC if parameters == CURVE_BP256 => Self::Brainpool(Brainpool::P256, bits),
            #[cfg(feature = "brainpool")]
            OID_EC if parameters == CURVE_BP384 => Self::Brainpool(Brainpool::P384, bits),
            _ => Self::Other,
        })
    }
}

/// Bits of the modulus in a PKCS#1 `RSAPublicKey`; 0 when malformed.
pub(crate) fn rsa_modulus_bits(der: &[u8]) -> usize {
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

const OID_COUNTRY: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.4.6");
const OID_COMMON_NAME: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.4.3");
const OID_RSA: &str = "1.2.840.113549.1.1.1";
const OID_ED25519: &str = "1.3.101.112";
const OID_EC: &str = "1.2.840.10045.2.1";
const CURVE_P256: [u8; 10] = [0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07];
const CURVE_P384: [u8; 7] = [0x06, 0x05, 0x2b, 0x81, 0x04, 0x00, 0x22];
const CURVE_P521: [u8; 7] = [0x06, 0x05, 0x2b, 0x81, 0x04, 0x00, 0x23];
#[cfg(feature = "brainpool")]
const CURVE_BP256: [u8; 11] = [0x06, 0x09, 0x2b, 0x24, 0x03, 0x03, 0x02, 0x08, 0x01, 0x01, 0x07];
#[cfg(feature = "brainpool")]
const CURVE_BP384: [u8; 11] = [0x06, 0x09, 0x2b, 0x24, 0x03, 0x03, 0x02, 0x08, 0x01, 0x01, 0x0b];
