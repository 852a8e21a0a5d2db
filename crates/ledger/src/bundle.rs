//! `konfido-receipt/2`: one entry of the shared ledger with everything that its reader needs, and its
//! check without any server.
//!
//! The countries' signatures say what happened; the members' cosignatures say that it stands in the one
//! ledger of all; a time-stamp says since when, by the word of somebody who is no member. A bare
//! `.tlog-proof` with the entry's bytes says the second only ([`verify_proof`]).

mod envelope;
mod step;

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use trust::certificate::{Anchors, Certificate};

use crate::checkpoint::BlockLine;
use crate::commitment::{Field, Secrets};
use crate::entry::Entry;
use crate::evidence::Settled;
use crate::policy::{Agreed, Policy};
use crate::proof::{Proof, Proven};
use crate::receipt::{Disclosure, Report, claims};
use crate::timestamp::{Expected, TimeStampToken, imprint};

pub use step::{Step, Unbelieved};

/// `konfido-receipt/2`, JSON.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bundle {
    /// `konfido-receipt/2`.
    pub format: String,
    /// When the exchange took place, as the node that exports it says.
    pub time: Timestamp,
    /// The ledger's entry, base64: the leaf.
    pub entry: String,
    /// Seal certificates of the signers, in the order of their signatures, then the certificates
    /// between them and their roots, if any; PEM.
    pub certificates: Vec<String>,
    /// `c2sp.org/tlog-proof@v1`.
    pub proof: String,
    /// The policy under which the exporting member holds the checkpoint for agreed (c2sp.org/tlog-policy).
    pub policy: String,
    /// Fields that the holder chose to show.
    pub disclosed: Vec<Disclosure>,
    /// RFC 3161 tokens over the proof's signed checkpoint ([`imprint`]), base64.
    pub time_stamps: Vec<String>,
}

/// What a reader brings.
#[derive(Debug, Clone, Copy, Default)]
pub struct Reader<'r> {
    /// Roots of seal certificates. A bare proof needs none.
    pub anchors: Option<&'r Anchors>,
    /// Whom he believes about the ledger. Without it the receipt's own policy is used, and said so.
    pub policy: Option<&'r Policy>,
    /// The ledger's name, as he knows it; needed for a policy that names no log.
    pub origin: Option<&'r str>,
    /// Roots of time-stamping authorities. With them, a receipt or a proof must have a stamp that holds.
    pub authorities: Option<&'r Anchors>,
}

impl Bundle {
    /// Puts a receipt together. `certificates` are the signers' in the order of their signatures, then
    /// what lies between them and their roots.
    pub fn new(
        entry: &[u8],
        time: Timestamp,
        certificates: &[&Certificate],
        proof: &Proof,
        policy: &str,
    ) -> Self {
        Self {
            format: FORMAT.to_owned(),
            time,
            entry: STANDARD.encode(entry),
            certificates: certificates.iter().map(|c| c.pem()).collect(),
            proof: proof.to_string(),
            policy: policy.to_owned(),
            disclosed: Vec::new(),
            time_stamps: Vec::new(),
        }
    }

    /// The same, showing these fields.
    #[must_use]
    pub fn showing(self, secrets: &Secrets, fields: &[Field]) -> Self {
        Self { disclosed: Disclosure::of(secrets, fields), ..self }
    }

    /// The same, with a time-stamp of its checkpoint.
    #[must_use]
    pub fn stamped(mut self, token: &TimeStampToken) -> Self {
        self.time_stamps.push(STANDARD.encode(token.der()));
        self
    }

    /// The file: the one encoding that [`verify`] accepts, but for a line feed at its end.
    pub fn to_json(&self) -> Vec<u8> {
        serde_json::to_vec_pretty(self).expect("because texts and lists of texts are JSON")
    }

    /// Whether a file says that it is one.
    pub fn is_named_in(bytes: &[u8]) -> bool {
        let head = &bytes[..bytes.len().min(64)];
        let head = String::from_utf8_lossy(head);
        head.starts_with('{') && head.contains(&format!("\"{FORMAT}\""))
    }

    fn read(bytes: &[u8]) -> Result<Self, Unbelieved> {
        let failed = |what: &dyn fmt::Display| Step::File.failed(what);
        if bytes.len() > LARGEST {
            return Err(failed(&"it is too large for a receipt"));
        }
        let read: Self = serde_json::from_slice(bytes).map_err(|error| failed(&error))?;
        if read.format != FORMAT {
            return Err(failed(&"it is of another format"));
        }
        if read.to_json() != bytes.strip_suffix(b"\n").unwrap_or(bytes) {
            return Err(failed(&"it was edited: the layout is not ours"));
        }
        Ok(read)
    }

    /// What the countries said, and by how many it is signed.
    fn check_statement(
        &self,
        entry: &[u8],
        reader: Reader<'_>,
        report: &mut Report,
    ) -> Result<Settled, Unbelieved> {
        let failed = |what: &dyn fmt::Display| Step::Statement.failed(what);
        let anchors = reader.anchors.ok_or_else(|| failed(&"no roots of seals were given"))?;
        let entry = Entry::decode(entry).map_err(|error| failed(&error))?;
        report.add("entry", envelope::words(&entry).to_owned());
        let certificates = claims::certificates(&self.certificates).map_err(|e| failed(&e))?;
        let (signed, deadline) =
            envelope::statement(&entry, certificates.first()).map_err(|what| failed(&what))?;
        let settled = claims::check_statement(&certificates, self.time, signed, anchors, report);
        let settled = settled.map_err(|error| failed(&error))?;
        if let Some(deadline) = deadline {
            report.add("deadline", format!("block {deadline}"));
        }
        Ok(settled)
    }

    fn check_time(&self, agreed: &Agreed) -> Result<(), Unbelieved> {
        let last = agreed.cosigned().iter().filter_map(|cosigned| cosigned.time).max();
        let last = last.and_then(|time| Timestamp::from_second(i64::try_from(time).ok()?).ok());
        // who makes up a time in the future could use certificates that are not valid yet
        let late = last.is_some_and(|last| self.time.duration_since(last) > SKEW);
        if late {
            Err(Step::Statement.failed("its time is after that of the ledger"))
        } else {
            Ok(())
        }
    }

    fn tokens(&self) -> Result<Vec<TimeStampToken>, Unbelieved> {
        let failed = |what: &dyn fmt::Display| Step::TimeStamp.failed(what);
        let read = |token: &String| {
            let der = STANDARD.decode(token).map_err(|_| failed(&"it is not base64"))?;
            TimeStampToken::read(&der).map_err(|error| failed(&error))
        };
        self.time_stamps.iter().map(read).collect()
    }
}

fn count_stamps(count: usize, report: &mut Report) {
    if count > 0 {
        report.add("time-stamp", format!("{count} there, not checked: no roots were given"));
    }
}

/// Stamps of a proof's checkpoint: with roots of authorities there must be one, and each must hold.
fn check_stamps(
    proof: &Proof,
    tokens: &[TimeStampToken],
    authorities: &Anchors,
    report: &mut Report,
) -> Result<(), Unbelieved> {
    let failed = |what: &dyn fmt::Display| Step::TimeStamp.failed(what);
    if tokens.is_empty() {
        return Err(failed(&"there is none"));
    }
    for token in tokens {
        let stamped = token.verify(imprint(&proof.checkpoint), authorities, Expected::default());
        let stamped = stamped.map_err(|error| failed(&error))?;
        report.add(
            "time-stamp",
            format!("{}, by {}, policy {}", stamped.time, stamped.authority, stamped.policy),
        );
    }
    Ok(())
}

/// Checks a `konfido-receipt/2`.
pub fn verify(bytes: &[u8], reader: Reader<'_>) -> Result<Report, Unbelieved> {
    let bundle = Bundle::read(bytes)?;
    let mut report = Report { findings: Vec::new() };
    let entry = STANDARD.decode(&bundle.entry);
    let entry = entry.map_err(|_| Step::File.failed("the entry is not base64"))?;
    let settled = bundle.check_statement(&entry, reader, &mut report)?;
    let own = if reader.policy.is_none() {
        Some(Policy::parse(bundle.policy.as_bytes()).map_err(|error| Step::Policy.failed(error))?)
    } else {
        None
    };
    let whose = if own.is_some() { OWN } else { READERS };
    let policy = reader.policy.or(own.as_ref()).expect("because one of them is there");
    let proof = Proof::parse(bundle.proof.as_bytes()).map_err(|e| Step::Ledger.failed(e))?;
    let proven = proof.verify(&entry, policy, reader.origin).map_err(|e| Step::Ledger.failed(e))?;
    tell(&proven, policy, whose, &mut report);
    bundle.check_time(proven.agreed())?;
    let shown = claims::check_disclosed(&bundle.disclosed, &settled, &mut report);
    shown.map_err(|error| Step::Disclosed.failed(error))?;
    match reader.authorities {
        Some(roots) => check_stamps(&proof, &bundle.tokens()?, roots, &mut report)?,
        None => count_stamps(bundle.time_stamps.len(), &mut report),
    }
    Ok(report)
}

/// Checks a bare `.tlog-proof` of an entry: that it stands in the ledger, not what it says.
pub fn verify_proof(bytes: &[u8], entry: &[u8], reader: Reader<'_>) -> Result<Report, Unbelieved> {
    let missing = || Step::Policy.failed("none was given, and a bare proof has none");
    let policy = reader.policy.ok_or_else(missing)?;
    let proof = Proof::parse(bytes).map_err(|error| Step::File.failed(error))?;
    let proven = proof.verify(entry, policy, reader.origin).map_err(|e| Step::Ledger.failed(e))?;
    let mut report = Report { findings: Vec::new() };
    if let Ok(entry) = Entry::decode(entry) {
        let words = envelope::words(&entry);
        report.add("entry", format!("{words}; its signatures were not looked at"));
    }
    tell(&proven, policy, READERS, &mut report);
    // extra data may be anything; a member's is a stamp
    let stamp = proof.extra.as_deref().map(TimeStampToken::read);
    match reader.authorities {
        Some(roots) => {
            let stamp = stamp.transpose().map_err(|error| Step::TimeStamp.failed(error))?;
            check_stamps(&proof, stamp.as_slice(), roots, &mut report)?;
        }
        None => count_stamps(stamp.into_iter().flatten().count(), &mut report),
    }
    Ok(report)
}

/// What the members signed, for people.
fn tell(proven: &Proven, policy: &Policy, whose: &str, report: &mut Report) {
    let (agreed, checkpoint) = (proven.agreed(), proven.agreed().checkpoint());
    let (index, size) = (proven.index(), checkpoint.size);
    report.add("in the ledger", format!("{}, entry {index} of {size}", checkpoint.origin));
    if let Some(block) = BlockLine::of(checkpoint) {
        report.add("block", block.height.to_string());
    }
    report.add("policy", format!("{}, {whose}", policy.quorum()));
    let at = |time: u64| Timestamp::from_second(i64::try_from(time).ok()?).ok();
    for cosigned in agreed.cosigned() {
        let time = cosigned.time.and_then(at).map_or_else(String::new, |time| format!(", {time}"));
        report.add("cosigned by", format!("{} ({}){time}", cosigned.witness, cosigned.kind));
    }
}

const FORMAT: &str = "konfido-receipt/2";
const OWN: &str = "the receipt's own: it shows agreement only among whom the receipt names";
const READERS: &str = "the reader's";
/// What the clocks of a node and of the members may differ.
const SKEW: SignedDuration = SignedDuration::from_mins(5);
/// A proof with 128 members' cosignatures of both kinds has half of it.
const LARGEST: usize = 1024 * 1024;

#[cfg(test)]
mod tests;
