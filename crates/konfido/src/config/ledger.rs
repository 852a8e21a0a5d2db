//! `[ledger]`: the log of evidence, and how long evidence waits for its other half.

use std::time::Duration;

use gateway::node::NodeLimits;
use jiff::SignedDuration;

use super::reader::{Faults, Section, Span};

pub(super) struct Ledger {
    pub(super) origin: Option<String>,
    pub(super) receipt_deadline: SignedDuration,
}

/// `request` is how long a request may take, and where the file says so.
pub(super) fn read(
    section: Section<'_, '_>,
    (request, told): (Duration, Option<Span>),
    faults: &Faults,
) -> Ledger {
    let base = NodeLimits::default().receipt_deadline;
    let origin = section.optional::<String>("origin");
    if let Some(origin) =
        origin.as_ref().filter(|o| o.value.is_empty() || o.value.contains([' ', '+', '\n']))
    {
        faults.add(
            &origin.span,
            "origin is empty, or has a space or a plus",
            Some("as in \"ncp.example.dk/konfido\" (C2SP tlog-checkpoint)"),
        );
    }
    let deadline = section.optional::<u64>("receipt_deadline_seconds");
    // else evidence would be closed over requests that still run
    if let Some(short) = deadline.as_ref().filter(|found| found.value <= request.as_secs()) {
        faults.add(
            &short.span,
            "the deadline of receipts is not above request_seconds",
            Some("usually 900: how long evidence waits for its other half"),
        );
    }
    let default = base.unsigned_abs();
    if let Some(told) = told.filter(|_| deadline.is_none() && default <= request) {
        faults.add(
            &told,
            format!(
                "request_seconds is not below the deadline of receipts, which is {} unless told",
                default.as_secs()
            ),
            Some("set receipt_deadline_seconds of [ledger] above it"),
        );
    }
    section.end();
    Ledger {
        origin: origin.map(|origin| origin.value),
        receipt_deadline: deadline.map_or(base, |found| {
            SignedDuration::from_secs(i64::try_from(found.value).unwrap_or(i64::MAX))
        }),
    }
}
