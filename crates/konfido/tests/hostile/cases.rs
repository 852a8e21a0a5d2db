//! The table.

mod assertions;
mod audit;
mod connections;
mod markup;
mod packages;
mod sealed;

use crate::case::Case;

/// All cases that are answered at once.
pub fn all() -> Vec<Case> {
    [
        assertions::wrapped(),
        assertions::signatures(),
        assertions::validity(),
        assertions::patients(),
        markup::all(),
        packages::mtom(),
        packages::bodies(),
        packages::services(),
        sealed::all(),
        sealed::receipts(),
        connections::all(),
        audit::all(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// Those that wait for a limit, each at a node of its own.
pub fn slow() -> Vec<Case> {
    connections::slow()
}
