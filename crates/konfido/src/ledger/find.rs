//! `konfido ledger find`.

use anyhow::{bail, ensure};
use clap::Args;
use exchange::Side;
use ledger::journal::Row;

use super::books::{About, Books};
use crate::cli::ConfigArg;
use crate::evidence::line;

/// `konfido ledger find`.
#[derive(Debug, Args)]
pub struct Find {
    #[command(flatten)]
    about: About,
    #[command(flatten)]
    config: ConfigArg,
}

pub async fn run(args: &Find) -> anyhow::Result<()> {
    let books = Books::open(&args.config)?;
    let rows = match (&args.about.txid, &args.about.patient) {
        (Some(txid), _) => books.rows(txid).await?,
        (None, Some(patient)) => of_patient(&books, patient).await?,
        (None, None) => bail!("--txid or --patient"),
    };
    books.journal.close();
    rows.iter().for_each(|row| println!("{}", line(row)));
    Ok(())
}

/// A patient's exchanges, on the node of his own country: it answered for him.
pub async fn of_patient(books: &Books, cx: &str) -> anyhow::Result<Vec<Row>> {
    let (_, known) = books.patient(cx).await?;
    let all = match &known {
        Some(known) => books.about(known).await?,
        None => Vec::new(),
    };
    let abroad = !all.is_empty();
    let rows: Vec<Row> = all.into_iter().filter(|row| row.side == Side::A).collect();
    ensure!(
        !rows.is_empty() || !abroad,
        "he is a patient of another country, which alone lists his accesses: ask there"
    );
    ensure!(!rows.is_empty(), "nothing is known of this patient here");
    Ok(rows)
}
