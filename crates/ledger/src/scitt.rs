//! COSE receipts (RFC 9942): the word of one member that an entry stands in the shared log, for
//! readers of SCITT and COSE who know no C2SP.
//!
//! A tagged `COSE_Sign1` (§5.2) whose detached payload is the tree's root and which carries the inclusion proof: who
//! has the entry computes the root and verifies the signature over it. One member, no quorum: weaker
//! than a [`crate::proof::Proof`], and said so to whoever reads it.

use std::fmt;
use std::sync::Arc;

use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ED25519, UnparsedPublicKey, VerificationAlgorithm,
};
use ciborium::value::Value;
use coset::{
    CoseSign1, CoseSign1Builder, Header, Label, RegisteredLabelWithPrivate,
    TaggedCborSerializable as _, iana,
};
use trust::private::Holder;
use trust::seal::Scheme;

use crate::checkpoint::Checkpoint;
use crate::tree::{leaf_hash, root_of_inclusion};

/// A member's public key for receipts.
#[derive(Clone, PartialEq, Eq)]
pub struct ReceiptKey {
    /// How receipts name it; for seals SHA-256 of the certificate.
    pub kid: Vec<u8>,
    /// ES256 or EdDSA.
    pub algorithm: Algorithm,
    /// Uncompressed point, or the 32 bytes of Ed25519.
    pub public: Vec<u8>,
}

/// How a member signs receipts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Algorithm {
    /// ECDSA P-256 with SHA-256 (RFC 9053 §2.1): seals, also in an HSM.
    Es256,
    /// Ed25519 (RFC 9053 §2.2): cosigner keys.
    EdDsa,
}

/// A member that gives receipts.
pub struct Receiver {
    key: ReceiptKey,
    holder: Arc<dyn Holder>,
}

/// What a receipt says, verified: only [`verify`] makes one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Received {
    /// The log.
    pub origin: String,
    /// When, in seconds since 1970, as the member says.
    pub time: u64,
    /// Place of the entry.
    pub index: u64,
    /// Entries in the tree.
    pub size: u64,
    /// The tree's root.
    pub root: [u8; 32],
    /// Who signed.
    pub kid: Vec<u8>,
}

/// Why there is no receipt, or why it is not believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ReceiptError {
    /// Not a receipt of a log as RFC 9942 §5.2 has it.
    #[error("cose receipt is malformed: {0}")]
    Malformed(&'static str),
    /// By somebody whom the reader does not know.
    #[error("cose receipt is by a key that the reader does not expect")]
    Signer,
    /// Another entry, another place, or a wrong signature: with a detached payload they are one.
    #[error("cose receipt does not hold for this entry")]
    Signature,
    /// A tree of one leaf has no inclusion proof that RFC 9942 can write (§5.2: at least one hash).
    #[error("a tree of one entry has no cose receipt")]
    OneLeaf,
    /// Who holds the key does not sign.
    #[error("the holder of the receipts' key does not sign")]
    Key,
}

impl Receiver {
    /// A key and who holds its private half.
    pub fn new(key: ReceiptKey, holder: Arc<dyn Holder>) -> Self {
        Self { key, holder }
    }

    /// The public half.
    pub fn key(&self) -> &ReceiptKey {
        &self.key
    }

    /// The receipt of an entry: its place and proof in the tree of this checkpoint.
    pub fn receipt(
        &self,
        checkpoint: &Checkpoint,
        index: u64,
        path: &[[u8; 32]],
        time: u64,
    ) -> Result<Vec<u8>, ReceiptError> {
        if path.is_empty() {
            return Err(ReceiptError::OneLeaf);
        }
        let hashes = path.iter().map(|hash| Value::Bytes(hash.to_vec())).collect();
        let proof = [checkpoint.size.into(), index.into(), Value::Array(hashes)].to_vec();
        let mut inclusion = Vec::new();
        ciborium::into_writer(&Value::Array(proof), &mut inclusion)
            .map_err(|_| ReceiptError::Malformed("it cannot be written"))?;
        let claims = Value::Map(vec![
            (ISSUER.into(), Value::Text(checkpoint.origin.clone())),
            (ISSUED_AT.into(), time.into()),
        ]);
        let protected = Header {
            alg: Some(RegisteredLabelWithPrivate::Assigned(self.key.algorithm.cose())),
            key_id: self.key.kid.clone(),
            rest: vec![(Label::Int(CWT_CLAIMS), claims), (Label::Int(VDS), RFC9162_SHA256.into())],
            ..Header::default()
        };
        let proofs =
            Value::Map(vec![(INCLUSION.into(), Value::Array(vec![Value::Bytes(inclusion)]))]);
        let unprotected = Header { rest: vec![(Label::Int(VDP), proofs)], ..Header::default() };
        let sign = |message: &[u8]| self.holder.sign(self.key.algorithm.scheme(), message);
        CoseSign1Builder::new()
            .protected(protected)
            .unprotected(unprotected)
            .try_create_detached_signature(&checkpoint.root, b"", |message| {
                sign(message).ok_or(ReceiptError::Key)
            })?
            .build()
            .to_tagged_vec()
            .map_err(|_| ReceiptError::Malformed("it cannot be written"))
    }
}

/// Verifies that the entry stands in the log, by the word of one of these members.
pub fn verify(receipt: &[u8], entry: &[u8], keys: &[ReceiptKey]) -> Result<Received, ReceiptError> {
    let wrong = ReceiptError::Malformed;
    if receipt.len() > LARGEST {
        return Err(wrong("it is too large"));
    }
    let message =
        CoseSign1::from_tagged_slice(receipt).map_err(|_| wrong("it is no COSE_Sign1"))?;
    let exact = message.clone().to_tagged_vec().is_ok_and(|again| again == receipt);
    if !exact || message.payload.is_some() {
        return Err(wrong("it is written in another way"));
    }
    let header = &message.protected.header;
    let key = keys.iter().find(|key| key.kid == header.key_id).ok_or(ReceiptError::Signer)?;
    if header.alg != Some(RegisteredLabelWithPrivate::Assigned(key.algorithm.cose())) {
        return Err(wrong("its algorithm is not that of its key"));
    }
    if !header.crit.is_empty() || value(header, VDS)?.as_integer() != Some(RFC9162_SHA256.into()) {
        return Err(wrong("it is not of a log of RFC 9162"));
    }
    let claims = value(header, CWT_CLAIMS)?;
    let origin =
        entry_of(claims, ISSUER).and_then(Value::as_text).ok_or(wrong("it names no log"))?;
    let time = entry_of(claims, ISSUED_AT).and_then(unsigned).ok_or(wrong("it has no time"))?;
    let (size, index, path) = inclusion(value(&message.unprotected, VDP)?)
        .ok_or(wrong("it has not one inclusion proof"))?;
    let root =
        root_of_inclusion(leaf_hash(entry), index, size, &path).ok_or(ReceiptError::Signature)?;
    let verified = message.verify_detached_signature(&root, b"", |signature, data| {
        UnparsedPublicKey::new(key.algorithm.verification(), &key.public).verify(data, signature)
    });
    verified.map_err(|_| ReceiptError::Signature)?;
    let (origin, kid) = (origin.to_owned(), key.kid.clone());
    Ok(Received { origin, time, index, size, root, kid })
}

/// Size, index and path of the one inclusion proof (RFC 9942 §5.2).
fn inclusion(proofs: &Value) -> Option<(u64, u64, Vec<[u8; 32]>)> {
    let [proof] = &entry_of(proofs, INCLUSION)?.as_array()?[..] else { return None };
    let proof: Value = ciborium::from_reader(&proof.as_bytes()?[..]).ok()?;
    let [size, index, path] = &proof.as_array()?[..] else { return None };
    let path = path.as_array().filter(|path| (1..=64).contains(&path.len()))?;
    let hashes = path.iter().map(|hash| hash.as_bytes()?.as_slice().try_into().ok());
    Some((unsigned(size)?, unsigned(index)?, hashes.collect::<Option<_>>()?))
}

fn value(header: &Header, label: i64) -> Result<&Value, ReceiptError> {
    let found = header.rest.iter().find(|row| row.0 == Label::Int(label));
    found.map(|row| &row.1).ok_or(ReceiptError::Malformed("a header is missing"))
}

fn entry_of(map: &Value, label: i64) -> Option<&Value> {
    let found = map.as_map()?.iter().find(|row| row.0.as_integer() == Some(label.into()));
    found.map(|row| &row.1)
}

fn unsigned(value: &Value) -> Option<u64> {
    value.as_integer()?.try_into().ok()
}

impl Algorithm {
    fn cose(self) -> iana::Algorithm {
        match self {
            Self::Es256 => iana::Algorithm::ES256,
            Self::EdDsa => iana::Algorithm::EdDSA,
        }
    }

    fn scheme(self) -> Scheme {
        match self {
            Self::Es256 => Scheme::Es256,
            Self::EdDsa => Scheme::Ed25519,
        }
    }

    fn verification(self) -> &'static dyn VerificationAlgorithm {
        match self {
            Self::Es256 => &ECDSA_P256_SHA256_FIXED,
            Self::EdDsa => &ED25519,
        }
    }
}

impl fmt::Debug for ReceiptKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ReceiptKey({:?})", self.algorithm)
    }
}

/// RFC 9942 §5: verifiable data structure, its proofs, RFC 9162's tree, inclusion proofs.
const VDS: i64 = 395;
const VDP: i64 = 396;
const RFC9162_SHA256: i64 = 1;
const INCLUSION: i64 = -1;
/// RFC 9597; RFC 8392 §3.1.
const CWT_CLAIMS: i64 = 15;
const ISSUER: i64 = 1;
const ISSUED_AT: i64 = 6;
/// A path of 64 hashes has half of it.
const LARGEST: usize = 8192;

#[cfg(test)]
mod tests;
