//! The receipt that an auditor or a patient gets, and its check without any server.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use trust::certificate::{Anchors, Certificate};

use crate::commitment::{Field, Secrets, commitment};
use crate::evidence::Settled;
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
    /// Seal certificates of the signers, provider first, PEM.
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
        if index >= log.size() {
            return Err(ReceiptError::Log(
                "the record is not in the log yet; try again in a second",
            ));
        }
        let shown = fields.iter().filter_map(|field| {
            let (salt, value) = secrets.disclose(*field)?;
            Some(Disclosure {
                field: field.name().to_owned(),
                salt: STANDARD.encode(salt),
                value: value.to_owned(),
            })
        });
        Ok(Self {
            format: FORMAT.to_owned(),
            time,
            statement: STANDARD.encode(statement),
            certificates: certificates.iter().map(|c| c.pem()).collect(),
            index,
            proof: log.prove(index)?.iter().map(|h| STANDARD.encode(h)).collect(),
            checkpoint: log.checkpoint()?,
            log_key: STANDARD.encode(log.public_key()),
            disclosed: shown.collect(),
        })
    }
}

/// Checks a receipt with the roots that the reader trusts, and nothing else.
pub fn verify(bytes: &[u8], anchors: &Anchors) -> Result<Report, ReceiptError> {
    let malformed = |what: &str| ReceiptError::Malformed(what.to_owned());
    let receipt: Receipt =
        serde_json::from_slice(bytes).map_err(|e| ReceiptError::Malformed(e.to_string()))?;
    if receipt.format != FORMAT {
        return Err(malformed("unknown format"));
    }
    let decode = |text: &str| STANDARD.decode(text).map_err(|_| malformed("not base64"));
    let signed = decode(&receipt.statement)?;
    let mut certificates = Vec::new();
    for pem in &receipt.certificates {
        let parsed = Certificate::from_pem(pem.as_bytes())
            .map_err(|e| ReceiptError::Malformed(e.to_string()))?;
        certificates.extend(parsed);
    }
    let signers: Vec<&Certificate> = certificates.iter().collect();
    let settled = Settled::verify(&signed, &signers, anchors, receipt.time)?;
    let mut findings = vec![
        ("exchange", settled.statement.txid.clone()),
        ("transaction", settled.statement.transaction.clone()),
        (
            "countries",
            format!("{} asked {}", settled.statement.requester, settled.statement.provider),
        ),
        ("outcome", settled.statement.outcome.clone()),
    ];
    findings.extend(signers.iter().map(|c| ("signed by", c.subject().to_owned())));
    if settled.signatures == 1 {
        findings.push(("note", "one-sided: the other country has no KONFIDO".to_owned()));
    }
    let key = decode(&receipt.log_key)?;
    let checkpoint = Checkpoint::verify(&receipt.checkpoint, &key)
        .ok_or(ReceiptError::Log("the checkpoint is not signed by the log's key"))?;
    let mut proof = Vec::new();
    for hash in &receipt.proof {
        proof.push(
            decode(hash)?.try_into().map_err(|_| malformed("a proof hash has another length"))?,
        );
    }
    let root = root_of_inclusion(leaf_hash(&signed), receipt.index, checkpoint.size, &proof);
    if root != Some(checkpoint.root) {
        return Err(ReceiptError::Log("the proof does not lead to the checkpoint's root"));
    }
    findings.push((
        "in the log",
        format!("{}, entry {} of {}", checkpoint.origin, receipt.index, checkpoint.size),
    ));
    for shown in &receipt.disclosed {
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
        findings.push((field.name(), shown.value.clone()));
    }
    Ok(Report { findings })
}

const FORMAT: &str = "konfido-receipt/1";
