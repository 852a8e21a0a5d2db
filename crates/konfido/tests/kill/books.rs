//! What must hold in the journals, the logs and the store, whatever was killed when.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::time::Instant;

use anyhow::{Context as _, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use exchange::{DocumentClass, Side};
use gateway::national::{Dispensation, DocumentStore as _, Kept, Outcome, Status};
use jiff::Timestamp;
use ledger::Settled;
use ledger::journal::{Journal as _, Row, State};
use ledger::log::{Log, verify_consistency, verify_inclusion};
use testbed::pki::{Pki, Role};
use testbed::seed;
use testbed::site::Site;
use testbed::world::AGNETE;

use crate::PATIENCE;
use crate::node::pause;

/// Leaves and root of a log at one time.
pub type Checkpoint = (u64, [u8; 32]);

/// The checkpoint that a log shows to everybody; none before the first leaf.
pub fn checkpoint(site: &Site) -> anyhow::Result<Checkpoint> {
    read(&fs::read_to_string(site.data().join("log/checkpoint"))?)
}

fn read(note: &str) -> anyhow::Result<Checkpoint> {
    let mut lines = note.lines().skip(1);
    let (size, root) = lines.next().zip(lines.next()).context("no checkpoint")?;
    let root = STANDARD.decode(root)?.try_into().ok().context("a root is 32 bytes")?;
    Ok((size.parse()?, root))
}

/// Waits until each log has this many leaves.
pub async fn grown(sites: &[&Site], size: u64) -> anyhow::Result<()> {
    let until = Instant::now() + PATIENCE;
    for site in sites {
        while checkpoint(site).map_or(0, |(size, _)| size) < size {
            let code = site.land.code;
            ensure!(Instant::now() < until, "the log of {code} does not come to {size} leaves");
            pause().await;
        }
    }
    Ok(())
}

/// One node's journal and log, after it stopped.
struct Books {
    rows: BTreeMap<[u8; 16], Row>,
    leaves: BTreeSet<Vec<u8>>,
}

/// Holds the books of B and A against each other and against the checkpoints from before the kill.
pub async fn balance(
    pki: &Pki,
    sites: [&Site; 2],
    before: &[Checkpoint; 2],
    acknowledged: u64,
) -> anyhow::Result<()> {
    let b = audit(sites[0], Side::B, before[0]).await.context("books of B")?;
    let a = audit(sites[1], Side::A, before[1]).await.context("books of A")?;
    let seal = |site: &Site| pki.identity(site.land.country(), Role::Seal).certificate();
    let settled: Vec<&Row> = b.rows.values().filter(|row| row.state == State::Settled).collect();
    let count = settled.len() as u64;
    ensure!(count >= acknowledged, "{count} are settled, and {acknowledged} were acknowledged");
    ensure!(b.rows.len() as u64 <= acknowledged + 1, "more exchanges than requests");
    for row in &settled {
        let other = a.rows.get(&row.txid.0).context("A lost what B holds its signature for")?;
        ensure!(!row.undelivered, "a receipt waits");
        ensure!(other.state == State::Settled, "A lost a receipt that it took");
        ensure!(other.statement == row.statement, "the two records differ");
        let signed = Settled::verify(
            &row.statement,
            &[seal(sites[1]), seal(sites[0])],
            &pki.anchors(),
            Timestamp::now(),
        )?;
        ensure!(signed.statement.txid == row.txid.to_string(), "a record of another exchange");
    }
    for row in a.rows.values() {
        let other = b.rows.get(&row.txid.0).context("B lost a request that A has got")?;
        ensure!(other.request == row.request, "the two requests differ");
    }
    ensure!(a.leaves == b.leaves, "the logs do not hold the same records");
    Ok(())
}

/// Journal and log of one node agree, and the log is a whole and true continuation.
async fn audit(site: &Site, side: Side, before: Checkpoint) -> anyhow::Result<Books> {
    let journal = sqlite::Journal::open(&site.data().join("journal.db"))?;
    let found = journal.newest(1000).await?;
    journal.close();
    ensure!(found.iter().all(|row| row.side == side), "an exchange of the other side");
    let count = found.len();
    let rows: BTreeMap<_, _> = found.into_iter().map(|row| (row.txid.0, row)).collect();
    ensure!(rows.len() == count, "an exchange is in the journal twice");

    let origin = format!("konfido.example/{}", site.land.country().to_lower());
    let log = Log::open(&site.data().join("log"), &origin, &site.data().join("log.key"))?;
    let now = read(&log.checkpoint()?)?;
    let proof = log.prove_consistency(before.0)?;
    ensure!(verify_consistency(before, now, &proof), "the log does not continue");
    let mut leaves = BTreeSet::new();
    for index in 0..log.size() {
        let leaf = log.entry(index)?;
        let proof = log.prove(index)?;
        ensure!(verify_inclusion(&leaf, index, now.0, now.1, &proof), "leaf {index} has no proof");
        ensure!(leaves.insert(leaf), "leaf {index} is in the log twice");
    }
    let mut places = BTreeSet::new();
    for row in rows.values() {
        match (row.state, row.index) {
            (State::Settled, Some(index)) => {
                ensure!(places.insert(index), "two records have place {index}");
                ensure!(log.entry(index)? == row.statement, "place {index} holds another record");
            }
            (State::Settled, None) => anyhow::bail!("a settled record is not in the log"),
            (_, index) => ensure!(index.is_none(), "an open exchange is in the log"),
        }
    }
    ensure!(places.len() as u64 == log.size(), "the log holds what the journal does not");
    Ok(Books { rows, leaves })
}

/// The store knows the dispensation, once: discarded once, the prescription is open again.
pub async fn dispensed_once(es: &Site, dk: &Site) -> anyhow::Result<()> {
    let store = sqlite::National::open(&dk.data().join("national.db"))?;
    let prescription = format!("{}^{}", dk.land.repository, seed::prescription_number(&AGNETE, 1));
    let (unique_id, patient) = (crate::client::dispensation_id(es), AGNETE.id());
    let open = async || -> anyhow::Result<usize> {
        let entries = store.entries(&patient, DocumentClass::EPrescription, 100).await?;
        let ours = entries.iter().filter(|e| e.prescription.as_ref() == Some(&prescription));
        Ok(ours.filter(|e| e.status == Some(Status::Open)).count())
    };
    let again = Dispensation {
        unique_id: unique_id.clone(),
        prescription: prescription.clone(),
        patient: patient.clone(),
        country: es.land.country(),
        received: Timestamp::now(),
        kept: Kept { sealed: bytes::Bytes::new(), digest: [0; 32] },
    };
    ensure!(open().await? == 0, "the prescription is open");
    ensure!(store.dispense(again).await? == Outcome::AlreadyDone, "it was not dispensed");
    ensure!(
        store.discard(&unique_id, &patient, es.land.country()).await? == Outcome::Done,
        "nothing to discard"
    );
    ensure!(open().await? == 2, "a second dispensation keeps it closed");
    store.close();
    Ok(())
}
