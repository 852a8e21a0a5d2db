//! HTTP-Redirect: the message deflated into the query string, and a signature over the octets of that
//! string, exactly as they came (SAML Bindings 2.0 §3.4.4.1). Nothing is decoded and encoded again
//! before it is verified.

use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use miniz_oxide::deflate::compress_to_vec;
use miniz_oxide::inflate::decompress_to_vec_with_limit;
use trust::certificate::Certificate;
use trust::seal::SealKey;
use trust::signature::{Profile, SignatureError, detached_method, sign_detached, verify_detached};

use super::{EidasError, Field, MAX_MESSAGE, MAX_RELAY, TOO_LONG};

/// A message that came in a query string. Nothing in it is proven yet.
pub struct Redirected {
    /// Request or response.
    pub field: Field,
    /// The message.
    pub message: String,
    /// `RelayState`.
    pub relay: Option<String>,
    signature: Option<Detached>,
}

/// A signature over the query string.
struct Detached {
    signed: String,
    method: String,
    value: Vec<u8>,
}

/// Where to send the browser, with the message in the URL, signed by `key`.
pub fn redirect_url(
    endpoint: &str,
    field: Field,
    message: &str,
    relay: Option<&str>,
    key: &SealKey,
) -> Result<String, EidasError> {
    if relay.is_some_and(|relay| relay.len() > MAX_RELAY) {
        return Err(EidasError::Malformed("relay state"));
    }
    let deflated = compress_to_vec(message.as_bytes(), 8);
    let mut query = format!("{}={}", field.name(), encode(&STANDARD.encode(deflated)));
    if let Some(relay) = relay {
        query += &format!("&RelayState={}", encode(relay));
    }
    query += &format!("&SigAlg={}", encode(detached_method(key, Profile::Eidas)));
    let signature = sign_detached(query.as_bytes(), key, Profile::Eidas)?;
    let between = if endpoint.contains('?') { '&' } else { '?' };
    Ok(format!("{endpoint}{between}{query}&Signature={}", encode(&STANDARD.encode(signature))))
}

/// Reads the raw query string of a URL, without its question mark.
pub fn read_redirect(raw_query: &str) -> Result<Redirected, EidasError> {
    if raw_query.len() > MAX_MESSAGE {
        return Err(TOO_LONG);
    }
    let raw = Raw::read(raw_query)?;
    let (field, message) = match (raw.0[REQUEST], raw.0[RESPONSE]) {
        (Some(message), None) => (Field::Request, message),
        (None, Some(message)) => (Field::Response, message),
        _ => return Err(EidasError::Malformed("query: not one message")),
    };
    if raw.0[ENCODING].is_some_and(|e| decode(e).as_deref() != Some(DEFLATE)) {
        return Err(EidasError::Malformed("query: encoding"));
    }
    let relay = raw.0[RELAY].map(|relay| {
        let relay = decode(relay).filter(|relay| relay.len() <= MAX_RELAY);
        relay.ok_or(EidasError::Malformed("relay state"))
    });
    Ok(Redirected {
        field,
        message: inflate(message)?,
        relay: relay.transpose()?,
        signature: raw.signature(field, message)?,
    })
}

impl Redirected {
    /// Whether the query string itself is signed; if not, the message must be.
    pub fn is_signed(&self) -> bool {
        self.signature.is_some()
    }

    /// Verifies the signature over the query string, and says which certificate made it.
    pub fn verify<'c>(
        &self,
        certificates: &'c [Certificate],
        profile: Profile,
    ) -> Result<&'c Certificate, EidasError> {
        let found = self.signature.as_ref().ok_or(SignatureError::Missing)?;
        let signed = found.signed.as_bytes();
        Ok(verify_detached(signed, &found.method, &found.value, certificates, profile)?)
    }
}

/// The octets of the parameters that we know.
struct Raw<'q>([Option<&'q str>; NAMES.len()]);

impl<'q> Raw<'q> {
    /// Each parameter at most once, and named in plain letters: what another reader might take for
    /// one of ours is refused.
    fn read(query: &'q str) -> Result<Self, EidasError> {
        let mut found = [None; NAMES.len()];
        for parameter in query.split('&').filter(|parameter| !parameter.is_empty()) {
            let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
            let plain = decode(name).ok_or(EidasError::Malformed("query"))?;
            let Some(at) = NAMES.iter().position(|known| plain.eq_ignore_ascii_case(known)) else {
                continue;
            };
            if name != NAMES[at] || found[at].is_some() {
                return Err(EidasError::Malformed("query: ambiguous parameter"));
            }
            found[at] = Some(value);
        }
        Ok(Self(found))
    }

    fn signature(&self, field: Field, message: &str) -> Result<Option<Detached>, EidasError> {
        let (method, value) = match (self.0[METHOD], self.0[SIGNATURE]) {
            (None, None) => return Ok(None),
            (Some(method), Some(value)) => (method, value),
            _ => return Err(EidasError::Malformed("query: half a signature")),
        };
        let mut signed = format!("{}={message}", field.name());
        if let Some(relay) = self.0[RELAY] {
            let _ = write!(signed, "&RelayState={relay}");
        }
        let _ = write!(signed, "&SigAlg={method}");
        let value = decode(value).and_then(|value| unbase64(&value));
        Ok(Some(Detached {
            signed,
            method: decode(method).ok_or(EidasError::Malformed("query"))?,
            value: value.ok_or(EidasError::Malformed("query: signature"))?,
        }))
    }
}

fn inflate(raw: &str) -> Result<String, EidasError> {
    const MALFORMED: EidasError = EidasError::Malformed("redirected message");
    let deflated = decode(raw).and_then(|text| unbase64(&text)).ok_or(MALFORMED)?;
    let bytes = decompress_to_vec_with_limit(&deflated, MAX_MESSAGE).map_err(|error| {
        use miniz_oxide::inflate::TINFLStatus::HasMoreOutput;
        if error.status == HasMoreOutput { TOO_LONG } else { MALFORMED }
    })?;
    String::from_utf8(bytes).map_err(|_| MALFORMED)
}

fn unbase64(text: &str) -> Option<Vec<u8>> {
    let compact: String = text.chars().filter(|c| !c.is_ascii_whitespace()).collect();
    STANDARD.decode(compact).ok()
}

/// RFC 3986 §2.3: all but the unreserved characters.
fn encode(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + text.len() / 4);
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out
}

/// Undoes `application/x-www-form-urlencoded`; a broken escape is nothing.
fn decode(text: &str) -> Option<String> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, tail)) = rest.split_first() {
        rest = tail;
        out.push(match first {
            b'%' => {
                let (pair, tail) = tail.split_at_checked(2)?;
                rest = tail;
                let digit = |at: usize| char::from(pair[at]).to_digit(16);
                (digit(0)? * 16 + digit(1)?) as u8
            }
            b'+' => b' ',
            other => other,
        });
    }
    String::from_utf8(out).ok()
}

const NAMES: [&str; 6] =
    ["SAMLRequest", "SAMLResponse", "RelayState", "SigAlg", "Signature", "SAMLEncoding"];
const REQUEST: usize = 0;
const RESPONSE: usize = 1;
const RELAY: usize = 2;
const METHOD: usize = 3;
const SIGNATURE: usize = 4;
const ENCODING: usize = 5;
const DEFLATE: &str = "urn:oasis:names:tc:SAML:2.0:bindings:URL-Encoding:DEFLATE";
