//! The built-in store of a node: documents are kept by its vault.

use std::path::Path;

use anyhow::{Context as _, anyhow};
use enclave::{Vault, VaultError};
use sqlite::National;

/// Opens `national.db`. What an earlier release left in it in the clear is kept first; a file that was
/// kept under another key is refused.
pub fn open(data: &Path, vault: &Vault) -> anyhow::Result<National> {
    fits(data, vault)?;
    let mut keep = |label: &[u8], bytes: &[u8]| vault.keep(label, bytes).map_err(|e| e.to_string());
    let mut progress = |done, all| {
        if done % TOLD == 0 || done == all {
            tracing::info!(done, all, "documents of an earlier release are kept by the vault");
        }
    };
    National::open_keeping(&data.join(FILE), &mut keep, &mut progress).context(FILE)
}

/// Whether the vault has the key that the store's documents were kept under.
pub fn fits(data: &Path, vault: &Vault) -> anyhow::Result<()> {
    let Some((label, sealed)) = National::any_kept(&data.join(FILE)).context(FILE)? else {
        return Ok(());
    };
    match vault.look(&label, &sealed) {
        Err(VaultError::Integrity) => Err(anyhow!(
            "{FILE} was kept under another documents.key: bring that one back, or remove {FILE} and \
             import again"
        )),
        other => Ok(other?),
    }
}

const FILE: &str = "national.db";
/// How many documents are kept before the log says so: a multiple of what is one transaction.
const TOLD: u64 = 64 * 64;
