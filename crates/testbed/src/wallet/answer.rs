//! The encrypted answer of a wallet (OpenID4VP 1.0 §8.3), written apart from what opens it.

use aws_lc_rs::aead::{AES_128_GCM, AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::agreement::{self, ECDH_P256, PrivateKey, UnparsedPublicKey};
use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use super::holder::Asked;
use super::parts::{encode, random};

/// An answer in the making; each part can be changed before it is sealed.
pub struct Answer {
    /// What is encrypted.
    pub payload: Value,
    /// Protected header of the JWE.
    pub header: Value,
    key: [u8; 32],
}

impl Answer {
    /// With this `vp_token`, to the key of the request.
    pub fn new(asked: &Asked, vp_token: Value) -> Self {
        let jwk = asked.encryption_key();
        let coordinate = |name: &str| {
            let text = jwk[name].as_str().unwrap_or_default();
            URL_SAFE_NO_PAD.decode(text).expect("because the request was checked")
        };
        let public = [vec![4], coordinate("x"), coordinate("y")].concat();
        let ours = PrivateKey::generate(&ECDH_P256).expect("because the system has entropy");
        let point = ours.compute_public_key().expect("because the key is sound");
        let point = point.as_ref();
        let theirs = UnparsedPublicKey::new(&ECDH_P256, &public);
        let key = agreement::agree(&ours, theirs, (), |secret| {
            <[u8; 32]>::try_from(secret).map_err(|_| ())
        })
        .expect("because the request was checked");
        let header = json!({
            "alg": "ECDH-ES",
            "enc": "A256GCM",
            "kid": jwk["kid"],
            "epk": {
                "kty": "EC", "crv": "P-256",
                "x": encode(&point[1..33]), "y": encode(&point[33..]),
            },
            "apu": encode(&random()),
            "apv": encode(asked.request["nonce"].as_str().unwrap_or_default().as_bytes()),
        });
        let payload = json!({"vp_token": vp_token, "state": asked.request["state"]});
        Self { payload, header, key }
    }

    /// Encrypted: the compact JWE.
    pub fn seal(&self) -> String {
        let party = |name: &str| {
            let text = self.header[name].as_str().unwrap_or_default();
            URL_SAFE_NO_PAD.decode(text).unwrap_or_default()
        };
        let enc = self.header["enc"].as_str().unwrap_or_default();
        let (cipher, length) =
            if enc == "A128GCM" { (&AES_128_GCM, 16) } else { (&AES_256_GCM, 32usize) };
        let mut input = vec![0, 0, 0, 1];
        input.extend(self.key);
        for part in [enc.as_bytes(), &party("apu"), &party("apv")] {
            input.extend((part.len() as u32).to_be_bytes());
            input.extend(part);
        }
        input.extend((length as u32 * 8).to_be_bytes());
        // one block of SHA-256 is all that these ciphers need (RFC 7518 §4.6.2)
        let content = digest(&SHA256, &input);
        let key = UnboundKey::new(cipher, &content.as_ref()[..length]);
        let key = LessSafeKey::new(key.expect("because the length is the cipher's"));
        let protected = encode(self.header.to_string().as_bytes());
        let iv: [u8; 12] = random()[..12].try_into().expect("because twelve were taken");
        let mut body = self.payload.to_string().into_bytes();
        let nonce = Nonce::assume_unique_for_key(iv);
        let tag = key
            .seal_in_place_separate_tag(nonce, Aad::from(protected.as_bytes()), &mut body)
            .expect("because the message is short");
        format!("{protected}..{}.{}.{}", encode(&iv), encode(&body), encode(tag.as_ref()))
    }

    /// The body of the post.
    pub fn post(&self) -> Vec<u8> {
        format!("response={}", self.seal()).into_bytes()
    }
}
