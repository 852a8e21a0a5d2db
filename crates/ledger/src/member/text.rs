//! Members and terms as an operator reads them, in TOML. No text in them needs escaping.

use std::fmt::{Display, Write as _};

use crate::member::key::EvidenceKey;
use crate::member::raw::hex;
use crate::member::{Member, Terms};

/// The lines of a table of terms.
pub(super) fn terms(out: &mut String, terms: &Terms) {
    number(out, "half_min", terms.half_min);
    number(out, "half_max", terms.half_max);
    number(out, "offer_min", terms.offer_min);
    number(out, "offer_max", terms.offer_max);
    number(out, "key_blocks", terms.key_blocks);
}

/// The lines of a member's table, which is called `table`, with the tables in it.
pub(super) fn member(out: &mut String, table: &str, member: &Member) {
    let bytes = |bytes: Option<&[u8]>| bytes.map(hex);
    text(out, "name", Some(member.name().as_str()));
    number(out, "voting", member.is_voting());
    text(out, "address", Some(member.address().as_str()));
    text(out, "consensus_key", bytes(member.consensus_key().as_ref().map(|key| &key[..])));
    text(out, "cosigner_ed25519", bytes(member.cosigner_ed25519().as_ref().map(|key| &key[..])));
    text(out, "cosigner_ml_dsa_44", bytes(member.cosigner_ml_dsa_44()));
    text(out, "measurement", bytes(member.measurement()));
    for key in member.evidence_keys() {
        let _ = writeln!(out, "\n[[{table}.evidence_key]]");
        evidence_key(out, key);
    }
}

/// The lines of an evidence key's table.
pub(super) fn evidence_key(out: &mut String, key: &EvidenceKey) {
    text(out, "kid", Some(hex(&key.kid())));
    text(out, "algorithm", Some(format!("{:?}", key.algorithm())));
    text(out, "public", Some(hex(key.public())));
    number(out, "from", key.from());
    if key.until() != u64::MAX {
        number(out, "until", key.until());
    }
}

/// A line with a text, where there is one.
pub(super) fn text(out: &mut String, name: &str, value: Option<impl Display>) {
    if let Some(value) = value {
        let _ = writeln!(out, "{name} = \"{value}\"");
    }
}

/// A line with a number, or `true` or `false`.
pub(super) fn number(out: &mut String, name: &str, value: impl Display) {
    let _ = writeln!(out, "{name} = {value}");
}
