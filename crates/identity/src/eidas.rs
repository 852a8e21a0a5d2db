//! eIDAS SAML 2.0: who a person is, said by the eID of their own country (eIDAS SAML Message Format
//! and Attribute Profile 1.2; what the reference node enforces is in identity.md §3).
//!
//! What this is: messages as types, signed and verified. What it is not: no browser, no socket, no
//! session; the caller keeps what was asked and hands it in as an [`response::Expectation`].
//!
//! Start reading at [`request`], then [`response`]; each has one table of rules.

pub mod attributes;
mod authentic;
pub mod binding;
pub mod light;
pub mod metadata;
pub mod person;
pub mod request;
pub mod response;

/// SAML 2.0 protocol.
pub(crate) const SAMLP: &str = "urn:oasis:names:tc:SAML:2.0:protocol";
/// eIDAS extensions of requests and metadata.
pub(crate) const EIDAS: &str = "http://eidas.europa.eu/saml-extensions";
/// Longest message that the reference node takes, in bytes.
pub const MAX_MESSAGE: usize = 131_072;

/// Why a message of an eIDAS peer is refused. Usually the peer's fault, or an attack.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EidasError {
    /// The XML is not what it should be.
    #[error(transparent)]
    Xml(#[from] trust::xml::XmlError),
    /// The signature is not believed.
    #[error(transparent)]
    Signature(#[from] trust::signature::SignatureError),
    /// The encrypted part does not open.
    #[error(transparent)]
    Undecipherable(#[from] trust::encryption::Undecipherable),
    /// Signed by a key that the peer's metadata does not name.
    #[error("signed by a key that is not in the peer's metadata")]
    Signer,
    /// Signed by a key of the peer whose certificate is not valid now.
    #[error("signed by a key whose certificate is not valid now")]
    Expired,
    /// A rule does not hold; the text is its name in the table.
    #[error("rule {0} does not hold")]
    Rule(&'static str),
    /// A value that cannot be read.
    #[error("malformed {0}")]
    Malformed(&'static str),
    /// The request was answered before, or the assertion was used before.
    #[error("answer was used before")]
    Replayed,
    /// The other side could not identify the person; its status code.
    #[error("not identified: {0}")]
    NotIdentified(String),
}
