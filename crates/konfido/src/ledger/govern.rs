//! `konfido ledger govern`: changes of the members, from a draft to the block that makes them.

mod bring;
mod draft;
mod print;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail, ensure};
use clap::{Args, Subcommand};
use jiff::Timestamp;
use ledger::member::{Motion, MotionError};
use trust::seal::SealKey;

use super::Asked;
use super::asking::{Asking, Seen};
use crate::check;

/// What can be done with a change.
#[derive(Subcommand)]
pub enum Govern {
    /// Writes a change into a file that the members pass on, read and sign
    #[command(subcommand)]
    Draft(draft::Draft),
    /// Prints what a draft changes, who has signed it, and who has not
    #[command(
        after_help = "Example:\n  konfido ledger govern show join-fi.toml --config ledger.toml\n\n\
        Signatures are checked against the members as the validator has them; without one the draft is\n\
        printed as it is."
    )]
    Show {
        /// The draft, or several copies that were signed apart
        #[arg(required = true)]
        files: Vec<PathBuf>,
        #[command(flatten)]
        asked: Asked,
    },
    /// Adds the signature of our seal to a draft
    #[command(
        after_help = "Examples:\n  konfido ledger govern sign join-fi.toml --key seal.key --seal seal.pem --config ledger.toml\n  \
        konfido ledger govern sign join-fi.toml --node konfido.toml --config ledger.toml\n\n\
        It prints what it signs. --key may hold the URI of a key in a token (RFC 7512)."
    )]
    Sign(Sign),
    /// Brings a draft that a quorum has signed to our validator, and waits until it is final
    #[command(
        after_help = "Examples:\n  konfido ledger govern submit join-fi.toml --validator /var/lib/konfido/ledger/line.sock\n  \
        konfido ledger govern submit from-dk.toml from-es.toml from-it.toml --config ledger.toml\n\n\
        Any one member brings it; copies that were signed apart are put together."
    )]
    Submit(bring::Submit),
}

/// `konfido ledger govern sign`.
#[derive(Debug, Args)]
pub struct Sign {
    /// The draft; the signature is added to it
    file: PathBuf,
    /// Private key of our seal, PEM
    #[arg(long, value_name = "PEM", requires = "seal", required_unless_present = "node")]
    key: Option<PathBuf>,
    /// Its certificate, PEM
    #[arg(long, value_name = "PEM", requires = "key")]
    seal: Option<PathBuf>,
    /// Configuration of our node, whose seal signs wherever it is kept
    #[arg(long, value_name = "FILE", conflicts_with = "key")]
    node: Option<PathBuf>,
    #[command(flatten)]
    asked: Asked,
}

/// Runs one of them.
pub async fn run(command: Govern) -> anyhow::Result<()> {
    match command {
        Govern::Draft(draft) => draft::run(&draft).await,
        Govern::Show { files, asked } => show(&files, &asked).await,
        Govern::Sign(args) => sign(&args).await,
        Govern::Submit(args) => bring::run(&args).await,
    }
}

async fn show(files: &[PathBuf], asked: &Asked) -> anyhow::Result<()> {
    let motion = read(files)?;
    let seen = match asking(asked) {
        Ok(asking) => seen(&asking).await,
        Err(error) => Err(error),
    };
    print!("{}", print::motion(&motion));
    match seen {
        Ok(seen) => {
            let standing = motion.standing(&seen.registry, seen.next()).map_err(|e| told(&e))?;
            let after = motion.applied(&seen.registry, seen.next()).map_err(|e| told(&e))?;
            print!("{}{}", print::standing(&standing), print::force(&after, seen.next()));
        }
        Err(error) => {
            let names: Vec<_> = motion.names().map(ToString::to_string).collect();
            println!("{:<10} {} (not checked)", "signed", print::list(&names));
            eprintln!("signatures and members are not checked: {error:#}");
        }
    }
    Ok(())
}

async fn sign(args: &Sign) -> anyhow::Result<()> {
    let motion = read(std::slice::from_ref(&args.file))?;
    let seal = args.seal()?;
    let seen = seen(&asking(&args.asked)?).await?;
    let (signed, by) =
        motion.signed(&seal, &seen.registry, seen.next()).map_err(|error| told(&error))?;
    if let Some(own) = seen.own.as_ref().filter(|own| *own != by.as_str()) {
        bail!(
            "this is the seal of {by}, and the validator is {own}'s: nothing is signed\n\
             sign with the seal of {own}, or ask another member's validator with --url"
        );
    }
    let standing = signed.standing(&seen.registry, seen.next()).map_err(|error| told(&error))?;
    print!("{}{}", print::motion(&signed), print::standing(&standing));
    replace(&args.file, &signed.to_toml())?;
    eprintln!("signed as {by}; {}", print::next(&standing, &args.file));
    Ok(())
}

impl Sign {
    fn seal(&self) -> anyhow::Result<SealKey> {
        let pem = |path: &Path| fs::read(path).with_context(|| path.display().to_string());
        if let (Some(key), Some(seal)) = (&self.key, &self.seal) {
            let read = SealKey::from_pem(&pem(key)?, &pem(seal)?);
            return read.with_context(|| key.display().to_string());
        }
        let node = self.node.as_ref().context("--key with --seal, or --node")?;
        let (_, files) =
            check::load(node, Timestamp::now()).map_err(|report| anyhow::anyhow!("{report:?}"))?;
        SealKey::new(&files.seal.0, &files.seal.1).context("the seal of the node")
    }
}

/// A draft, or copies of one with the signatures of all.
fn read(files: &[PathBuf]) -> anyhow::Result<Motion> {
    let mut all = files.iter().map(|file| {
        let text = fs::read_to_string(file).with_context(|| file.display().to_string())?;
        Motion::parse(&text)
            .map_err(|error| told(&error))
            .with_context(|| file.display().to_string())
    });
    let first = all.next().context("no draft")??;
    all.try_fold(first, |motion, copy| motion.joined(copy?).map_err(|error| told(&error)))
}

fn asking(asked: &Asked) -> anyhow::Result<Asking> {
    Asking::of(asked).map_err(plain)
}

async fn seen(asking: &Asking) -> anyhow::Result<Seen> {
    asking.seen().await.map_err(plain)
}

/// A report in one line: what is wrong, and why.
fn plain(report: miette::Report) -> anyhow::Error {
    let all: Vec<_> = report.chain().map(ToString::to_string).collect();
    anyhow::anyhow!("{}", all.join(": "))
}

/// The file is there with all of its signatures, or as it was.
fn replace(file: &Path, text: &str) -> anyhow::Result<()> {
    let aside = file.with_extension("new");
    fs::write(&aside, text).with_context(|| aside.display().to_string())?;
    fs::rename(&aside, file).with_context(|| file.display().to_string())
}

/// A new file; what stands there may carry signatures.
fn create(file: &Path, text: &str) -> anyhow::Result<()> {
    ensure!(!file.exists(), "{} is there already: another --out, or remove it", file.display());
    fs::write(file, text).with_context(|| file.display().to_string())
}

/// What is wrong with a draft, and what to do next.
fn told(error: &MotionError) -> anyhow::Error {
    match next(error) {
        "" => anyhow::anyhow!("{error}"),
        next => anyhow::anyhow!("{error}\n{next}"),
    }
}

fn next(error: &MotionError) -> &'static str {
    match error {
        MotionError::Copy => {
            "give copies of one draft: konfido ledger govern show FILE tells what each is"
        }
        MotionError::Altered(_) | MotionError::Signature(_) => {
            "take that [[signature]] out of the file, and have it signed again"
        }
        MotionError::Ledger { .. } => {
            "ask a validator of the draft's ledger: --config, --validator or --url"
        }
        MotionError::Made(_) => {
            "konfido ledger members shows who takes part; for another change make a new draft"
        }
        MotionError::Early { .. } => {
            "wait until this validator has caught up (konfido ledger status), or bring in the changes before it"
        }
        MotionError::Change(_) => {
            "the members may have changed since it was drafted: make a new draft"
        }
        MotionError::Stranger(_) => {
            "sign with the seal that stands in the ledger; a new one comes in by: konfido ledger govern draft key seal"
        }
        MotionError::Voteless(_) => "a quorum of the voting members signs: konfido ledger members",
        MotionError::Expired { .. } => {
            "sign with a key of today; a new one comes in by: konfido ledger govern draft key seal"
        }
        MotionError::Twice(_) => "pass it on to who is missing: konfido ledger govern show FILE",
        _ => "",
    }
}

/// The help of the command.
pub const EXAMPLE: &str = "Example, a member joins:\n  \
    konfido ledger keygen --name FI --address ledger.example.fi:7950 --seal seal.pem --out keys > fi.toml\n  \
    konfido ledger govern draft join fi.toml --out join-fi.toml --config ledger.toml\n  \
    konfido ledger govern show join-fi.toml --config ledger.toml\n  \
    konfido ledger govern sign join-fi.toml --key seal.key --seal seal.pem --config ledger.toml\n  \
    konfido ledger govern submit join-fi.toml --config ledger.toml\n\n\
    A quorum of the voting members signs; the change comes into force with the next epoch.";
