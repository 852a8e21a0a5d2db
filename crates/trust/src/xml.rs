//! Strict XML: one parser, one DOM, for everything that is read.
//!
//! The signature engine verifies the same DOM that the readers walk, so there is no second parser
//! to disagree with (CVE-2025-25291/25292). Refused before the DOM is built: document types,
//! processing instructions, relative namespace URIs ("void canonicalization"), more than
//! [`Limits::attributes`] attributes on an element (the DOM is quadratic there), and anything
//! beyond [`Limits::bytes`]. Depth is bounded by the parser.

mod scan;
mod write;

use std::ops::Range;

use uppsala::{Document, NodeId, NodeKind, Parser};

pub use write::{Writer, escape};

/// What a document may cost.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Longest document, in bytes.
    pub bytes: usize,
    /// Deepest nesting of elements.
    pub depth: u32,
    /// Most attributes (namespace declarations included) on one element.
    pub attributes: usize,
}

impl Limits {
    /// A SOAP message with its document inline as base64: 32 MiB.
    pub const MESSAGE: Self = Self { bytes: 32 << 20, depth: 100, attributes: 64 };
    /// One assertion or one audit record: 256 KiB.
    pub const ASSERTION: Self = Self { bytes: 256 << 10, depth: 64, attributes: 64 };
}

/// Why a text is not the XML that we read. Usually the sender's fault.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum XmlError {
    /// Longer than the limit.
    #[error("xml of {found} bytes is longer than the limit of {limit}")]
    TooLong {
        /// Length of the text.
        found: usize,
        /// The limit that applied.
        limit: usize,
    },
    /// A document type declaration: the door to entities and parser tricks.
    #[error("xml has a document type declaration")]
    DocumentType,
    /// A processing instruction, which no message of ours uses.
    #[error("xml has a processing instruction")]
    ProcessingInstruction,
    /// More attributes on one element than the limit.
    #[error("xml element has more than {limit} attributes")]
    TooManyAttributes {
        /// The limit that applied.
        limit: usize,
    },
    /// A namespace name that is not an absolute URI, or holds what a URI may not hold.
    #[error("xml declares a relative namespace uri")]
    RelativeNamespace,
    /// Not UTF-8.
    #[error("xml is not utf-8")]
    NotUtf8,
    /// Not well-formed, or nested deeper than the limit.
    #[error("xml is not well-formed at byte {offset}")]
    NotWellFormed {
        /// Where the parser stopped, when it said so; else 0.
        offset: usize,
    },
    /// An element that the standard demands is missing or stands more than once.
    #[error("xml element {name} is {problem}")]
    Element {
        /// Local name of the element.
        name: &'static str,
        /// `missing`, `repeated` or `not plain text`.
        problem: &'static str,
    },
    /// An attribute that the standard demands is missing.
    #[error("xml attribute {name} is missing")]
    Attribute {
        /// Local name of the attribute.
        name: &'static str,
    },
}

/// A parsed document. Borrow [`Xml::root`] to read it.
#[derive(Debug)]
pub struct Xml<'a> {
    document: Document<'a>,
}

impl<'a> Xml<'a> {
    /// Parses with the strict rules of this module.
    pub fn parse(text: &'a str, limits: &Limits) -> Result<Self, XmlError> {
        scan::check(text, limits)?;
        let document = Parser::new()
            .with_forbid_dtd(true)
            .with_forbid_entities(true)
            .with_max_depth(limits.depth)
            .parse(text)
            .map_err(|_| XmlError::NotWellFormed { offset: 0 })?;
        if document.document_element().is_none() {
            return Err(XmlError::NotWellFormed { offset: text.len() });
        }
        Ok(Self { document })
    }

    /// Parses bytes that must be UTF-8; a byte order mark is skipped.
    pub fn parse_bytes(bytes: &'a [u8], limits: &Limits) -> Result<Self, XmlError> {
        let text = std::str::from_utf8(bytes).map_err(|_| XmlError::NotUtf8)?;
        Self::parse(text.strip_prefix('\u{feff}').unwrap_or(text), limits)
    }

    /// The document element.
    pub fn root(&self) -> Element<'_, 'a> {
        let node =
            self.document.document_element().expect("because parse demands a document element");
        Element { document: &self.document, node }
    }

    /// The text that was parsed.
    pub fn text(&self) -> &'a str {
        self.document.input_text()
    }
}

/// A cursor on one element of an [`Xml`].
#[derive(Clone, Copy)]
pub struct Element<'d, 'a> {
    document: &'d Document<'a>,
    node: NodeId,
}

impl std::fmt::Debug for Element<'_, '_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "<{}>", self.name())
    }
}

impl<'d, 'a> Element<'d, 'a> {
    /// Local name.
    pub fn name(self) -> &'d str {
        &self.data().name.local_name
    }

    /// Namespace name; empty for none.
    pub fn namespace(self) -> &'d str {
        self.data().name.namespace_uri.as_deref().unwrap_or("")
    }

    /// Whether the element has this namespace and local name. Prefixes never matter.
    pub fn is(self, namespace: &str, name: &str) -> bool {
        self.name() == name && self.namespace() == namespace
    }

    /// An attribute without namespace.
    pub fn attribute(self, name: &str) -> Option<&'d str> {
        self.data()
            .attributes
            .iter()
            .find(|a| a.name.namespace_uri.is_none() && a.name.local_name == name)
            .map(|a| &*a.value)
    }

    /// An attribute without namespace that the standard demands.
    pub fn demand_attribute(self, name: &'static str) -> Result<&'d str, XmlError> {
        self.attribute(name).ok_or(XmlError::Attribute { name })
    }

    /// An attribute in a namespace (`xsi:type`).
    pub fn attribute_ns(self, namespace: &str, name: &str) -> Option<&'d str> {
        self.data().get_attribute_ns(namespace, name)
    }

    /// Child elements, in order.
    pub fn children(self) -> impl Iterator<Item = Element<'d, 'a>> {
        let document = self.document;
        document
            .children_iter(self.node)
            .filter(move |id| matches!(document.node_kind(*id), Some(NodeKind::Element(_))))
            .map(move |node| Element { document, node })
    }

    /// Child elements with this namespace and local name.
    pub fn children_named(
        self,
        namespace: &str,
        name: &str,
    ) -> impl Iterator<Item = Element<'d, 'a>> {
        self.children().filter(move |child| child.is(namespace, name))
    }

    /// The first child element with this namespace and local name.
    pub fn child(self, namespace: &str, name: &str) -> Option<Element<'d, 'a>> {
        self.children_named(namespace, name).next()
    }

    /// The one child element with this name: missing or repeated is an error.
    pub fn only_child(
        self,
        namespace: &str,
        name: &'static str,
    ) -> Result<Element<'d, 'a>, XmlError> {
        let mut found = self.children_named(namespace, name);
        let first = found.next().ok_or(XmlError::Element { name, problem: "missing" })?;
        if found.next().is_some() {
            return Err(XmlError::Element { name, problem: "repeated" });
        }
        Ok(first)
    }

    /// Follows a path of child names within one namespace, taking the first of each.
    pub fn path(self, namespace: &str, names: &[&str]) -> Option<Element<'d, 'a>> {
        names.iter().try_fold(self, |at, name| at.child(namespace, name))
    }

    /// All descendant elements (not the element itself), in document order.
    pub fn descendants(self) -> impl Iterator<Item = Element<'d, 'a>> {
        let mut stack: Vec<Element<'d, 'a>> = Vec::new();
        push_children(self, &mut stack);
        std::iter::from_fn(move || {
            let next = stack.pop()?;
            push_children(next, &mut stack);
            Some(next)
        })
    }

    /// The parent element.
    pub fn parent(self) -> Option<Element<'d, 'a>> {
        let node = self.document.parent(self.node)?;
        self.document.element(node).map(|_| Element { document: self.document, node })
    }

    /// The element's text when it holds nothing else: no child element, no comment, no CDATA.
    ///
    /// `None` when something else is in it: a comment in a name is how truncation attacks read
    /// `admin` where `admin<!---->@evil` was signed. An empty element gives an empty text.
    pub fn plain_text(self) -> Option<&'d str> {
        let mut text = None;
        for id in self.document.children_iter(self.node) {
            match self.document.node_kind(id) {
                Some(NodeKind::Text(value)) if text.is_none() => text = Some(&**value),
                _ => return None,
            }
        }
        Some(text.unwrap_or(""))
    }

    /// [`Element::plain_text`], trimmed, or an error that names the element.
    pub fn demand_text(self, name: &'static str) -> Result<&'d str, XmlError> {
        self.plain_text()
            .map(str::trim)
            .ok_or(XmlError::Element { name, problem: "not plain text" })
    }

    /// Text of the element and all below it; for human-readable parts only, never for decisions.
    pub fn deep_text(self) -> String {
        self.document.text_content_deep(self.node)
    }

    /// The bytes that the text stands for in base64, white space left out (`xs:base64Binary`).
    pub(crate) fn binary(self) -> Option<Vec<u8>> {
        use base64::Engine as _;
        let text = self.plain_text()?;
        let mut compact = Vec::with_capacity(text.len());
        text.split_ascii_whitespace().for_each(|run| compact.extend_from_slice(run.as_bytes()));
        base64::engine::general_purpose::STANDARD.decode(compact).ok()
    }

    /// Whether a comment, CDATA section or processing instruction stands anywhere inside.
    pub fn has_hidden_nodes(self) -> bool {
        !self.walk(|_| {})
    }

    /// Shows every descendant element, in no order that counts; says whether there were elements and
    /// text only.
    pub(crate) fn walk(self, mut visit: impl FnMut(Element<'d, 'a>)) -> bool {
        let (mut stack, mut plain) = (vec![self.node], true);
        while let Some(node) = stack.pop() {
            for child in self.document.children_iter(node) {
                match self.document.node_kind(child) {
                    Some(NodeKind::Element(_)) => {
                        visit(Element { document: self.document, node: child });
                        stack.push(child);
                    }
                    Some(NodeKind::Text(_)) => {}
                    _ => plain = false,
                }
            }
        }
        plain
    }

    /// Values of the attributes with one of these local names, in whatever namespace.
    pub(crate) fn attributes_called(self, names: &[&str]) -> impl Iterator<Item = &'d str> {
        let named = self.data().attributes.iter();
        named.filter(|a| names.iter().any(|name| a.name.local_name == *name)).map(|a| &*a.value)
    }

    /// The element exactly as it stood in the message, from `<` to `>`.
    pub fn source(self) -> &'a str {
        self.document
            .node_source(self.node)
            .expect("because every element was parsed from the text")
    }

    /// Where the element stands in the message, in bytes.
    pub fn range(self) -> Range<usize> {
        self.document.node_range(self.node).expect("because every element was parsed from the text")
    }

    /// Where the element's content stands: between its start tag and its end tag.
    ///
    /// Empty, at the element's end, for `<self-closing/>`.
    pub fn content_range(self) -> Range<usize> {
        let whole = self.range();
        let source = self.source();
        if source.ends_with("/>") {
            return whole.end..whole.end;
        }
        let start = scan::start_tag_end(source);
        let end = source.rfind("</").unwrap_or(start);
        whole.start + start..whole.start + end
    }

    /// The namespace declarations in scope, nearest first, as (prefix, uri).
    ///
    /// Exclusive canonicalization may pull an ancestor's declaration into what is signed, so the
    /// identity of a signed element is its source *and* this.
    pub fn namespaces_in_scope(self) -> Vec<(&'d str, &'d str)> {
        let mut seen: Vec<(&str, &str)> = Vec::new();
        let mut at = Some(self);
        while let Some(element) = at {
            for (prefix, uri) in &element.data().namespace_declarations {
                if !seen.iter().any(|(known, _)| *known == &**prefix) {
                    seen.push((prefix, uri));
                }
            }
            at = element.parent();
        }
        seen
    }

    /// The element as a document of its own: its bytes, with the namespaces that it inherits
    /// declared on it. Exclusive canonicalization gives the same result for both, so a signature
    /// that held in the message holds here, and nothing of the message around it is left.
    pub fn standalone(self) -> String {
        let source = self.source();
        let mut inherited: Vec<(&str, &str)> =
            self.parent().map_or_else(Vec::new, Element::namespaces_in_scope);
        inherited.retain(|(prefix, uri)| {
            !uri.is_empty()
                && *prefix != "xml"
                && !self.data().namespace_declarations.iter().any(|(own, _)| own == prefix)
        });
        inherited.sort_unstable();
        let name_end = source
            .find(|c: char| c.is_ascii_whitespace() || c == '>' || c == '/')
            .unwrap_or(source.len());
        let mut out = String::with_capacity(source.len() + inherited.len() * 64);
        out.push_str(&source[..name_end]);
        for (prefix, uri) in inherited {
            let colon = if prefix.is_empty() { "" } else { ":" };
            out.push_str(&format!(" xmlns{colon}{prefix}=\"{}\"", escape(uri)));
        }
        out.push_str(&source[name_end..]);
        out
    }

    /// The DOM that the signature engine works on.
    pub(crate) fn document(self) -> &'d Document<'a> {
        self.document
    }

    /// The node in that DOM.
    pub(crate) fn node(self) -> NodeId {
        self.node
    }

    fn data(self) -> &'d uppsala::Element<'a> {
        self.document
            .element(self.node)
            .expect("because an Element is made from element nodes only")
    }
}

impl PartialEq for Element<'_, '_> {
    fn eq(&self, other: &Self) -> bool {
        self.node == other.node
            && std::ptr::eq(self.document.input_text(), other.document.input_text())
    }
}

fn push_children<'d, 'a>(element: Element<'d, 'a>, stack: &mut Vec<Element<'d, 'a>>) {
    let from = stack.len();
    stack.extend(element.children());
    stack[from..].reverse();
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Xml<'_>, XmlError> {
        Xml::parse(text, &Limits::ASSERTION)
    }

    #[test]
    fn hostile_texts_are_refused() {
        let many = format!("<a {}/>", (0..100).map(|i| format!("a{i}='' ")).collect::<String>());
        let deep = "<a>".repeat(100_000);
        let cases: Vec<(&str, XmlError)> = vec![
            ("<!DOCTYPE a><a/>", XmlError::DocumentType),
            ("<!DOCTYPE a [<!ENTITY e 'x'>]><a>&e;</a>", XmlError::DocumentType),
            ("<a><?php x?></a>", XmlError::ProcessingInstruction),
            ("<a xmlns='relative'/>", XmlError::RelativeNamespace),
            ("<a xmlns:p='../up'/>", XmlError::RelativeNamespace),
            ("<a xmlns:p='' xmlns=''/>", XmlError::RelativeNamespace),
            ("<a xmlns='urn:\r\nb'/>", XmlError::RelativeNamespace),
            ("<a xmlns='urn:\"b'/>", XmlError::RelativeNamespace),
            (&many, XmlError::TooManyAttributes { limit: 64 }),
            ("<a>", XmlError::NotWellFormed { offset: 0 }),
            ("", XmlError::NotWellFormed { offset: 0 }),
            ("<a>&e;</a>", XmlError::NotWellFormed { offset: 0 }),
        ];
        for (text, expected) in cases {
            assert_eq!(parse(text).unwrap_err(), expected, "{}", &text[..text.len().min(60)]);
        }
        assert!(matches!(
            Xml::parse(&deep, &Limits::MESSAGE).unwrap_err(),
            XmlError::NotWellFormed { .. }
        ));
    }

    #[test]
    fn libxml2_reads_latin_1_where_it_is_declared_so_only_ascii_may_come_with_it() {
        let declared = |encoding: &str, text: &str| {
            let text = format!("<?xml version='1.0' encoding={encoding}?><a>{text}</a>");
            parse(&text).map(|_| ())
        };
        for encoding in ["\"UTF-8\"", "'utf-8'", " \"utf-8\" standalone='yes'"] {
            assert_eq!(declared(encoding, "Ærø"), Ok(()), "{encoding}");
        }
        assert_eq!(declared("'ISO-8859-1'", "Aero"), Ok(()));
        for (encoding, text) in
            [("'ISO-8859-1'", "Ærø"), ("'UTF-16'", "Aero"), ("'UTF-7'", "+ADw-"), ("''", "Aero")]
        {
            assert_eq!(declared(encoding, text), Err(XmlError::NotUtf8), "{encoding}");
        }
        assert!(parse("<?xml version='1.0'?><a>Ærø</a>").is_ok());
    }

    #[test]
    fn comments_do_not_truncate_text() {
        let xml = parse("<a>admin<!-- -->@evil</a>").unwrap();
        assert_eq!(xml.root().plain_text(), None);
        assert!(xml.root().has_hidden_nodes());
    }

    #[test]
    fn source_and_content_are_the_bytes_of_the_message() {
        let text = "<e:a xmlns:e='urn:e' t='>'><b/>x<c>y</c></e:a>";
        let xml = parse(text).unwrap();
        let root = xml.root();
        assert_eq!(root.source(), text);
        assert_eq!(&text[root.content_range()], "<b/>x<c>y</c>");
        let b = root.child("", "b").unwrap();
        assert!(b.content_range().is_empty());
        assert_eq!(b.namespaces_in_scope(), [("e", "urn:e")]);
        assert_eq!(root.descendants().map(Element::name).collect::<Vec<_>>(), ["b", "c"]);
    }
}
