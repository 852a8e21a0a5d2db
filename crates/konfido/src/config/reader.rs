//! Reading TOML with every fault told at once, each with its place in the file.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::ops::Range;
use std::path::PathBuf;

use exchange::{Country, Digest, Oid};
use toml::de::{DeTable, DeValue};

/// A place in the file, in bytes.
pub type Span = Range<usize>;

/// A value with its place in the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct At<T> {
    /// The value.
    pub value: T,
    /// Where it stands.
    pub span: Span,
}

/// One thing to put right.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, miette::Diagnostic)]
#[error("{message}")]
#[diagnostic()]
pub struct Fault {
    /// What is wrong.
    pub message: String,
    /// Where.
    #[label]
    pub span: miette::SourceSpan,
    /// What to write instead.
    #[help]
    pub help: Option<String>,
    /// The stable code for events, where it is about more than this file.
    pub code: Option<&'static str>,
}

/// Where faults are gathered.
#[derive(Debug, Default)]
pub struct Faults(RefCell<Vec<Fault>>);

impl Faults {
    /// Adds one.
    pub fn add(&self, span: &Span, message: impl Into<String>, help: Option<&str>) {
        self.push(span, message.into(), help, None);
    }

    /// Adds one that is an event, too, when it is found while the node runs.
    pub fn add_coded(&self, span: &Span, message: impl Into<String>, code: &'static str) {
        self.push(span, message.into(), None, Some(code));
    }

    fn push(&self, span: &Span, message: String, help: Option<&str>, code: Option<&'static str>) {
        let (span, help) = (span.clone().into(), help.map(str::to_owned));
        self.0.borrow_mut().push(Fault { message, span, help, code });
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.borrow().is_empty()
    }

    /// All, in the order of the file.
    pub fn into_sorted(self) -> Vec<Fault> {
        let mut all = self.0.into_inner();
        all.sort_by_key(|fault| fault.span.offset());
        all
    }
}

/// A kind of value that a setting may have.
pub trait Setting: Sized {
    /// What is expected, for people.
    const EXPECTED: &'static str;

    /// The value, when it is one.
    fn read(value: &DeValue<'_>) -> Option<Self>;
}

/// One table; what nobody asked for is a fault.
pub struct Section<'t, 'i> {
    name: &'t str,
    table: &'t DeTable<'i>,
    span: Span,
    asked: RefCell<BTreeSet<&'static str>>,
    faults: &'t Faults,
}

impl<'t, 'i> Section<'t, 'i> {
    /// The table with this name.
    pub fn new(name: &'t str, table: &'t DeTable<'i>, span: Span, faults: &'t Faults) -> Self {
        Self { name, table, span, asked: RefCell::default(), faults }
    }

    /// Where the table stands.
    pub fn span(&self) -> &Span {
        &self.span
    }

    /// A setting, or `None` when it is missing or wrong.
    pub fn optional<T: Setting>(&self, key: &'static str) -> Option<At<T>> {
        let (value, span) = self.find(key)?;
        let read = T::read(value);
        if read.is_none() {
            self.faults.add(&span, format!("{key} is not {}", T::EXPECTED), None);
        }
        read.map(|value| At { value, span })
    }

    /// A setting that must be there.
    pub fn required<T: Setting>(&self, key: &'static str) -> Option<At<T>> {
        if self.find(key).is_none() {
            let help = format!("add {key} = {}", T::EXPECTED);
            self.faults.add(&self.span, format!("{} has no {key}", self.name), Some(&help));
        }
        self.optional(key)
    }

    /// Where a setting stands.
    pub fn place(&self, key: &'static str) -> Option<Span> {
        self.find(key).map(|(_, span)| span)
    }

    /// A setting, or its default.
    pub fn or<T: Setting>(&self, key: &'static str, default: T) -> T {
        self.optional(key).map_or(default, |found| found.value)
    }

    /// A table within this one; empty when it is missing.
    pub fn section(
        &self,
        key: &'static str,
        full: &'t str,
        empty: &'t DeTable<'i>,
    ) -> Section<'t, 'i> {
        let Some((value, span)) = self.find(key) else {
            return Self::new(full, empty, self.span.start..self.span.start, self.faults);
        };
        let table = value.as_table().unwrap_or_else(|| {
            self.faults.add(&span, format!("{key} is not a table"), None);
            empty
        });
        Self::new(full, table, span, self.faults)
    }

    /// An array of tables; empty when it is missing.
    pub fn sections(&self, key: &'static str, full: &'t str) -> Vec<Section<'t, 'i>> {
        let Some((value, span)) = self.find(key) else { return Vec::new() };
        let Some(rows) = value.as_array() else {
            self.faults.add(
                &span,
                format!("{key} is not a list of tables"),
                Some(&format!("write [[{key}]]")),
            );
            return Vec::new();
        };
        rows.iter()
            .filter_map(|row| {
                Some(Self::new(full, row.get_ref().as_table()?, row.span(), self.faults))
            })
            .collect()
    }

    /// Ends the reading: what nobody asked for is unknown.
    pub fn end(self) {
        let asked = self.asked.borrow();
        for key in self.table.keys() {
            let name = key.get_ref().as_ref();
            if !asked.contains(name) {
                let near = asked
                    .iter()
                    .min_by_key(|known| distance(known, name))
                    .filter(|known| distance(known, name) <= 3);
                let help = near.map_or_else(
                    || {
                        format!(
                            "known here: {}",
                            asked.iter().copied().collect::<Vec<_>>().join(", ")
                        )
                    },
                    |near| format!("did you mean {near}?"),
                );
                self.faults.add(
                    &key.span(),
                    format!("{} has no setting {name}", self.name),
                    Some(&help),
                );
            }
        }
    }

    fn find(&self, key: &'static str) -> Option<(&'t DeValue<'i>, Span)> {
        self.asked.borrow_mut().insert(key);
        self.table.get(key).map(|found| (found.get_ref(), found.span()))
    }
}

/// Levenshtein.
fn distance(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.bytes().enumerate() {
        let mut corner = row[0];
        row[0] = i + 1;
        for (j, y) in b.bytes().enumerate() {
            let changed = corner + usize::from(x != y);
            corner = row[j + 1];
            row[j + 1] = changed.min(row[j] + 1).min(corner + 1);
        }
    }
    row[b.len()]
}

impl Setting for String {
    const EXPECTED: &'static str = "a text in quotes";

    fn read(value: &DeValue<'_>) -> Option<Self> {
        value.as_str().map(str::to_owned)
    }
}

impl Setting for bool {
    const EXPECTED: &'static str = "true or false";

    fn read(value: &DeValue<'_>) -> Option<Self> {
        value.as_bool()
    }
}

impl Setting for u64 {
    const EXPECTED: &'static str = "a whole number above 0";

    fn read(value: &DeValue<'_>) -> Option<Self> {
        let number = value.as_integer()?;
        Self::from_str_radix(number.as_str(), number.radix()).ok().filter(|n| *n > 0)
    }
}

impl Setting for PathBuf {
    const EXPECTED: &'static str = "\"a path\"";

    fn read(value: &DeValue<'_>) -> Option<Self> {
        value.as_str().filter(|text| !text.is_empty()).map(Self::from)
    }
}

impl Setting for Country {
    const EXPECTED: &'static str = "two letters, as in \"DK\"";

    fn read(value: &DeValue<'_>) -> Option<Self> {
        Self::parse(value.as_str()?).ok()
    }
}

impl Setting for Oid {
    const EXPECTED: &'static str = "an object identifier, as in \"1.2.208\"";

    fn read(value: &DeValue<'_>) -> Option<Self> {
        Self::parse(value.as_str()?).ok()
    }
}

impl Setting for SocketAddr {
    const EXPECTED: &'static str = "an address with a port, as in \"127.0.0.1:9090\"";

    fn read(value: &DeValue<'_>) -> Option<Self> {
        value.as_str()?.parse().ok()
    }
}

impl Setting for Digest {
    const EXPECTED: &'static str = "64 hexadecimal digits of a SHA-256";

    fn read(value: &DeValue<'_>) -> Option<Self> {
        Self::parse(value.as_str()?).ok()
    }
}

/// Registers of a TPM.
impl Setting for Vec<u8> {
    const EXPECTED: &'static str = "a list of registers, 0 to 23, as in [0, 2, 7]";

    fn read(value: &DeValue<'_>) -> Option<Self> {
        let register = |number: &toml::de::DeInteger<'_>| {
            u8::from_str_radix(number.as_str(), number.radix()).ok().filter(|pcr| *pcr < 24)
        };
        let all = value.as_array()?.iter();
        all.map(|one| one.get_ref().as_integer().and_then(register)).collect()
    }
}

impl Setting for Vec<String> {
    const EXPECTED: &'static str = "a list of texts, as in [\"a\", \"b\"]";

    fn read(value: &DeValue<'_>) -> Option<Self> {
        value.as_array()?.iter().map(|one| one.get_ref().as_str().map(str::to_owned)).collect()
    }
}
