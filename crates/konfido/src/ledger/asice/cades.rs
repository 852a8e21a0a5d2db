//! A detached CAdES signature of level B-B (ETSI EN 319 122-1 §6.3; CMS: RFC 5652), in DER.

use anyhow::Context as _;
use aws_lc_rs::digest::{Algorithm, SHA256, SHA384, digest};
use jiff::Timestamp;
use trust::certificate::Certificate;
use trust::seal::{Scheme, SealKey};

/// Signs the content; the certificates up to the root are beside the signature.
pub fn sign(content: &[u8], seal: &SealKey, now: Timestamp) -> anyhow::Result<Vec<u8>> {
    let scheme = seal.xml_scheme();
    let (hash, hash_oid, signature_oid) = match scheme {
        Scheme::Es256 => (&SHA256, ID_SHA256, ECDSA_SHA256),
        Scheme::Es384 => (&SHA384, ID_SHA384, ECDSA_SHA384),
        _ => (&SHA256, ID_SHA256, RSA_SHA256),
    };
    let (issuer, serial) = issuer_and_serial(seal.certificate()).context("seal certificate")?;
    let attributes = attributes(content, hash, seal.certificate(), (&issuer, &serial), now);
    // signed as a SET, carried as [0] (RFC 5652 §5.4)
    let message = tlv(SET, &attributes);
    let signature = seal.sign_for_tls(scheme, &message).context("the seal does not sign")?;
    let algorithm = |oid: &[u8]| tlv(SEQUENCE, &tlv(OID, oid));
    let of_signature = match scheme {
        Scheme::Rs256 => tlv(SEQUENCE, &[tlv(OID, signature_oid), tlv(NULL, b"")].concat()),
        _ => algorithm(signature_oid),
    };
    let signer = [
        tlv(INTEGER, &[1]),
        tlv(SEQUENCE, &[issuer, serial].concat()),
        algorithm(hash_oid),
        tlv(CONTEXT_0, &attributes),
        of_signature,
        tlv(OCTETS, &signature),
    ];
    let certificates = std::iter::once(seal.certificate()).chain(seal.intermediates());
    let mut certificates: Vec<&[u8]> = certificates.map(|c| c.der().as_ref()).collect();
    certificates.sort_unstable();
    let signed_data = [
        tlv(INTEGER, &[1]),
        tlv(SET, &algorithm(hash_oid)),
        tlv(SEQUENCE, &tlv(OID, ID_DATA)),
        tlv(CONTEXT_0, &certificates.concat()),
        tlv(SET, &tlv(SEQUENCE, &signer.concat())),
    ];
    let signed_data = tlv(CONTEXT_0, &tlv(SEQUENCE, &signed_data.concat()));
    Ok(tlv(SEQUENCE, &[tlv(OID, ID_SIGNED_DATA), signed_data].concat()))
}

/// What is signed beside the content's digest, in the order of DER.
fn attributes(
    content: &[u8],
    hash: &'static Algorithm,
    certificate: &Certificate,
    (issuer, serial): (&[u8], &[u8]),
    now: Timestamp,
) -> Vec<u8> {
    let attribute =
        |oid: &[u8], value: &[u8]| tlv(SEQUENCE, &[tlv(OID, oid), tlv(SET, value)].concat());
    // ESSCertIDv2 (RFC 5035 §4): SHA-256 is the default and not written
    let names = tlv(SEQUENCE, &tlv(CONTEXT_4, issuer));
    let issuer_serial = tlv(SEQUENCE, &[&names, serial].concat());
    let named = digest(&SHA256, certificate.der());
    let id = tlv(SEQUENCE, &[tlv(OCTETS, named.as_ref()), issuer_serial].concat());
    let time = now.strftime("%y%m%d%H%M%SZ").to_string();
    let mut all = [
        attribute(CONTENT_TYPE, &tlv(OID, ID_DATA)),
        attribute(SIGNING_TIME, &tlv(UTC_TIME, time.as_bytes())),
        attribute(MESSAGE_DIGEST, &tlv(OCTETS, digest(hash, content).as_ref())),
        attribute(SIGNING_CERTIFICATE, &tlv(SEQUENCE, &tlv(SEQUENCE, &id))),
    ];
    all.sort_unstable();
    all.concat()
}

/// Both as they stand in the certificate (RFC 5280 §4.1).
fn issuer_and_serial(certificate: &Certificate) -> Option<(Vec<u8>, Vec<u8>)> {
    let (_, outer, _) = read(certificate.der())?;
    let (_, mut rest, _) = read(outer)?;
    let (tag, _, behind) = read(rest)?;
    if tag == CONTEXT_0 {
        rest = behind;
    }
    let (_, _, behind_serial) = read(rest)?;
    let serial = &rest[..rest.len() - behind_serial.len()];
    let (_, _, rest) = read(behind_serial)?;
    let (_, _, behind) = read(rest)?;
    Some((rest[..rest.len() - behind.len()].to_vec(), serial.to_vec()))
}

/// Tag, content, and what is behind.
fn read(der: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (tag, rest) = der.split_first()?;
    let (first, rest) = rest.split_first()?;
    let (length, rest) = match first {
        0..=0x7f => (usize::from(*first), rest),
        0x81..=0x83 => {
            let (bytes, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
            (bytes.iter().fold(0, |sum, byte| sum << 8 | usize::from(*byte)), rest)
        }
        _ => return None,
    };
    let (content, rest) = rest.split_at_checked(length)?;
    Some((*tag, content, rest))
}

fn tlv(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = content.len().to_be_bytes();
    let bare = &length[length.iter().take_while(|byte| **byte == 0).count().min(7)..];
    let mut out = vec![tag];
    if content.len() >= 0x80 {
        out.push(0x80 | u8::try_from(bare.len()).unwrap_or(8));
    }
    out.extend_from_slice(bare);
    out.extend_from_slice(content);
    out
}

const INTEGER: u8 = 0x02;
const OCTETS: u8 = 0x04;
const NULL: u8 = 0x05;
const OID: u8 = 0x06;
const UTC_TIME: u8 = 0x17;
const SEQUENCE: u8 = 0x30;
const SET: u8 = 0x31;
const CONTEXT_0: u8 = 0xa0;
const CONTEXT_4: u8 = 0xa4;

/// 1.2.840.113549.1.7.1
const ID_DATA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x07, 0x01];
/// 1.2.840.113549.1.7.2
const ID_SIGNED_DATA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x07, 0x02];
/// 1.2.840.113549.1.9.3
const CONTENT_TYPE: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x03];
/// 1.2.840.113549.1.9.4
const MESSAGE_DIGEST: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x04];
/// 1.2.840.113549.1.9.5
const SIGNING_TIME: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x05];
/// 1.2.840.113549.1.9.16.2.47
const SIGNING_CERTIFICATE: &[u8] =
    &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x10, 0x02, 0x2f];
/// 2.16.840.1.101.3.4.2.1
const ID_SHA256: &[u8] = &[0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01];
/// 2.16.840.1.101.3.4.2.2
const ID_SHA384: &[u8] = &[0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x02];
/// 1.2.840.10045.4.3.2
const ECDSA_SHA256: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02];
/// 1.2.840.10045.4.3.3
const ECDSA_SHA384: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x03];
/// 1.2.840.113549.1.1.11
const RSA_SHA256: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x0b];
