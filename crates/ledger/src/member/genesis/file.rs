//! The genesis file as text.

use std::fmt::Write as _;

use crate::member::genesis::{FORMAT, Genesis};
use crate::member::raw::hex;
use crate::member::text::{member, number, terms, text};

/// Writes the file that [`Genesis::parse`] reads.
pub(super) fn write(genesis: &Genesis) -> String {
    let mut out = String::from(INTRODUCTION);
    let _ = writeln!(out, "# digest: {}\n", hex(&genesis.digest()));
    text(&mut out, "format", Some(FORMAT));
    text(&mut out, "ledger", Some(genesis.ledger()));
    number(&mut out, "epoch_length", genesis.epoch_length());
    out.push_str("\n[terms]\n");
    terms(&mut out, genesis.roll().terms());
    for one in genesis.roll().members() {
        out.push_str("\n[[member]]\n");
        member(&mut out, "member", one);
    }
    for (nth, signature) in genesis.signatures.iter().enumerate() {
        out.push_str("\n[[signature]]\n");
        text(&mut out, "by", genesis.signer(nth).map(super::Name::as_str));
        text(&mut out, "cose", Some(&hex(&signature.0)));
    }
    out
}

const INTRODUCTION: &str = "\
# How this ledger begins. Compare every key with its owner over another channel before you sign;
# `kid` is the SHA-256 fingerprint of the member's seal certificate. Comments are not signed.
";
