//! The light interface between the generic part of an eIDAS node and the specific part of a country
//! (eIDAS-Node Integration Guide): messages in a shared cache, and a token through the browser.

mod message;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::digest;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

use super::EidasError;

pub use message::{LightRequest, LightResponse, LightStatus};

/// What goes through the browser: where in the shared cache the message lies. The digest is a plain
/// hash over a secret, as the reference node makes it; the message itself never leaves the cache.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LightToken {
    /// Who wrote the message: `specificConnector`.
    pub issuer: String,
    /// Where it lies.
    pub id: String,
    /// When it was written; milliseconds.
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
}
