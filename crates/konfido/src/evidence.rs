//! `konfido evidence`: what this node can prove, and receipts of it.

use anyhow::{Context as _, bail, ensure};
use exchange::{Side, TransactionId};
use jiff::Timestamp;
use ledger::journal::{Journal as _, Row, State};
use ledger::log::Log;
use ledger::receipt::{self, Receipt};
use ledger::{Field, Secrets};
use sqlite::Journal;
use trust::certificate::Certificate;

use crate::check::Files;
use crate::config::Config;

/// Prints the newest exchanges: number, side, transaction, countries, state, place in the log, time.
pub async fn list(config: &Config, limit: usize) -> anyhow::Result<()> {
    let journal = open(config)?;
    for row in journal.newest(limit).await? {
        let state = match row.state {
            State::Asked => "asked",
            State::Answered => "answered",
            State::Half => "half",
            State::Settled => "settled",
        };
        let index = row.index.map_or_else(|| "-".to_owned(), |index| index.to_string());
        println!(
            "{}\t{}\t{}\t{}>{}\t{state}\t{index}\t{}",
            row.txid,
            side_name(row.side),
            row.transaction.iti(),
            row.requester,
            row.provider,
            row.at
        );
    }
    journal.close();
    Ok(())
}

/// Writes a receipt to stdout, after it verified.
pub async fn export(
    config: &Config,
    files: &Files,
    txid: &str,
    side: Option<Side>,
    show: &[String],
) -> anyhow::Result<()> {
    let txid = TransactionId::parse(txid)?;
    let fields = show
        .iter()
        .map(|name| Field::of(name).with_context(|| format!("there is no field {name}")))
        .collect::<anyhow::Result<Vec<_>>>()?;
    let journal = open(config)?;
    let row = find(&journal, txid, side).await?;
    journal.close();
    let json = receipt(config, files, &row, &fields)?;
    let anchors = &files.seal_anchors;
    receipt::verify(&json, anchors)
        .context("the receipt would not verify; was the seal certificate replaced since?")?;
    println!("{}", String::from_utf8(json)?);
    Ok(())
}

fn open(config: &Config) -> anyhow::Result<Journal> {
    let path = config.data_dir.join("journal.db");
    ensure!(path.exists(), "{} is not there: has this node run?", path.display());
    Journal::open(&path).context("journal.db")
}

async fn find(journal: &Journal, txid: TransactionId, side: Option<Side>) -> anyhow::Result<Row> {
    let mut found = Vec::new();
    for at in [Side::A, Side::B] {
        if side.is_none_or(|side| side == at) {
            found.extend(journal.row(txid, at).await?);
        }
    }
    match (found.pop(), found.pop()) {
        (Some(row), None) => Ok(row),
        (Some(_), Some(_)) => bail!("we were both sides of it: say --side a or --side b"),
        (None, _) => bail!("there is no exchange {txid} here"),
    }
}

fn receipt(config: &Config, files: &Files, row: &Row, fields: &[Field]) -> anyhow::Result<Vec<u8>> {
    let index =
        row.index.context("the exchange is not in the log yet: try again when it is settled")?;
    let key = config.data_dir.join("log.key");
    ensure!(key.exists(), "{} is not there: has this node run?", key.display());
    let log = Log::open(&config.data_dir.join("log"), &config.origin, &key)?;
    let own =
        Certificate::from_pem(&files.seal.1)?.into_iter().next().context("no seal certificate")?;
    let peer = (!row.peer_certificate.is_empty())
        .then(|| Certificate::from_der(&row.peer_certificate))
        .transpose()?;
    let signers: Vec<&Certificate> = match (&peer, row.side) {
        (None, _) => vec![&own],
        (Some(peer), Side::A) => vec![&own, peer],
        (Some(peer), Side::B) => vec![peer, &own],
    };
    let secrets =
        Secrets::decode(&row.secrets).context("the salts of this exchange are damaged")?;
    let at: Timestamp = row.at;
    let receipt = Receipt::export(&row.statement, at, &signers, index, &log, &secrets, fields)?;
    Ok(serde_json::to_vec_pretty(&receipt)?)
}

fn side_name(side: Side) -> &'static str {
    match side {
        Side::A => "A",
        Side::B => "B",
    }
}
