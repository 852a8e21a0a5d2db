//! Who signs policies: k of n release keys, Ed25519, as a signed note (C2SP signed-note): the text,
//! an empty line, and one line for each signature.

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, UnparsedPublicKey};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

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
        let mut lines =
            text.lines().map(str::trim).filter(|l| !l.is_empty() && !l.starts_with('#'));
        let threshold = lines.next()?.strip_prefix("threshold ")?.parse().ok()?;
        let keys = lines.map(|line| {
            let (name, key) = line.split_once(' ')?;
            Some((name.to_owned(), STANDARD.decode(key.trim()).ok()?.try_into().ok()?))
        });
        Self::new(threshold, keys.collect::<Option<_>>()?)
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
        let lines = lines.strip_suffix('\n').ok_or_else(|| malformed("last line"))?;
        let mut signers: Vec<String> = Vec::new();
        for (number, line) in lines.split('\n').enumerate() {
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
        if signers.len() < self.threshold {
            let detail = format!("{} of {} needed", signers.len(), self.threshold);
            return Err(Refusal::new(Reason::PolicyQuorum, detail));
        }
        Ok((text, signers))
    }
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
