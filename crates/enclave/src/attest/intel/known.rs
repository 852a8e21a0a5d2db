//! Intel's authorities below the root, verified before anybody waits for it.

use std::sync::Once;

use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, SignatureVerificationAlgorithm as _};
use x509_cert::Certificate;
use x509_cert::der::{Decode as _, Encode as _};

use super::provider::KEPT;

/// Once a process: the root's signatures on the known authorities. Nothing is trusted by it; what
/// does not verify is not remembered, and a quote over it is refused as before.
pub(in crate::attest) fn prime(root: &[u8]) {
    static DONE: Once = Once::new();
    DONE.call_once(|| verify(root));
}

pub(super) fn verify(root: &[u8]) {
    let Ok(root) = Certificate::from_der(root) else { return };
    let key = root.tbs_certificate().subject_public_key_info().subject_public_key.raw_bytes();
    for pem in KNOWN {
        if let Some((tbs, signature)) = signed(pem) {
            // a failure is found again when a quote needs it
            let _ = KEPT.verify_signature(key, &tbs, &signature);
        }
    }
}

fn signed(pem: &str) -> Option<(Vec<u8>, Vec<u8>)> {
    let der = CertificateDer::from_pem_slice(pem.as_bytes()).ok()?;
    let certificate = Certificate::from_der(&der).ok()?;
    let tbs = certificate.tbs_certificate().to_der().ok()?;
    Some((tbs, certificate.signature().raw_bytes().to_vec()))
}

static KNOWN: [&str; 3] = [
    include_str!("../../../intermediates/intel-pck-platform-ca.pem"),
    include_str!("../../../intermediates/intel-pck-processor-ca.pem"),
    include_str!("../../../intermediates/intel-tcb-signing.pem"),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::attest::Roots;

    #[test]
    fn the_known_authorities_are_the_roots_and_are_what_the_page_says() {
        let root = Certificate::from_der(&Roots::pinned().intel).unwrap();
        let key = root.tbs_certificate().subject_public_key_info().subject_public_key.raw_bytes();
        let readme = include_str!("../../../intermediates/README.md");
        for pem in KNOWN {
            let (tbs, signature) = signed(pem).unwrap();
            let good = webpki::aws_lc_rs::ECDSA_P256_SHA256;
            good.verify_signature(key, &tbs, &signature).unwrap();
            let der = CertificateDer::from_pem_slice(pem.as_bytes()).unwrap();
            let hash = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, &der);
            assert!(readme.contains(&hex::encode(hash)));
        }
    }
}
