//! What verifies evidence: Intel's signed statements, AMD's certificates and lists.

use std::sync::Arc;

use dcap_qvl::QuoteCollateralV3;
use rustls_pki_types::pem::{PemObject as _, SectionKind};

use super::evidence::{Evidence, Kind, MAX_COLLATERAL};
use super::reason::{Reason, Refusal};

/// Collateral, parsed once and used for many verifications. Nothing in it is believed before its
/// signatures lead to a pinned root.
#[derive(Debug, Clone)]
pub enum Collateral {
    /// None: Nitro documents bring their certificates, TPMs are registered, software has none.
    None,
    /// Intel's TCB info, QE identity and revocation lists.
    Intel(Arc<QuoteCollateralV3>),
    /// AMD's certificates and revocation lists.
    Amd(Amd),
}

/// Certificates and revocation lists of AMD's key distribution service, DER.
#[derive(Debug, Clone, Default)]
pub struct Amd {
    /// VCEK or VLEK, and ASK or ASVK; the root may be among them and is not used.
    pub certificates: Vec<Vec<u8>>,
    /// Revocation lists.
    pub crls: Vec<Vec<u8>>,
}

impl Collateral {
    /// Reads collateral for evidence of a kind.
    ///
    /// Intel: the JSON of a `tee_qv_collateral_t` with hexadecimal bytes, as PCCS clients write it.
    /// AMD: PEM with certificates and revocation lists, or the certificate table of the GHCB
    /// (`auxblob` of Linux's configfs-tsm), or DER objects one after the other.
    pub fn parse(kind: Kind, bytes: &[u8]) -> Result<Self, Refusal> {
        if bytes.len() > MAX_COLLATERAL {
            return Err(Refusal::new(Reason::TooLarge, "collateral"));
        }
        if bytes.is_empty() {
            return Ok(Self::None);
        }
        match kind {
            Kind::Sgx | Kind::Tdx => serde_json::from_slice(bytes)
                .map(|parsed| Self::Intel(Arc::new(parsed)))
                .map_err(|e| Refusal::new(Reason::CollateralMalformed, e.to_string())),
            Kind::Snp => Amd::parse(bytes).map(Self::Amd),
            Kind::Nitro | Kind::Tpm | Kind::Software => {
                Err(Refusal::new(Reason::CollateralMismatch, "this kind of evidence takes none"))
            }
        }
    }

    /// What to verify with when the sender brought something; `None` when it is this.
    pub(super) fn joined(&self, evidence: &Evidence) -> Result<Option<Self>, Refusal> {
        if evidence.collateral.is_empty() {
            return Ok(None);
        }
        let brought = Self::parse(evidence.kind, &evidence.collateral)?;
        Ok(match (self, brought) {
            (Self::None, brought) => Some(brought),
            (Self::Amd(ours), Self::Amd(mut brought)) => {
                brought.certificates.extend(ours.certificates.iter().cloned());
                brought.crls.extend(ours.crls.iter().cloned());
                Some(Self::Amd(brought))
            }
            _ => None,
        })
    }
}

impl Amd {
    fn parse(bytes: &[u8]) -> Result<Self, Refusal> {
        let malformed = |what: &str| Refusal::new(Reason::CollateralMalformed, what);
        let parsed = if bytes.starts_with(b"-----") {
            Self::from_pem(bytes)?
        } else if bytes[0] == SEQUENCE {
            let mut parsed = Self::default();
            let mut rest = bytes;
            while !rest.is_empty() {
                let (object, after) = split_der(rest).ok_or_else(|| malformed("DER object"))?;
                parsed.push(object);
                rest = after;
            }
            parsed
        } else {
            Self::from_table(bytes).ok_or_else(|| malformed("certificate table"))?
        };
        if parsed.certificates.len() > MAX_OBJECTS || parsed.crls.len() > MAX_OBJECTS {
            return Err(malformed("more objects than any platform has"));
        }
        Ok(parsed)
    }

    fn from_pem(bytes: &[u8]) -> Result<Self, Refusal> {
        let mut parsed = Self::default();
        for section in <(SectionKind, Vec<u8>)>::pem_slice_iter(bytes) {
            match section {
                Ok((SectionKind::Certificate, der)) => parsed.certificates.push(der),
                Ok((SectionKind::Crl, der)) => parsed.crls.push(der),
                _ => return Err(Refusal::new(Reason::CollateralMalformed, "PEM section")),
            }
        }
        Ok(parsed)
    }

    /// Rows of GUID, offset and length, ended by a row of zeros (AMD GHCB specification §4.1.8.1).
    fn from_table(bytes: &[u8]) -> Option<Self> {
        let mut parsed = Self::default();
        for row in bytes.chunks_exact(24).take(MAX_OBJECTS) {
            if row.iter().all(|byte| *byte == 0) {
                return Some(parsed);
            }
            let number = |at: usize| {
                let bytes = row[at..at + 4].try_into().expect("because the slice has 4 bytes");
                u32::from_le_bytes(bytes) as usize
            };
            let (offset, length) = (number(16), number(20));
            let mut rest = bytes.get(offset..offset.checked_add(length)?)?;
            // entries may be padded, and one may hold more than one certificate
            while let Some((object, after)) = split_der(rest) {
                parsed.push(object);
                rest = after;
            }
        }
        None
    }

    /// A revocation list has a `tbsCertList` that begins with its version as an INTEGER or with an
    /// algorithm; a certificate's `tbsCertificate` begins with `[0]` (RFC 5280 §4.1, §5.1).
    fn push(&mut self, object: &[u8]) {
        let certificate =
            inner(object).and_then(inner).is_some_and(|tbs| tbs.first() == Some(&0xa0));
        if certificate {
            self.certificates.push(object.to_vec());
        } else {
            self.crls.push(object.to_vec());
        }
    }
}

/// The first DER object of the tag SEQUENCE, and what follows it.
fn split_der(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    if *bytes.first()? != SEQUENCE {
        return None;
    }
    let (header, length) = length(bytes)?;
    bytes.split_at_checked(header.checked_add(length)?)
}

fn inner(bytes: &[u8]) -> Option<&[u8]> {
    let (header, length) = length(bytes)?;
    bytes.get(header..header.checked_add(length)?)
}

/// Bytes of tag and length, and the length (X.690 §8.1.3).
fn length(bytes: &[u8]) -> Option<(usize, usize)> {
    match *bytes.get(1)? {
        short @ 0..=0x7f => Some((2, usize::from(short))),
        long @ 0x81..=0x83 => {
            let count = usize::from(long & 0x7f);
            let value = bytes.get(2..2 + count)?;
            Some((2 + count, value.iter().fold(0, |sum, byte| (sum << 8) | usize::from(*byte))))
        }
        _ => None,
    }
}

const SEQUENCE: u8 = 0x30;
/// VCEK, VLEK, ASK, ASVK, ARK and their lists, with room.
const MAX_OBJECTS: usize = 16;
