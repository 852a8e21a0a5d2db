//! The one place that calls bergshamra. Keys never enter it: it asks our certificate or seal key.

use std::sync::Arc;

use base64::Engine as _;
use bergshamra::dsig::sign::sign_owned;
use bergshamra::dsig::verify::verify_document;
use bergshamra::{DsigContext, KeysManager, VerifyResult};
use kryptering::{EcCurve, HashAlgorithm, SignatureAlgorithm, Signer, Verifier};

use super::method::{Hash, Method, Padding};
use super::structure::{DS, Found};
use super::{SignatureError, method_of};
use crate::certificate::{Certificate, PublicKey};
use crate::seal::{Scheme, SealKey};
use crate::xml::Element;

/// Verifies digest and signature value, and that they cover this very element.
pub(super) fn verify(
    element: Element<'_, '_>,
    found: &Found<'_, '_>,
) -> Result<(), SignatureError> {
    let verifier = ByCertificate { method: found.method, certificate: found.certificate.clone() };
    let context = DsigContext::new(KeysManager::new()).with_hsm_verifier(Box::new(verifier));
    match verify_document(&context, element.document()) {
        Ok(VerifyResult::Valid { signature_node, references, .. })
            if signature_node == found.signature.node()
                && references.len() == 1
                && references[0].digest_verified
                && references[0].resolved_node == Some(element.node()) =>
        {
            Ok(())
        }
        _ => Err(SignatureError::Invalid),
    }
}

/// Verifies with the key that the signature itself brings.
pub(super) fn verify_key_value(
    element: Element<'_, '_>,
    signature: Element<'_, '_>,
) -> Result<(), SignatureError> {
    let context = DsigContext::new_permissive(KeysManager::new());
    match verify_document(&context, element.document()) {
        Ok(VerifyResult::Valid { signature_node, references, .. })
            if signature_node == signature.node()
                && references.len() == 1
                && references[0].digest_verified =>
        {
            Ok(())
        }
        _ => Err(SignatureError::Invalid),
    }
}

/// Fills the template's digest and signature value.
pub(super) fn sign(
    template: String,
    key: &Arc<SealKey>,
    scheme: Scheme,
) -> Result<String, SignatureError> {
    let signer = BySealKey { key: Arc::clone(key), scheme };
    let context = DsigContext::new(KeysManager::new()).with_hsm_signer(Box::new(signer));
    sign_owned(&context, template).map_err(|e| SignatureError::Signing(e.to_string()))
}

/// An empty signature that refers to `#id`.
pub(super) fn template(id: &str, key: &SealKey, scheme: Scheme) -> String {
    let certificate = base64::engine::general_purpose::STANDARD.encode(key.certificate().der());
    let method = method_of(scheme);
    let id = crate::xml::escape(id);
    format!(
        "<ds:Signature xmlns:ds=\"{DS}\"><ds:SignedInfo>\
         <ds:CanonicalizationMethod Algorithm=\"http://www.w3.org/2001/10/xml-exc-c14n#\"/>\
         <ds:SignatureMethod Algorithm=\"{method}\"/><ds:Reference URI=\"#{id}\"><ds:Transforms>\
         <ds:Transform Algorithm=\"http://www.w3.org/2000/09/xmldsig#enveloped-signature\"/>\
         <ds:Transform Algorithm=\"http://www.w3.org/2001/10/xml-exc-c14n#\">\
         <ec:InclusiveNamespaces xmlns:ec=\"http://www.w3.org/2001/10/xml-exc-c14n#\" PrefixList=\"xsd\"/></ds:Transform>\
         </ds:Transforms><ds:DigestMethod Algorithm=\"http://www.w3.org/2001/04/xmlenc#sha256\"/>\
         <ds:DigestValue></ds:DigestValue></ds:Reference></ds:SignedInfo><ds:SignatureValue></ds:SignatureValue>\
         <ds:KeyInfo><ds:X509Data><ds:X509Certificate>{certificate}</ds:X509Certificate></ds:X509Data></ds:KeyInfo>\
         </ds:Signature>"
    )
}

struct ByCertificate {
    method: &'static Method,
    certificate: Certificate,
}

impl Verifier for ByCertificate {
    fn algorithm(&self) -> SignatureAlgorithm {
        let hash = match self.method.hash {
            Hash::Sha256 => HashAlgorithm::Sha256,
            Hash::Sha384 => HashAlgorithm::Sha384,
            Hash::Sha512 => HashAlgorithm::Sha512,
        };
        match (self.method.scheme, self.certificate.key()) {
            (Padding::Pkcs1, _) => SignatureAlgorithm::RsaPkcs1v15(hash),
            (Padding::Pss, _) => SignatureAlgorithm::RsaPss(hash),
            (Padding::Ecdsa, PublicKey::P384(_)) => SignatureAlgorithm::Ecdsa(EcCurve::P384, hash),
            (Padding::Ecdsa, PublicKey::P521(_)) => SignatureAlgorithm::Ecdsa(EcCurve::P521, hash),
            (Padding::Ecdsa, _) => SignatureAlgorithm::Ecdsa(EcCurve::P256, hash),
        }
    }

    fn verify(&self, data: &[u8], signature: &[u8]) -> kryptering::Result<bool> {
        Ok(self.method.verifies(&self.certificate, data, signature))
    }
}

struct BySealKey {
    key: Arc<SealKey>,
    scheme: Scheme,
}

impl Signer for BySealKey {
    fn algorithm(&self) -> SignatureAlgorithm {
        match self.scheme {
            Scheme::Es256 => SignatureAlgorithm::Ecdsa(EcCurve::P256, HashAlgorithm::Sha256),
            Scheme::Es384 => SignatureAlgorithm::Ecdsa(EcCurve::P384, HashAlgorithm::Sha384),
            Scheme::Ps256 => SignatureAlgorithm::RsaPss(HashAlgorithm::Sha256),
            Scheme::Rs256 => SignatureAlgorithm::RsaPkcs1v15(HashAlgorithm::Sha256),
        }
    }

    fn sign(&self, data: &[u8]) -> kryptering::Result<Vec<u8>> {
        self.key
            .sign(self.scheme, data)
            .ok_or_else(|| kryptering::Error::Crypto("the seal key cannot sign".into()))
    }
}
