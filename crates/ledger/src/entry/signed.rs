//! A `COSE_Sign` (RFC 9052 §4.1) in the one encoding that `trust::cose` writes: no outer header, each
//! signature with algorithm and `kid` in its protected header and nothing else.

use std::ops::Range;

use crate::entry::cbor::{Cursor, put_bytes};
use crate::member::key::{Algorithm, Kid};

/// A `COSE_Sign` in form; its signatures are still to be verified.
#[derive(Clone, PartialEq, Eq)]
pub struct Signed {
    bytes: Vec<u8>,
    payload: Range<usize>,
    signatures: Vec<Signature>,
}

/// One of its signatures.
#[derive(Clone, PartialEq, Eq)]
pub struct Signature {
    /// SHA-256 fingerprint of the seal certificate.
    pub kid: Kid,
    /// How it was made.
    pub algorithm: Algorithm,
    protected: Range<usize>,
    value: Range<usize>,
}

impl Signed {
    /// Reads at most `most` bytes with at most `signers` signatures; no two by one certificate.
    pub(crate) fn read(bytes: &[u8], most: usize, signers: usize) -> Option<Self> {
        if bytes.len() > most {
            return None;
        }
        let mut cursor = Cursor::new(bytes);
        // an array of four; no outer header
        cursor.literal(&[0x84, 0x40, 0xa0])?;
        let payload = cursor.bytes()?;
        let count = cursor.array().filter(|count| (1..=signers).contains(count))?;
        let mut signatures: Vec<Signature> = Vec::with_capacity(count);
        for _ in 0..count {
            let next = signature(&mut cursor, bytes)?;
            if signatures.iter().any(|other| other.kid == next.kid) {
                return None;
            }
            signatures.push(next);
        }
        cursor.is_done().then(|| Self { bytes: bytes.to_vec(), payload, signatures })
    }

    /// The bytes.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// What was signed.
    pub fn payload(&self) -> &[u8] {
        &self.bytes[self.payload.clone()]
    }

    /// The signatures in their order.
    pub fn signatures(&self) -> &[Signature] {
        &self.signatures
    }

    /// The value of a signature of this message.
    pub fn value(&self, signature: &Signature) -> &[u8] {
        &self.bytes[signature.value.clone()]
    }

    /// What a signature of this message signs (RFC 9052 §4.4), appended to `out`.
    pub fn signed_bytes(&self, signature: &Signature, external: &[u8], out: &mut Vec<u8>) {
        out.extend_from_slice(STRUCTURE);
        put_bytes(out, &self.bytes[signature.protected.clone()]);
        put_bytes(out, external);
        put_bytes(out, self.payload());
    }
}

impl std::fmt::Debug for Signed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Signed({} bytes, {} signatures)", self.bytes.len(), self.signatures.len())
    }
}

fn signature(cursor: &mut Cursor<'_>, bytes: &[u8]) -> Option<Signature> {
    cursor.literal(&[0x83])?;
    let protected = cursor.bytes()?;
    cursor.literal(&[0xa0])?;
    let value = cursor.bytes()?;
    let (algorithm, kid) = header(&bytes[protected.clone()])?;
    algorithm.lengths().contains(&value.len()).then_some(Signature {
        kid,
        algorithm,
        protected,
        value,
    })
}

/// `{1: algorithm, 4: kid}`.
fn header(protected: &[u8]) -> Option<(Algorithm, Kid)> {
    let rest = protected.strip_prefix(&[0xa2, 0x01])?;
    Algorithm::ALL.into_iter().find_map(|algorithm| {
        let rest = rest.strip_prefix(algorithm.cbor())?;
        let kid = rest.strip_prefix(&[0x04, 0x58, 0x20])?;
        Some((algorithm, kid.try_into().ok()?))
    })
}

/// An array of five, "Signature", and the outer header, which is empty.
const STRUCTURE: &[u8] = b"\x85\x69Signature\x40";
