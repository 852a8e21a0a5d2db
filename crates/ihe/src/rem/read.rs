//! Reading REM evidence: our own, and OpenNCP's, whose samples are not valid against its schema.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use exchange::{Digest, Malformed};
use jiff::Timestamp;
use trust::xml::{Element, XmlError};

use super::{
    Authentication, DS, Evidence, KINDS, Message, OWN, Party, REM, Reason, Record, SHA256, TSL,
    Verdict,
};
use crate::MessageError;

impl Evidence {
    /// Reads the root element of REM evidence, without looking at its signature.
    pub fn read(root: Element<'_, '_>) -> Result<Self, MessageError> {
        let row = KINDS.iter().find(|row| root.is(REM, row.root));
        let row = row.ok_or(MessageError::Unexpected)?;
        let party = |name| Party::read(root.only_child(REM, name)?);
        let recipients = root.only_child(REM, "RecipientsDetails")?;
        let recipients: Vec<Party> = recipients
            .children_named(REM, "EntityDetails")
            .map(Party::read)
            .collect::<Result<_, _>>()?;
        if recipients.is_empty() {
            return Err(XmlError::Element { name: "EntityDetails", problem: "missing" }.into());
        }
        let policies = optional(root, "EvidenceIssuerPolicyID")?;
        Ok(Self {
            kind: row.kind,
            verdict: verdict(root, row.events)?,
            id: only_text(root, "EvidenceIdentifier")?.to_owned(),
            policies: policies.map_or_else(|| Ok(Vec::new()), |p| texts(p, REM, "PolicyID"))?,
            issuer: party("EvidenceIssuerDetails")?,
            authentication: authentication(root)?,
            event_time: time(only_text(root, "EventTime")?)?,
            submission_time: text(root, REM, "SubmissionTime").map(time).transpose()?,
            sender: party("SenderDetails")?,
            recipients,
            message: optional(root, "SenderMessageDetails")?.map(Message::read).transpose()?,
            record: record(root)?,
        })
    }
}

/// OpenNCP writes `Acceptance`, TS 102 640-2 `http:uri.etsi.org/REM/Event#Acceptance`.
fn verdict(root: Element<'_, '_>, [yes, no]: [&str; 2]) -> Result<Verdict, MessageError> {
    let code = only_text(root, "EventCode")?;
    let word = code.rsplit('#').next().unwrap_or(code);
    if word == yes {
        return Ok(Verdict::Accepted);
    }
    if word != no {
        return Err(Malformed { what: "event code" }.into());
    }
    let reasons = optional(root, "EventReasons")?.into_iter();
    let reasons = reasons.flat_map(|all| all.children_named(REM, "EventReason"));
    let read = |reason: Element<'_, '_>| {
        Ok(Reason {
            code: only_text(reason, "Code")?.to_owned(),
            details: text(reason, REM, "Details").unwrap_or("").to_owned(),
        })
    };
    Ok(Verdict::Rejected(reasons.map(read).collect::<Result<_, MessageError>>()?))
}

fn authentication(root: Element<'_, '_>) -> Result<Option<Authentication>, MessageError> {
    let Some(details) = optional(root, "SenderAuthenticationDetails")? else { return Ok(None) };
    Ok(Some(Authentication {
        time: time(only_text(details, "AuthenticationTime")?)?,
        method: only_text(details, "AuthenticationMethod")?.to_owned(),
    }))
}

impl Party {
    fn read(element: Element<'_, '_>) -> Result<Self, MessageError> {
        let names = element.path(REM, &["NamesPostalAddresses", "NamePostalAddress", "EntityName"]);
        let address = element.child(TSL, "ElectronicAddress");
        let certificate = element.path(REM, &["CertificateDetails", "X509Certificate"]);
        Ok(Self {
            names: names.map_or_else(|| Ok(Vec::new()), |of| texts(of, REM, "Name"))?,
            addresses: address.map_or_else(|| Ok(Vec::new()), |of| texts(of, TSL, "URI"))?,
            certificate: certificate
                .map(|der| base64(der.demand_text("X509Certificate")?, "certificate"))
                .transpose()?,
        })
    }
}

impl Message {
    fn read(element: Element<'_, '_>) -> Result<Self, MessageError> {
        let method = element.child(DS, "DigestMethod").and_then(|m| m.attribute("Algorithm"));
        let digest = match text(element, DS, "DigestValue") {
            None => None,
            Some(_) if method != Some(SHA256) => {
                return Err(Malformed { what: "digest method" }.into());
            }
            Some(value) => {
                let bytes = base64(value, "digest")?.try_into();
                Some(Digest(bytes.map_err(|_| Malformed { what: "digest" })?))
            }
        };
        let words = |name| text(element, REM, name).map(str::to_owned);
        Ok(Self {
            subject: words("MessageSubject").unwrap_or_default(),
            sender_id: words("UAMessageIdentifier"),
            number: words("MessageIdentifierByREMMD").unwrap_or_default(),
            digest,
        })
    }
}

/// Our extension; any other is passed over.
fn record(root: Element<'_, '_>) -> Result<Option<Record>, MessageError> {
    let extensions = optional(root, "Extensions")?.into_iter();
    let mut all = extensions.flat_map(|list| list.children_named(REM, "Extension"));
    let Some(ours) = all.find_map(|e| e.child(OWN, "LedgerRecord")) else {
        return Ok(None);
    };
    let malformed = Malformed { what: "ledger record" };
    Ok(Some(Record {
        log: ours.demand_attribute("log")?.to_owned(),
        index: ours.demand_attribute("index")?.parse().map_err(|_| malformed.clone())?,
        digest: hex(ours.demand_attribute("sha256")?).ok_or(malformed)?,
    }))
}

fn hex(text: &str) -> Option<Digest> {
    let mut bytes = [0; 32];
    if text.len() != 64 || !text.bytes().all(|b| b.is_ascii_hexdigit()) {
        return None;
    }
    for (at, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(text.get(2 * at..2 * at + 2)?, 16).ok()?;
    }
    Some(Digest(bytes))
}

fn base64(text: &str, what: &'static str) -> Result<Vec<u8>, MessageError> {
    let compact: String = text.chars().filter(|c| !c.is_ascii_whitespace()).collect();
    Ok(STANDARD.decode(compact).map_err(|_| Malformed { what })?)
}

fn time(text: &str) -> Result<Timestamp, MessageError> {
    Ok(text.parse().map_err(|_| Malformed { what: "time" })?)
}

/// A child that may be missing, but not repeated.
fn optional<'d, 'a>(
    of: Element<'d, 'a>,
    name: &'static str,
) -> Result<Option<Element<'d, 'a>>, XmlError> {
    of.child(REM, name).map(|_| of.only_child(REM, name)).transpose()
}

/// The text of the one child with this name.
fn only_text<'d>(of: Element<'d, '_>, name: &'static str) -> Result<&'d str, MessageError> {
    Ok(of.only_child(REM, name)?.demand_text(name)?)
}

/// The text of a child that may be missing. One with a comment in it counts as missing, as does an
/// empty one: OpenNCP's sample has a note to its author where an identifier should be.
fn text<'d>(of: Element<'d, '_>, namespace: &str, name: &str) -> Option<&'d str> {
    let text = of.child(namespace, name)?.plain_text()?.trim();
    (!text.is_empty()).then_some(text)
}

fn texts(
    of: Element<'_, '_>,
    namespace: &str,
    name: &'static str,
) -> Result<Vec<String>, MessageError> {
    let all = of.children_named(namespace, name);
    Ok(all.map(|e| e.demand_text(name).map(str::to_owned)).collect::<Result<_, _>>()?)
}
