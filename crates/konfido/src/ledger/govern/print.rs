//! A change as people read it before they sign, and after it is made.

use std::fmt::{Display, Write as _};
use std::path::Path;

use ledger::evidence::sha256;
use ledger::member::motion::Standing;
use ledger::member::{Change, EvidenceKey, Member, Motion, Registry, Roll, Terms};

/// What a draft says.
pub fn motion(motion: &Motion) -> String {
    let statement = motion.statement();
    let mut out = String::new();
    row(&mut out, "genesis", hex::encode(statement.ledger()));
    row(&mut out, "change", format!("{}, {}", statement.sequence(), sentence(statement.change())));
    parts(&mut out, statement.change());
    row(&mut out, "digest", hex::encode(statement.digest()));
    out
}

/// Who has signed, and who has not.
pub fn standing(standing: &Standing) -> String {
    let mut out = String::new();
    let (signed, voting) = (standing.signed.len(), standing.signed.len() + standing.missing.len());
    let needed = format!("({signed} of {} that are needed; {voting} vote)", standing.quorum);
    row(&mut out, "signed", format!("{} {needed}", list(&standing.signed)));
    if !standing.missing.is_empty() {
        row(&mut out, "not yet", list(&standing.missing));
    }
    out
}

/// When a change that stands in the block of this height comes into force, and what is then.
pub fn force(after: &Registry, height: u64) -> String {
    let mut out = String::new();
    let epoch = after.epoch(height) + 1;
    let from = epoch.saturating_mul(after.epoch_length());
    row(&mut out, "in force", format!("from height {from}, epoch {epoch}"));
    roll(&mut out, after.at(from));
    out
}

fn roll(out: &mut String, roll: &Roll) {
    for member in roll.members() {
        row(
            out,
            "member",
            format!("{}\t{}\t{}", member.name(), role(member), member.address().as_str()),
        );
    }
    row(out, "quorum", format!("{} of {}", roll.quorum(), roll.voting().count()));
}

/// What to do with a draft next.
pub fn next(standing: &Standing, file: &Path) -> String {
    let file = file.display();
    match standing.lacks() {
        0 => format!(
            "next, at any one member: konfido ledger govern submit {file} --config ledger.toml"
        ),
        lacks => format!(
            "next, {lacks} more of {}: konfido ledger govern sign {file} --key seal.key --seal seal.pem --config ledger.toml",
            list(&standing.missing)
        ),
    }
}

/// A row for people.
pub fn row(out: &mut String, name: &str, value: impl Display) {
    let _ = writeln!(out, "{name:<10} {value}");
}

/// Names, or a hyphen.
pub fn list<T: Display>(names: &[T]) -> String {
    let names: Vec<_> = names.iter().map(ToString::to_string).collect();
    if names.is_empty() { "-".to_owned() } else { names.join(", ") }
}

fn sentence(change: &Change) -> String {
    match change {
        Change::Join(member) if member.is_voting() => {
            format!("{} joins with a vote", member.name())
        }
        Change::Join(member) => format!("{} joins as an observer", member.name()),
        Change::Leave(name) => format!("{name} leaves"),
        Change::Vote(name) => format!("{name}, an observer, gets a vote"),
        Change::Observe(name) => format!("{name} has no vote any more, and observes"),
        Change::ConsensusKey(name, _) => format!("{name} votes with another key"),
        Change::EvidenceKey(name, _) => format!("{name} has another seal, beside the others"),
        Change::RetireKey(name, _, 0) => {
            format!("a seal of {name} counts no more from the next epoch on")
        }
        Change::RetireKey(name, _, at) => {
            format!(
                "a seal of {name} counts no more from height {at} on, or the next epoch if that is later"
            )
        }
        Change::Cosigner(name, ..) => format!("{name} signs checkpoints with other keys"),
        Change::Measurement(name, Some(_)) => {
            format!("the vault of {name} has another measurement")
        }
        Change::Measurement(name, None) => {
            format!("the vault of {name} has no measurement any more")
        }
        Change::Address(name, _) => format!("{name} is reached elsewhere"),
        Change::Terms(_) => "deadlines have other bounds".to_owned(),
    }
}

/// Keys and numbers of a change.
fn parts(out: &mut String, change: &Change) {
    match change {
        Change::Join(joining) => member(out, joining),
        Change::Leave(_) | Change::Vote(_) | Change::Observe(_) => {}
        Change::ConsensusKey(_, key) => row(out, "consensus", hex::encode(key.0)),
        Change::EvidenceKey(_, key) => seal(out, key),
        Change::RetireKey(_, kid, _) => row(out, "seal", hex::encode(kid.0)),
        Change::Cosigner(_, key, pq) => {
            cosigner(out, Some(&key.0), pq.as_ref().map(|pq| pq.0.as_slice()));
        }
        Change::Measurement(_, measurement) => {
            if let Some(measurement) = measurement {
                row(out, "vault", hex::encode(&measurement.0));
            }
        }
        Change::Address(_, address) => row(out, "address", address.as_str()),
        Change::Terms(new) => terms(out, new),
    }
}

fn member(out: &mut String, member: &Member) {
    row(out, "address", member.address().as_str());
    if let Some(key) = member.consensus_key() {
        row(out, "consensus", hex::encode(key));
    }
    cosigner(out, member.cosigner_ed25519().as_ref(), member.cosigner_ml_dsa_44());
    if let Some(measurement) = member.measurement() {
        row(out, "vault", hex::encode(measurement));
    }
    member.evidence_keys().iter().for_each(|key| seal(out, key));
}

fn cosigner(out: &mut String, ed25519: Option<&[u8; 32]>, pq: Option<&[u8]>) {
    if let Some(key) = ed25519 {
        row(out, "cosigner", hex::encode(key));
    }
    if let Some(key) = pq {
        row(
            out,
            "ML-DSA-44",
            format!("key of {} bytes, SHA-256 {}", key.len(), hex::encode(sha256(key))),
        );
    }
}

fn seal(out: &mut String, key: &EvidenceKey) {
    let until = match key.until() {
        u64::MAX => String::new(),
        until => format!(" to before {until}"),
    };
    let kid = hex::encode(key.kid());
    row(out, "seal", format!("{kid} {:?}, from height {}{until}", key.algorithm(), key.from()));
}

fn terms(out: &mut String, terms: &Terms) {
    row(out, "half", format!("{} to {} blocks", terms.half_min, terms.half_max));
    row(out, "offer", format!("{} to {} blocks", terms.offer_min, terms.offer_max));
    row(out, "key", format!("{} blocks", terms.key_blocks));
}

fn role(member: &Member) -> &'static str {
    if member.is_voting() { "votes" } else { "observes" }
}
