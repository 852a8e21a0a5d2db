//! Keys of a vault process, as other code takes them.

use trust::encryption::WrappedKey;
use trust::private::Holder;
use trust::seal::Scheme;
use zeroize::Zeroizing;

use super::Process;
use crate::protocol::{Op, Parts, SCHEMES};

/// A key of a vault process.
pub(super) struct HeldKey {
    pub(super) process: Process,
    pub(super) number: u16,
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

    fn unwrap(&self, wrapped: &WrappedKey) -> Option<Zeroizing<Vec<u8>>> {
        let head = Parts::of(Op::Unwrap).raw(&self.number.to_be_bytes());
        let found = Zeroizing::new(self.process.call(&head.0, &[&wrapped.encode()]).ok()?);
        Some(Zeroizing::new(found[1..].to_vec()))
    }
}
