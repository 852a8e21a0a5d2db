//! A credential as mdoc (ISO/IEC 18013-5 §9; OpenID4VP 1.0 Appendix B.2): what the issuer signed
//! digest by digest, and the device's signature over this very login.

mod cbor;
mod issued;

use ciborium::Value;
use coset::iana::Algorithm;
use coset::{AsCborValue, CoseSign1, RegisteredLabelWithPrivate};
use jiff::Timestamp;
use trust::jws;

use super::issuers::{Issuer, Issuers};
use super::jose::{self, sha256};
use super::{Refused, person};
use cbor::{encoded, only_tag_24, read, text_member};

pub use issued::Credential;

/// A `DeviceResponse`, parsed and not believed. Personal: no `Debug`.
pub struct Response {
    documents: Vec<Document>,
}

/// One document of it.
pub struct Document {
    doc_type: String,
    issuer_auth: CoseSign1,
    items: Vec<(String, Vec<Value>)>,
    device_name_spaces: Value,
    device_signature: Option<CoseSign1>,
}

impl Response {
    /// From the base64url text of a `vp_token`.
    pub fn parse(text: &str) -> Result<Self, Refused> {
        Self::from_cbor(&jose::decode(text).ok_or(Refused::MdocForm)?)
    }

    /// From CBOR.
    pub fn from_cbor(bytes: &[u8]) -> Result<Self, Refused> {
        let root = read(bytes).ok_or(Refused::MdocForm)?;
        let member = |name| text_member(&root, name);
        if member("version").and_then(Value::as_text) != Some("1.0") {
            return Err(Refused::MdocForm);
        }
        if member("status").and_then(Value::as_integer) != Some(0.into()) {
            return Err(Refused::MdocStatus);
        }
        let documents = member("documents").and_then(Value::as_array).ok_or(Refused::MdocForm)?;
        let documents = documents
            .iter()
            .map(|document| Document::read(document).ok_or(Refused::MdocForm))
            .collect::<Result<_, _>>()?;
        Ok(Self { documents })
    }

    /// The documents, in order.
    pub fn documents(&self) -> &[Document] {
        &self.documents
    }

    /// The one document (HAIP 1.0 §5.3: one response for each).
    pub fn only(&self) -> Result<&Document, Refused> {
        match self.documents.as_slice() {
            [only] => Ok(only),
            _ => Err(Refused::NotOne),
        }
    }
}

impl Document {
    fn read(document: &Value) -> Option<Self> {
        let issuer_signed = text_member(document, "issuerSigned")?;
        let device_signed = text_member(document, "deviceSigned")?;
        let device_auth = text_member(device_signed, "deviceAuth")?;
        let signature = text_member(device_auth, "deviceSignature");
        let name_spaces = match text_member(issuer_signed, "nameSpaces") {
            Some(value) => value.as_map()?.clone(),
            None => Vec::new(),
        };
        let items = name_spaces
            .into_iter()
            .map(|(name, items)| Some((name.into_text().ok()?, items.into_array().ok()?)))
            .collect::<Option<_>>()?;
        let device_name_spaces = text_member(device_signed, "nameSpaces")?.clone();
        only_tag_24(&device_name_spaces)?;
        let issuer_auth = text_member(issuer_signed, "issuerAuth")?.clone();
        Some(Self {
            doc_type: text_member(document, "docType")?.as_text()?.to_owned(),
            issuer_auth: CoseSign1::from_cbor_value(issuer_auth).ok()?,
            items,
            device_name_spaces,
            device_signature: match signature {
                Some(value) => Some(CoseSign1::from_cbor_value(value.clone()).ok()?),
                None => None,
            },
        })
    }

    /// What it says it is.
    pub fn doc_type(&self) -> &str {
        &self.doc_type
    }

    /// `x5chain` (RFC 9360), DER, leaf first.
    pub fn chain(&self) -> Option<Vec<Vec<u8>>> {
        let label = coset::Label::Int(X5CHAIN);
        let rest = &self.issuer_auth.unprotected.rest;
        match rest.iter().find(|(name, _)| *name == label).map(|(_, value)| value)? {
            Value::Bytes(only) => Some(vec![only.clone()]),
            Value::Array(all) => all.iter().map(|one| one.as_bytes().cloned()).collect(),
            _ => None,
        }
    }

    /// The issuer, by the certificates that come along; they must lead to an anchor.
    pub fn issuer(&self, issuers: &Issuers, at: Timestamp) -> Result<Issuer, Refused> {
        issuers.recognise(&self.chain().ok_or(Refused::Certificates)?, at)
    }

    /// Checks the issuer's signature and the digest of each element (§9.1.2.4).
    pub fn issued_by(&self, issuer: &Issuer) -> Result<Credential, Refused> {
        let certificate = issuer.certificate();
        if jws::algorithm(certificate) != Some("ES256") {
            return Err(Refused::MdocAlgorithm);
        }
        signed_with(&self.issuer_auth)?;
        let signature = &self.issuer_auth.signature;
        let data = self.issuer_auth.tbs_data(&[]);
        if self.issuer_auth.payload.is_none() || !jws::verifies(certificate, &data, signature) {
            return Err(Refused::IssuerSignature);
        }
        let credential = Credential::read(self)?;
        // §9.3.1: a certificate signs only while it is valid
        let (signed, _, _) = credential.validity();
        if signed < certificate.not_before() || certificate.not_after() < signed {
            return Err(Refused::Certificates);
        }
        Ok(credential)
    }

    /// Checks the device's signature over the transcript of this login (§9.1.3.6). A MAC would need
    /// a key of ours that the wallet never had.
    pub fn bound(&self, credential: &Credential, transcript: &Value) -> Result<(), Refused> {
        let signature = self.device_signature.as_ref().ok_or(Refused::DeviceSignature)?;
        signed_with(signature)?;
        let authentication = Value::Array(vec![
            "DeviceAuthentication".into(),
            transcript.clone(),
            self.doc_type.as_str().into(),
            self.device_name_spaces.clone(),
        ]);
        let payload = encoded(&Value::Tag(24, Box::new(Value::Bytes(encoded(&authentication)))));
        let mut detached = signature.clone();
        if detached.payload.replace(payload).is_some() {
            return Err(Refused::DeviceSignature);
        }
        let data = detached.tbs_data(&[]);
        if credential.holder().verifies(&data, &detached.signature) {
            Ok(())
        } else {
            Err(Refused::DeviceSignature)
        }
    }
}

/// The algorithm stands in the protected header, and nothing critical does.
fn signed_with(message: &CoseSign1) -> Result<(), Refused> {
    let header = &message.protected.header;
    let allowed = match header.alg {
        Some(RegisteredLabelWithPrivate::Assigned(algorithm)) => ES256.contains(&algorithm),
        _ => false,
    };
    if allowed && header.crit.is_empty() { Ok(()) } else { Err(Refused::MdocAlgorithm) }
}

/// `SessionTranscript` of an answer by redirect or `direct_post` (OpenID4VP 1.0 B.2.6.1);
/// `thumbprint` of the key that the answer is encrypted to.
pub fn transcript(
    client_id: &str,
    nonce: &str,
    thumbprint: Option<&[u8; 32]>,
    response_uri: &str,
) -> Value {
    let info = Value::Array(vec![
        client_id.into(),
        nonce.into(),
        thumbprint.map_or(Value::Null, |thumbprint| thumbprint.as_slice().into()),
        response_uri.into(),
    ]);
    let hash = sha256(&encoded(&info));
    let handover = Value::Array(vec!["OpenID4VPHandover".into(), hash.as_slice().into()]);
    Value::Array(vec![Value::Null, Value::Null, handover])
}

/// A text.
pub(super) fn text(value: &Value) -> Option<String> {
    value.as_text().map(str::to_owned)
}

/// `full-date` (RFC 8943); a text without the tag is taken, too.
pub(super) fn date(value: &Value) -> Option<String> {
    match value {
        Value::Tag(1004, inner) => text(inner),
        other => text(other),
    }
}

/// A place of birth: a text or a map.
pub(super) fn place(value: &Value) -> Option<String> {
    text(value).or_else(|| person::place(|name| text_member(value, name)?.as_text()))
}

/// ES256, under its old name and the one that names the curve, too (RFC 9864).
const ES256: [Algorithm; 2] = [Algorithm::ES256, Algorithm::ESP256];
/// RFC 9360 §2.
const X5CHAIN: i64 = 33;

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of OpenID4VP 1.0 B.2.6.1.
    #[test]
    fn the_transcript_is_that_of_the_standard() {
        let key = serde_json::json!({"kty": "EC", "crv": "P-256", "use": "enc", "kid": "1",
            "x": "DxiH5Q4Yx3UrukE2lWCErq8N8bqC9CHLLrAwLz5BmE0",
            "y": "XtLM4-3h5o3HUH0MHVJV0kyq0iBlrBwlh8qEDMZ4-Pc"});
        let thumbprint = jose::PublicKey::of_jwk(&key).unwrap().thumbprint();
        let nonce = "exc7gBkxjx1rdc9udRrveKvSsJIq80avlXeLHhGwqtA";
        let at = "https://example.com/response";
        let transcript = transcript("x509_san_dns:example.com", nonce, Some(&thumbprint), at);
        let hex: String = encoded(&transcript).iter().map(|b| format!("{b:02x}")).collect();
        assert_eq!(
            hex,
            "83f6f682714f70656e494434565048616e646f7665725820048bc053c00442af9b8eed494cefdd9d\
             95240d254b046b11b68013722aad38ac"
        );
    }
}
