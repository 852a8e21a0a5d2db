//! The pieces of a message: what the receiving node reads, and each document by itself.

use crate::VaultError;
use crate::core::Given;
use crate::header::TAG;

/// A piece of a message that is to be sealed.
#[derive(Clone, Copy)]
pub enum Piece<'a> {
    /// These bytes.
    Clear(&'a [u8]),
    /// A document that this vault keeps (see [`crate::Vault::keep`]): it is opened and sealed again
    /// within the vault.
    Kept {
        /// What it was kept as.
        label: &'a [u8],
        /// What [`crate::Vault::keep`] gave.
        sealed: &'a [u8],
    },
}

/// Bytes before a kept document: its nonce.
const NONCE: usize = 12;
/// Where the tag of a piece will stand.
const ROOM: [u8; TAG] = [0; TAG];

impl<'a> Piece<'a> {
    /// How the core takes it.
    pub(crate) fn given(self) -> Result<Given, VaultError> {
        match self {
            Self::Clear(bytes) => Ok(Given { length: bytes.len(), kept: None }),
            Self::Kept { label, sealed } => {
                let (nonce, rest) = sealed.split_first_chunk().ok_or(VaultError::Malformed)?;
                let length = rest.len().checked_sub(TAG).ok_or(VaultError::Malformed)?;
                Ok(Given { length, kept: Some((label.to_vec(), *nonce)) })
            }
        }
    }

    /// What stands in the buffer: with its tag, or with room for one.
    pub(crate) fn slices(self) -> [&'a [u8]; 2] {
        match self {
            Self::Clear(bytes) => [bytes, &ROOM],
            Self::Kept { sealed, .. } => [sealed.get(NONCE..).unwrap_or_default(), &[]],
        }
    }
}

/// All pieces as the core takes them, and the buffer that they stand in.
pub(crate) fn buffer(pieces: &[Piece<'_>]) -> Result<(Vec<Given>, Vec<u8>), VaultError> {
    let given = pieces.iter().map(|piece| piece.given()).collect::<Result<_, _>>()?;
    let slices: Vec<&[u8]> = pieces.iter().flat_map(|piece| piece.slices()).collect();
    Ok((given, slices.concat()))
}

/// A document as it is kept: nonce, ciphertext, tag.
pub(crate) fn kept(nonce: &[u8; NONCE], text: &[u8], tag: &[u8; TAG]) -> Vec<u8> {
    [nonce, text, tag].concat()
}
