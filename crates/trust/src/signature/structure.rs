//! Our own allow-list: looks at a signature before any cryptography is done.

use aws_lc_rs::digest;

use super::method::{Method, RSA_SHA256};
use super::{Profile, SignatureError, seen};
use crate::certificate::Certificate;
use crate::xml::Element;

/// XML Signature.
pub(super) const DS: &str = "http://www.w3.org/2000/09/xmldsig#";
/// SAML 2.0 assertions.
pub(super) const SAML: &str = "urn:oasis:names:tc:SAML:2.0:assertion";
/// SAML 2.0 protocol.
const SAMLP: &str = "urn:oasis:names:tc:SAML:2.0:protocol";
/// ETSI TS 102 640-2 evidence.
const REM: &str = "http://uri.etsi.org/02640/v1#";
const EXC_C14N: &str = "http://www.w3.org/2001/10/xml-exc-c14n#";
const ENVELOPED: &str = "http://www.w3.org/2000/09/xmldsig#enveloped-signature";
const C14N_WITH_COMMENTS: &str = "http://www.w3.org/TR/2001/REC-xml-c14n-20010315#WithComments";

/// What a signature says of itself, once it is known to be unambiguous.
pub(super) struct Found<'d, 'a> {
    pub(super) signature: Element<'d, 'a>,
    pub(super) signature_value: Vec<u8>,
    pub(super) method: &'static Method,
    pub(super) certificate: Certificate,
    /// The SignedInfo, and the InclusiveNamespaces of its canonicalization.
    pub(super) info: Element<'d, 'a>,
    pub(super) info_prefixes: Vec<&'d str>,
    /// Digest of the one reference, and the InclusiveNamespaces of its canonicalization.
    pub(super) digest: &'static digest::Algorithm,
    pub(super) digest_value: Vec<u8>,
    pub(super) reference_prefixes: Vec<&'d str>,
}

/// SHA-2 digests of at least 256 bits.
static DIGESTS: [(&str, &digest::Algorithm); 3] = [
    ("http://www.w3.org/2001/04/xmlenc#sha256", &digest::SHA256),
    ("http://www.w3.org/2001/04/xmldsig-more#sha384", &digest::SHA384),
    ("http://www.w3.org/2001/04/xmlenc#sha512", &digest::SHA512),
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

/// What a walk through an element meets; one walk, since most of the time goes into walking.
struct Within<'d, 'a> {
    signatures: Vec<Element<'d, 'a>>,
    assertions: Vec<Element<'d, 'a>>,
    /// Every value of an attribute that some schema calls an identifier.
    ids: Vec<&'d str>,
    /// A comment, a CDATA section or a processing instruction stands inside.
    hidden: bool,
}

impl<'d, 'a> Within<'d, 'a> {
    fn of(element: Element<'d, 'a>) -> Self {
        let mut within =
            Self { signatures: Vec::new(), assertions: Vec::new(), ids: Vec::new(), hidden: false };
        within.ids.extend(element.attributes_called(&IDS));
        within.hidden = !element.walk(|inner| {
            match inner.name() {
                "Signature" if inner.namespace() == DS => within.signatures.push(inner),
                "Assertion" if inner.namespace() == SAML => within.assertions.push(inner),
                _ => {}
            }
            within.ids.extend(inner.attributes_called(&IDS));
        });
        within
    }

    /// Whether two elements, or two attributes of one, share an identifier.
    fn ambiguous(&mut self) -> bool {
        self.ids.sort_unstable();
        self.ids.windows(2).any(|pair| pair[0] == pair[1])
    }
}

/// Local names of identifiers, in whatever namespace (`xml:id` among them).
const IDS: [&str; 4] = ["ID", "Id", "id", "AssertionID"];

/// Checks everything that can be checked without a key.
pub(super) fn inspect<'d, 'a>(
    element: Element<'d, 'a>,
    profile: Profile,
) -> Result<Found<'d, 'a>, SignatureError> {
    if element.parent().is_some() {
        return Err(SignatureError::Ambiguous("the element stands inside another document"));
    }
    let mut within = Within::of(element);
    if within.hidden {
        return Err(SignatureError::Forbidden("comment, CDATA section or processing instruction"));
    }
    let place = Place::of(element);
    let id = element.demand_attribute(place.id)?;
    if id.is_empty() || within.ambiguous() {
        return Err(SignatureError::Ambiguous("the ID is not unique"));
    }
    // a signed Response may hold one, as its child
    let allowed =
        |inner: &Element<'d, 'a>| element.is(SAMLP, "Response") && inner.parent() == Some(element);
    if within.assertions.len() > 1 || !within.assertions.iter().all(allowed) {
        return Err(SignatureError::Ambiguous("an assertion inside the assertion"));
    }
    let signature = only_signature(element, &within.signatures)?;
    let mut children = element.children();
    let issuer = children.next().is_some_and(|first| first.is(SAML, "Issuer"));
    if element.namespace() == SAML && !(issuer && children.next() == Some(signature)) {
        return Err(SignatureError::Ambiguous("the signature does not follow the Issuer"));
    }
    if place.last && element.children().last() != Some(signature) {
        return Err(SignatureError::Ambiguous("the signature is not the last child"));
    }
    // "#xpointer(/)" would be the name of something else (XML Signature 1.1 §4.4.3.2)
    if id.contains('(') {
        return Err(SignatureError::Reference);
    }
    let said = signed_info(signature, &format!("#{id}"), &[EXC_C14N], &[ENVELOPED, EXC_C14N])?;
    let method = Method::of(algorithm_of(said.method), profile)?;
    let certificate = only_certificate(signature)?;
    if !method.fits(&certificate, profile) {
        return Err(SignatureError::Forbidden("key for the signature method"));
    }
    Ok(Found {
        signature,
        signature_value: only_base64(signature.only_child(DS, "SignatureValue")?)?,
        method,
        certificate,
        info: said.info,
        info_prefixes: inclusive_prefixes(said.canonicalization)?,
        digest: said.digest,
        digest_value: said.digest_value,
        reference_prefixes: said
            .transforms
            .last()
            .map_or(Ok(Vec::new()), |t| inclusive_prefixes(*t))?,
    })
}

/// The same for OpenNCP's audit records.
pub(super) fn inspect_key_value<'d, 'a>(
    element: Element<'d, 'a>,
) -> Result<Element<'d, 'a>, SignatureError> {
    if element.parent().is_some() {
        return Err(SignatureError::Ambiguous("the element stands inside another document"));
    }
    let signature = only_signature(element, &Within::of(element).signatures)?;
    let said = signed_info(signature, "", &[C14N_WITH_COMMENTS], &[ENVELOPED])?;
    if algorithm_of(said.method) != RSA_SHA256 {
        return Err(SignatureError::Forbidden("signature method"));
    }
    if names(signature.only_child(DS, "KeyInfo")?) != ["KeyValue"] {
        return Err(SignatureError::Forbidden("key info"));
    }
    Ok(signature)
}

/// The one signature of the element: a direct child, with nothing in it that could carry another.
fn only_signature<'d, 'a>(
    element: Element<'d, 'a>,
    all: &[Element<'d, 'a>],
) -> Result<Element<'d, 'a>, SignatureError> {
    let signature = match all {
        [] => return Err(SignatureError::Missing),
        [one] => *one,
        _ => return Err(SignatureError::Ambiguous("more than one signature")),
    };
    if signature.parent() != Some(element) {
        return Err(SignatureError::Missing);
    }
    if names(signature) != ["SignedInfo", "SignatureValue", "KeyInfo"] {
        return Err(SignatureError::Ambiguous("the signature holds more than it should"));
    }
    if signature.has_hidden_nodes() {
        return Err(SignatureError::Forbidden("comment, CDATA section or processing instruction"));
    }
    only_base64(signature.only_child(DS, "SignatureValue")?)?;
    Ok(signature)
}

/// Base64 and white space, and nothing in it: libxmlsec refuses other letters, some skip them.
fn only_base64(element: Element<'_, '_>) -> Result<Vec<u8>, SignatureError> {
    let text = element.plain_text().ok_or(SignatureError::Ambiguous("a value holds an element"))?;
    let known = |b: u8| b.is_ascii_alphanumeric() || b"+/= \t\r\n".contains(&b);
    if !text.bytes().all(known) {
        return Err(SignatureError::Forbidden("letter in base64"));
    }
    element.binary().ok_or(SignatureError::Invalid)
}

const MOST_PREFIXES: usize = 32;

/// The `PrefixList` of an exclusive canonicalization, in which nothing else may stand.
fn inclusive_prefixes<'d>(method: Element<'d, '_>) -> Result<Vec<&'d str>, SignatureError> {
    let mut inside = method.children();
    let (first, None) = (inside.next(), inside.next()) else {
        return Err(SignatureError::Forbidden("canonicalization parameter"));
    };
    let Some(list) = first else { return Ok(Vec::new()) };
    if !list.is(EXC_C14N, "InclusiveNamespaces") || list.children().next().is_some() {
        return Err(SignatureError::Forbidden("canonicalization parameter"));
    }
    let prefixes: Vec<_> = list.demand_attribute("PrefixList")?.split_ascii_whitespace().collect();
    // each element is looked at for each of them
    let short = prefixes.len() <= MOST_PREFIXES;
    short.then_some(prefixes).ok_or(SignatureError::Forbidden("canonicalization parameter"))
}

/// Names of the children, in order; a child of another namespace has none.
fn names<'d>(element: Element<'d, '_>) -> Vec<&'d str> {
    element.children().map(|c| if c.namespace() == DS { c.name() } else { "" }).collect()
}

/// A SignedInfo of the one form that we know.
struct Said<'d, 'a> {
    info: Element<'d, 'a>,
    canonicalization: Element<'d, 'a>,
    method: Element<'d, 'a>,
    transforms: Vec<Element<'d, 'a>>,
    digest: &'static digest::Algorithm,
    digest_value: Vec<u8>,
}

fn algorithm_of<'d>(element: Element<'d, '_>) -> &'d str {
    element.attribute("Algorithm").unwrap_or("")
}

/// Checks SignedInfo. Its children, and the Reference's, are exactly those that we know: whoever skips
/// what he does not know reads something else than who does not.
fn signed_info<'d, 'a>(
    signature: Element<'d, 'a>,
    uri: &str,
    canonicalizations: &[&str],
    transforms: &[&str],
) -> Result<Said<'d, 'a>, SignatureError> {
    let info = signature.only_child(DS, "SignedInfo")?;
    if names(info) != ["CanonicalizationMethod", "SignatureMethod", "Reference"] {
        return Err(SignatureError::Ambiguous("not exactly one reference"));
    }
    let canonicalization = info.only_child(DS, "CanonicalizationMethod")?;
    if !canonicalizations.contains(&algorithm_of(canonicalization)) {
        return Err(SignatureError::Forbidden("canonicalization"));
    }
    let reference = info.only_child(DS, "Reference")?;
    if reference.attribute("URI") != Some(uri) {
        return Err(SignatureError::Reference);
    }
    if names(reference) != ["Transforms", "DigestMethod", "DigestValue"] {
        return Err(SignatureError::Ambiguous("the reference holds more than it should"));
    }
    let digest_value = only_base64(reference.only_child(DS, "DigestValue")?)?;
    let list = reference.only_child(DS, "Transforms")?;
    let found: Vec<_> = list.children().collect();
    // without the second transform inclusive canonicalization would be meant
    if !found.iter().map(|t| algorithm_of(*t)).eq(transforms.iter().copied())
        || names(list).iter().any(|name| *name != "Transform")
    {
        return Err(SignatureError::Forbidden("transform"));
    }
    let digest = algorithm_of(reference.only_child(DS, "DigestMethod")?);
    let (_, digest) = DIGESTS
        .iter()
        .find(|(known, _)| *known == digest)
        .ok_or(SignatureError::Forbidden("digest method"))?;
    let method = info.only_child(DS, "SignatureMethod")?;
    if method.children().next().is_some() {
        return Err(SignatureError::Forbidden("signature method parameter"));
    }
    Ok(Said { info, canonicalization, method, transforms: found, digest, digest_value })
}

fn only_certificate(signature: Element<'_, '_>) -> Result<Certificate, SignatureError> {
    let info = signature.only_child(DS, "KeyInfo")?;
    let mut all = info.descendants().filter(|e| e.is(DS, "X509Certificate"));
    let (Some(one), None) = (all.next(), all.next()) else {
        return Err(SignatureError::Ambiguous("not exactly one certificate"));
    };
    let text = one.demand_text("X509Certificate")?;
    if let Some(known) = seen::find(text) {
        return Ok(known);
    }
    let der = one.binary().ok_or(SignatureError::Forbidden("certificate encoding"))?;
    let certificate = Certificate::from_der(&der)?;
    seen::keep(text, &certificate);
    Ok(certificate)
}
