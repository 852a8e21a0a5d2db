//! Certificates and revocation lists of the invented vendors, written field by field.
//!
//! rcgen is not enough here: AMD signs with RSASSA-PSS, and a negative test wants the extension
//! twice, the list without an end, or the leaf that calls itself an authority.

use jiff::Timestamp;

use super::key::Key;
use super::{der, in_days};

/// One certificate, before it is signed. All fields may be changed.
#[derive(Clone)]
pub struct Certificate {
    /// Common name of the subject.
    pub subject: String,
    /// Common name of the issuer.
    pub issuer: String,
    /// Serial number, big-endian.
    pub serial: Vec<u8>,
    /// First moment of validity.
    pub not_before: Timestamp,
    /// Last moment of validity.
    pub not_after: Timestamp,
    /// The key that is certified.
    pub key: &'static Key,
    /// The key that signs.
    pub signer: &'static Key,
    /// basicConstraints: `None` without CA, else how many authorities may stand below (`None`: any).
    pub authority: Option<Option<u8>>,
    /// basicConstraints is there at all.
    pub constrained: bool,
    /// keyUsage, the first byte of the bit string; `None` leaves the extension out.
    pub usage: Option<u8>,
    /// Everything else: OID, critical, content.
    pub extensions: Vec<(String, bool, Vec<u8>)>,
}

/// keyUsage digitalSignature.
pub const SIGNS: u8 = 0x80;
/// keyUsage keyCertSign and cRLSign.
pub const CERTIFIES: u8 = 0x06;

impl Certificate {
    /// A certificate for `key`, valid from two years ago for eight years.
    pub fn new(subject: &str, key: &'static Key, issuer: &str, signer: &'static Key) -> Self {
        Self {
            subject: subject.to_owned(),
            issuer: issuer.to_owned(),
            serial: serial(subject),
            not_before: in_days(-730),
            not_after: in_days(2190),
            key,
            signer,
            authority: None,
            constrained: true,
            usage: Some(SIGNS),
            extensions: vec![],
        }
    }

    /// That of an authority, which may have `below` authorities below it.
    pub fn authority(mut self, below: Option<u8>) -> Self {
        self.authority = Some(below);
        self.usage = Some(CERTIFIES);
        self
    }

    /// Adds an extension.
    pub fn with(mut self, oid: &str, content: Vec<u8>) -> Self {
        self.extensions.push((oid.to_owned(), false, content));
        self
    }

    /// Ended one second ago.
    pub fn expired(&mut self) {
        self.not_after = super::in_seconds(-1);
    }

    /// Begins in one second.
    pub fn not_yet_valid(&mut self) {
        self.not_before = super::in_seconds(1);
    }

    /// The signed certificate.
    pub fn der(&self) -> Vec<u8> {
        let mut extensions = vec![];
        if let Some(usage) = self.usage {
            let unused = usage.trailing_zeros() as u8;
            extensions.push(extension("2.5.29.15", true, &der::tlv(0x03, &[unused, usage])));
        }
        let constraints = match self.authority {
            None => der::sequence(&[]),
            Some(None) => der::sequence(&[der::boolean(true)]),
            Some(Some(n)) => der::sequence(&[der::boolean(true), der::number(n.into())]),
        };
        if self.constrained {
            extensions.push(extension("2.5.29.19", true, &constraints));
        }
        for (oid, critical, content) in &self.extensions {
            extensions.push(extension(oid, *critical, content));
        }
        let body = der::sequence(&[
            der::explicit(0, &der::number(2)),
            der::integer(&self.serial),
            self.signer.algorithm(),
            name(&self.issuer),
            der::sequence(&[time(self.not_before), time(self.not_after)]),
            name(&self.subject),
            self.key.info(),
            der::explicit(3, &der::sequence(&extensions)),
        ]);
        signed(body, self.signer)
    }
}

/// A revocation list, before it is signed.
#[derive(Clone)]
pub struct RevocationList {
    /// Common name of the issuer.
    pub issuer: String,
    /// The key that signs.
    pub signer: &'static Key,
    /// thisUpdate.
    pub this_update: Timestamp,
    /// nextUpdate; a list without one never ends.
    pub next_update: Option<Timestamp>,
    /// Serial numbers of what is revoked.
    pub revoked: Vec<Vec<u8>>,
}

impl RevocationList {
    /// An empty list, ten days old and good for another twenty.
    pub fn new(issuer: &str, signer: &'static Key) -> Self {
        Self {
            issuer: issuer.to_owned(),
            signer,
            this_update: in_days(-10),
            next_update: Some(in_days(20)),
            revoked: vec![],
        }
    }

    /// The signed list.
    pub fn der(&self) -> Vec<u8> {
        let mut parts = vec![
            der::number(1),
            self.signer.algorithm(),
            name(&self.issuer),
            time(self.this_update),
        ];
        parts.extend(self.next_update.map(time));
        if !self.revoked.is_empty() {
            let entry =
                |serial: &Vec<u8>| der::sequence(&[der::integer(serial), time(self.this_update)]);
            parts.push(der::sequence(&self.revoked.iter().map(entry).collect::<Vec<_>>()));
        }
        let number = extension("2.5.29.20", false, &der::number(1));
        parts.push(der::explicit(0, &der::sequence(&[number])));
        signed(der::sequence(&parts), self.signer)
    }
}

/// PEM of several certificates, one after the other.
pub fn pem(certificates: &[Vec<u8>]) -> String {
    use base64::Engine as _;
    let mut out = String::new();
    for certificate in certificates {
        let text = base64::engine::general_purpose::STANDARD.encode(certificate);
        out.push_str("-----BEGIN CERTIFICATE-----\n");
        for line in text.as_bytes().chunks(64) {
            out.push_str(&String::from_utf8_lossy(line));
            out.push('\n');
        }
        out.push_str("-----END CERTIFICATE-----\n");
    }
    out
}

fn extension(oid: &str, critical: bool, content: &[u8]) -> Vec<u8> {
    let mut parts = vec![der::oid(oid)];
    if critical {
        parts.push(der::boolean(true));
    }
    parts.push(der::octets(content));
    der::sequence(&parts)
}

fn signed(body: Vec<u8>, key: &Key) -> Vec<u8> {
    let signature = der::bits(&key.sign(&body));
    der::sequence(&[body, key.algorithm(), signature])
}

fn name(common: &str) -> Vec<u8> {
    let part = |oid, value| der::set(&[der::sequence(&[der::oid(oid), der::utf8(value)])]);
    der::sequence(&[part("2.5.4.3", common), part("2.5.4.10", "Invented (konfido testbed)")])
}

/// UTCTime until 2049, GeneralizedTime after it (RFC 5280 §4.1.2.5).
fn time(at: Timestamp) -> Vec<u8> {
    let text = at.strftime("%Y%m%d%H%M%SZ").to_string();
    if text.as_str() < "2050" {
        der::tlv(0x17, &text.as_bytes()[2..])
    } else {
        der::tlv(0x18, text.as_bytes())
    }
}

/// The same name has the same serial number: lists can name it before it is signed.
fn serial(subject: &str) -> Vec<u8> {
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, subject.as_bytes());
    let mut serial = digest.as_ref()[..16].to_vec();
    serial[0] = serial[0] & 0x7f | 0x40;
    serial
}
