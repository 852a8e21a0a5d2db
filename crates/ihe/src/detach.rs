//! Documents that stand in a message as base64, moved into parts of their own: an attachment can be
//! sealed by itself.

use std::ops::Range;

use bytes::{BufMut as _, Bytes, BytesMut};
use trust::xml::{Element, Limits, Xml};

use crate::MessageError;
use crate::ebrim::XDS;
use crate::mtom::{MAX_PARTS, Package, Part, XOP, decode_base64};

/// The package with each `xds:Document` as a part. Nothing else of it changes; a package that has
/// all of them as parts stays as it is.
pub fn detach(package: Package) -> Result<Package, MessageError> {
    let xml = Xml::parse_bytes(&package.root, &Limits::MESSAGE)?;
    let skipped = package.root.len() - xml.text().len();
    let mut found: Vec<(Range<usize>, Part)> = Vec::new();
    for element in xml.root().descendants().filter(|element| element.is(XDS, "Document")) {
        if element.child(XOP, "Include").is_some() {
            continue;
        }
        let bytes = decode_base64(element.demand_text("Document")?);
        let bytes = bytes.ok_or(MessageError::Content("not base64"))?;
        let place = element.content_range();
        let (cid, mime) = (format!("document{}{DETACHED}", found.len() + 1), mime(element));
        found.push((place.start + skipped..place.end + skipped, Part { cid, mime, bytes }));
    }
    if found.is_empty() {
        return Ok(package);
    }
    if package.parts.len() + found.len() > MAX_PARTS {
        return Err(MessageError::Mime("too many parts"));
    }
    found.sort_by_key(|(place, _)| place.start);
    let (mut root, mut at, mut parts) = (BytesMut::new(), 0, package.parts);
    for (place, part) in found {
        root.put_slice(&package.root[at..place.start]);
        root.put_slice(include(&part.cid).as_bytes());
        at = place.end;
        parts.push(part);
    }
    root.put_slice(&package.root[at..]);
    Ok(Package { root: Bytes::from(root), parts })
}

/// What [`detach`] writes in the place of a document; `None` for a part that is not of its making.
pub fn include_of(cid: &str) -> Option<String> {
    cid.ends_with(DETACHED).then(|| include(cid))
}

fn include(cid: &str) -> String {
    format!("<xop:Include xmlns:xop=\"{XOP}\" href=\"cid:{cid}\"/>")
}

/// How the names of such parts end.
const DETACHED: &str = "@detached.konfido";

/// What the message says of the document's type; its neighbour (ITI TF-2 3.43.5).
fn mime(document: Element<'_, '_>) -> String {
    let said = document.parent().and_then(|response| response.child(XDS, "mimeType"));
    let said = said.and_then(Element::plain_text).map(str::trim);
    let known = |text: &&str| {
        let word = |b: u8| b.is_ascii_alphanumeric() || b"/+.-".contains(&b);
        !text.is_empty() && text.len() < 100 && text.bytes().all(word)
    };
    said.filter(known).unwrap_or("application/octet-stream").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mtom::Attachments;

    const INLINE: &str = "\u{feff}<e:Envelope xmlns:e='urn:e' xmlns:x='urn:ihe:iti:xds-b:2007'><x:r>\
        <x:mimeType>text/xml</x:mimeType><x:Document>PGEv\nPg==</x:Document></x:r><x:r>\
        <x:mimeType>a b</x:mimeType><x:Document>JVBERg==</x:Document></x:r></e:Envelope>";

    #[test]
    fn documents_leave_the_envelope_and_are_found_again() {
        let package = Package { root: INLINE.into(), parts: Vec::new() };
        let moved = detach(package).unwrap();
        let types: Vec<_> = moved.parts.iter().map(|part| part.mime.as_str()).collect();
        assert_eq!(types, ["text/xml", "application/octet-stream"]);
        let text = std::str::from_utf8(&moved.root).unwrap();
        assert!(!text.contains("JVBERg") && !text.contains("PGEv"), "{text}");
        let xml = Xml::parse_bytes(&moved.root, &Limits::MESSAGE).unwrap();
        let attachments = Attachments::new(&moved.parts);
        let all = xml.root().descendants().filter(|element| element.is(XDS, "Document"));
        let all: Vec<_> = all.map(|element| attachments.content(element).unwrap()).collect();
        assert_eq!(all, [&b"<a/>"[..], b"%PDF"]);
        attachments.finish().unwrap();
        assert!(detach(moved.clone()).unwrap() == moved, "a second time nothing is to do");
    }

    #[test]
    fn more_documents_than_the_other_country_would_take_as_parts_are_refused_here() {
        let of = |count| {
            let all = "<x:Document>PGEvPg==</x:Document>".repeat(count);
            let root = format!("<e xmlns:x='urn:ihe:iti:xds-b:2007'>{all}</e>").into();
            detach(Package { root, parts: Vec::new() })
        };
        assert_eq!(of(MAX_PARTS).unwrap().parts.len(), MAX_PARTS);
        assert!(of(MAX_PARTS + 1).is_err());
    }

    #[test]
    fn what_is_no_base64_is_refused() {
        let root = INLINE.replace("PGEv", "P*Ev").into();
        assert!(detach(Package { root, parts: Vec::new() }).is_err());
    }
}
