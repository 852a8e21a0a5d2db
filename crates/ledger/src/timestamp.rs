//! Time-stamps of checkpoints (RFC 3161, RFC 5816): that the members' signatures were there at a time,
//! by the word of somebody who is no member.
//!
//! What is stamped is the SHA-256 of the signed checkpoint as it stands in a proof: text, empty line
//! and every signature line ([`imprint`]). So a reader in thirty years, who no longer believes
//! Ed25519, knows that these very signatures are older than that doubt. Here are bytes and verdicts;
//! the HTTP POST (RFC 3161 §3.4, `application/timestamp-query`) is its caller's.

mod der;
mod info;
mod names;
mod token;

use exchange::Entropy;
use jiff::Timestamp;

use crate::evidence::sha256;
use der::{SEQUENCE, tlv};

pub use token::TimeStampToken;

/// What a time-stamp of a checkpoint is made over: SHA-256 of the signed note, as it is written.
pub fn imprint(signed_checkpoint: &str) -> [u8; 32] {
    sha256(signed_checkpoint.as_bytes())
}

/// A request for a time-stamp (RFC 3161 §2.4.1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TimeStampRequest {
    imprint: [u8; 32],
    nonce: [u8; 16],
}

/// What a time-stamp says, verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stamped {
    /// When.
    pub time: Timestamp,
    /// Under which policy of the authority, dotted.
    pub policy: String,
    /// Number of the stamp, hexadecimal.
    pub serial: String,
    /// Whose certificate signed.
    pub authority: String,
}

/// What a reader expects of a stamp beside its imprint.
#[derive(Debug, Clone, Copy, Default)]
pub struct Expected<'e> {
    /// The request that it answers; `None` for a stamp out of an archive.
    pub request: Option<&'e TimeStampRequest>,
    /// The authority's policy, dotted; `None` for any.
    pub policy: Option<&'e str>,
}

/// Why a time-stamp is not believed, or was not given. Usually the authority's fault.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TimeStampError {
    /// Not of the form.
    #[error("time-stamp is malformed: {0}")]
    Malformed(&'static str),
    /// The authority gave none.
    #[error("the time-stamping authority refused: status {0}")]
    Refused(u32),
    /// It is over something else.
    #[error("time-stamp is over other bytes")]
    Imprint,
    /// It answers another request.
    #[error("time-stamp answers another request: its nonce differs")]
    Nonce,
    /// Another policy than expected.
    #[error("time-stamp is of the policy {0}, which is not the expected one")]
    Policy(String),
    /// What is signed, by whom, or the signature itself.
    #[error("time-stamp signature: {0}")]
    Signature(&'static str),
    /// The authority's certificate may not sign time-stamps, or leads to no root of the reader's.
    #[error("time-stamping certificate: {0}")]
    Certificate(String),
}

impl TimeStampRequest {
    /// Asks for a stamp over these bytes' digest.
    pub fn new(imprint: [u8; 32], entropy: &dyn Entropy) -> Self {
        let mut nonce = [0; 16];
        entropy.fill(&mut nonce);
        // a positive number of one length
        nonce[0] = nonce[0] & 0x7f | 0x40;
        Self { imprint, nonce }
    }

    /// `TimeStampReq`, to be posted as `application/timestamp-query`; it asks for the certificates.
    pub fn encode(&self) -> Vec<u8> {
        let imprint = tlv(SEQUENCE, &[SHA256_ALGORITHM, &tlv(der::OCTET_STRING, &[&self.imprint])]);
        let nonce = tlv(der::INTEGER, &[&self.nonce]);
        tlv(SEQUENCE, &[VERSION_1, &imprint, &nonce, TRUE])
    }

    /// The token of the answer (`TimeStampResp`), not verified yet.
    pub fn token(response: &[u8]) -> Result<TimeStampToken, TimeStampError> {
        TimeStampToken::of_response(response)
    }
}

/// `INTEGER 1`.
const VERSION_1: &[u8] = &[2, 1, 1];
/// `BOOLEAN TRUE`.
const TRUE: &[u8] = &[1, 1, 0xff];
/// id-sha256 with NULL, as every authority understands it.
const SHA256_ALGORITHM: &[u8] = &[0x30, 13, 6, 9, 0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 1, 5, 0];

#[cfg(test)]
pub(crate) mod tests;
