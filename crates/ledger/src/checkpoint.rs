//! Checkpoints of the shared log (c2sp.org/tlog-checkpoint): origin, size, root, and which block
//! brought the tree there; signed by the members.

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::note::{NoteError, SignatureLine, SignedNote};

pub use trust::note::Checkpoint;

/// The extension line `height <n> <digest>`: the block after which the tree has this root, so that
/// the engine's own certificate of it can be fetched. For people and validators only: ML-DSA-44
/// cosignatures do not cover it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BlockLine {
    /// Height of the block.
    pub height: u64,
    /// Its digest.
    pub digest: [u8; 32],
}

impl BlockLine {
    /// The block that a checkpoint names, if it names one.
    pub fn of(checkpoint: &Checkpoint) -> Option<Self> {
        checkpoint.lines.iter().find_map(|line| line.parse().ok())
    }
}

/// `height <n> <base64 of the digest>`.
impl fmt::Display for BlockLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "height {} {}", self.height, STANDARD.encode(self.digest))
    }
}

impl FromStr for BlockLine {
    type Err = NoteError;

    fn from_str(line: &str) -> Result<Self, NoteError> {
        let read = || {
            let (height, digest) = line.strip_prefix("height ")?.split_once(' ')?;
            let digest = STANDARD.decode(digest).ok()?.try_into().ok()?;
            Some(Self { height: height.parse().ok()?, digest })
        };
        let read = read().filter(|read| read.to_string() == line);
        read.ok_or(NoteError("the line does not name a block"))
    }
}

/// A checkpoint with whatever signatures it came with: none of them is verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedCheckpoint {
    checkpoint: Checkpoint,
    lines: Vec<SignatureLine>,
}

impl SignedCheckpoint {
    /// A checkpoint that nobody signed yet.
    pub fn new(checkpoint: Checkpoint) -> Self {
        Self { checkpoint, lines: Vec::new() }
    }

    /// Reads a signed note whose text is a checkpoint.
    pub fn read(note: &str) -> Result<Self, NoteError> {
        let note = SignedNote::read(note)?;
        let checkpoint =
            Checkpoint::parse(&note.text).ok_or(NoteError("the note's text is no checkpoint"))?;
        Ok(Self { checkpoint, lines: note.lines })
    }

    /// What is signed.
    pub fn checkpoint(&self) -> &Checkpoint {
        &self.checkpoint
    }

    /// Who signed, as they say.
    pub fn lines(&self) -> &[SignatureLine] {
        &self.lines
    }

    /// Adds a line, unless this key signed already; whether it was added. The line is not verified
    /// here ([`crate::cosign::VerifierKey::verify`]).
    pub fn add(&mut self, line: SignatureLine) -> bool {
        let known = self.lines.iter().any(|other| (&other.name, other.id) == (&line.name, line.id));
        let added = !known && self.lines.len() < SignedNote::MOST_LINES;
        if added {
            self.lines.push(line);
        }
        added
    }
}

/// The note, as it is served and put into proofs.
impl fmt::Display for SignedCheckpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let note = SignedNote { text: self.checkpoint.body(), lines: self.lines.clone() };
        write!(f, "{note}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_checkpoint_says_which_block_it_is_after() {
        let block = BlockLine { height: 17, digest: [3; 32] };
        let other = "something else".to_owned();
        let lines = vec![other, block.to_string()];
        let checkpoint =
            Checkpoint { origin: "konfido.example/ledger".into(), size: 5, root: [7; 32], lines };
        assert_eq!(BlockLine::of(&checkpoint), Some(block));
        assert_eq!(Checkpoint::parse(&checkpoint.body()), Some(checkpoint));
        for bad in ["height", "height 17", "height 017 AwMD", "height -1 AwMD", "height 17 AwMD"] {
            assert!(bad.parse::<BlockLine>().is_err(), "{bad}");
        }
        let padded = block.to_string().replace("17", "017");
        assert!(padded.parse::<BlockLine>().is_err());
    }
}
