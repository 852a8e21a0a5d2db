//! `konfido attest`: evidence of hardware, for people.

mod command;
mod input;
mod output;
mod policy;
mod show;
mod verify;
mod words;

use std::path::PathBuf;

use clap::{Args, Subcommand};
use exchange::Country;
use jiff::Timestamp;

use input::EvidenceArgs;

pub use command::run;
use policy::PolicyCommand;
pub use show::show;

/// `konfido attest`.
#[derive(Debug, Subcommand)]
pub enum Attest {
    /// Verifies a quote, report or document, offline; 0 only if it is genuine and the policy takes it
    #[command(
        after_help = "Examples:\n  konfido attest verify quote.bin --collateral collateral.json\n  \
        konfido attest verify report.bin --collateral vcek-and-ask.pem --at 2026-11-21T12:00:00Z --json\n  \
        konfido attest verify quote.bin --collateral collateral.json --policy policy.txt --release-keys keys.txt --country ES"
    )]
    Verify(Verify),
    /// Says what a running node states of its own vault
    #[command(after_help = "Example:\n  konfido attest show --config konfido.toml")]
    Show(Show),
    /// Says what a quote, report or document claims, and what such hardware keeps away from whom
    #[command(after_help = "Example:\n  konfido attest explain quote.bin")]
    Explain(Explain),
    /// Policies: what we take of other countries' vaults, written, checked and signed
    #[command(subcommand)]
    Policy(PolicyCommand),
}

/// `konfido attest verify`.
#[derive(Debug, Clone, Args)]
pub struct Verify {
    /// The evidence
    #[command(flatten)]
    pub evidence: EvidenceArgs,
    /// What verifies it: Intel's collateral as JSON, AMD's certificates and lists as PEM, DER or table
    #[arg(long, value_name = "FILE")]
    pub collateral: Option<PathBuf>,
    /// The signed policy that it is held to
    #[arg(long, value_name = "FILE", requires = "country")]
    pub policy: Option<PathBuf>,
    /// Keys that sign policies: "threshold K", then "NAME BASE64" a line. Without them the policy's
    /// signatures are not looked at, and the output says so
    #[arg(long, value_name = "FILE", requires = "policy")]
    pub release_keys: Option<PathBuf>,
    /// The country that the evidence is asked to speak for
    #[arg(long, value_parser = country)]
    pub country: Option<Country>,
    /// What must be bound into it, hexadecimal. Without it what is bound is shown and not compared
    #[arg(long, value_name = "HEX")]
    pub report_data: Option<String>,
    /// The moment that is verified for, instead of now
    #[arg(long, value_name = "TIME")]
    pub at: Option<Timestamp>,
    /// Prints JSON
    #[arg(long)]
    pub json: bool,
}

/// `konfido attest show`.
#[derive(Debug, Clone, Args)]
pub struct Show {
    /// Whose node
    #[command(flatten)]
    pub config: crate::cli::ConfigArg,
    /// Prints JSON
    #[arg(long)]
    pub json: bool,
}

/// `konfido attest explain`.
#[derive(Debug, Clone, Args)]
pub struct Explain {
    /// The evidence
    #[command(flatten)]
    pub evidence: EvidenceArgs,
    /// Prints JSON
    #[arg(long)]
    pub json: bool,
}

fn country(text: &str) -> Result<Country, String> {
    Country::parse(text).map_err(|error| error.to_string())
}
