//! What a VCEK or VLEK says of its chip: product, TCB, hardware id or cloud (57230, §3.1).

use super::super::der;
use super::{Endorsement, entry, svn};

/// A processor family.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Product {
    /// EPYC 7003.
    Milan,
    /// EPYC 9004.
    Genoa,
    /// EPYC 9005: another order of TCB bytes, and hardware ids of 8 bytes.
    Turin,
}

impl Product {
    /// All families.
    pub const ALL: [Self; 3] = [Self::Milan, Self::Genoa, Self::Turin];

    /// As AMD's certificates name it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Milan => "Milan",
            Self::Genoa => "Genoa",
            Self::Turin => "Turin",
        }
    }

    /// Family, model and stepping, as reports of version 3 and later carry them.
    pub fn cpuid(self) -> [u8; 3] {
        match self {
            Self::Milan => [0x19, 0x01, 0x01],
            Self::Genoa => [0x19, 0x11, 0x01],
            Self::Turin => [0x1a, 0x02, 0x01],
        }
    }

    /// How many bytes of the chip's id the certificate carries.
    pub fn hardware_id_len(self) -> usize {
        if self == Self::Turin { 8 } else { 64 }
    }
}

/// Versions of the firmware parts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tcb {
    /// Only Turin has it.
    pub fmc: u8,
    /// Boot loader.
    pub boot_loader: u8,
    /// Trusted execution environment of the secure processor.
    pub tee: u8,
    /// SNP firmware.
    pub snp: u8,
    /// Microcode.
    pub microcode: u8,
}

impl Default for Tcb {
    fn default() -> Self {
        Self { fmc: 1, boot_loader: 10, tee: 1, snp: 25, microcode: 84 }
    }
}

impl Tcb {
    /// TCB_VERSION (56860, table 3): Turin begins with the FMC.
    pub fn raw(self, product: Product) -> [u8; 8] {
        let Self { fmc, boot_loader, tee, snp, microcode } = self;
        match product {
            Product::Turin => [fmc, boot_loader, tee, snp, 0, 0, 0, microcode],
            _ => [boot_loader, tee, 0, 0, 0, 0, snp, microcode],
        }
    }
}

/// What AMD's extensions in a certificate say. All fields may be changed.
#[derive(Debug, Clone)]
pub struct Chip {
    /// "Milan-B0", "Genoa", …
    pub product: String,
    /// The TCB that the key is derived from.
    pub tcb: Tcb,
    /// FMC is part of it.
    pub has_fmc: bool,
    /// Hardware id: only in a VCEK.
    pub hardware_id: Option<Vec<u8>>,
    /// The cloud: only in a VLEK.
    pub cloud: Option<String>,
}

/// The invented chip.
pub(super) const CHIP_ID: [u8; 64] = [0xc4; 64];

impl Chip {
    pub(super) fn new(product: Product, endorsement: Endorsement) -> Self {
        let vcek = endorsement == Endorsement::Vcek;
        let revision = if product == Product::Milan { "-B0" } else { "" };
        Self {
            product: format!("{}{revision}", product.name()),
            tcb: Tcb::default(),
            has_fmc: product == Product::Turin,
            hardware_id: vcek.then(|| CHIP_ID[..product.hardware_id_len()].to_vec()),
            cloud: (!vcek).then(|| "Invented Cloud".to_owned()),
        }
    }

    pub(super) fn extensions(&self) -> Vec<(String, bool, Vec<u8>)> {
        let mut out = vec![svn("1", 0), entry("2", der::ia5(&self.product))];
        if self.has_fmc {
            out.push(svn("3.9", self.tcb.fmc));
        }
        out.extend([
            svn("3.1", self.tcb.boot_loader),
            svn("3.2", self.tcb.tee),
            svn("3.3", self.tcb.snp),
        ]);
        out.extend(["3.4", "3.5", "3.6", "3.7"].map(|spare| svn(spare, 0)));
        out.push(svn("3.8", self.tcb.microcode));
        // the id stands there bare, without a tag of its own
        out.extend(self.hardware_id.clone().map(|id| entry("4", id)));
        out.extend(self.cloud.as_deref().map(|name| entry("5", der::ia5(name))));
        out
    }
}
