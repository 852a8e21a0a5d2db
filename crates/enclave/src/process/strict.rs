//! Documents that wait for a receipt, in a vault process.

use bytes::Bytes;
use jiff::Timestamp;

use super::Process;
use crate::VaultError;
use crate::core::Target;
use crate::piece::Piece;
use crate::protocol::{Op, Parts, Reader};
use crate::strict::{Expected, Offered, Release};

impl Process {
    pub(crate) fn offer(
        &self,
        to: &Target<'_>,
        txid: &[u8; 16],
        pieces: &[Piece<'_>],
        now: Timestamp,
    ) -> Result<Offered, VaultError> {
        let head = Parts::of(Op::Offer).target(to).time(now).raw(txid).pieces(pieces)?;
        let answer = Bytes::from(self.call_with(&head.0, pieces)?);
        let mut read = Reader::new(&answer, 1);
        let gone = |_| VaultError::Gone;
        let (promise, key) = (read.take().map_err(gone)?, read.part().map_err(gone)?);
        let (key, at) = (answer.slice_ref(key), read.at);
        Ok(Offered { ciphertext: answer.slice(at..), promise, key })
    }

    pub(crate) fn expect(
        &self,
        expected: &Expected<'_>,
        encapsulated: &[u8],
    ) -> Result<Bytes, VaultError> {
        let Expected { txid, promise, recipient } = expected;
        let head = Parts::of(Op::Expect).raw(*txid).raw(*promise).raw(*recipient);
        Ok(Bytes::from(self.call(&head.0, &[encapsulated])?).slice(1..))
    }

    pub(crate) fn take_up(
        &self,
        release: &Release<'_>,
        sealed: &[u8],
    ) -> Result<Vec<Bytes>, VaultError> {
        let head = Parts::of(Op::TakeUp).raw(release.txid).raw(release.promise);
        let head = head.part(release.key).part(release.opener);
        let answer = Bytes::from(self.call(&head.0, &[sealed])?);
        Reader::new(&answer, 1).opened(&answer).map_err(|_| VaultError::Gone)
    }
}
