//! Signed notes (c2sp.org/signed-note §Format): a text, an empty line, and a line for each signature.
//!
//! Reading says nothing about truth: who is believed is for [`crate::policy`] to say.

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

pub(crate) use trust::note::Checkpoint;

use crate::log::{LogError, LogKey};

/// Why a text is no signed note, or a line no signature line. Whoever wrote it is at fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct NoteError(pub(crate) &'static str);

/// A note as it is written: nothing in it is verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedNote {
    /// What is signed, with its last line feed.
    pub text: String,
    /// Who signed, as they say.
    pub lines: Vec<SignatureLine>,
}

/// One signature line.
#[derive(Clone, PartialEq, Eq)]
pub struct SignatureLine {
    /// Name of the key.
    pub name: String,
    /// Which of the keys with this name ([`crate::cosign::VerifierKey::id`]).
    pub id: [u8; 4],
    /// What stands behind the key's id.
    pub signature: Vec<u8>,
}

impl SignedNote {
    /// Reads a note: at most [`SignedNote::LARGEST`] bytes and [`SignedNote::MOST_LINES`] lines, and
    /// no key twice (c2sp.org/tlog-checkpoint §Signatures).
    pub fn read(note: &str) -> Result<Self, NoteError> {
        if note.len() > Self::LARGEST {
            return Err(NoteError("the note is too large"));
        }
        if note.chars().any(|c| c < ' ' && c != '\n') {
            return Err(NoteError("the note has a control character"));
        }
        let blank = note.rfind("\n\n").ok_or(NoteError("the note has no empty line"))?;
        let (text, signatures) = (&note[..=blank], &note[blank + 2..]);
        let signatures =
            signatures.strip_suffix('\n').ok_or(NoteError("the note's last line has no end"))?;
        let mut lines: Vec<SignatureLine> = Vec::new();
        for line in signatures.split('\n') {
            let line: SignatureLine = line.parse()?;
            if lines.len() == Self::MOST_LINES {
                return Err(NoteError("the note has too many signature lines"));
            }
            if lines.iter().any(|other| (&other.name, other.id) == (&line.name, line.id)) {
                return Err(NoteError("a key signed the note twice"));
            }
            lines.push(line);
        }
        Ok(Self { text: text.to_owned(), lines })
    }

    /// 128 members with both kinds of cosignature have room.
    pub const LARGEST: usize = 512 * 1024;
    /// Two for each of as many members as a policy may name.
    pub const MOST_LINES: usize = 256;
}

impl fmt::Display for SignedNote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.text)?;
        self.lines.iter().try_for_each(|line| writeln!(f, "{line}"))
    }
}

impl SignatureLine {
    /// The time in it, if it is a timestamped signature (c2sp.org/tlog-cosignature §Format).
    pub(crate) fn timestamped(&self) -> Option<(u64, &[u8])> {
        let (time, signature) = self.signature.split_first_chunk::<8>()?;
        Some((u64::from_be_bytes(*time), signature))
    }
}

/// The line without its line feed.
impl fmt::Display for SignatureLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let whole = [&self.id, &self.signature[..]].concat();
        write!(f, "\u{2014} {} {}", self.name, STANDARD.encode(whole))
    }
}

impl FromStr for SignatureLine {
    type Err = NoteError;

    fn from_str(line: &str) -> Result<Self, NoteError> {
        let wrong = NoteError("a signature line is not of the form of a signed note");
        let (name, signature) =
            line.strip_prefix("\u{2014} ").and_then(|rest| rest.split_once(' ')).ok_or(wrong)?;
        if !is_key_name(name) {
            return Err(wrong);
        }
        let whole = STANDARD.decode(signature).map_err(|_| wrong)?;
        let (id, signature) = whole.split_first_chunk::<4>().ok_or(wrong)?;
        Ok(Self { name: name.to_owned(), id: *id, signature: signature.to_vec() })
    }
}

impl fmt::Debug for SignatureLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SignatureLine({})", self.name)
    }
}

/// Whether a key may have this name: not empty, without spaces, plus signs and control characters.
pub(crate) fn is_key_name(name: &str) -> bool {
    !name.is_empty() && !name.contains(|c: char| c.is_whitespace() || c.is_control() || c == '+')
}

/// The signed note of a country's own log.
pub(crate) fn sign(checkpoint: &Checkpoint, key: &LogKey) -> Result<String, LogError> {
    let signature = key.sign(checkpoint.body().as_bytes())?;
    Ok(checkpoint.note(key.public(), &signature))
}

#[cfg(test)]
mod tests;
