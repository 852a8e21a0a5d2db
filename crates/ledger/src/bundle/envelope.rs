//! What an entry says to the reader of a receipt.

use trust::certificate::Certificate;
use trust::cose;

use crate::entry::{Body, Entry, HALF, Kind};

/// In words for people.
pub(super) fn words(entry: &Entry) -> &'static str {
    match entry.kind() {
        Kind::Whole => "evidence that both countries signed",
        Kind::Half => "evidence that one country signed",
        Kind::Close => "evidence that both countries signed, the second one later",
        Kind::Open => "a deadline that passed",
        Kind::Govern => "a change of the ledger's members",
        Kind::Offer => "an offer of a strict exchange",
        Kind::Receipt => "a receipt of a strict exchange",
        Kind::Key => "a key of a strict exchange",
        Kind::Default => "a deadline of a strict exchange that passed",
    }
}

/// The countries' `COSE_Sign`, and for a half the height by which it is to be closed, which the same
/// country signed with it.
pub(super) fn statement<'e>(
    entry: &'e Entry,
    first: Option<&Certificate>,
) -> Result<(&'e [u8], Option<u64>), &'static str> {
    match entry.body() {
        Body::Whole(record) | Body::Close(record) => Ok((record.signed().bytes(), None)),
        Body::Half(half) => {
            let signer = first.ok_or("a certificate is missing")?;
            let signed = cose::verify(half.signed().bytes(), HALF, &[signer]);
            signed.map_err(|_| "the deadline is not signed by the country")?;
            Ok((half.record().signed().bytes(), Some(half.deadline())))
        }
        _ => Err("the entry is not evidence of an exchange: check its .tlog-proof instead"),
    }
}
