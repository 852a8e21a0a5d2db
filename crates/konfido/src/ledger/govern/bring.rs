//! `konfido ledger govern submit`: a signed change goes into the ledger.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};
use clap::Args;
use ledger::line::{Answer, CHANGES_PATH, Changes, ENTRIES_PATH, Made, put};

use super::super::Asked;
use super::super::asking::Asking;
use super::{asking, plain, print, read, seen, told};

/// `konfido ledger govern submit`.
#[derive(Debug, Args)]
pub struct Submit {
    /// The draft, or several copies that were signed apart
    #[arg(required = true)]
    files: Vec<PathBuf>,
    /// Seconds to wait until it is final
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    wait: u64,
    #[command(flatten)]
    asked: Asked,
}

/// Brings it in, and prints who takes part then.
pub async fn run(args: &Submit) -> anyhow::Result<()> {
    let motion = read(&args.files)?;
    let asking = asking(&args.asked)?;
    let before = seen(&asking).await?;
    motion.applied(&before.registry, before.next()).map_err(|error| told(&error))?;
    let standing =
        motion.standing(&before.registry, before.next()).map_err(|error| told(&error))?;
    ensure!(
        standing.lacks() == 0,
        "{} of {} signatures are there ({}); {} more of {} must sign\n{}",
        standing.signed.len(),
        standing.quorum,
        print::list(&standing.signed),
        standing.lacks(),
        print::list(&standing.missing),
        print::next(&standing, &args.files[0])
    );
    let entry = motion.entry()?.into_bytes();
    let answers: Vec<Answer> = asking.told(ENTRIES_PATH, put(&[entry])).await.map_err(plain)?;
    match answers.into_iter().next().context("the validator says nothing")? {
        Answer::Waits => {}
        Answer::Busy => bail!("the validator's line is full: run this again in a minute"),
        Answer::Refused(why) => bail!("the validator refuses it: {why}"),
    }
    let (sequence, digest) = (motion.statement().sequence(), motion.statement().digest());
    let until = Instant::now() + Duration::from_secs(args.wait);
    let made = wait(&asking, before.height, sequence, until).await?;
    ensure!(
        made.digest == hex::encode(digest),
        "another change has become number {sequence}, in block {}\n\
         make a new draft, which everybody signs again",
        made.height
    );
    let after = seen(&asking).await?.registry;
    let (height, epoch) = (made.height, after.epoch(made.height));
    print!("{}", print::motion(&motion));
    println!("{:<10} at height {height}, epoch {epoch}", "final");
    print!("{}", print::force(&after, height));
    Ok(())
}

/// The change of this number, once it is final.
async fn wait(
    asking: &Asking,
    mut after: u64,
    sequence: u64,
    until: Instant,
) -> anyhow::Result<Made> {
    loop {
        let asked = after.to_be_bytes().to_vec();
        let told: Changes = asking.told(CHANGES_PATH, asked).await.map_err(plain)?;
        if let Some(made) = told.changes.into_iter().find(|made| made.sequence == sequence) {
            return Ok(made);
        }
        ensure!(
            Instant::now() < until,
            "it is in line, and not final yet at height {}: are enough members there? (konfido ledger status)\n\
             the same command waits on",
            told.height
        );
        if told.height == after {
            tokio::time::sleep(PAUSE).await;
        }
        after = told.height;
    }
}

const PAUSE: Duration = Duration::from_millis(250);
