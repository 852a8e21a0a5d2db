//! Keys of patients, wherever the core is.

use trust::seal::SealKey;
use zeroize::Zeroizing;

use super::{Home, Vault};
use crate::VaultError;
use crate::core::Core;
use crate::patients::{Locked, Patients, Pseudonym};

impl Vault {
    /// Locks the key of one evidence under its patient's: `sealed` is the patient's key as this vault
    /// sealed it, or nothing where he has none yet.
    pub fn lock(&self, patient: &str, sealed: &[u8], key: &[u8; 32]) -> Result<Locked, VaultError> {
        match &self.home {
            Home::Here(core) => patients(core)?.lock(patient.as_bytes(), sealed, key),
            Home::Process(process) => process.lock(patient.as_bytes(), sealed, key),
        }
    }

    /// [`Vault::lock`] while `sign` signs with `seal`: in one round trip where this vault holds the seal's key.
    pub fn lock_signing<T>(
        &self,
        seal: &SealKey,
        (patient, sealed, key): (&str, &[u8], &[u8; 32]),
        sign: impl Fn(&SealKey) -> T,
    ) -> (T, Result<Locked, VaultError>) {
        if let Home::Process(process) = &self.home {
            let lock = (patient.as_bytes(), sealed, key);
            if let Some(both) = process.lock_signing(seal, lock, &sign) {
                return both;
            }
        }
        (sign(seal), self.lock(patient, sealed, key))
    }

    /// The key of one evidence, for who has its patient's.
    pub fn unlock(
        &self,
        pseudonym: &Pseudonym,
        sealed: &[u8],
        locked: &[u8],
    ) -> Result<Zeroizing<[u8; 32]>, VaultError> {
        match &self.home {
            Home::Here(core) => patients(core)?.unlock(pseudonym, sealed, locked),
            Home::Process(process) => process.unlock(pseudonym, sealed, locked),
        }
    }

    /// The name under which a node finds a patient: nobody without this vault can make it.
    pub fn name(&self, patient: &str) -> Result<Pseudonym, VaultError> {
        match &self.home {
            Home::Here(core) => Ok(patients(core)?.pseudonym(patient.as_bytes())),
            Home::Process(process) => process.name(patient.as_bytes()),
        }
    }
}

fn patients(core: &Core) -> Result<&Patients, VaultError> {
    core.ring().patients().ok_or(VaultError::Key("cannot be used so"))
}
