//! Software evidence: what a process says of itself. Nothing is proven; it has a form so that an
//! exchange without hardware runs through the same door, under its own name.

use std::collections::BTreeMap;

use ciborium::Value;

use super::claims::Claims;
use super::evidence::{Evidence, Kind};
use super::reason::{Reason, Refusal};

impl Evidence {
    /// What a process without hardware says: CBOR `[1, SHA-256 of its binary, report data]`.
    pub fn software(binary: &[u8; 32], report_data: &[u8; 64]) -> Self {
        let value = Value::Array(vec![
            Value::Integer(1.into()),
            Value::Bytes(binary.to_vec()),
            Value::Bytes(report_data.to_vec()),
        ]);
        let mut blob = Vec::new();
        ciborium::into_writer(&value, &mut blob).expect("because a vector takes all bytes");
        Self::new(Kind::Software, blob)
    }
}

pub(super) fn verify(blob: &[u8]) -> Result<Claims, Refusal> {
    if blob.len() != BYTES {
        return Err(Reason::Malformed.into());
    }
    let (binary, data) = (&blob[4..36], &blob[38..]);
    let read = Evidence::software(
        binary.try_into().expect("because the slice has 32 bytes"),
        data.try_into().expect("because the slice has 64 bytes"),
    );
    if read.blob != blob {
        return Err(Reason::Malformed.into());
    }
    Ok(Claims {
        measurements: BTreeMap::from([("binary", binary.to_vec())]),
        report_data: data.to_vec(),
        ..Claims::of(Kind::Software)
    })
}

/// `83 01 5820 <32> 5840 <64>`.
const BYTES: usize = 102;
