//! Requests about documents that wait for a receipt.

use super::{Answer, Op, Parts, Reader, from_one, within};
use crate::VaultError;
use crate::core::Core;
use crate::strict::{Expected, Release};

/// Answers one of the three; any other one is malformed.
pub(super) fn answer(op: Op, core: &Core, frame: &mut [u8]) -> Result<Answer, VaultError> {
    let mut read = Reader::new(&frame[1..], 0);
    let done = Parts(vec![0]);
    match op {
        Op::Offer => {
            let (to, now, txid) = (read.target()?, read.time()?, read.take()?);
            let given = read.given()?;
            let place = from_one(read.rest()?);
            let into = (&*given, &mut frame[place.clone()]);
            let made = core.offer(&to.target(), &txid, into, now)?;
            let head = done.raw(&made.promise).part(&made.key).raw(&made.head).0;
            Ok(Answer { head, body: place, tail: Vec::new() })
        }
        Op::Expect => {
            let (txid, promise, recipient) = (read.take()?, read.take()?, read.take()?);
            let expected = Expected { txid: &txid, promise: &promise, recipient: &recipient };
            let encapsulated = &frame[from_one(read.rest()?)];
            Ok(Answer::of(done.raw(&core.expect(&expected, encapsulated)?)))
        }
        Op::TakeUp => {
            let (txid, promise): ([u8; 16], [u8; 32]) = (read.take()?, read.take()?);
            let (key, opener) = (read.part()?.to_vec(), read.part()?.to_vec());
            let place = from_one(read.rest()?);
            let release = Release { txid: &txid, promise: &promise, key: &key, opener: &opener };
            let places = core.take_up(&release, &mut frame[place.clone()])?;
            let head = done.lengths(&places).0;
            Ok(Answer { head, body: within(&place, &places), tail: Vec::new() })
        }
        _ => Err(VaultError::Malformed),
    }
}
