//! What may follow what: every pair of the table, and what no block may do.

mod rsa;
mod signing;
mod transitions;
mod worlds;

use super::*;

const T: TxId = [7; 16];
const PARTIES: (&str, &str) = ("ES", "DK");

fn reason(result: Result<Effects, Refusal>) -> Reason {
    match result {
        Err(Refusal::Entry { reason, .. }) => reason,
        other => panic!("a rule was to be broken: {other:?}"),
    }
}
