//! COSE: what is returned was signed, by exactly these.

mod fixtures;

use fixtures::{Kind, Root};
use trust::cose::{CoseError, add_signature, sign, sign1, verify, verify1};

#[test]
fn every_kind_of_key_signs_and_verifies() {
    let root = Root::new();
    for kind in Kind::ALL.into_iter().chain([Kind::Ed25519]) {
        let leaf = root.seal(kind);
        let (key, certificate) = (leaf.seal_key(), leaf.certificate());
        let message = sign1(&key, b"payload", b"aad").unwrap();
        assert_eq!(verify1(&message, b"aad", &certificate).unwrap(), b"payload", "{kind:?}");
        assert_eq!(verify1(&message, b"other", &certificate), Err(CoseError::Signature));
        let stranger = root.seal(kind).certificate();
        assert_eq!(verify1(&message, b"aad", &stranger), Err(CoseError::NoSignature));
        let mut tampered = message.clone();
        let at = tampered.windows(7).position(|w| w == b"payload").unwrap();
        tampered[at] ^= 1;
        assert_eq!(verify1(&tampered, b"aad", &certificate), Err(CoseError::Signature));
    }
}

#[test]
fn two_countries_sign_one_statement() {
    let root = Root::new();
    let (dk, es, it) = (root.seal(Kind::P256), root.seal(Kind::Rsa3072), root.seal(Kind::P384));
    let one = sign(&dk.seal_key(), b"payload", b"aad").unwrap();
    let two = add_signature(&one, &es.seal_key(), b"aad").unwrap();
    let (dk_cert, es_cert, it_cert) = (dk.certificate(), es.certificate(), it.certificate());
    assert_eq!(verify(&one, b"aad", &[&dk_cert]).unwrap(), b"payload");
    assert_eq!(verify(&two, b"aad", &[&es_cert, &dk_cert]).unwrap(), b"payload");
    let refused: [(&str, &[u8], &[u8], Vec<&_>, CoseError); 6] = [
        ("one too many", &two, b"aad", vec![&dk_cert], CoseError::NoSignature),
        ("one too few", &one, b"aad", vec![&dk_cert, &es_cert], CoseError::NoSignature),
        ("another", &two, b"aad", vec![&dk_cert, &it_cert], CoseError::NoSignature),
        ("other aad", &two, b"", vec![&dk_cert, &es_cert], CoseError::Signature),
        ("twice the same", &two, b"aad", vec![&dk_cert, &dk_cert], CoseError::NoSignature),
        ("nobody", &two, b"aad", vec![], CoseError::NoSignature),
    ];
    for (what, message, aad, certificates, expected) in refused {
        assert_eq!(verify(message, aad, &certificates), Err(expected), "{what}");
    }
}

#[test]
fn a_statement_that_nobody_signed_has_no_payload() {
    use coset::CborSerializable as _;
    let bare = coset::CoseSignBuilder::new().payload(b"EVIL".to_vec()).build().to_vec().unwrap();
    assert_eq!(verify(&bare, b"", &[]), Err(CoseError::NoSignature));
}
