//! The steps of a check, and what can be done when one of them fails.

use std::fmt;

/// The steps of a check, in their order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Reading the file.
    File,
    /// The countries' signatures.
    Statement,
    /// The policy.
    Policy,
    /// The members' signatures and the place in the log.
    Ledger,
    /// The shown fields.
    Disclosed,
    /// The time-stamps.
    TimeStamp,
}

/// Which step failed, why, and what can be done.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{step}: {what}; {}", step.advice())]
pub struct Unbelieved {
    /// Which.
    pub step: Step,
    /// Why.
    pub what: String,
}

/// Step, name, what to do.
const STEPS: [(Step, &str, &str); 6] = [
    (Step::File, "file", "ask for the file again, and keep it as it was sent"),
    (
        Step::Statement,
        "statement",
        "see whether the roots and revocation lists are those of both countries, else ask them",
    ),
    (
        Step::Policy,
        "policy",
        "take the policy file that the ledger's members publish, and not one that came with a receipt",
    ),
    (Step::Ledger, "ledger", "ask for a new proof; if that fails, too, ask another member"),
    (
        Step::Disclosed,
        "disclosed",
        "the shown values are not those of the exchange: ask who showed them",
    ),
    (
        Step::TimeStamp,
        "time-stamp",
        "see whether the roots are those of the time-stamping authority, or ask for a receipt with a stamp of another one",
    ),
];

impl Step {
    fn row(self) -> &'static (Self, &'static str, &'static str) {
        STEPS.iter().find(|row| row.0 == self).expect("because each step has a row")
    }

    /// What a reader can do when it fails.
    pub fn advice(self) -> &'static str {
        self.row().2
    }

    pub(super) fn failed(self, what: impl fmt::Display) -> Unbelieved {
        Unbelieved { step: self, what: what.to_string() }
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.row().1)
    }
}
