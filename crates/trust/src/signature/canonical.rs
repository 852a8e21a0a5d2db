//! Exclusive canonicalization (W3C Exclusive XML Canonicalization 1.0 §3) of the plain form that
//! assertions have, in one walk of the DOM that is read.
//!
//! Forms that are rare or delicate are left to the engine's own canonicalization: see [`Walk`]. Whatever
//! is written here must be what the engine writes; builds with debug assertions compare each time
//! (docs/decisions/0013).

use bergshamra::c14n::escape::{escape_attr_into, escape_text_into};
use uppsala::{Attribute, Document, NodeId, NodeKind};

/// The canonical form of `top` and all below it but `without`, with these `InclusiveNamespaces`; `None`
/// when it holds what is left to the engine.
pub(super) fn plain(
    document: &Document<'_>,
    top: NodeId,
    without: Option<NodeId>,
    inclusive: &[&str],
) -> Option<Vec<u8>> {
    if inclusive.len() > MOST || inclusive.contains(&"#default") {
        return None;
    }
    let mut above = Vec::new();
    let mut at = document.parent(top);
    while let Some(ancestor) = at {
        above.extend(document.element(ancestor));
        at = document.parent(ancestor);
    }
    let out = Vec::with_capacity(document.node_source(top).map_or(0, str::len));
    let (scope, rendered) = (Vec::with_capacity(MOST), Vec::with_capacity(MOST));
    let mut walk = Walk { document, without, inclusive, scope, rendered, out };
    for ancestor in above.into_iter().rev() {
        walk.enter(ancestor)?;
    }
    walk.element(top)?;
    Some(walk.out)
}

/// Most namespace declarations in scope at once, and most inclusive prefixes: they are searched one by
/// one. Real assertions have fewer than ten.
const MOST: usize = 16;

/// A prefix (empty: the default namespace) and the namespace that it stands for.
type Binding<'d> = (&'d str, &'d str);

/// The walk, which ends with `None` where it meets: anything but elements and text; a declaration that
/// takes the default namespace away (so that what is in scope only grows on the way down); the
/// prefix `xml`; a name whose prefix is empty or declared nowhere; more than [`MOST`] declarations in scope.
struct Walk<'d, 'a> {
    document: &'d Document<'a>,
    without: Option<NodeId>,
    inclusive: &'d [&'d str],
    /// Declared by the element at hand and its ancestors, nearest last.
    scope: Vec<Binding<'d>>,
    /// Written by them.
    rendered: Vec<Binding<'d>>,
    out: Vec<u8>,
}

impl<'d, 'a> Walk<'d, 'a> {
    fn element(&mut self, id: NodeId) -> Option<()> {
        let document = self.document;
        let element = document.element(id)?;
        let (scope, rendered) = (self.scope.len(), self.rendered.len());
        self.enter(element)?;
        self.out.push(b'<');
        self.name(element)?;
        self.namespaces(element)?;
        self.attributes(&element.attributes);
        self.out.push(b'>');
        for child in document.children_iter(id) {
            match document.node_kind(child)? {
                _ if Some(child) == self.without => {}
                NodeKind::Element(_) => self.element(child)?,
                NodeKind::Text(text) => escape_text_into(&mut self.out, text),
                _ => return None,
            }
        }
        self.out.extend_from_slice(b"</");
        self.name(element)?;
        self.out.push(b'>');
        self.scope.truncate(scope);
        self.rendered.truncate(rendered);
        Some(())
    }

    /// Takes the element's declarations into scope.
    fn enter(&mut self, element: &'d uppsala::Element<'a>) -> Option<()> {
        for (prefix, namespace) in &element.namespace_declarations {
            if namespace.is_empty() || prefix == "xml" || self.scope.len() == MOST {
                return None;
            }
            self.scope.push((prefix, namespace));
        }
        Some(())
    }

    fn name(&mut self, element: &uppsala::Element<'a>) -> Option<()> {
        if let Some(prefix) = &element.name.prefix {
            if prefix.is_empty() {
                return None;
            }
            self.out.extend_from_slice(prefix.as_bytes());
            self.out.push(b':');
        }
        self.out.extend_from_slice(element.name.local_name.as_bytes());
        Some(())
    }

    /// §3 step 3: a declaration is written where its prefix is visibly utilized, or inclusive, and no
    /// ancestor wrote the same; by prefix, the default namespace first.
    fn namespaces(&mut self, element: &'d uppsala::Element<'a>) -> Option<()> {
        let fresh = self.rendered.len();
        match element.name.prefix.as_deref() {
            Some(prefix) => self.utilize(prefix)?,
            // there may be no default namespace
            None => _ = self.utilize(""),
        }
        for attribute in &element.attributes {
            match (attribute.name.prefix.as_deref(), attribute.name.namespace_uri.is_some()) {
                (None, false) => {}
                (Some(prefix), true) if !prefix.is_empty() => self.utilize(prefix)?,
                _ => return None,
            }
        }
        for prefix in self.inclusive {
            // it may be declared elsewhere only
            let _ = self.utilize(prefix);
        }
        self.rendered[fresh..].sort_unstable();
        for (prefix, namespace) in &self.rendered[fresh..] {
            self.out.extend_from_slice(b" xmlns");
            if !prefix.is_empty() {
                self.out.push(b':');
                self.out.extend_from_slice(prefix.as_bytes());
            }
            value(&mut self.out, namespace);
        }
        Some(())
    }

    /// Takes the declaration of a prefix among those to write, unless the nearest that wrote this prefix wrote the
    /// same; `None` when nothing declares it.
    fn utilize(&mut self, prefix: &str) -> Option<()> {
        let nearest = |all: &[Binding<'d>]| all.iter().rfind(|one| one.0 == prefix).copied();
        let declared = nearest(&self.scope)?;
        if nearest(&self.rendered) != Some(declared) {
            self.rendered.push(declared);
        }
        Some(())
    }

    /// By namespace, then by local name; those without a namespace first.
    fn attributes(&mut self, attributes: &[Attribute<'a>]) {
        if attributes.is_sorted_by_key(rank) {
            attributes.iter().for_each(|attribute| self.attribute(attribute));
            return;
        }
        let mut sorted: Vec<_> = attributes.iter().collect();
        sorted.sort_by_key(|attribute| rank(attribute));
        sorted.into_iter().for_each(|attribute| self.attribute(attribute));
    }

    fn attribute(&mut self, attribute: &Attribute<'a>) {
        self.out.push(b' ');
        if let Some(prefix) = &attribute.name.prefix {
            self.out.extend_from_slice(prefix.as_bytes());
            self.out.push(b':');
        }
        self.out.extend_from_slice(attribute.name.local_name.as_bytes());
        value(&mut self.out, &attribute.value);
    }
}

fn rank<'x>(attribute: &'x Attribute<'_>) -> (&'x str, &'x str) {
    let name = &attribute.name;
    (name.namespace_uri.as_deref().unwrap_or(""), &name.local_name)
}

fn value(out: &mut Vec<u8>, text: &str) {
    out.extend_from_slice(b"=\"");
    escape_attr_into(out, text);
    out.push(b'"');
}

#[cfg(test)]
mod tests {
    use super::super::engine;
    use super::*;
    use crate::xml::{Limits, Xml};

    fn written(text: &str, inclusive: &[&str]) -> Option<String> {
        let xml = Xml::parse(text, &Limits::ASSERTION).unwrap();
        let (document, top) = (xml.root().document(), xml.root().node());
        let ours = plain(document, top, None, inclusive)?;
        assert_eq!(Some(&ours), engine::canonical(document, top, None, inclusive).as_ref());
        Some(String::from_utf8(ours).unwrap())
    }

    #[test]
    fn the_plain_form_is_written_as_the_standard_wants_it() {
        for (text, inclusive, expected) in [
            ("<a />", &[][..], "<a></a>"),
            ("<a c='1'  b=\"2\"/>", &[], "<a b=\"2\" c=\"1\"></a>"),
            (
                "<a b='&lt;&gt;&amp;&#34;&#9;&#10;&#13;'>&lt;&gt;&amp;\"&#9;\r\n&#13;</a>",
                &[],
                "<a b=\"&lt;>&amp;&quot;&#x9;&#xA;&#xD;\">&lt;&gt;&amp;\"\t\n&#xD;</a>",
            ),
            // what is not used is not written, what is used is written where it is used first
            (
                "<a xmlns:q='urn:q' xmlns:p='urn:p'><p:b><p:c q:z='' y=''/></p:b><p:d/></a>",
                &[],
                "<a><p:b xmlns:p=\"urn:p\"><p:c xmlns:q=\"urn:q\" y=\"\" q:z=\"\"></p:c></p:b>\
                 <p:d xmlns:p=\"urn:p\"></p:d></a>",
            ),
            // unless it is inclusive; declared again with another namespace it is written again
            (
                "<a xmlns:p='urn:p' xmlns:q='urn:q'><b xmlns:p='urn:2'><p:c xmlns:p='urn:p'/></b></a>",
                &["p", "none"],
                "<a xmlns:p=\"urn:p\"><b xmlns:p=\"urn:2\"><p:c xmlns:p=\"urn:p\"></p:c></b></a>",
            ),
            (
                "<p:a xmlns:p='urn:p' xmlns='urn:d'><b xmlns='urn:d'/></p:a>",
                &[],
                "<p:a xmlns:p=\"urn:p\"><b xmlns=\"urn:d\"></b></p:a>",
            ),
            // by namespace, not by prefix
            (
                "<a p:b='1' q:b='2' xmlns:p='urn:2' xmlns:q='urn:1'/>",
                &[],
                "<a xmlns:p=\"urn:2\" xmlns:q=\"urn:1\" q:b=\"2\" p:b=\"1\"></a>",
            ),
        ] {
            assert_eq!(written(text, inclusive).as_deref(), Some(expected), "{text}");
        }
    }

    #[test]
    fn rare_and_delicate_forms_are_left_to_the_engine() {
        let many: String = (0..=MOST).map(|n| format!("xmlns:p{n}='urn:p' ")).collect();
        for text in [
            "<a xmlns='urn:d'><b xmlns=''/></a>",
            "<a xml:lang='da'/>",
            "<a><!-- --></a>",
            "<a><![CDATA[b]]></a>",
            &format!("<a {many}/>"),
        ] {
            assert_eq!(written(text, &[]), None, "{text}");
        }
        assert_eq!(written("<a/>", &["#default"]), None);
        assert_eq!(written("<a/>", &["p"; MOST + 1]), None);
    }
}
