//! The story's last chapter: every member holds the same record, also when one of them dies.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use exchange::{Country, DocumentClass, Transaction, TransactionId};
use ledger::Field;
use ledger::journal::{Row, State};
use testbed::world::{AGNETE, MONTSERRAT};

use super::ledger::Validators;
use super::{Circle, Narrator, origin};
use crate::custody::Custody;
use crate::evidence::archive::Archive;
use crate::ledger::receipt::shared;

/// Root, death, catching up, receipt.
pub async fn told(
    circle: &mut Circle,
    narrator: &mut Narrator,
    es: Country,
    dk: Country,
) -> anyhow::Result<()> {
    let Some(mut validators) = circle.validators.take() else { return Ok(()) };
    narrator.chapter("Every member holds the same record");
    let told = tell(circle, &mut validators, narrator, (es, dk)).await;
    circle.validators = Some(validators);
    told
}

async fn tell(
    circle: &Circle,
    validators: &mut Validators,
    narrator: &mut Narrator,
    (es, dk): (Country, Country),
) -> anyhow::Result<()> {
    let started = Instant::now();
    let expected = records(circle).await?;
    let same = validators.agreed(4, expected.len() as u64).await;
    narrator.step(started, "DK, ES, IT and the Commission: one root", same.map(said));

    let started = Instant::now();
    let id = validators.kill("IT")?;
    let visit = circle.visit(&MONTSERRAT, Some(&AGNETE));
    let portal = circle.portal(es, dk)?;
    portal.query(&visit, &AGNETE.id(), DocumentClass::PatientSummary).await?;
    let expected = records(circle).await?;
    let same = validators.agreed(3, expected.len() as u64).await;
    let held = same.map(|found| format!("{id} died; {}", said(found)));
    narrator.step(started, "Italy's validator is killed; the others go on", held);

    let started = Instant::now();
    validators.restart("IT")?;
    let same = validators.agreed(4, expected.len() as u64).await;
    narrator.step(started, "it comes back and catches up", same.map(said));

    let started = Instant::now();
    let held = receipt(circle, validators, es).await;
    narrator.step(
        started,
        "konfido verify, with a policy of 3 in 4",
        held.map_err(|e| format!("{e:#}")),
    );
    Ok(())
}

/// Exchanges that are in the own log of one country or of both.
async fn records(circle: &Circle) -> anyhow::Result<BTreeSet<TransactionId>> {
    // a receipt is on its way for a moment
    tokio::time::sleep(Duration::from_millis(500)).await;
    let mut all = BTreeSet::new();
    for country in circle.countries() {
        let rows = circle.node(country).node.journal.newest(1000).await?;
        let done = rows.iter().filter(|row| matches!(row.state, State::Half | State::Settled));
        all.extend(done.map(|row| row.txid));
    }
    Ok(all)
}

fn said((size, root): (u64, String)) -> String {
    format!("{size} entries, root {}", &root[..16])
}

/// A receipt of her Patient Summary, judged by a program that has a policy, roots and nothing else.
async fn receipt(circle: &Circle, validators: &Validators, es: Country) -> anyhow::Result<String> {
    let node = &circle.node(es).node;
    let rows = node.journal.newest(1000).await?;
    let read = |row: &&Row| row.transaction == Transaction::Retrieve && row.state == State::Settled;
    let row = rows.iter().find(read).context("no ITI-39 was settled")?;
    let anchors = circle.pki.anchors();
    let archive = Archive {
        data: &circle.data(es),
        origin: &origin(es),
        seal: &node.sealing().seal,
        anchors: &anchors,
        custody: &Custody::Here,
    };
    let secrets = node.secrets(row).await?.context("nothing was erased")?;
    let record = archive.record(row, secrets)?;
    let (receipt, policy) =
        (circle.data(es).join("shared-receipt.json"), circle.data(es).join("ledger.policy"));
    let made =
        shared(&record, &validators.line(es)?, &[Field::Professional, Field::Purpose]).await?;
    std::fs::write(&receipt, &made)?;
    std::fs::write(&policy, validators.get("EU", "/policy").await?)?;
    let roots = circle.root_file();
    let judged = tokio::process::Command::new("/proc/self/exe")
        .arg("verify")
        .arg(&receipt)
        .arg("--policy")
        .arg(&policy)
        .arg("--roots")
        .arg(&roots)
        .output()
        .await?;
    let said = String::from_utf8_lossy(&judged.stdout).into_owned();
    anyhow::ensure!(judged.status.success(), "{}", String::from_utf8_lossy(&judged.stderr).trim());
    Ok(format!("{} facts; {} bytes", said.lines().count() - 1, made.len()))
}
