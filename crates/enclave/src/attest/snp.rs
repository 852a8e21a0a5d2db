//! AMD SEV-SNP attestation reports (AMD 56860, "SEV Secure Nested Paging Firmware ABI
//! Specification"), verified by our own code on aws-lc-rs.

mod chain;
mod crl;
mod extension;
mod report;

use std::collections::BTreeMap;

use aws_lc_rs::signature::{ECDSA_P384_SHA384_FIXED, UnparsedPublicKey};
use jiff::Timestamp;

use super::claims::{Claims, Platform, Revocation, Tcb};
use super::collateral::Collateral;
use super::evidence::Kind;
use super::reason::{Reason, Refusal};
use super::roots::Roots;
use chain::Endorsement;
pub(super) use chain::authority;
pub use report::REPORT_BYTES;
use report::{Report, Signer};

/// A generation of processors: each has a root of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Product {
    /// Third generation EPYC.
    Milan,
    /// Fourth generation EPYC: Genoa, and Bergamo and Siena under the same root.
    Genoa,
    /// Fifth generation EPYC.
    Turin,
}

impl Product {
    /// Its name in policies and outputs.
    pub fn name(self) -> &'static str {
        match self {
            Self::Milan => "milan",
            Self::Genoa => "genoa",
            Self::Turin => "turin",
        }
    }

    /// By CPUID family and model, as reports since version 3 say them.
    fn of_cpuid(family: u8, model: u8) -> Option<Self> {
        match (family, model) {
            (0x19, 0x00..=0x0f) => Some(Self::Milan),
            (0x19, 0x10..=0x1f | 0xa0..=0xaf) => Some(Self::Genoa),
            (0x1a, 0x00..=0x1f) => Some(Self::Turin),
            _ => None,
        }
    }

    /// By the product name in a certificate: `Milan-B0`, `Genoa`, `Turin`.
    fn of_name(name: &str) -> Option<Self> {
        match name.split('-').next()? {
            "Milan" => Some(Self::Milan),
            "Genoa" | "Siena" | "Bergamo" => Some(Self::Genoa),
            "Turin" => Some(Self::Turin),
            _ => None,
        }
    }
}

/// Verifies a report, the certificate that signed it, and that both speak of the same chip.
pub(super) fn verify(
    blob: &[u8],
    collateral: &Collateral,
    roots: &Roots,
    now: Timestamp,
) -> Result<Claims, Refusal> {
    let report = Report::parse(blob)?;
    let Collateral::Amd(collateral) = collateral else {
        return Err(Reason::CollateralMissing.into());
    };
    let mut endorsement = Endorsement::verify(&collateral.certificates, report.signer, roots, now)?;
    if report.product.is_some_and(|product| product != endorsement.product) {
        return Err(Reason::ProductMismatch.into());
    }
    let (revocation, until) = crl::check(&collateral.crls, &endorsement, now)?;
    endorsement.valid_until = endorsement.valid_until.min(until);
    UnparsedPublicKey::new(&ECDSA_P384_SHA384_FIXED, &endorsement.key)
        .verify(report.signed(), &report.signature)
        .map_err(|_| Reason::Signature)?;
    bind(&report, &endorsement)?;
    if report.vmpl != 0 {
        return Err(Refusal::new(Reason::Vmpl, format!("privilege level {}", report.vmpl)));
    }
    Ok(claims(&report, &endorsement, revocation))
}

/// The certificate must be of this chip at this firmware, else an old chip vouches for a new one.
fn bind(report: &Report, endorsement: &Endorsement) -> Result<(), Refusal> {
    let (product, levels) = (endorsement.product, &endorsement.levels);
    for (name, value) in report.reported.levels(product) {
        if levels.get(name) != Some(&u64::from(value)) {
            return Err(Refusal::new(Reason::TcbMismatch, name));
        }
    }
    let Some(chip) = &endorsement.chip else { return Ok(()) };
    // Turin's identity has 8 bytes; the rest of the report's field is zero
    let same = report.chip_id.starts_with(chip)
        && report.chip_id[chip.len()..].iter().all(|byte| *byte == 0);
    if same { Ok(()) } else { Err(Reason::ChipMismatch.into()) }
}

/// What a report says, with nothing verified. Version 2 does not say of which product it is, and
/// its firmware's versions are left out.
pub(super) fn preview(blob: &[u8]) -> Result<Claims, Refusal> {
    let report = Report::parse(blob)?;
    Ok(body(&report, report.product))
}

fn claims(report: &Report, endorsement: &Endorsement, revocation: Revocation) -> Claims {
    let mut claims = body(report, Some(endorsement.product));
    // a VLEK's certificate names no chip, and what the report says of it is signed all the same
    if let Some(chip) = &endorsement.chip {
        claims.platform.id = Some(chip_name(chip));
    }
    claims.platform.others =
        endorsement.provider.iter().map(|id| format!("snp-provider:{id}")).collect();
    claims.revocation = revocation;
    claims.valid_from = endorsement.valid_from;
    claims.valid_until = endorsement.valid_until;
    claims
}

fn body(report: &Report, product: Option<Product>) -> Claims {
    let mut svn = BTreeMap::from([("guestsvn", u64::from(report.guest_svn))]);
    for (tcb, prefix) in
        [(report.reported, 0), (report.committed, 1), (report.current, 2), (report.launch, 3)]
    {
        let parts = product.into_iter().flat_map(|product| tcb.named(product, prefix));
        svn.extend(parts.map(|(name, value)| (name, u64::from(value))));
    }
    let hidden = report.chip_id.iter().all(|byte| *byte == 0);
    Claims {
        measurements: BTreeMap::from([
            ("measurement", report.measurement.to_vec()),
            ("hostdata", report.host_data.to_vec()),
            ("idkeydigest", report.id_key_digest.to_vec()),
            ("authorkeydigest", report.author_key_digest.to_vec()),
            ("familyid", report.family_id.to_vec()),
            ("imageid", report.image_id.to_vec()),
            ("guestpolicy", report.policy.to_le_bytes().to_vec()),
        ]),
        report_data: report.report_data.to_vec(),
        debug: report.policy & POLICY_DEBUG != 0,
        migratable: report.policy & POLICY_MIGRATE != 0,
        tcb: Tcb { svn, ..Tcb::default() },
        platform: Platform {
            id: (!hidden).then(|| chip_name(&report.chip_id)),
            product: product.map_or("unknown", Product::name).into(),
            smt: Some(report.platform_info & PLATFORM_SMT != 0),
            ..Platform::default()
        },
        ..Claims::of(Kind::Snp)
    }
}

fn chip_name(chip: &[u8]) -> String {
    format!("snp-chip:{}", hex::encode(chip))
}

impl Signer {
    /// The common name of a certificate of such a key, and that of its issuer up to the product.
    fn names(self) -> (&'static str, &'static str) {
        match self {
            Self::Vcek => ("CN=SEV-VCEK", "CN=SEV-"),
            Self::Vlek => ("CN=SEV-VLEK", "CN=SEV-VLEK-"),
        }
    }
}

/// Guest policy, table 9: a debugger may attach.
const POLICY_DEBUG: u64 = 1 << 19;
/// Guest policy, table 9: a migration agent may take the guest elsewhere.
const POLICY_MIGRATE: u64 = 1 << 18;
/// `PLATFORM_INFO.SMT_EN`, table 24.
const PLATFORM_SMT: u64 = 1;
