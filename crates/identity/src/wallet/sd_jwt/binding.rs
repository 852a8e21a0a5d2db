//! The holder's signature over a presentation (RFC 9901 §4.3): for us, for this login, now.

use jiff::Timestamp;
use serde_json::Value;

use super::{SKEW, numeric_date};
use crate::wallet::Refused;
use crate::wallet::jose::{Jws, PublicKey, encode, sha256};

/// What the holder must have signed.
#[derive(Debug, Clone, Copy)]
pub struct Binding<'a> {
    /// Our client id.
    pub audience: &'a str,
    /// Nonce of the request.
    pub nonce: &'a str,
    /// When we asked.
    pub asked: Timestamp,
    /// Now.
    pub now: Timestamp,
}

impl Binding<'_> {
    /// Checks the key binding JWT behind `shown`.
    pub(super) fn check(
        &self,
        binding: &Jws<'_>,
        holder: &PublicKey,
        shown: &str,
    ) -> Result<(), Refused> {
        if !binding.is("kb+jwt") {
            return Err(Refused::BindingHeader);
        }
        if !holder.verifies(binding.signed(), binding.signature()) {
            return Err(Refused::BindingSignature);
        }
        let text = |name: &str| binding.payload.get(name).and_then(Value::as_str);
        let issued = binding.payload.get("iat").and_then(numeric_date);
        let fresh = issued.is_some_and(|at| self.asked - SKEW <= at && at <= self.now + SKEW);
        let hash = encode(&sha256(shown.as_bytes()));
        let rows = [
            (text("aud") == Some(self.audience), Refused::BindingAudience),
            (text("nonce") == Some(self.nonce), Refused::BindingNonce),
            (fresh, Refused::BindingAge),
            (text("sd_hash") == Some(&hash), Refused::BindingHash),
        ];
        rows.into_iter().find(|(holds, _)| !holds).map_or(Ok(()), |(_, refused)| Err(refused))
    }
}
