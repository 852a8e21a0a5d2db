//! The rows of a policy: what each kind of evidence needs to be named.

use std::collections::BTreeMap;

use exchange::{Country, DocumentClass};
use serde::Deserialize;
use toml::Spanned;

use super::fault::PolicyFault;
use super::shapes::{ANY, Shape};
use super::{Firmware, Floor, Partner, Program};
use crate::attest::event_log::REGISTERS as RTMRS;
use crate::attest::evidence::Kind;

type Hexadecimal = Spanned<String>;
type Lists = BTreeMap<String, Vec<Hexadecimal>>;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawProgram {
    name: String,
    kind: Spanned<String>,
    registers: BTreeMap<String, Hexadecimal>,
    #[serde(default)]
    events: Lists,
    #[serde(default)]
    optional_events: Lists,
    #[serde(default)]
    svn: BTreeMap<String, u64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawFirmware {
    kind: Spanned<String>,
    product: Option<String>,
    #[serde(default)]
    statuses: Vec<Spanned<String>>,
    #[serde(default)]
    grace_days: BTreeMap<String, Spanned<u16>>,
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
pub(super) struct RawPartner {
    country: Spanned<String>,
    #[serde(default)]
    platforms: Vec<String>,
    #[serde(default)]
    danger_any_platform: bool,
    #[serde(default)]
    dynamic_platform: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawDocument {
    /// The XDS class code, such as 60591-5.
    class: Spanned<String>,
    floor: Spanned<String>,
}

fn fault<T>(what: impl Into<String>, next: impl Into<String>) -> Result<T, PolicyFault> {
    Err(PolicyFault::new(what, next))
}

fn kind(name: &Spanned<String>) -> Result<Kind, PolicyFault> {
    Kind::parse(name.get_ref()).ok_or_else(|| {
        let what = format!("{:?} is no kind of evidence", name.get_ref());
        let next = "write one of software, tpm, sgx, tdx, snp, nitro";
        PolicyFault::new(what, next).at(name.span())
    })
}

pub(super) fn program(row: RawProgram) -> Result<Program, PolicyFault> {
    let kind = kind(&row.kind)?;
    let shape = Shape::of(kind);
    let registers = registers(shape, row.registers)?;
    let events = lists(kind, row.events)?;
    let optional_events = lists(kind, row.optional_events)?;
    let twice = events.keys().find(|name| registers.contains_key(*name));
    if let Some(name) = twice {
        let next = "name either its value or its events";
        return fault(format!("{name} is in registers and in events"), next);
    }
    if let Some(name) = optional_events.keys().find(|name| !events.contains_key(*name)) {
        let what = format!("{name} has optional events and no list of events");
        return fault(what, "an empty list under events says that nothing else is needed");
    }
    let both = optional_events.iter().find_map(|(name, may)| {
        may.iter().find(|digest| events[name].contains(digest)).map(|digest| (name, digest))
    });
    if let Some((name, digest)) = both {
        let what = format!("{name}: {} is in events and in optional_events", hex::encode(digest));
        return fault(what, "an event is either needed or not");
    }
    let told = |name: &&str| registers.contains_key(*name) || events.contains_key(*name);
    if let Some((missing, _)) = shape.needed.iter().find(|(name, _)| !told(name)) {
        let what = format!("{}: without {missing} it is no measurement", row.name);
        return fault(what, "`konfido attest explain FILE` shows all registers of a quote");
    }
    Ok(Program { name: row.name, kind, registers, events, optional_events, svn: row.svn })
}

fn registers(
    shape: &Shape,
    found: BTreeMap<String, Hexadecimal>,
) -> Result<BTreeMap<String, Vec<u8>>, PolicyFault> {
    let known = || shape.needed.iter().chain(shape.further);
    let read = found.into_iter().map(|(name, value)| {
        let span = value.span();
        let Some((_, bytes)) = known().find(|known| known.0 == name) else {
            let names: Vec<&str> = known().map(|known| known.0).collect();
            let what = format!("{} has no register {name}", shape.kind.name());
            return fault(what, format!("it has {}", names.join(", "))).map_err(|f| f.at(span));
        };
        let decoded = hex::decode(value.get_ref()).ok();
        match decoded.filter(|value| *bytes == ANY || value.len() == *bytes) {
            Some(decoded) => Ok((name, decoded)),
            None if *bytes == ANY => {
                fault(format!("{name} is not hexadecimal"), "").map_err(|f| f.at(span))
            }
            None => {
                let next = format!("write {} hexadecimal digits", bytes * 2);
                fault(format!("{name} is no value of this register"), next).map_err(|f| f.at(span))
            }
        }
    });
    read.collect()
}

fn lists(kind: Kind, found: Lists) -> Result<BTreeMap<String, Vec<[u8; 48]>>, PolicyFault> {
    if kind != Kind::Tdx && !found.is_empty() {
        return fault("only a TDX guest has events", "name its registers");
    }
    let read = found.into_iter().map(|(name, digests)| {
        if !RTMRS.contains(&name.as_str()) {
            return fault(format!("{name} has no events"), format!("{} have", RTMRS.join(", ")));
        }
        let digests = digests.iter().map(|digest| {
            let decoded = hex::decode(digest.get_ref()).ok();
            decoded.and_then(|bytes| bytes.try_into().ok()).ok_or_else(|| {
                let what = format!("{name}: this is no digest of an event");
                PolicyFault::new(what, "write 96 hexadecimal digits").at(digest.span())
            })
        });
        Ok((name.clone(), digests.collect::<Result<_, _>>()?))
    });
    read.collect()
}

pub(super) fn firmware(row: RawFirmware) -> Result<Firmware, PolicyFault> {
    let kind = kind(&row.kind)?;
    let intel = matches!(kind, Kind::Sgx | Kind::Tdx);
    if intel && row.statuses.is_empty() {
        let what = format!("firmware of {}: no status is taken", kind.name());
        return fault(what, "write statuses = [\"UpToDate\"], and more only on purpose");
    }
    if !intel && (!row.statuses.is_empty() || !row.grace_days.is_empty()) {
        let what = format!("firmware of {} has no status", kind.name());
        return fault(what, "name floors under svn");
    }
    if let Some(unknown) = row.statuses.iter().find(|s| !STATUSES.contains(&s.get_ref().as_str())) {
        let what = format!("{:?} is no status that can be taken", unknown.get_ref());
        return fault(what, format!("Intel has {}", STATUSES.join(", ")))
            .map_err(|f| f.at(unknown.span()));
    }
    let statuses: Vec<String> = row.statuses.into_iter().map(Spanned::into_inner).collect();
    let grace_days = grace(row.grace_days, &statuses)?;
    let parts: &[&str] = match (kind, row.product.as_deref()) {
        (Kind::Snp, Some("turin")) => &["fmc", "bootloader", "tee", "snp", "microcode"],
        (Kind::Snp, Some("milan" | "genoa")) => &["bootloader", "tee", "snp", "microcode"],
        (Kind::Snp, _) => {
            let next = "write product = \"milan\", \"genoa\" or \"turin\"";
            return fault("firmware of snp: one row for each product", next);
        }
        _ => &[],
    };
    if let Some(missing) = parts.iter().find(|part| !row.svn.contains_key(**part)) {
        let what = format!("firmware of {}: no floor for {missing}", kind.name());
        return fault(what, format!("name all of {} under svn", parts.join(", ")));
    }
    Ok(Firmware {
        kind,
        product: row.product,
        statuses,
        grace_days,
        evaluation: row.evaluation,
        refused_advisories: row.refused_advisories,
        svn: row.svn,
        without_revocation_lists: row.danger_without_revocation_lists,
    })
}

fn grace(
    found: BTreeMap<String, Spanned<u16>>,
    statuses: &[String],
) -> Result<BTreeMap<String, u16>, PolicyFault> {
    let read = found.into_iter().map(|(status, days)| {
        if !OUT_OF_DATE.contains(&status.as_str()) {
            let next = format!("days are counted for {}", OUT_OF_DATE.join(", "));
            return fault(format!("no grace for {status:?}"), next).map_err(|f| f.at(days.span()));
        }
        if statuses.contains(&status) {
            let next = "take it out of statuses, or leave the days out";
            return fault(format!("{status} is taken for ever already"), next)
                .map_err(|f| f.at(days.span()));
        }
        Ok((status, days.into_inner()))
    });
    read.collect()
}

pub(super) fn partner(row: RawPartner) -> Result<Partner, PolicyFault> {
    let Ok(country) = Country::parse(row.country.get_ref()) else {
        let what = format!("{:?} is no country", row.country.get_ref());
        return fault(what, "write its two letters, such as \"ES\"")
            .map_err(|f| f.at(row.country.span()));
    };
    if row.danger_any_platform != row.platforms.is_empty() {
        let what = format!("{country}: either platforms or danger_any_platform");
        return fault(what, "list its registered machines as `konfido attest explain` names them");
    }
    Ok(Partner {
        country,
        platforms: row.platforms,
        any_platform: row.danger_any_platform,
        dynamic_platform: row.dynamic_platform,
    })
}

pub(super) fn floor(row: RawDocument) -> Result<(DocumentClass, Floor), PolicyFault> {
    let Some(class) = DocumentClass::of_code(row.class.get_ref()) else {
        let what = format!("{:?} is no class of documents", row.class.get_ref());
        return fault(what, "write an XDS class code, such as \"60591-5\" (Patient Summary)")
            .map_err(|f| f.at(row.class.span()));
    };
    let Some(floor) = Floor::parse(row.floor.get_ref()) else {
        let what = format!("{:?} is no class of assurance", row.floor.get_ref());
        return fault(what, "write software, tpm, sgx or cvm").map_err(|f| f.at(row.floor.span()));
    };
    Ok((class, floor))
}

/// Intel's words on firmware (Intel PCS API v4, `tcbStatus`) that a policy can take: never `Revoked`.
static STATUSES: &[&str] = &[
    "UpToDate",
    "SWHardeningNeeded",
    "ConfigurationNeeded",
    "ConfigurationAndSWHardeningNeeded",
    "OutOfDate",
    "OutOfDateConfigurationNeeded",
    "TDRelaunchAdvised",
    "TDRelaunchAdvisedConfigurationNeeded",
];
/// Those that time makes of sound firmware.
static OUT_OF_DATE: &[&str] = &["OutOfDate", "OutOfDateConfigurationNeeded"];
