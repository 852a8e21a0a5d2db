//! Test vectors of RFC 9180.

use aws_lc_rs::aead::{AES_128_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::agreement::{ECDH_P256, PrivateKey, X25519};

use super::super::kem::Secret;
use super::*;

struct Vector {
    suite: Suite,
    /// Numbers of KEM, KDF and AEAD.
    ids: [u8; 6],
    private: &'static str,
    public: &'static str,
    ephemeral: &'static str,
    encapsulated: &'static str,
    /// Shared secret, key, base nonce, where the vector prints them.
    steps: Option<[&'static str; 3]>,
    ciphertext: &'static str,
}

const INFO: &[u8] = b"Ode on a Grecian Urn";
const AAD: &[u8] = b"Count-0";
const PLAINTEXT: &[u8] = b"Beauty is truth, truth beauty";

const VECTORS: [Vector; 3] = [
    // A.1.1
    Vector {
        suite: Suite::X25519,
        ids: [0, 0x20, 0, 1, 0, 1],
        private: "4612c550263fc8ad58375df3f557aac531d26850903e55a9f23f21d8534e8ac8",
        public: "3948cfe0ad1ddb695d780e59077195da6c56506b027329794ab02bca80815c4d",
        ephemeral: "52c4a758a802cd8b936eceea314432798d5baf2d7e9235dc084ab1b9cfa2f736",
        encapsulated: "37fda3567bdbd628e88668c3c8d7e97d1d1253b6d4ea6d44c150f741f1bf4431",
        steps: Some([
            "fe0e18c9f024ce43799ae393c7e8fe8fce9d218875e8227b0187c04e7d2ea1fc",
            "4531685d41d65f03dc48f6b8302c05b0",
            "56d890e5accaaf011cff4b7d",
        ]),
        ciphertext: "f938558b5d72f1a23810b4be2ab4f84331acc02fc97babc53a52ae8218a355a9\
                     6d8770ac83d07bea87e13c512a",
    },
    // A.3.1
    Vector {
        suite: Suite::P256,
        ids: [0, 0x10, 0, 1, 0, 1],
        private: "f3ce7fdae57e1a310d87f1ebbde6f328be0a99cdbcadf4d6589cf29de4b8ffd2",
        public: "04fe8c19ce0905191ebc298a9245792531f26f0cece2460639e8bc39cb7f706a\
                 826a779b4cf969b8a0e539c7f62fb3d30ad6aa8f80e30f1d128aafd68a2ce72ea0",
        ephemeral: "4995788ef4b9d6132b249ce59a77281493eb39af373d236a1fe415cb0c2d7beb",
        encapsulated: "04a92719c6195d5085104f469a8b9814d5838ff72b60501e2c4466e5e67b325a\
                       c98536d7b61a1af4b78e5b7f951c0900be863c403ce65c9bfcb9382657222d18c4",
        steps: Some([
            "c0d26aeab536609a572b07695d933b589dcf363ff9d93c93adea537aeabb8cb8",
            "868c066ef58aae6dc589b6cfdd18f97e",
            "4e0bc5018beba4bf004cca59",
        ]),
        ciphertext: "5ad590bb8baa577f8619db35a36311226a896e7342a6d836d8b7bcd2f20b6c7f\
                     9076ac232e3ab2523f39513434",
    },
    // the RFC's test-vectors.json: the one with our cipher
    Vector {
        suite: Suite::X25519,
        ids: [0, 0x20, 0, 1, 0, 2],
        private: "497b4502664cfea5d5af0b39934dac72242a74f8480451e1aee7d6a53320333d",
        public: "430f4b9859665145a6b1ba274024487bd66f03a2dd577d7753c68d7d7d00c00c",
        ephemeral: "179d4b53b6365c45b600c4163b61d95cbc2f4d9e36f1695558dce265ab8bab11",
        encapsulated: "6c93e09869df3402d7bf231bf540fadd35cd56be14f97178f0954db94b7fc256",
        steps: None,
        ciphertext: "e5d84cd531cfb583096e7cfa9641bd3079cf3a91cda813c52deb5f512be99319\
                     80a41de125a925cdad859d5b7a",
    },
];

#[test]
fn the_vectors_of_the_rfc_come_out() {
    for vector in VECTORS {
        let bytes = |text: &str| hex::decode(text).unwrap();
        let curve = if vector.suite == Suite::P256 { &ECDH_P256 } else { &X25519 };
        let private = |text: &str| PrivateKey::from_private_key(curve, &bytes(text)).unwrap();
        let (public, enc) = (bytes(vector.public), bytes(vector.encapsulated));
        let ephemeral = private(vector.ephemeral);
        let (shared, sent) = kem::encapsulate_by(vector.suite, &ephemeral, &public).unwrap();
        assert_eq!(sent, enc);
        let secret = Secret::Curve(private(vector.private));
        assert_eq!(kem::decapsulate(vector.suite, &secret, &public, &enc).unwrap(), shared);

        if let Some([agreed, key, nonce]) = vector.steps {
            assert_eq!(shared.as_slice(), bytes(agreed));
            let mut made = [0; 16];
            let base = schedule::schedule(vector.ids, &shared, INFO, &mut made).unwrap();
            assert_eq!((made.to_vec(), base.to_vec()), (bytes(key), bytes(nonce)));
            let key = LessSafeKey::new(UnboundKey::new(&AES_128_GCM, &made).unwrap());
            let mut text = PLAINTEXT.to_vec();
            let nonce = Nonce::assume_unique_for_key(base);
            key.seal_in_place_append_tag(nonce, Aad::from(AAD), &mut text).unwrap();
            assert_eq!(text, bytes(vector.ciphertext));
        } else {
            assert_eq!(vector.ids, vector.suite.ids());
            let mut text = PLAINTEXT.to_vec();
            let tag = schedule::seal(vector.ids, &shared, INFO, AAD, &mut text).unwrap();
            text.extend_from_slice(tag.as_ref());
            assert_eq!(text, bytes(vector.ciphertext));
            let opened = schedule::open(vector.ids, &shared, INFO, AAD, &text).unwrap();
            assert_eq!(opened, PLAINTEXT);
        }
    }
}

/// Points of small order on Curve25519 and its twist, in all spellings of 255 bits.
pub(super) const SMALL_ORDER: [&str; 7] = [
    "0000000000000000000000000000000000000000000000000000000000000000",
    "0100000000000000000000000000000000000000000000000000000000000000",
    "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
    "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
];
