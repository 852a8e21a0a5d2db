//! The report's 1184 bytes (AMD 56860 §7.3, table 23).

use super::Product;
use crate::attest::reason::{Reason, Refusal};

/// Bytes of a report.
pub const REPORT_BYTES: usize = 1184;

/// Which key signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Signer {
    /// The chip's own key.
    Vcek,
    /// A key that AMD lent to a cloud provider.
    Vlek,
}

/// A report whose form holds; not verified.
#[derive(Debug)]
pub(super) struct Report<'a> {
    bytes: &'a [u8; REPORT_BYTES],
    pub guest_svn: u32,
    pub policy: u64,
    pub family_id: [u8; 16],
    pub image_id: [u8; 16],
    pub vmpl: u32,
    pub platform_info: u64,
    pub signer: Signer,
    pub report_data: [u8; 64],
    pub measurement: [u8; 48],
    pub host_data: [u8; 32],
    pub id_key_digest: [u8; 48],
    pub author_key_digest: [u8; 48],
    /// Since version 3, what the processor says of itself.
    pub product: Option<Product>,
    pub chip_id: [u8; 64],
    pub current: TcbVersion,
    pub reported: TcbVersion,
    pub committed: TcbVersion,
    pub launch: TcbVersion,
    /// r and s, big-endian, 48 bytes each.
    pub signature: [u8; 96],
}

impl<'a> Report<'a> {
    pub(super) fn parse(bytes: &'a [u8]) -> Result<Self, Refusal> {
        let bytes: &[u8; REPORT_BYTES] = bytes.try_into().map_err(|_| {
            Refusal::new(Reason::Malformed, format!("{} bytes are no report", bytes.len()))
        })?;
        let version = number(bytes, 0x00, 4) as u32;
        if !VERSIONS.contains(&version) {
            return Err(Refusal::new(Reason::Version, format!("report version {version}")));
        }
        if number(bytes, 0x34, 4) != ECDSA_P384_SHA384 {
            return Err(Reason::Algorithm.into());
        }
        let flags = number(bytes, 0x48, 4);
        let signer = match (flags >> 2) & 0b111 {
            0 => Signer::Vcek,
            1 => Signer::Vlek,
            _ => return Err(Refusal::new(Reason::Algorithm, "signing key")),
        };
        let policy = number(bytes, 0x08, 8);
        reserved(bytes, version, policy, flags)?;
        let product = if version < 3 {
            None
        } else {
            let (family, model) = (bytes[0x188], bytes[0x189]);
            let named = Product::of_cpuid(family, model).ok_or_else(|| {
                let detail = format!("processor family {family:#04x}, model {model:#04x}");
                Refusal::new(Reason::ProductMismatch, detail)
            })?;
            Some(named)
        };
        Ok(Self {
            bytes,
            guest_svn: number(bytes, 0x04, 4) as u32,
            policy,
            family_id: field(bytes, 0x10),
            image_id: field(bytes, 0x20),
            vmpl: number(bytes, 0x30, 4) as u32,
            platform_info: number(bytes, 0x40, 8),
            signer,
            report_data: field(bytes, 0x50),
            measurement: field(bytes, 0x90),
            host_data: field(bytes, 0xc0),
            id_key_digest: field(bytes, 0xe0),
            author_key_digest: field(bytes, 0x110),
            product,
            chip_id: field(bytes, 0x1a0),
            current: TcbVersion(field(bytes, 0x38)),
            reported: TcbVersion(field(bytes, 0x180)),
            committed: TcbVersion(field(bytes, 0x1e0)),
            launch: TcbVersion(field(bytes, 0x1f0)),
            signature: signature(bytes)?,
        })
    }

    /// What the signature is over.
    pub(super) fn signed(&self) -> &'a [u8] {
        &self.bytes[..SIGNED]
    }
}

/// Fields that must be zero, and the one bit that must be one.
fn reserved(
    bytes: &[u8; REPORT_BYTES],
    version: u32,
    policy: u64,
    flags: u64,
) -> Result<(), Refusal> {
    // versions 3 and 5 put fields where version 2 had zeros
    let processor = if version < 3 { 0x188 } else { 0x18b };
    let mitigations = if version < 5 { 0x1f8 } else { 0x208 };
    let ranges = [
        (0x4c, 0x50),
        (processor, 0x1a0),
        (0x1eb, 0x1ec),
        (0x1ef, 0x1f0),
        (mitigations, SIGNED),
        (0x330, REPORT_BYTES),
    ];
    for (from, to) in ranges {
        if bytes[from..to].iter().any(|byte| *byte != 0) {
            return Err(Refusal::new(Reason::Reserved, format!("bytes {from:#x} to {to:#x}")));
        }
    }
    if policy & POLICY_ONE == 0 || policy >> POLICY_BITS != 0 {
        return Err(Refusal::new(Reason::Reserved, "guest policy"));
    }
    if flags >> 5 != 0 {
        return Err(Refusal::new(Reason::Reserved, "flags"));
    }
    Ok(())
}

/// r and s are little-endian in 72 bytes each; ECDSA's are big-endian in 48.
fn signature(bytes: &[u8; REPORT_BYTES]) -> Result<[u8; 96], Refusal> {
    let mut out = [0; 96];
    for (half, at) in [(0, SIGNED), (48, SIGNED + 72)] {
        let number: [u8; 72] = field(bytes, at);
        if number[48..].iter().any(|byte| *byte != 0) {
            return Err(Refusal::new(Reason::Reserved, "signature"));
        }
        for (to, from) in out[half..half + 48].iter_mut().zip(number[..48].iter().rev()) {
            *to = *from;
        }
    }
    Ok(out)
}

/// The firmware's versions (§2.2, tables 3 and 4): eight bytes, laid out anew for Turin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct TcbVersion([u8; 8]);

impl TcbVersion {
    /// Each part by its name.
    pub(super) fn levels(self, product: Product) -> impl Iterator<Item = (&'static str, u8)> {
        self.named(product, 0)
    }

    /// Each part by its name among those of reported (0), committed, current and launch versions.
    pub(super) fn named(
        self,
        product: Product,
        prefix: usize,
    ) -> impl Iterator<Item = (&'static str, u8)> {
        let layout = if product == Product::Turin { TURIN } else { MILAN };
        layout.iter().map(move |(part, byte)| (NAMES[*part][prefix], self.0[*byte]))
    }
}

/// (row of [`NAMES`], byte)
const MILAN: &[(usize, usize)] = &[(1, 0), (2, 1), (3, 6), (4, 7)];
const TURIN: &[(usize, usize)] = &[(0, 0), (1, 1), (2, 2), (3, 3), (4, 7)];
/// One row for each part of the firmware: as reported, committed, current, at launch.
const NAMES: [[&str; 4]; 5] = [
    ["fmc", "committed.fmc", "current.fmc", "launch.fmc"],
    ["bootloader", "committed.bootloader", "current.bootloader", "launch.bootloader"],
    ["tee", "committed.tee", "current.tee", "launch.tee"],
    ["snp", "committed.snp", "current.snp", "launch.snp"],
    ["microcode", "committed.microcode", "current.microcode", "launch.microcode"],
];

fn field<const N: usize>(bytes: &[u8; REPORT_BYTES], at: usize) -> [u8; N] {
    bytes[at..at + N].try_into().expect("because the slice has that length")
}

fn number(bytes: &[u8; REPORT_BYTES], at: usize, length: usize) -> u64 {
    bytes[at..at + length].iter().rev().fold(0, |sum, byte| (sum << 8) | u64::from(*byte))
}

/// 2 until firmware 1.55, 3 with the processor's family, 5 with mitigation vectors.
const VERSIONS: [u32; 4] = [2, 3, 4, 5];
/// `SIGNATURE_ALGO` (table 139).
const ECDSA_P384_SHA384: u64 = 1;
/// Bytes that the signature is over.
const SIGNED: usize = 0x2a0;
/// Bit 17 of a guest policy is always one.
const POLICY_ONE: u64 = 1 << 17;
/// Bits of a guest policy that have a meaning.
const POLICY_BITS: u32 = 26;
