//! A TPM 2.0 behind the vault: it seals the root key, counts, and makes evidence.
//!
//! The TSS library (libtss2, in C) keeps what passes through it in ordinary memory. So a vault process
//! has a process of its own ask the TPM, which ends before the answer is used; [`ask`] is how.
//!
//! The owner's authorization is taken to be empty, as Debian and the kernel leave it. Sessions are salted
//! with the storage key and encrypt parameters: nothing secret passes the bus in the clear.

mod ask;
mod counter;
mod device;
mod key;
mod quote;

use std::path::PathBuf;

use crate::VaultError;
use crate::protocol::{Parts, Reader};
use crate::store;

pub(crate) use ask::{TPM, answer, find, keep, tick, ticks};
pub use quote::Quotes;

/// Which TPM, and what it asks for before it gives the root key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// Folder of `root.tpm`.
    pub folder: PathBuf,
    /// How libtss2 finds it: `device:/dev/tpmrm0`, `swtpm:path=/run/swtpm.sock`.
    pub tcti: String,
    /// Platform configuration registers (SHA-256) that must be as they were when the key was sealed.
    pub pcrs: Vec<u8>,
    /// NV index of a counter that grows with the store; none is asked when missing.
    pub counter: Option<u32>,
}

impl Place {
    /// How outputs name it. A simulator is no protection and says so.
    pub fn name(&self) -> String {
        let file = self.folder.join(key::FILE);
        let simulated = if self.is_simulated() { "simulated " } else { "" };
        format!("{simulated}tpm {}, {}", self.tcti, file.display())
    }

    /// Whether it is a program and no chip: a test double.
    pub fn is_simulated(&self) -> bool {
        self.tcti.starts_with("swtpm") || self.tcti.starts_with("mssim")
    }

    pub(crate) fn write(&self, parts: Parts) -> Parts {
        parts
            .part(self.folder.as_os_str().as_encoded_bytes())
            .part(self.tcti.as_bytes())
            .part(&self.pcrs)
            .raw(&self.counter.unwrap_or(0).to_be_bytes())
    }

    pub(crate) fn read(read: &mut Reader<'_>) -> Result<Self, VaultError> {
        let folder = store::path(read.part()?);
        let tcti = store::text(read.part()?)?;
        let pcrs = read.part()?.to_vec();
        let counter = Some(u32::from_be_bytes(read.take()?)).filter(|index| *index != 0);
        Ok(Self { folder, tcti, pcrs, counter })
    }
}
