//! `konfido verify FILE`.

use std::path::Path;

use anyhow::{Context as _, anyhow, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ledger::receipt::verify_with_logs;
use trust::certificate::Anchors;

use crate::cli::Verify;

/// Checks a receipt and prints what was found true.
pub fn run(args: &Verify) -> anyhow::Result<()> {
    let bytes = read(&args.file)?;
    let mut anchors = Anchors::from_pem(&read(&args.roots)?)
        .with_context(|| format!("--roots {}", args.roots.display()))?;
    if let Some(lists) = &args.crls {
        anchors = anchors
            .with_crls(&read(lists)?)
            .with_context(|| format!("--crls {}", lists.display()))?;
    }
    let mut expected = Vec::new();
    for text in &args.log_keys {
        expected.extend(log_keys(text)?);
    }
    let report = verify_with_logs(&bytes, &anchors, &expected)
        .map_err(|error| anyhow!("the receipt does not hold: {error}"))?;
    for (what, finding) in report.findings {
        println!("{what:<14} {finding}");
    }
    println!("the receipt holds");
    Ok(())
}

fn read(file: &Path) -> anyhow::Result<Vec<u8>> {
    std::fs::read(file).with_context(|| format!("cannot read {}", file.display()))
}

/// A log's public key as `verify` prints it, or a file with one on each line.
fn log_keys(text: &str) -> anyhow::Result<Vec<Vec<u8>>> {
    if let Some(key) = log_key(text) {
        return Ok(vec![key]);
    }
    let file = std::fs::read_to_string(text).with_context(|| {
        format!("--log-key {text} is neither {KEY} nor a file of such lines that can be read")
    })?;
    let lines = file.lines().map(str::trim).filter(|line| !line.is_empty());
    let keys: Option<Vec<_>> = lines.map(log_key).collect();
    let keys = keys.with_context(|| format!("--log-key {text} has a line that is not {KEY}"))?;
    ensure!(!keys.is_empty(), "--log-key {text} is a file without a key");
    Ok(keys)
}

fn log_key(text: &str) -> Option<Vec<u8>> {
    STANDARD.decode(text).ok().filter(|key| key.len() == ED25519)
}

/// Bytes of an Ed25519 public key.
const ED25519: usize = 32;
const KEY: &str = "the base64 of an Ed25519 public key (32 bytes)";

#[cfg(test)]
mod tests;
