//! The encrypted answer: ECDH-ES on P-256, straight to AES-GCM (RFC 7516, RFC 7518 §4.6;
//! OpenID4VP 1.0 §8.3). Whatever is wrong, the error is the same.

use aws_lc_rs::aead::{AES_128_GCM, AES_256_GCM, Aad, Algorithm, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::agreement::{self, PrivateKey, UnparsedPublicKey};
use aws_lc_rs::kdf::{SskdfDigestAlgorithmId, get_sskdf_digest_algorithm, sskdf_digest};
use serde_json::Value;
use zeroize::Zeroizing;

use super::{Refused, jose, json};

/// What we say that we decrypt, and with what: (`enc`, cipher, bytes of its key).
pub static CIPHERS: [(&str, &Algorithm, usize); 2] =
    [("A128GCM", &AES_128_GCM, 16), ("A256GCM", &AES_256_GCM, 32)];

/// Opens a compact JWE that was made for this key with this `kid`.
pub fn open(text: &str, key: &PrivateKey, kid: &str) -> Result<Zeroizing<Vec<u8>>, Refused> {
    try_open(text, key, kid).ok_or(Refused::Undecipherable)
}

fn try_open(text: &str, key: &PrivateKey, kid: &str) -> Option<Zeroizing<Vec<u8>>> {
    if text.len() > MAX_BYTES {
        return None;
    }
    let parts: Vec<&str> = text.splitn(6, '.').collect();
    let [header, "", iv, ciphertext, tag] = parts[..] else { return None };
    let sender = Sender::read(header, kid)?;
    let nonce = Nonce::try_assume_unique_for_key(&jose::decode(iv)?).ok()?;
    let (ciphertext, tag) = (jose::decode(ciphertext)?, jose::decode(tag)?);
    if tag.len() != TAG {
        return None;
    }
    let key = sender.content_key(key)?;
    let mut plain = Zeroizing::new([ciphertext, tag].concat());
    let length = key.open_in_place(nonce, Aad::from(header.as_bytes()), &mut plain).ok()?.len();
    plain.truncate(length);
    Some(plain)
}

/// What the header says about the key that the wallet agreed on.
struct Sender {
    enc: &'static str,
    cipher: &'static Algorithm,
    length: usize,
    public: jose::PublicKey,
    party_u: Vec<u8>,
    party_v: Vec<u8>,
}

impl Sender {
    fn read(header: &str, kid: &str) -> Option<Self> {
        let header = json::read_object(&jose::decode(header)?)?;
        // a member that we do not know may change what the message means: zip, crit, another alg
        if !header.keys().all(|name| HEADER.contains(&name.as_str())) {
            return None;
        }
        let text = |name: &str| header.get(name).and_then(Value::as_str);
        let party = |name: &str| match header.get(name) {
            None => Some(Vec::new()),
            Some(value) => jose::decode(value.as_str()?).filter(|party| party.len() <= MAX_PARTY),
        };
        let (enc, cipher, length) =
            CIPHERS.into_iter().find(|(name, _, _)| Some(*name) == text("enc"))?;
        let ours = text("alg") == Some("ECDH-ES") && text("kid") == Some(kid);
        let public = jose::PublicKey::of_jwk(header.get("epk")?)?;
        ours.then_some(Self {
            enc,
            cipher,
            length,
            public,
            party_u: party("apu")?,
            party_v: party("apv")?,
        })
    }

    fn content_key(&self, key: &PrivateKey) -> Option<LessSafeKey> {
        let theirs = UnparsedPublicKey::new(&agreement::ECDH_P256, self.public.point());
        let content = agreement::agree(key, theirs, (), |secret| {
            derive(secret, self.enc, self.length, &self.party_u, &self.party_v).ok_or(())
        });
        Some(LessSafeKey::new(UnboundKey::new(self.cipher, &content.ok()?).ok()?))
    }
}

/// Concat KDF (RFC 7518 §4.6.2): both parties' information is bound to the key.
pub fn derive(
    secret: &[u8],
    enc: &str,
    length: usize,
    party_u: &[u8],
    party_v: &[u8],
) -> Option<Zeroizing<Vec<u8>>> {
    let mut info = Vec::new();
    for part in [enc.as_bytes(), party_u, party_v] {
        info.extend(u32::try_from(part.len()).ok()?.to_be_bytes());
        info.extend(part);
    }
    info.extend(u32::try_from(length * 8).ok()?.to_be_bytes());
    let sha256 = get_sskdf_digest_algorithm(SskdfDigestAlgorithmId::Sha256)?;
    let mut key = Zeroizing::new(vec![0; length]);
    sskdf_digest(sha256, secret, &info, &mut key).ok()?;
    Some(key)
}

/// Members of a header that we understand.
const HEADER: [&str; 8] = ["alg", "enc", "kid", "epk", "apu", "apv", "typ", "cty"];
/// Bytes of the tag of AES-GCM.
const TAG: usize = 16;
/// Longest `apu` or `apv`; ISO/IEC 18013-7 puts a nonce into the one, ours into the other.
const MAX_PARTY: usize = 512;
/// Longest answer: nobody is asked for a portrait.
pub const MAX_BYTES: usize = 256 << 10;

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 7518 Appendix C: Alice to Bob.
    #[test]
    fn the_example_of_rfc_7518_derives_its_key() {
        let z = [
            158, 86, 217, 29, 129, 113, 53, 211, 114, 131, 66, 131, 191, 132, 38, 156, 251, 49,
            110, 163, 218, 128, 106, 72, 246, 218, 167, 121, 140, 254, 144, 196,
        ];
        let key = derive(&z, "A128GCM", 16, b"Alice", b"Bob").unwrap();
        assert_eq!(jose::encode(&key), "VqqN6vgjbSBcIijNcacQGg");
        let scalar = jose::decode("VEmDZpDXXK8p8N0Cndsxs924q6nS1RXFASRl6BfUqdw").unwrap();
        let bob = PrivateKey::from_private_key(&agreement::ECDH_P256, &scalar).unwrap();
        let header = r#"{"alg":"ECDH-ES","enc":"A128GCM","apu":"QWxpY2U","apv":"Qm9i","kid":"b",
            "epk":{"kty":"EC","crv":"P-256","x":"gI0GAILBdu7T53akrFmMyGcsF3n5dO7MmwNBHKW5SV0",
            "y":"SLW_xSffzlPWrHEVI30DHM_4egVwt3NQqeUD7nMFpps"}}"#;
        let sender = Sender::read(&jose::encode(header.as_bytes()), "b").unwrap();
        let agreed = UnparsedPublicKey::new(&agreement::ECDH_P256, sender.public.point());
        agreement::agree(&bob, agreed, (), |secret| {
            assert_eq!(secret, z);
            Ok(())
        })
        .unwrap();
        // and a message under the derived key opens
        let sealing = LessSafeKey::new(UnboundKey::new(&AES_128_GCM, &key).unwrap());
        let protected = jose::encode(header.as_bytes());
        let mut body = b"plaintext".to_vec();
        let nonce = Nonce::assume_unique_for_key([7; 12]);
        sealing
            .seal_in_place_append_tag(nonce, Aad::from(protected.as_bytes()), &mut body)
            .unwrap();
        let (body, tag) = body.split_at(body.len() - TAG);
        let parts = [&[7; 12][..], body, tag].map(jose::encode).join(".");
        let text = format!("{protected}..{parts}");
        assert_eq!(&**open(&text, &bob, "b").unwrap(), b"plaintext");
        assert!(open(&text, &bob, "c").is_err());
        assert!(open(&text.replacen("..", ".AA.", 1), &bob, "b").is_err());
        assert!(open(&format!("{text}."), &bob, "b").is_err());
    }
}
