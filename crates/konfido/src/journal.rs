//! The evidence journal of a node: its secrets are sealed under keys of patients.

use std::path::Path;

use anyhow::{Context as _, anyhow};
use enclave::{Vault, VaultError};
use exchange::SystemEntropy;
use gateway::secrets::patient;
use ledger::journal::PatientKey;
use ledger::sealed::{EvidenceKey, Part, Sealed};
use sqlite::{Clear, Journal, Sealer};

/// Opens `journal.db`. Secrets that an earlier release left in it in the clear are sealed first; a file
/// whose keys another vault sealed is refused.
pub fn open(data: &Path, vault: &Vault) -> anyhow::Result<Journal> {
    fits(data, vault)?;
    let mut progress = |done, all| {
        if done % TOLD == 0 || done == all {
            tracing::info!(done, all, "evidence of an earlier release is sealed");
        }
    };
    Journal::open_sealing(&data.join(FILE), &mut AtStart(vault), &mut progress).context(FILE)
}

/// Whether the vault has the key that the keys of patients were sealed with.
pub fn fits(data: &Path, vault: &Vault) -> anyhow::Result<()> {
    let Some((patient, key)) = Journal::any_locked(&data.join(FILE)).context(FILE)? else {
        return Ok(());
    };
    match vault.unlock(&patient.pseudonym, &patient.sealed, &key) {
        Err(VaultError::Integrity) => Err(anyhow!(
            "{FILE} was sealed with another patients.key: bring that one back, or the salts of all \
             evidence before this are lost (docs/decisions/0028-erasure.md)"
        )),
        other => other.map(drop).map_err(Into::into),
    }
}

struct AtStart<'v>(&'v Vault);

impl Sealer for AtStart<'_> {
    fn name(&mut self, clear: &Clear) -> Result<[u8; 32], String> {
        self.0.name(patient(&clear.asked)).map_err(|e| e.to_string())
    }

    fn seal(
        &mut self,
        clear: &Clear,
        known: Option<&PatientKey>,
    ) -> Result<(Sealed, Option<Vec<u8>>), String> {
        let key = EvidenceKey::draw(clear.txid, clear.side, &SystemEntropy);
        let sealed = known.map_or(&[][..], |known| &known.sealed);
        let locked = self.0.lock(patient(&clear.asked), sealed, key.bytes());
        let locked = locked.map_err(|e| e.to_string())?;
        let answered = clear.answered.as_ref();
        let sealed = Sealed {
            patient: 0,
            key: locked.key.to_vec(),
            asked: key.seal(Part::Asked, &clear.asked),
            answered: answered.map_or_else(Vec::new, |all| key.seal(Part::Answered, all)),
        };
        Ok((sealed, locked.made.map(|made| made.to_vec())))
    }
}

/// In the data folder.
pub const FILE: &str = "journal.db";
/// How many rows are sealed before the log says so: a multiple of what is one transaction.
const TOLD: u64 = 64 * 64;
