//! The evidence of one exchange (ledger.md §5; vocabulary of ETSI EN 319 522 and ISO 13888).
//!
//! 1. B signs a [`RequestStatement`]: NRO of the request.
//! 2. A signs a [`JointStatement`] that holds its digest: NRR of the request and NRO of the answer.
//! 3. B adds its signature to the same statement: NRR of the answer.
//!
//! The result is one `COSE_Sign` with two signatures, the same bytes in both countries.

use coset::{CborSerializable as _, CoseSign, CoseSign1};
use exchange::{Country, Transaction, TransactionId};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use trust::certificate::{Anchors, Certificate, Usage};
use trust::chain::Chain;
use trust::cose;
use trust::seal::SealKey;

use crate::commitment::{Bytes32, Commitments};
use crate::form;

/// Why evidence is not accepted. Usually the peer's fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EvidenceError {
    /// Not a statement of ours.
    #[error("evidence is malformed")]
    Malformed,
    /// A signature is missing or wrong.
    #[error("evidence signature: {0}")]
    Signature(#[from] cose::CoseError),
    /// The seal certificate is of another country, leads to no root, or was revoked.
    #[error(
        "evidence is signed by the wrong country, or by a seal that leads to no root or was revoked"
    )]
    Signer,
    /// It speaks of another exchange.
    #[error("evidence is about another exchange")]
    Mismatch,
}

/// What B says when it asks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RequestStatement {
    /// `konfido-request/1`.
    pub form: String,
    /// Exchange number, hexadecimal.
    pub txid: String,
    /// `ITI-39` …
    pub transaction: String,
    /// Country of treatment.
    pub requester: Country,
    /// Country of affiliation.
    pub provider: Country,
    /// Commitments of the request.
    pub commitments: Commitments,
}

/// What A answers and B confirms.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct JointStatement {
    /// `konfido-exchange/1`.
    pub form: String,
    /// Exchange number, hexadecimal.
    pub txid: String,
    /// `ITI-39` …
    pub transaction: String,
    /// Country of treatment.
    pub requester: Country,
    /// Country of affiliation.
    pub provider: Country,
    /// SHA-256 of the signed request statement; absent when the requester has no KONFIDO.
    pub request: Option<Bytes32>,
    /// Commitments of the request.
    pub asked: Commitments,
    /// Commitments of the answer; empty on one-sided evidence of a request.
    pub answered: Commitments,
    /// `answered`, the eHDSI code of the refusal, or [`NO_ANSWER`].
    pub outcome: String,
}

/// A verified request statement with the bytes that were signed.
#[derive(Debug, Clone)]
pub struct Asked {
    /// What was said.
    pub statement: RequestStatement,
    /// SHA-256 of the signed bytes.
    pub digest: [u8; 32],
}

/// A joint statement with the provider's verified signature.
#[derive(Debug, Clone)]
pub struct Answered {
    statement: JointStatement,
    message: CoseSign,
    provider: Certificate,
}

/// Evidence that is ready for the log: double-signed, or one-sided for a peer without KONFIDO.
#[derive(Debug, Clone)]
pub struct Settled {
    /// What was agreed.
    pub statement: JointStatement,
    /// `COSE_Sign`.
    pub signed: Vec<u8>,
    /// How many countries signed: 2, or 1.
    pub signatures: u8,
}

impl RequestStatement {
    /// A statement about one exchange.
    pub fn new(
        txid: TransactionId,
        transaction: Transaction,
        requester: Country,
        provider: Country,
        commitments: Commitments,
    ) -> Self {
        let (form, transaction) = (REQUEST.to_owned(), transaction.iti().to_owned());
        Self { form, txid: txid.to_string(), transaction, requester, provider, commitments }
    }

    /// Signs it: NRO of the request.
    pub fn sign(&self, key: &SealKey) -> Result<Vec<u8>, EvidenceError> {
        Ok(cose::sign1(key, &encode(self)?, REQUEST.as_bytes())?)
    }

    /// Verifies a signed statement by this certificate, whose country must be the requester.
    pub fn verify(
        signed: &[u8],
        certificate: &Certificate,
        anchors: &Anchors,
        at: Timestamp,
    ) -> Result<Asked, EvidenceError> {
        Self::verify_chained(signed, &certificate.into(), anchors, at)
    }

    /// [`RequestStatement::verify`] for a seal certificate that reaches its root over others.
    pub fn verify_chained(
        signed: &[u8],
        chain: &Chain,
        anchors: &Anchors,
        at: Timestamp,
    ) -> Result<Asked, EvidenceError> {
        let message = form::exact_sign1(signed).ok_or(EvidenceError::Malformed)?;
        let payload = cose::verify_read1(&message, REQUEST.as_bytes(), chain.leaf())?;
        let statement: Self = decode(payload)?;
        check_signer(chain, statement.requester, anchors, at)?;
        if statement.form != REQUEST || !statement.is_in_form() {
            return Err(EvidenceError::Malformed);
        }
        Ok(Asked { statement, digest: sha256(signed) })
    }
}

impl JointStatement {
    /// The provider's statement about what it was asked and answers.
    pub fn answer(asked: &Asked, answered: Commitments, outcome: &str) -> Self {
        Self {
            form: EXCHANGE.to_owned(),
            txid: asked.statement.txid.clone(),
            transaction: asked.statement.transaction.clone(),
            requester: asked.statement.requester,
            provider: asked.statement.provider,
            request: Some(Bytes32(asked.digest)),
            asked: asked.statement.commitments.clone(),
            answered,
            outcome: form::outcome(outcome),
        }
    }

    /// A statement that only we sign, because the peer has no KONFIDO.
    pub fn one_sided(request: &RequestStatement, answered: Commitments, outcome: &str) -> Self {
        Self {
            form: EXCHANGE.to_owned(),
            txid: request.txid.clone(),
            transaction: request.transaction.clone(),
            requester: request.requester,
            provider: request.provider,
            request: None,
            asked: request.commitments.clone(),
            answered,
            outcome: form::outcome(outcome),
        }
    }

    /// What remains to be said when the deadline has passed over a request without an answer: by the
    /// requester that it got none, by the provider that it was asked and gave none. `request` is
    /// the signed request as our own journal keeps it.
    pub fn unanswered(request: &[u8]) -> Result<Self, EvidenceError> {
        let message = CoseSign1::from_slice(request).map_err(|_| EvidenceError::Malformed)?;
        let statement = decode(&message.payload.unwrap_or_default())?;
        let asked = Asked { statement, digest: sha256(request) };
        let joint = Self::answer(&asked, Commitments::default(), NO_ANSWER);
        Ok(Self { outcome: NO_ANSWER.to_owned(), ..joint })
    }

    /// The same about a country without KONFIDO, which signs nothing.
    pub fn unanswered_alone(request: &RequestStatement) -> Self {
        let joint = Self::one_sided(request, Commitments::default(), NO_ANSWER);
        Self { outcome: NO_ANSWER.to_owned(), ..joint }
    }

    /// Whether it says that no answer was given.
    pub fn is_unanswered(&self) -> bool {
        self.outcome == NO_ANSWER
    }

    /// Signs it as the first: NRO of the answer and NRR of the request.
    pub fn sign(&self, key: &SealKey) -> Result<Vec<u8>, EvidenceError> {
        Ok(cose::sign(key, &encode(self)?, EXCHANGE.as_bytes())?)
    }

    /// Signs it alone.
    pub fn settle_alone(self, key: &SealKey) -> Result<Settled, EvidenceError> {
        let signed = self.sign(key)?;
        Ok(Settled { statement: self, signed, signatures: 1 })
    }
}

impl Answered {
    /// Verifies the provider's signature and that it answers this very request of ours.
    pub fn verify(
        signed: &[u8],
        provider: &Certificate,
        ours: &RequestStatement,
        request_digest: [u8; 32],
        anchors: &Anchors,
        at: Timestamp,
    ) -> Result<Self, EvidenceError> {
        Self::verify_chained(signed, &provider.into(), ours, request_digest, anchors, at)
    }

    /// [`Answered::verify`] for a seal certificate that reaches its root over others.
    pub fn verify_chained(
        signed: &[u8],
        provider: &Chain,
        ours: &RequestStatement,
        request_digest: [u8; 32],
        anchors: &Anchors,
        at: Timestamp,
    ) -> Result<Self, EvidenceError> {
        let message = form::exact_sign(signed).ok_or(EvidenceError::Malformed)?;
        let statement = open(&message, &[provider.leaf()])?;
        check_signer(provider, ours.provider, anchors, at)?;
        let fits = statement.txid == ours.txid
            && statement.transaction == ours.transaction
            && (statement.requester, statement.provider) == (ours.requester, ours.provider)
            && statement.request == Some(Bytes32(request_digest))
            && statement.asked == ours.commitments
            && !statement.is_unanswered();
        if !fits {
            return Err(EvidenceError::Mismatch);
        }
        Ok(Self { statement, message, provider: provider.leaf().clone() })
    }

    /// What the provider answered.
    pub fn statement(&self) -> &JointStatement {
        &self.statement
    }

    /// The provider's seal certificate.
    pub fn provider(&self) -> &Certificate {
        &self.provider
    }

    /// Adds our signature: NRR of the answer. Both countries' evidence is now complete.
    pub fn countersign(self, key: &SealKey) -> Result<Settled, EvidenceError> {
        let signed = cose::add_to_read(self.message, key, EXCHANGE.as_bytes())?;
        Ok(Settled { statement: self.statement, signed, signatures: 2 })
    }
}

impl Settled {
    /// Verifies a settled record: both signatures, or the one of a one-sided record.
    pub fn verify(
        signed: &[u8],
        certificates: &[&Certificate],
        anchors: &Anchors,
        at: Timestamp,
    ) -> Result<Self, EvidenceError> {
        Self::verify_chained(signed, certificates, &[], anchors, at)
    }

    /// [`Settled::verify`] for seal certificates that reach their root over `intermediates`.
    pub fn verify_chained(
        signed: &[u8],
        certificates: &[&Certificate],
        intermediates: &[Certificate],
        anchors: &Anchors,
        at: Timestamp,
    ) -> Result<Self, EvidenceError> {
        let message = form::exact_sign(signed).ok_or(EvidenceError::Malformed)?;
        let statement = open(&message, certificates)?;
        let countries: Vec<_> = certificates.iter().map(|c| c.country()).collect();
        let (requester, provider) = (Some(statement.requester), Some(statement.provider));
        let bilateral = statement.request.is_some();
        let unanswered = statement.is_unanswered();
        match countries.as_slice() {
            [only] if *only == provider => {}
            [only] if *only == requester && (!bilateral || unanswered) => {}
            // nobody is asked to sign that there was no answer, so two signatures were put together
            [first, second]
                if bilateral && !unanswered && *first == provider && *second == requester => {}
            _ => return Err(EvidenceError::Signer),
        }
        for certificate in certificates {
            let path = anchors.verify(certificate, intermediates, Usage::Seal, at);
            path.map_err(|_| EvidenceError::Signer)?;
        }
        let signatures = u8::try_from(certificates.len()).map_err(|_| EvidenceError::Malformed)?;
        Ok(Self { statement, signed: signed.to_vec(), signatures })
    }
}

impl Settled {
    /// The requester's receipt for an answer that we signed: `signed` must be `ours`, byte for byte,
    /// with one signature more, by this requester. Our own signature is compared, not verified
    /// again, so that a receipt still fits after our seal was renewed.
    pub fn complete(
        ours: &[u8],
        signed: &[u8],
        requester: &Chain,
        anchors: &Anchors,
        at: Timestamp,
    ) -> Result<Self, EvidenceError> {
        let read = |bytes: &[u8]| form::exact_sign(bytes).ok_or(EvidenceError::Malformed);
        let (mut receipt, ours) = (read(signed)?, read(ours)?);
        if receipt.signatures.len() != 2 || ours.signatures.len() != 1 {
            return Err(EvidenceError::Malformed);
        }
        let added = receipt.signatures.pop().ok_or(EvidenceError::Malformed)?;
        if receipt != ours {
            return Err(EvidenceError::Mismatch);
        }
        let alone = CoseSign { signatures: vec![added], ..receipt };
        let statement = open(&alone, &[requester.leaf()])?;
        check_signer(requester, statement.requester, anchors, at)?;
        if statement.request.is_none() || statement.is_unanswered() {
            return Err(EvidenceError::Mismatch);
        }
        Ok(Self { statement, signed: signed.to_vec(), signatures: 2 })
    }
}

/// Verifies the signatures and the form of a joint statement, by all of these and nobody else.
fn open(
    message: &CoseSign,
    certificates: &[&Certificate],
) -> Result<JointStatement, EvidenceError> {
    let payload = cose::verify_read(message, EXCHANGE.as_bytes(), certificates)?;
    read_joint(payload).ok_or(EvidenceError::Malformed)
}

fn check_signer(
    chain: &Chain,
    country: Country,
    anchors: &Anchors,
    at: Timestamp,
) -> Result<(), EvidenceError> {
    let leads = chain.verify(anchors, Usage::Seal, at).is_ok();
    if leads && chain.leaf().country() == Some(country) {
        Ok(())
    } else {
        Err(EvidenceError::Signer)
    }
}

pub(crate) fn encode(statement: &impl Serialize) -> Result<Vec<u8>, EvidenceError> {
    let mut out = Vec::with_capacity(512);
    ciborium::into_writer(statement, &mut out).map_err(|_| EvidenceError::Malformed)?;
    Ok(out)
}

pub(crate) fn decode<T: for<'de> Deserialize<'de> + Serialize>(
    payload: &[u8],
) -> Result<T, EvidenceError> {
    let statement: T = ciborium::from_reader(payload).map_err(|_| EvidenceError::Malformed)?;
    // one statement, one encoding: no trailing bytes, no unknown fields, no other order
    if encode(&statement)? == payload { Ok(statement) } else { Err(EvidenceError::Malformed) }
}

/// A joint statement in form, by nobody yet.
pub(crate) fn read_joint(payload: &[u8]) -> Option<JointStatement> {
    let statement: JointStatement = decode(payload).ok()?;
    (statement.form == EXCHANGE && statement.is_in_form()).then_some(statement)
}

/// The statement inside a `COSE_Sign`, without looking at its signatures: to see whether two
/// messages are about the same statement.
pub fn payload(signed: &[u8]) -> Option<Vec<u8>> {
    cose::payload(signed)
}

/// What a signed statement says of the outcome. Its signatures are not looked at.
pub fn outcome_of(signed: &[u8]) -> Option<String> {
    decode::<JointStatement>(&payload(signed)?).ok().map(|statement| statement.outcome)
}

/// SHA-256.
pub fn sha256(bytes: &[u8]) -> [u8; 32] {
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, bytes);
    digest.as_ref().try_into().expect("because SHA-256 has 32 bytes")
}

#[cfg(test)]
mod tests;

/// Outcome of an exchange whose deadline passed without an answer.
pub const NO_ANSWER: &str = "no-answer";
const REQUEST: &str = "konfido-request/1";
/// Form of a [`JointStatement`], and what is signed with it.
pub(crate) const EXCHANGE: &str = "konfido-exchange/1";
