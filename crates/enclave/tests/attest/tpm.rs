//! A TPM's quote: signed by a registered key, and never hardware that keeps a host out.

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
use ciborium::Value;
use enclave::attest::{AssuranceClass, Collateral, Evidence, Kind, Roots};

use crate::samples::{check, verdict};

const NOW: &str = "2026-11-21T00:00:00Z";

fn attest() -> Vec<u8> {
    let mut out = vec![0xff, 0x54, 0x43, 0x47, 0x80, 0x18, 0, 2, 1, 1, 0, 32];
    out.extend([5; 32]);
    out.extend([0; 17]);
    out.extend(9_u64.to_be_bytes());
    out.extend([0, 0, 0, 1, 0, 0x0b, 3, 1, 0, 0, 0, 32]);
    out.extend([6; 32]);
    out
}

fn quote(key: &EcdsaKeyPair, attest: &[u8]) -> Vec<u8> {
    let signature = key.sign(&SystemRandom::new(), attest).unwrap();
    let mut out = Vec::new();
    let value = Value::Array(vec![
        Value::Integer(1.into()),
        Value::Bytes(attest.to_vec()),
        Value::Bytes(signature.as_ref().to_vec()),
        Value::Bytes(key.public_key().as_ref().to_vec()),
    ]);
    ciborium::into_writer(&value, &mut out).unwrap();
    out
}

#[test]
fn a_quote_holds_by_a_registered_key_only() {
    let key = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
    let mut roots = Roots::pinned();
    let none = Collateral::None;
    let good = quote(&key, &attest());
    assert_eq!(Evidence::guess(&good), Some(Kind::Tpm));
    let stranger = check(Kind::Tpm, &good, &none, &roots, NOW);
    assert_eq!(verdict(&stranger), "chain.untrusted");
    roots.tpm = vec![key.public_key().as_ref().to_vec()];
    let verified = check(Kind::Tpm, &good, &none, &roots, NOW).unwrap();
    let claims = verified.claims();
    assert_eq!(claims.report_data, [5; 32]);
    assert_eq!(claims.measurements["pcrdigest"], [6; 32]);
    assert_eq!(claims.measurements["pcrselection"], [0, 0, 0, 1, 0, 0x0b, 3, 1, 0, 0]);
    assert_eq!(claims.tcb.svn["firmware"], 9);
    assert_eq!(claims.kind.class(), AssuranceClass::Tpm);

    let said = |blob: &[u8]| verdict(&check(Kind::Tpm, blob, &none, &roots, NOW));
    let mut changed = good.clone();
    let at = changed.windows(32).position(|window| window == [6; 32]).unwrap();
    changed[at] ^= 1;
    assert_eq!(said(&changed), "attest.signature");
    for (at, what) in [(0, "not made by a TPM"), (5, "another structure"), (7, "longer name")] {
        let mut other = attest();
        other[at] ^= 1;
        assert_eq!(said(&quote(&key, &other)), "attest.malformed", "{what}");
    }
    let longer = [attest(), vec![0]].concat();
    assert_eq!(said(&quote(&key, &longer)), "attest.malformed", "bytes behind it");
    assert_eq!(said(&good[..good.len() - 1]), "attest.malformed");
}
