//! Assertions taken apart, changed, and put together again.

use std::sync::Arc;

use trust::seal::SealKey;
use trust::signature::sign_enveloped;

/// The `ds:Signature` element of a signed assertion.
///
/// # Panics
/// When there is none.
pub fn signature(signed: &str) -> &str {
    let from = signed.find("<ds:Signature ").expect("because the assertion is signed");
    let end = "</ds:Signature>";
    let to = signed.find(end).expect("because the assertion is signed") + end.len();
    &signed[from..to]
}

/// The assertion without its signature.
pub fn unsigned(signed: &str) -> String {
    signed.replacen(signature(signed), "", 1)
}

/// The assertion's `ID`.
///
/// # Panics
/// When there is none.
pub fn id(assertion: &str) -> &str {
    let from = assertion.find(" ID=\"").expect("because assertions have an ID") + 5;
    let to = assertion[from..].find('"').expect("because the attribute ends");
    &assertion[from..from + to]
}

/// Replaces text that must be there, once.
///
/// # Panics
/// When it is not: an attack that changes nothing would prove nothing.
pub fn replaced(text: &str, from: &str, to: &str) -> String {
    assert!(text.contains(from), "{from} is not there to be replaced");
    text.replacen(from, to, 1)
}

/// Changes an assertion and signs it again: what an issuer that lies would send.
pub fn resigned(signed: &str, key: &Arc<SealKey>, edit: impl FnOnce(String) -> String) -> String {
    let changed = edit(unsigned(signed));
    sign_enveloped(&changed, id(signed), key).expect("because the assertion was signed before")
}

/// Ends a text value early for readers that stop at the first comment (CVE-2017-11427 and kin):
/// canonicalization drops the comment, so the signature would still hold.
pub fn truncated(signed: &str, value: &str) -> String {
    let (head, tail) = value.split_at(value.len() / 2);
    replaced(signed, &format!(">{value}<"), &format!(">{head}<!---->{tail}<"))
}
