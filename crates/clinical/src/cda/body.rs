//! The body: sections and entries, or one wrapped file.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use trust::xml::Element;

use super::{CdaError, Level, V3, View, human, templates};

/// One section of a structured body. Health data: no `Debug`.
#[derive(Clone, Copy)]
pub struct Section<'d, 'a>(Element<'d, 'a>);

impl<'d, 'a> Section<'d, 'a> {
    /// LOINC code; empty when missing.
    pub fn code(self) -> &'d str {
        self.0.child(V3, "code").and_then(|code| code.attribute("code")).unwrap_or("")
    }

    /// Title, for people.
    pub fn title(self) -> String {
        self.0.child(V3, "title").map(human).unwrap_or_default()
    }

    /// Narrative text, for people.
    pub fn text(self) -> String {
        self.0.child(V3, "text").map(human).unwrap_or_default()
    }

    /// The templates that the section claims to follow.
    pub fn templates(self) -> impl Iterator<Item = &'d str> {
        templates(self.0)
    }

    /// The coded entries.
    pub fn entries(self) -> impl Iterator<Item = Element<'d, 'a>> {
        self.0.children_named(V3, "entry")
    }

    /// The element, for what this view has no word for.
    pub fn element(self) -> Element<'d, 'a> {
        self.0
    }
}

/// A file inside a level 1 document.
#[derive(Clone, PartialEq, Eq)]
pub struct Embedded {
    /// `application/pdf`, `image/png`, `image/jpeg`.
    pub media_type: String,
    /// The decoded bytes.
    pub bytes: Bytes,
}

impl std::fmt::Debug for Embedded {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Embedded({}, {} bytes)", self.media_type, self.bytes.len())
    }
}

impl<'a> View<'a> {
    /// All sections, nested ones included, in document order.
    pub fn sections(&self) -> impl Iterator<Item = Section<'_, 'a>> {
        self.root()
            .path(V3, &["component", "structuredBody"])
            .into_iter()
            .flat_map(|body| body.descendants().collect::<Vec<_>>())
            .filter(|element| element.is(V3, "section"))
            .map(Section)
    }

    /// The level of the document; an error when it has no body or several.
    pub fn level(&self) -> Result<Level, CdaError> {
        let component = self.root().only_child(V3, "component").map_err(|_| CdaError::Body)?;
        let structured = component.only_child(V3, "structuredBody").is_ok();
        let wrapped = component.only_child(V3, "nonXMLBody").is_ok();
        match (structured, wrapped) {
            (false, true) => Ok(Level::One),
            (true, false) if self.sections().any(|s| s.entries().next().is_some()) => {
                Ok(Level::Three)
            }
            (true, false) => Ok(Level::Two),
            _ => Err(CdaError::Body),
        }
    }

    /// The wrapped file of a level 1 document; `None` for other levels and for broken base64.
    pub fn embedded(&self) -> Option<Embedded> {
        let text = self.root().path(V3, &["component", "nonXMLBody", "text"])?;
        if text.attribute("representation") != Some("B64") {
            return None;
        }
        let mut compact = text.deep_text();
        compact.retain(|c| !c.is_ascii_whitespace());
        let bytes = STANDARD.decode(compact).ok()?;
        let media_type = text.attribute("mediaType").unwrap_or("text/plain").to_owned();
        Some(Embedded { media_type, bytes: bytes.into() })
    }
}
