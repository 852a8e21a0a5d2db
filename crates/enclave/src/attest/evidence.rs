//! Evidence as it travels: its kind, its bytes, and what verifies it.

use ciborium::Value;

use super::event_log::MAX_EVENT_LOG;
use super::reason::{Reason, Refusal};

/// Who makes a statement about a program.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// Nobody but the program itself.
    Software,
    /// A TPM 2.0 whose attestation key the country registered.
    Tpm,
    /// An Intel SGX enclave (DCAP quote, version 3).
    Sgx,
    /// An Intel TDX guest (DCAP quote, versions 4 and 5).
    Tdx,
    /// An AMD SEV-SNP guest (attestation report, versions 2 to 5).
    Snp,
    /// An AWS Nitro enclave (attestation document).
    Nitro,
}

/// (kind, name, class)
static KINDS: &[(Kind, &str, AssuranceClass)] = &[
    (Kind::Software, "software", AssuranceClass::Software),
    (Kind::Tpm, "tpm", AssuranceClass::Tpm),
    (Kind::Sgx, "sgx", AssuranceClass::Sgx),
    (Kind::Tdx, "tdx", AssuranceClass::Cvm),
    (Kind::Snp, "snp", AssuranceClass::Cvm),
    // an enclave beside its parent instance, under one vendor's hypervisor: no processor keeps the
    // host out, so it ranks with enclaves and never as a confidential virtual machine
    (Kind::Nitro, "nitro", AssuranceClass::Sgx),
];

impl Kind {
    /// Its name in policies and outputs.
    pub fn name(self) -> &'static str {
        self.row().1
    }

    /// The kind of this name.
    pub fn parse(name: &str) -> Option<Self> {
        KINDS.iter().find(|row| row.1 == name).map(|row| row.0)
    }

    /// The class of assurance that its evidence can reach.
    pub fn class(self) -> AssuranceClass {
        self.row().2
    }

    fn row(self) -> &'static (Self, &'static str, AssuranceClass) {
        KINDS.iter().find(|row| row.0 == self).expect("because each kind has a row")
    }
}

/// How much stands between a key and the administrator of its machine, least first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum AssuranceClass {
    /// A process: what Linux keeps from its other users.
    Software,
    /// A process whose root key a TPM releases to the measured boot only.
    Tpm,
    /// An enclave.
    Sgx,
    /// A confidential virtual machine.
    Cvm,
}

impl AssuranceClass {
    /// Its name in policies and outputs.
    pub fn name(self) -> &'static str {
        match self {
            Self::Software => "software",
            Self::Tpm => "tpm",
            Self::Sgx => "sgx",
            Self::Cvm => "cvm",
        }
    }

    /// The class of this name.
    pub fn parse(name: &str) -> Option<Self> {
        [Self::Software, Self::Tpm, Self::Sgx, Self::Cvm].into_iter().find(|c| c.name() == name)
    }
}

/// A statement about a program, not verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Evidence {
    /// What it claims to be.
    pub kind: Kind,
    /// The quote, report or document.
    pub blob: Vec<u8>,
    /// What the sender brought to verify it: nothing, or what
    /// [`Collateral::parse`](super::Collateral::parse) reads.
    pub collateral: Vec<u8>,
    /// What was measured one by one, where the sender tells: a TDX guest's CCEL. Nothing of it is
    /// signed; it must give the registers of the quote.
    pub event_log: Vec<u8>,
}

impl Evidence {
    /// Evidence without collateral and without an event log.
    pub fn new(kind: Kind, blob: impl Into<Vec<u8>>) -> Self {
        Self { kind, blob: blob.into(), collateral: Vec::new(), event_log: Vec::new() }
    }

    /// Says what kind of evidence these bytes look like; proves nothing.
    pub fn guess(blob: &[u8]) -> Option<Kind> {
        let word = |at: usize, length: usize| -> Option<u64> {
            let bytes = blob.get(at..at + length)?;
            Some(bytes.iter().rev().fold(0, |sum, byte| (sum << 8) | u64::from(*byte)))
        };
        match (word(0, 2), word(4, 4)) {
            (Some(3), Some(0)) => return Some(Kind::Sgx),
            (Some(4 | 5), Some(0x81)) => return Some(Kind::Tdx),
            _ => {}
        }
        match blob {
            [0xd2, 0x84, ..] | [0x84, 0x44, 0xa1, 0x01, 0x38, 0x22, ..] => Some(Kind::Nitro),
            [0x83, 0x01, 0x58, 0x20, ..] => Some(Kind::Software),
            [0x84, 0x01, ..] => Some(Kind::Tpm),
            _ if blob.len() == super::snp::REPORT_BYTES => Some(Kind::Snp),
            _ => None,
        }
    }

    /// Deterministic CBOR (RFC 8949 §4.2.1): `[1, kind, blob, collateral]`, and with an event log
    /// `[2, kind, blob, collateral, event log]`.
    pub fn encode(&self) -> Vec<u8> {
        let mut fields = vec![
            Value::Integer(if self.event_log.is_empty() { PLAIN } else { WITH_LOG }.into()),
            Value::Text(self.kind.name().into()),
            Value::Bytes(self.blob.clone()),
            Value::Bytes(self.collateral.clone()),
        ];
        if !self.event_log.is_empty() {
            fields.push(Value::Bytes(self.event_log.clone()));
        }
        let mut out = Vec::new();
        ciborium::into_writer(&Value::Array(fields), &mut out)
            .expect("because a vector takes all bytes");
        out
    }

    /// Reads [`Evidence::encode`], and nothing else that means the same.
    pub fn decode(bytes: &[u8]) -> Result<Self, Refusal> {
        if bytes.len() > MAX_BLOB + MAX_COLLATERAL + MAX_EVENT_LOG + 64 {
            return Err(Reason::TooLarge.into());
        }
        let malformed = || Refusal::from(Reason::Malformed);
        let Some(Value::Array(mut fields)) = cbor(bytes) else { return Err(malformed()) };
        let version = fields.first().and_then(Value::as_integer).ok_or_else(malformed)?;
        let event_log = match (u8::try_from(version), fields.len()) {
            (Ok(PLAIN), 4) => Vec::new(),
            (Ok(WITH_LOG), 5) => match fields.pop() {
                Some(Value::Bytes(log)) => log,
                _ => return Err(malformed()),
            },
            (Ok(PLAIN | WITH_LOG), _) => return Err(malformed()),
            _ => return Err(Reason::Version.into()),
        };
        let Ok([_, Value::Text(kind), Value::Bytes(blob), Value::Bytes(collateral)]) =
            <[Value; 4]>::try_from(fields)
        else {
            return Err(malformed());
        };
        let kind = Kind::parse(&kind).ok_or_else(malformed)?;
        if blob.len() > MAX_BLOB || collateral.len() > MAX_COLLATERAL {
            return Err(Reason::TooLarge.into());
        }
        if event_log.len() > MAX_EVENT_LOG {
            return Err(Reason::EventLogTooLarge.into());
        }
        let evidence = Self { kind, blob, collateral, event_log };
        if evidence.encode() != bytes {
            return Err(Refusal::new(Reason::Malformed, "not deterministic CBOR"));
        }
        Ok(evidence)
    }
}

/// One CBOR value and nothing behind it.
pub(super) fn cbor(mut bytes: &[u8]) -> Option<Value> {
    let value = ciborium::from_reader(&mut bytes).ok()?;
    bytes.is_empty().then_some(value)
}

const PLAIN: u8 = 1;
const WITH_LOG: u8 = 2;
/// A TDX quote with its certificates has 5 kB, padded ones 8 kB; a Nitro document 5 kB.
pub const MAX_BLOB: usize = 32 << 10;
/// Intel's collateral has 14 to 24 kB; the lists of large authorities grow.
pub const MAX_COLLATERAL: usize = 512 << 10;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn evidence_is_read_as_it_was_written_and_in_no_other_spelling() {
        let mut evidence = Evidence::new(Kind::Snp, vec![7; 1184]);
        evidence.collateral = vec![1, 2, 3];
        let logged = Evidence { event_log: vec![4; 99], ..evidence.clone() };
        assert_eq!(Evidence::decode(&logged.encode()).unwrap(), logged);
        let bytes = evidence.encode();
        assert_eq!(Evidence::decode(&bytes).unwrap(), evidence);
        // a fifth field that is empty
        let mut empty = [&[0x85, 0x02], &bytes[2..]].concat();
        empty.push(0x40);
        assert_eq!(Evidence::decode(&empty).unwrap_err().reason, Reason::Malformed);
        let newer = [&[0x84, 0x03], &bytes[2..]].concat();
        assert_eq!(Evidence::decode(&newer).unwrap_err().reason, Reason::Version);
        let long = Evidence { event_log: vec![0; MAX_EVENT_LOG + 1], ..evidence.clone() };
        assert_eq!(Evidence::decode(&long.encode()).unwrap_err().reason, Reason::EventLogTooLarge);
        let mut longer = bytes.clone();
        longer.push(0);
        assert_eq!(Evidence::decode(&longer).unwrap_err().reason, Reason::Malformed);
        // the version as an integer of two bytes
        let spelled = [&[0x84, 0x18, 0x01], &bytes[2..]].concat();
        assert_eq!(Evidence::decode(&spelled).unwrap_err().reason, Reason::Malformed);
        let big = Evidence { blob: vec![0; MAX_BLOB + 1], ..evidence };
        assert_eq!(Evidence::decode(&big.encode()).unwrap_err().reason, Reason::TooLarge);
    }

    #[test]
    fn classes_are_ranked() {
        use AssuranceClass::{Cvm, Sgx, Software, Tpm};
        assert!(Software < Tpm && Tpm < Sgx && Sgx < Cvm);
    }
}
