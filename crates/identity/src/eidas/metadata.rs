//! Signed metadata: who an eIDAS peer is, its keys, endpoints and levels (SAML Metadata 2.0, eIDAS
//! Interoperability Architecture 1.2 §6).

mod book;
mod render;
mod rules;

use exchange::Country;
use jiff::Timestamp;
use trust::certificate::Certificate;
use trust::xml::{Element, Limits, Xml};

use super::authentic::Authentic;
use super::request::SpType;
use super::{EIDAS, EidasError, MAX_MESSAGE, SAMLP};
use crate::Assurance;
use crate::assertion::SAML;

pub use book::{Book, Fetch, MAX_PEERS, Peer, Unknown, Unreachable};
pub use render::Contact;
pub use rules::{RULES, Rule};

/// Longest metadata, in bytes: a country's node with its certificates takes a tenth.
pub const MAX_METADATA: usize = 4 * MAX_MESSAGE;
/// SAML metadata.
pub(super) const MD: &str = "urn:oasis:names:tc:SAML:2.0:metadata";
/// Entity attributes.
pub(super) const MDATTR: &str = "urn:oasis:names:tc:SAML:metadata:attribute";
/// Algorithm support.
pub(super) const ALG: &str = "urn:oasis:names:tc:SAML:metadata:algsupport";
/// Name of the attribute that says up to which level a proxy service is certified.
pub(super) const CERTIFIED: &str = "urn:oasis:names:tc:SAML:attribute:assurance-certification";
/// Name of the attribute that says which versions of the profile are spoken.
pub(super) const VERSION: &str = "http://eidas.europa.eu/entity-attributes/protocol-version";

/// How a message gets there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Binding {
    /// A form that the browser posts.
    Post,
    /// A signed query string.
    Redirect,
}

impl Binding {
    /// The URI.
    pub fn uri(self) -> &'static str {
        match self {
            Self::Post => "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST",
            Self::Redirect => "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect",
        }
    }

    fn of(uri: &str) -> Option<Self> {
        [Self::Post, Self::Redirect].into_iter().find(|binding| binding.uri() == uri)
    }
}

/// Which end of the border.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Asks for its services (`SPSSODescriptor`).
    Connector,
    /// Identifies its citizens (`IDPSSODescriptor`).
    ProxyService,
}

/// A peer, or ourselves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Metadata {
    /// Its URL, which is its name.
    pub entity: String,
    /// Which end.
    pub role: Role,
    /// Believed until then.
    pub valid_until: Timestamp,
    /// Whose node.
    pub country: Option<Country>,
    /// The highest level of its citizens' eID (proxy service).
    pub certified: Option<Assurance>,
    /// Versions of the profile.
    pub versions: Vec<String>,
    /// Sector, where it stands here and not in the request (connector).
    pub sector: Option<SpType>,
    /// A private asker must say who it is (proxy service).
    pub requester_needed: bool,
    /// Requests must be signed, assertions are wanted signed.
    pub wants_signed: bool,
    /// Certificates that its messages verify with.
    pub signing: Vec<Certificate>,
    /// Certificates to seal for it.
    pub encryption: Vec<Certificate>,
    /// Where it takes requests (proxy service) or answers (connector).
    pub endpoints: Vec<(Binding, String)>,
    /// Signature methods with their least key sizes, in bits.
    pub methods: Vec<(String, usize)>,
    /// URIs of the attributes that it can give.
    pub attributes: Vec<String>,
}

/// What we hold fetched metadata against.
#[derive(Debug, Clone, Copy)]
pub struct Known<'a> {
    /// The URL that it was fetched from.
    pub url: &'a str,
    /// Which end we look for.
    pub role: Role,
    /// Whose node it must be.
    pub country: Country,
    /// Certificates that metadata of that country is signed with (from the metadata service list, or
    /// handed over by its single point of contact).
    pub signers: &'a [Certificate],
    /// Now.
    pub now: Timestamp,
}

impl Metadata {
    /// Verifies fetched metadata: signature, then every rule.
    pub fn verify(text: &str, known: &Known<'_>) -> Result<Self, EidasError> {
        let xml = Xml::parse(text, &Limits { bytes: MAX_METADATA, ..Limits::ASSERTION })?;
        let signed = Authentic::enveloped(&xml, known.signers, known.now)?;
        let metadata = Self::read(signed.element(), known.role)?;
        match RULES.iter().find(|rule| !rule.holds(&metadata, known)) {
            Some(rule) => Err(EidasError::Rule(rule.name)),
            None => Ok(metadata),
        }
    }

    /// The first endpoint with this binding.
    pub fn endpoint(&self, binding: Binding) -> Option<&str> {
        self.endpoints.iter().find(|(has, _)| *has == binding).map(|(_, url)| url.as_str())
    }

    fn read(root: Element<'_, '_>, role: Role) -> Result<Self, EidasError> {
        if !root.is(MD, "EntityDescriptor") {
            return Err(EidasError::Malformed("metadata"));
        }
        let until = root.demand_attribute("validUntil")?;
        let name = if role == Role::Connector { "SPSSODescriptor" } else { "IDPSSODescriptor" };
        let descriptor = root.only_child(MD, name)?;
        let spoken = descriptor.demand_attribute("protocolSupportEnumeration")?;
        if !spoken.split(' ').any(|protocol| protocol == SAMLP) {
            return Err(EidasError::Malformed("metadata: protocol"));
        }
        let extensions = root.child(MD, "Extensions");
        // the node's country and sector stand in the descriptor's extensions or in the entity's
        let inner = descriptor.child(MD, "Extensions");
        let extension = |name: &'static str| {
            let found =
                [inner, extensions].into_iter().flatten().find_map(|e| e.child(EIDAS, name));
            found.map(|e| e.demand_text(name)).transpose()
        };
        let country = extension("NodeCountry")?.map(Country::parse).transpose();
        let entity_attribute = |name: &str| entity_attribute(extensions, name);
        let certified = entity_attribute(CERTIFIED);
        let wants = ["WantAuthnRequestsSigned", "WantAssertionsSigned"];
        Ok(Self {
            entity: root.demand_attribute("entityID")?.to_owned(),
            role,
            valid_until: until.parse().map_err(|_| EidasError::Malformed("validUntil"))?,
            country: country.map_err(|_| EidasError::Malformed("node country"))?,
            certified: certified.iter().filter_map(|level| Assurance::of_uri(level)).max(),
            versions: entity_attribute(VERSION),
            sector: extension("SPType")?.and_then(SpType::of),
            requester_needed: !entity_attribute(REQUESTER).is_empty(),
            wants_signed: wants.iter().any(|name| descriptor.attribute(name) == Some("true")),
            signing: certificates(descriptor, "signing")?,
            encryption: certificates(descriptor, "encryption")?,
            endpoints: endpoints(descriptor, role),
            methods: extensions.map(methods).transpose()?.unwrap_or_default(),
            attributes: descriptor
                .children_named(SAML, "Attribute")
                .filter_map(|a| a.attribute("Name").map(str::to_owned))
                .collect(),
        })
    }
}

fn entity_attribute(extensions: Option<Element<'_, '_>>, name: &str) -> Vec<String> {
    extensions
        .and_then(|e| e.child(MDATTR, "EntityAttributes"))
        .into_iter()
        .flat_map(|all| all.children_named(SAML, "Attribute"))
        .filter(|attribute| attribute.attribute("Name") == Some(name))
        .flat_map(|attribute| attribute.children_named(SAML, "AttributeValue"))
        .filter_map(|value| value.demand_text("AttributeValue").ok().map(str::to_owned))
        .collect()
}

/// Certificates for a use; a descriptor without `use` is for both.
fn certificates(descriptor: Element<'_, '_>, wanted: &str) -> Result<Vec<Certificate>, EidasError> {
    use base64::Engine as _;
    const DS: &str = "http://www.w3.org/2000/09/xmldsig#";
    let mut found = Vec::new();
    for key in descriptor.children_named(MD, "KeyDescriptor") {
        if key.attribute("use").is_some_and(|usage| usage != wanted) {
            continue;
        }
        for one in key.descendants().filter(|e| e.is(DS, "X509Certificate")) {
            let text = one.demand_text("X509Certificate")?;
            let text: String = text.chars().filter(|c| !c.is_ascii_whitespace()).collect();
            let der = base64::engine::general_purpose::STANDARD.decode(text);
            let der = der.map_err(|_| EidasError::Malformed("certificate"))?;
            let certificate = Certificate::from_der(&der);
            found.push(certificate.map_err(|_| EidasError::Malformed("certificate"))?);
        }
    }
    Ok(found)
}

fn endpoints(descriptor: Element<'_, '_>, role: Role) -> Vec<(Binding, String)> {
    let name =
        if role == Role::Connector { "AssertionConsumerService" } else { "SingleSignOnService" };
    let all = descriptor.children_named(MD, name);
    all.filter_map(|e| {
        Some((Binding::of(e.attribute("Binding")?)?, e.attribute("Location")?.to_owned()))
    })
    .collect()
}

fn methods(extensions: Element<'_, '_>) -> Result<Vec<(String, usize)>, EidasError> {
    let all = extensions.children_named(ALG, "SigningMethod").map(|method| {
        let least = method.attribute("MinKeySize").unwrap_or("0").parse();
        let least = least.map_err(|_| EidasError::Malformed("MinKeySize"))?;
        Ok((method.demand_attribute("Algorithm")?.to_owned(), least))
    });
    all.collect()
}

/// Entity attribute of a proxy service that wants to know private askers.
pub(super) const REQUESTER: &str = "http://macedir.org/entity-category/http://eidas.europa.eu/entity-attributes/termsofaccess/requesterid";
