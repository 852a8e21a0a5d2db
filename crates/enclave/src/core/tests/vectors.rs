//! The same as others compute.

use super::*;

/// The crate's own receiver is the judge: what we seal opens with keys that it exports.
#[test]
fn the_hpke_crate_exports_the_same_request_key() {
    let now = Timestamp::now();
    let (es, dk) = (Vault::new(country("ES")), Vault::new(country("DK")));
    let (sealed, _) = ask(&es, &recipient(&dk, now), &[7; 32], b"hello", now).unwrap();
    let (header, at) = Header::decode(&sealed).unwrap();
    let enc = <XWing as Kem>::EncappedKey::from_bytes(&header.encapsulated).unwrap();
    let context: Receiver =
        hpke::setup_receiver(&OpModeR::Base, &dk.core().private, &enc, INFO).unwrap();
    let mut key = [0; 32];
    context.export(b"konfido request key 1", &mut key).unwrap();
    let key = aws_lc_rs::aead::UnboundKey::new(&aws_lc_rs::aead::AES_256_GCM, &key).unwrap();
    let nonce = aws_lc_rs::aead::Nonce::assume_unique_for_key([0; 12]);
    let mut text = sealed[at..].to_vec();
    let bound = aws_lc_rs::aead::Aad::from([&sealed[..at], &[7; 32]].concat());
    let text = LessSafeKey::new(key).open_in_place(nonce, bound, &mut text).unwrap();
    assert_eq!(text, b"hello");
}

/// The first test vector of draft-connolly-cfrg-xwing-kem.
#[test]
fn x_wing_gives_the_drafts_answers() {
    let lines: Vec<Vec<u8>> =
        include_str!("x-wing-vector.txt").lines().map(|line| hex::decode(line).unwrap()).collect();
    let [seed, public, encapsulated, shared] = lines.as_slice() else { panic!("four lines") };
    let private = <XWing as Kem>::PrivateKey::from_bytes(seed).unwrap();
    assert_eq!(XWing::sk_to_pk(&private).to_bytes().as_slice(), public);
    let enc = <XWing as Kem>::EncappedKey::from_bytes(encapsulated).unwrap();
    assert_eq!(XWing::decap(&private, None, &enc).unwrap().0.as_slice(), shared);
}
