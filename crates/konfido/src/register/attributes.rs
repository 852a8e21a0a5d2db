//! What a directory calls the columns of a register.

use identity::register::roll::COLUMNS;

/// One attribute for each of [`COLUMNS`], in their order; `None` where the directory has none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attributes(pub [Option<String>; COLUMNS.len()]);

/// inetOrgPerson (RFC 2798) where it has a fitting one. Dates have none there.
pub const DEFAULTS: [Option<&str>; COLUMNS.len()] = [
    Some("uid"),
    Some("employeeNumber"),
    Some("sn"),
    Some("givenName"),
    Some("employeeType"),
    Some("o"),
    Some("departmentNumber"),
    Some("businessCategory"),
    Some("l"),
    None,
    None,
    None,
    None,
];

impl Attributes {
    /// Whether a text names an attribute (RFC 4512 §2.5), without options.
    pub fn is_name(text: &str) -> bool {
        let descr = text.starts_with(|c: char| c.is_ascii_alphabetic())
            && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
        descr || exchange::Oid::parse(text).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_could_change_a_filter_is_no_name() {
        for good in DEFAULTS.into_iter().flatten().chain(["x-hcp-number", "2.5.4.3"]) {
            assert!(Attributes::is_name(good), "{good}");
        }
        for bad in ["", "1a", "uid;lang-es", "uid=*)(sn", "*", "+", "ü", "a b", "-a"] {
            assert!(!Attributes::is_name(bad), "{bad}");
        }
    }
}
