//! `konfido verify FILE`: receipts of a country's own log, receipts of the shared ledger, bare proofs.

use std::io::Read as _;
use std::path::Path;

use anyhow::{Context as _, anyhow, bail, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ledger::bundle::{self, Bundle, Reader, Step};
use ledger::policy::Policy;
use ledger::receipt::{Report, verify_with_logs};
use trust::certificate::Anchors;

use crate::cli::Verify;

/// What a file turned out to be.
enum Kind {
    /// `konfido-receipt/1`: a country's own log.
    Own,
    /// `konfido-receipt/2`: the shared ledger.
    Shared,
    /// `c2sp.org/tlog-proof@v1`.
    Proof,
}

/// Why a file is not believed.
struct Refusal {
    step: Option<Step>,
    why: String,
}

/// Checks a file and prints what was found true.
pub fn run(args: &Verify) -> anyhow::Result<()> {
    let bytes = read(&args.file)?;
    let kind = Kind::of(&bytes);
    match (check(args, &kind, &bytes)?, args.json) {
        (Ok(report), false) => {
            for (what, finding) in &report.findings {
                println!("{what:<14} {finding}");
            }
            println!("the {} holds", kind.noun());
            Ok(())
        }
        (Ok(report), true) => {
            let rows = report.findings.iter();
            let rows = rows.map(|(what, finding)| serde_json::json!([what, finding]));
            let rows: Vec<_> = rows.collect();
            println!("{}", serde_json::json!({ "holds": true, "findings": rows }));
            Ok(())
        }
        (Err(Refusal { step, why }), json) => {
            if json {
                let (step, advice) = (step.map(|step| step.to_string()), step.map(Step::advice));
                let said = serde_json::json!({ "holds": false, "step": step, "why": why, "advice": advice });
                println!("{said}");
            }
            bail!("the {} does not hold: {why}", kind.noun())
        }
    }
}

/// The outer error is about what the reader brings, the inner one about the file.
fn check(args: &Verify, kind: &Kind, bytes: &[u8]) -> anyhow::Result<Result<Report, Refusal>> {
    let roots = args.roots.as_deref().map(|file| anchors("--roots", file)).transpose()?;
    let roots = match (roots, &args.crls) {
        (Some(roots), Some(lists)) => Some(
            roots
                .with_crls(&read(lists)?)
                .with_context(|| format!("--crls {}", lists.display()))?,
        ),
        (roots, _) => roots,
    };
    let authorities =
        args.tsa_roots.as_deref().map(|file| anchors("--tsa-roots", file)).transpose()?;
    let policy = args.policy.as_deref().map(policy).transpose()?;
    let reader = Reader {
        anchors: roots.as_ref(),
        policy: policy.as_ref(),
        origin: args.origin.as_deref(),
        authorities: authorities.as_ref(),
    };
    let unbelieved =
        |error: bundle::Unbelieved| Refusal { step: Some(error.step), why: error.to_string() };
    Ok(match kind {
        Kind::Own => {
            let anchors = roots.as_ref().context("a receipt needs --roots")?;
            let mut expected = Vec::new();
            for text in &args.log_keys {
                expected.extend(log_keys(text)?);
            }
            let shared = args.policy.is_some() || args.tsa_roots.is_some() || args.entry.is_some();
            ensure!(
                !shared,
                "this is a receipt of a country's own log: --policy, --entry and --tsa-roots are for the shared ledger's"
            );
            verify_with_logs(bytes, anchors, &expected)
                .map_err(|error| Refusal { step: None, why: error.to_string() })
        }
        Kind::Shared => {
            ensure!(
                args.log_keys.is_empty(),
                "a receipt of the shared ledger takes --policy, not --log-key"
            );
            ensure!(
                args.entry.is_none(),
                "the receipt has its entry: --entry goes with a .tlog-proof"
            );
            bundle::verify(bytes, reader).map_err(unbelieved)
        }
        Kind::Proof => {
            let entry = args
                .entry
                .as_deref()
                .ok_or_else(|| anyhow!("a .tlog-proof needs --entry and --policy"))?;
            bundle::verify_proof(bytes, &read(entry)?, reader).map_err(unbelieved)
        }
    })
}

impl Kind {
    fn of(bytes: &[u8]) -> Self {
        match bytes {
            bytes if Bundle::is_named_in(bytes) => Self::Shared,
            bytes if bytes.starts_with(b"c2sp.org/tlog-proof@") => Self::Proof,
            _ => Self::Own,
        }
    }

    fn noun(&self) -> &'static str {
        match self {
            Self::Own | Self::Shared => "receipt",
            Self::Proof => "proof",
        }
    }
}

fn anchors(option: &str, file: &Path) -> anyhow::Result<Anchors> {
    Anchors::from_pem(&read(file)?).with_context(|| format!("{option} {}", file.display()))
}

fn policy(file: &Path) -> anyhow::Result<Policy> {
    Policy::parse(&read(file)?).with_context(|| format!("--policy {}", file.display()))
}

/// Reads a file that somebody sent us: no longer than any of these can be.
fn read(file: &Path) -> anyhow::Result<Vec<u8>> {
    let cannot = || format!("cannot read {}", file.display());
    let mut bytes = Vec::new();
    let opened = std::fs::File::open(file).with_context(cannot)?;
    opened.take(LARGEST + 1).read_to_end(&mut bytes).with_context(cannot)?;
    ensure!(
        bytes.len() as u64 <= LARGEST,
        "{} is too large for any receipt or list",
        file.display()
    );
    Ok(bytes)
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
/// Revocation lists of whole countries are the largest.
const LARGEST: u64 = 64 << 20;

#[cfg(test)]
mod tests;
