//! Salted commitments: the ledger holds `SHA-256(domain || salt || len || field || value)` and never
//! a value. Who has the salt can show one field; deleting the salts makes the record anonymous.

use std::collections::BTreeMap;
use std::fmt;

use exchange::Entropy;
use serde::{Deserialize, Serialize};
use zeroize::Zeroize as _;

/// A field that is committed to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Field {
    /// The patient, as CX.
    Patient,
    /// The professional, as `NameID@Issuer`.
    Professional,
    /// Purpose of use.
    Purpose,
    /// Ids of the HCP and TRC assertion.
    Assertions,
    /// SHA-256 of the request's Body and parts, hexadecimal.
    Request,
    /// SHA-256 of the answer's Body and parts, hexadecimal.
    Answer,
    /// To whom the documents of the answer were sealed: a node, or a clinician's pouch.
    Delivery,
}

impl Field {
    const ALL: [(Self, &'static str); 7] = [
        (Self::Patient, "patient"),
        (Self::Professional, "professional"),
        (Self::Purpose, "purpose"),
        (Self::Assertions, "assertions"),
        (Self::Request, "request"),
        (Self::Answer, "answer"),
        (Self::Delivery, "delivery"),
    ];

    /// The name in statements and receipts.
    pub fn name(self) -> &'static str {
        Self::ALL.iter().find(|row| row.0 == self).map_or("", |row| row.1)
    }

    /// The field with this name.
    pub fn of(name: &str) -> Option<Self> {
        Self::ALL.iter().find(|row| row.1 == name).map(|row| row.0)
    }
}

/// 32 bytes that CBOR writes as a byte string.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Bytes32(pub [u8; 32]);

impl fmt::Debug for Bytes32 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|b| write!(f, "{b:02x}"))
    }
}

impl Serialize for Bytes32 {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(&self.0)
    }
}

impl<'de> Deserialize<'de> for Bytes32 {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl serde::de::Visitor<'_> for Visitor {
            type Value = Bytes32;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("32 bytes")
            }
            fn visit_bytes<E: serde::de::Error>(self, bytes: &[u8]) -> Result<Bytes32, E> {
                bytes.try_into().map(Bytes32).map_err(|_| E::invalid_length(bytes.len(), &self))
            }
        }
        deserializer.deserialize_bytes(Visitor)
    }
}

/// Field name -> commitment, as a statement carries it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Commitments(pub BTreeMap<String, Bytes32>);

/// The values and their salts. Personal, and the key to the commitments: no `Debug`, no `Clone`,
/// wiped when dropped.
#[derive(Default)]
pub struct Secrets(Vec<(Field, [u8; 32], String)>);

impl Drop for Secrets {
    fn drop(&mut self) {
        for (_, salt, value) in &mut self.0 {
            salt.zeroize();
            value.zeroize();
        }
    }
}

impl Secrets {
    /// Draws a salt for each value.
    pub fn draw(values: impl IntoIterator<Item = (Field, String)>, entropy: &dyn Entropy) -> Self {
        let mut all =
            Self(values.into_iter().map(|(field, value)| (field, [0; 32], value)).collect());
        // all at once: each draw is a call of the kernel
        let mut salts = vec![0; 32 * all.0.len()];
        entropy.fill(&mut salts);
        for ((_, salt, _), drawn) in all.0.iter_mut().zip(salts.as_chunks().0) {
            *salt = *drawn;
        }
        salts.zeroize();
        all
    }

    /// The commitments to the values.
    pub fn commitments(&self) -> Commitments {
        let commit = |(field, salt, value): &(Field, [u8; 32], String)| {
            (field.name().to_owned(), Bytes32(commitment(*field, salt, value)))
        };
        Commitments(self.0.iter().map(commit).collect())
    }

    /// Whether the other side's values are these: it recomputes them from the message that it sees.
    pub fn agree_with(&self, values: &[(Field, String)]) -> bool {
        self.0.len() == values.len()
            && values
                .iter()
                .all(|(field, value)| self.0.iter().any(|(f, _, v)| f == field && v == value))
    }

    /// Whether this field has this value.
    pub fn has(&self, field: Field, value: &str) -> bool {
        self.0.iter().any(|(f, _, v)| *f == field && v == value)
    }

    /// What may be shown of this field, and nothing of the others.
    pub fn only(mut self, field: Field) -> Self {
        let all = std::mem::take(&mut self.0).into_iter();
        let (kept, rest) = all.partition(|(f, _, _)| *f == field);
        drop(Self(rest));
        Self(kept)
    }

    /// Salts and values, to travel inside a sealed message or rest in a vault.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::new();
        for (field, salt, value) in &self.0 {
            out.push(u8::try_from(field.name().len()).unwrap_or(0));
            out.extend_from_slice(field.name().as_bytes());
            out.extend_from_slice(salt);
            out.extend_from_slice(&u32::try_from(value.len()).unwrap_or(0).to_be_bytes());
            out.extend_from_slice(value.as_bytes());
        }
        out
    }

    /// Reads [`Secrets::encode`]; several encodings may follow each other, each field stands once.
    pub fn decode(mut from: &[u8]) -> Option<Self> {
        let mut all = Self::default();
        while let Some((length, rest)) = from.split_first() {
            let (name, rest) = rest.split_at_checked(usize::from(*length))?;
            let (salt, rest) = rest.split_first_chunk::<32>()?;
            let (length, rest) = rest.split_first_chunk::<4>()?;
            let (value, rest) = rest.split_at_checked(u32::from_be_bytes(*length) as usize)?;
            let field = Field::of(std::str::from_utf8(name).ok()?)?;
            if all.disclose(field).is_some() {
                return None;
            }
            all.0.push((field, *salt, String::from_utf8(value.to_vec()).ok()?));
            from = rest;
        }
        Some(all)
    }

    /// Shows one field: (salt, value).
    pub fn disclose(&self, field: Field) -> Option<([u8; 32], &str)> {
        self.0.iter().find(|(f, _, _)| *f == field).map(|(_, salt, value)| (*salt, value.as_str()))
    }
}

/// `SHA-256(domain || salt || len(field) || field || len(value) || value)`, lengths as u32.
pub fn commitment(field: Field, salt: &[u8; 32], value: &str) -> [u8; 32] {
    let mut digest = aws_lc_rs::digest::Context::new(&aws_lc_rs::digest::SHA256);
    digest.update(b"konfido commitment 1");
    digest.update(salt);
    for part in [field.name(), value] {
        digest.update(&u32::try_from(part.len()).unwrap_or(u32::MAX).to_be_bytes());
        digest.update(part.as_bytes());
    }
    digest.finish().as_ref().try_into().expect("because SHA-256 has 32 bytes")
}

#[cfg(test)]
mod tests {
    use super::*;
    use exchange::SystemEntropy;
    use proptest::prelude::*;
    use sha2::Digest as _;

    fn values() -> Vec<(Field, String)> {
        Field::ALL.iter().map(|(field, name)| (*field, format!("value of {name}"))).collect()
    }

    #[test]
    fn a_commitment_is_what_the_papers_say() {
        // SHA-256(domain || salt || len || field || len || value), by another implementation
        let message = [
            &b"konfido commitment 1"[..],
            &[9; 32],
            &[0, 0, 0, 7],
            b"patient",
            &[0, 0, 0, 3],
            b"abc",
        ]
        .concat();
        assert_eq!(
            commitment(Field::Patient, &[9; 32], "abc")[..],
            sha2::Sha256::digest(message)[..]
        );
    }

    #[test]
    fn salts_differ_so_equal_values_do_not_meet() {
        let (one, other) =
            (Secrets::draw(values(), &SystemEntropy), Secrets::draw(values(), &SystemEntropy));
        for (field, ours) in &one.commitments().0 {
            assert_ne!(other.commitments().0[field], *ours, "{field}");
        }
        assert_ne!(
            commitment(Field::Request, &[0; 32], "x"),
            commitment(Field::Answer, &[0; 32], "x")
        );
    }

    #[test]
    fn secrets_travel_and_agree_with_the_same_values_only() {
        let secrets = Secrets::draw(values(), &SystemEntropy);
        let back = Secrets::decode(&secrets.encode()).unwrap();
        assert_eq!(back.commitments(), secrets.commitments());
        assert!(back.agree_with(&values()));
        let mut other = values();
        other[0].1.push(' ');
        assert!(!back.agree_with(&other), "another value");
        assert!(!back.agree_with(&values()[1..]), "a field less");
        assert!(!Secrets::decode(&secrets.encode()[..40]).is_some_and(|s| s.agree_with(&values())));
        assert!(
            Secrets::decode(&[secrets.encode(), secrets.encode()].concat()).is_none(),
            "a field twice"
        );
    }

    proptest! {
        #[test]
        fn foreign_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            if let Some(secrets) = Secrets::decode(&bytes) {
                prop_assert_eq!(secrets.encode(), bytes);
            }
        }

        #[test]
        fn every_value_comes_back(value in ".*") {
            let secrets = Secrets::draw([(Field::Patient, value.clone())], &SystemEntropy);
            let back = Secrets::decode(&secrets.encode()).unwrap();
            let (salt, shown) = back.disclose(Field::Patient).unwrap();
            prop_assert_eq!(shown, &value);
            prop_assert_eq!(commitment(Field::Patient, &salt, shown), back.commitments().0["patient"].0);
        }
    }
}
