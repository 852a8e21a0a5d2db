//! `konfido vault`: the sealed store, made, shown, shared out and recovered by a vault process. No key
//! passes through the command.

use std::path::PathBuf;

use anyhow::Context as _;
use clap::Subcommand;
use enclave::Use;
use enclave::process::StartError;
use enclave::process::errand::{self, Errand, Report};
use jiff::Timestamp;
use siem::{Event, EventStore as _, Kind};
use sqlite::Events;

use crate::check;
use crate::cli::ConfigArg;
use crate::config::{Config, Home};
use crate::custody;

/// What can be done with the store.
#[derive(Subcommand)]
pub enum Vault {
    /// Moves the private keys that the configuration names into the store, and makes it where there is none
    #[command(after_help = "Example:\n  konfido vault import --config konfido.toml\n\n\
        Each key file that may be removed now goes to stdout, one a line. The paths in the configuration\n\
        stay: they are the names of the keys. Run it again for a renewed key.")]
    Import(ConfigArg),
    /// Says what is in the store; nothing of it is secret
    #[command(after_help = "Example:\n  konfido vault show\n\n\
        What is known of it, then a line for each key: use and name, separated by a tab.")]
    Show(ConfigArg),
    /// Writes recovery shares of the root key, a file for each person
    #[command(after_help = "Example:\n  konfido vault shares --of 3 --need 2 --out /media/usb\n\n\
        The files go to stdout, one a line. Give each to another person, on paper or on a stick, and\n\
        leave no copy here.")]
    Shares {
        /// How many people get one
        #[arg(long, default_value_t = 3)]
        of: u8,
        /// How many of them make the root key again
        #[arg(long, default_value_t = 2)]
        need: u8,
        /// Folder of the files
        #[arg(long, value_name = "DIR", default_value = ".")]
        out: PathBuf,
        #[command(flatten)]
        config: ConfigArg,
    },
    /// Makes the root key again from recovery shares, and the store open to it
    #[command(
        after_help = "Example:\n  konfido vault recover share-1.txt share-3.txt --config konfido.toml\n\n\
        vault.sealed, and the log, of the newest backup are in data_dir before."
    )]
    Recover {
        /// Files of shares
        #[arg(required = true)]
        shares: Vec<PathBuf>,
        /// Takes a store or a log that is older than one that there was: only when the newest is lost
        #[arg(long)]
        accept_older: bool,
        #[command(flatten)]
        config: ConfigArg,
    },
}

/// `konfido vault`.
pub fn run(command: &Vault) -> Result<(), super::Failure> {
    match command {
        Vault::Import(arg) => {
            let config = check::parse(&arg.config)?;
            import(&config)?;
        }
        Vault::Show(arg) => {
            let config = check::parse(&arg.config)?;
            show(&config, &perform(&config, &Errand::Show)?);
        }
        Vault::Shares { of, need, out, config } => {
            let config = check::parse(&config.config)?;
            let folder = std::path::absolute(out).context("--out")?;
            let report = perform(&config, &Errand::Share { of: *of, need: *need, folder })?;
            eprintln!(
                "{of} shares of root {}; any {need} make it again. They were read back.",
                report.root
            );
            report.files.iter().for_each(|file| println!("{}", file.display()));
        }
        Vault::Recover { shares, accept_older, config } => {
            let config = check::parse(&config.config)?;
            recover(&config, shares, *accept_older)?;
        }
    }
    Ok(())
}

fn perform(config: &Config, errand: &Errand) -> anyhow::Result<Report> {
    anyhow::ensure!(
        config.vault.home == Home::Process,
        "[vault] home = \"here\" has no store: the keys are the node's own"
    );
    let program = custody::program().context("no program")?;
    let vault = (config.country, config.vault.secret);
    errand::run(&program, vault, &config.store(), errand).map_err(|error| match error {
        // in its own words: it did start
        StartError::Refused(said) => anyhow::Error::msg(said),
        error => error.into(),
    })
}

fn import(config: &Config) -> anyhow::Result<()> {
    let report = perform(config, &Errand::Import(custody::keys(config)))?;
    let (count, path) = (report.keys.len(), config.data_dir.display());
    eprintln!("{count} keys are in {path}/vault.sealed, with counter {}", report.counter);
    if report.files.is_empty() {
        eprintln!("no key file was there: nothing changed but the counter");
    } else {
        eprintln!(
            "The store was read back. These files may be removed now (a running node takes the store's \
             keys at its next start or SIGHUP):"
        );
    }
    for file in report.files {
        println!("{}", file.display());
    }
    Ok(())
}

fn recover(config: &Config, shares: &[PathBuf], accept_older: bool) -> anyhow::Result<()> {
    let shares = shares.iter().map(std::path::absolute).collect::<Result<_, _>>()?;
    let report = perform(config, &Errand::Recover { shares, accept_older })?;
    let mut event = Event::new(Timestamp::now(), Kind::VaultRecovered);
    event.number = report.counter;
    let mut events = vec![event];
    if let Some(older) = &report.older {
        eprintln!(
            "WARNING: {older}.\nWARNING: it was taken, as --accept-older asks. Exchanges that are in no \
             backup are not in this node's log any more;\nother countries have their halves. Tell them, and \
             keep this message."
        );
        let mut event = Event::new(Timestamp::now(), Kind::VaultOlderState);
        event.correlation.clone_from(older);
        event.number = report.counter;
        events.push(event);
    }
    let path = config.data_dir.join("events.db");
    let kept = Events::open(&path).map_err(anyhow::Error::from).and_then(|store| {
        store.append(&events)?;
        store.close();
        Ok(())
    });
    kept.with_context(|| {
        format!("the store is recovered, and {} has no event of it", path.display())
    })?;
    eprintln!(
        "root {} is at its place ({}), and vault.sealed opens: {} keys, counter {}",
        report.root,
        config.store().root.name(),
        report.keys.len(),
        report.counter
    );
    Ok(())
}

fn show(config: &Config, report: &Report) {
    println!("counter\t{}", report.counter);
    println!("root\t{}\t{}", report.root, config.store().root.name());
    match &report.seen {
        Some(seen) => {
            println!("log\t{}\t{}\t{}", seen.origin, seen.size, hex::encode(seen.root));
        }
        None => println!("log\t-"),
    }
    println!("state\t{}", report.older.as_deref().unwrap_or("newest"));
    quoting(config);
    for (purpose, name) in &report.keys {
        println!("{}\t{name}", word(*purpose));
    }
}

/// The name of the TPM's attestation key: how a policy registers this machine.
#[cfg(feature = "tpm")]
fn quoting(config: &Config) {
    let Some(found) = config.attestation.as_ref().and_then(|found| found.quotes.as_ref()) else {
        return;
    };
    let (tcti, pcrs) = (found.tcti.clone(), found.pcrs.clone());
    match (enclave::tpm::Quotes { tcti, pcrs }).key() {
        Ok(key) => {
            let name = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, &key);
            println!("attester\ttpm-key:{}", hex::encode(name));
        }
        Err(error) => println!("attester\t{error}"),
    }
}

#[cfg(not(feature = "tpm"))]
fn quoting(_: &Config) {}

fn word(purpose: Use) -> &'static str {
    match purpose {
        Use::Sign => "sign",
        Use::Unwrap => "unwrap",
        Use::Derive => "derive",
        Use::Log => "log",
        Use::Keep | Use::HandOut => "keep",
        Use::Patients => "patients",
        Use::Cosign => "cosign",
    }
}
