//! Verifier keys (c2sp.org/signed-note §Verifier keys), and what a signature of each kind covers.

use std::fmt;
use std::str::FromStr;

use aws_lc_rs::signature::{ED25519, ML_DSA_44, UnparsedPublicKey, VerificationAlgorithm};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::checkpoint::Checkpoint;
use crate::evidence::sha256;
use crate::note::{SignatureLine, is_key_name};

/// Kinds of signature on a checkpoint, by their byte.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// `0x01`: Ed25519 over the text, by the log itself (c2sp.org/signed-note §Ed25519 signatures).
    Log,
    /// `0x04`: Ed25519 over time and text, `cosignature/v1` (c2sp.org/tlog-cosignature §Ed25519
    /// signed message).
    Ed25519,
    /// `0x06`: ML-DSA-44 over name, time, origin, size and root, `subtree/v1`
    /// (c2sp.org/tlog-cosignature §ML-DSA-44 signed message). Extension lines are not covered.
    MlDsa44,
}

/// Byte, length of the public key, length of the signature, name for people.
const KINDS: [(Kind, u8, usize, usize, &str); 3] = [
    (Kind::Log, 0x01, 32, 64, "Ed25519"),
    (Kind::Ed25519, 0x04, 32, 64, "Ed25519 cosignature"),
    (Kind::MlDsa44, 0x06, 1312, 2420, "ML-DSA-44 cosignature"),
];

impl Kind {
    /// The kind of this byte.
    pub fn of(byte: u8) -> Option<Self> {
        KINDS.iter().find(|row| row.1 == byte).map(|row| row.0)
    }

    /// The byte of this kind.
    pub fn byte(self) -> u8 {
        self.row().1
    }

    fn row(self) -> &'static (Self, u8, usize, usize, &'static str) {
        KINDS.iter().find(|row| row.0 == self).expect("because each kind has a row")
    }
}

/// For people.
impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.row().4)
    }
}

/// Why a text is no verifier key, or a signature not by it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// Not `<name>+<id>+<base64 of kind and key>`.
    #[error("it is not a verifier key of the form <name>+<8 hexadecimal digits>+<base64>")]
    Form,
    /// The digits are not those of name and key: a slip of the pen, or a key put in another's place.
    #[error("the verifier key's id is not that of its name and key")]
    Id,
    /// A kind or length that we do not know.
    #[error("the verifier key is of a kind that is not known here (known are 01, 04 and 06)")]
    Kind,
    /// The line is by another key.
    #[error("the signature line is by another key")]
    Other,
    /// The signature does not verify.
    #[error("the signature is wrong")]
    Signature,
}

/// A public key that signs checkpoints, with its name and kind.
#[derive(Clone, PartialEq, Eq)]
pub struct VerifierKey {
    name: String,
    kind: Kind,
    public: Vec<u8>,
    id: [u8; 4],
}

impl VerifierKey {
    /// A key from its parts.
    pub fn new(name: &str, kind: Kind, public: &[u8]) -> Result<Self, KeyError> {
        if !is_key_name(name) {
            return Err(KeyError::Form);
        }
        if public.len() != kind.row().2 {
            return Err(KeyError::Kind);
        }
        let named = [name.as_bytes(), &[b'\n', kind.byte()], public].concat();
        let digest = sha256(&named);
        let id = [digest[0], digest[1], digest[2], digest[3]];
        Ok(Self { name: name.to_owned(), kind, public: public.to_vec(), id })
    }

    /// Its name; of a log, the origin of its checkpoints.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What it signs, and how.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// The key itself.
    pub fn public(&self) -> &[u8] {
        &self.public
    }

    /// The first four bytes of `SHA-256(name || 0x0a || kind || key)`.
    pub fn id(&self) -> [u8; 4] {
        self.id
    }

    /// Whether the line claims to be by this key.
    pub fn is_named_by(&self, line: &SignatureLine) -> bool {
        (line.id, line.name.as_str()) == (self.id, self.name.as_str())
    }

    /// Verifies one line and gives the time in it, if it states one.
    pub fn verify(
        &self,
        checkpoint: &Checkpoint,
        line: &SignatureLine,
    ) -> Result<Option<u64>, KeyError> {
        if !self.is_named_by(line) {
            return Err(KeyError::Other);
        }
        let (time, signature) = match self.kind {
            Kind::Log => (0, &line.signature[..]),
            Kind::Ed25519 | Kind::MlDsa44 => line.timestamped().ok_or(KeyError::Signature)?,
        };
        let message = self.message(checkpoint, time).ok_or(KeyError::Signature)?;
        let algorithm: &'static dyn VerificationAlgorithm = match self.kind {
            Kind::Log | Kind::Ed25519 => &ED25519,
            Kind::MlDsa44 => &ML_DSA_44,
        };
        let exact = signature.len() == self.kind.row().3;
        let key = UnparsedPublicKey::new(algorithm, &self.public);
        let verified = exact && key.verify(&message, signature).is_ok();
        if verified { Ok((time != 0).then_some(time)) } else { Err(KeyError::Signature) }
    }

    /// What this key signs; `None` for what cannot be written down.
    pub(super) fn message(&self, checkpoint: &Checkpoint, time: u64) -> Option<Vec<u8>> {
        if i64::try_from(time).is_err() {
            return None;
        }
        let body = checkpoint.body();
        match self.kind {
            Kind::Log => Some(body.into_bytes()),
            Kind::Ed25519 => Some(format!("cosignature/v1\ntime {time}\n{body}").into_bytes()),
            Kind::MlDsa44 => {
                let mut message = SUBTREE.to_vec();
                message.push(u8::try_from(self.name.len()).ok()?);
                message.extend_from_slice(self.name.as_bytes());
                message.extend_from_slice(&time.to_be_bytes());
                message.push(u8::try_from(checkpoint.origin.len()).ok()?);
                message.extend_from_slice(checkpoint.origin.as_bytes());
                message.extend_from_slice(&0_u64.to_be_bytes());
                message.extend_from_slice(&checkpoint.size.to_be_bytes());
                message.extend_from_slice(&checkpoint.root);
                Some(message)
            }
        }
    }
}

const SUBTREE: &[u8; 12] = b"subtree/v1\n\0";

/// `<name>+<id>+<base64 of kind and key>`.
impl fmt::Display for VerifierKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let id = u32::from_be_bytes(self.id);
        let key = STANDARD.encode([&[self.kind.byte()], &self.public[..]].concat());
        write!(f, "{}+{id:08x}+{key}", self.name)
    }
}

impl fmt::Debug for VerifierKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "VerifierKey({}+{:08x}, {})", self.name, u32::from_be_bytes(self.id), self.kind)
    }
}

impl FromStr for VerifierKey {
    type Err = KeyError;

    fn from_str(text: &str) -> Result<Self, KeyError> {
        let mut parts = text.splitn(3, '+');
        let (Some(name), Some(id), Some(key)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(KeyError::Form);
        };
        if id.len() != 8 || !id.bytes().all(|b| b.is_ascii_hexdigit()) {
            return Err(KeyError::Form);
        }
        let key = STANDARD.decode(key).map_err(|_| KeyError::Form)?;
        let (kind, public) = key.split_first().ok_or(KeyError::Form)?;
        let read = Self::new(name, Kind::of(*kind).ok_or(KeyError::Kind)?, public)?;
        let same = u32::from_str_radix(id, 16) == Ok(u32::from_be_bytes(read.id));
        if same { Ok(read) } else { Err(KeyError::Id) }
    }
}
