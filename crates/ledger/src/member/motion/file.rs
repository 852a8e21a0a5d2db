//! A motion as text.

use std::fmt::Write as _;

use serde::Deserialize;

use crate::member::govern::Statement;
use crate::member::motion::{Motion, MotionError, Signature};
use crate::member::raw::{Raw, Raw32, hex};
use crate::member::text::{evidence_key, member, number, terms, text};
use crate::member::{Address, Change, EvidenceKey, Member, Name, Terms};

/// Reads what [`write`] writes, and nothing else.
pub(super) fn read(text: &str) -> Result<Motion, MotionError> {
    if text.len() > MAX_FILE {
        return Err(MotionError::File("it is too long".into()));
    }
    let file: File = toml::from_str(text).map_err(|e| MotionError::File(e.to_string()))?;
    if file.format != FORMAT {
        return Err(MotionError::File(format!("its format is not {FORMAT}")));
    }
    let statement = Statement::written(file.genesis.0, file.sequence, file.change.into());
    let signatures =
        file.signatures.into_iter().map(|row| Signature { by: row.by, cose: row.cose }).collect();
    Ok(Motion { statement, signatures })
}

pub(super) fn write(motion: &Motion) -> String {
    let statement = &motion.statement;
    let mut out = String::from(INTRODUCTION);
    let _ = writeln!(out, "# digest: {}\n", hex(&statement.digest()));
    text(&mut out, "format", Some(FORMAT));
    text(&mut out, "genesis", Some(hex(&statement.ledger())));
    number(&mut out, "sequence", statement.sequence());
    change(&mut out, statement.change());
    for signature in &motion.signatures {
        out.push_str("\n[[signature]]\n");
        text(&mut out, "by", Some(&signature.by));
        text(&mut out, "cose", Some(hex(&signature.cose.0)));
    }
    out
}

fn change(out: &mut String, change: &Change) {
    let word = word(change);
    let _ = writeln!(out, "\n[change.{word}]");
    let mut row = |name: &Name, fields: &[(&str, Option<&[u8]>)]| {
        text(out, "name", Some(name));
        for (field, value) in fields {
            text(out, field, value.map(hex));
        }
    };
    match change {
        Change::Join(joining) => member(out, &format!("change.{word}"), joining),
        Change::Terms(new) => terms(out, new),
        Change::Leave(name) | Change::Vote(name) | Change::Observe(name) => row(name, &[]),
        Change::ConsensusKey(name, key) => row(name, &[("consensus_key", Some(&key.0))]),
        Change::Cosigner(name, key, pq) => {
            let pq = pq.as_ref().map(|key| key.0.as_slice());
            row(name, &[("cosigner_ed25519", Some(&key.0)), ("cosigner_ml_dsa_44", pq)]);
        }
        Change::Measurement(name, measurement) => {
            row(name, &[("measurement", measurement.as_ref().map(|bytes| bytes.0.as_slice()))]);
        }
        Change::Address(name, address) => {
            row(name, &[]);
            text(out, "address", Some(address.as_str()));
        }
        Change::RetireKey(name, kid, until) => {
            row(name, &[("kid", Some(&kid.0))]);
            number(out, "until", until);
        }
        Change::EvidenceKey(name, key) => {
            row(name, &[]);
            let _ = writeln!(out, "\n[change.{word}.evidence_key]");
            evidence_key(out, key);
        }
    }
}

/// How the file calls a change.
fn word(change: &Change) -> &'static str {
    match change {
        Change::Join(_) => "join",
        Change::Leave(_) => "leave",
        Change::Vote(_) => "vote",
        Change::Observe(_) => "observe",
        Change::ConsensusKey(..) => "consensus-key",
        Change::EvidenceKey(..) => "evidence-key",
        Change::RetireKey(..) => "retire-key",
        Change::Cosigner(..) => "cosigner",
        Change::Measurement(..) => "measurement",
        Change::Address(..) => "address",
        Change::Terms(_) => "terms",
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    format: String,
    genesis: Raw32,
    sequence: u64,
    change: Written,
    #[serde(default, rename = "signature")]
    signatures: Vec<Row>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    by: Name,
    cose: Raw,
}

/// A [`Change`] whose parts have names.
#[derive(Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
enum Written {
    Join(Box<Member>),
    Leave(Whose),
    Vote(Whose),
    Observe(Whose),
    ConsensusKey {
        name: Name,
        consensus_key: Raw32,
    },
    EvidenceKey {
        name: Name,
        evidence_key: EvidenceKey,
    },
    RetireKey {
        name: Name,
        kid: Raw32,
        until: u64,
    },
    Cosigner {
        name: Name,
        cosigner_ed25519: Raw32,
        #[serde(default)]
        cosigner_ml_dsa_44: Option<Raw>,
    },
    Measurement {
        name: Name,
        #[serde(default)]
        measurement: Option<Raw>,
    },
    Address {
        name: Name,
        address: Address,
    },
    Terms(Terms),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Whose {
    name: Name,
}

impl From<Written> for Change {
    fn from(written: Written) -> Self {
        match written {
            Written::Join(member) => Self::Join(member),
            Written::Leave(Whose { name }) => Self::Leave(name),
            Written::Vote(Whose { name }) => Self::Vote(name),
            Written::Observe(Whose { name }) => Self::Observe(name),
            Written::ConsensusKey { name, consensus_key } => {
                Self::ConsensusKey(name, consensus_key)
            }
            Written::EvidenceKey { name, evidence_key } => Self::EvidenceKey(name, evidence_key),
            Written::RetireKey { name, kid, until } => Self::RetireKey(name, kid, until),
            Written::Cosigner { name, cosigner_ed25519, cosigner_ml_dsa_44 } => {
                Self::Cosigner(name, cosigner_ed25519, cosigner_ml_dsa_44)
            }
            Written::Measurement { name, measurement } => Self::Measurement(name, measurement),
            Written::Address { name, address } => Self::Address(name, address),
            Written::Terms(terms) => Self::Terms(terms),
        }
    }
}

const FORMAT: &str = "konfido-ledger-motion/1";
const INTRODUCTION: &str = "\
# A change of a shared ledger's members. It is made when a quorum of the voting members has signed it.
# Compare names and keys with their owner over another channel before you sign. Comments are not signed.
";
/// A member with ML-DSA-44 keys and the signatures of all.
const MAX_FILE: usize = 1 << 18;
