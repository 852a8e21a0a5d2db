//! Documents that wait for a receipt, wherever the core is.

use bytes::Bytes;
use jiff::Timestamp;

use super::{Home, Vault};
use crate::VaultError;
use crate::key::Recipient;
use crate::piece::{self, Piece};
use crate::strict::{ENCAPSULATED, Expected, Made, Offered, Release};

impl Vault {
    /// Seals the pieces of an answer under a new key, which only that vault will open.
    pub fn offer(
        &self,
        to: &Recipient,
        txid: &[u8; 16],
        pieces: &[Piece<'_>],
        now: Timestamp,
    ) -> Result<Offered, VaultError> {
        match &self.home {
            Home::Here(core) => {
                let (given, mut buffer) = piece::buffer(pieces)?;
                let into = (&*given, buffer.as_mut_slice());
                let Made { head, promise, key } = core.offer(&to.target(), txid, into, now)?;
                let ciphertext = [head, buffer].concat().into();
                Ok(Offered { ciphertext, promise, key: key.into() })
            }
            Home::Process(process) => process.offer(&to.target(), txid, pieces, now),
        }
    }

    /// What will open the key of this offered document when it is published, sealed for the node to keep:
    /// this vault opens with it after a restart, too, and it is good for nothing else.
    /// [`VaultError::UnknownKey`]: it is sealed for another vault, or for this one before its restart.
    pub fn expect(&self, expected: &Expected<'_>, ciphertext: &[u8]) -> Result<Bytes, VaultError> {
        let encapsulated = ciphertext.get(..ENCAPSULATED).ok_or(VaultError::Malformed)?;
        match &self.home {
            Home::Here(core) => core.expect(expected, encapsulated).map(Bytes::from),
            Home::Process(process) => process.expect(expected, encapsulated),
        }
    }

    /// Opens an offered document by the key that was published. [`VaultError::Promise`]: it is not the
    /// key that was promised, or does not open this document.
    pub fn take_up(&self, release: &Release<'_>, sealed: &Bytes) -> Result<Vec<Bytes>, VaultError> {
        match &self.home {
            Home::Here(core) => {
                let mut bytes = sealed.to_vec();
                let places = core.take_up(release, &mut bytes)?;
                let bytes = Bytes::from(bytes);
                Ok(places.into_iter().map(|place| bytes.slice(place)).collect())
            }
            Home::Process(process) => process.take_up(release, sealed),
        }
    }
}
