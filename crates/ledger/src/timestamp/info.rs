//! `TSTInfo`: what the authority signs (RFC 3161 §2.4.2).

use jiff::Timestamp;
use x509_cert::der::asn1::ObjectIdentifier;

use super::TimeStampError;
use super::der::{CONTEXT_0, CONTEXT_1, INTEGER, OCTET_STRING, SEQUENCE, Values};
use super::names::OID_SHA256;

/// What the authority signs.
pub(super) struct Info {
    pub policy: ObjectIdentifier,
    pub imprint: [u8; 32],
    pub serial: Vec<u8>,
    pub time: Timestamp,
    pub nonce: Option<Vec<u8>>,
}

impl Info {
    pub fn read(der: &[u8]) -> Result<Self, TimeStampError> {
        let malformed = TimeStampError::Malformed;
        let mut info = Values::inside(der, SEQUENCE)?;
        if info.next(INTEGER)?.content != [1] {
            return Err(malformed("it is of another version"));
        }
        let policy = info.oid()?;
        let mut imprint = info.enter(SEQUENCE)?;
        if imprint.algorithm()? != OID_SHA256 {
            return Err(TimeStampError::Imprint);
        }
        let hash = imprint.next(OCTET_STRING)?.content;
        let imprint = hash.try_into().map_err(|_| TimeStampError::Imprint)?;
        let serial = info.next(INTEGER)?.content.to_vec();
        let time = time(info.next(GENERALIZED_TIME)?.content)
            .ok_or(malformed("its time is no time of RFC 3161"))?;
        info.next_if(SEQUENCE)?;
        info.next_if(BOOLEAN)?;
        let nonce = info.next_if(INTEGER)?.map(|nonce| nonce.content.to_vec());
        info.next_if(CONTEXT_0)?;
        info.next_if(CONTEXT_1)?;
        info.end()?;
        Ok(Self { policy, imprint, serial, time, nonce })
    }
}

/// `YYYYMMDDhhmmss[.f…]Z` (RFC 3161 §2.4.2).
fn time(content: &[u8]) -> Option<Timestamp> {
    let text = std::str::from_utf8(content).ok()?.strip_suffix('Z')?;
    let (whole, fraction) = match text.split_once('.') {
        Some((whole, fraction)) => (whole, fraction),
        None => (text, ""),
    };
    let digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
    let bare = !text.contains('.') || (!fraction.is_empty() && !fraction.ends_with('0'));
    if whole.len() != 14 || fraction.len() > 9 || !digits(whole) || !digits(fraction) || !bare {
        return None;
    }
    let (date, at) = whole.split_at(8);
    let fraction = if fraction.is_empty() { String::new() } else { format!(".{fraction}") };
    let text = format!(
        "{}-{}-{}T{}:{}:{}{fraction}Z",
        &date[..4],
        &date[4..6],
        &date[6..],
        &at[..2],
        &at[2..4],
        &at[4..]
    );
    text.parse().ok()
}

const BOOLEAN: u8 = 0x01;
const GENERALIZED_TIME: u8 = 0x18;
