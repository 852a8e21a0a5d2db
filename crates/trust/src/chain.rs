//! A seal certificate with those between it and its root: what a peer needs to verify a country
//! whose seal is issued under an intermediate CA (RFC 5280 §6).

use std::collections::HashMap;
use std::sync::{LazyLock, PoisonError, RwLock};

use jiff::Timestamp;
use x509_cert::der::{Reader as _, SliceReader};

use crate::certificate::{Anchors, Certificate, CertificateError, Usage};
use crate::seal::SealKey;

/// A leaf and at most [`Chain::INTERMEDIATES`] certificates above it. Cheap to clone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chain {
    leaf: Certificate,
    intermediates: Vec<Certificate>,
}

impl Chain {
    /// As many as may stand between a leaf and its root; each costs the verifier a signature.
    pub const INTERMEDIATES: usize = 3;

    /// The chain of our own seal. What an operator put behind the third intermediate can only be
    /// the root, which the reader has.
    pub fn of(seal: &SealKey) -> Self {
        let intermediates = seal.intermediates().iter().take(Self::INTERMEDIATES);
        Self { leaf: seal.certificate().clone(), intermediates: intermediates.cloned().collect() }
    }

    /// Reads [`Chain::der`]; a single certificate is a chain, too.
    ///
    /// Each exchange brings the chain of its country: what the same bytes always give is kept, the
    /// certificates and their keys. Path, dates and revocation are not in it and are looked at each time.
    pub fn from_der(bytes: &[u8]) -> Result<Self, CertificateError> {
        if let Some(seen) = SEEN.read().unwrap_or_else(PoisonError::into_inner).get(bytes) {
            return Ok(seen.clone());
        }
        let read = Self::read(bytes)?;
        let mut seen = SEEN.write().unwrap_or_else(PoisonError::into_inner);
        // who sends many costs us time, not memory
        if seen.len() >= KEPT {
            seen.clear();
        }
        seen.insert(bytes.into(), read.clone());
        Ok(read)
    }

    fn read(bytes: &[u8]) -> Result<Self, CertificateError> {
        let malformed =
            |e: &dyn std::fmt::Display| CertificateError::Malformed(format!("chain: {e}"));
        if bytes.len() > MAX_BYTES {
            return Err(malformed(&"too long"));
        }
        let mut reader = SliceReader::new(bytes).map_err(|e| malformed(&e))?;
        let leaf = Certificate::from_der(reader.tlv_bytes().map_err(|e| malformed(&e))?)?;
        let mut intermediates = Vec::new();
        while !reader.is_finished() {
            if intermediates.len() == Self::INTERMEDIATES {
                return Err(malformed(&"too many certificates"));
            }
            let der = reader.tlv_bytes().map_err(|e| malformed(&e))?;
            intermediates.push(Certificate::from_der(der)?);
        }
        Ok(Self { leaf, intermediates })
    }

    /// One DER after the other, leaf first.
    pub fn der(&self) -> Vec<u8> {
        let above = self.intermediates.iter();
        std::iter::once(&self.leaf).chain(above).flat_map(|c| c.der().iter().copied()).collect()
    }

    /// The certificate that signs.
    pub fn leaf(&self) -> &Certificate {
        &self.leaf
    }

    /// The certificates between it and its root.
    pub fn intermediates(&self) -> &[Certificate] {
        &self.intermediates
    }

    /// Checks that the leaf leads to one of the roots; see [`Anchors::verify`].
    pub fn verify(
        &self,
        anchors: &Anchors,
        usage: Usage,
        at: Timestamp,
    ) -> Result<(), CertificateError> {
        anchors.verify(&self.leaf, &self.intermediates, usage, at)
    }
}

impl From<&Certificate> for Chain {
    fn from(leaf: &Certificate) -> Self {
        Self { leaf: leaf.clone(), intermediates: Vec::new() }
    }
}

/// Four certificates with RSA-4096 keys, twice.
const MAX_BYTES: usize = 16 << 10;
/// Chains that are kept: at most about two megabytes, usually a kilobyte for each country.
const KEPT: usize = 64;

static SEEN: LazyLock<RwLock<HashMap<Box<[u8]>, Chain>>> = LazyLock::new(RwLock::default);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_of_chains_does_not_grow_the_memory() {
        let key = rcgen::KeyPair::generate().unwrap();
        for number in 0..3 * KEPT {
            let name = format!("{number}.example");
            let made = rcgen::CertificateParams::new([name]).unwrap().self_signed(&key).unwrap();
            let first = Chain::from_der(made.der()).unwrap();
            assert_eq!(Chain::from_der(made.der()).unwrap(), first);
            assert_eq!(first.der(), made.der().to_vec(), "another chain than was asked for");
        }
        assert!(SEEN.read().unwrap().len() <= KEPT);
        assert!(Chain::from_der(&vec![0x30; MAX_BYTES + 1]).is_err());
    }
}
