//! A node whose keys are in its vault's sealed store: the key files are gone, old states are refused,
//! and a kill in the middle of writing leaves a whole store.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use testbed::site::Site;

use crate::client::{Ask, Client};
use crate::node::Node;
use crate::{PATIENCE, books, install};

#[test]
fn a_node_runs_from_its_store_when_the_key_files_are_gone() {
    run(gone());
}

#[test]
fn a_store_or_a_log_from_before_is_refused() {
    run(older());
}

#[test]
fn an_import_that_is_killed_leaves_the_old_store_or_the_new_one() {
    run(torn());
}

pub fn run(test: impl Future<Output = anyhow::Result<()>>) {
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    let runtime = runtime.worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(test).unwrap();
}

async fn gone() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let (es, dk, pki) = install(folder.path()).await?;
    let client = Client::new(&pki, &es, &dk)?;
    // a log from before there was a store
    let (b, a) = (Node::start(&es, None).await?, Node::start(&dk, None).await?);
    client.ask(Ask::Retrieve).await.context("with key files")?;
    books::grown(&[&es, &dk], 1).await?;
    a.stop().await?;

    let removed = import(&dk)?;
    ensure!(removed.len() == 7, "three keys of the configuration and four of our own: {removed:?}");
    let root = fs::read(dk.data().join("root.key"))?;
    ensure!(root.len() == 32, "the root key is made");
    let sealed = fs::read(dk.data().join("vault.sealed"))?;
    let clear = |part: &[u8]| memchr::memmem::find(&sealed, part).is_some();
    ensure!(!clear(b"PRIVATE KEY") && !clear(b"log.key") && !clear(&root), "it is not sealed");
    konfido(&["check"], &dk).context("check without a key file")?;

    let mut a = Node::start(&dk, None).await?;
    client.ask(Ask::Retrieve).await.context("without a key file")?;
    books::grown(&[&es, &dk], 2).await?;
    until_said(&dk, 2).await?;
    let shown = konfido(&["vault", "show"], &dk)?;
    for line in ["counter\t2", "state\tnewest", "log\tlog.key", "derive\tsession.key"] {
        ensure!(shown.contains(line), "{shown}");
    }
    ensure!(
        shown.contains("service_provider.key") || shown.matches("sign\t").count() == 3,
        "{shown}"
    );
    let txid = konfido(&["evidence", "list", "--limit", "1"], &dk)?;
    let txid = txid.split('\t').next().context("no exchange")?.to_owned();
    let receipt = konfido(&["evidence", "export", &txid], &dk)?;
    ensure!(receipt.contains("konfido-vault 2"), "a command reads the log key in the store");

    // a vault that dies comes back with the next counter, and the log says it
    for vault in crate::vault::vaults_of(&a) {
        rustix::process::kill_process(vault, rustix::process::Signal::KILL)?;
    }
    let mut told = client.ask(Ask::Retrieve).await;
    for _ in 0..50 {
        if told.is_ok() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
        told = client.ask(Ask::Retrieve).await;
    }
    told.context("after its vault was killed")?;
    a.kill()?;
    let a = Node::start(&dk, None).await?;
    client.ask(Ask::Retrieve).await.context("after kill -9")?;
    // import 1, start 2, the killed vault's next one 3, start 4
    until_said(&dk, 4).await?;
    for file in &removed {
        ensure!(!file.exists(), "{} is made again", file.display());
    }
    a.stop().await?;
    b.stop().await
}

async fn older() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let (es, dk, pki) = install(folder.path()).await?;
    let client = Client::new(&pki, &es, &dk)?;
    import(&dk)?;
    let store = dk.data().join("vault.sealed");
    let first = fs::read(&store)?;
    let b = Node::start(&es, None).await?;
    let a = Node::start(&dk, None).await?;
    client.ask(Ask::Retrieve).await?;
    books::grown(&[&dk], 1).await?;
    a.stop().await?;
    let log = dk.dir.join("log-of-before");
    copy(&dk.data().join("log"), &log)?;

    fs::write(&store, &first)?;
    refused(&dk, "older state: vault.sealed has counter 1, and the log says 2")?;
    let shown = konfido(&["vault", "show"], &dk)?;
    ensure!(shown.contains("state\tolder state"), "{shown}");
    fs::remove_file(&store)?;
    refused(&dk, "vault.sealed is missing, and the log says that there is one with counter 2")?;
    ensure!(!dk.data().join("log.key").exists(), "no other key of the log is made");
    // the newest store, and a log from before its last entries
    fs::write(&store, first_with(&dk, &first)?)?;
    let a = Node::start(&dk, None).await?;
    client.ask(Ask::Retrieve).await?;
    books::grown(&[&dk], 2).await?;
    a.stop().await?;
    let a = Node::start(&dk, None).await?;
    a.stop().await?;
    fs::remove_dir_all(dk.data().join("log"))?;
    copy(&log, &dk.data().join("log"))?;
    refused(&dk, "older state: the log has 1 entries, and vault.sealed knows of 2")?;
    fs::remove_dir_all(dk.data().join("log"))?;
    refused(&dk, "older state: the log has 0 entries, and vault.sealed knows of 2")?;

    // another machine's store, and another root key
    fs::write(dk.data().join("root.key"), [7; 32])?;
    refused(&dk, "is sealed under root")?;
    fs::remove_file(dk.data().join("root.key"))?;
    refused(&dk, "konfido vault recover")?;
    b.stop().await
}

/// The store of counter 1, grown past what the log says, as if it had been kept.
fn first_with(site: &Site, first: &[u8]) -> anyhow::Result<Vec<u8>> {
    let (store, checkpoint) =
        (site.data().join("vault.sealed"), site.data().join("log/checkpoint"));
    let kept = fs::read(&checkpoint)?;
    fs::write(&store, first)?;
    fs::remove_file(&checkpoint)?;
    // without the log nothing says that it is old; twice is beyond 2
    import(site)?;
    import(site)?;
    fs::write(&checkpoint, kept)?;
    Ok(fs::read(&store)?)
}

async fn torn() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let (_, dk, _) = install(folder.path()).await?;
    let started = Instant::now();
    konfido(&["vault", "import"], &dk)?;
    let usual = started.elapsed();
    let mut last = 1;
    let (mut torn, mut done) = (0, 0);
    for round in 0..ROUNDS {
        let mut import = Command::new(env!("CARGO_BIN_EXE_konfido"));
        import.args(["vault", "import", "--config"]).arg(dk.config());
        let mut import = import.stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
        // anywhere in it, and a little beyond
        tokio::time::sleep(usual.mul_f64(f64::from(round % 80) / 64.0)).await;
        for child in crate::vault::children(import.id()) {
            let _ = rustix::process::kill_process(child, rustix::process::Signal::KILL);
        }
        let whole = import.wait()?.success();
        (torn, done) = (torn + usize::from(!whole), done + usize::from(whole));
        let shown = konfido(&["vault", "show"], &dk).context(format!("round {round}"))?;
        let counter = shown.lines().next().and_then(|line| line.strip_prefix("counter\t"));
        let counter: u64 = counter.context("no counter")?.parse()?;
        let steps = counter - last;
        ensure!(steps == 1 || (steps == 0 && !whole), "round {round}: {last} to {counter}");
        ensure!(shown.matches("sign\t").count() == 3, "{shown}");
        last = counter;
    }
    ensure!(torn > 0 && done > 0, "{torn} were killed, {done} not: the times do not fit");
    Ok(())
}

/// Imports, and removes the files that it names.
pub fn import(site: &Site) -> anyhow::Result<Vec<PathBuf>> {
    let named = konfido(&["vault", "import"], site)?;
    let named: Vec<PathBuf> = named.lines().map(PathBuf::from).collect();
    for file in &named {
        fs::remove_file(file).with_context(|| file.display().to_string())?;
    }
    Ok(named)
}

/// The counter that the log's checkpoint says.
fn said(site: &Site) -> anyhow::Result<Option<u64>> {
    let note = fs::read_to_string(site.data().join("log/checkpoint"))?;
    let line = note.lines().find_map(|line| line.strip_prefix("konfido-vault "));
    Ok(line.map(str::parse).transpose()?)
}

async fn until_said(site: &Site, counter: u64) -> anyhow::Result<()> {
    let until = Instant::now() + PATIENCE;
    while said(site)? != Some(counter) {
        ensure!(Instant::now() < until, "the log says {:?}, not {counter}", said(site)?);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    Ok(())
}

/// The node does not start, and says why.
pub fn refused(site: &Site, why: &str) -> anyhow::Result<()> {
    for command in ["check", "run"] {
        let told = konfido(&[command], site).err();
        let told = told.with_context(|| format!("{command} takes it"))?.to_string();
        // the terminal's lines break where they like
        let words = |text: &str| {
            let words = text.split_whitespace().filter(|word| *word != "│");
            words.collect::<Vec<_>>().join(" ")
        };
        ensure!(words(&told).contains(why), "{told}");
    }
    Ok(())
}

/// A command, and what it says on stdout; what it says on stderr is the error.
pub fn konfido(arguments: &[&str], site: &Site) -> anyhow::Result<String> {
    let mut command = Command::new(env!("CARGO_BIN_EXE_konfido"));
    let done = command.args(arguments).arg("--config").arg(site.config()).output()?;
    ensure!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    Ok(String::from_utf8(done.stdout)?)
}

pub fn copy(from: &Path, to: &Path) -> anyhow::Result<()> {
    let copied = Command::new("cp").arg("-a").arg(from).arg(to).status()?;
    ensure!(copied.success(), "cp");
    Ok(())
}

const ROUNDS: u32 = 120;
