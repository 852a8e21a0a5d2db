//! Strict mode between real processes: two nodes, two validators, and what either side may withhold.

mod circle;

use std::fs;
use std::future::Future;
use std::path::PathBuf;
use std::process::Command;
use std::time::Instant;

use anyhow::{Context as _, ensure};
use exchange::{Code, TransactionId};
use ledger::entry::{Entry, Kind};
use testbed::site::Site;

use crate::PATIENCE;
use crate::node::Node;
use circle::{LONG, Stage, Terms, open, refused};

#[test]
fn a_strict_document_is_given_against_a_receipt_in_the_ledger() {
    play(|folder| async move {
        let stage = Stage::set(&folder, LONG).await?;
        let (b, a) = stage.start().await?;
        let document = stage.client.retrieve().await.context("the document")?;
        ensure!(is_summary(&document), "it is one");
        let entries = stage.validators.entries(0).await?;
        let kinds: Vec<Kind> = entries.iter().map(Entry::kind).collect();
        ensure!(kinds == [Kind::Offer, Kind::Receipt, Kind::Key], "{kinds:?}");
        let txid = entries[0].txid().context("a number")?;
        stage.validators.comes_to(txid, "released").await?;
        // a query brings no document and waits for nobody
        stage.client.lists().await.context("a query")?;
        // an emergency does not wait either, and is no matter of receipts
        let urgent = stage.client.urgently().retrieve().await.context("an emergency")?;
        ensure!(urgent == document, "the same document");
        let offers = |all: &[Entry]| all.iter().filter(|entry| entry.kind() == Kind::Offer).count();
        ensure!(offers(&stage.validators.entries(0).await?) == 1, "without an offer");
        ensure!(open(&stage.es, "taken").is_none(), "nothing stays open");
        // who sends a message again gets nothing by it
        let brought = stage.client.repeats(2).await;
        ensure!(brought == [true, false], "a replay: {brought:?}");
        ensure!(offers(&stage.validators.entries(0).await?) == 2, "nor another offer");
        // what both signed as always stays at home: the ledger has this exchange already
        let until = Instant::now() + PATIENCE;
        loop {
            let entries = stage.validators.entries(0).await?;
            let whole = entries.iter().filter(|entry| entry.kind() == Kind::Whole);
            let numbers: Vec<_> = whole.filter_map(Entry::txid).collect();
            ensure!(!numbers.contains(&txid), "the strict exchange was brought once more");
            if numbers.len() >= 2 {
                break;
            }
            ensure!(Instant::now() < until, "query and emergency are not in the ledger");
            crate::node::pause().await;
        }
        b.stop().await?;
        a.stop().await
    });
}

#[test]
fn a_strict_exchange_goes_on_after_both_nodes_were_killed_in_the_middle() {
    play(|folder| async move {
        let stage = Stage::set(&folder, Terms { key_wait: 3, ..LONG }).await?;
        let txid = stage.offered().await?;
        let b = Node::start(&stage.es, None).await?;
        stage.validators.comes_to(txid, "receipted").await?;
        let a = Node::start(&stage.dk, None).await?;
        stage.validators.comes_to(txid, "released").await?;
        // Spain's vault has another key by now; the repetition finds the exchange that is open
        let document = stage.client.retrieve().await.context("the repetition")?;
        ensure!(is_summary(&document), "the document");
        let entries = stage.validators.entries(0).await?;
        let offers = entries.iter().filter(|entry| entry.kind() == Kind::Offer);
        ensure!(offers.count() == 1, "and no second offer");
        b.stop().await?;
        a.stop().await
    });
}

#[test]
fn a_provider_that_keeps_its_key_is_in_default_for_all_to_see() {
    play(|folder| async move {
        let stage = Stage::set(&folder, Terms { key_wait: 3, key_blocks: 6, ..LONG }).await?;
        let txid = stage.offered().await?;
        let b = Node::start(&stage.es, None).await?;
        stage.validators.comes_to(txid, "defaulted").await?;
        noted(&stage.es, siem::Kind::OfferDefaulted, txid).await?;
        soon("Spain waits no more", || Ok(open(&stage.es, "taken").is_none())).await?;
        b.stop().await?;
        // what comes late is recorded as late, and Denmark's people are told
        let a = Node::start(&stage.dk, None).await?;
        stage.validators.comes_to(txid, "released-late").await?;
        soon("Denmark owes nothing", || Ok(open(&stage.dk, "given").is_none())).await?;
        noted(&stage.dk, siem::Kind::OfferDefaulted, txid).await?;
        a.stop().await
    });
}

#[test]
fn a_requester_that_never_receipts_gets_nothing_readable() {
    play(|folder| async move {
        let stage = Stage::set(&folder, Terms { key_wait: 3, offer_blocks: 25, ..LONG }).await?;
        let txid = stage.offered().await?;
        let a = Node::start(&stage.dk, None).await?;
        stage.validators.comes_to(txid, "lapsed").await?;
        let (_, path) = open(&stage.es, "sealed").context("the ciphertext")?;
        let sealed = fs::read(path)?;
        ensure!(sealed.len() > 2000, "all of it");
        for text in ["ClinicalDocument", "RetrieveDocumentSet", "urn:hl7-org"] {
            ensure!(memchr::memmem::find(&sealed, text.as_bytes()).is_none(), "{text} is readable");
        }
        soon("Denmark forgets the key", || Ok(open(&stage.dk, "given").is_none())).await?;
        noted(&stage.dk, siem::Kind::OfferLapsed, txid).await?;
        a.stop().await?;
        let entries = stage.validators.entries(0).await?;
        ensure!(entries.iter().all(|entry| entry.kind() != Kind::Key), "no key was published");
        Ok(())
    });
}

#[test]
fn a_key_that_was_not_promised_opens_nothing_and_is_told() {
    play(|folder| async move {
        let stage = Stage::set(&folder, Terms { key_wait: 3, ..LONG }).await?;
        let txid = stage.offered().await?;
        let (_, path) = open(&stage.dk, "given").context("what Denmark gave")?;
        let mut row: serde_json::Value = serde_json::from_slice(&fs::read(&path)?)?;
        let key = row["key"].as_str().context("the key")?;
        let other = if key.ends_with('0') { "1" } else { "0" };
        row["key"] = format!("{}{other}", &key[..key.len() - 1]).into();
        fs::write(&path, serde_json::to_vec(&row)?)?;
        let (b, a) = stage.start().await?;
        stage.validators.comes_to(txid, "released").await?;
        refused(&stage.client.retrieve().await, Code::ErrorSecDataIntegrityNotEnsured)?;
        ensure!(open(&stage.es, "broken").is_some(), "it is set aside for a complaint");
        noted(&stage.es, siem::Kind::OfferBroken, txid).await?;
        b.stop().await?;
        a.stop().await
    });
}

#[test]
fn an_emergency_does_not_wait_behind_offers_that_wait_for_the_ledger() {
    play(|folder| async move {
        let mut stage = Stage::set(&folder, Terms { offer_wait: 20, asking: 2, ..LONG }).await?;
        let (b, a) = stage.start().await?;
        stage.client.lists().await.context("both know each other")?;
        // without Spain's vote no offer becomes final
        stage.validators.kill(0)?;
        let first = stage.asks();
        soon("Denmark offers", || Ok(open(&stage.dk, "given").is_some())).await?;
        // a second one does not take the other place of Spain's
        refused(&stage.client.retrieve().await, Code::ErrorGeneric)?;
        stage.client.urgently().retrieve().await.context("an emergency")?;
        ensure!(!first.is_finished(), "the emergency came behind it");
        first.abort();
        b.stop().await?;
        a.stop().await
    });
}

#[test]
fn an_emergency_does_not_wait_behind_a_receipt_that_waits_for_the_ledger() {
    play(|folder| async move {
        let stage = Stage::set(&folder, Terms { key_wait: 20, ..LONG }).await?;
        let (b, a) = stage.start().await?;
        stage.disconnect(0)?;
        let first = stage.asks();
        soon("Spain takes it", || Ok(open(&stage.es, "taken").is_some())).await?;
        stage.client.urgently().retrieve().await.context("an emergency")?;
        ensure!(!first.is_finished(), "the emergency came behind it");
        first.abort();
        b.stop().await?;
        a.stop().await
    });
}

#[test]
fn without_a_validator_strict_documents_wait_and_care_does_not() {
    play(|folder| async move {
        let mut stage = Stage::set(&folder, Terms { offer_wait: 5, ..LONG }).await?;
        let (b, a) = stage.start().await?;
        stage.validators.kill(1)?;
        refused(&stage.client.retrieve().await, Code::ErrorGeneric)?;
        stage.client.lists().await.context("a query")?;
        stage.client.urgently().retrieve().await.context("an emergency")?;
        stage.validators.restart(1)?;
        let until = Instant::now() + PATIENCE;
        while stage.client.retrieve().await.is_err() {
            ensure!(Instant::now() < until, "{}", stage.validators.logs());
        }
        b.stop().await?;
        a.stop().await
    });
}

fn is_summary(document: &[u8]) -> bool {
    memchr::memmem::find(document, b"ClinicalDocument").is_some()
}

/// Waits until a node noted this of an exchange.
async fn noted(site: &Site, kind: siem::Kind, txid: [u8; 16]) -> anyhow::Result<()> {
    let of = TransactionId(txid).to_string();
    soon(&format!("{} notes {}", site.land.code, kind.name()), || {
        let mut list = Command::new(env!("CARGO_BIN_EXE_konfido"));
        list.args(["events", "list", "--kind", kind.name(), "--config"]).arg(site.config());
        Ok(String::from_utf8_lossy(&list.output()?.stdout).contains(&of))
    })
    .await
}

/// Waits until it is so.
async fn soon(what: &str, so: impl Fn() -> anyhow::Result<bool>) -> anyhow::Result<()> {
    let until = Instant::now() + PATIENCE;
    while !so()? {
        ensure!(Instant::now() < until, "never: {what}");
        crate::node::pause().await;
    }
    Ok(())
}

fn play<F: Future<Output = anyhow::Result<()>>>(scene: impl FnOnce(PathBuf) -> F) {
    let folder = tempfile::tempdir().unwrap();
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    let runtime = runtime.worker_threads(2).enable_all().build().unwrap();
    let played = runtime.block_on(scene(folder.path().to_owned()));
    if let Err(error) = played {
        for log in ["es/node.log", "dk/node.log", "ledger/ES/ledger.log", "ledger/DK/ledger.log"] {
            let text = fs::read_to_string(folder.path().join(log)).unwrap_or_default();
            eprintln!("--- {log}\n{text}");
        }
        panic!("{error:#}");
    }
}
