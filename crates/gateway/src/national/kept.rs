//! Documents at rest: sealed by the vault that keeps them, each under a label that says what it is.
//!
//! The label is bound to what is kept: with another patient, class, type or digest beside it in the
//! store, the vault does not open it. So evidence may be made with the stored digest, without the
//! document: what the vault seals for the asking country is what that digest was taken of when it
//! was kept, or nothing.

use bytes::Bytes;
use enclave::{Vault, VaultError};
use ledger::evidence::sha256;

use super::{Document, StoredDocument};

/// A document as the store has it.
#[derive(Clone, PartialEq, Eq)]
pub struct Kept {
    /// What [`Vault::keep`] gave.
    pub sealed: Bytes,
    /// SHA-256 of the document.
    pub digest: [u8; 32],
}

impl Kept {
    /// Has the vault keep a document under the label that its digest makes.
    pub fn new(
        vault: &Vault,
        document: &[u8],
        label: impl FnOnce(&[u8; 32]) -> Vec<u8>,
    ) -> Result<Self, VaultError> {
        let digest = sha256(document);
        Ok(Self { sealed: vault.keep(&label(&digest), document)?, digest })
    }
}

impl Document {
    /// Has the vault keep its bytes.
    pub fn keep(self, vault: &Vault) -> Result<StoredDocument, VaultError> {
        let Self { entry, patient, mime, bytes } = self;
        let of = [&entry.unique_id, &patient.cx(), entry.class.code(), &mime];
        let kept = Kept::new(vault, &bytes, |digest| label(Kind::Document, of, digest))?;
        Ok(StoredDocument { entry, patient, mime, kept })
    }
}

impl StoredDocument {
    /// What its bytes are kept as.
    pub fn label(&self) -> Vec<u8> {
        let of = [&self.entry.unique_id, &self.patient.cx(), self.entry.class.code(), &self.mime];
        label(Kind::Document, of, &self.kept.digest)
    }
}

/// What is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Of: unique id, patient (CX), class code, media type.
    Document,
    /// Of: unique id, patient (CX), country, prescription.
    Dispensation,
}

/// A label; each field with its length before it, so that no two things have the same.
pub fn label(kind: Kind, of: [&str; 4], digest: &[u8; 32]) -> Vec<u8> {
    let mut label = match kind {
        Kind::Document => b"konfido document 1".to_vec(),
        Kind::Dispensation => b"konfido dispensation 1".to_vec(),
    };
    for field in of {
        label.extend_from_slice(&(field.len() as u64).to_be_bytes());
        label.extend_from_slice(field.as_bytes());
    }
    label.extend_from_slice(digest);
    label
}

/// Has the vault keep documents.
pub fn keep_all(vault: &Vault, all: Vec<Document>) -> Result<Vec<StoredDocument>, VaultError> {
    all.into_iter().map(|document| document.keep(vault)).collect()
}
