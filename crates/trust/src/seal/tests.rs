use rcgen::{
    CertificateParams, KeyPair, PKCS_ECDSA_P256_SHA256, PKCS_ED25519, PKCS_RSA_SHA256, RsaKeySize,
};

use super::*;

/// Holds a key as a token does.
struct Elsewhere(SealKey);

impl Holder for Elsewhere {
    fn sign(&self, scheme: Scheme, message: &[u8]) -> Option<Vec<u8>> {
        self.0.sign(scheme, message)
    }
}

struct Broken;

impl Holder for Broken {
    fn sign(&self, _: Scheme, _: &[u8]) -> Option<Vec<u8>> {
        None
    }
}

fn seal(key: &KeyPair) -> SealKey {
    let certificate = CertificateParams::default().self_signed(key).unwrap();
    SealKey::from_pem(key.serialize_pem().as_bytes(), certificate.pem().as_bytes()).unwrap()
}

fn ed25519() -> KeyPair {
    KeyPair::generate_for(&PKCS_ED25519).unwrap()
}

fn pair() -> [KeyPair; 2] {
    [
        KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap(),
        KeyPair::generate_rsa_for(&PKCS_RSA_SHA256, RsaKeySize::_2048).unwrap(),
    ]
}

#[test]
fn a_key_that_is_held_elsewhere_signs_as_one_in_memory() {
    for key in pair().into_iter().chain([ed25519()]) {
        let (inside, near) = (seal(&key), seal(&key));
        let chain = vec![near.certificate().clone()];
        let held = SealKey::held(Arc::new(Elsewhere(inside)), chain).unwrap();
        assert_eq!(held.cose_scheme(), near.cose_scheme());
        assert_eq!(held.xml_scheme(), near.xml_scheme());
        for scheme in [held.cose_scheme(), held.xml_scheme()] {
            let made = held.sign(scheme, b"message").unwrap();
            assert!(near.certificate().verifies(scheme, b"message", &made));
        }
    }
}

#[test]
fn a_key_of_another_certificate_is_refused_at_once() {
    for key in pair() {
        let other = seal(&pair()[0]).certificate().clone();
        assert!(SealKey::held(Arc::new(Elsewhere(seal(&key))), vec![other]).is_err());
        let own = seal(&key).certificate().clone();
        assert!(SealKey::held(Arc::new(Broken), vec![own]).is_err(), "and one that does not sign");
    }
    assert!(SealKey::held(Arc::new(Broken), Vec::new()).is_err());
}

#[test]
fn an_ed25519_seal_signs_evidence_and_no_xml() {
    let seal = Arc::new(seal(&ed25519()));
    assert_eq!(seal.cose_scheme(), Scheme::Ed25519);
    let signed = crate::cose::sign1(&seal, b"payload", b"aad").unwrap();
    assert!(crate::cose::verify1(&signed, b"aad", seal.certificate()).is_ok());
    let made = crate::signature::sign_enveloped("<a ID='_1'/>", "_1", &seal);
    assert!(matches!(made, Err(crate::signature::SignatureError::Signing(_))), "{made:?}");
    assert!(crate::jws::sign(&seal, "{}", b"payload").is_none());
}

#[test]
fn signatures_of_cards_are_asn1() {
    let keys = pair();
    for _ in 0..200 {
        let key = seal(&keys[0]);
        let made = asn1(&key.sign(Scheme::Es256, b"challenge").unwrap()).unwrap();
        assert!(key.certificate().signed(b"challenge", &made));
        assert!(!key.certificate().signed(b"another", &made));
    }
    let rsa = seal(&keys[1]);
    let made = rsa.sign(Scheme::Rs256, b"challenge").unwrap();
    assert!(rsa.certificate().signed(b"challenge", &made));
    assert_eq!(asn1(&[0, 0, 0, 0x80]), Some(vec![0x30, 7, 2, 1, 0, 2, 2, 0, 0x80]));
    assert_eq!((asn1(&[]), asn1(&[1]), asn1(&[1; 114])), (None, None, None));
}

#[cfg(not(feature = "pkcs11"))]
#[test]
fn without_the_feature_a_token_is_refused_with_a_reason() {
    let key = seal(&pair()[0]);
    let uri = b"pkcs11:token=t;object=o?module-path=/m&pin-source=file:/p";
    let error = SealKey::from_pem(uri, key.certificate().pem().as_bytes()).err().unwrap();
    assert!(error.to_string().contains("built without pkcs11"), "{error}");
}
