//! Evidence keys: what a seal certificate's fingerprint stands for in the ledger.

use std::fmt;
use std::ops::RangeInclusive;

use serde::{Deserialize, Serialize};
use trust::certificate::Certificate;
use trust::seal::Scheme;
use trust::verifying::VerifyingKey;

use crate::member::MemberError;
use crate::member::raw::{Raw, Raw32};

/// SHA-256 fingerprint of a seal certificate, as COSE headers name it.
pub type Kid = [u8; 32];

/// How evidence may be signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Algorithm {
    /// Ed25519, valid by ZIP-215 (docs/decisions/0022).
    EdDSA,
    /// ECDSA P-256 with SHA-256.
    ES256,
    /// ECDSA P-384 with SHA-384.
    ES384,
    /// RSASSA-PSS with SHA-256, 2048 to 4096 bits.
    PS256,
}

impl Algorithm {
    /// All.
    pub const ALL: [Self; 4] = [Self::EdDSA, Self::ES256, Self::ES384, Self::PS256];

    /// Its number in the COSE registry (RFC 9053, RFC 8230), as CBOR.
    pub(crate) fn cbor(self) -> &'static [u8] {
        match self {
            Self::EdDSA => &[0x27],
            Self::ES256 => &[0x26],
            Self::ES384 => &[0x38, 0x22],
            Self::PS256 => &[0x38, 0x24],
        }
    }

    /// How long its signatures are.
    pub(crate) fn lengths(self) -> RangeInclusive<usize> {
        match self {
            Self::EdDSA | Self::ES256 => 64..=64,
            Self::ES384 => 96..=96,
            Self::PS256 => 256..=512,
        }
    }

    pub(crate) fn scheme(self) -> Scheme {
        match self {
            Self::EdDSA => Scheme::Ed25519,
            Self::ES256 => Scheme::Es256,
            Self::ES384 => Scheme::Es384,
            Self::PS256 => Scheme::Ps256,
        }
    }
}

/// A key that a member signs evidence with, at some heights.
///
/// The certificate itself is not in the ledger: its subject is free text. Who votes for the key has
/// looked at the certificate; who verifies later brings it, and its fingerprint fits.
#[derive(Clone)]
pub struct EvidenceKey {
    kid: Kid,
    algorithm: Algorithm,
    key: VerifyingKey,
    from: u64,
    until: u64,
}

impl EvidenceKey {
    /// The key of a seal certificate, valid from this height on.
    pub fn of(certificate: &Certificate, from: u64) -> Result<Self, MemberError> {
        let key = VerifyingKey::of(certificate).ok_or(MemberError::Key)?;
        let algorithm = Algorithm::ALL.into_iter().find(|a| key.scheme() == a.scheme());
        let algorithm = algorithm.ok_or(MemberError::Key)?;
        Ok(Self { kid: certificate.fingerprint().0, algorithm, key, from, until: u64::MAX })
    }

    fn new(written: Written) -> Result<Self, MemberError> {
        let Written { kid: Raw32(kid), algorithm, public: Raw(public), from, until } = written;
        let key = VerifyingKey::from_raw(algorithm.scheme(), &public).ok_or(MemberError::Key)?;
        let until = until.unwrap_or(u64::MAX);
        if from >= until {
            return Err(MemberError::Heights);
        }
        Ok(Self { kid, algorithm, key, from, until })
    }

    /// Fingerprint of the certificate.
    pub fn kid(&self) -> Kid {
        self.kid
    }

    /// How it signs.
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// The key itself: 32 bytes, an uncompressed point, or a PKCS#1 `RSAPublicKey`.
    pub fn public(&self) -> &[u8] {
        self.key.raw()
    }

    /// Whether a signature by it counts at this height.
    pub fn is_valid_at(&self, height: u64) -> bool {
        (self.from..self.until).contains(&height)
    }

    /// The first height at which it counts.
    pub fn from(&self) -> u64 {
        self.from
    }

    /// The first height at which it no longer counts.
    pub fn until(&self) -> u64 {
        self.until
    }

    pub(crate) fn key(&self) -> &VerifyingKey {
        &self.key
    }

    pub(crate) fn retire(&mut self, until: u64) {
        self.until = self.until.min(until);
    }

    pub(crate) fn starting(mut self, from: u64) -> Self {
        self.from = self.from.max(from);
        self
    }
}

impl PartialEq for EvidenceKey {
    fn eq(&self, other: &Self) -> bool {
        let row = |key: &Self| (key.kid, key.algorithm, key.from, key.until);
        row(self) == row(other) && self.public() == other.public()
    }
}

impl Eq for EvidenceKey {}

impl fmt::Debug for EvidenceKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "EvidenceKey({:?} {:?})", self.algorithm, Raw32(self.kid))
    }
}

/// How it is written down.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    kid: Raw32,
    algorithm: Algorithm,
    public: Raw,
    #[serde(default)]
    from: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    until: Option<u64>,
}

impl Serialize for EvidenceKey {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let written = Written {
            kid: Raw32(self.kid),
            algorithm: self.algorithm,
            public: Raw(self.public().to_vec()),
            from: self.from,
            until: (self.until != u64::MAX).then_some(self.until),
        };
        written.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for EvidenceKey {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::new(Written::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}
