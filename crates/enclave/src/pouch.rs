//! The doctor's pouch: a document sealed to the key of a clinician's own session, inside the vault
//! of her country, so that the gateway which carries it sees ciphertext only.
//!
//! HPKE in base mode (RFC 9180), one message for each part of an answer, with the first nonce of a
//! context of its own: no part needs another one to be opened, in a browser neither. Base mode names
//! no sender; that it was this country's vault is the business of the connection it comes by.
//!
//! No I/O. `pouch.js` in this crate's `assets` is the other end, in a browser. Start reading at
//! [`seal`], then [`PouchOpener::open`].

mod context;
mod kem;
mod opener;
mod schedule;

use aws_lc_rs::digest::{SHA256, digest};

use crate::VaultError;

pub use context::{Expected, MAX_NAME, PouchContext};
pub use kem::Suite;
pub use opener::{Opened, PouchOpener};

/// The media type of an attachment that is a pouch. The document's own is in its context.
pub const MEDIA_TYPE: &str = "application/vnd.konfido.pouch";
/// The namespace of the SOAP header block in which a request names its key, in base64.
pub const NAMESPACE: &str = "urn:konfido:pouch:1";
/// The name of that block.
pub const ELEMENT: &str = "Pouch";
/// The longest document that goes into a pouch, in bytes.
pub const MAX_TEXT: usize = 64 << 20;
/// The browser's end: a module without dependencies, on WebCrypto.
pub const POUCH_JS: &str = include_str!("../assets/pouch.js");

/// The public key of a clinician's session: whom a document is sealed for.
#[derive(Clone, PartialEq, Eq)]
pub struct PouchKey {
    suite: Suite,
    public: Vec<u8>,
}

impl PouchKey {
    /// Reads a key: three numbers of the suite (RFC 9180 §7), then the public key as that suite
    /// serializes it. A key that leads to no secret (off the curve, of small order) is refused.
    pub fn decode(bytes: &[u8]) -> Result<Self, VaultError> {
        let mut rest = bytes;
        let suite = Suite::of(take(&mut rest)?).ok_or(VaultError::Key("suite is unknown"))?;
        if rest.len() != suite.public_length() {
            return Err(VaultError::Key("public key has another length"));
        }
        kem::check(suite, rest)?;
        Ok(Self { suite, public: rest.to_vec() })
    }

    /// Writes the key.
    pub fn encode(&self) -> Vec<u8> {
        [self.suite.ids().as_slice(), &self.public].concat()
    }

    /// SHA-256 over suite and key: what evidence and headers name.
    pub fn digest(&self) -> [u8; 32] {
        let digest = digest(&SHA256, &self.encode());
        digest.as_ref().try_into().expect("because SHA-256 has 32 bytes")
    }

    /// The algorithms it is for.
    pub fn suite(&self) -> Suite {
        self.suite
    }
}

impl std::fmt::Debug for PouchKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "PouchKey({}, {})", self.suite.name(), hex::encode(self.digest()))
    }
}

/// Seals one part of an answer. What the context says travels in the clear before the ciphertext,
/// and is bound to it.
pub fn seal(to: &PouchKey, context: &PouchContext<'_>, text: &[u8]) -> Result<Vec<u8>, VaultError> {
    if text.len() > MAX_TEXT {
        return Err(VaultError::Malformed);
    }
    let (shared, encapsulated) = kem::encapsulate(to.suite, &to.public)?;
    let head = Head { suite: to.suite, encapsulated: &encapsulated, context: *context };
    let mut pouch = head.encode(text.len())?;
    let at = pouch.len();
    pouch.extend_from_slice(text);
    let (head, text) = pouch.split_at_mut(at);
    let tag = schedule::seal(to.suite.ids(), &shared, INFO, head, text)?;
    pouch.extend_from_slice(tag.as_ref());
    Ok(pouch)
}

/// A closed pouch: what stands before its ciphertext. Nothing of it is proven before it opens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head<'p> {
    /// The algorithms.
    pub suite: Suite,
    /// HPKE `enc`.
    pub encapsulated: &'p [u8],
    /// What the pouch claims to be.
    pub context: PouchContext<'p>,
}

impl<'p> Head<'p> {
    /// Reads the head of a pouch, and its length in bytes. What follows is ciphertext and tag.
    pub fn decode(pouch: &'p [u8]) -> Result<(Self, usize), VaultError> {
        let mut rest = pouch;
        if take::<4>(&mut rest)? != MAGIC {
            return Err(VaultError::Malformed);
        }
        let suite = Suite::of(take(&mut rest)?).ok_or(VaultError::Malformed)?;
        let length = usize::from(u16::from_be_bytes(*take(&mut rest)?));
        if length != suite.encapsulated_length() {
            return Err(VaultError::Malformed);
        }
        let encapsulated = run(&mut rest, length)?;
        let length = usize::from(u16::from_be_bytes(*take(&mut rest)?));
        let context = PouchContext::decode(run(&mut rest, length)?)?;
        if rest.len() < schedule::TAG || rest.len() > MAX_TEXT + schedule::TAG {
            return Err(VaultError::Malformed);
        }
        Ok((Self { suite, encapsulated, context }, pouch.len() - rest.len()))
    }

    /// Writes the head, with room for a text of this length and its tag.
    fn encode(&self, text: usize) -> Result<Vec<u8>, VaultError> {
        let context = self.context.encode()?;
        let length = |bytes: &[u8]| {
            u16::try_from(bytes.len()).map(u16::to_be_bytes).map_err(|_| VaultError::Malformed)
        };
        let lengths = 2 * size_of::<u16>();
        let whole = MAGIC.len() + 6 + lengths + self.encapsulated.len() + context.len();
        let mut out = Vec::with_capacity(whole + text + schedule::TAG);
        out.extend_from_slice(MAGIC);
        out.extend_from_slice(&self.suite.ids());
        out.extend_from_slice(&length(self.encapsulated)?);
        out.extend_from_slice(self.encapsulated);
        out.extend_from_slice(&length(&context)?);
        out.extend_from_slice(&context);
        Ok(out)
    }

    /// The head as it stands in a pouch: for who wants to know that it has one encoding.
    pub fn to_bytes(&self) -> Result<Vec<u8>, VaultError> {
        self.encode(0)
    }
}

fn take<'p, const N: usize>(rest: &mut &'p [u8]) -> Result<&'p [u8; N], VaultError> {
    let (first, others) = rest.split_first_chunk().ok_or(VaultError::Malformed)?;
    *rest = others;
    Ok(first)
}

fn run<'p>(rest: &mut &'p [u8], length: usize) -> Result<&'p [u8], VaultError> {
    let (first, others) = rest.split_at_checked(length).ok_or(VaultError::Malformed)?;
    *rest = others;
    Ok(first)
}

/// Name and version of the format.
const MAGIC: &[u8; 4] = b"KPP1";
/// HPKE `info`. What differs from pouch to pouch is in the head, which is HPKE's `aad`.
const INFO: &[u8] = b"konfido pouch 1";

#[cfg(test)]
mod tests;
