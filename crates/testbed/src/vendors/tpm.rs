//! TPM-shaped evidence: a quote by an attestation key that somebody registered (TPM 2.0 Library,
//! part 2, §10.12), as `enclave::attest` reads it.

use ciborium::Value;

use super::key::Key;

/// Makes a quote. Everything may be changed before [`Maker::make`].
pub struct Maker {
    /// `TPMS_ATTEST.magic` and its type.
    pub head: [u8; 6],
    /// What the caller had bound in (`qualifyingData`).
    pub extra: Vec<u8>,
    /// Version of the TPM's firmware.
    pub firmware: u64,
    /// Registers that were quoted, `TPML_PCR_SELECTION`.
    pub selection: Vec<u8>,
    /// Hash of their values.
    pub digest: Vec<u8>,
    /// Bytes behind the quote.
    pub behind: Vec<u8>,
    /// The attestation key that the evidence names.
    pub key: &'static Key,
    /// Signs the quote.
    pub signer: &'static Key,
}

impl Maker {
    /// A quote that is in order, by this key: SHA-256 of registers 0 to 7.
    pub fn new(key: &'static Key) -> Self {
        Self {
            head: [0xff, 0x54, 0x43, 0x47, 0x80, 0x18],
            extra: vec![0xda; 64],
            firmware: 9,
            selection: vec![0, 0, 0, 1, 0, 0x0b, 3, 0xff, 0, 0],
            digest: vec![0x6c; 32],
            behind: Vec::new(),
            key,
            signer: key,
        }
    }

    /// Signs it: CBOR `[1, TPMS_ATTEST, r || s, point]`.
    pub fn make(&self) -> Vec<u8> {
        let mut attest = self.head.to_vec();
        sized(&mut attest, &[1; 34]);
        sized(&mut attest, &self.extra);
        attest.extend([0; 17]);
        attest.extend(self.firmware.to_be_bytes());
        attest.extend(&self.selection);
        sized(&mut attest, &self.digest);
        attest.extend(&self.behind);
        let signature = self.signer.sign_fixed(&attest);
        let value = Value::Array(vec![
            Value::Integer(1.into()),
            Value::Bytes(attest),
            Value::Bytes(signature),
            Value::Bytes(self.key.public().to_vec()),
        ]);
        let mut out = Vec::new();
        ciborium::into_writer(&value, &mut out).expect("because a vector takes all bytes");
        out
    }
}

/// A `TPM2B`.
fn sized(out: &mut Vec<u8>, bytes: &[u8]) {
    out.extend((bytes.len() as u16).to_be_bytes());
    out.extend(bytes);
}
