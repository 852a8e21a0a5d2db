//! What the wallet is asked with: a signed request object behind a link (RFC 9101; OpenID4VP 1.0
//! §5; HAIP 1.0 §5.1).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use serde_json::json;
use trust::jws;

use super::jwe::CIPHERS;
use super::{Session, Verifier, WalletError, dcql, qr};

/// Which applications a link opens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scheme {
    /// Any wallet of OpenID4VP.
    OpenId4Vp,
    /// Wallets of HAIP 1.0 only.
    Haip,
    /// The reference wallet of the Commission.
    Eudi,
}

impl Scheme {
    /// What stands before `://`.
    pub fn name(self) -> &'static str {
        match self {
            Self::OpenId4Vp => "openid4vp",
            Self::Haip => "haip-vp",
            Self::Eudi => "eudi-openid4vp",
        }
    }
}

impl Verifier {
    /// The link that opens a wallet on the same device.
    pub fn link(&self, session: &Session, scheme: Scheme) -> String {
        format!(
            "{}://?client_id={}&request_uri={}&request_uri_method=post",
            scheme.name(),
            escape(&self.client_id),
            escape(&session.addresses.request),
        )
    }

    /// The link as a picture for a wallet on another device: SVG, to stand in a page as it is.
    pub fn picture(&self, session: &Session, scheme: Scheme) -> Option<String> {
        qr::svg(&self.link(session, scheme))
    }

    /// The signed request object, media type [`MEDIA_TYPE`]. `wallet_nonce` is what the wallet sent
    /// when it came by POST (OpenID4VP 1.0 §5.10): it goes back as it came, if it is a sane one.
    pub fn request(
        &self,
        session: &Session,
        wallet_nonce: Option<&str>,
        now: Timestamp,
    ) -> Result<String, WalletError> {
        let key = &self.key;
        let chain = std::iter::once(key.certificate())
            .chain(key.intermediates().iter().filter(|above| !above.is_self_issued()));
        let chain: Vec<String> = chain.map(|c| STANDARD.encode(c.der())).collect();
        let header = json!({"alg": "ES256", "typ": "oauth-authz-req+jwt", "x5c": chain});
        let mut jwk = session.public.jwk();
        for (name, value) in [("use", "enc"), ("alg", "ECDH-ES"), ("kid", &session.kid())] {
            jwk[name] = value.into();
        }
        let mut payload = json!({
            "iss": self.client_id,
            "aud": "https://self-issued.me/v2",
            "iat": now.as_second(),
            "exp": session.expires().as_second(),
            "client_id": self.client_id,
            "response_type": "vp_token",
            "response_mode": "direct_post.jwt",
            "response_uri": session.addresses.response,
            "nonce": *session.nonce,
            "state": *session.state,
            "dcql_query": dcql::query(self.issuers.countries()),
            "client_metadata": {
                "jwks": {"keys": [jwk]},
                "encrypted_response_enc_values_supported": CIPHERS.map(|(name, _, _)| name),
                "vp_formats_supported": {
                    "dc+sd-jwt": {
                        "sd-jwt_alg_values": ["ES256"],
                        "kb-jwt_alg_values": ["ES256"],
                    },
                    "mso_mdoc": {
                        "issuerauth_alg_values": [-7, -9],
                        "deviceauth_alg_values": [-7, -9],
                    },
                },
            },
        });
        if let Some(nonce) = wallet_nonce.filter(|nonce| nonce.len() <= MAX_WALLET_NONCE) {
            payload["wallet_nonce"] = nonce.into();
        }
        jws::sign(key, &header.to_string(), payload.to_string().as_bytes())
            .ok_or(WalletError::Signing)
    }
}

/// Media type of a request object (RFC 9101 §6.1).
pub const MEDIA_TYPE: &str = "application/oauth-authz-req+jwt";

/// The `wallet_nonce` of a wallet that gets its request by POST; the rest of its form is about
/// formats that every wallet of HAIP has.
pub fn wallet_nonce(form: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(form).ok()?;
    text.split('&').find_map(|field| unescape(field.strip_prefix("wallet_nonce=")?))
}

/// A value of a form (`application/x-www-form-urlencoded`).
pub(super) fn unescape(text: &str) -> Option<String> {
    let mut out = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        out.push(match byte {
            b'+' => b' ',
            b'%' => {
                let mut digit = || char::from(bytes.next()?).to_digit(16);
                (digit()? << 4 | digit()?) as u8
            }
            other => other,
        });
    }
    String::from_utf8(out).ok()
}

/// Percent-encodes all but the unreserved characters (RFC 3986 §2.3).
pub(super) fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                out.push(byte.into());
            }
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}

/// Longest nonce of a wallet that is sent back.
const MAX_WALLET_NONCE: usize = 512;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_escaped_comes_back() {
        let text = "https://a.example/b?c=d&e=f g+h%\u{e6}";
        assert_eq!(unescape(&escape(text)).as_deref(), Some(text));
        let form = b"wallet_metadata=%7B%7D&wallet_nonce=a%2Bb";
        assert_eq!(wallet_nonce(form).as_deref(), Some("a+b"));
        assert_eq!(wallet_nonce(b"wallet_metadata=x"), None);
    }
}
