//! The parts of an answer: bytes, or documents that the vault keeps and that this node does not see.

use enclave::{Piece, Vault, VaultError};
use ihe::mtom::Part;
use ledger::evidence::sha256;

use crate::national::StoredDocument;

/// A part of an answer. Its bytes are in nobody's reach but by what is here.
pub(super) struct Attached {
    /// Without bytes when it is kept.
    part: Part,
    kept: Option<Sealed>,
}

struct Sealed {
    label: Vec<u8>,
    document: StoredDocument,
}

impl Attached {
    /// A part that came in the clear: from an OpenNCP behind us.
    pub(super) fn clear(part: Part) -> Self {
        Self { part, kept: None }
    }

    /// A document of the store; `part` has its name and type.
    pub(super) fn kept(part: Part, document: StoredDocument) -> Self {
        let sealed = Sealed { label: document.label(), document };
        Self { part: Part { bytes: bytes::Bytes::new(), ..part }, kept: Some(sealed) }
    }

    /// Its name and type, for the head of a sealed answer.
    pub(super) fn named(&self) -> Part {
        Part { bytes: bytes::Bytes::new(), ..self.part.clone() }
    }

    /// Its name and its SHA-256, for evidence. Of a kept document it is the one of the store: it is
    /// bound by the label, so the vault seals what has this digest, or refuses.
    pub(super) fn digest(&self) -> (&str, [u8; 32]) {
        let digest = match &self.kept {
            None => sha256(&self.part.bytes),
            Some(sealed) => sealed.document.kept.digest,
        };
        (&self.part.cid, digest)
    }

    /// As the vault seals it for another one.
    pub(super) fn piece(&self) -> Piece<'_> {
        match &self.kept {
            None => Piece::Clear(&self.part.bytes),
            Some(Sealed { label, document }) => {
                Piece::Kept { label, sealed: &document.kept.sealed }
            }
        }
    }

    /// Whether the vault keeps it.
    pub(super) fn is_kept(&self) -> bool {
        self.kept.is_some()
    }

    /// In the clear, for plain IHE: of a vault that may do so.
    pub(super) fn handed_out(self, vault: &Vault) -> Result<Self, VaultError> {
        let Some(Sealed { label, document }) = self.kept else { return Ok(self) };
        let bytes = vault.hand_out(&label, &document.kept.sealed)?;
        Ok(Self::clear(Part { bytes, ..self.part }))
    }

    /// As it travels in plain IHE; a kept document does not.
    pub(super) fn plain(self) -> Option<Part> {
        self.kept.is_none().then_some(self.part)
    }
}
