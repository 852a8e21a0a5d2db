//! The vault's public key and the statement that a peer checks before it seals anything for it.

use exchange::Country;
use hpke::{Deserializable, Kem};
use jiff::{SignedDuration, Timestamp};
use trust::certificate::{Anchors, Certificate, Usage};
use trust::chain::Chain;
use trust::cose;
use trust::seal::SealKey;

use crate::VaultError;
use crate::core::Target;
use crate::header::SUITE;

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
    country: Country,
    key: Vec<u8>,
    not_after: Timestamp,
    attestation: Attestation,
    chain: Chain,
}

impl std::fmt::Debug for Recipient {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Recipient({}, {})", self.country, self.attestation.name())
    }
}

impl Recipient {
    /// Checks a key statement: signed by the seal certificate of this country, which leads to a
    /// root; current; and with an attestation that the policy accepts.
    pub fn verify(
        statement: &Statement,
        anchors: &Anchors,
        country: Country,
        now: Timestamp,
        accepted: &[Attestation],
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
        let text = std::str::from_utf8(&payload).map_err(|_| VaultError::Malformed)?;
        let lines: Vec<&str> = text.split('\n').collect();
        let ["konfido-vault-key/1", suite, key, said_country, not_after, attestation] =
            lines.as_slice()
        else {
            return Err(VaultError::Malformed);
        };
        if *suite != suite_name() {
            return Err(VaultError::Key("suite is not one that we speak"));
        }
        if *said_country != country.as_str() {
            return Err(VaultError::Key("statement is of another country"));
        }
        let not_after: Timestamp = not_after.parse().map_err(|_| VaultError::Malformed)?;
        if not_after <= now {
            return Err(VaultError::Key("statement has expired"));
        }
        let attestation = Attestation::ALL
            .into_iter()
            .find(|known| known.name() == *attestation && accepted.contains(known))
            .ok_or(VaultError::Key("attestation is not accepted by policy"))?;
        let key = hex::decode(key).map_err(|_| VaultError::Malformed)?;
        PublicKey::from_bytes(&key).map_err(|_| VaultError::Malformed)?;
        Ok(Self { country, key, not_after, attestation, chain })
    }

    /// What a core needs of it.
    pub(crate) fn target(&self) -> Target<'_> {
        Target { country: self.country, key: &self.key, not_after: self.not_after }
    }

    /// Whose vault.
    pub fn country(&self) -> Country {
        self.country
    }

    /// Until when the statement holds.
    pub fn not_after(&self) -> Timestamp {
        self.not_after
    }

    /// What stands behind the key.
    pub fn attestation(&self) -> Attestation {
        self.attestation
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

/// A signed key statement as it travels.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Statement {
    /// COSE_Sign1 by the seal key.
    pub signed: Vec<u8>,
    /// The seal certificate and its intermediates, DER, leaf first.
    pub certificates: Vec<u8>,
}

impl Statement {
    pub(crate) fn make(
        key: &[u8],
        country: Country,
        attestation: Attestation,
        now: Timestamp,
        seal: &SealKey,
    ) -> Result<Self, VaultError> {
        let not_after = now.checked_add(LIFE).unwrap_or(now);
        let (hex, attestation) = (hex::encode(key), attestation.name());
        let text = format!(
            "konfido-vault-key/1\n{}\n{hex}\n{country}\n{not_after}\n{attestation}",
            suite_name()
        );
        let signed = cose::sign1(seal, text.as_bytes(), CONTEXT)
            .map_err(|_| VaultError::Key("cannot be signed"))?;
        Ok(Self { signed, certificates: Chain::of(seal).der() })
    }

    /// Length-prefixed: signed statement, then certificates.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = u32::try_from(self.signed.len()).unwrap_or(0).to_be_bytes().to_vec();
        out.extend_from_slice(&self.signed);
        out.extend_from_slice(&self.certificates);
        out
    }

    /// Reads [`Statement::encode`].
    pub fn decode(bytes: &[u8]) -> Result<Self, VaultError> {
        if bytes.len() > MAX_STATEMENT {
            return Err(VaultError::Malformed);
        }
        let (length, rest) = bytes.split_first_chunk::<4>().ok_or(VaultError::Malformed)?;
        let length = u32::from_be_bytes(*length) as usize;
        let signed = rest.get(..length).ok_or(VaultError::Malformed)?.to_vec();
        Ok(Self { signed, certificates: rest[length..].to_vec() })
    }
}

/// KEM, KDF and AEAD as IANA numbers them (RFC 9180 §7): `647a-0001-0002`.
fn suite_name() -> String {
    let [kem, kdf, aead] = SUITE;
    format!("{kem:04x}-{kdf:04x}-{aead:04x}")
}

/// First half of the SHA-256 of a public key.
pub(crate) fn key_id(key: &[u8]) -> [u8; 16] {
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, key);
    digest.as_ref()[..16].try_into().expect("because SHA-256 has 32 bytes")
}

const CONTEXT: &[u8] = b"konfido vault key 1";
/// A peer looks at a key again after this time.
const LIFE: SignedDuration = SignedDuration::from_hours(24);
/// A statement has some 4 kB: key in hexadecimal, signature, certificate; each intermediate one more.
const MAX_STATEMENT: usize = 32 << 10;
