//! Why evidence is not believed: one table of stable codes for people, the SIEM and tests.

use std::fmt;

/// One reason. Its code is stable: operators' rules and other countries' tests hang on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Reason {
    /// Longer than the parser takes.
    TooLarge,
    /// Not of the form that its kind has.
    Malformed,
    /// A version that we do not verify.
    Version,
    /// A signature algorithm or key type that we do not verify.
    Algorithm,
    /// Nothing that verifies this kind of evidence was brought.
    CollateralMissing,
    /// The collateral is not of the form that it has.
    CollateralMalformed,
    /// The collateral is of another kind or processor than the evidence.
    CollateralMismatch,
    /// A signed part of the collateral was changed.
    CollateralSignature,
    /// The collateral is older than its own date allows.
    CollateralExpired,
    /// The collateral is of the future.
    CollateralEarly,
    /// A certificate chain does not lead to the pinned root.
    Chain,
    /// A certificate is not valid at this time.
    CertificateTime,
    /// A revocation list is malformed, unsigned or of another authority.
    RevocationList,
    /// A revocation list is not valid at this time.
    RevocationListTime,
    /// A certificate is revoked.
    Revoked,
    /// The evidence itself was changed.
    Signature,
    /// The quoting enclave is not one of the vendor's.
    QuotingEnclave,
    /// The machine's firmware matches no level that the vendor knows.
    TcbUnknown,
    /// The vendor has withdrawn trust in this firmware.
    TcbRevoked,
    /// The firmware that the certificate speaks of is not the report's.
    TcbMismatch,
    /// The certificate is of another chip.
    ChipMismatch,
    /// The certificate is of another product.
    ProductMismatch,
    /// A field that must be zero is not.
    Reserved,
    /// The report was asked for by software in a guest that is not at the highest privilege.
    Vmpl,
    /// An attribute that weakens the isolation is set.
    Attributes,
    /// The TDX module is not the vendor's.
    Module,
    /// The event log is not of the form that it has, or came with evidence that has none.
    EventLogMalformed,
    /// The event log is longer, or has more events, than the parser takes.
    EventLogTooLarge,
    /// The event log is not of this boot: it does not give the quote's registers.
    EventLogMismatch,
    /// The policy is not of the form that it has.
    PolicyMalformed,
    /// Too few of the release keys signed the policy.
    PolicyQuorum,
    /// The policy is not valid at this time.
    PolicyTime,
    /// A newer policy was seen before.
    PolicyRollback,
    /// Evidence of this kind is not in the policy.
    Kind,
    /// The machine or the enclave may be debugged.
    Debug,
    /// The guest may be moved to another machine by its host.
    Migration,
    /// The evidence speaks of another key.
    ReportData,
    /// The program is not on the list of released ones.
    Measurement,
    /// The policy names events, and no event log came along.
    EventLogMissing,
    /// Something else was measured than the events that the policy names.
    Events,
    /// The firmware's state is not one that the policy takes.
    TcbStatus,
    /// The firmware's state was taken for some days only, and they are over.
    Grace,
    /// The firmware is below the policy's floor, or there is no floor for it.
    TcbFloor,
    /// The collateral is of an evaluation before the policy's.
    Evaluation,
    /// A security advisory that the policy refuses is open.
    Advisory,
    /// No revocation list was looked at.
    RevocationUnknown,
    /// The country has no entry in the policy.
    Country,
    /// The machine is not one of the country's registered ones.
    Platform,
    /// The machine's processors may be exchanged, and the policy does not take that of this country.
    DynamicPlatform,
    /// The class of assurance is below what documents of this class need.
    Assurance,
    /// No rule for documents of this class.
    DocumentClass,
    /// The evidence has run out since it was appraised.
    Expired,
}

/// (reason, code, what it says)
static TABLE: &[(Reason, &str, &str)] = &[
    (Reason::TooLarge, "attest.too-large", "longer than any sound one"),
    (Reason::Malformed, "attest.malformed", "not of the form that its kind has"),
    (Reason::Version, "attest.version", "of a version that is not verified"),
    (Reason::Algorithm, "attest.algorithm", "signed in a way that is not verified"),
    (Reason::CollateralMissing, "collateral.missing", "nothing to verify it with"),
    (Reason::CollateralMalformed, "collateral.malformed", "collateral is malformed"),
    (Reason::CollateralMismatch, "collateral.mismatch", "collateral is for another platform"),
    (Reason::CollateralSignature, "collateral.signature", "collateral was changed"),
    (Reason::CollateralExpired, "collateral.expired", "collateral has expired"),
    (Reason::CollateralEarly, "collateral.early", "collateral is not valid yet"),
    (Reason::Chain, "chain.untrusted", "no certificate path to the pinned root"),
    (Reason::CertificateTime, "chain.time", "a certificate is not valid at this time"),
    (Reason::RevocationList, "crl.untrusted", "a revocation list cannot be believed"),
    (Reason::RevocationListTime, "crl.time", "a revocation list is not valid at this time"),
    (Reason::Revoked, "chain.revoked", "a certificate is revoked"),
    (Reason::Signature, "attest.signature", "the evidence was changed"),
    (Reason::QuotingEnclave, "attest.quoting-enclave", "the quoting enclave is not the vendor's"),
    (Reason::TcbUnknown, "tcb.unknown", "firmware matches no level that the vendor knows"),
    (Reason::TcbRevoked, "tcb.revoked", "the vendor has withdrawn trust in this firmware"),
    (Reason::TcbMismatch, "tcb.mismatch", "certificate and report speak of different firmware"),
    (Reason::ChipMismatch, "chip.mismatch", "the certificate is of another chip"),
    (Reason::ProductMismatch, "product.mismatch", "the certificate is of another product"),
    (Reason::Reserved, "attest.reserved", "a reserved field is not zero"),
    (Reason::Vmpl, "attest.vmpl", "not asked for at the guest's highest privilege"),
    (Reason::Attributes, "attest.attributes", "an attribute weakens the isolation"),
    (Reason::Module, "attest.module", "the TDX module is not the vendor's"),
    (Reason::EventLogMalformed, "event-log.malformed", "the event log is malformed"),
    (Reason::EventLogTooLarge, "event-log.too-large", "the event log is longer than any sound one"),
    (Reason::EventLogMismatch, "event-log.mismatch", "the event log does not give the registers"),
    (Reason::PolicyMalformed, "policy.malformed", "the policy cannot be read"),
    (Reason::PolicyQuorum, "policy.quorum", "too few release keys signed the policy"),
    (Reason::PolicyTime, "policy.time", "the policy is not valid at this time"),
    (Reason::PolicyRollback, "policy.rollback", "a newer policy was in force before"),
    (Reason::Kind, "policy.kind", "evidence of this kind is not taken"),
    (Reason::Debug, "policy.debug", "the program can be debugged by its host"),
    (Reason::Migration, "policy.migration", "the guest can be moved by its host"),
    (Reason::ReportData, "policy.report-data", "the evidence is not about this key"),
    (Reason::Measurement, "policy.measurement", "the program is not a released one"),
    (Reason::EventLogMissing, "policy.event-log", "no event log to find the named events in"),
    (Reason::Events, "policy.events", "something else was started than what is released"),
    (Reason::TcbStatus, "policy.tcb-status", "the firmware's state is not taken"),
    (Reason::Grace, "policy.grace", "the days of grace for this firmware are over"),
    (Reason::TcbFloor, "policy.tcb-floor", "the firmware is below the floor"),
    (Reason::Evaluation, "policy.evaluation", "the collateral is of too old an evaluation"),
    (Reason::Advisory, "policy.advisory", "a refused security advisory is open"),
    (Reason::RevocationUnknown, "policy.revocation-unknown", "no revocation list was looked at"),
    (Reason::Country, "policy.country", "the country has no entry"),
    (Reason::Platform, "policy.platform", "the machine is not a registered one"),
    (Reason::DynamicPlatform, "policy.dynamic-platform", "the machine's processors may change"),
    (Reason::Assurance, "policy.assurance", "the class of assurance is too low"),
    (Reason::DocumentClass, "policy.document-class", "no rule for documents of this class"),
    (Reason::Expired, "attest.expired", "the evidence has run out"),
];

impl Reason {
    /// The stable code, for machines: `policy.measurement`.
    pub fn code(self) -> &'static str {
        self.row().1
    }

    /// What it says, for people.
    pub fn text(self) -> &'static str {
        self.row().2
    }

    /// All of them, in the table's order.
    pub fn all() -> impl Iterator<Item = Self> {
        TABLE.iter().map(|row| row.0)
    }

    fn row(self) -> &'static (Self, &'static str, &'static str) {
        TABLE.iter().find(|row| row.0 == self).expect("because a test finds each in the table")
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

/// Evidence or a policy that was refused: the reason, and the detail for the log.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}: {}{}{detail}", reason.code(), reason.text(), if detail.is_empty() { "" } else { ": " })]
pub struct Refusal {
    /// The stable reason.
    pub reason: Reason,
    /// What exactly, for the log: never a secret, never personal data.
    pub detail: String,
}

impl Refusal {
    pub(crate) fn new(reason: Reason, detail: impl Into<String>) -> Self {
        Self { reason, detail: detail.into() }
    }
}

impl From<Reason> for Refusal {
    fn from(reason: Reason) -> Self {
        Self { reason, detail: String::new() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_is_the_code_of_the_event_that_it_makes() {
        for reason in Reason::all() {
            assert_eq!(crate::VaultError::Evidence(reason).code(), reason.code());
        }
    }

    #[test]
    fn every_reason_has_one_row_and_every_code_one_reason() {
        // the last variant's number tells how many there are
        assert_eq!(TABLE.len(), Reason::Expired as usize + 1);
        for (number, row) in TABLE.iter().enumerate() {
            assert_eq!(row.0 as usize, number, "{:?} is out of order", row.0);
            let same = TABLE.iter().filter(|other| other.1 == row.1).count();
            assert_eq!(same, 1, "{}", row.1);
        }
    }
}
