//! A credential as SD-JWT VC with key binding (RFC 9901 SD-JWT; draft-ietf-oauth-sd-jwt-vc; HAIP
//! 1.0 §6.1): `issuer's JWT ~ disclosure ~ … ~ holder's JWT`.

mod binding;
mod disclosure;

use jiff::Timestamp;
use serde_json::{Map, Value};
use trust::jws;

use super::Refused;
use super::issuers::{Issuer, Issuers};
use super::jose::{Jws, PublicKey};

pub use binding::Binding;

/// A presentation, parsed and not believed. Personal: no `Debug`.
pub struct Presentation<'a> {
    issued: Jws<'a>,
    disclosures: Vec<&'a str>,
    /// All that the holder signs the hash of: the text up to and with the last `~`.
    shown: &'a str,
    binding: Option<Jws<'a>>,
}

/// What an issuer said and a holder showed. Made by [`Presentation::issued_by`] only. Personal.
pub struct Credential {
    open: Map<String, Value>,
    claims: Map<String, Value>,
}

impl<'a> Presentation<'a> {
    /// Takes the text apart.
    pub fn parse(text: &'a str) -> Result<Self, Refused> {
        if text.len() > MAX_BYTES {
            return Err(Refused::SdJwtForm);
        }
        let (issued, rest) = text.split_once('~').ok_or(Refused::SdJwtForm)?;
        let issued = Jws::parse(issued).ok_or(Refused::SdJwtForm)?;
        let mut disclosures: Vec<&str> = rest.split('~').collect();
        let last = disclosures.pop().unwrap_or("");
        if disclosures.len() > MAX_DISCLOSURES {
            return Err(Refused::SdJwtForm);
        }
        let binding = match last {
            "" => None,
            text => Some(Jws::parse(text).ok_or(Refused::BindingHeader)?),
        };
        let shown = &text[..text.len() - last.len()];
        Ok(Self { issued, disclosures, shown, binding })
    }

    /// The issuer, by the certificates in the header; they must lead to an anchor.
    pub fn issuer(&self, issuers: &Issuers, at: Timestamp) -> Result<Issuer, Refused> {
        let chain = self.issued.x5c().ok_or(Refused::Certificates)?;
        issuers.recognise(&chain, at)
    }

    /// Checks the issuer's signature and puts in the claims that the holder disclosed.
    pub fn issued_by(&self, issuer: &Issuer) -> Result<Credential, Refused> {
        let issued = &self.issued;
        // §6.1.1 of HAIP 1.0: ES256 is what everybody has; the key decides, never the header
        let key = jws::algorithm(issuer.certificate()) == Some("ES256");
        self.credential(
            key && jws::verifies(issuer.certificate(), issued.signed(), issued.signature()),
        )
    }

    /// [`Presentation::issued_by`] a bare key: no certificate says whose it is.
    pub fn issued_by_key(&self, key: &PublicKey) -> Result<Credential, Refused> {
        self.credential(key.verifies(self.issued.signed(), self.issued.signature()))
    }

    fn credential(&self, signed: bool) -> Result<Credential, Refused> {
        if !self.issued.is("dc+sd-jwt") {
            return Err(Refused::SdJwtHeader);
        }
        if !signed {
            return Err(Refused::IssuerSignature);
        }
        let open = self.issued.payload.clone();
        let claims = disclosure::expand(&open, &self.disclosures)?;
        Ok(Credential { open, claims })
    }

    /// Checks that the holder of the credential's key signed for us, now, what is shown.
    pub fn bound(&self, credential: &Credential, expected: &Binding<'_>) -> Result<(), Refused> {
        let binding = self.binding.as_ref().ok_or(Refused::BindingMissing)?;
        expected.check(binding, &credential.holder()?, self.shown)
    }
}

impl Credential {
    /// A claim; one that was not disclosed is not there.
    pub fn claim(&self, name: &str) -> Option<&Value> {
        self.claims.get(name)
    }

    /// A claim that stands open in what the issuer signed: never one that was disclosed.
    pub fn open_claim(&self, name: &str) -> Option<&Value> {
        self.open.get(name)
    }

    /// `cnf.jwk` (RFC 7800).
    pub fn holder(&self) -> Result<PublicKey, Refused> {
        let jwk = self.open.get("cnf").and_then(|cnf| cnf.get("jwk"));
        jwk.and_then(PublicKey::of_jwk).ok_or(Refused::HolderKey)
    }

    /// Checks `vct` (one of these), `nbf`, `exp` and `iat`. A PID without an end is no PID.
    pub fn is_current(&self, types: &[&str], now: Timestamp) -> Result<(), Refused> {
        let named = self.open.get("vct").and_then(Value::as_str);
        if !named.is_some_and(|named| types.contains(&named)) {
            return Err(Refused::Type);
        }
        let time = |name: &str, wrong| match self.open.get(name) {
            None => Ok(None),
            Some(value) => numeric_date(value).map(Some).ok_or(wrong),
        };
        if time("nbf", Refused::NotYetValid)?.is_some_and(|from| now + SKEW < from) {
            return Err(Refused::NotYetValid);
        }
        if time("exp", Refused::Expired)?.is_none_or(|until| now - SKEW >= until) {
            return Err(Refused::Expired);
        }
        if time("iat", Refused::IssuedLater)?.is_some_and(|issued| now + SKEW < issued) {
            return Err(Refused::IssuedLater);
        }
        Ok(())
    }
}

/// `NumericDate` (RFC 7519 §2); fractions are cut. What lies behind the last timestamp is the last:
/// issuers write 253402300799 for "no end".
pub(super) fn numeric_date(value: &Value) -> Option<Timestamp> {
    let seconds = value.as_i64().or_else(|| {
        let seconds = value.as_f64().filter(|s| s.abs() < 1e11)?;
        Some(seconds.trunc() as i64)
    })?;
    Timestamp::from_second(seconds.min(Timestamp::MAX.as_second())).ok()
}

/// How far clocks may differ.
pub(super) const SKEW: jiff::SignedDuration = jiff::SignedDuration::from_secs(60);
/// Longest presentation; one of all claims of a PID is a tenth.
const MAX_BYTES: usize = 64 << 10;
/// Most disclosures.
const MAX_DISCLOSURES: usize = 128;
