//! Time-stamp tokens: CMS `SignedData` (RFC 5652) over `TSTInfo` (RFC 3161 §2.4.2).

use std::fmt;

use aws_lc_rs::digest::{Algorithm, SHA256, digest};
use aws_lc_rs::signature::UnparsedPublicKey;
use trust::certificate::{Anchors, Certificate, Usage};
use x509_cert::der::asn1::ObjectIdentifier;
use x509_cert::der::{Decode as _, Encode as _};
use x509_cert::ext::pkix::ExtendedKeyUsage;

use super::der::{CONTEXT_0, CONTEXT_1, INTEGER, OCTET_STRING, SEQUENCE, SET, Values};
use super::info::Info;
use super::names::{
    CONTENT_TYPE, EXTENDED_KEY_USAGE, MESSAGE_DIGEST, SIGNED_DATA, SIGNING_CERTIFICATE_V2,
    TIME_STAMPING, TST_INFO, algorithm_of, candidates,
};
use super::{Expected, Stamped, TimeStampError};

/// A token as it was received: nothing in it is verified.
#[derive(Clone, PartialEq, Eq)]
pub struct TimeStampToken {
    der: Vec<u8>,
}

/// The one `SignerInfo`, and what it is about.
struct Signed<'d> {
    info: &'d [u8],
    certificates: Vec<Certificate>,
    signer: (&'d [u8], &'d [u8]),
    digest: &'static Algorithm,
    attributes: &'d [u8],
    algorithm: ObjectIdentifier,
    signature: &'d [u8],
}

impl TimeStampToken {
    /// Reads a token (`ContentInfo` in DER) as an archive keeps it.
    pub fn read(bytes: &[u8]) -> Result<Self, TimeStampError> {
        if bytes.len() > LARGEST {
            return Err(TimeStampError::Malformed("it is too large"));
        }
        Signed::read(bytes)?;
        Ok(Self { der: bytes.to_vec() })
    }

    /// Reads `TimeStampResp` (RFC 3161 §2.4.2).
    pub(super) fn of_response(bytes: &[u8]) -> Result<Self, TimeStampError> {
        if bytes.len() > LARGEST {
            return Err(TimeStampError::Malformed("it is too large"));
        }
        let mut response = Values::inside(bytes, SEQUENCE)?;
        let status = response.enter(SEQUENCE)?.next(INTEGER)?.content;
        // granted, grantedWithMods
        if status != [0] && status != [1] {
            let number = status.iter().take(3).fold(0, |sum, byte| sum << 8 | u32::from(*byte));
            return Err(TimeStampError::Refused(number));
        }
        let token = response.next(SEQUENCE)?.whole;
        response.end()?;
        Self::read(token)
    }

    /// The token's bytes.
    pub fn der(&self) -> &[u8] {
        &self.der
    }

    /// Verifies the token: what it is over, the signature, that the certificate is for time-stamps
    /// alone and leads to one of the roots at the time of the stamp.
    pub fn verify(
        &self,
        imprint: [u8; 32],
        anchors: &Anchors,
        expected: Expected<'_>,
    ) -> Result<Stamped, TimeStampError> {
        let signed = Signed::read(&self.der)?;
        let info = Info::read(signed.info)?;
        if info.imprint != imprint {
            return Err(TimeStampError::Imprint);
        }
        let policy = info.policy.to_string();
        if expected.policy.is_some_and(|expected| expected != policy) {
            return Err(TimeStampError::Policy(policy));
        }
        let nonce = expected.request.map(|request| &request.nonce[..]);
        if nonce.is_some_and(|nonce| info.nonce.as_deref() != Some(nonce)) {
            return Err(TimeStampError::Nonce);
        }
        let signer = signed.verify()?;
        check_purpose(signer)?;
        let others: Vec<Certificate> =
            signed.certificates.iter().filter(|other| *other != signer).cloned().collect();
        let path = anchors.verify(signer, &others, Usage::TimeStamping, info.time);
        path.map_err(|error| TimeStampError::Certificate(error.to_string()))?;
        let serial = info.serial.iter().map(|byte| format!("{byte:02x}")).collect();
        Ok(Stamped { time: info.time, policy, serial, authority: signer.subject() })
    }
}

impl fmt::Debug for TimeStampToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TimeStampToken({} bytes)", self.der.len())
    }
}

impl<'d> Signed<'d> {
    fn read(token: &'d [u8]) -> Result<Self, TimeStampError> {
        let malformed = TimeStampError::Malformed;
        let mut content = Values::inside(token, SEQUENCE)?;
        if content.oid()? != SIGNED_DATA {
            return Err(malformed("it is no signed data"));
        }
        let mut explicit = content.enter(CONTEXT_0)?;
        content.end()?;
        let mut data = explicit.enter(SEQUENCE)?;
        explicit.end()?;
        data.next(INTEGER)?;
        data.next(SET)?;
        let mut encapsulated = data.enter(SEQUENCE)?;
        if encapsulated.oid()? != TST_INFO {
            return Err(malformed("what is signed is no time-stamp"));
        }
        let mut explicit = encapsulated.enter(CONTEXT_0)?;
        let info = explicit.next(OCTET_STRING)?.content;
        let mut certificates = Vec::new();
        let mut shown = match data.next_if(CONTEXT_0)? {
            Some(shown) => Values::new(shown.content)?,
            None => return Err(malformed("it has no certificates")),
        };
        while !shown.is_finished() {
            if certificates.len() == CERTIFICATES {
                return Err(malformed("it has too many certificates"));
            }
            let der = shown.next(SEQUENCE)?.whole;
            let read = Certificate::from_der(der);
            certificates.push(read.map_err(|e| TimeStampError::Certificate(e.to_string()))?);
        }
        data.next_if(CONTEXT_1)?;
        let mut signers = data.enter(SET)?;
        data.end()?;
        let mut signer = signers.enter(SEQUENCE)?;
        signers.end().map_err(|_| malformed("it has more than one signature"))?;
        signer.next(INTEGER)?;
        let mut name = signer.enter(SEQUENCE)?;
        let named = (name.next(SEQUENCE)?.whole, name.next(INTEGER)?.content);
        let digest = algorithm_of(signer.algorithm()?)?;
        let attributes = signer.next(CONTEXT_0)?.whole;
        let algorithm = signer.algorithm()?;
        let signature = signer.next(OCTET_STRING)?.content;
        Ok(Self { info, certificates, signer: named, digest, attributes, algorithm, signature })
    }

    /// The certificate whose key signed.
    fn verify(&self) -> Result<&Certificate, TimeStampError> {
        let wrong = TimeStampError::Signature;
        let mut signers = self.certificates.iter().filter(|c| is_named(c, self.signer));
        let signer = signers.next().ok_or(wrong("the signer's certificate is missing"))?;
        let attributes = self.read_attributes()?;
        if attributes.content_type != Some(TST_INFO) {
            return Err(wrong("what is signed is no time-stamp"));
        }
        if attributes.digest != Some(digest(self.digest, self.info).as_ref()) {
            return Err(wrong("the digest of what is signed is another one"));
        }
        let (algorithm, hash) = attributes.certificate.ok_or(wrong(
            "it does not bind its certificate by ESSCertIDv2 (RFC 5816); SHA-1 is not enough",
        ))?;
        if digest(algorithm, signer.der()).as_ref() != hash {
            return Err(wrong("it is bound to another certificate"));
        }
        // signed is the SET OF, not the implicit tag (RFC 5652 §5.4)
        let mut message = self.attributes.to_vec();
        message[0] = SET;
        let verified = candidates(self.algorithm, self.digest).any(|algorithm| {
            UnparsedPublicKey::new(algorithm, signer.spki())
                .verify(&message, self.signature)
                .is_ok()
        });
        if verified { Ok(signer) } else { Err(wrong("it does not verify")) }
    }

    fn read_attributes(&self) -> Result<Attributes<'d>, TimeStampError> {
        let mut attributes = Values::inside(self.attributes, CONTEXT_0)?;
        let mut found = Attributes { content_type: None, digest: None, certificate: None };
        let mut seen = Vec::new();
        while !attributes.is_finished() {
            let mut attribute = attributes.enter(SEQUENCE)?;
            let kind = attribute.oid()?;
            if seen.contains(&kind) {
                return Err(TimeStampError::Malformed("an attribute stands in it twice"));
            }
            seen.push(kind);
            let mut values = attribute.enter(SET)?;
            match kind {
                CONTENT_TYPE => found.content_type = Some(values.oid()?),
                MESSAGE_DIGEST => found.digest = Some(values.next(OCTET_STRING)?.content),
                SIGNING_CERTIFICATE_V2 => found.certificate = Some(certificate_id(values)?),
                _ => {}
            }
        }
        Ok(found)
    }
}

/// The signed attributes that we look at.
struct Attributes<'d> {
    content_type: Option<ObjectIdentifier>,
    digest: Option<&'d [u8]>,
    certificate: Option<(&'static Algorithm, &'d [u8])>,
}

/// The first `ESSCertIDv2`, which is the signer's (RFC 5035 §3): algorithm, SHA-256 unless it says
/// otherwise, and hash.
fn certificate_id(mut values: Values<'_>) -> Result<(&'static Algorithm, &[u8]), TimeStampError> {
    let mut id = values.enter(SEQUENCE)?.enter(SEQUENCE)?.enter(SEQUENCE)?;
    let algorithm = match id.next_if(SEQUENCE)? {
        Some(named) => algorithm_of(Values::new(named.content)?.oid()?)?,
        None => &SHA256,
    };
    Ok((algorithm, id.next(OCTET_STRING)?.content))
}

/// The certificate's extended key usage is critical and time-stamping alone (RFC 3161 §2.3).
fn check_purpose(certificate: &Certificate) -> Result<(), TimeStampError> {
    let unfit = || TimeStampError::Certificate("it is not for time-stamps alone".to_owned());
    let parsed = x509_cert::Certificate::from_der(certificate.der()).map_err(|_| unfit())?;
    let extensions = parsed.tbs_certificate().extensions();
    let mut usages = extensions.into_iter().flatten().filter(|e| e.extn_id == EXTENDED_KEY_USAGE);
    let (usage, more) = (usages.next().ok_or_else(unfit)?, usages.next());
    let named = ExtendedKeyUsage::from_der(usage.extn_value.as_bytes()).map_err(|_| unfit())?;
    if usage.critical && more.is_none() && named.0 == [TIME_STAMPING] {
        Ok(())
    } else {
        Err(unfit())
    }
}

fn is_named(certificate: &Certificate, (issuer, serial): (&[u8], &[u8])) -> bool {
    let Ok(parsed) = x509_cert::Certificate::from_der(certificate.der()) else { return false };
    let tbs = parsed.tbs_certificate();
    tbs.issuer().to_der().is_ok_and(|name| name == issuer)
        && tbs.serial_number().as_bytes() == serial
}

/// A chain and what an authority adds to it.
const CERTIFICATES: usize = 8;
/// Tokens with chains of RSA-4096 have four kilobytes to eight.
const LARGEST: usize = 64 * 1024;
