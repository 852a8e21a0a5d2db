//! Strict mode, for exchanges that can wait: document against receipt, with the ledger as the judge.
//!
//! 1. P sends the document encrypted, and posts an [`Offer`]: digest of the ciphertext, commitment to
//!    its key, whose key it will be sealed to, and a height by which R must answer.
//! 2. R, who has the ciphertext, posts a [`Receipt`] of that offer.
//! 3. P posts the [`Release`]: the key, sealed to R's vault. If it does not within the ledger's
//!    `key_blocks`, the ledger records its default; without a receipt the offer lapses.
//!
//! No third party is needed, and none learns the key. A key that does not open the ciphertext shows
//! against the offer's commitment ([`key_commitment`]) in R's vault; nobody else can tell yet.

mod statement;

use aws_lc_rs::digest::{Context, SHA256};
use exchange::{Country, Transaction, TransactionId};
use serde::{Deserialize, Serialize};
use trust::cose;
use trust::seal::SealKey;
use zeroize::Zeroizing;

use crate::commitment::Bytes32;
use crate::entry::signed::Signed;
use crate::entry::{Entry, EntryError, Kind, TxId};
use crate::evidence::{decode, encode, sha256};
use crate::form::MAX_SIGNED;
use crate::member::raw::Raw as Sealed;
use crate::tree::Hash;
use statement::{AboutStatement, OfferStatement, ReleaseStatement};

/// What P commits itself to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Terms {
    /// Number of the exchange.
    pub txid: TransactionId,
    /// Which IHE transaction.
    pub transaction: Transaction,
    /// R: country of treatment.
    pub requester: Country,
    /// P: country of affiliation.
    pub provider: Country,
    /// SHA-256 of the encrypted document.
    pub ciphertext: Hash,
    /// [`key_commitment`] of the document key.
    pub key: Hash,
    /// SHA-256 of the public key of R's vault that the document key will be sealed to.
    pub recipient: Hash,
    /// The last height at which R's receipt counts.
    pub deadline: u64,
}

/// P's signed offer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offer {
    signed: Signed,
    terms: Terms,
    digest: Hash,
}

/// R's signed receipt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipt {
    signed: Signed,
    about: About,
}

/// P's signed release of the document key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Release {
    signed: Signed,
    about: About,
    sealed: Vec<u8>,
}

/// Which offer a receipt or a release is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct About {
    /// Number of the exchange.
    pub txid: TransactionId,
    /// R.
    pub requester: Country,
    /// P.
    pub provider: Country,
    /// SHA-256 of the signed offer.
    pub offer: Hash,
}

impl Offer {
    /// P's offer as an entry.
    pub fn entry(terms: &Terms, key: &SealKey) -> Result<Entry, EntryError> {
        let statement = OfferStatement {
            form: OFFER.to_owned(),
            txid: terms.txid.to_string(),
            transaction: terms.transaction.iti().to_owned(),
            requester: terms.requester,
            provider: terms.provider,
            ciphertext: Bytes32(terms.ciphertext),
            key: Bytes32(terms.key),
            recipient: Bytes32(terms.recipient),
            deadline: terms.deadline,
        };
        sign(Kind::Offer, &statement, OFFER, key)
    }

    pub(super) fn read(bytes: &[u8]) -> Option<Self> {
        let (signed, statement) = read::<OfferStatement>(bytes)?;
        let OfferStatement { form, txid, transaction, requester, provider, .. } = statement;
        let transaction = Transaction::of_iti(&transaction)?;
        let terms = Terms {
            txid: number(&txid)?,
            transaction,
            requester,
            provider,
            ciphertext: opaque(statement.ciphertext)?,
            key: opaque(statement.key)?,
            recipient: opaque(statement.recipient)?,
            deadline: statement.deadline,
        };
        let fits = form == OFFER && requester != provider;
        let digest = sha256(signed.bytes());
        fits.then_some(Self { signed, terms, digest })
    }

    /// Number of the exchange.
    pub fn txid(&self) -> TxId {
        self.terms.txid.0
    }

    /// What P committed itself to.
    pub fn terms(&self) -> &Terms {
        &self.terms
    }

    /// The `COSE_Sign`.
    pub fn signed(&self) -> &Signed {
        &self.signed
    }

    /// SHA-256 of the `COSE_Sign`: what receipt and release name.
    pub fn digest(&self) -> Hash {
        self.digest
    }

    /// What a receipt or release of this offer is about.
    pub fn about(&self) -> About {
        let Terms { txid, requester, provider, .. } = self.terms;
        About { txid, requester, provider, offer: self.digest }
    }

    /// R's receipt as an entry, if this is the ciphertext that was offered, sealed for this public key
    /// of its vault; none otherwise.
    pub fn receipt(
        &self,
        ciphertext: &[u8],
        recipient: &[u8],
        key: &SealKey,
    ) -> Option<Result<Entry, EntryError>> {
        let ours = sha256(ciphertext) == self.terms.ciphertext
            && sha256(recipient) == self.terms.recipient;
        ours.then(|| {
            let statement = AboutStatement::of(RECEIPT, self.about());
            sign(Kind::Receipt, &statement, RECEIPT, key)
        })
    }

    /// P's release as an entry: the document key, sealed by the caller to [`Terms::recipient`], of
    /// exactly [`SEALED_KEY`] bytes.
    pub fn release(&self, sealed: &[u8], key: &SealKey) -> Result<Entry, EntryError> {
        let about = AboutStatement::of(KEY, self.about());
        let statement = ReleaseStatement { about, sealed: Sealed(sealed.to_vec()) };
        sign(Kind::Key, &statement, KEY, key)
    }

    /// Whether this is the document key that P committed itself to.
    pub fn is_key(&self, salt: &[u8; 32], key: &[u8]) -> bool {
        key_commitment(salt, key) == self.terms.key
    }
}

impl Receipt {
    pub(super) fn read(bytes: &[u8]) -> Option<Self> {
        let (signed, statement) = read::<AboutStatement>(bytes)?;
        Some(Self { signed, about: statement.about(RECEIPT)? })
    }

    /// Number of the exchange.
    pub fn txid(&self) -> TxId {
        self.about.txid.0
    }

    /// Which offer it is about.
    pub fn about(&self) -> &About {
        &self.about
    }

    /// The `COSE_Sign`.
    pub fn signed(&self) -> &Signed {
        &self.signed
    }
}

impl Release {
    pub(super) fn read(bytes: &[u8]) -> Option<Self> {
        let (signed, statement) = read::<ReleaseStatement>(bytes)?;
        let about = statement.about.about(KEY)?;
        let Sealed(sealed) = statement.sealed;
        let fits = sealed.len() == SEALED_KEY && !reads_as_text(&sealed);
        fits.then_some(Self { signed, about, sealed })
    }

    /// Number of the exchange.
    pub fn txid(&self) -> TxId {
        self.about.txid.0
    }

    /// Which offer it is about.
    pub fn about(&self) -> &About {
        &self.about
    }

    /// The document key, sealed to R's vault: opaque to everybody else.
    pub fn sealed(&self) -> &[u8] {
        &self.sealed
    }

    /// The `COSE_Sign`.
    pub fn signed(&self) -> &Signed {
        &self.signed
    }
}

/// `SHA-256(domain ‖ salt ‖ key)`: what an offer says of the document key. The salt travels with the
/// key, inside the seal.
pub fn key_commitment(salt: &[u8; 32], key: &[u8]) -> Hash {
    let mut digest = Context::new(&SHA256);
    digest.update(b"konfido document key 1");
    digest.update(salt);
    digest.update(key);
    digest.finish().as_ref().try_into().expect("because SHA-256 has 32 bytes")
}

/// Salt and document key in the fixed width in which they are sealed.
pub fn sealed_form(salt: &[u8; 32], key: &[u8; 32]) -> Zeroizing<[u8; 64]> {
    let mut out = Zeroizing::new([0; 64]);
    out[..32].copy_from_slice(salt);
    out[32..].copy_from_slice(key);
    out
}

/// Whether opaque bytes hold a readable run as long as a hash. Honest ones do once in 10¹³ times.
/// It catches who puts an identifier where its hash belongs; who hides one on purpose signs for it.
pub(crate) fn reads_as_text(bytes: &[u8]) -> bool {
    let readable = |byte: &u8| matches!(byte, 0x20..=0x7e | b'\t' | b'\n' | b'\r');
    bytes.split(|byte| !readable(byte)).any(|run| run.len() >= 32)
}

/// Length of a sealed key: X-Wing encapsulation (1,120 bytes), salt and key, tag.
pub const SEALED_KEY: usize = 1120 + 64 + 16;

fn sign(
    kind: Kind,
    statement: &impl Serialize,
    form: &str,
    key: &SealKey,
) -> Result<Entry, EntryError> {
    let payload = encode(statement).map_err(|_| EntryError::Form(kind))?;
    let signed = cose::sign(key, &payload, form.as_bytes()).map_err(|_| EntryError::Signing)?;
    Entry::of(kind, &signed)
}

fn read<T: for<'de> Deserialize<'de> + Serialize>(bytes: &[u8]) -> Option<(Signed, T)> {
    let signed = Signed::read(bytes, MAX_SIGNED, 1)?;
    let statement = decode(signed.payload()).ok()?;
    Some((signed, statement))
}

fn number(text: &str) -> Option<TransactionId> {
    TransactionId::parse(text).ok().filter(|id| id.to_string() == text)
}

fn opaque(hash: Bytes32) -> Option<Hash> {
    (!reads_as_text(&hash.0)).then_some(hash.0)
}

pub(crate) const OFFER: &str = "konfido-offer/1";
pub(crate) const RECEIPT: &str = "konfido-offer-receipt/1";
pub(crate) const KEY: &str = "konfido-offer-key/1";
