//! AMD's revocation lists (RFC 5280 §5): the root's names withdrawn intermediates.

use jiff::Timestamp;
use x509_cert::crl::CertificateList;
use x509_cert::der::{Decode, Encode};

use super::chain::{Authority, Endorsement, RSA_PSS, first_inner, time};
use crate::attest::claims::Revocation;
use crate::attest::reason::{Reason, Refusal};

/// Looks for the intermediate in the root's lists, and for the chip's key in the intermediate's.
/// Every list that was brought must hold, whoever's it is. Gives when the first of them ends.
pub(super) fn check(
    lists: &[Vec<u8>],
    endorsement: &Endorsement,
    now: Timestamp,
) -> Result<(Revocation, Timestamp), Refusal> {
    let (mut of_root, mut until) = (false, Timestamp::MAX);
    for der in lists {
        let untrusted = |what: &str| Refusal::new(Reason::RevocationList, what);
        let list: CertificateList =
            CertificateList::from_der(der).map_err(|e| untrusted(&e.to_string()))?;
        let issuer = list.tbs_cert_list.issuer.to_der().map_err(|_| untrusted("issuer"))?;
        let (authority, serial) = if issuer == endorsement.ark.name {
            of_root = true;
            (&endorsement.ark, &endorsement.intermediate.serial)
        } else if issuer == endorsement.intermediate.name {
            (&endorsement.intermediate, &endorsement.leaf_serial)
        } else {
            return Err(untrusted("of another authority"));
        };
        verify(&list, der, authority)?;
        let next = list.tbs_cert_list.next_update.ok_or_else(|| untrusted("without an end"))?;
        let next = time(next)?;
        if now < time(list.tbs_cert_list.this_update)? || now >= next {
            return Err(Reason::RevocationListTime.into());
        }
        let revoked = list.tbs_cert_list.revoked_certificates.iter().flatten();
        if revoked.into_iter().any(|row| row.serial_number.as_bytes() == serial.as_slice()) {
            return Err(Reason::Revoked.into());
        }
        until = until.min(next);
    }
    Ok((if of_root { Revocation::Checked } else { Revocation::NotChecked }, until))
}

fn verify(list: &CertificateList, der: &[u8], authority: &Authority) -> Result<(), Refusal> {
    let untrusted = |what: &str| Refusal::new(Reason::RevocationList, what);
    if list.signature_algorithm.oid != RSA_PSS
        || list.signature_algorithm != list.tbs_cert_list.signature
    {
        return Err(untrusted("signed in another way than AMD signs"));
    }
    // delta lists and partial lists say so in critical extensions, and we read neither
    let extensions = list.tbs_cert_list.crl_extensions.iter().flatten();
    let entries = list.tbs_cert_list.revoked_certificates.iter().flatten();
    let entries = entries.flat_map(|row| row.crl_entry_extensions.iter().flatten());
    if extensions.chain(entries).any(|extension| extension.critical) {
        return Err(untrusted("a critical extension is not understood"));
    }
    let tbs = first_inner(der).ok_or_else(|| untrusted("malformed"))?;
    let signature = list.signature.as_bytes().ok_or_else(|| untrusted("malformed"))?;
    if authority.signed(tbs, signature) { Ok(()) } else { Err(untrusted("not signed")) }
}
