//! How messages travel through a browser: as a form that posts itself, or as a signed query string
//! (SAML Bindings 2.0 §3.4 and §3.5).

mod redirect;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use trust::xml::{Limits, Xml, escape};

use super::{EidasError, MAX_MESSAGE};
use crate::assertion::SAML;

pub use redirect::{Redirected, read_redirect, redirect_url};

/// What a parameter carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Field {
    /// `SAMLRequest`.
    Request,
    /// `SAMLResponse`.
    Response,
}

impl Field {
    /// The parameter's name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Request => "SAMLRequest",
            Self::Response => "SAMLResponse",
        }
    }
}

/// Longest `RelayState`, in bytes, that may be sent (SAML Bindings 2.0 §3.4.3).
pub const MAX_RELAY: usize = 80;

/// What the caller's `Content-Security-Policy` must allow for the form to post itself, as an
/// expression of `script-src`; `form-action` names the endpoint's origin.
pub const SCRIPT_HASH: &str = "'sha256-ePniVEkSivX/c7XWBGafqh8tSpiRrKiqYeqbG7N1TOE='";

/// A page whose form carries the message to `endpoint`. It posts itself; without script a button
/// does. A `relay` that is longer than [`MAX_RELAY`] is left out: the standard forbids sending it.
pub fn post_page(endpoint: &str, field: Field, message: &str, relay: Option<&str>) -> String {
    let value = STANDARD.encode(message);
    let relay = relay.filter(|relay| relay.len() <= MAX_RELAY).map(|relay| {
        format!("<input type=\"hidden\" name=\"RelayState\" value=\"{}\">", escape(relay))
    });
    form_page(endpoint, field.name(), &value, &relay.unwrap_or_default())
}

/// The same for a token of the light interface (`token`), which is base64 already.
pub fn token_page(endpoint: &str, token: &str) -> String {
    form_page(endpoint, "token", &escape(token), "")
}

fn form_page(endpoint: &str, name: &str, value: &str, relay: &str) -> String {
    let action = escape(endpoint);
    format!(
        "<!DOCTYPE html><html lang=\"en\"><head><meta charset=\"utf-8\"><title>Signing in</title></head><body>\
         <form method=\"post\" action=\"{action}\"><input type=\"hidden\" name=\"{name}\" value=\"{value}\">{relay}\
         <p>You are being taken to the next step of signing in.</p>\
         <button type=\"submit\">Continue</button></form><script>{SCRIPT}</script></body></html>"
    )
}

/// The message in a posted parameter. The caller has undone the form's own encoding.
pub fn read_post(value: &str) -> Result<String, EidasError> {
    // base64 may come in lines (RFC 2045)
    if value.len() > 2 * MAX_MESSAGE {
        return Err(TOO_LONG);
    }
    let compact: String = value.chars().filter(|c| !c.is_ascii_whitespace()).collect();
    let bytes = STANDARD.decode(compact).map_err(|_| EidasError::Malformed("posted message"))?;
    if bytes.len() > MAX_MESSAGE {
        return Err(TOO_LONG);
    }
    String::from_utf8(bytes).map_err(|_| EidasError::Malformed("posted message"))
}

/// Whom a message claims to be from: to find the metadata that it is then verified with. Nothing is
/// proven by it.
pub fn claimed_issuer(message: &str) -> Result<String, EidasError> {
    let limits = Limits { bytes: MAX_MESSAGE, ..Limits::ASSERTION };
    let xml = Xml::parse(message, &limits)?;
    Ok(xml.root().only_child(SAML, "Issuer")?.demand_text("Issuer")?.to_owned())
}

/// Nothing of the message stands in it, so that its hash can be known.
const SCRIPT: &str = "document.forms[0].submit()";
const TOO_LONG: EidasError = EidasError::Malformed("message: too long");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_is_that_of_the_script() {
        let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, SCRIPT.as_bytes());
        assert_eq!(SCRIPT_HASH, format!("'sha256-{}'", STANDARD.encode(digest)));
    }

    #[test]
    fn a_page_carries_the_message_and_no_markup_of_others() {
        let hostile = "\"><script>alert('1')</script>&<!--";
        let page = post_page(hostile, Field::Response, "<a>é</a>", Some(hostile));
        assert_eq!(page.matches("<script>").count(), 1);
        assert_eq!(page.matches("alert('1')").count() + page.matches("alert(&").count(), 2);
        assert!(!page.contains("\"><script>alert") && !page.contains("<!--"));
        let value = page.split("name=\"SAMLResponse\" value=\"").nth(1).unwrap();
        assert_eq!(read_post(value.split('"').next().unwrap()).unwrap(), "<a>é</a>");
        let long = post_page("https://a.example", Field::Request, "<a/>", Some(&"x".repeat(81)));
        assert!(!long.contains("RelayState"));
    }

    #[test]
    fn a_posted_message_is_base64_of_bounded_length() {
        let lines = STANDARD.encode("<a>text of some length</a>");
        let lines = format!("{}\r\n{}\r\n", &lines[..8], &lines[8..]);
        assert_eq!(read_post(&lines).unwrap(), "<a>text of some length</a>");
        for refused in ["<a/>", "PGEvPg", "/w=="] {
            assert_eq!(read_post(refused), Err(EidasError::Malformed("posted message")));
        }
        let most = "x".repeat(MAX_MESSAGE);
        assert!(read_post(&STANDARD.encode(&most)).is_ok());
        assert_eq!(read_post(&STANDARD.encode(most + "x")), Err(TOO_LONG));
    }

    #[test]
    fn an_issuer_can_be_looked_up_before_anything_is_believed() {
        let message = format!("<r xmlns='{SAML}'><Issuer> https://a.example </Issuer></r>");
        assert_eq!(claimed_issuer(&message).unwrap(), "https://a.example");
        assert!(claimed_issuer("<r/>").is_err());
    }
}
