//! `konfido ledger govern draft`: a change in words.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, ensure};
use clap::{Args, Subcommand};
use ledger::member::{
    Address, Change, EvidenceKey, Member, MemberError, Motion, Name, Raw, Raw32, Roll, Terms,
};
use serde::Deserialize;
use trust::certificate::Certificate;

use super::super::Asked;
use super::{asking, create, print, seen, told};

/// Which change.
#[derive(Debug, Subcommand)]
pub enum Draft {
    /// A member joins
    #[command(
        after_help = "Example:\n  konfido ledger govern draft join fi.toml --out join-fi.toml --config ledger.toml\n\n\
        fi.toml is what konfido ledger keygen printed there."
    )]
    Join {
        /// Its part: what konfido ledger keygen prints
        part: PathBuf,
        /// Without a vote: it mirrors the ledger
        #[arg(long)]
        observer: bool,
        #[command(flatten)]
        to: To,
    },
    /// A member leaves, or is made to
    #[command(
        after_help = "Example:\n  konfido ledger govern draft leave IT --out leave-it.toml --config ledger.toml"
    )]
    Leave(About),
    /// An observer gets a vote
    #[command(
        after_help = "Example:\n  konfido ledger govern draft vote FI --out vote-fi.toml --config ledger.toml"
    )]
    Vote(About),
    /// A voting member becomes an observer: it mirrors on, and its evidence counts as before
    #[command(
        after_help = "Example:\n  konfido ledger govern draft observe IT --out observe-it.toml --config ledger.toml"
    )]
    Observe(About),
    /// A member's key changes
    #[command(subcommand)]
    Key(Key),
    /// The vault that holds a member's seal is another program now
    #[command(
        after_help = "Example:\n  konfido ledger govern draft measurement DK --measurement 5f1c… --out vault-dk.toml --config ledger.toml"
    )]
    Measurement {
        #[command(flatten)]
        about: About,
        /// 32 or 48 bytes, hexadecimal; without it, none is known any more
        #[arg(long, value_name = "HEX", value_parser = bytes)]
        measurement: Option<Raw>,
    },
    /// A member's validator listens elsewhere
    #[command(
        after_help = "Example:\n  konfido ledger govern draft address DK --address ledger2.example.dk:7950 --out address-dk.toml --config ledger.toml"
    )]
    Address {
        #[command(flatten)]
        about: About,
        /// Where the other members reach it
        #[arg(long, value_name = "HOST:PORT", value_parser = Address::parse)]
        address: Address,
    },
    /// Other bounds of deadlines, in blocks; what is not given stays
    #[command(
        after_help = "Example:\n  konfido ledger govern draft terms --half-max 500000 --out terms.toml --config ledger.toml"
    )]
    Terms(Bounds),
}

/// Which key.
#[derive(Debug, Subcommand)]
pub enum Key {
    /// For votes: one that never stood in this ledger
    #[command(
        after_help = "Example:\n  konfido ledger keygen --name DK --address ledger.example.dk:7950 --seal seal.pem --out keys2 > dk.toml\n  \
        konfido ledger govern draft key consensus dk.toml --out key-dk.toml --config ledger.toml"
    )]
    Consensus(Part),
    /// For checkpoints, Ed25519 and ML-DSA-44
    #[command(
        after_help = "Example:\n  konfido ledger govern draft key cosigner dk.toml --out key-dk.toml --config ledger.toml"
    )]
    Cosigner(Part),
    /// For evidence and governance, of a new seal certificate: beside those that are there
    #[command(
        after_help = "Example:\n  konfido ledger govern draft key seal DK --seal seal2.pem --out seal-dk.toml --config ledger.toml"
    )]
    Seal {
        #[command(flatten)]
        about: About,
        /// The certificate, PEM
        #[arg(long, value_name = "PEM")]
        seal: PathBuf,
    },
    /// A seal's key no longer counts
    #[command(
        after_help = "Example:\n  konfido ledger govern draft key retire DK --seal old.pem --out retire-dk.toml --config ledger.toml"
    )]
    Retire {
        #[command(flatten)]
        about: About,
        /// Its certificate, PEM
        #[arg(long, value_name = "PEM")]
        seal: PathBuf,
        /// From this height on, instead of the next epoch
        #[arg(long, value_name = "HEIGHT", default_value_t = 0)]
        at: u64,
    },
}

/// Whom a change is about.
#[derive(Debug, Args)]
pub struct About {
    /// The member
    #[arg(value_parser = Name::parse)]
    name: Name,
    #[command(flatten)]
    to: To,
}

/// A member's keys, as they were made.
#[derive(Debug, Args)]
pub struct Part {
    /// What konfido ledger keygen printed with the new keys
    part: PathBuf,
    #[command(flatten)]
    to: To,
}

/// `konfido ledger govern draft terms`.
#[derive(Debug, Args)]
pub struct Bounds {
    /// A half's deadline lies at least this far ahead
    #[arg(long, value_name = "BLOCKS")]
    half_min: Option<u64>,
    /// And at most this far
    #[arg(long, value_name = "BLOCKS")]
    half_max: Option<u64>,
    /// The same for the receipt of an offer
    #[arg(long, value_name = "BLOCKS")]
    offer_min: Option<u64>,
    /// And at most this far
    #[arg(long, value_name = "BLOCKS")]
    offer_max: Option<u64>,
    /// The key is due so many blocks after the receipt
    #[arg(long, value_name = "BLOCKS")]
    key_blocks: Option<u64>,
    #[command(flatten)]
    to: To,
}

/// Where the draft goes, and whose members it changes.
#[derive(Debug, Args)]
pub struct To {
    /// File of the draft
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    #[command(flatten)]
    asked: Asked,
}

/// Writes the draft, and prints it.
pub async fn run(draft: &Draft) -> anyhow::Result<()> {
    let to = draft.to();
    let seen = seen(&asking(&to.asked)?).await?;
    // a change that waits for the next epoch is what this one builds on
    let roll = seen.registry.pending(seen.next()).unwrap_or(seen.registry.at(seen.next()));
    let change = draft.change(roll)?;
    let motion = Motion::new(&seen.registry, seen.next(), change)
        .map_err(|error| anyhow::anyhow!("{error}\nkonfido ledger members shows who takes part"))?;
    create(&to.out, &motion.to_toml())?;
    let standing = motion.standing(&seen.registry, seen.next()).map_err(|error| told(&error))?;
    let after = motion.applied(&seen.registry, seen.next()).map_err(|error| told(&error))?;
    print!("{}{}", print::motion(&motion), print::standing(&standing));
    print!("{}", print::force(&after, seen.next()));
    eprintln!("the draft is in {}; {}", to.out.display(), print::next(&standing, &to.out));
    Ok(())
}

impl Draft {
    fn to(&self) -> &To {
        match self {
            Self::Join { to, .. } | Self::Terms(Bounds { to, .. }) => to,
            Self::Leave(about) | Self::Vote(about) | Self::Observe(about) => &about.to,
            Self::Measurement { about, .. } | Self::Address { about, .. } => &about.to,
            Self::Key(Key::Consensus(part) | Key::Cosigner(part)) => &part.to,
            Self::Key(Key::Seal { about, .. } | Key::Retire { about, .. }) => &about.to,
        }
    }

    fn change(&self, roll: &Roll) -> anyhow::Result<Change> {
        Ok(match self {
            Self::Join { part, observer, .. } => {
                let member = member(part)?;
                Change::Join(Box::new(if *observer { member.observing() } else { member }))
            }
            Self::Leave(about) => Change::Leave(about.name.clone()),
            Self::Vote(about) => Change::Vote(about.name.clone()),
            Self::Observe(about) => Change::Observe(about.name.clone()),
            Self::Measurement { about, measurement } => {
                Change::Measurement(about.name.clone(), measurement.clone())
            }
            Self::Address { about, address } => {
                Change::Address(about.name.clone(), address.clone())
            }
            Self::Terms(bounds) => Change::Terms(bounds.over(roll.terms())),
            Self::Key(key) => key.change()?,
        })
    }
}

impl Key {
    fn change(&self) -> anyhow::Result<Change> {
        Ok(match self {
            Self::Consensus(Part { part, .. }) => {
                let member = member(part)?;
                let key = member.consensus_key().context("the part has no consensus_key")?;
                Change::ConsensusKey(member.name().clone(), Raw32(key))
            }
            Self::Cosigner(Part { part, .. }) => {
                let member = member(part)?;
                let key = member.cosigner_ed25519().context("the part has no cosigner_ed25519")?;
                let pq = member.cosigner_ml_dsa_44().map(|key| Raw(key.to_vec()));
                Change::Cosigner(member.name().clone(), Raw32(key), pq)
            }
            Self::Seal { about, seal } => {
                let key = EvidenceKey::of(&certificate(seal)?, 0)?;
                Change::EvidenceKey(about.name.clone(), key)
            }
            Self::Retire { about, seal, at } => {
                let kid = Raw32(certificate(seal)?.fingerprint().0);
                Change::RetireKey(about.name.clone(), kid, *at)
            }
        })
    }
}

impl Bounds {
    fn over(&self, terms: &Terms) -> Terms {
        Terms {
            half_min: self.half_min.unwrap_or(terms.half_min),
            half_max: self.half_max.unwrap_or(terms.half_max),
            offer_min: self.offer_min.unwrap_or(terms.offer_min),
            offer_max: self.offer_max.unwrap_or(terms.offer_max),
            key_blocks: self.key_blocks.unwrap_or(terms.key_blocks),
        }
    }
}

/// The one `[[member]]` of a file; the rest of what `keygen` prints is not looked at.
fn member(file: &Path) -> anyhow::Result<Member> {
    #[derive(Deserialize)]
    struct Parts {
        member: Vec<Member>,
    }
    let text = fs::read_to_string(file).with_context(|| file.display().to_string())?;
    let parts: Parts = toml::from_str(&text).with_context(|| file.display().to_string())?;
    let [member] = <[Member; 1]>::try_from(parts.member).map_err(|all| {
        anyhow::anyhow!("{} has {} [[member]] parts, not one", file.display(), all.len())
    })?;
    Ok(member)
}

fn certificate(file: &Path) -> anyhow::Result<Certificate> {
    let pem = fs::read(file).with_context(|| file.display().to_string())?;
    let all = Certificate::from_pem(&pem).with_context(|| file.display().to_string())?;
    ensure!(!all.is_empty(), "no certificate in {}", file.display());
    Ok(all[0].clone())
}

fn bytes(text: &str) -> Result<Raw, MemberError> {
    let bytes = hex::decode(text).map_err(|_| MemberError::Measurement)?;
    Ok(Raw(bytes))
}
