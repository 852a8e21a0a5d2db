//! Documents at rest, and how they leave.

use super::*;
use crate::Use;

fn denmark(purpose: Use) -> Vault {
    Vault::holding(country("DK"), &[(purpose, &[5; 32])]).unwrap()
}

#[test]
fn a_kept_document_is_handed_out_by_a_vault_that_was_started_for_it_only() {
    let dk = denmark(Use::Keep);
    let kept = dk.keep(b"label", b"document").unwrap();
    assert!(!kept.windows(8).any(|at| at == b"document"));
    assert_ne!(kept, dk.keep(b"label", b"document").unwrap(), "each has a nonce of its own");
    dk.look(b"label", &kept).unwrap();
    assert_eq!(dk.look(b"other", &kept), Err(VaultError::Integrity));
    assert_eq!(dk.look(b"label", &kept[..9]), Err(VaultError::Malformed));
    assert_eq!(dk.look(b"label", &kept[..20]), Err(VaultError::Integrity));
    assert_eq!(dk.hand_out(b"label", &kept), Err(VaultError::Keeps));
    let plain = denmark(Use::HandOut);
    assert_eq!(plain.hand_out(b"label", &kept).unwrap(), &b"document"[..]);
    assert_eq!(plain.hand_out(b"other", &kept), Err(VaultError::Integrity));
    let other = Vault::holding(country("DK"), &[(Use::Keep, &[6; 32])]).unwrap();
    assert_eq!(other.look(b"label", &kept), Err(VaultError::Integrity), "another key");
    let none = Vault::new(country("DK"));
    assert!(none.keep(b"label", b"document").is_err() && none.look(b"label", &kept).is_err());
    assert!(Vault::holding(country("DK"), &[(Use::Keep, &[5; 16])]).is_err(), "a short key");
}

#[test]
fn a_kept_document_leaves_sealed_for_the_vault_that_asked() {
    let (es, dk) = (Vault::new(country("ES")), denmark(Use::Keep));
    let now = Timestamp::now();
    let (to_dk, to_es) = (recipient(&dk, now), recipient(&es, now));
    let sealed = dk.keep(b"label", b"document").unwrap();
    let mut changed = sealed.to_vec();
    changed[14] ^= 1;
    let answered = |label: &[u8], sealed: &[u8]| {
        let (request, pending) = ask(&es, &to_dk, &[0; 32], b"?", now).unwrap();
        let opened = dk.open_request(&request, &[0; 32]).unwrap();
        let pieces = [Piece::Clear(b"head"), Piece::Kept { label, sealed }, Piece::Clear(b"tail")];
        let answer = dk.seal_response(opened.reply, &to_es, &[1; 32], &pieces, now)?;
        es.open_response(pending, &answer, &[1; 32], Addressee::Node)
            .map(|delivered| delivered.pieces)
    };
    let pieces = answered(b"label", &sealed).unwrap();
    assert_eq!(pieces, [&b"head"[..], b"document", b"tail"]);
    assert_eq!(answered(b"other", &sealed), Err(VaultError::Integrity));
    assert_eq!(answered(b"label", &changed), Err(VaultError::Integrity));
    assert_eq!(answered(b"label", &sealed[..10]), Err(VaultError::Malformed));
}
