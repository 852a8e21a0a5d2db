//! TPM 2.0 quotes (TPM 2.0 Library, part 2, §10.12): `TPMS_ATTEST` signed by an attestation key
//! that the country registered. The TPM says what was measured at boot; it keeps no secret from
//! somebody who rules the running system.

use std::collections::BTreeMap;

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED, UnparsedPublicKey};
use ciborium::Value;

use super::claims::{Claims, Platform, Tcb};
use super::evidence::{Kind, cbor};
use super::reason::{Reason, Refusal};
use super::roots::Roots;

/// Verifies `[1, TPMS_ATTEST, signature (r and s, 32 bytes each), key (P-256 point)]`, CBOR.
pub(super) fn verify(blob: &[u8], roots: &Roots) -> Result<Claims, Refusal> {
    let [attest, signature, key] = fields(blob)?;
    if !roots.knows_tpm(&key) {
        return Err(Refusal::new(Reason::Chain, "the attestation key is not a registered one"));
    }
    UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, &key)
        .verify(&attest, &signature)
        .map_err(|_| Reason::Signature)?;
    claims(&attest, &key)
}

/// What a quote says, with nothing verified.
pub(super) fn preview(blob: &[u8]) -> Result<Claims, Refusal> {
    let [attest, _, key] = fields(blob)?;
    claims(&attest, &key)
}

fn fields(blob: &[u8]) -> Result<[Vec<u8>; 3], Refusal> {
    let value = cbor(blob).ok_or(Reason::Malformed)?;
    let Value::Array(fields) = value else { return Err(Reason::Malformed.into()) };
    let Ok([version, Value::Bytes(attest), Value::Bytes(signature), Value::Bytes(key)]) =
        <[Value; 4]>::try_from(fields)
    else {
        return Err(Reason::Malformed.into());
    };
    if version != Value::Integer(1.into()) {
        return Err(Reason::Version.into());
    }
    Ok([attest, signature, key])
}

fn claims(attest: &[u8], key: &[u8]) -> Result<Claims, Refusal> {
    let quote = Quote::parse(attest).ok_or(Reason::Malformed)?;
    let name = digest(&SHA256, key);
    Ok(Claims {
        measurements: BTreeMap::from([
            ("pcrselection", quote.selection.to_vec()),
            ("pcrdigest", quote.digest.to_vec()),
        ]),
        report_data: quote.extra.to_vec(),
        tcb: Tcb { svn: BTreeMap::from([("firmware", quote.firmware)]), ..Tcb::default() },
        platform: Platform {
            id: Some(format!("tpm-key:{}", hex::encode(name.as_ref()))),
            product: "tpm".into(),
            ..Platform::default()
        },
        ..Claims::of(Kind::Tpm)
    })
}

struct Quote<'a> {
    extra: &'a [u8],
    firmware: u64,
    selection: &'a [u8],
    digest: &'a [u8],
}

impl<'a> Quote<'a> {
    fn parse(attest: &'a [u8]) -> Option<Self> {
        let mut reader = Reader(attest);
        if reader.take(4)? != TPM_GENERATED || reader.take(2)? != ATTEST_QUOTE {
            return None;
        }
        reader.sized()?; // the key's qualified name: we know the key itself
        let extra = reader.sized()?;
        // clock, reset count, restart count, safe
        reader.take(8 + 4 + 4 + 1)?;
        let firmware = u64::from_be_bytes(reader.take(8)?.try_into().ok()?);
        let from = reader.0;
        let banks = u32::from_be_bytes(reader.take(4)?.try_into().ok()?);
        for _ in 0..Some(banks).filter(|banks| *banks <= MAX_BANKS)? {
            reader.take(2)?;
            let bytes = usize::from(reader.take(1)?[0]);
            reader.take(bytes)?;
        }
        let selection = &from[..from.len() - reader.0.len()];
        let digest = reader.sized()?;
        reader.0.is_empty().then_some(Self { extra, firmware, selection, digest })
    }
}

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    /// A `TPM2B`: two bytes of length, then the bytes.
    fn sized(&mut self) -> Option<&'a [u8]> {
        let length = u16::from_be_bytes(self.take(2)?.try_into().ok()?);
        self.take(usize::from(length)).filter(|bytes| bytes.len() <= MAX_SIZED)
    }
}

/// `TPM_GENERATED_VALUE`: nothing else that a TPM signs begins so.
const TPM_GENERATED: [u8; 4] = [0xff, 0x54, 0x43, 0x47];
/// `TPM_ST_ATTEST_QUOTE`.
const ATTEST_QUOTE: [u8; 2] = [0x80, 0x18];
const MAX_BANKS: u32 = 8;
const MAX_SIZED: usize = 256;
