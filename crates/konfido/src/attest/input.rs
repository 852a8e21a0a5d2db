//! The evidence that a command is about, as files.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, anyhow};
use clap::Args;
use enclave::attest::{Evidence, Kind};

/// Which evidence.
#[derive(Debug, Clone, Args)]
pub struct EvidenceArgs {
    /// The evidence: binary, or hexadecimal text
    pub file: PathBuf,
    /// What it is, where that cannot be told from its first bytes
    #[arg(long, value_name = "KIND", value_parser = KINDS)]
    pub kind: Option<String>,
    /// What a TDX guest measured one by one: its CCEL table's data
    #[arg(long, value_name = "FILE")]
    pub event_log: Option<PathBuf>,
}

impl EvidenceArgs {
    /// Reads the files.
    pub fn read(&self) -> anyhow::Result<Evidence> {
        let mut evidence = read(&self.file, self.kind.as_deref())?;
        if let Some(file) = &self.event_log {
            evidence.event_log = bytes(file)?;
        }
        Ok(evidence)
    }
}

fn read(file: &Path, kind: Option<&str>) -> anyhow::Result<Evidence> {
    let mut blob = bytes(file)?;
    let text = std::str::from_utf8(&blob).ok();
    if let Some(Ok(decoded)) = text.map(|text| hex::decode(text.trim().trim_start_matches("0x"))) {
        blob = decoded;
    }
    if let Ok(evidence) = Evidence::decode(&blob) {
        return Ok(evidence);
    }
    let kind = kind.and_then(Kind::parse).or_else(|| Evidence::guess(&blob)).ok_or_else(|| {
        anyhow!("{} looks like no evidence that we know; say which with --kind", file.display())
    })?;
    Ok(Evidence::new(kind, blob))
}

/// Reads a file, or says which.
pub fn bytes(file: &Path) -> anyhow::Result<Vec<u8>> {
    fs::read(file).with_context(|| format!("cannot read {}", file.display()))
}

/// The same, as text.
pub fn text(file: &Path) -> anyhow::Result<String> {
    String::from_utf8(bytes(file)?).map_err(|_| anyhow!("{} is not text", file.display()))
}

/// Kinds of evidence, as they are asked for.
pub static KINDS: [&str; 6] = ["sgx", "tdx", "snp", "nitro", "tpm", "software"];
