//! What the issuer signed: the mobile security object, and the elements by their digests
//! (ISO/IEC 18013-5 §9.1.2).

use std::collections::HashSet;

use ciborium::Value;
use jiff::Timestamp;

use super::Document;
use super::cbor::{encoded, int_member, read, read_tag_24, text_member};
use crate::wallet::Refused;
use crate::wallet::jose::{PublicKey, sha256};
use crate::wallet::sd_jwt::SKEW;
use crate::wallet::status::Reference;

/// Elements that the issuer vouches for. Made by [`Document::issued_by`] only. Personal.
pub struct Credential {
    security: Value,
    doc_type: String,
    valid: (Timestamp, Timestamp, Timestamp),
    holder: PublicKey,
    elements: Vec<(String, String, Value)>,
}

impl Credential {
    /// Of a document whose issuer's signature holds.
    pub(super) fn read(document: &Document) -> Result<Self, Refused> {
        let payload = document.issuer_auth.payload.as_deref().and_then(read);
        let security = payload.as_ref().and_then(read_tag_24).ok_or(Refused::MdocForm)?;
        let text = |name| text_member(&security, name).and_then(Value::as_text);
        if text("version") != Some("1.0") {
            return Err(Refused::MdocForm);
        }
        if text("digestAlgorithm") != Some("SHA-256") {
            return Err(Refused::MdocAlgorithm);
        }
        let doc_type = text("docType").ok_or(Refused::MdocForm)?.to_owned();
        // §9.3.1: else a document could be passed off as another
        if doc_type != document.doc_type {
            return Err(Refused::Type);
        }
        let key = text_member(&security, "deviceKeyInfo")
            .and_then(|info| text_member(info, "deviceKey"))
            .and_then(cose_key);
        Ok(Self {
            doc_type,
            valid: validity(&security).ok_or(Refused::MdocForm)?,
            holder: key.ok_or(Refused::HolderKey)?,
            elements: elements(document, &security)?,
            security,
        })
    }

    /// An element; one that was not disclosed is not there.
    pub fn element(&self, name_space: &str, name: &str) -> Option<&Value> {
        let mut all = self.elements.iter();
        all.find(|(space, of, _)| space == name_space && of == name).map(|(_, _, value)| value)
    }

    /// How many elements were disclosed.
    pub fn len(&self) -> usize {
        self.elements.len()
    }

    /// Whether none was.
    pub fn is_empty(&self) -> bool {
        self.elements.is_empty()
    }

    /// `deviceKey`.
    pub fn holder(&self) -> &PublicKey {
        &self.holder
    }

    /// `signed`, `validFrom` and `validUntil`.
    pub fn validity(&self) -> (Timestamp, Timestamp, Timestamp) {
        self.valid
    }

    /// Checks document type and validity.
    pub fn is_current(&self, doc_type: &str, now: Timestamp) -> Result<(), Refused> {
        let (signed, from, until) = self.valid;
        let rows = [
            (self.doc_type == doc_type, Refused::Type),
            (from <= now + SKEW, Refused::NotYetValid),
            (now - SKEW < until, Refused::Expired),
            (signed <= now + SKEW, Refused::IssuedLater),
        ];
        rows.into_iter().find(|(holds, _)| !holds).map_or(Ok(()), |(_, refused)| Err(refused))
    }

    /// `status` of the security object (ISO/IEC 18013-5 second edition); a mechanism that we do not
    /// know cannot be checked.
    pub fn status(&self) -> Result<Option<Reference>, Refused> {
        let Some(status) = text_member(&self.security, "status") else { return Ok(None) };
        let list = text_member(status, "status_list").ok_or(Refused::StatusForm)?;
        let uri = text_member(list, "uri").and_then(Value::as_text);
        let index = text_member(list, "idx").and_then(Value::as_integer);
        Reference::new(uri, index.and_then(|index| index.try_into().ok())).map(Some)
    }
}

fn validity(security: &Value) -> Option<(Timestamp, Timestamp, Timestamp)> {
    let info = text_member(security, "validityInfo")?;
    let time = |name| match text_member(info, name)? {
        Value::Tag(0, inner) => tdate(inner.as_text()?),
        _ => None,
    };
    Some((time("signed")?, time("validFrom")?, time("validUntil")?))
}

/// RFC 3339; the last day of the calendar, which issuers write for "no end", is the last timestamp.
fn tdate(text: &str) -> Option<Timestamp> {
    let last = text.starts_with("9999-12-31T") && text.ends_with('Z');
    text.parse().ok().or(last.then_some(Timestamp::MAX))
}

/// A `COSE_Key` (RFC 9053 §7.1) on P-256, uncompressed.
fn cose_key(key: &Value) -> Option<PublicKey> {
    let is = |label, value: i64| {
        int_member(key, label).and_then(Value::as_integer) == Some(value.into())
    };
    let bytes = |label| int_member(key, label).and_then(Value::as_bytes);
    if !is(1, 2) || !is(-1, 1) || int_member(key, -4).is_some() {
        return None;
    }
    PublicKey::of(bytes(-2)?, bytes(-3)?)
}

/// The elements; each has the digest that the issuer signed under its number, used once.
fn elements(
    document: &Document,
    security: &Value,
) -> Result<Vec<(String, String, Value)>, Refused> {
    let digests = text_member(security, "valueDigests").ok_or(Refused::MdocForm)?;
    let (mut out, mut names, mut used) = (Vec::new(), HashSet::new(), HashSet::new());
    for (space, items) in &document.items {
        let digests = text_member(digests, space).ok_or(Refused::MdocDigest)?;
        for tagged in items {
            let item = read_tag_24(tagged).ok_or(Refused::MdocForm)?;
            let number = text_member(&item, "digestID").and_then(Value::as_integer);
            let number: i64 = number.and_then(|n| n.try_into().ok()).ok_or(Refused::MdocForm)?;
            let random = text_member(&item, "random").and_then(Value::as_bytes);
            let name = text_member(&item, "elementIdentifier").and_then(Value::as_text);
            let value = text_member(&item, "elementValue").ok_or(Refused::MdocForm)?;
            let name = name.ok_or(Refused::MdocForm)?;
            let signed = int_member(digests, number).and_then(Value::as_bytes);
            let known = signed.is_some_and(|signed| *signed == sha256(&encoded(tagged)));
            // §9.1.2.5: what is not random can be guessed from its digest
            let random = random.is_some_and(|random| random.len() >= MIN_RANDOM);
            let new = used.insert((space.as_str(), number))
                && names.insert((space.as_str(), name.to_owned()));
            if !(known && random && new) {
                return Err(Refused::MdocDigest);
            }
            out.push((space.clone(), name.to_owned(), value.clone()));
        }
    }
    Ok(out)
}

/// Bytes of `random`, at least.
const MIN_RANDOM: usize = 16;
