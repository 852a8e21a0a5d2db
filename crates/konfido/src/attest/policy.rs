//! `konfido attest policy`: what we take of other countries' vaults, written, checked and signed.

mod check;
mod signing;
mod template;

use std::path::{Path, PathBuf};

use anyhow::{anyhow, bail};
use clap::Subcommand;
use enclave::attest::{PolicyFault, ReleaseKeys};
use exchange::Country;
use jiff::Timestamp;
use miette::NamedSource;

use super::input::{KINDS, text};
use crate::Failure;
use crate::config::{ConfigError, Faults};

/// `konfido attest policy`.
#[derive(Debug, Subcommand)]
pub enum PolicyCommand {
    /// Prints a policy to fill in; with evidence, with its measurement and machine filled in
    #[command(after_help = "Examples:\n  konfido attest policy new > policy.txt\n  \
        konfido attest policy new --evidence quote.bin --event-log ccel.bin --country ES > policy.txt")]
    New {
        /// Evidence of the released program; it is not verified here
        #[arg(long, value_name = "FILE")]
        evidence: Option<PathBuf>,
        /// What the evidence is, where that cannot be told from its first bytes
        #[arg(long, value_name = "KIND", value_parser = KINDS, requires = "evidence")]
        kind: Option<String>,
        /// Its event log: registers 1 and 2 are named by their events then
        #[arg(long, value_name = "FILE", requires = "evidence")]
        event_log: Option<PathBuf>,
        /// Whose machine it is
        #[arg(long, value_parser = super::country)]
        country: Option<Country>,
        /// The moment that is written for, instead of now
        #[arg(long, value_name = "TIME")]
        at: Option<Timestamp>,
    },
    /// Says what a policy takes, and what is wrong with it; with release keys 0 only if it is in force
    #[command(after_help = "Examples:\n  konfido attest policy check policy.txt\n  \
        konfido attest policy check policy.txt --release-keys release-keys.txt")]
    Check {
        /// The policy, signed or not yet
        file: PathBuf,
        /// Keys that sign policies: "threshold K", then "NAME BASE64" a line
        #[arg(long, value_name = "FILE")]
        release_keys: Option<PathBuf>,
        /// The moment that is asked about, instead of now
        #[arg(long, value_name = "TIME")]
        at: Option<Timestamp>,
    },
    /// Makes a release key (Ed25519), and prints its line for the list of release keys
    #[command(
        after_help = "Example:\n  konfido attest policy keygen release-1 --out release-1.key >> release-keys.txt"
    )]
    Keygen {
        /// The name that signatures carry
        name: String,
        /// Where the private key goes: a new file, mode 0600
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
    },
    /// Adds a signature to a policy's file: of our key, or those that another copy has
    #[command(after_help = "Examples:\n  \
        konfido attest policy sign policy.txt --release-keys release-keys.txt --key release-1.key\n  \
        konfido attest policy sign policy.txt --release-keys release-keys.txt --join from-another.txt")]
    Sign {
        /// The policy; signatures are added to this file
        file: PathBuf,
        /// Keys that sign policies: ours must be among them
        #[arg(long, value_name = "FILE")]
        release_keys: PathBuf,
        /// Our private key
        #[arg(long, value_name = "FILE", required_unless_present = "join")]
        key: Option<PathBuf>,
        /// Takes over the signatures of a copy with the same text; may be repeated
        #[arg(long, value_name = "FILE")]
        join: Vec<PathBuf>,
    },
}

/// `konfido attest policy ...`.
pub fn run(command: &PolicyCommand) -> Result<(), Failure> {
    match command {
        PolicyCommand::New { evidence, kind, event_log, country, at } => {
            let source = template::Source {
                evidence: evidence.as_deref(),
                kind: kind.as_deref(),
                event_log: event_log.as_deref(),
                country: *country,
            };
            super::output::write(&template::policy(&source, at.unwrap_or_else(Timestamp::now))?);
            Ok(())
        }
        PolicyCommand::Check { file, release_keys, at } => {
            check::check(file, release_keys.as_deref(), at.unwrap_or_else(Timestamp::now))
        }
        PolicyCommand::Keygen { name, out } => Ok(signing::keygen(name, out)?),
        PolicyCommand::Sign { file, release_keys, key, join } => {
            signing::sign(file, release_keys, key.as_deref(), join)
        }
    }
}

/// A fault, shown with file, line and caret.
fn shown(file: &Path, text: &str, fault: PolicyFault) -> Failure {
    let source =
        NamedSource::new(file.display().to_string(), text.to_owned()).with_language("toml");
    let faults = Faults::default();
    let help = Some(fault.next.as_str()).filter(|next| !next.is_empty());
    faults.add(&fault.span.unwrap_or(0..0), fault.what, help);
    Failure::Config(ConfigError::new(&source, faults).into())
}

fn release_keys(file: &Path) -> Result<ReleaseKeys, Failure> {
    let listed = text(file)?;
    ReleaseKeys::read(&listed).map_err(|fault| shown(file, &listed, fault))
}

/// Our private key; only its owner may read it.
fn private_key(file: &Path) -> anyhow::Result<aws_lc_rs::signature::Ed25519KeyPair> {
    use std::os::unix::fs::PermissionsExt as _;
    let pem = zeroize::Zeroizing::new(super::input::bytes(file)?);
    let mode = std::fs::metadata(file)?.permissions().mode();
    if mode & 0o077 != 0 {
        bail!("{} can be read by others; `chmod 600` it", file.display());
    }
    let wrong = || {
        anyhow!("{} is no release key; `konfido attest policy keygen` makes one", file.display())
    };
    signing::key(&pem).ok_or_else(wrong)
}
