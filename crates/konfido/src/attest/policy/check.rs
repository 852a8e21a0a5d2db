//! What a policy takes, in words.

use std::path::Path;

use anyhow::anyhow;
use enclave::attest::{Gathered, Policy};
use jiff::Timestamp;

use super::{release_keys, shown};
use crate::Failure;
use crate::attest::{input, output};

/// Prints it, its signatures and what deserves a second look.
pub fn check(file: &Path, keys: Option<&Path>, now: Timestamp) -> Result<(), Failure> {
    let note = input::text(file)?;
    let keys = keys.map(release_keys).transpose()?;
    let gathered = match &keys {
        Some(keys) => keys.gathered(&note).map_err(|refusal| {
            anyhow!(
                "{}: {refusal}; it was changed after it was signed, so begin again with the text \
                     alone",
                file.display()
            )
        })?,
        None => Gathered::unread(&note),
    };
    let policy = Policy::draft(gathered.text).map_err(|fault| shown(file, &note, fault))?;
    let mut lines = policy.explained();
    let mut left = Vec::new();
    if let Some(keys) = &keys {
        let (found, needed) = (gathered.signers.len(), keys.threshold());
        let names = if found == 0 { "nobody".to_owned() } else { gathered.signers.join(", ") };
        lines.push(format!("signed by {names}: {found} of {needed} that are needed"));
        if found < needed {
            let waiting = keys.names().filter(|name| !gathered.signers.iter().any(|by| by == name));
            let waiting: Vec<&str> = waiting.collect();
            left.push(format!(
                "not in force: {} more must sign (of {}): `konfido attest policy sign`",
                needed - found,
                waiting.join(", ")
            ));
        }
    } else {
        lines.push("signatures: not looked at, no release keys were given".into());
    }
    if now < policy.valid_from() {
        left.push(format!("not in force before {}", policy.valid_from()));
    } else if now >= policy.valid_until() {
        left.push(format!("not in force since {}: raise version and times", policy.valid_until()));
    }
    lines.extend(policy.warnings().into_iter().map(|line| format!("look again: {line}")));
    output::write(&(lines.join("\n") + "\n"));
    match left.into_iter().next() {
        Some(what) if keys.is_some() => Err(anyhow!("{}: {what}", file.display()).into()),
        Some(what) => {
            eprintln!("{what}");
            Ok(())
        }
        None => Ok(()),
    }
}
