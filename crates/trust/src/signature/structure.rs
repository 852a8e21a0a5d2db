//! Our own allow-list: looks at a signature before any cryptography is done.

use super::{Profile, SignatureError};
use crate::certificate::{Certificate, PublicKey};
use crate::xml::Element;

/// XML Signature.
pub(super) const DS: &str = "http://www.w3.org/2000/09/xmldsig#";
/// SAML 2.0 assertions.
pub(super) const SAML: &str = "urn:oasis:names:tc:SAML:2.0:assertion";
/// ETSI TS 102 640-2 evidence.
const REM: &str = "http://uri.etsi.org/02640/v1#";
const EXC_C14N: &str = "http://www.w3.org/2001/10/xml-exc-c14n#";
const ENVELOPED: &str = "http://www.w3.org/2000/09/xmldsig#enveloped-signature";
const C14N_WITH_COMMENTS: &str = "http://www.w3.org/TR/2001/REC-xml-c14n-20010315#WithComments";

/// What a signature says of itself, once it is known to be unambiguous.
pub(super) struct Found<'d, 'a> {
    pub(super) signature: Element<'d, 'a>,
    pub(super) method: &'static Method,
    pub(super) certificate: Certificate,
}

/// One allowed signature method.
pub(super) struct Method {
    pub(super) uri: &'static str,
    pub(super) key: Kind,
    pub(super) hash: Hash,
    eidas: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Pkcs1,
    Pss,
    P256,
    P384,
    P521,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Hash {
    Sha256,
    Sha384,
    Sha512,
}

const fn method(uri: &'static str, key: Kind, hash: Hash, eidas: bool) -> Method {
    Method { uri, key, hash, eidas }
}

/// The allow-list (RFC 9231 names). Each hash goes with the curve of its own strength, no other.
static METHODS: [Method; 9] = [
    method("http://www.w3.org/2001/04/xmldsig-more#rsa-sha256", Kind::Pkcs1, Hash::Sha256, false),
    method("http://www.w3.org/2001/04/xmldsig-more#rsa-sha384", Kind::Pkcs1, Hash::Sha384, false),
    method("http://www.w3.org/2001/04/xmldsig-more#rsa-sha512", Kind::Pkcs1, Hash::Sha512, false),
    method("http://www.w3.org/2007/05/xmldsig-more#sha256-rsa-MGF1", Kind::Pss, Hash::Sha256, true),
    method("http://www.w3.org/2007/05/xmldsig-more#sha384-rsa-MGF1", Kind::Pss, Hash::Sha384, true),
    method("http://www.w3.org/2007/05/xmldsig-more#sha512-rsa-MGF1", Kind::Pss, Hash::Sha512, true),
    method("http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha256", Kind::P256, Hash::Sha256, true),
    method("http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha384", Kind::P384, Hash::Sha384, true),
    method("http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha512", Kind::P521, Hash::Sha512, true),
];

/// SHA-2 digests of at least 256 bits.
static DIGESTS: [&str; 3] = [
    "http://www.w3.org/2001/04/xmlenc#sha256",
    "http://www.w3.org/2001/04/xmldsig-more#sha384",
    "http://www.w3.org/2001/04/xmlenc#sha512",
];

/// How the schema of an element names its identifier, and where its signature stands.
pub(super) struct Place {
    pub(super) id: &'static str,
    pub(super) last: bool,
}

impl Place {
    /// SAML (and all else): `ID`, behind the Issuer. REM evidence: `Id`, as the last child.
    pub(super) fn of(element: Element<'_, '_>) -> Self {
        let rem = element.namespace() == REM;
        Self { id: if rem { "Id" } else { "ID" }, last: rem }
    }
}

/// Checks everything that can be checked without a key.
pub(super) fn inspect<'d, 'a>(
    element: Element<'d, 'a>,
    profile: Profile,
) -> Result<Found<'d, 'a>, SignatureError> {
    if element.parent().is_some() {
        return Err(SignatureError::Ambiguous("the element stands inside another document"));
    }
    if element.has_hidden_nodes() {
        return Err(SignatureError::Forbidden("comment, CDATA section or processing instruction"));
    }
    let place = Place::of(element);
    let id = element.demand_attribute(place.id)?;
    let same_id = element.descendants().any(|inner| {
        ["ID", "Id", "id", "AssertionID"].iter().any(|name| inner.attribute(name) == Some(id))
    });
    if id.is_empty() || same_id {
        return Err(SignatureError::Ambiguous("the ID is not unique"));
    }
    if element.descendants().any(|inner| inner.is(SAML, "Assertion")) {
        return Err(SignatureError::Ambiguous("an assertion inside the assertion"));
    }
    let signature = only_signature(element)?;
    let mut children = element.children();
    let issuer = children.next().is_some_and(|first| first.is(SAML, "Issuer"));
    if element.namespace() == SAML && !(issuer && children.next() == Some(signature)) {
        return Err(SignatureError::Ambiguous("the signature does not follow the Issuer"));
    }
    if place.last && element.children().last() != Some(signature) {
        return Err(SignatureError::Ambiguous("the signature is not the last child"));
    }
    let info = signed_info(signature, &format!("#{id}"), &[EXC_C14N], &[ENVELOPED, EXC_C14N])?;
    let method = METHODS
        .iter()
        .find(|m| Some(m.uri) == info.attribute("Algorithm"))
        .filter(|m| profile == Profile::Ehdsi || m.eidas)
        .ok_or(SignatureError::Forbidden("signature method"))?;
    let certificate = only_certificate(signature)?;
    check_key(&certificate, method, profile)?;
    Ok(Found { signature, method, certificate })
}

/// The same for OpenNCP's audit records.
pub(super) fn inspect_key_value<'d, 'a>(
    element: Element<'d, 'a>,
) -> Result<Element<'d, 'a>, SignatureError> {
    if element.parent().is_some() {
        return Err(SignatureError::Ambiguous("the element stands inside another document"));
    }
    let signature = only_signature(element)?;
    let method = signed_info(signature, "", &[C14N_WITH_COMMENTS], &[ENVELOPED])?;
    if method.attribute("Algorithm") != Some(METHODS[0].uri) {
        return Err(SignatureError::Forbidden("signature method"));
    }
    if names(signature.only_child(DS, "KeyInfo")?) != ["KeyValue"] {
        return Err(SignatureError::Forbidden("key info"));
    }
    Ok(signature)
}

/// The one signature of the element: a direct child, with nothing in it that could carry another.
fn only_signature<'d, 'a>(element: Element<'d, 'a>) -> Result<Element<'d, 'a>, SignatureError> {
    let mut all = element.descendants().filter(|inner| inner.is(DS, "Signature"));
    let signature = all.next().ok_or(SignatureError::Missing)?;
    if all.next().is_some() {
        return Err(SignatureError::Ambiguous("more than one signature"));
    }
    if signature.parent() != Some(element) {
        return Err(SignatureError::Missing);
    }
    if names(signature) != ["SignedInfo", "SignatureValue", "KeyInfo"] {
        return Err(SignatureError::Ambiguous("the signature holds more than it should"));
    }
    if signature.has_hidden_nodes() {
        return Err(SignatureError::Forbidden("comment, CDATA section or processing instruction"));
    }
    Ok(signature)
}

/// Names of the children, in order; a child of another namespace has none.
fn names<'d>(element: Element<'d, '_>) -> Vec<&'d str> {
    element.children().map(|c| if c.namespace() == DS { c.name() } else { "" }).collect()
}

/// Checks SignedInfo and gives the SignatureMethod. Its children, and the Reference's, are exactly
/// those that we know: the engine skips what it does not know, and we must not skip otherwise.
fn signed_info<'d, 'a>(
    signature: Element<'d, 'a>,
    uri: &str,
    canonicalizations: &[&str],
    transforms: &[&str],
) -> Result<Element<'d, 'a>, SignatureError> {
    let info = signature.only_child(DS, "SignedInfo")?;
    let algorithm_of = |e: Element<'d, 'a>| e.attribute("Algorithm").unwrap_or("");
    if names(info) != ["CanonicalizationMethod", "SignatureMethod", "Reference"] {
        return Err(SignatureError::Ambiguous("not exactly one reference"));
    }
    if !canonicalizations.contains(&algorithm_of(info.only_child(DS, "CanonicalizationMethod")?)) {
        return Err(SignatureError::Forbidden("canonicalization"));
    }
    let reference = info.only_child(DS, "Reference")?;
    if reference.attribute("URI") != Some(uri) {
        return Err(SignatureError::Reference);
    }
    if names(reference) != ["Transforms", "DigestMethod", "DigestValue"] {
        return Err(SignatureError::Ambiguous("the reference holds more than it should"));
    }
    let list = reference.only_child(DS, "Transforms")?;
    let found: Vec<&str> = list.children().map(algorithm_of).collect();
    // without the second transform the engine would use inclusive canonicalization
    if found != transforms || names(list).iter().any(|name| *name != "Transform") {
        return Err(SignatureError::Forbidden("transform"));
    }
    if !DIGESTS.contains(&algorithm_of(reference.only_child(DS, "DigestMethod")?)) {
        return Err(SignatureError::Forbidden("digest method"));
    }
    let method = info.only_child(DS, "SignatureMethod")?;
    if method.children().next().is_some() {
        return Err(SignatureError::Forbidden("signature method parameter"));
    }
    Ok(method)
}

fn only_certificate(signature: Element<'_, '_>) -> Result<Certificate, SignatureError> {
    use base64::Engine as _;
    let info = signature.only_child(DS, "KeyInfo")?;
    let mut all = info.descendants().filter(|e| e.is(DS, "X509Certificate"));
    let (Some(one), None) = (all.next(), all.next()) else {
        return Err(SignatureError::Ambiguous("not exactly one certificate"));
    };
    let text: String =
        one.demand_text("X509Certificate")?.chars().filter(|c| !c.is_ascii_whitespace()).collect();
    let der = base64::engine::general_purpose::STANDARD
        .decode(text)
        .map_err(|_| SignatureError::Forbidden("certificate encoding"))?;
    Ok(Certificate::from_der(&der)?)
}

fn check_key(
    certificate: &Certificate,
    method: &Method,
    profile: Profile,
) -> Result<(), SignatureError> {
    let shortest = if profile == Profile::Eidas { 3072 } else { 2048 };
    let fits = match (certificate.key(), method.key) {
        (PublicKey::Rsa(_, bits), Kind::Pkcs1 | Kind::Pss) => *bits >= shortest,
        (PublicKey::P256(_), Kind::P256)
        | (PublicKey::P384(_), Kind::P384)
        | (PublicKey::P521(_), Kind::P521) => true,
        _ => false,
    };
    if fits { Ok(()) } else { Err(SignatureError::Forbidden("key for the signature method")) }
}
