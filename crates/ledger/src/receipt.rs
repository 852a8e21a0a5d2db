//! The receipt that an auditor or a patient gets, and its check without any server.
//!
//! What the countries signed is the statement. What the log says is its place, and, by
//! [`Receipt::attestation`], that this very file left the node: its time and the shown fields too.

pub(crate) mod claims;

use aws_lc_rs::signature::{ED25519, UnparsedPublicKey};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use trust::certificate::{Anchors, Certificate};

use crate::commitment::{Field, Secrets};
use crate::evidence::{Settled, sha256};
use crate::log::{Log, LogError};
use crate::note::Checkpoint;
use crate::tree::{leaf_hash, root_of_inclusion};

/// `konfido-receipt/1`, JSON.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Receipt {
    /// `konfido-receipt/1`.
    pub format: String,
    /// When the exchange took place, as the node that exports it says.
    pub time: Timestamp,
    /// `COSE_Sign`, base64.
    pub statement: String,
    /// Seal certificates of the signers, provider first, then the certificates between them and
    /// their roots, if any; PEM.
    pub certificates: Vec<String>,
    /// Place in the log.
    pub index: u64,
    /// Inclusion proof, base64.
    pub proof: Vec<String>,
    /// C2SP checkpoint.
    pub checkpoint: String,
    /// Ed25519 key of the log, base64.
    pub log_key: String,
    /// Fields that the holder chose to show.
    #[serde(default)]
    pub disclosed: Vec<Disclosure>,
    /// Ed25519 signature of the log's key over the domain and SHA-256 of the receipt with this field
    /// empty, base64.
    pub attestation: String,
}

/// One shown field.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Disclosure {
    /// Name of the field.
    pub field: String,
    /// Salt, base64.
    pub salt: String,
    /// Value.
    pub value: String,
}

/// What was found true, line by line, for people.
#[derive(Debug, Clone)]
pub struct Report {
    /// (what, finding).
    pub findings: Vec<(&'static str, String)>,
}

/// Why a receipt is not believed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReceiptError {
    /// Not a receipt.
    #[error("receipt is malformed: {0}")]
    Malformed(String),
    /// The signatures do not hold.
    #[error("signatures: {0}")]
    Evidence(#[from] crate::evidence::EvidenceError),
    /// The statement is not in the log that it names.
    #[error("log: {0}")]
    Log(&'static str),
    /// A shown value is not the one that was committed to.
    #[error("disclosed field {0} is not what was committed to")]
    Disclosure(String),
    /// The log could not be read while exporting.
    #[error(transparent)]
    Export(#[from] LogError),
}

impl Receipt {
    /// Exports a settled record, showing `fields` of its secrets.
    pub fn export(
        statement: &[u8],
        time: Timestamp,
        certificates: &[&Certificate],
        index: u64,
        log: &Log,
        secrets: &Secrets,
        fields: &[Field],
    ) -> Result<Self, ReceiptError> {
        if index < log.size() && log.entry(index)? != statement {
            return Err(ReceiptError::Log("another record stands at this place"));
        }
        if index >= log.size() {
            return Err(ReceiptError::Log(
                "the record is not in the log yet; try again in a second",
            ));
        }
        let mut receipt = Self {
            format: FORMAT.to_owned(),
            time,
            statement: STANDARD.encode(statement),
            certificates: certificates.iter().map(|c| c.pem()).collect(),
            index,
            proof: log.prove(index)?.iter().map(|h| STANDARD.encode(h)).collect(),
            checkpoint: log.checkpoint()?,
            log_key: STANDARD.encode(log.public_key()),
            disclosed: Disclosure::of(secrets, fields),
            attestation: String::new(),
        };
        receipt.attestation = STANDARD.encode(log.attest(&receipt.attested()?)?);
        Ok(receipt)
    }

    /// The file: the one encoding that [`verify`] accepts, but for a line feed at its end.
    pub fn to_json(&self) -> Result<Vec<u8>, ReceiptError> {
        serde_json::to_vec_pretty(self).map_err(|e| ReceiptError::Malformed(e.to_string()))
    }

    fn read(bytes: &[u8]) -> Result<Self, ReceiptError> {
        if bytes.len() > MAX_RECEIPT {
            return Err(malformed("it is too large"));
        }
        let receipt: Self =
            serde_json::from_slice(bytes).map_err(|e| ReceiptError::Malformed(e.to_string()))?;
        if receipt.format != FORMAT {
            return Err(malformed("unknown format"));
        }
        if receipt.to_json()? != bytes.strip_suffix(b"\n").unwrap_or(bytes) {
            return Err(malformed("it was edited: the layout is not ours"));
        }
        Ok(receipt)
    }

    /// What the log's key signs.
    fn attested(&self) -> Result<Vec<u8>, ReceiptError> {
        let bare = Self { attestation: String::new(), ..self.clone() };
        Ok([DOMAIN, &sha256(&bare.to_json()?)].concat())
    }

    fn check_attestation(&self, key: &[u8]) -> Result<(), ReceiptError> {
        let signature = decode(&self.attestation)?;
        let key = UnparsedPublicKey::new(&ED25519, key);
        let verified = key.verify(&self.attested()?, &signature);
        verified.map_err(|_| {
            ReceiptError::Log("the receipt is not the one that the log's key attested")
        })
    }

    /// The signatures of the countries.
    fn check_statement(
        &self,
        signed: &[u8],
        anchors: &Anchors,
        report: &mut Report,
    ) -> Result<Settled, ReceiptError> {
        let certificates = claims::certificates(&self.certificates)?;
        claims::check_statement(&certificates, self.time, signed, anchors, report)
    }

    /// The place in the log.
    fn check_log(
        &self,
        signed: &[u8],
        key: &[u8],
        expected: &[Vec<u8>],
        report: &mut Report,
    ) -> Result<(), ReceiptError> {
        let checkpoint = Checkpoint::verify(&self.checkpoint, key)
            .ok_or(ReceiptError::Log("the checkpoint is not signed by the log's key"))?;
        let mut proof = Vec::new();
        for hash in &self.proof {
            let hash = decode(hash)?.try_into();
            proof.push(hash.map_err(|_| malformed("a proof hash has another length"))?);
        }
        let root = root_of_inclusion(leaf_hash(signed), self.index, checkpoint.size, &proof);
        if root != Some(checkpoint.root) {
            return Err(ReceiptError::Log("the proof does not lead to the checkpoint's root"));
        }
        report.add(
            "in the log",
            format!("{}, entry {} of {}", checkpoint.origin, self.index, checkpoint.size),
        );
        let known = match expected {
            [] => "not compared: no expected key was given",
            keys if keys.iter().any(|expected| expected == key) => "one that the reader expects",
            _ => return Err(ReceiptError::Log("the log's key is not an expected one")),
        };
        report.add("log key", format!("{}, {known}", self.log_key));
        Ok(())
    }
}

impl Disclosure {
    /// What is shown of these secrets.
    pub(crate) fn of(secrets: &Secrets, fields: &[Field]) -> Vec<Self> {
        let shown = fields.iter().filter_map(|field| {
            let (salt, value) = secrets.disclose(*field)?;
            let (field, salt) = (field.name().to_owned(), STANDARD.encode(salt));
            Some(Self { field, salt, value: value.to_owned() })
        });
        shown.collect()
    }
}

impl Report {
    pub(crate) fn add(&mut self, what: &'static str, finding: String) {
        self.findings.push((what, finding));
    }
}

/// Checks a receipt with the roots that the reader trusts, and nothing else.
pub fn verify(bytes: &[u8], anchors: &Anchors) -> Result<Report, ReceiptError> {
    verify_with_logs(bytes, anchors, &[])
}

/// [`verify`] for a reader who knows the logs' Ed25519 keys: the receipt must be of one of them.
/// Without expected keys, a receipt proves what was signed, but only claims whose log it is in.
pub fn verify_with_logs(
    bytes: &[u8],
    anchors: &Anchors,
    log_keys: &[Vec<u8>],
) -> Result<Report, ReceiptError> {
    let receipt = Receipt::read(bytes)?;
    let (signed, key) = (decode(&receipt.statement)?, decode(&receipt.log_key)?);
    let mut report = Report { findings: Vec::new() };
    let settled = receipt.check_statement(&signed, anchors, &mut report)?;
    receipt.check_log(&signed, &key, log_keys, &mut report)?;
    claims::check_disclosed(&receipt.disclosed, &settled, &mut report)?;
    receipt.check_attestation(&key)?;
    Ok(report)
}

pub(crate) fn decode(text: &str) -> Result<Vec<u8>, ReceiptError> {
    STANDARD.decode(text).map_err(|_| malformed("not base64"))
}

pub(crate) fn malformed(what: &str) -> ReceiptError {
    ReceiptError::Malformed(what.to_owned())
}

#[cfg(test)]
mod tests;

const FORMAT: &str = "konfido-receipt/1";
const DOMAIN: &[u8] = b"konfido receipt attestation 1\n";
/// Certificates take most of a receipt; a proof has at most 64 hashes.
const MAX_RECEIPT: usize = 256 * 1024;
