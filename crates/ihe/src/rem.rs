//! ETSI REM evidence (TS 102 640-2), the form in which OpenNCP keeps its NRO and NRR files.
//!
//! What is written validates against `etsirem.xsd`; what is read may have its elements in any order
//! and lack what OpenNCP's own samples lack. The reader's caller gets no patient out of it: a REM
//! document names countries and messages. Still no `Debug`: foreign evidence may name anybody.

mod read;
#[cfg(test)]
mod tests;
mod write;

use std::sync::Arc;

use exchange::Digest;
use jiff::Timestamp;
use trust::certificate::Certificate;
use trust::seal::SealKey;
use trust::signature::{Profile, sign_enveloped, verify_enveloped};
use trust::xml::{Limits, Xml};

use crate::MessageError;

/// TS 102 640-2.
pub const REM: &str = "http://uri.etsi.org/02640/v1#";
/// TS 102 231: electronic addresses in REM evidence.
const TSL: &str = "http://uri.etsi.org/02231/v2#";
const DS: &str = "http://www.w3.org/2000/09/xmldsig#";
const SHA256: &str = "http://www.w3.org/2001/04/xmlenc#sha256";
/// Our extension: which record of which log the evidence rests on.
const OWN: &str = "urn:konfido:evidence:1";

/// Which evidence: what it says cannot be repudiated (ISO 13888).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Non-repudiation of origin: the sender did send.
    Origin,
    /// Non-repudiation of receipt: the recipient did receive.
    Receipt,
    /// Non-repudiation of delivery: it was delivered to the recipient, or expired.
    Delivery,
}

/// A kind's names: in file names, as root element, and its two event codes (yes, no).
struct Row {
    kind: Kind,
    short: &'static str,
    root: &'static str,
    events: [&'static str; 2],
}

static KINDS: [Row; 3] = [
    Row {
        kind: Kind::Origin,
        short: "NRO",
        root: "SubmissionAcceptanceRejection",
        events: ["Acceptance", "Rejection"],
    },
    Row {
        kind: Kind::Receipt,
        short: "NRR",
        root: "AcceptanceRejectionByRecipient",
        events: ["Acceptance", "Rejection"],
    },
    Row {
        kind: Kind::Delivery,
        short: "NRD",
        root: "DeliveryNonDeliveryToRecipient",
        events: ["Delivery", "DeliveryExpiration"],
    },
];

impl Kind {
    /// `NRO`, `NRR` or `NRD`.
    pub fn short(self) -> &'static str {
        self.row().short
    }

    /// Name of the root element.
    pub fn root(self) -> &'static str {
        self.row().root
    }

    fn row(self) -> &'static Row {
        KINDS.iter().find(|row| row.kind == self).expect("because KINDS has one row for each kind")
    }
}

/// What became of the message.
#[derive(Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Accepted, or delivered.
    Accepted,
    /// Rejected, or expired.
    Rejected(Vec<Reason>),
}

/// Why a message was rejected.
#[derive(Clone, PartialEq, Eq)]
pub struct Reason {
    /// The eHDSI code.
    pub code: String,
    /// Words for people, may be empty.
    pub details: String,
}

/// An issuer, sender or recipient. What is unknown is empty.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Party {
    /// Names, such as the country's code.
    pub names: Vec<String>,
    /// Electronic addresses.
    pub addresses: Vec<String>,
    /// Certificate, DER; not looked at here.
    pub certificate: Option<Vec<u8>>,
}

/// How the sender showed who it is.
#[derive(Clone, PartialEq, Eq)]
pub struct Authentication {
    /// When.
    pub time: Timestamp,
    /// URI of the method.
    pub method: String,
}

/// The message that the evidence is about.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Message {
    /// The IHE event: the WS-Addressing action.
    pub subject: String,
    /// `wsa:MessageID`, as the sender's system gave it.
    pub sender_id: Option<String>,
    /// The number that the evidence system gave it.
    pub number: String,
    /// SHA-256 of the message, if it is told.
    pub digest: Option<Digest>,
}

/// Where the double-signed record stands that the evidence rests on (our extension).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Name of the log.
    pub log: String,
    /// Place in it.
    pub index: u64,
    /// SHA-256 of the record (the signed statement).
    pub digest: Digest,
}

/// One REM document.
#[derive(Clone, PartialEq, Eq)]
pub struct Evidence {
    /// Which.
    pub kind: Kind,
    /// What became of the message.
    pub verdict: Verdict,
    /// UUID of the evidence.
    pub id: String,
    /// Policies that the issuer follows: URIs.
    pub policies: Vec<String>,
    /// Who says all this, and signs.
    pub issuer: Party,
    /// When the sender authenticated itself.
    pub authentication: Option<Authentication>,
    /// When it took place.
    pub event_time: Timestamp,
    /// When the message was submitted.
    pub submission_time: Option<Timestamp>,
    /// Who sent the message.
    pub sender: Party,
    /// Who it was sent to; at least one.
    pub recipients: Vec<Party>,
    /// The message.
    pub message: Option<Message>,
    /// The record behind it.
    pub record: Option<Record>,
}

impl Evidence {
    /// Reads REM evidence of at most 256 KiB, without looking at its signature.
    pub fn parse(bytes: &[u8]) -> Result<Self, MessageError> {
        Self::read(Xml::parse_bytes(bytes, &Limits::ASSERTION)?.root())
    }

    /// Writes it and signs it with the issuer's key: enveloped, last child of the root, the issuer's
    /// certificate in the KeyInfo. One line.
    pub fn sign(&self, key: &Arc<SealKey>) -> Result<String, MessageError> {
        Ok(sign_enveloped(&self.render(), &self.xml_id(), key)?)
    }

    /// Reads evidence whose signature holds and is by the issuer that it names. Gives the certificate
    /// too, whose path is still to be checked.
    pub fn verify(bytes: &[u8]) -> Result<(Self, Certificate), MessageError> {
        let xml = Xml::parse_bytes(bytes, &Limits::ASSERTION)?;
        let signed = verify_enveloped(xml.root(), Profile::Ehdsi)?;
        let evidence = Self::read(signed.element())?;
        let certificate = signed.certificate().clone();
        if evidence.issuer.certificate.as_deref() != Some(&certificate.der()[..]) {
            return Err(exchange::Malformed { what: "evidence issuer" }.into());
        }
        Ok((evidence, certificate))
    }

    /// The name of the file, as OpenNCP names it: `{ISO instant}_{NRO|NRR|NRD}_{uuid}_{title}.xml`.
    ///
    /// What does not belong into a file name becomes `-`.
    pub fn file_name(&self, title: &str) -> String {
        let clean = |text: &str| -> String {
            let kept = |c: char| c.is_ascii_alphanumeric() || "-.".contains(c);
            text.chars().map(|c| if kept(c) { c } else { '-' }).collect()
        };
        let (kind, id, title) = (self.kind.short(), clean(&self.id), clean(title));
        format!("{}_{kind}_{id}_{title}.xml", self.event_time)
    }

    /// The `Id` attribute: an XML name made of the UUID.
    fn xml_id(&self) -> String {
        let kept = |c: char| c.is_ascii_alphanumeric() || "-._".contains(c);
        self.id.chars().fold("_".to_owned(), |mut id, c| {
            id.push(if kept(c) { c } else { '_' });
            id
        })
    }
}
