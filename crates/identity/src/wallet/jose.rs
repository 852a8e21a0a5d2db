//! What JOSE messages are made of: base64url, P-256 keys, compact signatures (RFC 7515, 7517, 7638).

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED, UnparsedPublicKey};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value, json};

use super::json;

/// base64url without padding, as JOSE writes it.
pub fn encode(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// The bytes of a base64url text; no padding, no spare bits, no white space.
pub fn decode(text: &str) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(text).ok()
}

pub(crate) fn sha256(bytes: &[u8]) -> [u8; 32] {
    digest(&SHA256, bytes).as_ref().try_into().expect("because SHA-256 has 32 bytes")
}

/// A public key on P-256, as JWK and COSE_Key carry it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicKey {
    /// Uncompressed: `04 x y`.
    point: [u8; 65],
}

impl PublicKey {
    /// From the coordinates, 32 bytes each. Whether they are on the curve shows when they are used.
    pub fn of(x: &[u8], y: &[u8]) -> Option<Self> {
        let mut point = [4; 65];
        point[1..33].copy_from_slice(<&[u8; 32]>::try_from(x).ok()?);
        point[33..].copy_from_slice(<&[u8; 32]>::try_from(y).ok()?);
        Some(Self { point })
    }

    /// From `04 x y`.
    pub fn of_point(point: &[u8]) -> Option<Self> {
        match point.split_first() {
            Some((4, rest)) if rest.len() == 64 => Self::of(&rest[..32], &rest[32..]),
            _ => None,
        }
    }

    /// Reads a JWK; one that holds a private part is no public key.
    pub fn of_jwk(jwk: &Value) -> Option<Self> {
        let text = |name: &str| jwk.get(name)?.as_str();
        if text("kty") != Some("EC") || text("crv") != Some("P-256") || jwk.get("d").is_some() {
            return None;
        }
        Self::of(&decode(text("x")?)?, &decode(text("y")?)?)
    }

    /// The required members of its JWK.
    pub fn jwk(&self) -> Value {
        json!({"kty": "EC", "crv": "P-256", "x": encode(self.x()), "y": encode(self.y())})
    }

    /// SHA-256 over the canonical JWK (RFC 7638).
    pub fn thumbprint(&self) -> [u8; 32] {
        let (x, y) = (encode(self.x()), encode(self.y()));
        sha256(format!(r#"{{"crv":"P-256","kty":"EC","x":"{x}","y":"{y}"}}"#).as_bytes())
    }

    /// Whether this key made the ES256 signature (`r || s`).
    pub fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        let key = UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, &self.point);
        key.verify(message, signature).is_ok()
    }

    /// `04 x y`.
    pub fn point(&self) -> &[u8] {
        &self.point
    }

    /// First coordinate.
    pub fn x(&self) -> &[u8] {
        &self.point[1..33]
    }

    /// Second coordinate.
    pub fn y(&self) -> &[u8] {
        &self.point[33..]
    }
}

/// A compact JWS, parsed and not believed.
pub struct Jws<'a> {
    /// Protected header.
    pub header: Map<String, Value>,
    /// Payload, a JSON object.
    pub payload: Map<String, Value>,
    signed: &'a [u8],
    signature: Vec<u8>,
}

impl<'a> Jws<'a> {
    /// Three parts, two of them JSON objects.
    pub fn parse(text: &'a str) -> Option<Self> {
        let (signed, signature) = text.rsplit_once('.')?;
        let (header, payload) = signed.split_once('.')?;
        Some(Self {
            header: json::read_object(&decode(header)?)?,
            payload: json::read_object(&decode(payload)?)?,
            signed: signed.as_bytes(),
            signature: decode(signature)?,
        })
    }

    /// ES256, of this type, and with nothing critical: all of ours have these in common.
    pub fn is(&self, typ: &str) -> bool {
        let text = |name: &str| self.header.get(name).and_then(Value::as_str);
        text("typ") == Some(typ)
            && text("alg") == Some("ES256")
            && !self.header.contains_key("crit")
    }

    /// What was signed.
    pub fn signed(&self) -> &[u8] {
        self.signed
    }

    /// `r || s`.
    pub fn signature(&self) -> &[u8] {
        &self.signature
    }

    /// The certificates of `x5c`, DER, leaf first (RFC 7515 §4.1.6: in base64 with padding).
    pub fn x5c(&self) -> Option<Vec<Vec<u8>>> {
        let standard = base64::engine::general_purpose::STANDARD;
        let all = self.header.get("x5c")?.as_array()?;
        all.iter().map(|one| standard.decode(one.as_str()?).ok()).collect()
    }
}
