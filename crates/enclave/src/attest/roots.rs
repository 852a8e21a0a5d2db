//! The vendors' roots, pinned. Tests bring roots of their own; nothing else does.

use aws_lc_rs::digest::{SHA256, digest};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;

use super::intel::known;
use super::policy::Policy;
use super::reason::{Reason, Refusal};
use super::snp::Product;

/// The roots that evidence must lead to.
#[derive(Debug, Clone)]
pub struct Roots {
    /// Intel SGX Root CA, DER.
    pub intel: Vec<u8>,
    /// AMD's root key of each product (ARK), DER.
    pub amd: Vec<(Product, Vec<u8>)>,
    /// AWS Nitro Enclaves root G1, DER.
    pub nitro: Vec<u8>,
    /// Attestation keys of registered TPMs: P-256, uncompressed points.
    pub tpm: Vec<Vec<u8>>,
    /// The same, by the SHA-256 of such a point: how a policy registers them.
    pub tpm_names: Vec<[u8; 32]>,
}

impl Roots {
    /// The vendors' own, and what is always under them is verified: as published by them (`roots/README.md` has their fingerprints).
    pub fn pinned() -> Self {
        let der = |pem: &str| {
            CertificateDer::from_pem_slice(pem.as_bytes())
                .expect("because a test reads each pinned root")
                .to_vec()
        };
        let intel = der(include_str!("../../roots/intel-sgx-root.pem"));
        known::prime(&intel);
        Self {
            intel,
            amd: vec![
                (Product::Milan, der(include_str!("../../roots/amd-milan-ark.pem"))),
                (Product::Genoa, der(include_str!("../../roots/amd-genoa-ark.pem"))),
                (Product::Turin, der(include_str!("../../roots/amd-turin-ark.pem"))),
            ],
            nitro: der(include_str!("../../roots/aws-nitro-g1.pem")),
            tpm: Vec::new(),
            tpm_names: Vec::new(),
        }
    }

    /// With the keys of the TPMs that a policy registers: a TPM has no vendor's root here.
    #[must_use]
    pub fn registered(mut self, policy: &Policy) -> Self {
        self.tpm_names.extend(policy.registered_tpms());
        self
    }

    /// Whether a TPM's key is a registered one.
    pub(crate) fn knows_tpm(&self, key: &[u8]) -> bool {
        let name = digest(&SHA256, key);
        self.tpm.iter().any(|known| known == key)
            || self.tpm_names.iter().any(|known| known == name.as_ref())
    }

    pub(crate) fn ark(&self, product: Product) -> Result<&[u8], Refusal> {
        self.amd.iter().find(|row| row.0 == product).map(|row| row.1.as_slice()).ok_or_else(|| {
            Refusal::new(Reason::Chain, format!("no pinned root for {}", product.name()))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pinned_roots_are_the_published_ones() {
        let roots = Roots::pinned();
        let found: Vec<String> = std::iter::once(&roots.intel)
            .chain(roots.amd.iter().map(|row| &row.1))
            .chain([&roots.nitro])
            .map(|der| hex::encode(digest(&SHA256, der)))
            .collect();
        let readme = include_str!("../../roots/README.md");
        assert_eq!(found.len(), 5);
        for fingerprint in found {
            assert!(readme.contains(&fingerprint), "{fingerprint} is not in the README");
        }
    }
}
