//! `konfido ledger mirror` and `verify`: for observers, who hold the ledger and vote on nothing.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, anyhow, ensure};
use clap::Args;
use http::StatusCode;
use ledger::log::mirror::{Mirror as Tiles, MirrorError, audit};
use ledger::policy::Policy;
use transport::plain::PlainClient;

/// `konfido ledger mirror`.
#[derive(Debug, Clone, Args)]
pub struct Mirror {
    /// A validator's public pages, or any web server with its tiles
    #[arg(long, value_name = "URL")]
    url: String,
    /// Whom we believe: konfido ledger policy
    #[arg(long, value_name = "FILE")]
    policy: PathBuf,
    /// Folder of the copy; a web server may serve it
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Goes on, and looks so often for more
    #[arg(long, value_name = "SECONDS")]
    every: Option<u64>,
}

/// `konfido ledger verify`.
#[derive(Debug, Clone, Args)]
pub struct Verify {
    /// Folder with checkpoint and tile/
    dir: PathBuf,
    /// Whom we believe: konfido ledger policy
    #[arg(long, value_name = "FILE")]
    policy: PathBuf,
}

/// `konfido ledger mirror`.
pub async fn run(args: Mirror) -> anyhow::Result<()> {
    let policy = policy(&args.policy)?;
    let client = PlainClient::of_url(&args.url, ANSWER)?;
    let out = args.out.clone();
    let mut tiles = tokio::task::spawn_blocking(move || Tiles::open(&out)).await??;
    loop {
        match turn(&client, &policy, &mut tiles).await {
            Ok(grown) if grown > 0 || args.every.is_none() => {
                println!("{} entries, {grown} of them new", tiles.size());
            }
            Ok(_) => {}
            Err(error) if args.every.is_some() && !is_fork(&error) => {
                eprintln!("konfido: {error:#}");
            }
            Err(error) => return Err(error),
        }
        let Some(seconds) = args.every else { return Ok(()) };
        tokio::select! {
            () = tokio::time::sleep(Duration::from_secs(seconds.max(1))) => {}
            _ = tokio::signal::ctrl_c() => return Ok(()),
        }
    }
}

/// Follows once; gives how many entries came.
async fn turn(client: &PlainClient, policy: &Policy, tiles: &mut Tiles) -> anyhow::Result<u64> {
    let note = get(client, "/checkpoint").await.context("no checkpoint is served there yet")?;
    let note = String::from_utf8(note)?;
    let before = tiles.size();
    if note != tiles.checkpoint() {
        let agreed = policy.verify(&note, None).context("the checkpoint is not agreed")?;
        let handle = tokio::runtime::Handle::current();
        tokio::task::block_in_place(|| {
            tiles.follow(&agreed, &note, |path| {
                handle.block_on(get(client, &format!("/{}", path.display())))
            })
        })?;
    }
    Ok(tiles.size() - before)
}

async fn get(client: &PlainClient, path: &str) -> anyhow::Result<Vec<u8>> {
    let (status, body) = client.get(path).await?;
    ensure!(status == StatusCode::OK, "status {status} for {path}");
    Ok(body.to_vec())
}

/// Nothing to try again: somebody must look.
fn is_fork(error: &anyhow::Error) -> bool {
    matches!(error.downcast_ref(), Some(MirrorError::Fork(_)))
}

/// `konfido ledger verify`.
pub fn verify(args: &Verify) -> anyhow::Result<()> {
    let (agreed, audited) = audit(&args.dir, &policy(&args.policy)?)?;
    let checkpoint = agreed.checkpoint();
    println!("{:<10} {}", "ledger", checkpoint.origin);
    println!("{:<10} {}", "entries", audited.size);
    for (kind, count) in audited.kinds.iter().filter(|row| row.1 > 0) {
        println!("{:<10} {count} {kind:?}", "");
    }
    println!("{:<10} {}", "root", hex::encode(checkpoint.root));
    let by: Vec<_> = agreed.cosigned().iter().map(|one| one.witness.as_str()).collect();
    println!("{:<10} {}", "cosigned", by.join(", "));
    println!("the copy holds");
    Ok(())
}

fn policy(file: &Path) -> anyhow::Result<Policy> {
    let bytes = fs::read(file).with_context(|| file.display().to_string())?;
    Policy::parse(&bytes).map_err(|error| anyhow!("{}: {error}", file.display()))
}

/// One tile.
const ANSWER: Duration = Duration::from_secs(20);
