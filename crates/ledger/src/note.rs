//! C2SP signed notes and checkpoints (c2sp.org/signed-note, c2sp.org/tlog-checkpoint), Ed25519.

use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::tree::Hash;

/// A checkpoint: whose log, how many leaves, which root.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Checkpoint {
    pub(crate) origin: String,
    pub(crate) size: u64,
    pub(crate) root: Hash,
}

impl Checkpoint {
    fn body(&self) -> String {
        format!("{}\n{}\n{}\n", self.origin, self.size, STANDARD.encode(self.root))
    }

    /// The signed note.
    pub(crate) fn sign(&self, key: &Ed25519KeyPair) -> String {
        let body = self.body();
        let public = key.public_key().as_ref();
        let mut signature = key_id(&self.origin, public).to_vec();
        signature.extend_from_slice(key.sign(body.as_bytes()).as_ref());
        format!("{body}\n\u{2014} {} {}\n", self.origin, STANDARD.encode(signature))
    }

    /// Verifies a signed note by this key; other signatures are ignored, as C2SP says.
    pub(crate) fn verify(note: &str, public: &[u8]) -> Option<Self> {
        let (body, signatures) = note.split_once("\n\n")?;
        let body = format!("{body}\n");
        let mut lines = body.lines();
        let (origin, size, root) = (lines.next()?, lines.next()?, lines.next()?);
        let root = STANDARD.decode(root).ok()?.try_into().ok()?;
        let checkpoint = Self { origin: origin.to_owned(), size: size.parse().ok()?, root };
        let id = key_id(origin, public);
        let verified = signatures.lines().any(|line| {
            let signature = line.strip_prefix("\u{2014} ").and_then(|l| l.strip_prefix(origin)).and_then(|l| l.strip_prefix(' '));
            let signature = signature.and_then(|text| STANDARD.decode(text).ok()).unwrap_or_default();
            signature.strip_prefix(&id).is_some_and(|signature| {
                UnparsedPublicKey::new(&ED25519, public).verify(body.as_bytes(), signature).is_ok()
            })
        });
        (verified && checkpoint.body() == body).then_some(checkpoint)
    }
}

/// First four bytes of `SHA-256(name || "\n" || 0x01 || key)`.
fn key_id(name: &str, public: &[u8]) -> [u8; 4] {
    let mut digest = aws_lc_rs::digest::Context::new(&aws_lc_rs::digest::SHA256);
    digest.update(name.as_bytes());
    digest.update(b"\n\x01");
    digest.update(public);
    digest.finish().as_ref()[..4].try_into().expect("because SHA-256 has 32 bytes")
}
