//! `konfido ledger export`: one exchange's evidence for somebody who has no node.

use std::path::PathBuf;

use anyhow::{Context as _, bail, ensure};
use clap::{Args, ValueEnum};
use jiff::Timestamp;
use ledger::Field;
use ledger::receipt;

use super::asice::{File, container};
use super::books::Books;
use super::receipt::shared;
use crate::cli::{ConfigArg, SideArg};

/// `konfido ledger export`.
#[derive(Debug, Args)]
pub struct Export {
    /// Exchange number
    txid: String,
    /// Our side of it; needed only when we were both
    #[arg(long)]
    side: Option<SideArg>,
    /// Field to show in clear; may be repeated, or a list with commas. Nothing is shown unless asked for
    #[arg(long, value_name = "FIELD", value_delimiter = ',')]
    show: Vec<String>,
    /// What to write
    #[arg(long, value_enum, default_value_t)]
    format: Form,
    /// The file
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    #[command(flatten)]
    config: ConfigArg,
}

/// The form of an export.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum Form {
    /// ASiC-E with CAdES (ETSI EN 319 162-1, EN 319 122-1), signed by this node's seal
    #[default]
    Asice,
    /// The statement alone: COSE_Sign by both countries, or by one
    Cose,
    /// konfido-receipt/2: with the proof that it stands in the shared ledger
    Receipt,
}

pub async fn run(args: &Export) -> anyhow::Result<()> {
    let fields = args
        .show
        .iter()
        .map(|name| Field::of(name).with_context(|| format!("there is no field {name}")));
    let fields = fields.collect::<anyhow::Result<Vec<_>>>()?;
    ensure!(
        args.format != Form::Cose || fields.is_empty(),
        "--show is not for --format cose: the statement alone shows no field"
    );
    let books = Books::open(&args.config)?;
    let side = args.side.map(Into::into);
    let mut rows = books.rows(&args.txid).await?;
    rows.retain(|row| side.is_none_or(|side| row.side == side));
    let row = match rows.as_slice() {
        [row] => row,
        [] => bail!("we were not on that side of it"),
        _ => bail!("we were both sides of it: say --side a or --side b"),
    };
    let secrets = books.secrets(row).await?;
    ensure!(
        secrets.is_some() || fields.is_empty(),
        "the salts of this exchange were erased: no field of it can be shown any more"
    );
    let secrets = secrets.unwrap_or_default();
    if let Some(absent) = fields.iter().find(|field| secrets.disclose(**field).is_none()) {
        bail!("this exchange has no field {}", absent.name());
    }
    let record = books.archive().record(row, secrets)?;
    let receipt = record.receipt(&fields)?;
    let bytes = match args.format {
        Form::Cose => row.statement.clone(),
        Form::Receipt => {
            let validator = books.validator();
            let validator =
                validator.context("[ledger] names no validator: nothing of ours is shared")?;
            shared(&record, &validator, &fields).await?
        }
        Form::Asice => {
            let (_, signers) = record.settled()?;
            let leaves = signers.iter().map(|chain| chain.leaf());
            let above = signers.iter().flat_map(|chain| chain.intermediates());
            let pem: String =
                leaves.chain(above).map(trust::certificate::Certificate::pem).collect();
            let report = receipt::verify(&receipt, &books.files.seal_anchors)?;
            let found = |(what, finding): &(&str, String)| format!("{what}: {finding}\n");
            let text: String = report.findings.iter().map(found).collect();
            let ledger = match books.validator() {
                Some(validator) => shared(&record, &validator, &fields).await.map(Some),
                None => Ok(None),
            };
            let ledger = ledger.unwrap_or_else(|error| {
                eprintln!("without the proof of the shared ledger: {error:#}");
                None
            });
            let mut files = vec![
                File { name: "evidence.txt", mime: "text/plain", bytes: text.as_bytes() },
                File { name: "receipt.json", mime: "application/json", bytes: &receipt },
                File { name: "statement.cose", mime: COSE, bytes: &row.statement },
                File { name: "certificates.pem", mime: PEM, bytes: pem.as_bytes() },
            ];
            files.extend(ledger.as_ref().map(|receipt| File {
                name: "ledger-receipt.json",
                mime: "application/json",
                bytes: receipt,
            }));
            container(&files, &books.seal, Timestamp::now())?
        }
    };
    books.journal.close();
    std::fs::write(&args.out, bytes)
        .with_context(|| format!("cannot write {}", args.out.display()))?;
    println!("{}", args.out.display());
    Ok(())
}

/// RFC 9052 §2.
const COSE: &str = "application/cose; cose-type=&quot;cose-sign&quot;";
/// RFC 8555 §9.1.
const PEM: &str = "application/pem-certificate-chain";
