//! SOAP envelope, XCPD, XCA, XDR, ATNA audit messages, ETSI REM evidence: bytes <-> types.
//!
//! What this is: the words of IHE and eHDSI, read tolerantly and written strictly (what we write
//! validates against OpenNCP's XSDs). What it is not: it decides nothing and opens no socket.
//!
//! Start reading at [`soap`] and [`mtom`] (the envelope), then [`xcpd`], [`xca`], [`xdr`] (the four
//! transactions) and [`answer`] (how a refusal looks in each of them).

pub mod answer;
pub mod atna;
pub mod detach;
mod ebrim;
pub mod mtom;
pub mod rem;
pub mod soap;
pub mod syslog;
pub mod trust_exchange;
pub mod xca;
pub mod xcpd;
pub mod xdr;

/// Why a message is not the one that its standard describes. Usually the sender's fault.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MessageError {
    /// Not XML, or a demanded element is missing.
    #[error(transparent)]
    Xml(#[from] trust::xml::XmlError),
    /// The signature around it does not hold, or could not be made.
    #[error(transparent)]
    Signature(#[from] trust::signature::SignatureError),
    /// A value is not of its form.
    #[error(transparent)]
    Malformed(#[from] exchange::Malformed),
    /// Not a SOAP 1.2 envelope.
    #[error("not a soap 1.2 envelope")]
    NotSoap12,
    /// The message is another than expected.
    #[error("unexpected message element")]
    Unexpected,
    /// The MIME package around the message is broken.
    #[error("mime package is broken: {0}")]
    Mime(&'static str),
    /// A document is neither inline base64 nor a part of the package.
    #[error("document content is broken: {0}")]
    Content(&'static str),
}

/// HL7 v3 and ebXML time stamps: `yyyyMMddHHmmss`, UTC.
pub(crate) fn compact_time(at: jiff::Timestamp) -> String {
    at.strftime("%Y%m%d%H%M%S").to_string()
}

/// A random version 4 UUID from the given entropy.
pub fn uuid(entropy: &dyn exchange::Entropy) -> String {
    exchange::CorrelationId::random(entropy).to_string()
}

#[cfg(test)]
#[path = "../../testbed/samples.rs"]
mod samples;
