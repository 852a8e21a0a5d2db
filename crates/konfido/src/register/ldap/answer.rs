//! An entry of the directory as one of the register.

use identity::register::roll::{self, COLUMNS};
use identity::register::{Entry, PersonKey, RegisterError};
use ldap3::SearchEntry;

use crate::register::Directory;

/// Longest value of an attribute, in bytes.
const LONGEST: usize = 1024;

/// The one entry whose person attribute is exactly what was asked: directories ignore case and
/// spaces (RFC 4518), numbers of people do not.
pub(super) fn read(
    entries: Vec<SearchEntry>,
    directory: &Directory,
    who: &PersonKey,
) -> Result<Option<Entry>, RegisterError> {
    if entries.len() > 1 {
        return Err(fault("person", "stands twice"));
    }
    let Some(entry) = entries.into_iter().next() else { return Ok(None) };
    let value = directory.value(who);
    let person = directory.attributes.0[0].as_deref().unwrap_or_default();
    if !values(&entry, person).any(|found| *found == value) {
        return Ok(None);
    }
    let mut fields = std::array::from_fn(|_| String::new());
    for (place, into) in fields.iter_mut().enumerate().skip(1) {
        *into = field(&entry, directory, place)?;
    }
    fields[0] = who.text();
    let entry = roll::entry(&fields)?;
    // a register's text is trimmed where it is read, the key is not
    Ok(Some(Entry { person: who.clone(), ..entry }))
}

/// The one value of a column; two are none that could be believed.
fn field(
    entry: &SearchEntry,
    directory: &Directory,
    place: usize,
) -> Result<String, RegisterError> {
    let (column, Some(name)) = (COLUMNS[place], directory.attributes.0[place].as_deref()) else {
        return Ok(String::new());
    };
    if entry.bin_attrs.keys().any(|found| found.eq_ignore_ascii_case(name)) {
        return Err(fault(column, "is not text"));
    }
    let mut found = values(entry, name);
    let value = found.next().cloned().unwrap_or_default();
    if found.next().is_some() {
        return Err(fault(column, "has two values"));
    }
    if value.len() > LONGEST {
        return Err(fault(column, "is too long"));
    }
    Ok(match column {
        "birth" | "valid_from" | "valid_until" => date(value),
        // Boolean (RFC 4517 §3.3.3)
        "suspended" => value.to_ascii_lowercase(),
        _ => value,
    })
}

/// Values of an attribute; the directory writes its name as it likes (RFC 4512 §2.5).
fn values<'a>(entry: &'a SearchEntry, name: &'a str) -> impl Iterator<Item = &'a String> {
    let named = entry.attrs.iter().filter(move |(found, _)| found.eq_ignore_ascii_case(name));
    named.flat_map(|(_, values)| values)
}

/// The day of a Generalized Time (RFC 4517 §3.3.13), in UTC; what is none is left as it is.
fn date(value: String) -> String {
    let digits = value.bytes().take_while(u8::is_ascii_digit).count();
    if digits < 8 {
        return value;
    }
    format!("{}-{}-{}", &value[..4], &value[4..6], &value[6..8])
}

fn fault(column: &'static str, problem: &'static str) -> RegisterError {
    RegisterError::Entry { column, problem }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_read_from_times() {
        for (from, to) in [
            ("20301231235959Z", "2030-12-31"),
            ("20301231", "2030-12-31"),
            ("2030-12-31", "2030-12-31"),
            ("soon", "soon"),
            ("", ""),
        ] {
            assert_eq!(date(from.to_owned()), to);
        }
    }
}
