//! The policy's text: TOML after a first line that says what it is.

mod fault;
mod rows;
mod shapes;

use std::collections::BTreeMap;

use exchange::{Country, DocumentClass};
use jiff::Timestamp;
use serde::Deserialize;
use toml::Spanned;

use super::Floor;
use super::quorum::MAX_POLICY;
use crate::attest::evidence::Kind;
use crate::attest::reason::{Reason, Refusal};
pub use fault::PolicyFault;
use rows::{RawDocument, RawFirmware, RawPartner, RawProgram};

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
    /// Registers by what was measured into them, in this order, and nothing else ...
    pub events: BTreeMap<String, Vec<[u8; 48]>>,
    /// ... but these, which may come anywhere.
    pub optional_events: BTreeMap<String, Vec<[u8; 48]>>,
    pub svn: BTreeMap<String, u64>,
}

/// What firmware is taken under programs of a kind.
#[derive(Debug, Clone)]
pub(super) struct Firmware {
    pub kind: Kind,
    pub product: Option<String>,
    pub statuses: Vec<String>,
    /// Further statuses, for so many days after the date of the firmware's level.
    pub grace_days: BTreeMap<String, u16>,
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
        if text.len() > MAX_POLICY {
            return Err(Refusal::new(Reason::TooLarge, "policy"));
        }
        Self::read(text).map_err(|fault| {
            let line = fault.line(text);
            Refusal::new(Reason::PolicyMalformed, format!("line {line}: {fault}"))
        })
    }

    pub(super) fn read(text: &str) -> Result<Self, PolicyFault> {
        let end = text.find('\n').unwrap_or(text.len());
        if text[..end] != *FIRST_LINE {
            let next = format!("begin with {FIRST_LINE:?}");
            return Err(PolicyFault::new("this is not the first line of a policy", next).at(0..end));
        }
        let raw: Raw = toml::from_str(text).map_err(|error| {
            let next = "see the template of `konfido attest policy new`";
            let fault = PolicyFault::new(error.message().trim(), next);
            fault.at(error.span().unwrap_or(0..end))
        })?;
        raw.check()
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    version: u64,
    valid_from: Timestamp,
    valid_until: Spanned<Timestamp>,
    #[serde(default)]
    program: Vec<Spanned<RawProgram>>,
    #[serde(default)]
    firmware: Vec<Spanned<RawFirmware>>,
    #[serde(default)]
    partner: Vec<Spanned<RawPartner>>,
    #[serde(default)]
    document: Vec<Spanned<RawDocument>>,
}

impl Raw {
    fn check(self) -> Result<Document, PolicyFault> {
        if self.valid_from >= *self.valid_until.get_ref() {
            let fault = PolicyFault::new("it ends before it begins", "let it end later");
            return Err(fault.at(self.valid_until.span()));
        }
        Ok(Document {
            version: self.version,
            valid_from: self.valid_from,
            valid_until: self.valid_until.into_inner(),
            programs: each(self.program, rows::program, |row| row.name.clone())?,
            firmware: each(self.firmware, rows::firmware, |row| {
                let product = row.product.as_deref().unwrap_or("machines of any product");
                format!("{}, {product}", row.kind.name())
            })?,
            partners: each(self.partner, rows::partner, |row| row.country.to_string())?,
            floors: each(self.document, rows::floor, |row| row.0.name().to_owned())?,
        })
    }
}

/// Reads rows, no two under one name.
fn each<R, T>(
    rows: Vec<Spanned<R>>,
    parse: impl Fn(R) -> Result<T, PolicyFault>,
    name: impl Fn(&T) -> String,
) -> Result<Vec<T>, PolicyFault> {
    let mut seen = std::collections::BTreeSet::new();
    let read = rows.into_iter().map(|row| {
        let span = row.span();
        let read = parse(row.into_inner()).map_err(|fault| fault.or_at(&span))?;
        if seen.insert(name(&read)) {
            return Ok(read);
        }
        let twice = format!("{} comes twice", name(&read));
        Err(PolicyFault::new(twice, "leave one of the two rows out").at(span))
    });
    read.collect()
}

/// Separates policies from anything else that a release key signs.
pub(super) const FIRST_LINE: &str = "# konfido attestation policy v1";
