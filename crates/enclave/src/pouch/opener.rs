//! The clinician's end, for clients in Rust.

use super::kem::{self, Secret, Suite};
use super::{Expected, Head, INFO, PouchContext, PouchKey, schedule};
use crate::VaultError;

/// The key of one session, or better of one question. Its private half never leaves it and ends
/// with it.
pub struct PouchOpener {
    secret: Secret,
    key: PouchKey,
}

impl PouchOpener {
    /// A new key.
    pub fn generate(suite: Suite) -> Result<Self, VaultError> {
        let (secret, public) = kem::generate(suite)?;
        Ok(Self { secret, key: PouchKey { suite, public } })
    }

    /// What the question names.
    pub fn public(&self) -> &PouchKey {
        &self.key
    }

    /// Opens a pouch that is what its opener expects.
    pub fn open<'p>(
        &self,
        pouch: &'p [u8],
        expected: &Expected<'_>,
    ) -> Result<Opened<'p>, VaultError> {
        let (head, at) = Head::decode(pouch)?;
        if head.suite != self.key.suite {
            return Err(VaultError::UnknownKey);
        }
        if !expected.is(&head.context) {
            return Err(VaultError::Integrity);
        }
        let (suite, public) = (head.suite, &self.key.public);
        let shared = kem::decapsulate(suite, &self.secret, public, head.encapsulated)?;
        let (clear, sealed) = pouch.split_at(at);
        let text = schedule::open(suite.ids(), &shared, INFO, clear, sealed)?;
        Ok(Opened { context: head.context, text })
    }
}

impl std::fmt::Debug for PouchOpener {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "PouchOpener({:?})", self.key)
    }
}

/// What was in a pouch.
pub struct Opened<'p> {
    /// What the vault said about it.
    pub context: PouchContext<'p>,
    /// The document.
    pub text: Vec<u8>,
}

impl std::fmt::Debug for Opened<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Opened({:?}, {} bytes)", self.context, self.text.len())
    }
}
