//! The rules: each looks at the claims and has at most one objection.

use jiff::{SignedDuration, Timestamp};

use super::Question;
use super::document::{Document, Firmware, Partner, Program};
use crate::attest::claims::{Claims, Revocation};
use crate::attest::event_log::Event;
use crate::attest::evidence::Kind;
use crate::attest::reason::{Reason, Refusal};

type Rule = fn(&Document, &Claims, &Question<'_>) -> Result<(), Refusal>;

/// In the order of their weight.
static RULES: &[Rule] = &[
    debug,
    migration,
    kind,
    time,
    report_data,
    measurement,
    status,
    evaluation,
    advisories,
    floor,
    revocation,
    platform,
    dynamic,
];

pub(super) fn objections(
    document: &Document,
    claims: &Claims,
    question: &Question<'_>,
) -> Vec<Refusal> {
    RULES.iter().filter_map(|rule| rule(document, claims, question).err()).collect()
}

/// The program that the measurements are of.
pub(super) fn release<'a>(document: &'a Document, claims: &Claims) -> Result<&'a str, Refusal> {
    let same = |program: &&Program| {
        program.kind == claims.kind
            && program.registers.iter().all(|(name, value)| {
                claims.measurements.get(name.as_str()).is_some_and(|found| found == value)
            })
            && program.svn.iter().all(|(name, least)| {
                claims.tcb.svn.get(name.as_str()).is_some_and(|found| found >= least)
            })
    };
    let mut why = Refusal::from(Reason::Measurement);
    for program in document.programs.iter().filter(same) {
        match events(program, claims) {
            Ok(()) => return Ok(&program.name),
            Err(refusal) => why = refusal,
        }
    }
    Err(why)
}

/// Where a program is named by its events: all of them, in their order, and no others. That an event
/// is there would say nothing alone: whoever was started instead can extend a good digest later on;
/// what it cannot do is to take back its own.
fn events(program: &Program, claims: &Claims) -> Result<(), Refusal> {
    if program.events.is_empty() {
        return Ok(());
    }
    let Some(log) = &claims.events else { return Err(Reason::EventLogMissing.into()) };
    for (register, needed) in &program.events {
        let optional = program.optional_events.get(register).map_or(&[][..], Vec::as_slice);
        let happened = log.iter().filter(|event| event.register == register);
        let mut happened = happened.filter(|event| !optional.contains(&event.digest));
        for digest in needed {
            let found = happened.next();
            if found.is_none_or(|event| event.digest != *digest) {
                return Err(differs(register, found, Some(digest)));
            }
        }
        if let Some(more) = happened.next() {
            return Err(differs(register, Some(more), None));
        }
    }
    Ok(())
}

/// What the log says of an event is the guest's word, and goes to nobody's log from here.
fn differs(register: &str, found: Option<&Event>, needed: Option<&[u8; 48]>) -> Refusal {
    let word = |digest: Option<&[u8; 48]>| digest.map_or("nothing".into(), hex::encode);
    let (found, needed) = (word(found.map(|event| &event.digest)), word(needed));
    Refusal::new(Reason::Events, format!("{register}: {found} was measured, not {needed}"))
}

fn debug(_: &Document, claims: &Claims, _: &Question<'_>) -> Result<(), Refusal> {
    if claims.debug { Err(Reason::Debug.into()) } else { Ok(()) }
}

fn migration(_: &Document, claims: &Claims, _: &Question<'_>) -> Result<(), Refusal> {
    if claims.migratable { Err(Reason::Migration.into()) } else { Ok(()) }
}

fn kind(document: &Document, claims: &Claims, _: &Question<'_>) -> Result<(), Refusal> {
    if document.firmware.iter().any(|row| row.kind == claims.kind) {
        return Ok(());
    }
    Err(Refusal::new(Reason::Kind, claims.kind.name()))
}

fn time(document: &Document, claims: &Claims, question: &Question<'_>) -> Result<(), Refusal> {
    if question.now < document.valid_from || question.now >= document.valid_until {
        return Err(Reason::PolicyTime.into());
    }
    if question.now < claims.valid_from || question.now > claims.valid_until {
        return Err(Reason::Expired.into());
    }
    Ok(())
}

/// A TPM has room for a part only, which must be at least a SHA-256's 32 bytes.
fn report_data(_: &Document, claims: &Claims, question: &Question<'_>) -> Result<(), Refusal> {
    let (found, asked) = (&claims.report_data, question.report_data);
    let same = match claims.kind {
        Kind::Tpm => found.len() >= 32 && asked.starts_with(found),
        _ => asked.len() >= 32 && found == asked,
    };
    if same { Ok(()) } else { Err(Reason::ReportData.into()) }
}

fn measurement(document: &Document, claims: &Claims, _: &Question<'_>) -> Result<(), Refusal> {
    release(document, claims).map(|_| ())
}

fn firmware<'a>(document: &'a Document, claims: &Claims) -> Result<&'a Firmware, Refusal> {
    let rows = || document.firmware.iter().filter(|row| row.kind == claims.kind);
    let product = Some(claims.platform.product.as_str());
    rows()
        .find(|row| row.product.as_deref() == product)
        .or_else(|| rows().find(|row| row.product.is_none()))
        .ok_or_else(|| {
            let detail = format!("no floor for {}", claims.platform.product);
            Refusal::new(Reason::TcbFloor, detail)
        })
}

fn status(document: &Document, claims: &Claims, question: &Question<'_>) -> Result<(), Refusal> {
    let Some(status) = &claims.tcb.status else { return Ok(()) };
    if firmware(document, claims)?.statuses.contains(status) {
        return Ok(());
    }
    match grace(document, claims) {
        None => Err(Refusal::new(Reason::TcbStatus, status)),
        Some(end) if question.now < end => Ok(()),
        Some(end) => Err(Refusal::new(Reason::Grace, format!("{status} was taken until {end}"))),
    }
}

/// When firmware of a status that is taken for some days only is refused: so many days after the
/// date up to which it had every fix (Intel's `platform_grace_period` counts from there, too).
pub(super) fn grace(document: &Document, claims: &Claims) -> Option<Timestamp> {
    let days = *firmware(document, claims).ok()?.grace_days.get(claims.tcb.status.as_ref()?)?;
    let from = claims.tcb.date?;
    Some(from.saturating_add(SignedDuration::from_hours(24 * i64::from(days))).unwrap_or(from))
}

fn evaluation(document: &Document, claims: &Claims, _: &Question<'_>) -> Result<(), Refusal> {
    let Some(evaluation) = claims.tcb.evaluation else { return Ok(()) };
    let least = firmware(document, claims)?.evaluation;
    if evaluation >= least {
        return Ok(());
    }
    Err(Refusal::new(Reason::Evaluation, format!("{evaluation} is below {least}")))
}

fn advisories(document: &Document, claims: &Claims, _: &Question<'_>) -> Result<(), Refusal> {
    let refused = &firmware(document, claims)?.refused_advisories;
    let found = claims.tcb.advisories.iter().find(|id| refused.contains(id));
    found.map_or(Ok(()), |id| Err(Refusal::new(Reason::Advisory, id)))
}

/// AMD's reported version is what a host chose to show; the committed one is what it cannot go
/// back behind. Both must stand at the floor.
fn floor(document: &Document, claims: &Claims, _: &Question<'_>) -> Result<(), Refusal> {
    for (name, least) in &firmware(document, claims)?.svn {
        let committed = format!("committed.{name}");
        let mut names = vec![name.as_str()];
        if claims.kind == Kind::Snp {
            names.push(&committed);
        }
        for name in names {
            let found = claims.tcb.svn.get(name).copied();
            if found.is_none_or(|found| found < *least) {
                let found = found.map_or("missing".into(), |found| found.to_string());
                let detail = format!("{name} is {found}, the floor is {least}");
                return Err(Refusal::new(Reason::TcbFloor, detail));
            }
        }
    }
    Ok(())
}

fn revocation(document: &Document, claims: &Claims, _: &Question<'_>) -> Result<(), Refusal> {
    if claims.revocation != Revocation::NotChecked
        || firmware(document, claims)?.without_revocation_lists
    {
        return Ok(());
    }
    Err(Reason::RevocationUnknown.into())
}

fn partner<'a>(document: &'a Document, question: &Question<'_>) -> Result<&'a Partner, Refusal> {
    let found = document.partners.iter().find(|row| row.country == question.country);
    found.ok_or_else(|| Refusal::new(Reason::Country, question.country.as_str()))
}

fn platform(document: &Document, claims: &Claims, question: &Question<'_>) -> Result<(), Refusal> {
    let partner = partner(document, question)?;
    let mut names = claims.platform.id.iter().chain(&claims.platform.others);
    if partner.any_platform || names.any(|name| partner.platforms.contains(name)) {
        return Ok(());
    }
    let name = claims.platform.id.as_deref().unwrap_or("a machine that hides its identity");
    Err(Refusal::new(Reason::Platform, name))
}

fn dynamic(document: &Document, claims: &Claims, question: &Question<'_>) -> Result<(), Refusal> {
    if claims.platform.dynamic != Some(true) || partner(document, question)?.dynamic_platform {
        return Ok(());
    }
    Err(Reason::DynamicPlatform.into())
}
