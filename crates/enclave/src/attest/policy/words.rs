//! A policy in plain words, and what in it deserves a second look.

use super::document::{Document, Firmware, Program};
use super::{Floor, HardwareClass, Policy};
use crate::attest::evidence::{AssuranceClass, Kind};
use exchange::DocumentClass;

impl Policy {
    /// What it takes, a line each, for those who sign it.
    pub fn explained(&self) -> Vec<String> {
        let document = &self.document;
        let (from, until) = (document.valid_from, document.valid_until);
        let mut lines =
            vec![format!("policy {}, in force from {from} until {until}", document.version)];
        lines.push("programs:".into());
        lines.extend(document.programs.iter().map(|row| format!("  {}", program(row))));
        lines.push("firmware:".into());
        lines.extend(document.firmware.iter().map(|row| format!("  {}", firmware(row))));
        lines.push("countries (no other is sealed for):".into());
        for row in &document.partners {
            let machines = match row.platforms.len() {
                _ if row.any_platform => "any machine at all".to_owned(),
                1 => "1 registered machine".to_owned(),
                count => format!("{count} registered machines"),
            };
            let dynamic =
                if row.dynamic_platform { ", also ones whose processors may change" } else { "" };
            lines.push(format!("  {}: {machines}{dynamic}", row.country));
        }
        lines.push("documents (no other is sealed):".into());
        for (class, floor) in &document.floors {
            lines.push(format!("  {} needs {}", class.name(), floor_words(*floor)));
        }
        lines
    }

    /// What is allowed on purpose or by mistake, a line each.
    pub fn warnings(&self) -> Vec<String> {
        let document = &self.document;
        let mut lines = Vec::new();
        for row in document.partners.iter().filter(|row| row.any_platform) {
            lines.push(format!(
                "{}: any machine will do; a key stolen from one processor anywhere (TEE.fail) is enough",
                row.country
            ));
        }
        for row in &document.firmware {
            let name = row.kind.name();
            if row.without_revocation_lists {
                lines.push(format!("{name}: taken without a look at revocation lists"));
            }
            if matches!(row.kind, Kind::Sgx | Kind::Tdx) && row.evaluation == 0 {
                lines.push(format!("{name}: collateral of any age is taken (no evaluation)"));
            }
            if !document.programs.iter().any(|program| program.kind == row.kind) {
                lines.push(format!("{name}: a firmware row, and no program of this kind"));
            }
        }
        for row in &document.programs {
            if !document.firmware.iter().any(|firmware| firmware.kind == row.kind) {
                lines.push(format!("{}: no firmware row for {}", row.name, row.kind.name()));
            }
        }
        lines.extend(unreachable(document));
        let silent: Vec<&str> = DocumentClass::all()
            .filter(|class| self.floor(*class).is_none())
            .map(DocumentClass::name)
            .collect();
        if !silent.is_empty() {
            lines.push(format!("no rule, so none is sealed: {}", silent.join(", ")));
        }
        lines
    }
}

/// Floors that no program of the policy reaches.
fn unreachable(document: &Document) -> impl Iterator<Item = String> {
    document.floors.iter().filter_map(|(class, floor)| {
        let reached = document.programs.iter().any(|program| reaches(program.kind, *floor));
        let name = floor.name();
        (!reached).then(|| format!("{}: no program of the list is {name}", class.name()))
    })
}

fn reaches(kind: Kind, floor: Floor) -> bool {
    match floor {
        Floor::Software => true,
        Floor::Tpm => kind.class() >= AssuranceClass::Tpm,
        Floor::Hardware(least) => HardwareClass::of(kind).is_some_and(|class| class >= least),
    }
}

fn program(row: &Program) -> String {
    let registers = row.registers.iter().map(|(name, value)| {
        let value = hex::encode(value);
        let zero = value.bytes().all(|digit| digit == b'0');
        match value.get(..16) {
            _ if zero => format!("{name} all zero"),
            Some(start) if value.len() > 20 => format!("{name} {start}..."),
            _ => format!("{name} {value}"),
        }
    });
    let events = row.events.iter().map(|(name, digests)| {
        let more = row.optional_events.get(name).map_or(0, Vec::len);
        let more = if more == 0 { String::new() } else { format!(" and {more} that may be") };
        format!("{name} by {} events{more}", digests.len())
    });
    let least = row.svn.iter().map(|(name, least)| format!("{name} at least {least}"));
    let parts: Vec<String> = registers.chain(events).chain(least).collect();
    format!("{}: {} with {}", row.name, row.kind.name(), parts.join(", "))
}

fn firmware(row: &Firmware) -> String {
    let mut parts = Vec::new();
    if !row.statuses.is_empty() {
        parts.push(row.statuses.join(" or "));
    }
    for (status, days) in &row.grace_days {
        parts.push(format!("{status} for {days} days after its date"));
    }
    if row.evaluation > 0 {
        parts.push(format!("evaluation at least {}", row.evaluation));
    }
    if !row.refused_advisories.is_empty() {
        parts.push(format!("none of {} open", row.refused_advisories.join(", ")));
    }
    parts.extend(row.svn.iter().map(|(name, least)| format!("{name} at least {least}")));
    if parts.is_empty() {
        parts.push("any".into());
    }
    let product = row.product.as_ref().map_or(String::new(), |product| format!(" {product}"));
    format!("{}{product}: {}", row.kind.name(), parts.join(", "))
}

fn floor_words(floor: Floor) -> &'static str {
    match floor {
        Floor::Software => "software: any program of the list",
        Floor::Tpm => "tpm: a TPM or hardware",
        Floor::Hardware(HardwareClass::Sgx) => "sgx: an enclave or a confidential virtual machine",
        Floor::Hardware(HardwareClass::Cvm) => "cvm: a confidential virtual machine",
    }
}
