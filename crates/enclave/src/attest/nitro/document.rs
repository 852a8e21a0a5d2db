//! The payload of an attestation document: a CBOR map with bounded fields.

use ciborium::Value;
use jiff::Timestamp;

use crate::attest::evidence::cbor;
use crate::attest::reason::{Reason, Refusal};

/// A document whose form holds; not verified.
pub(super) struct Document {
    pub module: String,
    pub timestamp: Timestamp,
    /// Register and value, in rising order.
    pub pcrs: Vec<(u8, Vec<u8>)>,
    pub certificate: Vec<u8>,
    /// Root first.
    pub bundle: Vec<Vec<u8>>,
    pub user_data: Vec<u8>,
}

impl Document {
    pub(super) fn parse(payload: &[u8]) -> Result<Self, Refusal> {
        let malformed = |what: &str| Refusal::new(Reason::Malformed, what);
        let value = cbor(payload).ok_or_else(|| malformed("payload"))?;
        let Value::Map(entries) = value else { return Err(malformed("payload")) };
        let mut fields = Fields::default();
        for (key, value) in entries {
            let Value::Text(key) = key else { return Err(malformed("a key is no text")) };
            let slot = match key.as_str() {
                "module_id" => &mut fields.module,
                "digest" => &mut fields.digest,
                "timestamp" => &mut fields.timestamp,
                "pcrs" => &mut fields.pcrs,
                "certificate" => &mut fields.certificate,
                "cabundle" => &mut fields.bundle,
                "public_key" => &mut fields.public_key,
                "user_data" => &mut fields.user_data,
                "nonce" => &mut fields.nonce,
                _ => return Err(malformed("an unknown field")),
            };
            if slot.replace(value).is_some() {
                return Err(malformed("a field appears twice"));
            }
        }
        fields.check().ok_or_else(|| malformed("a field is missing, or not of its form"))
    }
}

#[derive(Default)]
struct Fields {
    module: Option<Value>,
    digest: Option<Value>,
    timestamp: Option<Value>,
    pcrs: Option<Value>,
    certificate: Option<Value>,
    bundle: Option<Value>,
    public_key: Option<Value>,
    user_data: Option<Value>,
    nonce: Option<Value>,
}

impl Fields {
    /// The forms and lengths that AWS publishes.
    fn check(self) -> Option<Document> {
        let module = self.module?.into_text().ok()?;
        if module.is_empty() || module.len() > MAX_NAME || !module.is_ascii() {
            return None;
        }
        if self.digest?.as_text()? != "SHA384" {
            return None;
        }
        let millis = i64::try_from(self.timestamp?.into_integer().ok()?).ok()?;
        let timestamp = Timestamp::from_millisecond(millis).ok().filter(|_| millis > 0)?;
        let pcrs = registers(self.pcrs?)?;
        let certificate = bytes(self.certificate, 1, MAX_CERTIFICATE)?;
        let bundle = self.bundle?.into_array().ok()?;
        if bundle.is_empty() || bundle.len() > MAX_BUNDLE {
            return None;
        }
        let bundle = bundle.into_iter().map(|der| bytes(Some(der), 1, MAX_CERTIFICATE));
        let bundle = bundle.collect::<Option<Vec<_>>>()?;
        bytes(self.public_key, 0, MAX_KEY)?;
        bytes(self.nonce, 0, MAX_DATA)?;
        let user_data = bytes(self.user_data, 0, MAX_DATA)?;
        Some(Document { module, timestamp, pcrs, certificate, bundle, user_data })
    }
}

/// Up to 32 registers of 32, 48 or 64 bytes.
fn registers(value: Value) -> Option<Vec<(u8, Vec<u8>)>> {
    let entries = value.into_map().ok()?;
    let mut out: Vec<(u8, Vec<u8>)> = Vec::new();
    for (number, value) in entries {
        let number = u8::try_from(number.into_integer().ok()?).ok().filter(|n| *n < 32)?;
        let value = value.into_bytes().ok().filter(|v| matches!(v.len(), 32 | 48 | 64))?;
        if out.iter().any(|row| row.0 == number) {
            return None;
        }
        out.push((number, value));
    }
    out.sort();
    (!out.is_empty()).then_some(out)
}

/// Bytes of a length; nothing and null are no bytes where none is allowed.
fn bytes(value: Option<Value>, least: usize, most: usize) -> Option<Vec<u8>> {
    let bytes = match value {
        None | Some(Value::Null) => Vec::new(),
        Some(Value::Bytes(bytes)) => bytes,
        Some(_) => return None,
    };
    (least..=most).contains(&bytes.len()).then_some(bytes)
}

const MAX_NAME: usize = 256;
const MAX_CERTIFICATE: usize = 1024;
const MAX_BUNDLE: usize = 8;
const MAX_KEY: usize = 1024;
const MAX_DATA: usize = 512;
