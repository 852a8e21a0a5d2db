//! `kill -9` at every moment of an erasure ([`ledger::crash::ERASE_POINTS`]): the patient's keys are
//! all there or all gone, nothing is told otherwise, and the command repeated, with a node started in
//! between or not, brings it to its end.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::Instant;

use anyhow::{Context as _, ensure};
use enclave::{Use, Vault};
use ledger::crash::{CRASH_AT, ERASE_POINTS};
use siem::PseudonymKey;
use testbed::memory::finds;
use testbed::site::Site;
use testbed::world::AGNETE;
use trust::certificate::Anchors;

use crate::client::{Ask, Client};
use crate::node::{Node, pause};
use crate::store::{copy, run};
use crate::{PATIENCE, books, install};

#[test]
fn an_erasure_of_a_patient_that_is_killed_anywhere_is_all_or_nothing_and_completed_when_repeated() {
    run(of_a_patient());
}

#[test]
fn an_erasure_of_one_exchange_that_is_killed_is_noted_by_the_node_that_completes_it() {
    run(of_an_exchange());
}

async fn of_a_patient() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let stage = Stage::set(folder.path(), EXCHANGES).await?;
    ensure!(stage.found()?.len() == EXCHANGES, "{:?}", stage.found()?);
    ensure!(stage.marked()? == BTreeSet::from(["events.db", "journal.db"].map(str::to_owned)));
    let erase = ["erase", "--patient", &AGNETE.id().cx(), "--yes"];
    for (moment, gone) in ERASE_POINTS {
        let after = folder.path().join(moment.replace('/', "-"));
        stage.restore(&stage.before)?;
        stage.killed(&erase, moment)?;
        copy(&stage.dk.data(), &after)?;
        stage.told_the_truth(*gone).with_context(|| (*moment).to_owned())?;
        for node_between in [false, true] {
            stage.restore(&after)?;
            let judged = async {
                if node_between {
                    stage.node_completes(*gone).await?;
                    stage.told_the_truth(*gone)?;
                }
                stage.ended(&erase)
            };
            judged.await.with_context(|| format!("{moment}, a node: {node_between}"))?;
        }
    }
    // the same patient comes again, under a key of his own
    let (b, a) = (Node::start(&stage.es, None).await?, Node::start(&stage.dk, None).await?);
    stage.client.ask(Ask::Retrieve).await?;
    b.stop().await?;
    a.stop().await?;
    ensure!(stage.found()?.len() == 1, "{:?}", stage.found()?);
    Ok(())
}

async fn of_an_exchange() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let stage = Stage::set(folder.path(), FEW).await?;
    let all = stage.found()?;
    let erase = ["erase", "--txid", &all[1], "--side", "a", "--yes"];
    for (moment, gone) in ERASE_POINTS {
        stage.restore(&stage.before)?;
        if OF_PATIENTS.contains(moment) {
            ensure!(
                stage.ledger(&erase)?.status.success(),
                "it is erased without passing {moment}"
            );
            continue;
        }
        // it is overwritten in the same step
        let gone = *gone && *moment != "erase/overwriting";
        stage.killed(&erase, moment)?;
        let judge = |left: &[String]| -> anyhow::Result<()> {
            let found = stage.found()?;
            ensure!(found.iter().eq(left), "{moment}: {found:?}");
            left.iter().try_for_each(|txid| stage.is_shown(txid))?;
            if gone { stage.is_erased(&all[1]) } else { Ok(()) }
        };
        let left: Vec<String> =
            all.iter().filter(|txid| !gone || **txid != all[1]).cloned().collect();
        judge(&left)?;
        let node = Node::start(&stage.dk, None).await?;
        stage.completed(&erase[..5]).await?;
        node.stop().await?;
        judge(&left)?;
        let noted = stage.noted()?;
        ensure!(noted == gone, "{moment}: an event was noted: {noted}");
        ensure!(stage.ledger(&erase)?.status.success(), "{moment}: it is not repeated");
        stage.is_erased(&all[1])?;
        ensure!(stage.noted()? && stage.found()?.len() == all.len() - 1, "{moment}: repeated");
    }
    Ok(())
}

/// Denmark with exchanges about one patient; nodes are stopped.
struct Stage {
    es: Site,
    dk: Site,
    client: Client,
    anchors: Anchors,
    /// A copy of Denmark's data.
    before: PathBuf,
    /// The patient's names in the files.
    marks: Vec<Vec<u8>>,
}

impl Stage {
    async fn set(folder: &Path, exchanges: usize) -> anyhow::Result<Self> {
        let (es, dk, pki) = install(folder).await?;
        let client = Client::new(&pki, &es, &dk)?;
        let (b, a) = (Node::start(&es, None).await?, Node::start(&dk, None).await?);
        for _ in 0..exchanges {
            client.ask(Ask::Retrieve).await?;
        }
        books::grown(&[&es, &dk], exchanges as u64).await?;
        b.stop().await?;
        a.stop().await?;
        let before = folder.join("before");
        copy(&dk.data(), &before)?;
        let key = |name: &str| -> anyhow::Result<[u8; 32]> {
            let bytes = fs::read(dk.data().join(name))?;
            bytes.try_into().ok().context("a key of 32 bytes")
        };
        let cx = AGNETE.id().cx();
        let vault = Vault::holding(dk.land.country(), &[(Use::Patients, &key("patients.key")?)])?;
        let pseudonym = PseudonymKey::new(key("pseudonym.key")?).of("patient", &cx);
        let marks = vec![vault.name(&cx)?.to_vec(), pseudonym.0.to_be_bytes().to_vec()];
        Ok(Self { es, dk, client, anchors: pki.anchors(), before, marks })
    }

    fn restore(&self, from: &Path) -> anyhow::Result<()> {
        fs::remove_dir_all(self.dk.data())?;
        copy(from, &self.dk.data())
    }

    fn konfido(&self, arguments: &[&str], at: Option<&str>) -> anyhow::Result<Output> {
        let mut command = Command::new(env!("CARGO_BIN_EXE_konfido"));
        command.args(arguments).arg("--config").arg(self.dk.config());
        command.envs(at.map(|moment| (CRASH_AT, moment)));
        Ok(command.output()?)
    }

    fn ledger(&self, arguments: &[&str]) -> anyhow::Result<Output> {
        self.konfido(&[&["ledger"], arguments].concat(), None)
    }

    fn killed(&self, arguments: &[&str], moment: &str) -> anyhow::Result<()> {
        let done = self.konfido(&[&["ledger"], arguments].concat(), Some(moment))?;
        let said = String::from_utf8_lossy(&done.stderr).into_owned();
        ensure!(done.status.signal() == Some(9), "{moment}: {} {said}", done.status);
        Ok(())
    }

    /// Numbers of the patient's exchanges, as `ledger find` lists them.
    fn found(&self) -> anyhow::Result<Vec<String>> {
        let done = self.ledger(&["find", "--patient", &AGNETE.id().cx()])?;
        if !done.status.success() {
            let said = String::from_utf8(done.stderr)?;
            ensure!(said.contains("nothing is known"), "{said}");
            return Ok(Vec::new());
        }
        let lines = String::from_utf8(done.stdout)?;
        Ok(lines.lines().filter_map(|line| Some(line.split('\t').next()?.to_owned())).collect())
    }

    /// All exchanges are listed and open, or none is listed and none opens.
    fn told_the_truth(&self, gone: bool) -> anyhow::Result<()> {
        let found = self.found()?;
        ensure!(found.len() == if gone { 0 } else { EXCHANGES }, "{} are listed", found.len());
        let all = self.konfido(&["evidence", "list", "--limit", "1000"], None)?;
        let all = String::from_utf8(all.stdout)?;
        let all: Vec<&str> = all.lines().filter_map(|line| line.split('\t').next()).collect();
        ensure!(all.len() == EXCHANGES, "{} exchanges", all.len());
        // the newest, the oldest, and behind the first slice
        for at in [0, EXCHANGES - 65, EXCHANGES - 1] {
            if gone { self.is_erased(all[at])? } else { self.is_shown(all[at])? }
        }
        Ok(())
    }

    fn is_shown(&self, txid: &str) -> anyhow::Result<()> {
        let done = self.konfido(&["evidence", "export", txid, "--show", "patient"], None)?;
        let receipt = String::from_utf8(done.stdout)?;
        ensure!(receipt.contains(AGNETE.number), "{}", String::from_utf8_lossy(&done.stderr));
        ledger::receipt::verify(receipt.as_bytes(), &self.anchors)?;
        Ok(())
    }

    /// It shows nothing, says why, and its record still proves what it says.
    fn is_erased(&self, txid: &str) -> anyhow::Result<()> {
        let done = self.konfido(&["evidence", "export", txid, "--show", "patient"], None)?;
        let said = String::from_utf8(done.stderr)?;
        ensure!(!done.status.success() && said.contains("were erased"), "{said}");
        let receipt = self.konfido(&["evidence", "export", txid], None)?.stdout;
        ledger::receipt::verify(&receipt, &self.anchors)?;
        Ok(())
    }

    /// A node that starts brings the journal to its end.
    async fn node_completes(&self, gone: bool) -> anyhow::Result<()> {
        let node = Node::start(&self.dk, None).await?;
        self.completed(&["erase", "--patient", &AGNETE.id().cx()]).await?;
        node.stop().await?;
        let marked = self.marked()?;
        ensure!(marked.contains("journal.db") != gone, "{marked:?}");
        ensure!(!gone || self.noted()?, "no event says that there was an erasure");
        Ok(())
    }

    async fn completed(&self, erase: &[&str]) -> anyhow::Result<()> {
        let until = Instant::now() + PATIENCE;
        loop {
            let said = String::from_utf8(self.ledger(erase)?.stdout)?;
            if !said.contains("was interrupted") {
                return Ok(());
            }
            ensure!(Instant::now() < until, "the node does not complete it: {said}");
            pause().await;
        }
    }

    fn noted(&self) -> anyhow::Result<bool> {
        let done = self.konfido(&["events", "list", "--kind", "evidence.erased"], None)?;
        Ok(String::from_utf8(done.stdout)?.contains("evidence.erased"))
    }

    /// Repeated: nothing is left of him, and all of it is said.
    fn ended(&self, erase: &[&str]) -> anyhow::Result<()> {
        let done = self.ledger(erase)?;
        ensure!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
        self.told_the_truth(true)?;
        let marked = self.marked()?;
        ensure!(marked.is_empty(), "a name of his is in {marked:?}");
        ensure!(self.noted()?, "no event says it");
        let said = String::from_utf8(self.ledger(&erase[..3])?.stdout)?;
        let none = said.contains("no exchange here") && said.contains("\n0 events lose");
        ensure!(none && !said.contains("was interrupted"), "{said}");
        Ok(())
    }

    /// The databases that have a name of the patient's; not the medical record.
    fn marked(&self) -> anyhow::Result<BTreeSet<String>> {
        let mut found = BTreeSet::new();
        for file in fs::read_dir(self.dk.data())? {
            let path = file?.path();
            let name = path.file_name().context("a name")?.to_string_lossy().into_owned();
            if path.is_file()
                && !name.starts_with("national.db")
                && finds(&fs::read(&path)?, &self.marks)
            {
                found.insert(name);
            }
        }
        Ok(found)
    }
}

/// A slice and a part of one.
const EXCHANGES: usize = 70;
const FEW: usize = 3;
/// Moments that the erasure of one exchange does not come to.
const OF_PATIENTS: [&str; 3] = ["erase/deleting", "erase/slice", "erase/renamed"];
