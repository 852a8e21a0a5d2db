//! Patient identifiers. Personal data: never printed, never logged.

use std::fmt;

use crate::{Malformed, Oid};

/// A patient identifier within its assigning authority (HL7 v3 `II`, HL7 v2 `CX`).
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct PatientId {
    root: Oid,
    extension: String,
}

impl PatientId {
    /// Builds an identifier from the authority's OID and the value that it assigned.
    pub fn new(root: Oid, extension: &str) -> Result<Self, Malformed> {
        let ok = !extension.is_empty()
            && extension.len() <= 128
            && !extension.chars().any(|c| c.is_control() || c == '^' || c == '&' || c == '\'');
        if ok {
            Ok(Self { root, extension: extension.to_owned() })
        } else {
            Err(Malformed { what: "patient identifier" })
        }
    }

    /// Parses the CX form `ext^^^&root&ISO`, with or without the single quotes of an ITI-38 slot.
    pub fn parse_cx(text: &str) -> Result<Self, Malformed> {
        let malformed = Malformed { what: "patient identifier" };
        let bare = text.trim().trim_matches('\'');
        let (extension, authority) = bare.split_once("^^^").ok_or(malformed.clone())?;
        let mut parts = authority.split('&');
        let (Some(""), Some(root), Some("ISO"), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(malformed);
        };
        Self::new(Oid::parse(root)?, extension)
    }

    /// The CX form `ext^^^&root&ISO`.
    pub fn cx(&self) -> String {
        format!("{}^^^&{}&ISO", self.extension, self.root)
    }

    /// The assigning authority.
    pub fn root(&self) -> &Oid {
        &self.root
    }

    /// The value that the authority assigned.
    pub fn extension(&self) -> &str {
        &self.extension
    }
}

impl fmt::Debug for PatientId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PatientId(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cx_round_trips_and_debug_hides() {
        let id = PatientId::parse_cx("'2512489996^^^&1.2.208.176.1.2&ISO'").unwrap();
        assert_eq!(id.cx(), "2512489996^^^&1.2.208.176.1.2&ISO");
        assert_eq!(format!("{id:?}"), "PatientId(…)");
        for bad in
            ["", "^^^&1.2&ISO", "1^^^&1.2&OTHER", "1^^&1.2&ISO", "1^^^&1.2&ISO&x", "a'b^^^&1.2&ISO"]
        {
            assert!(PatientId::parse_cx(bad).is_err(), "{bad}");
        }
    }
}
