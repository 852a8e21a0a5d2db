//! `c2sp.org/tlog-proof@v1`: that an entry stands in the shared log, for a reader who is offline.
//!
//! The reader brings a policy and the entry; SHA-256 and Ed25519 are enough, and ML-DSA-44 where the
//! policy asks for it.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::note::SignedNote;
use crate::policy::{Agreed, Policy, PolicyError};
use crate::tree::{leaf_hash, root_of_inclusion};

/// A proof as it is written: nothing in it is verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proof {
    /// Whatever else the file carries; not authenticated.
    pub extra: Option<Vec<u8>>,
    /// Place of the entry.
    pub index: u64,
    /// RFC 6962 §2.1.1, from the leaf's sibling up.
    pub path: Vec<[u8; 32]>,
    /// The signed checkpoint.
    pub checkpoint: String,
}

/// An entry whose place a policy's quorum signed: only [`Proof::verify`] makes one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proven {
    index: u64,
    agreed: Agreed,
}

/// Why a proof is not believed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ProofError {
    /// Not a proof.
    #[error("proof is malformed: {0}")]
    Malformed(&'static str),
    /// The checkpoint is not one that the reader believes.
    #[error(transparent)]
    Policy(#[from] PolicyError),
    /// Another entry, or another place.
    #[error("the entry does not stand at {index} under the checkpoint")]
    Inclusion {
        /// The place that the proof is for.
        index: u64,
    },
}

impl Proof {
    /// Reads a `.tlog-proof` file.
    pub fn parse(bytes: &[u8]) -> Result<Self, ProofError> {
        let wrong = ProofError::Malformed;
        if bytes.len() > Self::LARGEST {
            return Err(wrong("it is too large"));
        }
        let text = std::str::from_utf8(bytes).map_err(|_| wrong("it is not UTF-8"))?;
        let rest = text
            .strip_prefix(HEADER)
            .and_then(|rest| rest.strip_prefix('\n'))
            .ok_or(wrong("its first line is not c2sp.org/tlog-proof@v1"))?;
        let (head, checkpoint) = rest.split_once("\n\n").ok_or(wrong("it has no checkpoint"))?;
        let mut lines = head.split('\n').peekable();
        let extra = lines.next_if(|line| line.starts_with("extra "));
        let extra = extra.map(|line| STANDARD.decode(&line["extra ".len()..])).transpose();
        let extra = extra.map_err(|_| wrong("its extra data is not base64"))?;
        let index = lines
            .next()
            .and_then(|line| line.strip_prefix("index ")?.parse().ok())
            .ok_or(wrong("it has no index"))?;
        let mut path = Vec::new();
        for line in lines {
            let hash = STANDARD.decode(line).ok().and_then(|hash| hash.try_into().ok());
            path.push(hash.ok_or(wrong("a line of its path is not a hash"))?);
            if path.len() > HIGHEST {
                return Err(wrong("its path is longer than any tree is high"));
            }
        }
        let proof = Self { extra, index, path, checkpoint: checkpoint.to_owned() };
        if proof.to_string() != text {
            return Err(wrong("it is written in another way than the format says"));
        }
        Ok(proof)
    }

    /// Verifies that `entry` stands in the log that the policy's quorum signed; see
    /// [`Policy::verify`] for `origin`.
    pub fn verify(
        &self,
        entry: &[u8],
        policy: &Policy,
        origin: Option<&str>,
    ) -> Result<Proven, ProofError> {
        let agreed = policy.verify(&self.checkpoint, origin)?;
        let checkpoint = agreed.checkpoint();
        let root = root_of_inclusion(leaf_hash(entry), self.index, checkpoint.size, &self.path);
        if root != Some(checkpoint.root) {
            return Err(ProofError::Inclusion { index: self.index });
        }
        Ok(Proven { index: self.index, agreed })
    }

    /// The largest file: a checkpoint, a path, and as much extra data.
    pub const LARGEST: usize = 2 * SignedNote::LARGEST;
}

/// The file.
impl fmt::Display for Proof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{HEADER}")?;
        if let Some(extra) = &self.extra {
            writeln!(f, "extra {}", STANDARD.encode(extra))?;
        }
        writeln!(f, "index {}", self.index)?;
        for hash in &self.path {
            writeln!(f, "{}", STANDARD.encode(hash))?;
        }
        write!(f, "\n{}", self.checkpoint)
    }
}

impl Proven {
    /// Place of the entry.
    pub fn index(&self) -> u64 {
        self.index
    }

    /// The checkpoint and who signed it.
    pub fn agreed(&self) -> &Agreed {
        &self.agreed
    }
}

const HEADER: &str = "c2sp.org/tlog-proof@v1";
/// A tree of 2^64 leaves.
const HIGHEST: usize = 64;

#[cfg(test)]
pub(crate) mod tests;
