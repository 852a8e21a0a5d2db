//! Enveloped XML signatures: what was signed is what is read.
//!
//! A signed element is first made a document of its own ([`Element::standalone`]), so that nothing
//! around it can be confused with it; then our own allow-list looks at the signature's structure;
//! only then digest and value are checked, over the canonical form of the same DOM that
//! [`Signed::element`] hands out. The engine's own verdict would not be enough: it accepts SHA-1, and
//! leaves wrapping to its caller.

#[cfg(feature = "brainpool")]
mod brainpool;
mod canonical;
mod detached;
mod engine;
mod method;
mod seen;
mod structure;

use std::sync::Arc;

use crate::certificate::{Certificate, CertificateError};
use crate::seal::{Scheme, SealKey};
use crate::xml::{Element, Limits, Xml, XmlError};

pub use detached::{detached_method, sign_detached, verify_detached};

/// Which algorithms are allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Profile {
    /// eHDSI assertions: RSA PKCS#1 v1.5, PSS or ECDSA, SHA-256 or longer, RSA of at least 2048 bits.
    Ehdsi,
    /// eIDAS: PSS or ECDSA only, RSA of at least 3072 bits.
    Eidas,
}

/// Why a signature is not believed. Usually the sender's fault, or an attack.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SignatureError {
    /// There is no signature where the standard wants it.
    #[error("element carries no signature")]
    Missing,
    /// More than one signature, reference, certificate, ID or assertion.
    #[error("signature is ambiguous: {0}")]
    Ambiguous(&'static str),
    /// An algorithm or transform that is not on the allow-list.
    #[error("signature uses a forbidden {0}")]
    Forbidden(&'static str),
    /// The signature does not refer to the element that carries it.
    #[error("signature refers to something else")]
    Reference,
    /// The certificate in it cannot be used.
    #[error(transparent)]
    Certificate(#[from] CertificateError),
    /// The XML around it is not what it should be.
    #[error(transparent)]
    Xml(#[from] XmlError),
    /// The digest or the signature value is wrong.
    #[error("signature does not verify")]
    Invalid,
    /// Our own key could not sign.
    #[error("signature could not be made: {0}")]
    Signing(String),
}

/// An element whose signature verified, and the certificate that it verified with.
///
/// Made by [`verify_enveloped`] only. The certificate's path is still to be checked.
#[derive(Debug)]
pub struct Signed<'d, 'a> {
    element: Element<'d, 'a>,
    certificate: Certificate,
}

impl<'d, 'a> Signed<'d, 'a> {
    /// The signed element: read from here and from nowhere else.
    pub fn element(&self) -> Element<'d, 'a> {
        self.element
    }

    /// The one certificate of the signature.
    pub fn certificate(&self) -> &Certificate {
        &self.certificate
    }
}

/// Verifies the enveloped signature of a document element with an `ID` (REM evidence: an `Id`).
///
/// The element must be the document element: isolate it with [`Element::standalone`] first.
pub fn verify_enveloped<'d, 'a>(
    element: Element<'d, 'a>,
    profile: Profile,
) -> Result<Signed<'d, 'a>, SignatureError> {
    let found = structure::inspect(element, profile)?;
    engine::verify(element, &found)?;
    Ok(Signed { element, certificate: found.certificate })
}

/// Whether our own exclusive canonicalization of an element (all below it but `without`) is the engine's;
/// `None` where we leave it to the engine. For tests and fuzzing: the engine is the oracle.
pub fn canonical_forms_agree(
    element: Element<'_, '_>,
    without: Option<Element<'_, '_>>,
    inclusive: &[&str],
) -> Option<bool> {
    let (document, without) = (element.document(), without.map(Element::node));
    let ours = canonical::plain(document, element.node(), without, inclusive)?;
    Some(engine::canonical(document, element.node(), without, inclusive) == Some(ours))
}

/// Verifies the signature of an OpenNCP audit record: rsa-sha256, inclusive C14N with comments,
/// `URI=""`, a bare key. It proves that the record was not changed, not who wrote it.
pub fn verify_key_value_signature(element: Element<'_, '_>) -> Result<(), SignatureError> {
    let signature = structure::inspect_key_value(element)?;
    engine::verify_key_value(element, signature)
}

/// Signs the document element: inserts a `ds:Signature` behind the SAML Issuer (or as first child),
/// in REM evidence as last child, where its schema wants it.
///
/// `id` is the value of the element's `ID` attribute (REM: `Id`). exc-c14n with `InclusiveNamespaces xsd`, as
/// OpenNCP writes it; the scheme follows the key; exactly one certificate in the KeyInfo.
pub fn sign_enveloped(xml: &str, id: &str, key: &Arc<SealKey>) -> Result<String, SignatureError> {
    sign_enveloped_as(xml, id, key, Profile::Ehdsi)
}

/// [`sign_enveloped`] under a profile: eIDAS wants PSS of an RSA key, eHDSI's peers PKCS#1 v1.5.
pub fn sign_enveloped_as(
    xml: &str,
    id: &str,
    key: &Arc<SealKey>,
    profile: Profile,
) -> Result<String, SignatureError> {
    let scheme = match profile {
        Profile::Ehdsi => key.xml_scheme(),
        Profile::Eidas => key.cose_scheme(),
    };
    let at = {
        let parsed = Xml::parse(xml, &Limits::MESSAGE)?;
        let root = parsed.root();
        let place = structure::Place::of(root);
        if root.attribute(place.id) != Some(id) {
            return Err(SignatureError::Reference);
        }
        if root.descendants().any(|inner| inner.is(structure::DS, "Signature")) {
            return Err(SignatureError::Ambiguous("it is signed already"));
        }
        let issuer = root.children().next().filter(|first| first.is(structure::SAML, "Issuer"));
        match issuer {
            _ if place.last => root.content_range().end,
            Some(issuer) => issuer.range().end,
            None => root.content_range().start,
        }
    };
    let mut template = String::with_capacity(xml.len() + 4096);
    template.push_str(&xml[..at]);
    template.push_str(&engine::template(id, key, scheme));
    template.push_str(&xml[at..]);
    engine::sign(template, key, scheme)
}

/// The `SignatureMethod` of XML signatures in this scheme.
pub(crate) fn method_of(scheme: Scheme) -> &'static str {
    match scheme {
        Scheme::Es256 => "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha256",
        Scheme::Es384 => "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha384",
        Scheme::Ps256 => "http://www.w3.org/2007/05/xmldsig-more#sha256-rsa-MGF1",
        Scheme::Rs256 => "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256",
        Scheme::Ed25519 => "http://www.w3.org/2021/04/xmldsig-more#eddsa-ed25519",
    }
}
