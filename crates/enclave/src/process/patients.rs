//! Keys of patients, in a vault process.

use std::sync::{Arc, Mutex, PoisonError};

use trust::private::Holder;
use trust::seal::SealKey;
use zeroize::Zeroizing;

use super::Process;
use super::held::{Errand, HeldKey, Riding};
use crate::VaultError;
use crate::patients::{Locked, Pseudonym};
use crate::protocol::{Op, Parts, Reader};

impl Process {
    pub(crate) fn lock(
        &self,
        patient: &[u8],
        sealed: &[u8],
        key: &[u8; 32],
    ) -> Result<Locked, VaultError> {
        let head = Zeroizing::new(Parts::of(Op::Lock).raw(key).part(sealed).0);
        let answer = self.call(&head, &[patient])?;
        Reader::new(&answer, 1).locked()
    }

    /// [`Process::lock`] with the first signature that `sign` makes by `seal`, in one call. `None` when the
    /// seal's key is not with this vault.
    pub(crate) fn lock_signing<T>(
        &self,
        seal: &SealKey,
        (patient, sealed, key): (&[u8], &[u8], &[u8; 32]),
        sign: impl FnOnce(&SealKey) -> T,
    ) -> Option<(T, Result<Locked, VaultError>)> {
        let number = self.number_of(seal.certificate().public_key())?;
        let errand = Errand {
            patient: Zeroizing::new(patient.to_vec()),
            sealed: sealed.to_vec(),
            key: Zeroizing::new(*key),
        };
        let held = HeldKey { process: self.clone(), number };
        let riding = Arc::new(Riding { key: held, errand, locked: Mutex::default() });
        let signed = sign(&seal.by(Arc::clone(&riding) as Arc<dyn Holder>));
        let locked = riding.locked.lock().unwrap_or_else(PoisonError::into_inner).take();
        let locked = locked.unwrap_or_else(|| self.lock(patient, sealed, key));
        Some((signed, locked))
    }

    pub(crate) fn unlock(
        &self,
        pseudonym: &Pseudonym,
        sealed: &[u8],
        locked: &[u8],
    ) -> Result<Zeroizing<[u8; 32]>, VaultError> {
        let head = Parts::of(Op::Unlock).raw(pseudonym).part(sealed);
        let answer = Zeroizing::new(self.call(&head.0, &[locked])?);
        Reader::new(&answer, 1).take().map(Zeroizing::new).map_err(|_| VaultError::Gone)
    }

    pub(crate) fn name(&self, patient: &[u8]) -> Result<Pseudonym, VaultError> {
        let answer = self.call(&Parts::of(Op::Name).0, &[patient])?;
        Reader::new(&answer, 1).take().map_err(|_| VaultError::Gone)
    }
}
