//! What credentials and answers are made of: base64url, JWTs, CBOR, keys.

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::rand::{SecureRandom as _, SystemRandom};
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ciborium::Value as Cbor;
use coset::{CborSerializable as _, CoseSign1};
use rcgen::{KeyPair, PKCS_ECDSA_P256_SHA256};
use serde_json::Value;

/// `#6.24(bstr .cbor IssuerSignedItem)`.
pub fn item(number: i64, name: &str, value: Cbor) -> Cbor {
    let item = map([
        ("digestID", number.into()),
        ("random", random().as_slice().into()),
        ("elementIdentifier", name.into()),
        ("elementValue", value),
    ]);
    Cbor::Tag(24, Box::new(bytes_of(&item).into()))
}

/// SHA-256 of an item as it is written.
pub fn digest_of(item: &Cbor) -> Vec<u8> {
    digest(&SHA256, &bytes_of(item)).as_ref().to_vec()
}

/// A map with text keys.
pub fn map<const N: usize>(entries: [(&str, Cbor); N]) -> Cbor {
    Cbor::Map(entries.into_iter().map(|(key, value)| (key.into(), value)).collect())
}

/// A member of a map with text keys, to change.
pub fn member<'c>(map: &'c mut Cbor, name: &str) -> &'c mut Cbor {
    let Cbor::Map(entries) = map else { panic!("no map around {name}") };
    let entry = entries.iter_mut().find(|(key, _)| key.as_text() == Some(name));
    &mut entry.unwrap_or_else(|| panic!("no {name}")).1
}

/// CBOR.
pub fn bytes_of(value: &Cbor) -> Vec<u8> {
    let mut out = Vec::new();
    ciborium::into_writer(value, &mut out).expect("because a vector takes every byte");
    out
}

/// A `COSE_Sign1` as part of something else.
pub fn cose_value(message: CoseSign1) -> Cbor {
    let bytes = message.to_vec().expect("because we built it");
    ciborium::from_reader(bytes.as_slice()).expect("because it is CBOR")
}

/// A disclosure's text.
pub fn disclosure(parts: &Value) -> String {
    encode(parts.to_string().as_bytes())
}

/// base64url of a text's SHA-256.
pub fn hash(text: &str) -> String {
    encode(digest(&SHA256, text.as_bytes()).as_ref())
}

/// base64url.
pub fn encode(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// A compact JWT by ES256.
pub fn jwt(key: &EcdsaKeyPair, header: &Value, payload: &Value) -> String {
    let signed = format!(
        "{}.{}",
        encode(header.to_string().as_bytes()),
        encode(payload.to_string().as_bytes())
    );
    let signature = sign(key, signed.as_bytes());
    format!("{signed}.{}", encode(&signature))
}

/// `r || s`.
pub fn sign(key: &EcdsaKeyPair, message: &[u8]) -> Vec<u8> {
    let signature = key.sign(&SystemRandom::new(), message);
    signature.expect("because the key is sound").as_ref().to_vec()
}

/// A fresh P-256 key to sign with, and the same as PKCS#8 PEM.
pub fn fresh_key() -> (EcdsaKeyPair, KeyPair) {
    let key = p256();
    (signing(&key), key)
}

/// Sixteen unpredictable bytes.
pub fn random() -> [u8; 16] {
    let mut bytes = [0; 16];
    SystemRandom::new().fill(&mut bytes).expect("because the system has entropy");
    bytes
}

/// zlib with stored blocks (RFC 1950, RFC 1951 §3.2.4): no compressor is needed to test one.
pub fn zlib(bytes: &[u8]) -> Vec<u8> {
    let mut out = vec![0x78, 0x01];
    let mut blocks = bytes.chunks(0xffff).peekable();
    while let Some(block) = blocks.next() {
        let length = u16::try_from(block.len()).expect("because chunks are that short");
        out.push(u8::from(blocks.peek().is_none()));
        out.extend(length.to_le_bytes());
        out.extend((!length).to_le_bytes());
        out.extend_from_slice(block);
    }
    let (a, b) = bytes.iter().fold((1u32, 0u32), |(a, b), byte| {
        let a = (a + u32::from(*byte)) % 65_521;
        (a, (b + a) % 65_521)
    });
    out.extend((b << 16 | a).to_be_bytes());
    out
}

/// A fresh key.
pub fn p256() -> KeyPair {
    KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).expect("because the system has entropy")
}

/// The same, to sign with.
pub fn signing(key: &KeyPair) -> EcdsaKeyPair {
    EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, key.serialized_der())
        .expect("because rcgen writes PKCS#8")
}
