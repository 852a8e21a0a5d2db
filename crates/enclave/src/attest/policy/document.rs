//! The policy's text: TOML after a first line that says what it is.

use std::collections::BTreeMap;

use exchange::{Country, DocumentClass};
use jiff::Timestamp;
use serde::Deserialize;

use super::Floor;
use super::quorum::MAX_POLICY;
use crate::attest::evidence::Kind;
use crate::attest::reason::{Reason, Refusal};

/// A policy whose form holds.
#[derive(Debug, Clone)]
pub(super) struct Document {
    pub version: u64,
    pub valid_from: Timestamp,
    pub valid_until: Timestamp,
    pub programs: Vec<Program>,
    pub firmware: Vec<Firmware>,
    pub partners: Vec<Partner>,
    pub floors: Vec<(DocumentClass, Floor)>,
}

/// A released program, by what its vendor's hardware measures.
#[derive(Debug, Clone)]
pub(super) struct Program {
    pub name: String,
    pub kind: Kind,
    pub registers: BTreeMap<String, Vec<u8>>,
    pub svn: BTreeMap<String, u64>,
}

/// What firmware is taken under programs of a kind.
#[derive(Debug, Clone)]
pub(super) struct Firmware {
    pub kind: Kind,
    pub product: Option<String>,
    pub statuses: Vec<String>,
    pub evaluation: u32,
    pub refused_advisories: Vec<String>,
    pub svn: BTreeMap<String, u64>,
    pub without_revocation_lists: bool,
}

/// A country's machines.
#[derive(Debug, Clone)]
pub(super) struct Partner {
    pub country: Country,
    pub platforms: Vec<String>,
    pub any_platform: bool,
    pub dynamic_platform: bool,
}

impl Document {
    pub(super) fn parse(text: &str) -> Result<Self, Refusal> {
        let malformed = |what: String| Refusal::new(Reason::PolicyMalformed, what);
        if text.len() > MAX_POLICY {
            return Err(Refusal::new(Reason::TooLarge, "policy"));
        }
        if text.lines().next() != Some(FIRST_LINE) {
            return Err(malformed(format!("the first line is not {FIRST_LINE:?}")));
        }
        let raw: Raw = toml::from_str(text).map_err(|e| malformed(e.message().to_owned()))?;
        raw.check().map_err(malformed)
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    version: u64,
    valid_from: Timestamp,
    valid_until: Timestamp,
    #[serde(default)]
    program: Vec<RawProgram>,
    #[serde(default)]
    firmware: Vec<RawFirmware>,
    #[serde(default)]
    partner: Vec<RawPartner>,
    #[serde(default)]
    document: Vec<RawDocument>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawProgram {
    name: String,
    kind: String,
    registers: BTreeMap<String, String>,
    #[serde(default)]
    svn: BTreeMap<String, u64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawFirmware {
    kind: String,
    product: Option<String>,
    #[serde(default)]
    statuses: Vec<String>,
    #[serde(default)]
    evaluation: u32,
    #[serde(default)]
    refused_advisories: Vec<String>,
    #[serde(default)]
    svn: BTreeMap<String, u64>,
    #[serde(default)]
    danger_without_revocation_lists: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawPartner {
    country: String,
    #[serde(default)]
    platforms: Vec<String>,
    #[serde(default)]
    danger_any_platform: bool,
    #[serde(default)]
    dynamic_platform: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawDocument {
    /// The XDS class code, such as 60591-5.
    class: String,
    floor: String,
}

impl Raw {
    fn check(self) -> Result<Document, String> {
        if self.valid_from >= self.valid_until {
            return Err("it ends before it begins".into());
        }
        let programs = collect(self.program, program)?;
        let firmware = collect(self.firmware, firmware)?;
        let partners = collect(self.partner, partner)?;
        let floors = collect(self.document, |row| {
            let class = DocumentClass::of_code(&row.class)
                .ok_or_else(|| format!("{:?} is no class of documents", row.class))?;
            let floor = Floor::parse(&row.floor);
            Ok((class, floor.ok_or_else(|| format!("{:?} is no class of assurance", row.floor))?))
        })?;
        once(&floors, |row| row.0.name().to_owned())?;
        once(&partners, |row| row.country.to_string())?;
        once(&programs, |row| row.name.clone())?;
        once(&firmware, |row| format!("{} {:?}", row.kind.name(), row.product))?;
        Ok(Document {
            version: self.version,
            valid_from: self.valid_from,
            valid_until: self.valid_until,
            programs,
            firmware,
            partners,
            floors,
        })
    }
}

fn collect<R, T>(rows: Vec<R>, parse: impl Fn(R) -> Result<T, String>) -> Result<Vec<T>, String> {
    rows.into_iter().map(parse).collect()
}

fn once<T>(rows: &[T], key: impl Fn(&T) -> String) -> Result<(), String> {
    let mut seen = std::collections::BTreeSet::new();
    match rows.iter().map(key).find(|key| !seen.insert(key.clone())) {
        Some(twice) => Err(format!("{twice} comes twice")),
        None => Ok(()),
    }
}

fn kind(name: &str) -> Result<Kind, String> {
    Kind::parse(name).ok_or_else(|| format!("{name:?} is no kind of evidence"))
}

fn program(row: RawProgram) -> Result<Program, String> {
    let kind = kind(&row.kind)?;
    let rows = REGISTERS.iter().find(|r| r.0 == kind).expect("because each kind has a row");
    let (needed, known) = (rows.1, rows.2);
    let mut registers = BTreeMap::new();
    for (name, value) in row.registers {
        if !needed.contains(&name.as_str()) && !known.contains(&name.as_str()) {
            return Err(format!("{}: {} has no register {name}", row.name, kind.name()));
        }
        let value = hex::decode(&value).map_err(|_| format!("{}: {name}", row.name))?;
        registers.insert(name, value);
    }
    if let Some(missing) = needed.iter().find(|name| !registers.contains_key(**name)) {
        return Err(format!("{}: without {missing} it is no measurement", row.name));
    }
    Ok(Program { name: row.name, kind, registers, svn: row.svn })
}

fn firmware(row: RawFirmware) -> Result<Firmware, String> {
    let kind = kind(&row.kind)?;
    if matches!(kind, Kind::Sgx | Kind::Tdx) && row.statuses.is_empty() {
        return Err(format!("firmware of {}: no status is taken", row.kind));
    }
    let parts: &[&str] = match (kind, row.product.as_deref()) {
        (Kind::Snp, Some("turin")) => &["fmc", "bootloader", "tee", "snp", "microcode"],
        (Kind::Snp, Some("milan" | "genoa")) => &["bootloader", "tee", "snp", "microcode"],
        (Kind::Snp, _) => return Err("firmware of snp: one row for each product".into()),
        _ => &[],
    };
    if let Some(missing) = parts.iter().find(|part| !row.svn.contains_key(**part)) {
        return Err(format!("firmware of {}: no floor for {missing}", row.kind));
    }
    Ok(Firmware {
        kind,
        product: row.product,
        statuses: row.statuses,
        evaluation: row.evaluation,
        refused_advisories: row.refused_advisories,
        svn: row.svn,
        without_revocation_lists: row.danger_without_revocation_lists,
    })
}

fn partner(row: RawPartner) -> Result<Partner, String> {
    let country = Country::parse(&row.country).map_err(|_| format!("country {:?}", row.country))?;
    if row.danger_any_platform != row.platforms.is_empty() {
        return Err(format!("{country}: either platforms or danger_any_platform"));
    }
    Ok(Partner {
        country,
        platforms: row.platforms,
        any_platform: row.danger_any_platform,
        dynamic_platform: row.dynamic_platform,
    })
}

/// (kind, registers that a measurement must name, further ones that it may name)
static REGISTERS: &[(Kind, &[&str], &[&str])] = &[
    (Kind::Software, &["binary"], &[]),
    (Kind::Tpm, &["pcrselection", "pcrdigest"], &[]),
    (Kind::Sgx, &["mrenclave"], &["mrsigner", "isvprodid", "attributes", "miscselect"]),
    (
        Kind::Tdx,
        &["mrtd", "rtmr0", "rtmr1", "rtmr2", "rtmr3"],
        &[
            "mrconfigid",
            "mrowner",
            "mrownerconfig",
            "mrseam",
            "tdattributes",
            "xfam",
            "mrservicetd",
        ],
    ),
    (
        Kind::Snp,
        &["measurement"],
        &["hostdata", "idkeydigest", "authorkeydigest", "familyid", "imageid", "guestpolicy"],
    ),
    (Kind::Nitro, &["pcr0", "pcr1", "pcr2"], &["pcr3", "pcr4", "pcr8"]),
];

/// Separates policies from anything else that a release key signs.
const FIRST_LINE: &str = "# konfido attestation policy v1";
