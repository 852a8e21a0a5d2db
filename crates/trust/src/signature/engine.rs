//! The one place that calls bergshamra (but for its escaping, in [`super::canonical`]). Keys never enter it: it asks our certificate or seal key.

use std::sync::Arc;

use aws_lc_rs::digest;
use base64::Engine as _;
use bergshamra::c14n::{C14nMode, canonicalize_doc};
use bergshamra::dsig::sign::sign_owned;
use bergshamra::dsig::verify::verify_document;
use bergshamra::xml::nodeset::NodeSet;
use bergshamra::{DsigContext, KeysManager, VerifyResult};
use kryptering::{EcCurve, HashAlgorithm, SignatureAlgorithm, Signer};
use uppsala::{Document, NodeId};

use super::structure::{DS, Found};
use super::{SignatureError, canonical, method_of};
use crate::seal::{Scheme, SealKey};
use crate::xml::Element;

/// Verifies digest and signature value: core validation (XML Signature 1.1 §3.2) of the one form that
/// [`super::structure`] lets through. The engine canonicalizes; it is not asked to find the signature,
/// the reference and its target again, in what is already known to hold one of each.
pub(super) fn verify(
    element: Element<'_, '_>,
    found: &Found<'_, '_>,
) -> Result<(), SignatureError> {
    let octets = |top, without, prefixes: &[&str]| {
        octets(element.document(), top, without, prefixes).ok_or(SignatureError::Invalid)
    };
    // the enveloped-signature transform: all but the signature
    let without = Some(found.signature.node());
    let signed = octets(element.node(), without, &found.reference_prefixes)?;
    if digest::digest(found.digest, &signed).as_ref() != found.digest_value {
        return Err(SignatureError::Invalid);
    }
    let info = octets(found.info.node(), None, &found.info_prefixes)?;
    if found.method.verifies(&found.certificate, &info, &found.signature_value) {
        Ok(())
    } else {
        Err(SignatureError::Invalid)
    }
}

/// Exclusive canonicalization, without comments, of a node and all below it but `without`: ours of the plain
/// form, else the engine's.
fn octets(
    document: &Document<'_>,
    top: NodeId,
    without: Option<NodeId>,
    prefixes: &[&str],
) -> Option<Vec<u8>> {
    let Some(plain) = canonical::plain(document, top, without, prefixes) else {
        return canonical(document, top, without, prefixes);
    };
    debug_assert!(
        canonical(document, top, without, prefixes).as_ref() == Some(&plain),
        "our canonical form is not the engine's"
    );
    Some(plain)
}

/// The engine's canonicalization, of whatever form.
pub(super) fn canonical(
    document: &Document<'_>,
    top: NodeId,
    without: Option<NodeId>,
    prefixes: &[&str],
) -> Option<Vec<u8>> {
    let mut set = NodeSet::tree_without_comments(top, document);
    let mut stack: Vec<_> = without.into_iter().collect();
    while let Some(node) = stack.pop() {
        set.remove_id(node);
        stack.extend(document.children_iter(node));
    }
    canonicalize_doc(document, C14nMode::Exclusive, Some(&set), prefixes).ok()
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
    if scheme == Scheme::Ed25519 {
        return Err(SignatureError::Signing("an Ed25519 seal signs evidence and no XML".into()));
    }
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
            Scheme::Ed25519 => SignatureAlgorithm::Ed25519,
        }
    }

    fn sign(&self, data: &[u8]) -> kryptering::Result<Vec<u8>> {
        self.key
            .sign(self.scheme, data)
            .ok_or_else(|| kryptering::Error::Crypto("the seal key cannot sign".into()))
    }
}
