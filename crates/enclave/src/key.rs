//! The vault's public key and the statement that a peer checks before it seals anything for it.

use std::sync::Arc;

use ciborium::Value;
use exchange::{Country, DocumentClass};
use hpke::{Deserializable, Kem};
use jiff::Timestamp;
use trust::certificate::{Anchors, Certificate, Usage};
use trust::chain::Chain;
use trust::cose;
use trust::seal::SealKey;

use crate::VaultError;
use crate::acceptance::{Acceptance, Standing};
use crate::attest::{AssuranceClass, Evidence, MAX_BLOB, MAX_COLLATERAL, MAX_EVENT_LOG};
use crate::core::Target;
use crate::statement::KeyStatement;

pub(crate) type XWing = hpke::kem::XWing;
pub(crate) type PublicKey = <XWing as Kem>::PublicKey;

/// What stands behind a vault key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Attestation {
    /// Keys in the node's own process: simulated, no hardware evidence.
    SimulatedInProcess,
    /// Keys in a process of their own: software, no hardware evidence.
    Process(Memory),
}

/// What memory a vault process keeps its keys in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Memory {
    /// `memfd_secret`: the kernel itself has no mapping of it; also root's tools read nothing.
    Secret,
    /// Ordinary pages of a process that cannot be dumped; root can read them. For kernels without
    /// `memfd_secret` (before 6.5 it needs the boot option `secretmem.enable=1`).
    Ordinary,
}

impl Attestation {
    /// Every one that there is.
    pub const ALL: [Self; 3] =
        [Self::SimulatedInProcess, Self::Process(Memory::Ordinary), Self::Process(Memory::Secret)];

    /// What a peer accepts when its policy says nothing: a process of its own, in any memory.
    pub const SOFTWARE: [Self; 2] =
        [Self::Process(Memory::Ordinary), Self::Process(Memory::Secret)];

    /// How the statement, and every output, names it.
    pub fn name(self) -> &'static str {
        match self {
            Self::SimulatedInProcess => "none (simulated: in-process keys)",
            Self::Process(Memory::Ordinary) => "software (own process, ordinary memory)",
            Self::Process(Memory::Secret) => "software (own process, secret memory)",
        }
    }
}

/// Proof that a peer's vault key was checked. Made by [`Recipient::verify`] only.
#[derive(Clone)]
pub struct Recipient {
    said: Arc<KeyStatement>,
    standing: Standing,
    accepted: Acceptance,
    chain: Chain,
}

impl std::fmt::Debug for Recipient {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Recipient({}, {})", self.said.country, self.class().name())
    }
}

impl Recipient {
    /// Checks a key statement: signed by the seal certificate of this country, which leads to a
    /// root; current; and with evidence about it that we accept. The hardware says what runs
    /// there, the country says who.
    pub fn verify(
        statement: &Statement,
        anchors: &Anchors,
        country: Country,
        now: Timestamp,
        accepted: &Acceptance,
    ) -> Result<Self, VaultError> {
        let chain = Chain::from_der(&statement.certificates)
            .map_err(|_| VaultError::Key("certificate is malformed"))?;
        let certificate = chain.leaf();
        if certificate.country() != Some(country) {
            return Err(VaultError::Key("seal certificate is of another country"));
        }
        chain
            .verify(anchors, Usage::Seal, now)
            .map_err(|_| VaultError::Key("seal certificate does not lead to a root"))?;
        let payload = cose::verify1(&statement.signed, CONTEXT, certificate)
            .map_err(|_| VaultError::Key("statement is not signed by the seal certificate"))?;
        let said = KeyStatement::decode(&payload)?;
        if said.country != country {
            return Err(VaultError::Key("statement is of another country"));
        }
        if said.not_after.duration_since(said.not_before) > KeyStatement::LIFE {
            return Err(VaultError::Key("statement holds for too long"));
        }
        if now < said.not_before {
            return Err(VaultError::Key("statement is of the future"));
        }
        if said.not_after <= now {
            return Err(VaultError::Key("statement has expired"));
        }
        PublicKey::from_bytes(&said.key).map_err(|_| VaultError::Malformed)?;
        let standing = accepted.appraise(&said, &statement.evidence, country, now)?;
        let accepted = accepted.clone();
        Ok(Self { said: Arc::new(said), standing, accepted, chain })
    }

    /// Whether documents of this class may be sealed for it.
    pub fn permits(&self, class: DocumentClass, now: Timestamp) -> Result<(), VaultError> {
        self.accepted.permit(class, &self.standing, now)
    }

    /// Whether a document may be sealed for it of which nobody says the class: those of every class.
    pub fn permits_all(&self, now: Timestamp) -> Result<(), VaultError> {
        self.accepted.permit_all(&self.standing, now)
    }

    /// What a core needs of it.
    pub(crate) fn target(&self) -> Target<'_> {
        Target { country: self.said.country, key: &self.said.key, not_after: self.not_after() }
    }

    /// What the statement says.
    pub fn said(&self) -> &KeyStatement {
        &self.said
    }

    /// Whose vault.
    pub fn country(&self) -> Country {
        self.said.country
    }

    /// Until when the statement and its evidence hold.
    pub fn not_after(&self) -> Timestamp {
        self.said.not_after.min(self.standing.valid_until())
    }

    /// How much stands behind the key.
    pub fn class(&self) -> AssuranceClass {
        self.standing.class()
    }

    /// The seal certificate that signed the statement.
    pub fn certificate(&self) -> &Certificate {
        self.chain.leaf()
    }

    /// That certificate with those between it and its root.
    pub fn chain(&self) -> &Chain {
        &self.chain
    }
}

/// A signed key statement as it travels, with its evidence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Statement {
    /// COSE_Sign1 over the [`KeyStatement`] by the seal key.
    pub signed: Vec<u8>,
    /// The seal certificate and its intermediates, DER, leaf first.
    pub certificates: Vec<u8>,
    /// What vouches for the program that has the key.
    pub evidence: Evidence,
}

impl Statement {
    pub(crate) fn make(
        said: &KeyStatement,
        evidence: Evidence,
        seal: &SealKey,
    ) -> Result<Self, VaultError> {
        let signed = cose::sign1(seal, &said.encode(), CONTEXT)
            .map_err(|_| VaultError::Key("cannot be signed"))?;
        Ok(Self { signed, certificates: Chain::of(seal).der(), evidence })
    }

    /// What it says, with nothing verified: of our own.
    pub fn said(&self) -> Option<KeyStatement> {
        KeyStatement::decode(&cose::claimed_payload(&self.signed)?).ok()
    }

    /// A CBOR array of the three parts.
    pub fn encode(&self) -> Vec<u8> {
        let parts = Value::Array(vec![
            Value::Bytes(self.signed.clone()),
            Value::Bytes(self.certificates.clone()),
            Value::Bytes(self.evidence.encode()),
        ]);
        let mut out = Vec::new();
        ciborium::into_writer(&parts, &mut out).expect("because a vector takes all bytes");
        out
    }

    /// Reads [`Statement::encode`].
    pub fn decode(bytes: &[u8]) -> Result<Self, VaultError> {
        let malformed = VaultError::Malformed;
        if bytes.len() > MAX_STATEMENT {
            return Err(malformed);
        }
        let parts: Value = ciborium::from_reader(bytes).map_err(|_| malformed)?;
        let Ok([Value::Bytes(signed), Value::Bytes(certificates), Value::Bytes(evidence)]) =
            <[Value; 3]>::try_from(parts.into_array().map_err(|_| malformed)?)
        else {
            return Err(malformed);
        };
        let evidence = Evidence::decode(&evidence).map_err(|e| VaultError::Evidence(e.reason))?;
        Ok(Self { signed, certificates, evidence })
    }
}

/// First half of the SHA-256 of a public key.
pub(crate) fn key_id(key: &[u8]) -> [u8; 16] {
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, key);
    digest.as_ref()[..16].try_into().expect("because SHA-256 has 32 bytes")
}

const CONTEXT: &[u8] = b"konfido vault key 2";
/// Statement, certificates, a quote, its event log and the collateral that verifies it.
const MAX_STATEMENT: usize = (32 << 10) + MAX_BLOB + MAX_COLLATERAL + MAX_EVENT_LOG;
