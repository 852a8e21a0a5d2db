//! Evidence by the TPM about a key statement, as peers verify it.

use enclave::Attester as _;
use enclave::attest::{AssuranceClass, Collateral, Kind, Reason, Roots, verify};
use enclave::tpm::Quotes;
use jiff::Timestamp;

use super::Stand;

#[test]
fn a_quote_about_a_key_statement_verifies_under_the_registered_key_only() {
    let stand = Stand::new(&[]);
    let quotes = Quotes { tcti: stand.tpm.tcti(), pcrs: vec![0, 7, 16] };
    let report_data: [u8; 64] = std::array::from_fn(|at| at as u8);
    let evidence = quotes.attest(&report_data).unwrap();
    let key = quotes.key().unwrap();
    assert_eq!((key.len(), quotes.key().unwrap()), (65, key.clone()), "the same each time");
    let roots = |key: &[u8]| Roots { tpm: vec![key.to_vec()], ..Roots::pinned() };
    let now = Timestamp::now();
    let verified = verify(&evidence, &Collateral::None, &roots(&key), now).unwrap();
    let claims = verified.claims();
    assert_eq!((claims.kind, claims.kind.class()), (Kind::Tpm, AssuranceClass::Tpm));
    assert_eq!(claims.report_data, report_data[..32], "what a TPM has room for");
    let before = claims.measurements["pcrdigest"].clone();

    let mut other = key.clone();
    other[40] ^= 1;
    let refused = verify(&evidence, &Collateral::None, &roots(&other), now).err().unwrap();
    assert_eq!(refused.reason, Reason::Chain, "nobody registered it");
    stand.tpm.extend(16);
    let evidence = quotes.attest(&report_data).unwrap();
    let verified = verify(&evidence, &Collateral::None, &roots(&key), now).unwrap();
    assert_ne!(verified.claims().measurements["pcrdigest"], before, "something else was measured");
}
