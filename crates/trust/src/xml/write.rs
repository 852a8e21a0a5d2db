//! Writing XML: text is always escaped, tags always closed.

use std::borrow::Cow;

/// Escapes text for element content and for attribute values in double quotes.
pub fn escape(text: &str) -> Cow<'_, str> {
    if first_special(text.as_bytes()).is_none() {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    escape_into(&mut out, text);
    Cow::Owned(out)
}

/// By runs: nearly all of a text stands for itself, and all that does not is one byte of UTF-8.
fn escape_into(out: &mut String, text: &str) {
    let mut rest = text;
    while let Some(at) = first_special(rest.as_bytes()) {
        out.push_str(&rest[..at]);
        out.push_str(match rest.as_bytes()[at] {
            b'&' => "&amp;",
            b'<' => "&lt;",
            b'>' => "&gt;",
            b'"' => "&quot;",
            b'\r' => "&#xD;",
            b'\n' => "&#xA;",
            _ => "&#x9;",
        });
        rest = &rest[at + 1..];
    }
    out.push_str(rest);
}

/// Where the first byte stands that is escaped. Whole pieces without one are passed over together:
/// base64 of some kilobytes is the most of an audit record.
fn first_special(text: &[u8]) -> Option<usize> {
    // numbers, not truths: no branch, so that the compiler looks at a whole piece at once
    let special = |b: u8| SPECIAL.iter().fold(0, |found, one| found | u8::from(b == *one));
    let plain = |piece: &&[u8]| piece.iter().fold(0, |found, b| found | special(*b)) == 0;
    let passed: usize = text.chunks(PIECE).take_while(plain).map(<[u8]>::len).sum();
    text[passed..].iter().position(|b| special(*b) != 0).map(|at| passed + at)
}

const PIECE: usize = 32;
const SPECIAL: [u8; 7] = *b"&<>\"\r\n\t";

/// Builds XML text element by element.
///
/// ```
/// let mut w = trust::xml::Writer::new();
/// w.open("a", &[("id", "1 & 2")]);
/// w.leaf("b", &[], "x < y");
/// w.empty("c", &[]);
/// w.close();
/// assert_eq!(w.finish(), r#"<a id="1 &amp; 2"><b>x &lt; y</b><c/></a>"#);
/// ```
#[derive(Debug, Default)]
pub struct Writer {
    out: String,
    open: Vec<&'static str>,
}

impl Writer {
    /// An empty text.
    pub fn new() -> Self {
        Self::default()
    }

    /// An empty text with room for about so many bytes.
    pub fn with_capacity(bytes: usize) -> Self {
        Self { out: String::with_capacity(bytes), open: Vec::new() }
    }

    /// Opens an element; [`Writer::close`] closes it. Names carry their prefix.
    pub fn open(&mut self, name: &'static str, attributes: &[(&str, &str)]) {
        self.tag(name, attributes);
        self.out.push('>');
        self.open.push(name);
    }

    /// Closes the innermost open element.
    pub fn close(&mut self) {
        let name = self.open.pop().expect("because every close has its open");
        self.out.push_str("</");
        self.out.push_str(name);
        self.out.push('>');
    }

    /// An element that holds text only.
    pub fn leaf(&mut self, name: &'static str, attributes: &[(&str, &str)], text: &str) {
        self.open(name, attributes);
        self.text(text);
        self.close();
    }

    /// An element without content.
    pub fn empty(&mut self, name: &'static str, attributes: &[(&str, &str)]) {
        self.tag(name, attributes);
        self.out.push_str("/>");
    }

    /// Escaped text.
    pub fn text(&mut self, text: &str) {
        escape_into(&mut self.out, text);
    }

    /// XML that is already well-formed, such as a signed assertion: copied byte for byte.
    pub fn raw(&mut self, xml: &str) {
        self.out.push_str(xml);
    }

    /// The finished text. Every element must be closed.
    pub fn finish(self) -> String {
        assert!(self.open.is_empty(), "an element is still open");
        self.out
    }

    fn tag(&mut self, name: &str, attributes: &[(&str, &str)]) {
        self.out.push('<');
        self.out.push_str(name);
        for (key, value) in attributes {
            self.out.push(' ');
            self.out.push_str(key);
            self.out.push_str("=\"");
            escape_into(&mut self.out, value);
            self.out.push('"');
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_special_byte_is_escaped_wherever_it_stands() {
        let specials = [("&", "&amp;"), ("<", "&lt;"), (">", "&gt;"), ("\"", "&quot;")];
        let spaces = [("\r", "&#xD;"), ("\n", "&#xA;"), ("\t", "&#x9;")];
        for (plain, escaped) in specials.into_iter().chain(spaces) {
            for before in 0..70 {
                let around = |middle: &str| {
                    format!(
                        "{}{middle}\u{e5}{middle}{middle}{}",
                        "a".repeat(before),
                        "b".repeat(40)
                    )
                };
                assert_eq!(escape(&around(plain)), around(escaped));
            }
        }
        let text = "\u{e6}\u{f8}\u{e5}+/=".repeat(20);
        assert!(matches!(escape(&text), Cow::Borrowed(same) if same == text));
    }
}
