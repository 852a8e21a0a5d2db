//! One linear pass before the DOM: refuses what would be costly or ambiguous to parse.

use super::{Limits, XmlError};

/// Checks size, document type, processing instructions, encoding, attribute count and namespace names.
pub(super) fn check(text: &str, limits: &Limits) -> Result<(), XmlError> {
    if text.len() > limits.bytes {
        return Err(XmlError::TooLong { found: text.len(), limit: limits.bytes });
    }
    let bytes = text.as_bytes();
    let mut at = 0;
    while let Some(offset) = memchr::memchr(b'<', &bytes[at..]) {
        let open = at + offset;
        let rest = &bytes[open..];
        at = if rest.starts_with(b"<!--") {
            end_of(bytes, open + 4, b"-->")?
        } else if rest.starts_with(b"<![CDATA[") {
            end_of(bytes, open + 9, b"]]>")?
        } else if rest.starts_with(b"<!") {
            return Err(XmlError::DocumentType);
        } else if rest.starts_with(b"<?") {
            if open != 0 || !rest.starts_with(b"<?xml ") {
                return Err(XmlError::ProcessingInstruction);
            }
            let end = end_of(bytes, open, b"?>")?;
            check_encoding(text, &text[..end])?;
            end
        } else {
            check_tag(bytes, open, limits)?
        };
    }
    Ok(())
}

/// What is read here is UTF-8, whatever the declaration says: a peer that follows another declaration
/// reads other letters. Where there are only ASCII ones, those of a superset are the same.
fn check_encoding(text: &str, declaration: &str) -> Result<(), XmlError> {
    let Some((_, rest)) = declaration.split_once("encoding") else { return Ok(()) };
    let mut parts = rest.split(['"', '\'']);
    let named = parts.nth(1).unwrap_or("");
    let same = named.eq_ignore_ascii_case("utf-8")
        || text.is_ascii() && SUPERSETS.iter().any(|set| set.eq_ignore_ascii_case(named));
    if same { Ok(()) } else { Err(XmlError::NotUtf8) }
}

/// Offset just behind the start tag at the beginning of `source`.
pub(super) fn start_tag_end(source: &str) -> usize {
    let bytes = source.as_bytes();
    let mut at = 0;
    while let Some(offset) = memchr::memchr3(b'>', b'"', b'\'', &bytes[at..]) {
        let found = at + offset;
        match bytes[found] {
            b'>' => return found + 1,
            quote => match memchr::memchr(quote, &bytes[found + 1..]) {
                Some(close) => at = found + 1 + close + 1,
                None => break,
            },
        }
    }
    source.len()
}

/// Counts the quoted values of one tag and looks at the namespace names; returns its end.
fn check_tag(bytes: &[u8], open: usize, limits: &Limits) -> Result<usize, XmlError> {
    let not_well_formed = XmlError::NotWellFormed { offset: open };
    let mut attributes = 0;
    let mut at = open + 1;
    loop {
        let offset =
            memchr::memchr3(b'>', b'"', b'\'', &bytes[at..]).ok_or(not_well_formed.clone())?;
        let found = at + offset;
        let quote = bytes[found];
        if quote == b'>' {
            return Ok(found + 1);
        }
        let length = memchr::memchr(quote, &bytes[found + 1..]).ok_or(not_well_formed.clone())?;
        attributes += 1;
        if attributes > limits.attributes {
            return Err(XmlError::TooManyAttributes { limit: limits.attributes });
        }
        let name = attribute_name(&bytes[at..found]);
        if name == b"xmlns" || name.starts_with(b"xmlns:") {
            check_namespace(&bytes[found + 1..found + 1 + length], name == b"xmlns")?;
        }
        at = found + 1 + length + 1;
    }
}

/// The name before `=` in what stands between two quoted values.
fn attribute_name(between: &[u8]) -> &[u8] {
    let trimmed = between.trim_ascii_end();
    let trimmed = trimmed.strip_suffix(b"=").unwrap_or(trimmed).trim_ascii_end();
    let start = trimmed.iter().rposition(u8::is_ascii_whitespace).map_or(0, |space| space + 1);
    &trimmed[start..]
}

/// Absolute, and of characters that are the same however the name is quoted, so that a parser's
/// normalisation and our own escaping change nothing. An empty name undeclares, which only the default
/// namespace may be (Namespaces in XML 1.0 §6.1).
fn check_namespace(uri: &[u8], default: bool) -> Result<(), XmlError> {
    let scheme = uri.iter().position(|b| *b == b':');
    let absolute = scheme.is_some_and(|colon| {
        uri[..colon].first().is_some_and(u8::is_ascii_alphabetic)
            && uri[..colon].iter().all(|b| b.is_ascii_alphanumeric() || b"+-.".contains(b))
    });
    let plain = uri.iter().all(|b| b.is_ascii_graphic() && !b"<>&\"'".contains(b));
    let undeclares = uri.is_empty() && default;
    if undeclares || (absolute && plain) { Ok(()) } else { Err(XmlError::RelativeNamespace) }
}

fn end_of(bytes: &[u8], from: usize, mark: &[u8]) -> Result<usize, XmlError> {
    memchr::memmem::find(&bytes[from..], mark)
        .map(|offset| from + offset + mark.len())
        .ok_or(XmlError::NotWellFormed { offset: from })
}

/// Encodings in which ASCII text is ASCII.
const SUPERSETS: [&str; 5] = ["us-ascii", "ascii", "iso-8859-1", "iso-8859-15", "windows-1252"];
