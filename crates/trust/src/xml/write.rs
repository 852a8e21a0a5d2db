//! Writing XML: text is always escaped, tags always closed.

use std::borrow::Cow;

/// Escapes text for element content and for attribute values in double quotes.
pub fn escape(text: &str) -> Cow<'_, str> {
    if !text.bytes().any(|byte| b"&<>\"\r\n\t".contains(&byte)) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    escape_into(&mut out, text);
    Cow::Owned(out)
}

/// By runs: nearly all of a text stands for itself, and all that does not is one byte of UTF-8.
fn escape_into(out: &mut String, text: &str) {
    let mut written = 0;
    for (at, byte) in text.bytes().enumerate() {
        let escaped = match byte {
            b'&' => "&amp;",
            b'<' => "&lt;",
            b'>' => "&gt;",
            b'"' => "&quot;",
            b'\r' => "&#xD;",
            b'\n' => "&#xA;",
            b'\t' => "&#x9;",
            _ => continue,
        };
        out.push_str(&text[written..at]);
        out.push_str(escaped);
        written = at + 1;
    }
    out.push_str(&text[written..]);
}

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
