//! AMD's own certificate extensions (AMD 57230, "VCEK Certificate and KDS Interface
//! Specification", §3.1): product, firmware versions, chip.

use std::collections::BTreeMap;

use x509_cert::Certificate;
use x509_cert::der::Decode;
use x509_cert::der::asn1::{Ia5StringRef, ObjectIdentifier};

use super::Product;
use crate::attest::reason::{Reason, Refusal};

/// What a certificate of a chip's key says about the chip.
#[derive(Debug, Default)]
pub(super) struct Extensions {
    pub product: Option<Product>,
    /// Firmware versions by the names that reports use.
    pub levels: BTreeMap<&'static str, u64>,
    /// `hwID`: 64 bytes, 8 on Turin. In a VCEK only.
    pub chip: Option<Vec<u8>>,
    /// `cspID`: in a VLEK only.
    pub provider: Option<String>,
}

impl Extensions {
    pub(super) fn of(certificate: &Certificate) -> Result<Self, Refusal> {
        let malformed = |what: &str| Refusal::new(Reason::CollateralMalformed, what);
        let mut out = Self::default();
        let mut seen = Vec::new();
        for extension in certificate.tbs_certificate().extensions().into_iter().flatten() {
            if seen.contains(&extension.extn_id) {
                return Err(malformed("an extension appears twice"));
            }
            seen.push(extension.extn_id);
            let value = extension.extn_value.as_bytes();
            match extension.extn_id {
                PRODUCT => {
                    let name = Ia5StringRef::from_der(value).map_err(|_| malformed("product"))?;
                    out.product = Product::of_name(name.as_str());
                }
                CHIP => out.chip = Some(octets(value).to_vec()),
                PROVIDER => {
                    let name = Ia5StringRef::from_der(value).map_err(|_| malformed("provider"))?;
                    out.provider = Some(name.as_str().to_owned());
                }
                oid => {
                    if let Some((_, name)) = LEVELS.iter().find(|row| row.0 == oid) {
                        let level = u8::from_der(value).map_err(|_| malformed(name))?;
                        out.levels.insert(name, u64::from(level));
                    } else if extension.critical && !KNOWN.contains(&oid) {
                        return Err(malformed("an unknown extension is critical"));
                    }
                }
            }
        }
        Ok(out)
    }
}

/// Some certificates have the bytes as they are, some in an OCTET STRING of their own. Told apart by
/// the length: bare identities of 64 bytes may begin like anything.
fn octets(value: &[u8]) -> &[u8] {
    match value {
        [0x04, 64, chip @ ..] if chip.len() == 64 => chip,
        [0x04, 8, chip @ ..] if chip.len() == 8 => chip,
        bare => bare,
    }
}

const PRODUCT: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.4.1.3704.1.2");
const CHIP: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.4.1.3704.1.4");
const PROVIDER: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.4.1.3704.1.5");
static LEVELS: [(ObjectIdentifier, &str); 5] = [
    (ObjectIdentifier::new_unwrap("1.3.6.1.4.1.3704.1.3.1"), "bootloader"),
    (ObjectIdentifier::new_unwrap("1.3.6.1.4.1.3704.1.3.2"), "tee"),
    (ObjectIdentifier::new_unwrap("1.3.6.1.4.1.3704.1.3.3"), "snp"),
    (ObjectIdentifier::new_unwrap("1.3.6.1.4.1.3704.1.3.8"), "microcode"),
    (ObjectIdentifier::new_unwrap("1.3.6.1.4.1.3704.1.3.9"), "fmc"),
];
/// BasicConstraints and KeyUsage, which the chain looks at.
const KNOWN: [ObjectIdentifier; 2] =
    [ObjectIdentifier::new_unwrap("2.5.29.19"), ObjectIdentifier::new_unwrap("2.5.29.15")];
