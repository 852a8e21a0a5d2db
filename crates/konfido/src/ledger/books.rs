//! What the commands open: the journal, and the vault that has the keys of patients.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use clap::Args;
use enclave::Vault;
use exchange::{PatientId, Side, TransactionId};
use gateway::secrets;
use jiff::Timestamp;
use ledger::Secrets;
use ledger::journal::{Journal as _, PatientKey, Patients as _, Row};
use sqlite::Journal;
use transport::plain::PlainClient;
use trust::seal::SealKey;

use crate::check::{self, Files};
use crate::cli::ConfigArg;
use crate::config::Config;
use crate::evidence;
use crate::evidence::archive::Archive;

/// One exchange, or one patient.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub struct About {
    /// Exchange number
    #[arg(long)]
    pub txid: Option<String>,
    /// Patient, in CX: id^^^&authority&ISO
    #[arg(long, value_name = "CX")]
    pub patient: Option<String>,
}

/// A node's books. No `Debug`: keys.
pub struct Books {
    pub config: Config,
    pub files: Files,
    pub journal: Journal,
    pub vault: Vault,
    pub seal: Arc<SealKey>,
}

impl Books {
    pub fn open(arg: &ConfigArg) -> anyhow::Result<Self> {
        let loaded = check::load(&arg.config, Timestamp::now());
        let (config, files) = loaded.map_err(|report| anyhow::anyhow!("{report:?}"))?;
        let vault = files.custody.vault(config.country, config.keeping(), &config.data_dir)?;
        let journal = evidence::open(&config)?;
        crate::journal::fits(&config.data_dir, &vault)?;
        let seal = Arc::new(SealKey::new(&files.seal.0, &files.seal.1)?);
        Ok(Self { config, files, journal, vault, seal })
    }

    /// The patient as this node names him, and his key, where he has one here.
    pub async fn patient(&self, cx: &str) -> anyhow::Result<(PatientId, Option<PatientKey>)> {
        let id = PatientId::parse_cx(cx).context("--patient: id^^^&authority&ISO")?;
        let name = self.vault.name(&id.cx())?;
        Ok((id, self.journal.patient_named(name).await?))
    }

    /// All rows about a patient, the oldest first.
    pub async fn about(&self, patient: &PatientKey) -> anyhow::Result<Vec<Row>> {
        let mut rows: Vec<Row> = Vec::new();
        loop {
            let after = rows.last().map(|row| (row.txid, row.side));
            let next = self.journal.about(patient.number, after, SLICE).await?;
            let ended = next.len() < SLICE;
            rows.extend(next);
            if ended {
                return Ok(rows);
            }
        }
    }

    /// Our rows of an exchange: one, or two when we were both sides of it.
    pub async fn rows(&self, txid: &str) -> anyhow::Result<Vec<Row>> {
        let txid = TransactionId::parse(txid)?;
        let mut rows = Vec::new();
        for side in [Side::A, Side::B] {
            rows.extend(self.journal.row(txid, side).await?);
        }
        anyhow::ensure!(!rows.is_empty(), "there is no exchange {txid} here");
        Ok(rows)
    }

    /// Salts and values of a row; `None` when they were erased.
    pub async fn secrets(&self, row: &Row) -> anyhow::Result<Option<Secrets>> {
        Ok(secrets::open(&self.journal, &self.vault, row).await?)
    }

    /// The country's validator, where one is configured.
    pub fn validator(&self) -> Option<PlainClient> {
        self.config.shared.as_ref().map(|at| PlainClient::unix(&at.socket, ANSWER))
    }

    /// What an export needs.
    pub fn archive(&self) -> Archive<'_> {
        Archive {
            data: &self.config.data_dir,
            origin: &self.config.origin,
            seal: &self.seal,
            anchors: &self.files.seal_anchors,
            custody: &self.files.custody,
        }
    }
}

/// The validator's answer.
const ANSWER: Duration = Duration::from_secs(10);
/// Rows that are read at once.
const SLICE: usize = 256;
