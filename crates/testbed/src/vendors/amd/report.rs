//! ATTESTATION_REPORT (56860, table 23): 1184 bytes, all numbers little-endian.

use super::super::key::Key;
use super::Endorsement;
use super::chip::{CHIP_ID, Product, Tcb};

/// Length of a report.
pub const LEN: usize = 1184;
/// Length of what is signed.
const SIGNED: usize = 0x2a0;
/// Each half of the signature: 48 bytes and 24 zeros.
const HALF: usize = 72;

/// A field of a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Field {
    /// 4 bytes.
    Version,
    /// 8 bytes: minimum ABI, SMT (16), must be one (17), migration agent (18), debug (19), …
    Policy,
    /// 4 bytes: the privilege level that asked.
    Vmpl,
    /// 4 bytes: 1 is ECDSA P-384 with SHA-384.
    Algorithm,
    /// 8 bytes.
    Current,
    /// 8 bytes: SMT, TSME, ECC, RAPL, ciphertext hiding, alias check.
    PlatformInfo,
    /// 4 bytes: author key (0), masked chip id (1), signing key (2..5: 0 VCEK, 1 VLEK, 7 none).
    KeyInfo,
    /// 4 bytes, zero.
    Reserved,
    /// 64 bytes of the guest's own.
    ReportData,
    /// 48 bytes: launch digest.
    Measurement,
    /// 32 bytes, given by the host.
    HostData,
    /// 8 bytes: the TCB that the signing key is derived from.
    Reported,
    /// 3 bytes, from version 3 on: family, model, stepping.
    Cpuid,
    /// 64 bytes.
    ChipId,
    /// 8 bytes: the TCB below which the platform cannot fall.
    Committed,
    /// 8 bytes.
    Launch,
    /// Behind everything: zero.
    Tail,
}

impl Field {
    /// Where it begins.
    pub fn offset(self) -> usize {
        match self {
            Self::Version => 0,
            Self::Policy => 0x08,
            Self::Vmpl => 0x30,
            Self::Algorithm => 0x34,
            Self::Current => 0x38,
            Self::PlatformInfo => 0x40,
            Self::KeyInfo => 0x48,
            Self::Reserved => 0x4c,
            Self::ReportData => 0x50,
            Self::Measurement => 0x90,
            Self::HostData => 0xc0,
            Self::Reported => 0x180,
            Self::Cpuid => 0x188,
            Self::ChipId => 0x1a0,
            Self::Committed => 0x1e0,
            Self::Launch => 0x1f0,
            Self::Tail => 0x290,
        }
    }
}

pub(super) fn body(product: Product, endorsement: Endorsement, version: u32) -> Vec<u8> {
    let mut out = vec![0; SIGNED];
    let mut set = |field: Field, value: &[u8]| {
        let at = field.offset();
        out[at..at + value.len()].copy_from_slice(value);
    };
    set(Field::Version, &version.to_le_bytes());
    // SMT allowed, and the bit that must be one; no debug, no migration
    set(Field::Policy, &0x0003_0000u64.to_le_bytes());
    set(Field::Algorithm, &1u32.to_le_bytes());
    set(Field::PlatformInfo, &0x25u64.to_le_bytes());
    set(Field::ReportData, &[0xda; 64]);
    set(Field::Measurement, &[0x3e; 48]);
    for field in [Field::Current, Field::Reported, Field::Committed, Field::Launch] {
        set(field, &Tcb::default().raw(product));
    }
    match endorsement {
        Endorsement::Vcek => set(Field::ChipId, &CHIP_ID[..product.hardware_id_len()]),
        Endorsement::Vlek => set(Field::KeyInfo, &(1u32 << 2).to_le_bytes()),
    }
    if version >= 3 {
        set(Field::Cpuid, &product.cpuid());
    }
    // REPORT_ID_MA: no migration agent; firmware 1.55.43, current and committed
    out[0x160..0x180].fill(0xff);
    out[0x1e8..0x1f0].copy_from_slice(&[43, 55, 1, 0, 43, 55, 1, 0]);
    out
}

pub(super) fn signed(body: &[u8], key: &Key) -> Vec<u8> {
    let signature = key.sign_fixed(body);
    let mut out = body.to_vec();
    for half in signature.chunks(signature.len() / 2) {
        out.extend(half.iter().rev());
        out.resize(out.len() + HALF - half.len(), 0);
    }
    out.resize(LEN, 0);
    out
}
