//! Keys of a vault process, as other code takes them.

use std::sync::{Mutex, PoisonError};

use trust::encryption::WrappedKey;
use trust::private::Holder;
use trust::seal::Scheme;
use zeroize::Zeroizing;

use super::Process;
use crate::VaultError;
use crate::patients::Locked;
use crate::protocol::{Op, Parts, Reader, SCHEMES};

/// A key of a vault process.
pub(super) struct HeldKey {
    pub(super) process: Process,
    pub(super) number: u16,
}

/// A key of a vault process with whose first signature the key of an evidence is locked.
pub(super) struct Riding {
    pub(super) key: HeldKey,
    pub(super) errand: Errand,
    /// How the lock went, once there was a signature.
    pub(super) locked: Mutex<Option<Result<Locked, VaultError>>>,
}

/// What [`Process::lock`] takes.
pub(super) struct Errand {
    pub(super) patient: Zeroizing<Vec<u8>>,
    pub(super) sealed: Vec<u8>,
    pub(super) key: Zeroizing<[u8; 32]>,
}

impl Riding {
    fn both(&self, scheme: u8, message: &[u8]) -> Result<(Vec<u8>, Locked), VaultError> {
        let Errand { patient, sealed, key } = &self.errand;
        let head = Parts::of(Op::SignAndLock).raw(&self.key.number.to_be_bytes()).raw(&[scheme]);
        let head = Zeroizing::new(head.raw(key.as_ref()).part(sealed).part(patient).0);
        let answer = self.key.process.call(&head, &[message])?;
        let mut read = Reader::new(&answer, 1);
        let made = read.part().map_err(|_| VaultError::Gone)?.to_vec();
        Ok((made, read.locked()?))
    }
}

impl Holder for Riding {
    fn sign(&self, scheme: Scheme, message: &[u8]) -> Option<Vec<u8>> {
        let mut locked = self.locked.lock().unwrap_or_else(PoisonError::into_inner);
        if locked.is_some() {
            return self.key.sign(scheme, message);
        }
        let known = SCHEMES.iter().position(|known| *known == scheme)?;
        match self.both(u8::try_from(known).ok()?, message) {
            Ok((made, done)) => {
                *locked = Some(Ok(done));
                Some(made)
            }
            Err(error) => {
                *locked = Some(Err(error));
                None
            }
        }
    }
}

impl Holder for HeldKey {
    fn sign(&self, scheme: Scheme, message: &[u8]) -> Option<Vec<u8>> {
        let known = SCHEMES.iter().position(|known| *known == scheme)?;
        let head =
            Parts::of(Op::Sign).raw(&self.number.to_be_bytes()).raw(&[u8::try_from(known).ok()?]);
        let mut made = self.process.call(&head.0, &[message]).ok()?;
        made.remove(0);
        Some(made)
    }

    fn cosign(&self, message: &[u8]) -> Option<Vec<u8>> {
        let head = Parts::of(Op::Cosign).raw(&self.number.to_be_bytes());
        let mut made = self.process.call(&head.0, &[message]).ok()?;
        made.remove(0);
        Some(made)
    }

    fn unwrap(&self, wrapped: &WrappedKey) -> Option<Zeroizing<Vec<u8>>> {
        let head = Parts::of(Op::Unwrap).raw(&self.number.to_be_bytes());
        let found = Zeroizing::new(self.process.call(&head.0, &[&wrapped.encode()]).ok()?);
        Some(Zeroizing::new(found[1..].to_vec()))
    }
}
