//! A register as text: RFC 4180 with a header row; commas or, as spreadsheets of some countries
//! write it, semicolons. Columns may stand in any order; a column that nobody knows is an error,
//! because `suspendet` must not pass for nothing.

use std::collections::HashMap;

use exchange::{Oid, RoleCode};
use jiff::civil::Date;

use super::{Entry, Facility, PersonKey, RegisterError};

/// The columns, as the header names them. The last five may be left out.
pub const COLUMNS: [&str; 13] = [
    "person",
    "number",
    "family",
    "given",
    "role",
    "organization",
    "organization_id",
    "facility",
    "locality",
    "birth",
    "valid_from",
    "valid_until",
    "suspended",
];
const DEMANDED: usize = 8;

/// Reads the whole register. One wrong line refuses all of it.
pub fn parse(text: &str) -> Result<HashMap<PersonKey, Entry>, RegisterError> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let first = text.lines().next().unwrap_or("");
    let separator = if first.contains(';') && !first.contains(',') { ';' } else { ',' };
    let mut records = records(text, separator)?.into_iter();
    let places = places(records.next().map(|(_, header)| header).unwrap_or_default())?;
    let mut entries = HashMap::new();
    for (line, fields) in records {
        if fields.len() != places.iter().flatten().count() {
            return Err(fault(line, "record", "has not as many fields as the header"));
        }
        let entry = Line { line, fields: &fields, places: &places }.entry()?;
        if entries.insert(entry.person.clone(), entry).is_some() {
            return Err(fault(line, "person", "stands twice"));
        }
    }
    Ok(entries)
}

/// The entry of one person, from fields in the order of [`COLUMNS`]; empty where the register has
/// none. For registers that are no text, so that the same rules hold for their entries.
pub fn entry(fields: &[String; COLUMNS.len()]) -> Result<Entry, RegisterError> {
    let line = Line { line: 0, fields, places: &std::array::from_fn(Some) };
    line.entry().map_err(|error| match error {
        RegisterError::Line { column, problem, .. } => RegisterError::Entry { column, problem },
        other => other,
    })
}

/// Writes entries as [`parse`] reads them.
pub fn render(entries: &[Entry]) -> String {
    let mut out = COLUMNS.join(",");
    out.push('\n');
    for entry in entries {
        let date = |date: Option<Date>| date.map(|d| d.to_string()).unwrap_or_default();
        let fields = [
            entry.person.text(),
            entry.number.clone(),
            entry.family.clone(),
            entry.given.clone(),
            entry.role.code().to_owned(),
            entry.organization.clone(),
            entry.organization_id.clone(),
            entry.facility.name().to_owned(),
            entry.locality.clone(),
            date(entry.birth),
            date(entry.from),
            date(entry.until),
            if entry.suspended { "yes" } else { "no" }.to_owned(),
        ];
        let quoted = fields.map(|field| format!("\"{}\"", field.replace('"', "\"\"")));
        out.push_str(&quoted.join(","));
        out.push('\n');
    }
    out
}

fn fault(line: usize, column: &'static str, problem: &'static str) -> RegisterError {
    RegisterError::Line { line, column, problem }
}

/// Where each of [`COLUMNS`] stands.
fn places(header: Vec<String>) -> Result<[Option<usize>; COLUMNS.len()], RegisterError> {
    let mut places = [None; COLUMNS.len()];
    for (place, name) in header.iter().enumerate() {
        let column = COLUMNS.iter().position(|column| *column == name.trim());
        let column = column.ok_or(fault(1, "header", "names a column that nobody knows"))?;
        if places[column].replace(place).is_some() {
            return Err(fault(1, COLUMNS[column], "stands twice"));
        }
    }
    match places[..DEMANDED].iter().position(Option::is_none) {
        Some(missing) => Err(fault(1, COLUMNS[missing], "is missing")),
        None => Ok(places),
    }
}

struct Line<'a> {
    line: usize,
    fields: &'a [String],
    places: &'a [Option<usize>; COLUMNS.len()],
}

impl Line<'_> {
    fn entry(&self) -> Result<Entry, RegisterError> {
        let locality = self.text("locality").to_owned();
        let organization = self.demand("organization")?.to_owned();
        let number = self.demand("number")?;
        if number.chars().any(char::is_control) {
            return Err(self.fault("number", "holds a control character"));
        }
        Ok(Entry {
            person: self.read("person", "is not CC/identifier", PersonKey::parse)?,
            number: number.to_owned(),
            family: self.demand("family")?.to_owned(),
            given: self.demand("given")?.to_owned(),
            birth: self.date("birth")?,
            role: self.read("role", "is not a role of the eHDSI value set", |code| {
                RoleCode::parse(code).ok()
            })?,
            organization_id: self.read("organization_id", "is not urn:oid: or urn:hl7ii:", id)?,
            facility: self.read(
                "facility",
                "is not Hospital, Resident Physician, Pharmacy or Other",
                Facility::of_name,
            )?,
            locality: if locality.is_empty() { organization.clone() } else { locality },
            organization,
            from: self.date("valid_from")?,
            until: self.date("valid_until")?,
            suspended: match self.text("suspended") {
                "" | "no" | "false" | "0" => false,
                "yes" | "true" | "1" => true,
                _ => return Err(self.fault("suspended", "is neither yes nor no")),
            },
        })
    }

    fn fault(&self, column: &'static str, problem: &'static str) -> RegisterError {
        fault(self.line, column, problem)
    }

    fn text(&self, column: &'static str) -> &str {
        let place = COLUMNS.iter().position(|name| *name == column).and_then(|i| self.places[i]);
        place.map_or("", |place| self.fields[place].trim())
    }

    fn demand(&self, column: &'static str) -> Result<&str, RegisterError> {
        Some(self.text(column)).filter(|t| !t.is_empty()).ok_or(self.fault(column, "is empty"))
    }

    fn read<T>(
        &self,
        column: &'static str,
        problem: &'static str,
        read: impl FnOnce(&str) -> Option<T>,
    ) -> Result<T, RegisterError> {
        read(self.demand(column)?).ok_or(self.fault(column, problem))
    }

    fn date(&self, column: &'static str) -> Result<Option<Date>, RegisterError> {
        match self.text(column) {
            "" => Ok(None),
            text => text.parse().map(Some).map_err(|_| self.fault(column, "is not YYYY-MM-DD")),
        }
    }
}

/// `urn:oid:…` or `urn:hl7ii:root:extension` (openncp-protocol §1.7).
fn id(text: &str) -> Option<String> {
    let ok = match text.strip_prefix("urn:hl7ii:") {
        Some(rest) => rest
            .split_once(':')
            .is_some_and(|(root, extension)| Oid::parse(root).is_ok() && !extension.is_empty()),
        None => text.starts_with("urn:oid:") && Oid::parse(text).is_ok(),
    };
    ok.then(|| text.to_owned())
}

/// Records with the line on which each begins; empty lines are skipped.
fn records(text: &str, separator: char) -> Result<Vec<(usize, Vec<String>)>, RegisterError> {
    let mut records = Vec::new();
    let (mut fields, mut field) = (Vec::new(), String::new());
    let (mut line, mut begun) = (1, 1);
    let (mut quoted, mut was_quoted) = (false, false);
    let mut chars = text.chars().peekable();
    loop {
        let next = chars.next();
        match next {
            Some('"') if quoted => match chars.next_if_eq(&'"') {
                Some(_) => field.push('"'),
                None => quoted = false,
            },
            None if quoted => return Err(fault(begun, "record", "has a quote that never ends")),
            Some(c) if quoted => {
                line += usize::from(c == '\n');
                field.push(c);
            }
            Some('"') if field.is_empty() && !was_quoted => (quoted, was_quoted) = (true, true),
            Some('"') => return Err(fault(line, "record", "has a quote within a field")),
            Some('\r') if matches!(chars.peek(), Some('\n') | None) => {}
            Some('\n') | None => {
                let empty = fields.is_empty() && field.is_empty() && !was_quoted;
                fields.push(std::mem::take(&mut field));
                let record = std::mem::take(&mut fields);
                if !empty {
                    records.push((begun, record));
                }
                if next.is_none() {
                    return Ok(records);
                }
                line += 1;
                (begun, was_quoted) = (line, false);
            }
            Some(c) if c == separator => {
                fields.push(std::mem::take(&mut field));
                was_quoted = false;
            }
            Some(_) if was_quoted => {
                return Err(fault(line, "record", "goes on behind a quote"));
            }
            Some(c) => field.push(c),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::register::conformance::{doctor, pharmacist};

    const HEADER: &str = "person,number,family,given,role,organization,organization_id,facility";

    #[test]
    fn what_is_written_is_read() {
        let mut odd = pharmacist();
        odd.organization = "Farmàcia \"Inventada\",\n2a planta; porta 1".into();
        let text = render(&[doctor(), odd.clone()]);
        for text in [
            text.clone(),
            text.replace('\n', "\r\n").replace("Inventada\"\",\r\n", "Inventada\"\",\n"),
            format!("\u{feff}{text}\n\n"),
        ] {
            let entries = parse(&text).unwrap();
            assert_eq!(entries.len(), 2);
            assert!(entries[&doctor().person] == doctor() && entries[&odd.person] == odd);
        }
    }

    #[test]
    fn semicolons_and_any_order_of_columns_are_read() {
        let text = "given;family;person;number;role;organization;organization_id;facility\n\
                    Ann;Invented;DK/1;DK-1;2221;Clinic, south;urn:hl7ii:1.2.3:77;Other\n";
        let entries = parse(text).unwrap();
        let entry = &entries[&PersonKey::parse("DK/1").unwrap()];
        assert_eq!(
            (entry.organization.as_str(), entry.locality.as_str()),
            ("Clinic, south", "Clinic, south")
        );
        assert!(entry.birth.is_none() && entry.until.is_none() && !entry.suspended);
    }

    #[test]
    fn each_fault_is_told_with_its_line_and_column() {
        let good = "ES/1,N-1,Family,Given,221,Clinic,urn:oid:1.2,Hospital";
        let lines = |line: &str| format!("{HEADER}\n{good}\n{line}\n");
        let columns = |column: &str, value: &str| {
            format!("{HEADER},{column}\n{good},\nES/2,N-2,F,G,221,C,urn:oid:1.2,Hospital,{value}\n")
        };
        for (text, expected) in [
            (String::new(), "line 1: person is missing"),
            ("person,number".into(), "line 1: family is missing"),
            (format!("{HEADER},number\n"), "line 1: number stands twice"),
            (format!("{HEADER},suspendet\n"), "line 1: header names a column that nobody knows"),
            (lines("ES/2,N-2"), "line 3: record has not as many fields as the header"),
            (lines(&good.replace("N-1", "N-2")), "line 3: person stands twice"),
            (lines(&good.replace("ES/1", "Spain/1")), "line 3: person is not CC/identifier"),
            (lines(&good.replace("ES/1", "ES/2").replace("Family", "")), "line 3: family is empty"),
            (lines("ES/2,\"N-2,F"), "line 3: record has a quote that never ends"),
            (lines("ES/2,N\"2,F"), "line 3: record has a quote within a field"),
            (lines("ES/2,\"N\"2,F"), "line 3: record goes on behind a quote"),
            (
                lines(&good.replace("221", "doctor")),
                "line 3: role is not a role of the eHDSI value set",
            ),
            (
                lines(&good.replace("urn:oid:1.2", "1.2")),
                "line 3: organization_id is not urn:oid: or urn:hl7ii:",
            ),
            (
                lines(&good.replace("Hospital", "hospital")),
                "line 3: facility is not Hospital, Resident Physician, Pharmacy or Other",
            ),
            (columns("birth", "1.2.1970"), "line 3: birth is not YYYY-MM-DD"),
            (columns("valid_until", "2026-02-30"), "line 3: valid_until is not YYYY-MM-DD"),
            (columns("suspended", "maybe"), "line 3: suspended is neither yes nor no"),
        ] {
            let error = parse(&text).err().map(|e| e.to_string());
            assert_eq!(error.as_deref(), Some(format!("register {expected}").as_str()), "{text}");
        }
    }
}
