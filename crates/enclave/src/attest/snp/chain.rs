//! From the pinned ARK through ASK or ASVK to the key that signed a report.

use std::collections::BTreeMap;

use aws_lc_rs::signature::{RSA_PSS_2048_8192_SHA384, UnparsedPublicKey};
use jiff::Timestamp;
use x509_cert::Certificate;
use x509_cert::der::asn1::ObjectIdentifier;
use x509_cert::der::{Decode, Encode};
use x509_cert::ext::pkix::{BasicConstraints, KeyUsage};

use super::extension::Extensions;
use super::report::Signer;
use super::{Product, Roots};
use crate::attest::reason::{Reason, Refusal};

/// A key that may sign reports, and what AMD says about the chip that holds it.
pub(super) struct Endorsement {
    pub product: Product,
    /// P-384, uncompressed point.
    pub key: Vec<u8>,
    pub levels: BTreeMap<&'static str, u64>,
    pub chip: Option<Vec<u8>>,
    pub provider: Option<String>,
    pub valid_from: Timestamp,
    pub valid_until: Timestamp,
    pub(super) ark: Authority,
    pub(super) intermediate: Authority,
    pub(super) leaf_serial: Vec<u8>,
}

/// An issuer, as revocation lists name and are signed by it.
pub(super) struct Authority {
    pub name: Vec<u8>,
    pub key: Vec<u8>,
    pub serial: Vec<u8>,
}

impl Endorsement {
    pub(super) fn verify(
        certificates: &[Vec<u8>],
        signer: Signer,
        roots: &Roots,
        now: Timestamp,
    ) -> Result<Self, Refusal> {
        let parsed: Vec<(Certificate, &[u8])> = certificates
            .iter()
            .map(|der| parse(der).map(|certificate| (certificate, der.as_slice())))
            .collect::<Result<_, _>>()?;
        let (leaf_name, issuer_name) = signer.names();
        let (leaf, leaf_der) = parsed
            .iter()
            .find(|(c, _)| algorithm(c) == EC && named(c, leaf_name))
            .ok_or_else(|| Refusal::new(Reason::CollateralMissing, format!("no {leaf_name}")))?;
        let extensions = Extensions::of(leaf)?;
        let product = extensions.product.ok_or(Reason::ProductMismatch)?;
        let ark_der = roots.ark(product)?;
        let ark = parse(ark_der)?;
        let (intermediate, intermediate_der) = parsed
            .iter()
            .find(|(c, _)| issued(leaf, c) && issued(c, &ark) && !issued(c, c))
            .ok_or_else(|| Refusal::new(Reason::Chain, "no intermediate of the pinned root"))?;
        Extensions::of(intermediate)?;
        let expected = format!("{issuer_name}{}", capital(product));
        if !named(intermediate, &expected) {
            return Err(Refusal::new(Reason::Chain, format!("the intermediate is not {expected}")));
        }
        authority(&ark)?;
        authority(intermediate)?;
        signed(intermediate, intermediate_der, &ark)?;
        signed(leaf, leaf_der, intermediate)?;
        let (mut valid_from, mut valid_until) = (Timestamp::MIN, Timestamp::MAX);
        for certificate in [&ark, intermediate, leaf] {
            let (from, until) = validity(certificate)?;
            if now < from || now > until {
                let subject = certificate.tbs_certificate().subject().to_string();
                return Err(Refusal::new(Reason::CertificateTime, subject));
            }
            (valid_from, valid_until) = (valid_from.max(from), valid_until.min(until));
        }
        if (signer == Signer::Vcek) != extensions.chip.is_some() {
            return Err(Refusal::new(Reason::ChipMismatch, "VCEKs name a chip, VLEKs do not"));
        }
        if extensions.chip.as_ref().is_some_and(|chip| chip.len() != chip_bytes(product)) {
            return Err(Refusal::new(Reason::ChipMismatch, "length of the chip's identity"));
        }
        Ok(Self {
            product,
            key: point(leaf)?,
            levels: extensions.levels,
            chip: extensions.chip,
            provider: extensions.provider,
            valid_from,
            valid_until,
            leaf_serial: serial(leaf),
            intermediate: Authority::of(intermediate)?,
            ark: Authority::of(&ark)?,
        })
    }
}

impl Authority {
    fn of(certificate: &Certificate) -> Result<Self, Refusal> {
        let tbs = certificate.tbs_certificate();
        let name = tbs.subject().to_der().map_err(|_| Reason::CollateralMalformed)?;
        Ok(Self { name, key: key(certificate), serial: serial(certificate) })
    }

    /// Whether this authority signed `tbs` in the one way that AMD signs.
    pub(super) fn signed(&self, tbs: &[u8], signature: &[u8]) -> bool {
        UnparsedPublicKey::new(&RSA_PSS_2048_8192_SHA384, &self.key).verify(tbs, signature).is_ok()
    }
}

fn parse(der: &[u8]) -> Result<Certificate, Refusal> {
    if der.len() > MAX_CERTIFICATE {
        return Err(Refusal::new(Reason::TooLarge, "certificate"));
    }
    Certificate::from_der(der).map_err(|e| Refusal::new(Reason::CollateralMalformed, e.to_string()))
}

fn named(certificate: &Certificate, name: &str) -> bool {
    certificate.tbs_certificate().subject().to_string().split(',').any(|part| part == name)
}

fn issued(child: &Certificate, issuer: &Certificate) -> bool {
    child.tbs_certificate().issuer() == issuer.tbs_certificate().subject()
}

fn signed(child: &Certificate, der: &[u8], issuer: &Certificate) -> Result<(), Refusal> {
    let chain = |what: &str| Refusal::new(Reason::Chain, what);
    if child.signature_algorithm().oid != RSA_PSS
        || child.signature_algorithm() != child.tbs_certificate().signature()
    {
        return Err(chain("signed in another way than AMD signs"));
    }
    // the bytes as they came, not as we would write them
    let tbs = first_inner(der).ok_or(Reason::CollateralMalformed)?;
    let signature = child.signature().as_bytes().ok_or(Reason::CollateralMalformed)?;
    if Authority::of(issuer)?.signed(tbs, signature) {
        Ok(())
    } else {
        Err(chain("a certificate is not signed by its issuer"))
    }
}

/// The first object inside a SEQUENCE, with its header: the part that is signed.
pub(super) fn first_inner(der: &[u8]) -> Option<&[u8]> {
    let mut reader = x509_cert::der::SliceReader::new(der).ok()?;
    use x509_cert::der::{Header, Reader};
    Header::decode(&mut reader).ok()?;
    reader.tlv_bytes().ok()
}

/// BasicConstraints and KeyUsage of an authority (RFC 5280 §4.2.1.3, §4.2.1.9).
pub(in crate::attest) fn authority(certificate: &Certificate) -> Result<(), Refusal> {
    let extension = |oid: ObjectIdentifier| {
        let all = certificate.tbs_certificate().extensions().into_iter().flatten();
        all.filter(move |e| e.extn_id == oid).map(|e| e.extn_value.as_bytes()).next()
    };
    let is_authority = extension(BASIC_CONSTRAINTS)
        .and_then(|value| BasicConstraints::from_der(value).ok())
        .is_some_and(|constraints| constraints.ca);
    let may_sign = extension(KEY_USAGE)
        .and_then(|value| KeyUsage::from_der(value).ok())
        .is_some_and(|usage| usage.key_cert_sign());
    if is_authority && may_sign {
        Ok(())
    } else {
        Err(Refusal::new(Reason::Chain, "an issuer is no certificate authority"))
    }
}

fn validity(certificate: &Certificate) -> Result<(Timestamp, Timestamp), Refusal> {
    let validity = certificate.tbs_certificate().validity();
    Ok((time(validity.not_before)?, time(validity.not_after)?))
}

pub(super) fn time(time: x509_cert::time::Time) -> Result<Timestamp, Refusal> {
    let seconds = i64::try_from(time.to_unix_duration().as_secs()).unwrap_or(i64::MAX);
    let seconds = seconds.min(Timestamp::MAX.as_second());
    Timestamp::from_second(seconds).map_err(|_| Reason::CollateralMalformed.into())
}

fn algorithm(certificate: &Certificate) -> ObjectIdentifier {
    certificate.tbs_certificate().subject_public_key_info().algorithm.oid
}

fn key(certificate: &Certificate) -> Vec<u8> {
    let spki = certificate.tbs_certificate().subject_public_key_info();
    spki.subject_public_key.raw_bytes().to_vec()
}

fn point(certificate: &Certificate) -> Result<Vec<u8>, Refusal> {
    let spki = certificate.tbs_certificate().subject_public_key_info();
    let curve = spki.algorithm.parameters.as_ref();
    let curve = curve.and_then(|any| any.decode_as::<ObjectIdentifier>().ok());
    if curve != Some(P384) {
        return Err(Refusal::new(Reason::Algorithm, "the chip's key is not of P-384"));
    }
    Ok(key(certificate))
}

fn serial(certificate: &Certificate) -> Vec<u8> {
    certificate.tbs_certificate().serial_number().as_bytes().to_vec()
}

/// AMD writes products with a capital.
fn capital(product: Product) -> &'static str {
    match product {
        Product::Milan => "Milan",
        Product::Genoa => "Genoa",
        Product::Turin => "Turin",
    }
}

fn chip_bytes(product: Product) -> usize {
    if product == Product::Turin { 8 } else { 64 }
}

const EC: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");
const P384: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.132.0.34");
pub(super) const RSA_PSS: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.10");
const BASIC_CONSTRAINTS: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.19");
const KEY_USAGE: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.15");
/// AMD's have 1.4 to 1.8 kB.
const MAX_CERTIFICATE: usize = 8 << 10;
