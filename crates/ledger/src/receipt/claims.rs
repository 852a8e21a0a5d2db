//! What receipts of both formats claim of an exchange: who signed, and the fields that are shown.

use jiff::Timestamp;
use trust::certificate::{Anchors, Certificate};

use super::{Disclosure, ReceiptError, Report, decode, malformed};
use crate::commitment::{Field, commitment};
use crate::evidence::Settled;
use crate::form;

/// The certificates of a receipt.
pub(crate) fn certificates(pems: &[String]) -> Result<Vec<Certificate>, ReceiptError> {
    let mut certificates = Vec::new();
    for pem in pems {
        let parsed = Certificate::from_pem(pem.as_bytes());
        certificates.extend(parsed.map_err(|e| ReceiptError::Malformed(e.to_string()))?);
    }
    Ok(certificates)
}

/// The signatures of the countries; signers stand before what lies between them and their roots.
pub(crate) fn check_statement(
    certificates: &[Certificate],
    time: Timestamp,
    signed: &[u8],
    anchors: &Anchors,
    report: &mut Report,
) -> Result<Settled, ReceiptError> {
    let count =
        form::signatures(signed).ok_or_else(|| malformed("the statement is not a COSE_Sign"))?;
    let (signers, intermediates) = certificates
        .split_at_checked(count)
        .ok_or_else(|| malformed("a certificate is missing"))?;
    let signers: Vec<&Certificate> = signers.iter().collect();
    let settled = Settled::verify_chained(signed, &signers, intermediates, anchors, time)?;
    let statement = &settled.statement;
    report.add("exchange", statement.txid.clone());
    report.add("transaction", statement.transaction.clone());
    report.add("countries", format!("{} asked {}", statement.requester, statement.provider));
    report.add("outcome", statement.outcome.clone());
    report.add("time", format!("{time}, as the exporting node states"));
    signers.iter().for_each(|signer| report.add("signed by", signer.subject()));
    let note = match (settled.signatures, statement.request.is_some()) {
        (1, _) if statement.is_unanswered() => "one-sided: by its deadline there was no answer",
        (1, false) => "one-sided: the other country has no KONFIDO",
        (1, true) => "one-sided: the requester's receipt is missing",
        _ => return Ok(settled),
    };
    report.add("note", note.to_owned());
    Ok(settled)
}

/// The shown fields are those that the countries committed to.
pub(crate) fn check_disclosed(
    disclosed: &[Disclosure],
    settled: &Settled,
    report: &mut Report,
) -> Result<(), ReceiptError> {
    for shown in disclosed {
        let wrong = || ReceiptError::Disclosure(shown.field.clone());
        let field = Field::of(&shown.field).ok_or_else(wrong)?;
        let salt: [u8; 32] = decode(&shown.salt)?.try_into().map_err(|_| wrong())?;
        let expected = [&settled.statement.asked, &settled.statement.answered]
            .into_iter()
            .find_map(|c| c.0.get(field.name()))
            .ok_or_else(wrong)?;
        if expected.0 != commitment(field, &salt, &shown.value) {
            return Err(wrong());
        }
        report.add(field.name(), shown.value.clone());
    }
    Ok(())
}
