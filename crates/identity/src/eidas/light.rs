//! The light interface between the generic part of an eIDAS node and the specific part of a country
//! (eIDAS-Node Integration Guide): messages in a shared cache, and a token through the browser.
//!
//! Start reading at [`LightToken`], then [`LightRequest::wanted`] and [`answered`], each with its
//! table of rules; [`Shelf`] is where messages lie.

mod message;
mod person;
mod rules;
mod shelf;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::digest;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use super::EidasError;

pub use message::{LightRequest, LightResponse, LightStatus};
pub use person::attributes_of;
pub use rules::{Hoped, REQUEST_RULES, RESPONSE_RULES, Rule, answered};
pub use shelf::{Cache, Place, Shelf};

/// What goes through the browser: where in the shared cache the message lies. The digest is a plain
/// hash over a secret, as the reference node makes it; the message itself never leaves the cache.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LightToken {
    /// Who wrote the message: `specificConnector`.
    pub issuer: String,
    /// Where it lies.
    pub id: String,
    /// When it was written, by a clock in UTC; milliseconds. The reference node writes the local time of
    /// its machine, which has to be UTC.
    pub created: Timestamp,
}

impl LightToken {
    /// `base64("issuer|id|createdOn|digest")`.
    pub fn encode(&self, secret: &str) -> String {
        let created = self.created();
        let digest = self.digest(&created, secret);
        STANDARD.encode(format!("{}|{}|{created}|{digest}", self.issuer, self.id))
    }

    /// Reads a token that was made with this secret.
    pub fn decode(token: &str, secret: &str) -> Result<Self, EidasError> {
        const MALFORMED: EidasError = EidasError::Malformed("light token");
        if token.len() > MAX_TOKEN {
            return Err(MALFORMED);
        }
        let text = STANDARD.decode(token).ok().and_then(|bytes| String::from_utf8(bytes).ok());
        let text = text.ok_or(MALFORMED)?;
        let parts: Vec<&str> = text.split('|').collect();
        let [issuer, id, created, found] = parts.as_slice() else { return Err(MALFORMED) };
        let parsed = DateTime::strptime(FORM, created.replacen(' ', "T", 1).replacen(' ', ".", 1));
        let parsed = parsed.ok().and_then(|at| at.to_zoned(TimeZone::UTC).ok());
        let token = Self {
            issuer: (*issuer).to_owned(),
            id: (*id).to_owned(),
            created: parsed.ok_or(MALFORMED)?.timestamp(),
        };
        let expected = token.digest(created, secret);
        verify_slices_are_equal(expected.as_bytes(), found.as_bytes())
            .map_err(|_| EidasError::Rule("light.digest"))?;
        Ok(token)
    }

    /// Reads a token of this issuer that is not older than `life`.
    pub fn verify(
        token: &str,
        issuer: &str,
        secret: &str,
        life: SignedDuration,
        now: Timestamp,
    ) -> Result<Self, EidasError> {
        let token = Self::decode(token, secret)?;
        let age = now.duration_since(token.created);
        let id = token.id.len();
        let held = [
            ("light.issuer", token.issuer == issuer),
            ("light.expired", age <= life),
            ("light.early", age >= -SKEW),
            ("light.id", (1..=MAX_ID).contains(&id)),
        ];
        match held.into_iter().find(|(_, held)| !held) {
            Some((rule, _)) => Err(EidasError::Rule(rule)),
            None => Ok(token),
        }
    }

    /// `yyyy-MM-dd HH:mm:ss SSS`.
    fn created(&self) -> String {
        let at = self.created.to_zoned(TimeZone::UTC);
        format!("{} {:03}", at.strftime("%Y-%m-%d %H:%M:%S"), at.millisecond())
    }

    fn digest(&self, created: &str, secret: &str) -> String {
        let text = format!("{}|{}|{created}|{secret}", self.id, self.issuer);
        STANDARD.encode(digest::digest(&digest::SHA256, text.as_bytes()))
    }
}

const FORM: &str = "%Y-%m-%dT%H:%M:%S.%3f";
/// Longest token, in bytes.
const MAX_TOKEN: usize = 1024;
/// The reference node takes UUIDs.
const MAX_ID: usize = 64;
/// How far ahead of ours the other part's clock may be.
const SKEW: SignedDuration = SignedDuration::from_secs(60);

#[cfg(test)]
mod tests {
    use super::*;

    /// The reference node's own vector (`BinaryLightTokenHelperTest`).
    #[test]
    fn the_digest_is_that_of_the_reference_node() {
        let token = LightToken {
            issuer: "MYSPECIFIC".into(),
            id: "f5e7e0f5-b9b8-4256-a7d0-4090141b326d".into(),
            created: "1956-10-23T10:52:01.698Z".parse().unwrap(),
        };
        assert_eq!(token.created(), "1956-10-23 10:52:01 698");
        assert_eq!(
            token.digest(&token.created(), "MYSECRET"),
            "1040jxHfWeTgn98YczCpon3m+zOHdVXgYkdOjyKVaJA="
        );
        let encoded = token.encode("MYSECRET");
        assert_eq!(LightToken::decode(&encoded, "MYSECRET"), Ok(token));
        let other = LightToken::decode(&encoded, "OTHER");
        assert_eq!(other, Err(EidasError::Rule("light.digest")));
        for cut in 0..encoded.len() {
            assert!(LightToken::decode(&encoded[..cut], "MYSECRET").is_err());
        }
    }

    #[test]
    fn a_token_is_of_its_issuer_and_not_old() {
        let now: Timestamp = "2026-11-21T12:00:00Z".parse().unwrap();
        let life = SignedDuration::from_mins(5);
        let at = |seconds: i64, issuer: &str, id: &str| {
            let created = now + SignedDuration::from_secs(seconds);
            LightToken { issuer: issuer.into(), id: id.into(), created }.encode("MYSECRET")
        };
        let verify = |token: &str| LightToken::verify(token, "theirs", "MYSECRET", life, now);
        assert!(verify(&at(0, "theirs", "1")).is_ok() && verify(&at(-300, "theirs", "1")).is_ok());
        for (token, rule) in [
            (at(-301, "theirs", "1"), "light.expired"),
            (at(61, "theirs", "1"), "light.early"),
            (at(0, "ours", "1"), "light.issuer"),
            (at(0, "theirs", ""), "light.id"),
            (at(0, "theirs", &"1".repeat(65)), "light.id"),
        ] {
            assert_eq!(verify(&token), Err(EidasError::Rule(rule)));
        }
        let long = at(0, "theirs", &"1".repeat(1024));
        assert_eq!(verify(&long), Err(EidasError::Malformed("light token")));
    }
}
