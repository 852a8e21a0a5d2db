//! Compact JWS: what an elliptic seal signs verifies by its certificate and by no other.

mod fixtures;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use fixtures::{Kind, Root};
use trust::jws::{algorithm, sign, verifies};

#[test]
fn elliptic_keys_sign_and_others_do_not() {
    let root = Root::new();
    for kind in Kind::ALL {
        let leaf = root.seal(kind);
        let certificate = leaf.certificate();
        let signed = sign(&leaf.seal_key(), "{}", b"payload");
        let Some(name) = algorithm(&certificate) else {
            assert_eq!(signed, None, "{kind:?}");
            continue;
        };
        let text = signed.unwrap();
        let (message, signature) = text.rsplit_once('.').unwrap();
        assert_eq!(message, "e30.cGF5bG9hZA", "{name}");
        let signature = URL_SAFE_NO_PAD.decode(signature).unwrap();
        assert!(verifies(&certificate, message.as_bytes(), &signature), "{name}");
        assert!(!verifies(&certificate, b"e30.ZXZpbA", &signature), "{name}");
        let stranger = root.seal(kind).certificate();
        assert!(!verifies(&stranger, message.as_bytes(), &signature), "{name}");
        for place in 0..signature.len() {
            let mut damaged = signature.clone();
            damaged[place] ^= 1;
            assert!(!verifies(&certificate, message.as_bytes(), &damaged), "{name}: {place}");
        }
    }
}
