//! `[ledger]`: the log of evidence, how long evidence waits for its other half, and where it is shared.

use std::path::{Path, PathBuf};
use std::time::Duration;

use gateway::background::share::Shared;
use gateway::node::NodeLimits;
use gateway::strict::Terms;
use jiff::SignedDuration;

use super::reader::{Faults, Section, Span};

pub(super) struct Ledger {
    pub(super) origin: Option<String>,
    pub(super) receipt_deadline: SignedDuration,
    pub(super) shared: Option<Shared>,
    pub(super) strict: Terms,
}

/// `request` is how long a request may take, and where the file says so.
pub(super) fn read(
    section: Section<'_, '_>,
    folder: &Path,
    (request, told): (Duration, Option<Span>),
    faults: &Faults,
) -> Ledger {
    let usual = NodeLimits::default().receipt_deadline;
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
    let default = usual.unsigned_abs();
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
    let socket = section.optional::<PathBuf>("validator");
    let blocks = section.optional::<u64>("half_deadline_blocks");
    if let Some(alone) = blocks.as_ref().filter(|_| socket.is_none()) {
        faults.add(&alone.span, "half_deadline_blocks goes with validator", None);
    }
    let wait = section.optional::<u64>("strict_wait_seconds");
    if let Some(long) = wait.as_ref().filter(|found| found.value >= request.as_secs()) {
        faults.add(&long.span, "the wait for a key is not below request_seconds", None);
    }
    let offer = section.optional::<u64>("offer_deadline_blocks");
    if let Some(alone) = offer.as_ref().filter(|_| socket.is_none()) {
        faults.add(&alone.span, "offer_deadline_blocks goes with validator", None);
    }
    let base = Terms::default();
    let strict = Terms {
        wait: wait.map_or(base.wait.min(request / 2), |found| Duration::from_secs(found.value)),
        blocks: offer.map_or(base.blocks, |found| found.value),
    };
    section.end();
    let ahead = blocks.map_or(HALF_DEADLINE, |found| found.value);
    Ledger {
        strict,
        shared: socket.map(|at| Shared { socket: folder.join(at.value), deadline: ahead }),
        origin: origin.map(|origin| origin.value),
        receipt_deadline: deadline.map_or(usual, |found| {
            SignedDuration::from_secs(i64::try_from(found.value).unwrap_or(i64::MAX))
        }),
    }
}

/// Blocks until a half is open to all: three minutes of a busy ledger, three hours of an idle one. It
/// has waited `receipt_deadline_seconds` before.
const HALF_DEADLINE: u64 = 10_000;
