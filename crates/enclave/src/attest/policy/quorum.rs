//! Who signs policies: k of n release keys, Ed25519, as a signed note (C2SP signed-note): the text,
//! an empty line, and one line for each signature.

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, UnparsedPublicKey};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::document::PolicyFault;
use crate::attest::reason::{Reason, Refusal};

/// The release keys that an operator pinned, and how many of them must sign.
#[derive(Debug, Clone)]
pub struct ReleaseKeys {
    threshold: usize,
    /// (name, key), no key twice
    keys: Vec<(String, [u8; 32])>,
}

impl ReleaseKeys {
    /// `None` unless the threshold can be met and is not zero, names are fit for a note, and no key
    /// and no name comes twice.
    pub fn new(threshold: usize, keys: Vec<(String, [u8; 32])>) -> Option<Self> {
        let fit = |name: &str| {
            !name.is_empty()
                && name.len() <= 64
                && !name.contains(|c: char| c.is_whitespace() || c == '+')
        };
        let once = |at: usize| {
            let (name, key) = &keys[at];
            fit(name) && keys[..at].iter().all(|other| other.0 != *name && other.1 != *key)
        };
        let sound = (1..=keys.len()).contains(&threshold) && (0..keys.len()).all(once);
        sound.then_some(Self { threshold, keys })
    }

    /// Reads the operator's list: `threshold 2`, then `name base64` of one Ed25519 key a line; empty
    /// lines and lines that begin with `#` are left out.
    pub fn parse(text: &str) -> Option<Self> {
        Self::read(text).ok()
    }

    /// The same, and says what is wrong.
    pub fn read(text: &str) -> Result<Self, PolicyFault> {
        let (mut threshold, mut keys, mut at) = (None, Vec::new(), 0);
        for line in text.split_inclusive('\n') {
            let span = at..at + line.trim_end().len();
            at += line.len();
            let line = line.trim();
            let wrong = |what: &str, next: &str| PolicyFault::new(what, next).at(span.clone());
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            if threshold.is_none() {
                let number = line.strip_prefix("threshold ").and_then(|n| n.trim().parse().ok());
                threshold = Some(number.ok_or_else(|| {
                    wrong("no threshold", "begin with \"threshold K\": how many must sign")
                })?);
                continue;
            }
            let (name, key) = line
                .split_once(' ')
                .and_then(|(name, key)| {
                    let key = STANDARD.decode(key.trim()).ok()?.try_into().ok()?;
                    Some((name.to_owned(), key))
                })
                .ok_or_else(|| {
                    let next = "write \"NAME BASE64\", as `konfido attest policy keygen` prints it";
                    wrong("no name and Ed25519 key", next)
                })?;
            if keys.iter().any(|other: &(String, [u8; 32])| other.0 == name || other.1 == key) {
                return Err(wrong("this name or this key comes twice", "leave one of them out"));
            }
            keys.push((name, key));
        }
        let (threshold, count) = (threshold.unwrap_or(0), keys.len());
        Self::new(threshold, keys).ok_or_else(|| {
            let what = format!("{threshold} of {count} keys cannot sign");
            let next = "the threshold is at least 1 and at most the number of keys; a name has at \
                        most 64 characters, no space and no plus sign";
            PolicyFault::new(what, next).at(0..text.trim_end().len())
        })
    }

    /// How many must sign.
    pub fn threshold(&self) -> usize {
        self.threshold
    }

    /// Names of those who may.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.keys.iter().map(|(name, _)| name.as_str())
    }

    /// Adds the signature of the holder of this key to a policy's text, signed by others or by nobody
    /// yet. Who signed it before is not asked again.
    pub fn signed(&self, note: &str, key: &Ed25519KeyPair) -> Result<String, Refusal> {
        use aws_lc_rs::signature::KeyPair as _;
        let public = key.public_key().as_ref();
        let Some((name, _)) = self.keys.iter().find(|row| row.1 == public) else {
            return Err(Refusal::new(Reason::PolicyQuorum, "this key is not a release key"));
        };
        let gathered = self.gathered(note)?;
        if gathered.signers.contains(name) {
            return Ok(note.to_owned());
        }
        if !gathered.text.ends_with('\n') {
            return Err(Refusal::new(Reason::PolicyMalformed, "its last line is not ended"));
        }
        Ok(gathered.with(&Self::signature_line(gathered.text, name, key)))
    }

    /// Takes the signatures of another copy of the same text over into this one.
    pub fn joined(&self, note: &str, copy: &str) -> Result<String, Refusal> {
        let (ours, theirs) = (self.gathered(note)?, self.gathered(copy)?);
        if ours.text != theirs.text {
            return Err(Refusal::new(Reason::PolicyQuorum, "the copies do not say the same"));
        }
        let new = theirs.lines.split_inclusive('\n').filter(|line| !ours.lines.contains(line));
        Ok(ours.with(&new.collect::<String>()))
    }

    /// The text of a policy and who of ours signed it, few as they may be. A wrong signature by one
    /// of ours refuses it: the text was changed.
    pub fn gathered<'a>(&self, note: &'a str) -> Result<Gathered<'a>, Refusal> {
        let (text, lines) = split(note);
        let signers = if lines.is_empty() { Vec::new() } else { self.signers(text, lines)? };
        Ok(Gathered { text, lines, signers })
    }

    /// The line that one holder of a release key adds under a policy's text and its empty line.
    pub fn signature_line(text: &str, name: &str, key: &Ed25519KeyPair) -> String {
        use aws_lc_rs::signature::KeyPair as _;
        let public = key.public_key().as_ref().try_into().expect("because the key has 32 bytes");
        let signature = [&key_id(name, public)[..], key.sign(text.as_bytes()).as_ref()].concat();
        format!("\u{2014} {name} {}\n", STANDARD.encode(signature))
    }

    /// The text, if enough of the keys signed it, and the names of those that did. Signatures by
    /// other keys are left out of account; a wrong signature by one of ours refuses all.
    pub(super) fn open<'a>(&self, signed: &'a [u8]) -> Result<(&'a str, Vec<String>), Refusal> {
        if signed.len() > MAX_POLICY {
            return Err(Refusal::new(Reason::TooLarge, "policy"));
        }
        let malformed = |what: &str| Refusal::new(Reason::PolicyMalformed, what);
        let note = std::str::from_utf8(signed).map_err(|_| malformed("not UTF-8"))?;
        let end = note.rfind("\n\n").ok_or_else(|| malformed("no signatures"))?;
        let (text, lines) = (&note[..=end], &note[end + 2..]);
        if !lines.ends_with('\n') || lines.ends_with("\n\n") {
            return Err(malformed("last line"));
        }
        let signers = self.signers(text, lines)?;
        if signers.len() < self.threshold {
            let detail = format!("{} of {} needed", signers.len(), self.threshold);
            return Err(Refusal::new(Reason::PolicyQuorum, detail));
        }
        Ok((text, signers))
    }

    /// Who of ours signed a text, each once.
    fn signers(&self, text: &str, lines: &str) -> Result<Vec<String>, Refusal> {
        let malformed = |what: &str| Refusal::new(Reason::PolicyMalformed, what);
        let mut signers: Vec<String> = Vec::new();
        for (number, line) in lines.trim_end_matches('\n').split('\n').enumerate() {
            if number >= MAX_SIGNATURES {
                return Err(malformed("more signatures than any release has"));
            }
            let (name, id, signature) = parse(line).ok_or_else(|| malformed("signature line"))?;
            let ours = |row: &&(String, [u8; 32])| row.0 == name && key_id(name, &row.1) == id;
            let Some((name, key)) = self.keys.iter().find(ours) else { continue };
            UnparsedPublicKey::new(&ED25519, key)
                .verify(text.as_bytes(), &signature)
                .map_err(|_| Refusal::new(Reason::PolicyQuorum, format!("signature by {name}")))?;
            if !signers.contains(name) {
                signers.push(name.clone());
            }
        }
        Ok(signers)
    }
}

/// A policy's text with the signatures that it has so far.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gathered<'a> {
    /// What is signed.
    pub text: &'a str,
    lines: &'a str,
    /// Names of the release keys whose signatures are good.
    pub signers: Vec<String>,
}

impl<'a> Gathered<'a> {
    /// The text alone; nobody's signature is looked at.
    pub fn unread(note: &'a str) -> Self {
        let (text, lines) = split(note);
        Self { text, lines, signers: Vec::new() }
    }

    fn with(&self, more: &str) -> String {
        let end = if self.lines.is_empty() || self.lines.ends_with('\n') { "" } else { "\n" };
        format!("{}\n{}{end}{more}", self.text, self.lines)
    }
}

/// The text and the lines of signatures under it; a policy that nobody signed yet has none.
fn split(note: &str) -> (&str, &str) {
    let signed = |end: &usize| {
        let lines = &note[end + 2..];
        !lines.is_empty() && lines.lines().all(|line| parse(line).is_some())
    };
    let end = note.rfind("\n\n").filter(signed);
    end.map_or((note, ""), |end| (&note[..=end], &note[end + 2..]))
}

fn parse(line: &str) -> Option<(&str, [u8; 4], [u8; 64])> {
    let (name, encoded) = line.strip_prefix("\u{2014} ")?.split_once(' ')?;
    let bytes = STANDARD.decode(encoded).ok()?;
    let (id, signature) = bytes.split_first_chunk::<4>()?;
    Some((name, *id, signature.try_into().ok()?))
}

/// The first four bytes of SHA-256(name, 0x0a, 0x01, key): C2SP signed-note, "Ed25519".
fn key_id(name: &str, key: &[u8; 32]) -> [u8; 4] {
    let hash = digest(&SHA256, &[name.as_bytes(), &[0x0a, 0x01], key].concat());
    hash.as_ref()[..4].try_into().expect("because SHA-256 has 32 bytes")
}

/// Some hundred machines and releases.
pub(super) const MAX_POLICY: usize = 256 << 10;
const MAX_SIGNATURES: usize = 32;
