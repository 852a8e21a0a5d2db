//! A machine is lost: two of three people and the backup of `vault.sealed` bring the node back, with
//! the log and the seal that it had.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, ensure};
use testbed::site::Site;

use crate::client::{Ask, Client};
use crate::node::Node;
use crate::store::{copy, import, konfido, refused, run};
use crate::{books, install};

#[test]
fn a_lost_machine_comes_back_from_two_shares_and_a_backup() {
    run(lost());
}

#[test]
fn shares_that_do_not_fit_are_refused_each_for_its_reason() {
    run(unfit());
}

async fn lost() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let (es, dk, pki) = install(folder.path()).await?;
    let client = Client::new(&pki, &es, &dk)?;
    import(&dk)?;
    let shares = shares(&dk, &folder.path().join("people"), 3)?;
    let b = Node::start(&es, None).await?;
    let a = Node::start(&dk, None).await?;
    client.ask(Ask::Retrieve).await?;
    books::grown(&[&es, &dk], 1).await?;
    let before = books::checkpoint(&dk)?;
    a.stop().await?;
    // a backup, without the root key
    let backup = folder.path().join("backup");
    fs::create_dir(&backup)?;
    for part in ["vault.sealed", "log", "journal.db", "national.db"] {
        copy(&dk.data().join(part), &backup.join(part))?;
    }
    let seals = fs::read_dir(dk.data().join("seals"))?.count();
    fs::remove_dir_all(dk.data())?;

    // the new machine
    copy(&backup, &dk.data())?;
    refused(&dk, "konfido vault recover makes it again from two shares")?;
    recover(&dk, &[&shares[2], &shares[0]], &[])?;
    let a = Node::start(&dk, None).await?;
    client.ask(Ask::Retrieve).await.context("after the recovery")?;
    books::grown(&[&dk], 2).await?;
    a.stop().await?;
    ensure!(before.0 == 1, "the log had one entry");
    ensure!(fs::read_dir(dk.data().join("seals"))?.count() == seals, "the same seal");
    let events = konfido(&["events", "list"], &dk)?;
    ensure!(events.contains("vault.recovered") && !events.contains("older"), "{events}");

    // once more, and only the very first store is left: the log knows better
    fs::remove_file(dk.data().join("root.key"))?;
    fs::copy(backup.join("vault.sealed"), dk.data().join("vault.sealed"))?;
    let pair = [&*shares[0], &*shares[1]];
    let told = recover(&dk, &pair, &[]).err().context("an older state is taken")?.to_string();
    ensure!(told.contains("older state") && told.contains("--accept-older"), "{told}");
    ensure!(!dk.data().join("root.key").exists(), "a recovery that is refused changes nothing");
    let told = recover(&dk, &pair, &["--accept-older"])?;
    ensure!(told.contains("WARNING: older state: vault.sealed has counter"), "{told}");
    let events = konfido(&["events", "list"], &dk)?;
    ensure!(events.contains("vault.older-state"), "{events}");
    let a = Node::start(&dk, None).await?;
    client.ask(Ask::Retrieve).await.context("after an older state was taken")?;
    a.stop().await?;
    b.stop().await
}

async fn unfit() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let (_, dk, _) = install(folder.path()).await?;
    import(&dk)?;
    let ours = shares(&dk, &folder.path().join("first"), 3)?;
    let second = shares(&dk, &folder.path().join("second"), 3)?;
    let root = fs::read(dk.data().join("root.key"))?;
    fs::remove_file(dk.data().join("root.key"))?;
    let damaged = folder.path().join("damaged.txt");
    let text = fs::read_to_string(&ours[1])?;
    let (head, data) = text.split_once("data ").context("no data")?;
    let flipped = if data.starts_with('0') { "1" } else { "0" };
    fs::write(&damaged, format!("{head}data {flipped}{}", &data[1..]))?;
    let table: [(&str, Vec<&Path>, &str); 6] = [
        ("one share", vec![&ours[0]], "only 1 of 2 shares that are needed"),
        ("twice", vec![&ours[0], &ours[0]], "is share 1 once more"),
        ("two sets", vec![&ours[0], &second[1]], "is of another set"),
        ("damaged", vec![&ours[0], &damaged], "damaged.txt is damaged"),
        ("no share", vec![&ours[0], Path::new("/etc/hostname")], "is no recovery share"),
        ("no file", vec![&ours[0], Path::new("/nowhere")], "cannot read /nowhere"),
    ];
    for (what, shares, why) in table {
        let told = recover(&dk, &shares, &[]).err().context(what)?.to_string();
        ensure!(told.contains(why), "{what}: {told}");
        let secret = text.split("data ").nth(1).and_then(|data| data.split(' ').next());
        ensure!(!told.contains(secret.context("no data")?), "{what}: it says a piece of a share");
        ensure!(!dk.data().join("root.key").exists(), "{what} makes a root key");
    }
    // another root key that is there stays
    fs::write(dk.data().join("root.key"), [7; 32])?;
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o600);
    fs::set_permissions(dk.data().join("root.key"), mode)?;
    let told = recover(&dk, &[&ours[0], &ours[1]], &[]).err().context("written over")?;
    ensure!(told.to_string().contains("another root key is there"), "{told}");
    fs::remove_file(dk.data().join("root.key"))?;
    recover(&dk, &[&second[2], &second[1]], &[])?;
    ensure!(fs::read(dk.data().join("root.key"))? == root, "the same root key");
    // shares are never written over
    let folder = folder.path().join("first").display().to_string();
    let again = konfido(&["vault", "shares", "--of", "3", "--need", "2", "--out", &folder], &dk);
    ensure!(again.is_err_and(|e| e.to_string().contains("File exists")), "written over");
    Ok(())
}

fn shares(site: &Site, folder: &Path, of: usize) -> anyhow::Result<Vec<PathBuf>> {
    let (of_text, out) = (of.to_string(), folder.display().to_string());
    let made = ["vault", "shares", "--of", &of_text, "--need", "2", "--out", &out];
    let files: Vec<PathBuf> = konfido(&made, site)?.lines().map(PathBuf::from).collect();
    ensure!(files.len() == of, "{files:?}");
    for file in &files {
        let mode = std::os::unix::fs::MetadataExt::mode(&fs::metadata(file)?);
        ensure!(mode & 0o777 == 0o600, "a share is open to others");
    }
    Ok(files)
}

/// What it says on stderr.
fn recover(site: &Site, shares: &[&Path], more: &[&str]) -> anyhow::Result<String> {
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_konfido"));
    command.args(["vault", "recover"]).args(shares).args(more);
    let done = command.arg("--config").arg(site.config()).output()?;
    let said = String::from_utf8(done.stderr)?;
    ensure!(done.status.success(), "{said}");
    Ok(said)
}
