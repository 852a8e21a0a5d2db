//! What is signed in strict mode, as CBOR.

use exchange::Country;
use serde::{Deserialize, Serialize};

use super::{About, number, opaque};
use crate::commitment::Bytes32;
use crate::member::raw::Raw as Sealed;

#[derive(Serialize, Deserialize)]
pub(super) struct OfferStatement {
    pub(super) form: String,
    pub(super) txid: String,
    pub(super) transaction: String,
    pub(super) requester: Country,
    pub(super) provider: Country,
    pub(super) ciphertext: Bytes32,
    pub(super) key: Bytes32,
    pub(super) recipient: Bytes32,
    pub(super) deadline: u64,
}

#[derive(Serialize, Deserialize)]
pub(super) struct AboutStatement {
    pub(super) form: String,
    pub(super) txid: String,
    pub(super) requester: Country,
    pub(super) provider: Country,
    pub(super) offer: Bytes32,
}

#[derive(Serialize, Deserialize)]
pub(super) struct ReleaseStatement {
    pub(super) about: AboutStatement,
    pub(super) sealed: Sealed,
}

impl AboutStatement {
    pub(super) fn of(form: &str, about: About) -> Self {
        Self {
            form: form.to_owned(),
            txid: about.txid.to_string(),
            requester: about.requester,
            provider: about.provider,
            offer: Bytes32(about.offer),
        }
    }

    pub(super) fn about(&self, form: &str) -> Option<About> {
        let about = About {
            txid: number(&self.txid)?,
            requester: self.requester,
            provider: self.provider,
            offer: opaque(self.offer)?,
        };
        (self.form == form && self.requester != self.provider).then_some(about)
    }
}
