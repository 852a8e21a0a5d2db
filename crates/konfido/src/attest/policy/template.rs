//! A policy to begin with: commented, and as strict as there is.

use std::fmt::Write as _;
use std::path::Path;

use anyhow::anyhow;
use enclave::attest::{Claims, Evidence, Kind, preview};
use exchange::{Country, DocumentClass};
use jiff::{SignedDuration, Timestamp};

use crate::attest::input::EvidenceArgs;

/// What it is filled with.
pub struct Source<'a> {
    pub evidence: Option<&'a Path>,
    pub kind: Option<&'a str>,
    pub event_log: Option<&'a Path>,
    pub country: Option<Country>,
}

/// The text of a policy, not signed.
pub fn policy(source: &Source<'_>, now: Timestamp) -> anyhow::Result<String> {
    let said = source.evidence.map(|file| said(source, file)).transpose()?;
    let from = Timestamp::from_second(now.as_second())?;
    let until = from + SignedDuration::from_hours(24 * DAYS);
    let mut out = format!(
        "# konfido attestation policy v1\n\
         # What our vault takes of other countries' vaults. What is not named here is refused.\n\
         # Check it: konfido attest policy check FILE. Then k of n release keys sign it.\n\
         version = 1                              # higher than the one before; an older one is refused\n\
         valid_from = \"{from}\"\n\
         valid_until = \"{until}\"     # {DAYS} days: whoever forgets it stops sealing\n"
    );
    let kind = said.as_ref().map_or(Kind::Tdx, |claims| claims.kind);
    out += PROGRAMS;
    out += &said.as_ref().map_or_else(example, program);
    out += FIRMWARE;
    out += &firmware(kind, said.as_ref());
    out += COUNTRIES;
    let country = source.country.map_or("ES".to_owned(), |country| country.to_string());
    let machine = said.as_ref().and_then(|claims| claims.platform.id.clone());
    let machine = machine.unwrap_or_else(|| format!("{}{}", machines(kind), "0".repeat(32)));
    if kind == Kind::Software {
        let _ = writeln!(
            out,
            "[[partner]]\ncountry = \"{country}\"\ndanger_any_platform = true      # no machine has a name in this evidence"
        );
    } else {
        let _ = writeln!(out, "[[partner]]\ncountry = \"{country}\"\nplatforms = [\"{machine}\"]");
        if matches!(kind, Kind::Sgx | Kind::Tdx) {
            let dynamic = said.as_ref().is_some_and(|claims| claims.platform.dynamic == Some(true));
            let _ = writeln!(
                out,
                "dynamic_platform = {dynamic:<5}               # true where processors may be exchanged: every cloud"
            );
        }
    }
    out += DOCUMENTS;
    for class in DocumentClass::all() {
        let (code, name, floor) = (class.code(), class.name(), kind.class().name());
        let _ = writeln!(
            out,
            "[[document]]\nclass = \"{code}\"{:pad$}# {name}\nfloor = \"{floor}\"",
            "",
            pad = 18_usize.saturating_sub(code.len())
        );
    }
    Ok(out)
}

fn said(source: &Source<'_>, file: &Path) -> anyhow::Result<Claims> {
    let input = EvidenceArgs {
        file: file.to_owned(),
        kind: source.kind.map(str::to_owned),
        event_log: source.event_log.map(Path::to_owned),
    };
    let evidence: Evidence = input.read()?;
    preview(&evidence).map_err(|refusal| anyhow!("{}: {refusal}", file.display()))
}

/// The registers that its kind needs; those of a TDX guest with a log that boot loader and kernel
/// fill, by their events.
fn program(claims: &Claims) -> String {
    let kind = claims.kind;
    let by_events = |name: &str| claims.events.is_some() && BY_EVENTS.contains(&name);
    let mut out = format!(
        "[[program]]\nname = \"vault {}\"\nkind = \"{}\"\n",
        env!("CARGO_PKG_VERSION"),
        kind.name()
    );
    let needed: Vec<String> = needed(kind)
        .iter()
        .filter(|name| !by_events(name))
        .filter_map(|name| {
            Some(format!("{name} = \"{}\"", hex::encode(claims.measurements.get(name)?)))
        })
        .collect();
    let _ = writeln!(out, "registers = {{ {} }}", needed.join(", "));
    let Some(events) = &claims.events else { return out };
    for register in BY_EVENTS {
        let _ = writeln!(out, "events.{register} = [");
        for event in events.iter().filter(|event| event.register == register) {
            let words = format!("{} {}", event.kind_name(), event.says);
            let _ = writeln!(out, "  \"{}\", # {}", hex::encode(event.digest), words.trim_end());
        }
        out += "]\n";
    }
    out
}

fn example() -> String {
    let zero = "0".repeat(96);
    format!(
        "# konfido attest policy new --evidence FILE fills this in.\n\
         [[program]]\nname = \"vault {}\"\nkind = \"tdx\"\n\
         registers = {{ mrtd = \"{zero}\", rtmr0 = \"{zero}\", rtmr1 = \"{zero}\", rtmr2 = \"{zero}\", rtmr3 = \"{zero}\" }}\n",
        env!("CARGO_PKG_VERSION")
    )
}

fn firmware(kind: Kind, said: Option<&Claims>) -> String {
    let name = kind.name();
    match kind {
        Kind::Sgx | Kind::Tdx => format!(
            "[[firmware]]\nkind = \"{name}\"\nstatuses = [\"UpToDate\"]\n\
             # grace_days = {{ OutOfDate = 30 }}      # counted from the date of the machine's TCB level\n\
             evaluation = 17                        # tcbEvaluationDataNumber, at least\n\
             refused_advisories = []\n"
        ),
        Kind::Snp => {
            let product = said.map_or("", |claims| claims.platform.product.as_str());
            let product = if product.is_empty() { "milan" } else { product };
            let parts: &[&str] = match product {
                "turin" => &["fmc", "bootloader", "tee", "snp", "microcode"],
                _ => &["bootloader", "tee", "snp", "microcode"],
            };
            // what this machine has, and cannot go back behind
            let has = |name: &str| said.and_then(|claims| claims.tcb.svn.get(name).copied());
            let floors = parts.iter().map(|part| {
                let committed = has(&format!("committed.{part}"));
                let least = has(part).min(committed).unwrap_or(0);
                format!("{part} = {least}")
            });
            let floors = floors.collect::<Vec<_>>().join(", ");
            format!("[[firmware]]\nkind = \"snp\"\nproduct = \"{product}\"\nsvn = {{ {floors} }}\n")
        }
        Kind::Software | Kind::Tpm | Kind::Nitro => format!("[[firmware]]\nkind = \"{name}\"\n"),
    }
}

fn needed(kind: Kind) -> &'static [&'static str] {
    match kind {
        Kind::Software => &["binary"],
        Kind::Tpm => &["pcrselection", "pcrdigest"],
        Kind::Sgx => &["mrenclave"],
        Kind::Tdx => &["mrtd", "rtmr0", "rtmr1", "rtmr2", "rtmr3"],
        Kind::Snp => &["measurement"],
        Kind::Nitro => &["pcr0", "pcr1", "pcr2"],
    }
}

fn machines(kind: Kind) -> &'static str {
    match kind {
        Kind::Snp => "snp-chip:",
        Kind::Tpm => "tpm-key:",
        Kind::Nitro => "nitro-instance:",
        _ => "intel-ppid:",
    }
}

/// What boot loader and kernel are measured into.
const BY_EVENTS: [&str; 2] = ["rtmr1", "rtmr2"];
const DAYS: i64 = 90;
const PROGRAMS: &str = "\n# Released programs. Each register must be the same. A TDX register may be named by its events\n\
    # instead: events.rtmr2 = [...] are all that was measured into it, in this order;\n\
    # optional_events.rtmr2 = [...] may be among them.\n";
const FIRMWARE: &str = "\n# Firmware: one row for each kind of evidence that is taken; for snp one for each product.\n";
const COUNTRIES: &str =
    "\n# Countries and their registered machines, as `konfido attest verify` names them.\n";
const DOCUMENTS: &str = "\n# How much each class of documents asks for: software < tpm < sgx < cvm. No row, no document.\n";
