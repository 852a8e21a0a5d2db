//! `konfido evidence`: what this node can prove, as receipts and as ETSI REM documents.

pub mod archive;
mod rem;

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context as _, bail, ensure};
use exchange::{Side, SystemEntropy, TransactionId};
use ledger::Field;
use ledger::journal::{Journal as _, Row, State};
use sqlite::Journal;
use trust::seal::SealKey;

use crate::check::Files;
use crate::cli::{Export, Format};
use crate::config::Config;
use archive::Archive;

/// Prints the newest exchanges: number, side, transaction, countries, state, place in the log, time.
pub async fn list(config: &Config, limit: usize) -> anyhow::Result<()> {
    let journal = open(config)?;
    journal.newest(limit).await?.iter().for_each(|row| println!("{}", line(row)));
    journal.close();
    Ok(())
}

/// Number, side, transaction, countries, state, place in the log, time; separated by tabs.
pub fn line(row: &Row) -> String {
    let state = match row.state {
        State::Asked => "asked",
        State::Answered => "answered",
        State::Half => "half",
        State::Settled => "settled",
    };
    let index = row.index.map_or_else(|| "-".to_owned(), |index| index.to_string());
    format!(
        "{}\t{}\t{}\t{}>{}\t{state}\t{index}\t{}",
        row.txid,
        side_name(row.side),
        row.transaction.iti(),
        row.requester,
        row.provider,
        row.at
    )
}

/// Writes the receipt of one exchange to stdout, or its REM documents to stdout or a folder; each
/// only after it verified.
pub async fn export(args: &Export, config: &Config, files: &Files) -> anyhow::Result<()> {
    let txid = TransactionId::parse(&args.txid)?;
    let fields = args
        .show
        .iter()
        .map(|name| Field::of(name).with_context(|| format!("there is no field {name}")))
        .collect::<anyhow::Result<Vec<_>>>()?;
    let rem = args.format == Format::Rem;
    ensure!(rem || args.out.is_none(), "--out is for --format rem; a receipt goes to stdout");
    ensure!(!rem || fields.is_empty(), "--show is for receipts; REM evidence shows no field");
    let journal = open(config)?;
    let row = find(&journal, txid, args.side.map(Into::into)).await?;
    let vault = files.custody.vault(config.country, config.keeping(), &config.data_dir)?;
    let secrets = gateway::secrets::open(&journal, &vault, &row).await?;
    journal.close();
    ensure!(
        secrets.is_some() || fields.is_empty(),
        "the salts of this exchange were erased: no field of it can be shown any more"
    );
    let seal = Arc::new(SealKey::new(&files.seal.0, &files.seal.1)?);
    let archive = Archive {
        data: &config.data_dir,
        origin: &config.origin,
        seal: &seal,
        anchors: &files.seal_anchors,
        custody: &files.custody,
    };
    let record = archive.record(&row, secrets.unwrap_or_default())?;
    let receipt = record.receipt(&fields)?;
    if rem {
        write(&rem::documents(&record, &seal, &SystemEntropy)?, args.out.as_deref())
    } else {
        println!("{}", String::from_utf8(receipt)?);
        Ok(())
    }
}

/// One document a line on stdout; or a file each, whose paths go to stdout.
fn write(documents: &[(String, String)], folder: Option<&Path>) -> anyhow::Result<()> {
    for (name, xml) in documents {
        let Some(folder) = folder else {
            println!("{xml}");
            continue;
        };
        std::fs::create_dir_all(folder)
            .with_context(|| format!("cannot make {}", folder.display()))?;
        let path = folder.join(name);
        std::fs::write(&path, xml).with_context(|| format!("cannot write {}", path.display()))?;
        println!("{}", path.display());
    }
    Ok(())
}

pub fn open(config: &Config) -> anyhow::Result<Journal> {
    let path = config.data_dir.join("journal.db");
    ensure!(path.exists(), "{} is not there: has this node run?", path.display());
    Journal::open(&path).context("journal.db")
}

pub async fn find(
    journal: &Journal,
    txid: TransactionId,
    side: Option<Side>,
) -> anyhow::Result<Row> {
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

pub fn side_name(side: Side) -> &'static str {
    match side {
        Side::A => "A",
        Side::B => "B",
    }
}
