//! `konfido ledger accesses`: who asked for a patient's data, and what came of it.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::Args;
use ledger::journal::{Row, State};
use ledger::{Field, Secrets};
use transport::plain::PlainClient;

use super::books::Books;
use super::find::of_patient;
use super::receipt::shared;
use crate::cli::ConfigArg;

/// `konfido ledger accesses`.
#[derive(Debug, Args)]
pub struct Accesses {
    /// Patient, in CX: id^^^&authority&ISO
    #[arg(long, value_name = "CX")]
    patient: String,
    /// Folder for the proofs; without it there are none
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    #[command(flatten)]
    config: ConfigArg,
}

pub async fn run(args: &Accesses) -> anyhow::Result<()> {
    let books = Books::open(&args.config)?;
    if let Some(folder) = &args.out {
        std::fs::create_dir_all(folder)
            .with_context(|| format!("cannot make {}", folder.display()))?;
    }
    let (mut unproven, validator) = (0_usize, books.validator());
    for row in of_patient(&books, &args.patient).await? {
        let secrets = books.secrets(&row).await?.unwrap_or_default();
        let shown = Shown::of(&row, &secrets);
        let proof = match &args.out {
            Some(folder) => prove(&books, &row, secrets, folder, validator.as_ref()).await?,
            None => None,
        };
        unproven += usize::from(args.out.is_some() && proof.is_none());
        println!("{}\t{}", shown.line(&row), proof.unwrap_or_else(|| "-".to_owned()));
    }
    books.journal.close();
    if unproven > 0 {
        eprintln!("{unproven} are not in the log yet: ask again when they are settled");
    }
    let ConfigArg { config } = &args.config;
    eprintln!(
        "proofs hold by: konfido verify FILE --roots … (roots of seals in {})",
        config.display()
    );
    Ok(())
}

/// What is told of one access.
struct Shown {
    professional: String,
    purpose: String,
    outcome: String,
}

impl Shown {
    fn of(row: &Row, secrets: &Secrets) -> Self {
        let value = |field| {
            // a tab would move the columns, a line feed would make a row of its own
            let clean = |(_, value): (_, &str)| value.replace(char::is_control, " ");
            secrets.disclose(field).map_or_else(|| "-".to_owned(), clean)
        };
        let said = ledger::evidence::outcome_of(&row.statement);
        let outcome = said.unwrap_or_else(|| "-".to_owned());
        Self { professional: value(Field::Professional), purpose: value(Field::Purpose), outcome }
    }

    fn line(&self, row: &Row) -> String {
        let index = row.index.map_or_else(|| "-".to_owned(), |index| index.to_string());
        [
            row.at.to_string(),
            row.requester.to_string(),
            self.professional.clone(),
            row.transaction.iti().to_owned(),
            self.purpose.clone(),
            self.outcome.clone(),
            row.txid.to_string(),
            index,
        ]
        .join("\t")
    }
}

/// Writes the receipt that shows all of it: of the shared ledger where the validator has it, else of our
/// own log; `None` before the record has its place there.
async fn prove(
    books: &Books,
    row: &Row,
    secrets: Secrets,
    folder: &Path,
    validator: Option<&PlainClient>,
) -> anyhow::Result<Option<String>> {
    if row.index.is_none() || !matches!(row.state, State::Half | State::Settled) {
        return Ok(None);
    }
    let shown: Vec<Field> =
        SHOWN.into_iter().filter(|field| secrets.disclose(*field).is_some()).collect();
    let record = books.archive().record(row, secrets)?;
    // an exchange of before the ledger, or of this second, is in our own log only
    let of_ledger = match validator {
        Some(at) => shared(&record, at, &shown).await.ok(),
        None => None,
    };
    let receipt = of_ledger.map_or_else(|| record.receipt(&shown), Ok)?;
    let path = folder.join(format!("{}.json", row.txid));
    std::fs::write(&path, receipt).with_context(|| format!("cannot write {}", path.display()))?;
    Ok(Some(path.display().to_string()))
}

/// What a patient's proof shows: everything about him and whoever asked.
const SHOWN: [Field; 4] = [Field::Patient, Field::Professional, Field::Purpose, Field::Delivery];
